// The port mapper over the network: asking one, being registered with one, and being one.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "cnode/epmd.hpp"

namespace rollcall::cnode {

namespace asio = boost::asio;

// One question each; cancellable; the caller sets the deadline. Errors: refused, unreachable, closed,
// timed_out, not_registered, bad_reply.
asio::awaitable<result<std::uint16_t>> ask_port(asio::ip::tcp::endpoint mapper, std::string alive,
                                                std::chrono::milliseconds limit);
asio::awaitable<result<std::vector<epmd::name_entry>>> ask_names(asio::ip::tcp::endpoint mapper,
                                                                 std::chrono::milliseconds limit);

// A complete port mapper for the nodes of this machine (ALIVE2, PORT_PLEASE2, NAMES). Names are registered
// from loopback only, for as long as their connection stays open; anyone may look up.
class port_mapper {
 public:
  port_mapper(asio::io_context&, std::uint16_t port);
  ~port_mapper();
  port_mapper(const port_mapper&) = delete;
  port_mapper& operator=(const port_mapper&) = delete;
  result<void> start();  // address_in_use when there is one already
  void stop();
  // Our own entry, without a connection; false while another node is registered under that name: then it is
  // entered once that one is gone.
  bool put(const epmd::registration&);
  void remove();

 private:
  class implementation;
  std::shared_ptr<implementation> implementation_;
};

}  // namespace rollcall::cnode
