#include "app/guest_name.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace rollcall::app {
namespace {

constexpr std::string_view common_part = "rollcall-check-";

std::string alive_of(int number) {
  return fmt::format("{}{}", common_part, number);
}

// -1: somebody else has it.
int bind_abstract(std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The first byte stays 0: that is what makes it abstract. unix(7)
  const auto length = std::min(name.size(), sizeof(address.sun_path) - 1);
  std::copy_n(name.begin(), length, address.sun_path + 1);
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0) return socket;
  ::close(socket);
  return -1;
}

}  // namespace

std::optional<guest_name> guest_name::take(std::string_view host, std::string_view among) {
  for (int number = 1; number <= guest_names; ++number) {
    const auto alive = alive_of(number);
    const int socket = bind_abstract(fmt::format("{}{}", among, alive));
    if (socket < 0) continue;
    return guest_name(node_name::make(alive, host).value(), socket);
  }
  return std::nullopt;
}

bool guest_name::is_one(const node_name& name) {
  if (!name.alive().starts_with(common_part)) return false;
  for (int number = 1; number <= guest_names; ++number) {
    if (name.alive() == alive_of(number)) return true;
  }
  return false;
}

guest_name::~guest_name() {
  if (socket_ >= 0) ::close(socket_);
}

guest_name& guest_name::operator=(guest_name&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(socket_, other.socket_);
  return *this;
}

guest_name::guest_name(guest_name&& other) noexcept
    : name_(std::move(other.name_)), socket_(std::exchange(other.socket_, -1)) {}

}  // namespace rollcall::app
