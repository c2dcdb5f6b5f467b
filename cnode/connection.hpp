// One connection before it is a link: system errors in this module's words, TLS, and the handshake's frames,
// which have a length of 2 bytes, and of 4 on TLS (inet_tls_dist.erl).
// https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html ("Distribution Handshake").
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <vector>

#include "cnode/error.hpp"
#include "cnode/stream.hpp"
#include "cnode/term.hpp"

namespace rollcall::cnode {

namespace asio = boost::asio;
using asio::ip::tcp;

inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// refused, unreachable, timed_out or closed where that is what it means; anything else stays the system's.
boost::system::error_code network_error(boost::system::error_code) noexcept;

// TLS, to its end. error::tls: the stream's session says why; also for a peer that does not speak it.
asio::awaitable<boost::system::error_code> shake_tls(stream&);

// error::tls for a peer that speaks it on a plain stream. frame_too_large above max_handshake_frame, before
// anything is read of it; truncated when the connection ends in the middle of it.
asio::awaitable<result<byte_string>> read_handshake_frame(stream&);
// All of them in one write.
asio::awaitable<result<void>> write_handshake_frames(stream&, const std::vector<byte_string>&);

std::uint32_t random_word();

// `127.0.0.1:4369`, `[::1]:4369`; an IPv4 address that came in over IPv6 is written as IPv4.
std::string to_string(const tcp::endpoint&);

}  // namespace rollcall::cnode
