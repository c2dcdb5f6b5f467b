// Clients that flood an HTTP port from one loopback address: those that hold connections and what they send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace rollcall::bench {

inline constexpr const char* flooding = "127.0.0.66";
inline constexpr std::size_t connections = 300;

inline sockaddr_in at(const char* address, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &made.sin_addr);
  return made;
}

// -1 when it cannot be had.
inline int connection(const char* from, std::uint16_t port) {
  const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto source = at(from, 0), target = at("127.0.0.1", port);
  const timeval limit{30, 0};
  ::setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::bind(made, reinterpret_cast<const sockaddr*>(&source), sizeof source);
  if (::connect(made, reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0) return made;
  ::close(made);
  return -1;
}

inline std::string request(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

inline bool send_now(int to, const std::string& bytes) {
  return ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

// Holds that many connections, sends `first` on each new one and `then` again and again, and replaces those
// that were closed.
inline void hold(std::uint16_t port, const std::string& first, const std::string& then,
                 const std::atomic<bool>& stop) {
  std::vector<int> open;
  while (!stop) {
    std::erase_if(open, [&](int each) {
      char byte = 0;
      const auto seen = ::recv(each, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      const bool gone = seen == 0 || (seen < 0 && errno != EAGAIN);
      if (gone) ::close(each);
      if (!gone && !then.empty()) send_now(each, then);
      return gone;
    });
    while (open.size() < connections && !stop) {
      const int one = connection(flooding, port);
      if (one < 0) break;
      send_now(one, first);
      open.push_back(one);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (const int each : open) ::close(each);
}

inline std::string many(const std::string& target) {
  std::string all;
  for (int i = 0; i < 200; ++i) all += request(target);
  return all;
}

}  // namespace rollcall::bench
