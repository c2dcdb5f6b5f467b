// One dial, in its steps: resolve -> port mapper -> connect -> handshake. No deadline of its own: the caller
// that waits for it cancels it, and reads from `dial_progress` where it was stuck.
#pragma once

#include <boost/asio/io_context.hpp>

#include "cnode/connection.hpp"
#include "cnode/handshake.hpp"
#include "cnode/node.hpp"

namespace rollcall::cnode {

// Where a dial is now. With several addresses tried at once, where the last of them got to.
struct dial_progress {
  dial_step step = dial_step::resolve;
  tcp::endpoint at;
};

struct reached {
  tcp::socket socket;
  tcp::endpoint remote;
};

// What an operator should read when a dial ended at that step with that code.
std::string explain(const target&, dial_step, const tcp::endpoint& at, boost::system::error_code);
// The name to speak of: the node's, or what is known of it.
std::string name_of(const target&);

// Connects to a node's distribution port. The host's addresses are tried in order, the next one 250 ms after
// the one before or as soon as that one failed; the first that connects is taken.
asio::awaitable<outcome<reached>> reach(target, const resolve_function&, std::uint16_t port_mapper_port,
                                        std::shared_ptr<dial_progress>);

// TLS of the side that dialled, on an open socket, where it is spoken: absent when it is done.
asio::awaitable<std::optional<failure>> secure(stream&, tcp::endpoint remote, const target&,
                                               const tls::context&);
// The handshake of the side that dialled, on an open socket.
asio::awaitable<outcome<identity>> shake(stream&, tcp::endpoint remote, const target&, identity self,
                                         std::string cookie, challenge);

}  // namespace rollcall::cnode
