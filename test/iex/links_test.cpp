// However the link between a shell's node and Rollcall came to be: the same answers over it.
#include <gtest/gtest.h>

#include <csignal>

#include "test/iex/shell.hpp"
#include "test/support/socket.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

constexpr const char* everything =
    "{net_adm:ping(R), rpc:call(R, rollcall, nodes, [down]), erpc:call(R, rollcall, nodes, [down]), "
    "gen_server:call({rollcall, R}, {nodes, down}, infinity), "
    "(fun(M) -> pong = net_adm:ping(R), erlang:demonitor(M, [flush, info]) end)(erlang:monitor(process, "
    "{rollcall, R})), "
    "R ! x, lists:member(R, nodes(hidden))}";
constexpr const char* well = "{pong,[],[],[],true,x,true}";

std::string everything_about(beam& node, const std::string& rollcall) {
  auto text = std::string(everything);
  text.replace(text.find("R ! x"), 5, "{rollcall, R} ! x");
  return shell(node, rollcall).erlang(text);
}

rollcall_program rollcall_named(const std::string& name, const std::vector<std::string>& nodes,
                                std::uint16_t epmd_port, std::vector<std::string> more = {}) {
  for (const auto& node : nodes) more.insert(more.end(), {"--node", node});
  return rollcall_program({.arguments = std::move(more),
                           .environment = {},
                           .epmd_port = epmd_port,
                           .network_namespace = {},
                           .name = name});
}

bool linked(beam& node, const std::string& rollcall) {
  return node.eval("lists:member('" + rollcall + "', nodes(hidden))") == "true";
}

TEST(IexLinks, WeDialledTheShell) {
  loopback cluster({"one"});
  auto program = cluster.rollcall();
  ASSERT_TRUE(
      eventually([&] { return linked(cluster.node(0), "rollcall@127.0.0.1"); }, 30s, "Rollcall dials"));
  EXPECT_EQ(everything_about(cluster.node(0), "rollcall@127.0.0.1"), well);
}

TEST(IexLinks, TheShellDialledUsThroughOurOwnPortMapper) {
  const auto port = free_port();
  auto program = rollcall_named("rollcall@127.0.0.1", {"nobody@127.0.0.1"}, port, {"--epmd", "serve"});
  beam node({.name = "shell@127.0.0.1", .epmd_port = port});
  EXPECT_EQ(everything_about(node, "rollcall@127.0.0.1"), well);
}

TEST(IexLinks, BothDialAtOnce) {
  loopback cluster({"one"});
  auto program = cluster.rollcall();
  auto& node = cluster.node(0);
  ASSERT_TRUE(eventually([&] { return linked(node, "rollcall@127.0.0.1"); }, 30s, "Rollcall dials"));
  shell at(node, "rollcall@127.0.0.1");
  // Rollcall dials again as soon as it sees the link close, the node when it next asks.
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(
        at.erlang("erlang:disconnect_node(R), timer:sleep(rand:uniform(4) - 1), "
                  "lists:usort([rpc:call(R, rollcall, nodes, [down], 10000) || _ <- lists:seq(1, 3)]) -- "
                  "[{badrpc, nodedown}]"),
        "[[]]")
        << i;
  }
  EXPECT_EQ(everything_about(node, "rollcall@127.0.0.1"), well);
}

TEST(IexLinks, ShortNames) {
  epmd mapper;
  beam member({.name = "one@localhost", .short_name = true, .epmd_port = mapper.port()});
  auto program = rollcall_named("rollcall@localhost", {member.name()}, mapper.port());
  ASSERT_TRUE(eventually([&] { return program.is("one@localhost", "up"); }, 30s, "the member is up"));
  EXPECT_EQ(everything_about(member, "rollcall@localhost"), well);
  beam stranger({.name = "shell@localhost", .short_name = true, .epmd_port = mapper.port()});
  EXPECT_EQ(everything_about(stranger, "rollcall@localhost"), well);
}

// Such a node could never dial us; over the link that we opened it asks as any other.
TEST(IexLinks, AShortNameAsksALongOne) {
  epmd mapper;
  beam member({.name = "one@localhost", .short_name = true, .epmd_port = mapper.port()});
  auto program = rollcall_named("rollcall@127.0.0.1", {member.name()}, mapper.port());
  ASSERT_TRUE(eventually([&] { return linked(member, "rollcall@127.0.0.1"); }, 30s, "Rollcall dials"));
  EXPECT_EQ(everything_about(member, "rollcall@127.0.0.1"), well);
}

TEST(IexLinks, AShellThatIsGivenAName) {
  loopback cluster({"one"});
  auto program = cluster.rollcall();
  beam nameless({.name = "undefined@127.0.0.1", .epmd_port = cluster.mapper().port()}, false);
  EXPECT_EQ(nameless.eval("net_kernel:connect_node('rollcall@127.0.0.1')"), "true");
  EXPECT_EQ(everything_about(nameless, "rollcall@127.0.0.1"), well);
}

// The node's next call finds the new one: at once after a crash, whose sockets the kernel closed.
TEST(IexLinks, RollcallIsKilledAndComesBack) {
  loopback cluster({"one"});
  auto& stranger = cluster.add({.name = "shell@127.0.0.1"});
  std::optional<rollcall_program> program(
      rollcall_named("rollcall@127.0.0.1", {"one@127.0.0.1"}, cluster.mapper().port()));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(eventually([&] { return program->is("one@127.0.0.1", "up"); }, 60s, "the member is up"));
    for (auto* node : {&cluster.node(0), &stranger}) {
      EXPECT_EQ(everything_about(*node, "rollcall@127.0.0.1"), well) << i;
    }
    program->signal(SIGKILL);
    ASSERT_TRUE(program->running_process().wait(10s));
    // The port mapper forgets the name when it sees the socket close.
    ASSERT_TRUE(eventually([&] { return !cluster.mapper().knows("rollcall"); }, 10s, "the name is free"));
    program.emplace(rollcall_named("rollcall@127.0.0.1", {"one@127.0.0.1"}, cluster.mapper().port()));
  }
  for (auto* node : {&cluster.node(0), &stranger}) {
    EXPECT_EQ(everything_about(*node, "rollcall@127.0.0.1"), well);
  }
}

}  // namespace
}  // namespace rollcall::test
