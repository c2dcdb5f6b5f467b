// OTP's real port mapper: on a free loopback port, or on 4369 in a network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "test/support/process.hpp"

namespace rollcall::test {

class epmd {
 public:
  // `port` 0: a free one (in a namespace: 4369). Running and answering when this returns.
  explicit epmd(std::uint16_t port = 0, std::string network_namespace = {});

  std::uint16_t port() const noexcept { return port_; }
  void stop();                             // killed: registrations are lost, the port refuses
  void start() { start(false); }           // again, on the same port
  std::vector<std::string> names() const;  // what is registered; empty when it is away
  bool knows(const std::string& alive) const;

 private:
  void start(bool choose_port);

  std::uint16_t port_;
  std::string namespace_;
  std::optional<process> process_;
};

}  // namespace rollcall::test
