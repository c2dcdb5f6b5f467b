// What each client made with erl_interface does first.
#pragma once

#include <arpa/inet.h>
#include <ei.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace rollcall::libei {

[[noreturn]] inline void fail(const char* what) {
  std::printf("failed: %s\n", what);
  std::exit(1);
}

// A node called ALIVE@HOST; what it prints is seen line by line.
inline void start(ei_cnode& node, const char* alive, const char* host, const char* cookie) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  ei_init();
  in_addr address{};
  inet_pton(AF_INET, host, &address);
  const std::string name = std::string(alive) + "@" + host;
  if (ei_connect_xinit(&node, host, alive, name.c_str(), &address, cookie, 0) < 0) fail("init");
}

inline int connected(ei_cnode& node, std::string other) {
  const int link = ei_connect(&node, other.data());
  if (link < 0) fail("connect");
  return link;
}

}  // namespace rollcall::libei
