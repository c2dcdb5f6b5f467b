// What fails at once in a node, its port mapper and its registration is tried again after a pause, and
// counted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>

#include "cnode/port_mapper.hpp"
#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

cnode::node_options options(cnode::port_mapper_mode mode = cnode::port_mapper_mode::none) {
  cnode::node_options made{*node_name::parse("ours@127.0.0.1"), {"chocolate"}};
  made.port_mapper = mode;
  return made;
}

// How many handlers run in a second in which somebody waits at `port` and cannot be accepted. The waiting
// socket is made before there is no descriptor left, and nothing is expected meanwhile: the sanitizer needs a
// pipe to look at an object.
std::size_t handled_without_descriptors(asio::io_context& io, std::uint16_t port) {
  const int waiting = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const tcp::endpoint at(asio::ip::address_v4::loopback(), port);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ::setrlimit(RLIMIT_NOFILE, &none);
  ::connect(waiting, at.data(), static_cast<socklen_t>(at.size()));
  std::size_t handled = 0;
  const auto until = std::chrono::steady_clock::now() + 1s;
  while (io.run_one_until(until) > 0) ++handled;
  ::setrlimit(RLIMIT_NOFILE, &before);
  ::close(waiting);
  return handled;
}

constexpr std::size_t ten_tries = 100;  // a second, and several handlers for each

TEST(AtOnce, ANodeThatCannotAcceptTriesTenTimesASecond) {
  asio::io_context io;
  recorder seen;
  cnode::node one(io, options(), seen, nothing_resolves, sample_answers);
  asio::co_spawn(io, one.start(), asio::detached);
  io.run_for(100ms);
  ASSERT_NE(one.port(), 0);
  const auto handled = handled_without_descriptors(io, one.port());
  EXPECT_GT(handled, 1U);
  EXPECT_LT(handled, ten_tries);
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (seen.handshakes().empty() && std::chrono::steady_clock::now() < end) io.run_one_for(1s);
  EXPECT_FALSE(seen.handshakes().empty()) << "with a descriptor it is accepted";
}

TEST(AtOnce, APortMapperThatCannotAcceptTriesTenTimesASecond) {
  asio::io_context io;
  std::unique_ptr<cnode::port_mapper> mapper;
  std::uint16_t port = 0;
  for (int tries = 0; tries < 50; ++tries) {
    tcp::acceptor probe(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    port = probe.local_endpoint().port();
    probe.close();
    mapper = std::make_unique<cnode::port_mapper>(io, port);
    if (mapper->start()) break;
  }
  const auto handled = handled_without_descriptors(io, port);
  EXPECT_GT(handled, 1U);
  EXPECT_LT(handled, ten_tries);
}

// A port mapper that closes each connection at once.
TEST(AtOnce, ARegistrationThatFailsIsTriedEveryTwoSeconds) {
  asio::io_context io;
  tcp::acceptor closes(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::size_t came = 0;
  std::function<void()> next = [&] {
    closes.async_accept([&](boost::system::error_code code, tcp::socket) {
      if (!code) ++came;
      if (closes.is_open()) next();
    });
  };
  next();
  auto chosen = options(cnode::port_mapper_mode::register_only);
  chosen.port_mapper_port = closes.local_endpoint().port();
  recorder seen;
  cnode::node one(io, chosen, seen, nothing_resolves, sample_answers);
  asio::co_spawn(io, one.start(), asio::detached);
  io.run_for(5s);
  EXPECT_GE(came, 1U);
  EXPECT_LE(came, 3U);
  EXPECT_EQ(seen.port_mapper().size(), 1U) << "said once";
  closes.close();
}

}  // namespace
}  // namespace rollcall::test
