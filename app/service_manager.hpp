// What a service manager (systemd, Type=notify) is told: ready, a status line, that the loop still runs,
// stopping. The protocol of sd_notify(3): one datagram of KEY=VALUE lines to the socket that NOTIFY_SOCKET
// names.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "app/configuration.hpp"

namespace rollcall::app {

class service_manager {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. What they hold wrongly counts as absent.
  explicit service_manager(const environment&);

  bool listens() const noexcept { return !socket_.empty(); }
  // How often it wants to hear that we are alive: half of its limit. Absent: it does not.
  std::optional<std::chrono::milliseconds> heartbeat() const noexcept { return heartbeat_; }

  void ready(std::string_view status);
  void alive();
  void status(std::string_view);  // repeated ones are not sent
  void stopping();

 private:
  void tell(const std::string& lines) const noexcept;

  std::string socket_, status_;
  std::optional<std::chrono::milliseconds> heartbeat_;
};

}  // namespace rollcall::app
