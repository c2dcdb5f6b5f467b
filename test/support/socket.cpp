// Blocking sockets with deadlines, in any network namespace.
#include "test/support/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace rollcall::test {
namespace {

using clock = std::chrono::steady_clock;

sockaddr_in address_of(const std::string& text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1)
    throw std::runtime_error("no IPv4 address: " + text);
  return address;
}

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

bool ready(int descriptor, short events, clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock::now()).count();
    pollfd one{descriptor, events, 0};
    const int count = poll(&one, 1, left > 0 ? static_cast<int>(left) : 0);
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

socket bound(int type, const std::string& address, std::uint16_t port, const std::string& network_namespace) {
  auto result = make_socket(type, network_namespace);
  const int on = 1;
  setsockopt(result.descriptor(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto where = address_of(address, port);
  if (bind(result.descriptor(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    fail("bind " + address + ":" + std::to_string(port));
  }
  return result;
}

}  // namespace

socket::~socket() {
  close();
}
socket::socket(socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
socket& socket::operator=(socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void socket::close() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void socket::reset() noexcept {
  const linger now{1, 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

bool socket::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::optional<std::string> socket::receive(std::size_t count, milliseconds limit) const {
  const auto deadline = clock::now() + limit;
  std::string result(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    if (!ready(descriptor_, POLLIN, deadline)) return {};
    const auto got = ::recv(descriptor_, result.data() + have, count - have, 0);
    if (got == 0 || (got < 0 && errno != EINTR)) return {};
    if (got > 0) have += static_cast<std::size_t>(got);
  }
  return result;
}

std::string socket::receive_all(milliseconds limit) const {
  const auto deadline = clock::now() + limit;
  std::string result;
  char part[4096];
  while (ready(descriptor_, POLLIN, deadline)) {
    const auto got = ::recv(descriptor_, part, sizeof part, 0);
    if (got == 0 || (got < 0 && errno != EINTR)) break;
    if (got > 0) result.append(part, static_cast<std::size_t>(got));
  }
  return result;
}

bool socket::closed_by_peer(milliseconds limit) const {
  const auto deadline = clock::now() + limit;
  char part[4096];
  while (ready(descriptor_, POLLIN, deadline)) {
    const auto got = ::recv(descriptor_, part, sizeof part, 0);
    if (got == 0 || (got < 0 && errno != EINTR)) return true;
  }
  return false;
}

socket make_socket(int type, const std::string& network_namespace) {
  if (network_namespace.empty()) {
    const int made = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (made < 0) fail("socket");
    return socket(made);
  }
  // A namespace is a thread's: go there, make the socket, come back.
  const socket here(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const socket there(open(("/run/netns/" + network_namespace).c_str(), O_RDONLY | O_CLOEXEC));
  if (!here.open() || !there.open() || setns(there.descriptor(), CLONE_NEWNET) != 0)
    fail("namespace " + network_namespace);
  const int made = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const int error = errno;
  if (setns(here.descriptor(), CLONE_NEWNET) != 0) fail("way back from namespace " + network_namespace);
  errno = error;
  if (made < 0) fail("socket in " + network_namespace);
  return socket(made);
}

socket connect_tcp(const std::string& address, std::uint16_t port, const std::string& network_namespace,
                   milliseconds limit) {
  auto result = make_socket(SOCK_STREAM, network_namespace);
  const auto where = address_of(address, port);
  const int flags = fcntl(result.descriptor(), F_GETFL);
  fcntl(result.descriptor(), F_SETFL, flags | O_NONBLOCK);
  if (connect(result.descriptor(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    int error = errno;
    if (error == EINPROGRESS && ready(result.descriptor(), POLLOUT, clock::now() + limit)) {
      socklen_t size = sizeof error;
      getsockopt(result.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) return {};
  }
  fcntl(result.descriptor(), F_SETFL, flags);
  const int on = 1;
  setsockopt(result.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return result;
}

socket listen_tcp(const std::string& address, std::uint16_t port, const std::string& network_namespace) {
  auto result = bound(SOCK_STREAM, address, port, network_namespace);
  if (listen(result.descriptor(), 64) != 0) fail("listen");
  return result;
}

socket bind_udp(const std::string& address, std::uint16_t port, const std::string& network_namespace) {
  return bound(SOCK_DGRAM, address, port, network_namespace);
}

std::uint16_t local_port(const socket& one) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(one.descriptor(), reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
  return ntohs(address.sin_port);
}

socket accept_from(const socket& listener, milliseconds limit) {
  if (!ready(listener.descriptor(), POLLIN, clock::now() + limit)) return {};
  const int accepted = accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
  if (accepted < 0) return {};
  const int on = 1;
  setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket(accepted);
}

std::uint16_t free_port() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto tcp = bound(SOCK_STREAM, "127.0.0.1", 0, {});
    const auto port = local_port(tcp);
    try {
      const auto udp = bind_udp("127.0.0.1", port);
      return port;
    } catch (const std::system_error&) {
      continue;  // taken for UDP: another one
    }
  }
  throw std::runtime_error("no free port");
}

http_answer http_get(const std::string& address, std::uint16_t port, const std::string& path,
                     const std::string& network_namespace, milliseconds limit) {
  const auto connection = connect_tcp(address, port, network_namespace, limit);
  if (!connection.open()) return {};
  if (!connection.send("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n"))
    return {};
  const auto text = connection.receive_all(limit);
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos || !text.starts_with("HTTP/1.1 ")) return {};
  http_answer answer{std::atoi(text.c_str() + 9), text.substr(0, end), {}};
  auto body = text.substr(end + 4);
  if (answer.headers.find("chunked") == std::string::npos) {
    answer.body = std::move(body);
    return answer;
  }
  for (std::size_t at = 0; at < body.size();) {  // chunk: size in hex, CRLF, bytes, CRLF
    const auto size = std::strtoul(body.c_str() + at, nullptr, 16);
    const auto line_end = body.find("\r\n", at);
    if (size == 0 || line_end == std::string::npos) break;
    answer.body += body.substr(line_end + 2, size);
    at = line_end + 2 + size + 2;
  }
  return answer;
}

}  // namespace rollcall::test
