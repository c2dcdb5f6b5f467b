// Members without a link, looked for once a round where that costs little: whether their host has an address
// now, or another one than before; and, where the cookie was refused, whether it is another run that listens.
// What is found ends the pause between dials.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "app/log.hpp"
#include "cnode/node.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

namespace asio = boost::asio;

class lookouts {
 public:
  struct surroundings {
    cnode::resolve_function resolve;
    std::function<cnode::target(const node_name&)> target_for;
    std::function<void(const node_name&)> shows_up;
    std::function<bool()> stopping;
    std::uint16_t port_mapper_port;
  };
  lookouts(asio::io_context& io, log& l, surroundings around)
      : io_(io), log_(l), around_(std::move(around)) {}

  // Looks for those that are listed and not linked, so many at once; waits for nothing. `owner` keeps this
  // object alive. Gives the index of the member that the next call is to begin with, at the end their number.
  std::size_t look(const std::shared_ptr<void>& owner, const membership::snapshot&, std::size_t from = 0);
  void linked(const node_name&, const asio::ip::address& at);
  // Its cookie was refused: who listens there now is the one that refused.
  void refused(const std::shared_ptr<void>& owner, const node_name&);

 private:
  // Two or three milliseconds of a turn of the loop.
  static constexpr std::size_t at_once = 64;
  struct known {
    std::set<asio::ip::address> addresses;  // the host's, at the last look
    bool looked = false;                    // otherwise: where it was linked last, or nothing
    bool refused = false;                   // for its cookie
    bool away = false;                      // since then nobody listened there
    std::optional<std::uint16_t> port{};    // of the one that refused
    bool looking = false;
  };
  asio::awaitable<void> look_for(std::shared_ptr<void> owner, node_name);
  asio::awaitable<bool> another_run(known&, const cnode::target&, asio::ip::address);

  asio::io_context& io_;
  log& log_;
  surroundings around_;
  std::map<node_name, std::shared_ptr<known>> known_;
};

}  // namespace rollcall::app
