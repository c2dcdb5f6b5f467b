// The program with few file descriptors: it raises its limit, and where that does not help it answers all the
// same and blames nobody else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <vector>

#include "test/support/rollcall_program.hpp"
#include "test/support/socket.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

rollcall_options watching(std::vector<std::string> more) {
  rollcall_options options;
  options.arguments = std::move(more);
  options.arguments.insert(options.arguments.end(), {"--node", "away@127.0.0.1", "--epmd", "none"});
  options.name = "rollcall@127.0.0.1";
  return options;
}

TEST(Descriptors, TheProgramRaisesItsLimitAndSaysSo) {
  rlimit before{}, low{}, its{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  ASSERT_GT(before.rlim_max, 200U);
  low = before;
  low.rlim_cur = 200;
  ::setrlimit(RLIMIT_NOFILE, &low);
  rollcall_program rollcall(watching({}));
  ::setrlimit(RLIMIT_NOFILE, &before);
  ::prlimit(rollcall.running_process().id(), RLIMIT_NOFILE, nullptr, &its);
  EXPECT_EQ(its.rlim_cur, before.rlim_max);
  EXPECT_EQ(rollcall.log_with({"the limit of open files is raised from 200 to"}).size(), 1U);
}

// Sixty clients that keep their connections, and forty descriptors.
TEST(Descriptors, WithNoneLeftProbesAreAnsweredAndOneLineEachHasTheTrueCause) {
  rollcall_program rollcall(watching({"--peer-port", std::to_string(free_port()), "--log-level", "debug"}));
  ASSERT_TRUE(eventually(
      [&] {
        return !rollcall.log_with({"dial failed", "nothing listens"}).empty();
      },
      60s, "the member is refused while there are descriptors"));
  const rlimit forty{40, 40};
  ::prlimit(rollcall.running_process().id(), RLIMIT_NOFILE, &forty, nullptr);
  std::vector<socket> idle;
  for (int i = 0; i < 60; ++i) idle.push_back(connect_tcp("127.0.0.1", rollcall.http_port(), {}, 30'000ms));
  ASSERT_TRUE(eventually([&] { return !rollcall.log_with({"nodes cannot be dialled"}).empty(); }, 60s,
                         "a dial finds none left"));
  const auto dialled = rollcall.log_with({"dial failed"}).size();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(rollcall.get("/healthz").status, 200);
    EXPECT_EQ(rollcall.get("/metrics").status, 200);
    idle.push_back(connect_tcp("127.0.0.1", rollcall.http_port(), {}, 30'000ms));
  }
  EXPECT_THAT(rollcall.log_with({"HTTP connections cannot all be accepted: all 40 file descriptors"}),
              testing::SizeIs(1));
  EXPECT_THAT(rollcall.log_with({"all 40 file descriptors", "nodes cannot be dialled until some are free"}),
              testing::SizeIs(1));
  for (const auto& line : rollcall.log_with({"dial failed"})) {
    EXPECT_THAT(line, testing::HasSubstr("nothing listens")) << "no other cause is given";
  }
  idle.clear();
  EXPECT_TRUE(eventually([&] { return rollcall.log_with({"dial failed"}).size() > dialled; }, 60s,
                         "it dials again when some are free"));
}

}  // namespace
}  // namespace rollcall::test
