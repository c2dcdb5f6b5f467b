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

// Tells the two apart by a value of their configurations.
std::string expected_by(beam& node) {
  return node.eval(
      "case rpc:call('rollcall@127.0.0.1', rollcall, config, []) of #{expect := E} -> E; Other -> Other end");
}

class IexTwins : public testing::Test {
 protected:
  rollcall_program start(int expect) {
    return rollcall_named("rollcall@127.0.0.1", {"one@127.0.0.1", "two@127.0.0.1"}, cluster.mapper().port(),
                          {"--expect", std::to_string(expect)});
  }
  // The member that Rollcall dials, and the stranger that finds it through the port mapper.
  testing::AssertionResult ask(const std::string& expected) {
    return eventually(
        [&] {
          for (auto* node : {&cluster.node(0), &cluster.node(1), &stranger}) {
            const auto said = expected_by(*node);
            if (said != expected) return testing::AssertionFailure() << node->name() << ": " << said;
          }
          return testing::AssertionSuccess();
        },
        60s, "every shell asks the one with --expect " + expected, 200ms);
  }
  // Before OTP 25 (seen on 23) a node that is asked to replace a link waits for the old one to close, seven
  // seconds long, and then closes the new one: there the newer has its turn when the older is gone.
  bool replaces_links() { return shell(cluster.node(0), "").otp() >= 25; }

  static testing::AssertionResult stands_by(const rollcall_program& program) {
    const auto ready = program.get("/readyz");
    if (ready.status == 503 && ready.body.find("standing by") != std::string::npos)
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << ready.status << " " << ready.body;
  }

  loopback cluster{{"one", "two"}};
  beam& stranger{cluster.add({.name = "shell@127.0.0.1"})};
};

TEST_F(IexTwins, TheNewerAnswersAndTheOlderStandsBy) {
  auto older = start(1);
  ASSERT_TRUE(eventually([&] { return older.whole(2); }, 60s, "both members are up"));
  ASSERT_TRUE(ask("1"));
  if (!replaces_links()) {
    auto newer = start(2);
    EXPECT_TRUE(throughout([&] { return older.whole(2) && expected_by(cluster.node(0)) == "1"; }, 5s,
                           "the older is at work"));
    older.signal(SIGKILL);
    ASSERT_TRUE(older.running_process().wait(10s));
    ASSERT_TRUE(eventually([&] { return newer.whole(2); }, 90s, "the newer sees both members"));
    EXPECT_TRUE(ask("2"));
    return;
  }
  {
    auto newer = start(2);
    ASSERT_TRUE(eventually([&] { return stands_by(older); }, 60s, "the older stands by"));
    ASSERT_TRUE(eventually([&] { return newer.whole(2); }, 60s, "the newer sees both members"));
    ASSERT_TRUE(ask("2"));
    // They do not fight.
    EXPECT_TRUE(
        throughout([&] { return stands_by(older) && newer.whole(2) && expected_by(cluster.node(0)) == "2"; },
                   5s, "the newer is at work"));
    newer.signal(SIGKILL);
    ASSERT_TRUE(newer.running_process().wait(10s));
  }
  ASSERT_TRUE(eventually([&] { return older.whole(2); }, 60s, "the older is at work again"));
  EXPECT_TRUE(ask("1"));
}

// Its sockets are open, and nothing comes from it: the nodes hold its links, and the port mapper its name.
TEST_F(IexTwins, AnOlderOneThatHangsIsReplaced) {
  auto older = start(1);
  ASSERT_TRUE(eventually([&] { return older.whole(2); }, 60s, "both members are up"));
  ASSERT_EQ(everything_about(cluster.node(0), "rollcall@127.0.0.1"), well);
  older.signal(SIGSTOP);
  auto newer = start(2);
  if (!replaces_links()) older.signal(SIGKILL);
  ASSERT_TRUE(eventually([&] { return newer.whole(2); }, 90s, "the newer sees both members"));
  EXPECT_EQ(expected_by(cluster.node(0)), "2");
  EXPECT_EQ(everything_about(cluster.node(0), "rollcall@127.0.0.1"), well);
  if (!replaces_links()) return;
  older.signal(SIGCONT);
  ASSERT_TRUE(eventually([&] { return stands_by(older); }, 60s, "the older stands by"));
  EXPECT_TRUE(throughout([&] { return newer.whole(2) && expected_by(cluster.node(0)) == "2"; }, 3s,
                         "the newer is at work"));
}

}  // namespace
}  // namespace rollcall::test
