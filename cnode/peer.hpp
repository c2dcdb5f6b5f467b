// Who is linked, who is dialled, and how a dial fails: the words of everything here that deals with peers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cnode/error.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::cnode {

namespace asio = boost::asio;
using std::chrono::milliseconds;

enum class direction { outgoing, incoming };

// A linked node. `visible` is the PUBLISHED flag: false for a remote shell or another hidden node.
struct peer {
  node_name name;
  std::uint32_t creation = 0;
  std::uint64_t flags = 0;
  bool visible = true;
  cnode::direction direction = cnode::direction::outgoing;
  asio::ip::tcp::endpoint remote;
  std::uint16_t local_port = 0;  // of our end
  // Where it listens: known when we dialled it.
  std::optional<std::uint16_t> distribution_port{};
  std::string tls{};  // the version of TLS it is spoken over; empty: none
};

// Where a dial got stuck. The order is the order of the steps.
enum class dial_step { resolve, port_mapper, connect, tls, handshake };

struct failure {
  boost::system::error_code code;  // of error_category(), or of the system for what has no value there
  dial_step step = dial_step::handshake;
  std::string detail;             // one sentence for an operator: node, address, port, what to do
  std::optional<node_name> peer;  // the name the peer gave itself, when it got that far
};

template <class T>
using outcome = boost::system::result<T, failure>;

// Where a node is dialled, and under which name.
struct target {
  std::optional<node_name>
      name;           // absent: the node that answers there (its name is learned from its challenge)
  std::string alive;  // what the port mapper is asked for
  std::string host;   // resolved when `address` is absent
  std::optional<asio::ip::address> address;
  std::optional<std::uint16_t> port;  // absent: the port mapper on that host is asked
  // Whether a link that it still holds under our name makes way for the new one; if not, and there is one:
  // alive_refused.
  bool take_over = true;
};

// A host's addresses, best first; none is `not_resolved`, and `why` then says why, in a phrase for an
// operator.
struct resolved {
  std::vector<asio::ip::address> addresses;
  std::string why;
  bool no_such_name = false;  // a name server says so
};
using resolve_function = std::function<asio::awaitable<resolved>(std::string host)>;
// outcome<T>::value() on a failure throws std::runtime_error with its detail (found by the error's
// namespace).
[[noreturn]] void throw_exception_from_error(const failure&, const boost::source_location&);

}  // namespace rollcall::cnode
