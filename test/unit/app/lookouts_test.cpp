// What shows that a member which is not linked can be reached now, or is another run than the one that
// refused.
#include "app/lookouts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <stdexcept>

#include "cnode/epmd.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::app {
namespace {

using asio::ip::tcp;
using namespace std::chrono_literals;

node_name name() {
  return node_name::parse("app@app-0.test").value();
}

class Lookouts : public ::testing::Test {
 protected:
  Lookouts() { EXPECT_TRUE(mapper.start()); }

  // Below the ports that connections of this machine go out from: one that is free stays so until it is bound
  // again.
  static std::uint16_t free_port() {
    static int next = 0;
    asio::io_context unused;
    for (int tries = 0; tries < 10'000; ++tries) {
      const auto port = static_cast<std::uint16_t>(20'000 + (::getpid() * 7 + next++) % 10'000);
      boost::system::error_code code;
      tcp::acceptor acceptor(unused);
      acceptor.open(tcp::v4());
      acceptor.bind({asio::ip::address_v4::loopback(), port}, code);
      if (!code) return port;
    }
    throw std::runtime_error("no port is free");
  }
  // One look, to its end: how often the node was said to show up.
  int look(membership::reason why) {
    const auto before = shown;
    membership::snapshot s;
    s.members.push_back(
        {.name = name(), .state = membership::member_state::suspect, .why = why, .listed = true});
    lookout.look(nullptr, s);
    finish();
    return shown - before;
  }
  int refused() {
    const auto before = shown;
    lookout.refused(nullptr, name());
    finish();
    return shown - before;
  }
  void finish() {
    // The port mapper listens for as long as it lives: what is waited for ends long before.
    io.restart();
    for (int quiet = 0; quiet < 3;) quiet = io.run_one_for(50ms) == 0 ? quiet + 1 : 0;
  }
  void registers(std::uint16_t port) { EXPECT_TRUE(mapper.put({.alive = "app", .port = port, .extra = {}})); }

  asio::io_context io{1};
  std::uint16_t mapper_port = free_port();
  cnode::port_mapper mapper{io, mapper_port};
  std::vector<asio::ip::address> addresses;
  int shown = 0;
  log lines{log_level::info, log_format::text, [](std::string_view) {}};
  lookouts lookout{
      io,
      lines,
      {.resolve = [this](std::string) -> asio::awaitable<cnode::resolved> {
         co_return cnode::resolved{addresses, {}};
       },
       .target_for =
           [](const node_name& n) {
             return cnode::target{
                 .name = n, .alive = std::string(n.alive()), .host = "app-0.test", .address = {}, .port = {}};
           },
       .shows_up = [this](const node_name&) { ++shown; },
       .stopping = [] { return false; },
       .port_mapper_port = mapper_port}};
  const asio::ip::address loopback = asio::ip::make_address("127.0.0.1");
};

TEST_F(Lookouts, ANameThatResolvesNowShowsUpOnce) {
  EXPECT_EQ(look(membership::reason::dns), 0);
  addresses = {loopback};
  EXPECT_EQ(look(membership::reason::dns), 1);
  EXPECT_EQ(look(membership::reason::timeout), 0);
}

TEST_F(Lookouts, AnotherAddressThanItWasLinkedAtShowsUp) {
  addresses = {asio::ip::make_address("127.0.0.2")};
  lookout.linked(name(), asio::ip::make_address("::ffff:127.0.0.2"));
  EXPECT_EQ(look(membership::reason::timeout), 0) << "a cache still has the old one";
  addresses = {loopback};
  EXPECT_EQ(look(membership::reason::timeout), 1);
  EXPECT_EQ(look(membership::reason::timeout), 0);
}

TEST_F(Lookouts, WhoRefusedTheCookieAndWasAwaySinceIsAnotherRun) {
  addresses = {loopback};
  tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), 0});
  registers(listener.local_endpoint().port());
  EXPECT_EQ(refused(), 0);
  EXPECT_EQ(look(membership::reason::cookie), 0) << "the same one still";
  mapper.remove();
  EXPECT_EQ(look(membership::reason::cookie), 0) << "nobody is there to be dialled";
  registers(listener.local_endpoint().port());
  EXPECT_EQ(look(membership::reason::cookie), 1);
  EXPECT_EQ(look(membership::reason::cookie), 0);
}

TEST_F(Lookouts, AnotherPortThanThatOfWhoRefusedIsAnotherRun) {
  addresses = {loopback};
  tcp::acceptor first(io, {asio::ip::address_v4::loopback(), 0});
  tcp::acceptor second(io, {asio::ip::address_v4::loopback(), 0});
  registers(first.local_endpoint().port());
  EXPECT_EQ(refused(), 0);
  mapper.remove();
  registers(second.local_endpoint().port());
  EXPECT_EQ(look(membership::reason::cookie), 1);
}

TEST_F(Lookouts, APortThatRefusedConnectionsMeanwhileIsAnotherRun) {
  addresses = {loopback};
  const auto port = free_port();
  registers(port);
  {
    tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), port});
    EXPECT_EQ(refused(), 0);
  }
  EXPECT_EQ(look(membership::reason::cookie), 0);
  tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), port});
  EXPECT_EQ(look(membership::reason::cookie), 1);
}

TEST_F(Lookouts, ManyAreLookedForSoManyAtOnce) {
  addresses = {loopback};
  membership::snapshot s;
  for (int i = 0; i < 200; ++i) {
    s.members.push_back({.name = node_name::parse("app@app-" + std::to_string(1'000 + i) + ".test").value(),
                         .state = membership::member_state::suspect,
                         .why = membership::reason::dns,
                         .listed = true});
  }
  std::vector<std::size_t> stops;
  for (std::size_t next = 0; next < s.members.size();) {
    next = lookout.look(nullptr, s, next);
    stops.push_back(next);
    finish();
    EXPECT_EQ(shown, static_cast<int>(next));
  }
  EXPECT_EQ(stops, (std::vector<std::size_t>{64, 128, 192, 200}));
}

}  // namespace
}  // namespace rollcall::app
