// Who holds our name: asked of a node that says it has a link under it. As nobody can ask over a link he does
// not have, a node of our own under a guest name links to it for the moment of the question
// (net_kernel:node_info/2 of kernel). Only who knows the cookie gives an answer.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "cnode/node.hpp"

namespace rollcall::app {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// What the node has as the address of a peer's end.
struct peer_address {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const peer_address&, const peer_address&) = default;
};

struct holder {
  std::optional<peer_address> of_name;   // absent: nobody has a link under our name there any more
  std::optional<peer_address> of_asker;  // how it sees this machine
};

class inquiry {
 public:
  // `like`: cookies, port mapper; its name gives the host.
  inquiry(asio::io_context&, const cnode::node_options& like, cnode::resolve_function);
  ~inquiry();

  // Absent: it could not be asked, and why. Once.
  asio::awaitable<std::optional<holder>> ask(cnode::target, node_name our_name, milliseconds limit,
                                             std::string& why);

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

// {ok, #net_address{}} of net_kernel:node_info/2; absent for an error.
std::optional<peer_address> address_in(const cnode::term& answer);

}  // namespace rollcall::app
