#include "cnode/connection.hpp"

#include <fmt/format.h>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <random>

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

asio::awaitable<result<byte_string>> read_handshake_frame(tcp::socket& socket) {
  std::array<std::uint8_t, 2> prefix{};
  {
    const auto [code, size] = co_await asio::async_read(socket, asio::buffer(prefix), as_result);
    if (code) co_return network_error(code);
  }
  const std::size_t length = (std::size_t{prefix[0]} << 8U) | prefix[1];
  if (length > max_handshake_frame) co_return make_error_code(error::frame_too_large);
  byte_string frame(length, '\0');
  const auto [code, size] = co_await asio::async_read(socket, asio::buffer(frame), as_result);
  if (code) {
    const auto ended = network_error(code);
    co_return ended == error::closed ? make_error_code(error::truncated) : ended;
  }
  co_return frame;
}

asio::awaitable<result<void>> write_handshake_frames(tcp::socket& socket,
                                                     const std::vector<byte_string>& frames) {
  byte_string bytes;
  for (const auto& frame : frames) {
    bytes.push_back(static_cast<char>(frame.size() >> 8U));
    bytes.push_back(static_cast<char>(frame.size() & 0xffU));
    bytes += frame;
  }
  if (bytes.empty()) co_return result<void>{};
  const auto [code, size] = co_await asio::async_write(socket, asio::buffer(bytes), as_result);
  if (code) co_return network_error(code);
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
