// Two Rollcalls under one name: the newer wins, the older stands by, and neither fights. Under different
// names both work, and what one is told by leave/1 and rejoin/1 the other one knows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "test/support/beam.hpp"
#include "test/support/epmd.hpp"
#include "test/support/pods.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;

class TwoRollcalls : public testing::Test {
 protected:
  TwoRollcalls() {
    for (const auto* alive : {"one", "two", "three"}) {
      beam_options options;
      options.name = std::string(alive) + "@127.0.0.1";
      options.epmd_port = mapper.port();
      nodes.emplace_back(options, false);
    }
    for (auto& node : nodes) node.ready();
  }
  rollcall_program start(const std::string& name = "rollcall@127.0.0.1") {
    return rollcall_program({.arguments = {"--local", "--log-level", "debug"},
                             .epmd_port = mapper.port(),
                             .name = name,
                             .interval = "500ms"});
  }
  static testing::AssertionResult at_work(rollcall_program& one) {
    return eventually([&] { return one.whole(3) && one.get("/readyz").status == 200; }, 60s, "it is at work");
  }
  static testing::AssertionResult stands_by(rollcall_program& one) {
    return eventually(
        [&] {
          return one.get("/readyz").status == 503 && one.metric("rollcall_standby") == 1.0 &&
                 one.metric("rollcall_links") == 0.0;
        },
        60s, "it stands by");
  }

  epmd mapper;
  std::deque<beam> nodes;
};

TEST_F(TwoRollcalls, TheNewerWinsTheOlderStandsByAndTakesOverWhenItIsAloneAgain) {
  auto older = start();
  ASSERT_TRUE(at_work(older));
  auto newer = std::make_unique<rollcall_program>(rollcall_program({.arguments = {"--local"},
                                                                    .epmd_port = mapper.port(),
                                                                    .name = "rollcall@127.0.0.1",
                                                                    .interval = "500ms"}));
  ASSERT_TRUE(at_work(*newer));
  ASSERT_TRUE(stands_by(older));
  EXPECT_THAT(older.get("/readyz").body, HasSubstr("another rollcall of our name"));
  EXPECT_EQ(older.get("/healthz").status, 200);
  EXPECT_EQ(newer->metric("rollcall_standby"), 0.0);
  // It knows nothing at first hand, and counts and opens nothing.
  EXPECT_EQ(older.json("/api/v1/status").at("standing_by").as_bool(), true);
  EXPECT_EQ(older.json("/api/v1/netsplits").as_array().size(), 0U);

  // Quiet from now on: nobody's links come and go.
  for (auto& node : nodes) {
    node.eval("net_kernel:monitor_nodes(true, [{node_type, hidden}])");
  }
  const auto rounds = [&] { return newer->metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto now = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= now + 20; }, 60s, "twenty quiet rounds"));
  for (auto& node : nodes) {
    EXPECT_EQ(node.eval("receive {nodedown, N, _} -> N after 0 -> none end"), "none");
  }
  EXPECT_TRUE(newer->whole(3));
  EXPECT_EQ(older.log_with({"standing by"}).size(), 1U);
  // Who asks by name reaches the newer one.
  EXPECT_EQ(nodes[0].eval("length(rpc:call('rollcall@127.0.0.1', rollcall, nodes, []))"), "3");

  newer->signal(SIGKILL);
  newer.reset();
  ASSERT_TRUE(at_work(older));
  EXPECT_EQ(older.metric("rollcall_standby"), 0.0);
  EXPECT_EQ(nodes[0].eval("length(rpc:call('rollcall@127.0.0.1', rollcall, nodes, []))"), "3");
  // Known by name again, to somebody who has no link yet.
  beam_options stranger;
  stranger.name = "stranger@127.0.0.1";
  stranger.epmd_port = mapper.port();
  stranger.hidden = true;
  beam shell(stranger);
  EXPECT_TRUE(eventually([&] { return shell.eval("net_adm:ping('rollcall@127.0.0.1')") == "pong"; }, 30s,
                         "it is registered again"));
}

TEST_F(TwoRollcalls, OneIsLeftWhenBothStartAtOnce) {
  auto left = start();
  auto right = start();
  ASSERT_TRUE(eventually(
      [&] {
        const int ready =
            (left.get("/readyz").status == 200 ? 1 : 0) + (right.get("/readyz").status == 200 ? 1 : 0);
        return ready == 1 &&
               (left.metric("rollcall_standby") == 1.0) != (right.metric("rollcall_standby") == 1.0);
      },
      90s, "one works, one stands by"));
  auto& winner = left.metric("rollcall_standby") == 1.0 ? right : left;
  EXPECT_TRUE(eventually([&] { return winner.whole(3); }, 60s, "the winner has them all"));
}

TEST_F(TwoRollcalls, UnderDifferentNamesRespectWhatTheOtherOneWasToldToTakeOut) {
  const std::string left_name = "left@127.0.0.1", right_name = "right@127.0.0.1";
  const std::string three = "three@127.0.0.1";
  auto left = start(left_name);
  auto right = std::make_unique<rollcall_program>(start(right_name));
  ASSERT_TRUE(at_work(left));
  ASSERT_TRUE(at_work(*right));
  const auto names = [](rollcall_program& one, const std::string& other) {
    return one.get("/readyz").body.find(other) != std::string::npos;
  };
  ASSERT_TRUE(eventually([&] { return names(left, right_name) && names(*right, left_name); }, 90s,
                         "each names the other"));
  EXPECT_EQ(left.get("/readyz").status, 200);
  EXPECT_EQ(left.json("/api/v1/status").at("other_rollcalls"), boost::json::array({right_name}));
  EXPECT_EQ(nodes[0].eval("maps:get(other_rollcalls, rpc:call('left@127.0.0.1', rollcall, status, []))"),
            "['right@127.0.0.1']");
  EXPECT_EQ(left.log_with({"another rollcall is at work", right_name}).size(), 1U);

  const auto left_out = [&](rollcall_program& one) {
    return eventually(
        [&] {
          return one.state(three) == "leaving" && nodes[0].eval("nodes()") == "['two@127.0.0.1']" &&
                 nodes[2].eval("nodes()") == "[]";
        },
        60s, "three is out");
  };
  ASSERT_EQ(nodes[0].eval("rpc:call('left@127.0.0.1', rollcall, leave, ['three@127.0.0.1'])"), "ok");
  ASSERT_TRUE(left_out(left));
  ASSERT_TRUE(left_out(*right));
  nodes[0].eval("net_kernel:monitor_nodes(true)");
  const auto rounds = [&] { return right->metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto now = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= now + 20; }, 90s, "twenty rounds"));
  EXPECT_EQ(nodes[0].eval("receive {nodeup, N} -> N after 0 -> none end"), "none");

  // One that starts and knows nothing of it is told.
  right->terminate();
  right = std::make_unique<rollcall_program>(start(right_name));
  EXPECT_TRUE(eventually([&] { return right->state(three) == "leaving"; }, 90s, "it was told"));
  EXPECT_TRUE(left_out(left));

  ASSERT_EQ(nodes[0].eval("rpc:call('right@127.0.0.1', rollcall, rejoin, ['three@127.0.0.1'])"), "ok");
  EXPECT_TRUE(eventually([&] { return left.whole(3) && right->whole(3); }, 60s, "whole to both"));
}

// Our end of the connections is reset, by something between us that forgot them; the nodes keep theirs.
// Nobody else is there, so there is nobody to stand by for, also where it is all the links there are.
TEST(RollcallReset, AnOldConnectionOfOursIsNotTakenForAnother) {
  ROLLCALL_NEEDS_NETWORK();
  pods cluster({.count = 1});
  auto only = cluster.rollcall({"--log-level", "debug"});
  ASSERT_TRUE(eventually([&] { return only.whole(1); }, 90s, "it is linked"));
  const auto& host = cluster.net().at("rollcall");
  const auto nft = [&](const std::string& command) {
    const auto done = run({.arguments = {"nft", command}, .network_namespace = host.network_namespace});
    EXPECT_EQ(done.exit_code, 0) << command << ": " << done.errors;
  };
  const auto pod = cluster.host_of(0).address;
  nft("add table ip forgets; add chain ip forgets out { type filter hook output priority 0; }; "
      "add rule ip forgets out ip daddr " +
      pod + " tcp dport != 4369 reject with tcp reset");
  EXPECT_TRUE(eventually([&] { return only.metric("rollcall_links") == 0.0; }, 60s, "our end is reset"));
  nft("delete table ip forgets");
  EXPECT_EQ(cluster.node(0).eval("length(nodes(hidden))"), "1") << "the node was told nothing";
  EXPECT_TRUE(eventually([&] { return only.whole(1); }, 60s, "it is linked again"));
  EXPECT_EQ(only.log_with({"standing by"}).size(), 0U);
  EXPECT_EQ(only.log_with({"an old connection of ours"}).size(), 1U);
}

// A node that still holds the link of one that was killed gives it to its successor.
TEST(RollcallRestarted, TakesTheLinkThatANodeStillHolds) {
  ROLLCALL_NEEDS_NETWORK();
  pods cluster({.count = 2});
  {
    auto first = cluster.rollcall();
    ASSERT_TRUE(eventually([&] { return first.whole(2); }, 90s, "the mesh is whole"));
    // Its machine is gone: no node hears of its end.
    cluster.net().darken("rollcall");
    first.signal(SIGKILL);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(cluster.node(i).eval("length(nodes(hidden))"), "1");
  }
  cluster.net().lighten("rollcall");
  auto second = cluster.rollcall();
  EXPECT_TRUE(eventually([&] { return second.whole(2); }, 60s, "the mesh is whole again"));
  EXPECT_EQ(second.metric("rollcall_standby"), 0.0);
}

}  // namespace
}  // namespace rollcall::test
