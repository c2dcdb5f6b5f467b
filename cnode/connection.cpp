#include "cnode/connection.hpp"

#include <fmt/format.h>

#include <random>

#include "cnode/byte_reader.hpp"
#include "cnode/handshake.hpp"

namespace rollcall::cnode {

boost::system::error_code network_error(boost::system::error_code code) noexcept {
  namespace failed = asio::error;
  if (code == failed::connection_refused) return make_error_code(error::refused);
  if (code == failed::host_unreachable || code == failed::network_unreachable ||
      code == failed::network_down || code == failed::host_not_found) {
    return make_error_code(error::unreachable);
  }
  if (code == failed::timed_out) return make_error_code(error::timed_out);
  if (code == failed::eof || code == failed::connection_reset || code == failed::broken_pipe ||
      code == failed::connection_aborted || code == failed::not_connected || code == failed::shut_down) {
    return make_error_code(error::closed);
  }
  return code;
}

namespace {

// What a TLS client begins with: a record of a handshake, version 3.
constexpr std::size_t begin_of_tls = 0x1603;

// All of `to`; gives what ended it.
asio::awaitable<boost::system::error_code> read_whole(stream& from, asio::mutable_buffer to) {
  while (to.size() > 0) {
    boost::system::error_code code;
    to += from.read_some(to, code);
    if (not_yet(code)) {
      const auto [failed] = co_await from.socket().async_wait(from.awaited_by_read(), as_result);
      code = failed;
    }
    if (code) co_return network_error(code);
  }
  co_return boost::system::error_code{};
}

asio::awaitable<boost::system::error_code> write_whole(stream& to, asio::const_buffer from) {
  while (from.size() > 0) {
    boost::system::error_code code;
    from += to.write_some(from, code);
    if (not_yet(code)) {
      const auto [failed] = co_await to.socket().async_wait(to.awaited_by_write(), as_result);
      code = failed;
    }
    if (code) co_return network_error(code);
  }
  co_return boost::system::error_code{};
}

}  // namespace

asio::awaitable<boost::system::error_code> shake_tls(stream& on) {
  while (true) {
    boost::system::error_code code;
    on.shake(code);
    if (!code) co_return code;
    if (!not_yet(code)) co_return network_error(code);
    const auto [failed] = co_await on.socket().async_wait(on.awaited_by_write(), as_result);
    if (failed) co_return network_error(failed);
  }
}

asio::awaitable<result<byte_string>> read_handshake_frame(stream& from) {
  std::array<std::uint8_t, 4> prefix{};
  const std::size_t digits = from.secured() != nullptr ? 4 : 2;
  if (const auto code = co_await read_whole(from, asio::buffer(prefix, digits))) co_return code;
  std::size_t length = 0;
  for (std::size_t i = 0; i < digits; ++i) length = (length << 8U) | prefix[i];
  if (from.secured() == nullptr && length == begin_of_tls) co_return make_error_code(error::tls);
  if (length > max_handshake_frame) co_return make_error_code(error::frame_too_large);
  byte_string frame(length, '\0');
  if (const auto code = co_await read_whole(from, asio::buffer(frame))) {
    co_return code == error::closed ? make_error_code(error::truncated) : code;
  }
  co_return frame;
}

asio::awaitable<result<void>> write_handshake_frames(stream& to, const std::vector<byte_string>& frames) {
  byte_string bytes;
  for (const auto& frame : frames) {
    put_number(bytes, frame.size(), to.secured() != nullptr ? 4 : 2);
    bytes += frame;
  }
  if (const auto code = co_await write_whole(to, asio::buffer(bytes))) co_return code;
  co_return result<void>{};
}

std::uint32_t random_word() {
  static std::random_device device;
  return static_cast<std::uint32_t>(device());
}

std::string to_string(const tcp::endpoint& endpoint) {
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), endpoint.port())
                         : fmt::format("{}:{}", address.to_string(), endpoint.port());
}

}  // namespace rollcall::cnode
