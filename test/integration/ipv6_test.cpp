// Nodes that speak IPv6 only (-proto_dist inet6_tcp): dialled, meshed, and answered when they dial.
#include <gtest/gtest.h>

#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

TEST(Ipv6, NodesAreMeshedAndAnswered) {
  loopback cluster;
  const std::vector<std::string> inet6{"-proto_dist", "inet6_tcp"};
  const auto start = [&](const std::string& name, bool hidden) -> beam& {
    beam_options options;
    options.name = name;
    options.arguments = inet6;
    options.hidden = hidden;
    return cluster.add(std::move(options));
  };
  start("a@::1", false);
  start("b@::1", false);
  rollcall_options options;
  options.arguments = {"--node", "a@::1", "--node", "b@::1"};
  options.epmd_port = cluster.mapper().port();
  options.name = "rollcall@::1";
  const rollcall_program rollcall(std::move(options));
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));

  // A shell that no source lists comes to us, through the port mapper.
  auto& shell = start("shell@::1", true);
  EXPECT_EQ(shell.eval("net_adm:ping('rollcall@::1')"), "pong");
  EXPECT_EQ(shell.eval("rpc:call('rollcall@::1', rollcall, nodes, [])"), "['a@::1','b@::1']");
}

}  // namespace
}  // namespace rollcall::test
