// For a node whose caller learns everything from what its calls return.
#pragma once

#include "cnode/node.hpp"

namespace rollcall::app {

struct silent_observer final : cnode::node_observer {
  void link_up(const cnode::peer&) override {}
  void link_down(const cnode::peer&, boost::system::error_code, const std::string&) override {}
  void handshake_ended(cnode::direction, const std::optional<node_name>&,
                       const boost::asio::ip::tcp::endpoint&, boost::system::error_code,
                       const std::string&) override {}
  void port_mapper_changed(boost::system::error_code, const std::string&) override {}
  void unexpected(const node_name&, const std::string&) override {}
};

}  // namespace rollcall::app
