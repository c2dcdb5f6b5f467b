// Blocking sockets with deadlines, in any network namespace, for the test's own side of a conversation.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::test {

using std::chrono::milliseconds;

class socket {
 public:
  socket() = default;
  explicit socket(int descriptor) noexcept : descriptor_(descriptor) {}
  ~socket();
  socket(socket&& other) noexcept;
  socket& operator=(socket&& other) noexcept;

  int descriptor() const noexcept { return descriptor_; }
  bool open() const noexcept { return descriptor_ >= 0; }
  void close() noexcept;
  void reset() noexcept;  // closes with RST

  bool send(std::string_view bytes) const;  // false: the peer is gone
  // Exactly `count` bytes; absent when the peer closed or `limit` passed first.
  std::optional<std::string> receive(std::size_t count, milliseconds limit = milliseconds(10'000)) const;
  // What comes until the peer closes or `limit` has passed.
  std::string receive_all(milliseconds limit = milliseconds(10'000)) const;
  // True once the peer has closed (what it still sends is thrown away).
  bool closed_by_peer(milliseconds limit) const;

 private:
  int descriptor_ = -1;
};

// A descriptor made inside a namespace ("" is our own) stays there. Throws std::system_error.
socket make_socket(int type, const std::string& network_namespace = {});
// Not open() when it was refused or took longer than `limit`. IPv4.
socket connect_tcp(const std::string& address, std::uint16_t port, const std::string& network_namespace = {},
                   milliseconds limit = milliseconds(5'000));
// `port` 0: any. Throws std::system_error.
socket listen_tcp(const std::string& address, std::uint16_t port, const std::string& network_namespace = {});
socket bind_udp(const std::string& address, std::uint16_t port, const std::string& network_namespace = {});
std::uint16_t local_port(const socket&);
// The next connection, or not open() after `limit`.
socket accept_from(const socket& listener, milliseconds limit = milliseconds(10'000));

// A port that was free a moment ago, for TCP and UDP alike, on loopback.
std::uint16_t free_port();

struct http_answer {
  int status = 0;  // 0: no answer
  std::string headers, body;
};
http_answer http_get(const std::string& address, std::uint16_t port, const std::string& path,
                     const std::string& network_namespace = {}, milliseconds limit = milliseconds(5'000));

}  // namespace rollcall::test
