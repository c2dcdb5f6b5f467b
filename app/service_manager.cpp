#include "app/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace rollcall::app {

namespace {

std::string value_of(const environment& env, std::string_view name) {
  const auto found = env.find(std::string(name));
  return found == env.end() ? std::string() : found->second;
}

std::optional<std::int64_t> number_in(const std::string& text) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end || number <= 0) return {};
  return number;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

}  // namespace

service_manager::service_manager(const environment& env) : socket_(value_of(env, "NOTIFY_SOCKET")) {
  // A path, or a name of Linux' abstract namespace. Others (vsock) are for virtual machines.
  if (socket_.size() >= sizeof(sockaddr_un::sun_path) || socket_.size() < 2 ||
      (socket_.front() != '/' && socket_.front() != '@')) {
    socket_.clear();
    return;
  }
  const auto for_process = value_of(env, "WATCHDOG_PID");
  if (!for_process.empty() && number_in(for_process) != ::getpid()) return;
  const auto limit = number_in(value_of(env, "WATCHDOG_USEC"));
  if (!limit) return;
  const auto half =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds(*limit) / 2);
  heartbeat_ = std::max(half, std::chrono::milliseconds(1));
}

void service_manager::ready(std::string_view status) {
  status_ = one_line(status);
  tell("READY=1\nSTATUS=" + status_);
}
void service_manager::alive() {
  tell("WATCHDOG=1");
}
void service_manager::status(std::string_view now) {
  auto line = one_line(now);
  if (line == status_) return;
  status_ = std::move(line);
  tell("STATUS=" + status_);
}
void service_manager::stopping() {
  tell("STOPPING=1");
}

// Never waits: what a manager with a full queue does not take is lost.
void service_manager::tell(const std::string& lines) const noexcept {
  if (!listens()) return;
  const int from = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (from < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@') to.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  ::sendto(from, lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), length);
  ::close(from);
}

}  // namespace rollcall::app
