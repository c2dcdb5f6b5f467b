// Probes from node to node, asked over our links: whether a link between two nodes carries anything, and
// whether one of them reaches the other at all. Neither ever makes two nodes connect.
//
//   link_probes  an is_auth that A sends to B's net_kernel in our name (lists:zipwith3/4 over erlang:send/3,
//   with
//                noconnect): B answers to us, over its own link. Kernel's net_kernel.erl, gen.erl.
//   probe_path   gen_tcp:connect/4 on A to B's distribution port; the socket goes with the process that ran
//   it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cnode/node.hpp"
#include "membership/facts.hpp"

namespace rollcall::app {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// A call that is counted in the metrics: engine's.
using call_function = std::function<asio::awaitable<cnode::call_result<cnode::term>>(
    node_name on, std::string module, std::string function, cnode::byte_string arguments,
    milliseconds limit)>;

// The same with the answer as it came, checked.
using encoded_call_function = std::function<asio::awaitable<cnode::call_result<cnode::byte_string>>(
    node_name on, std::string module, std::string function, cnode::byte_string arguments,
    milliseconds limit)>;

// Null once the node is gone, which a task that waited may live to see.
using node_function = std::function<cnode::node*()>;

class link_probes {
 public:
  link_probes(asio::io_context& io, node_function node, call_function call)
      : io_(io), node_(std::move(node)), call_(std::move(call)) {}

  // In the order of `to`; within `limit`, and a little for the call itself. An exception of the call comes
  // out here.
  asio::awaitable<std::vector<membership::link_probe>> ask(node_name on, std::vector<node_name> to,
                                                           milliseconds limit, bool confirm);
  // {Ref, Answer} to one of our references, also one that came too late. False: it is none of ours. Checked
  // (term_check.hpp).
  bool answered(const node_name& from, cnode::byte_view message);

  std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  struct batch;
  // One reference for all that were asked in the same way: who answers is the node that its link is to.
  struct place {
    std::shared_ptr<batch> of;
    bool direct;
  };

  static asio::awaitable<void> have_sent(call_function call, node_name on, cnode::byte_string arguments,
                                         milliseconds limit, std::shared_ptr<batch> into);

  asio::io_context& io_;
  node_function node_;
  call_function call_;
  std::map<cnode::reference, place> waiting_;
};

// The term that is sent: {'$gen_call', {Us, Ref}, {is_auth, As}}.
cnode::byte_string is_auth_call(const cnode::pid& us, const cnode::reference& ref, std::string_view as);

// What gen_tcp:connect/4 answered. `ipv6`: how we reach `to` ourselves. `port`: of its distribution.
asio::awaitable<membership::path_probe> probe_path(const call_function& call, node_name on, node_name to,
                                                   std::uint16_t port, bool ipv6, milliseconds limit);
membership::path_probe path_probe_in(const cnode::term& answer);

}  // namespace rollcall::app
