// A service manager's socket of our own, and what arrives at it.
#include "app/service_manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;

class manager {
 public:
  explicit manager(const std::string& name)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, name.data(), name.size());
    if (name.front() == '@') at.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&at), length), 0);
  }
  ~manager() { ::close(socket_); }
  manager(const manager&) = delete;
  manager& operator=(const manager&) = delete;

  // "" when there is none.
  std::string next() {
    std::array<char, 512> bytes{};
    const auto count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  int socket_;
};

std::string unique_name() {
  return "rollcall-test-" + std::to_string(::getpid());
}

TEST(ServiceManager, IsToldEachThingInOneDatagram) {
  const auto folder = std::filesystem::temp_directory_path() / unique_name();
  std::filesystem::create_directory(folder);
  for (const auto& at : {"@" + unique_name(), (folder / "notify").string()}) {
    manager systemd(at);
    service_manager told(environment{{"NOTIFY_SOCKET", at}});
    EXPECT_TRUE(told.listens());
    EXPECT_EQ(told.heartbeat(), std::nullopt);
    told.ready("starting");
    EXPECT_EQ(systemd.next(), "READY=1\nSTATUS=starting") << at;
    told.status("starting");
    EXPECT_EQ(systemd.next(), "") << "said already";
    told.status("two\nlines");
    EXPECT_EQ(systemd.next(), "STATUS=two lines") << "no line of its own for the author of the text";
    told.alive();
    EXPECT_EQ(systemd.next(), "WATCHDOG=1");
    told.stopping();
    EXPECT_EQ(systemd.next(), "STOPPING=1");
  }
  std::filesystem::remove_all(folder);
}

TEST(ServiceManager, WantsAHeartbeatTwiceInItsLimit) {
  const auto own = std::to_string(::getpid());
  using limit = std::optional<std::chrono::milliseconds>;
  EXPECT_EQ(service_manager({{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "60000000"}}).heartbeat(),
            limit(30'000ms));
  EXPECT_EQ(service_manager({{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "60000000"}, {"WATCHDOG_PID", own}})
                .heartbeat(),
            limit(30'000ms));
  EXPECT_EQ(service_manager({{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "1"}}).heartbeat(), limit(1ms));
  EXPECT_EQ(service_manager({{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", "60000000"}, {"WATCHDOG_PID", "1"}})
                .heartbeat(),
            limit())
      << "of another process";
  for (const auto* wrong : {"", "0", "-1", "x", "99999999999999999999"})
    EXPECT_EQ(service_manager({{"NOTIFY_SOCKET", "@x"}, {"WATCHDOG_USEC", wrong}}).heartbeat(), limit())
        << wrong;
}

TEST(ServiceManager, ThatIsNotThereCostsNothing) {
  for (const auto& at : {std::string(), std::string("relative"), std::string("vsock:2:1"), std::string("@"),
                         "/" + std::string(200, 'x')}) {
    service_manager nobody({{"NOTIFY_SOCKET", at}, {"WATCHDOG_USEC", "1000"}});
    EXPECT_FALSE(nobody.listens()) << at;
    EXPECT_EQ(nobody.heartbeat(), std::nullopt) << at;
    nobody.ready("ready");
  }
  service_manager gone(environment{{"NOTIFY_SOCKET", "/nowhere/at/all"}});
  gone.ready("ready");
}

}  // namespace
}  // namespace rollcall::app
