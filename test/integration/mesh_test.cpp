// The main job: nodes that know nothing of each other become one cluster, and everybody can see that they
// are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/loopback.hpp"
#include "test/support/pods.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;

TEST(Mesh, PodsOfAHeadlessServiceBecomeOneCluster) {
  ROLLCALL_NEEDS_NETWORK();
  pods cluster({.count = 4, .arguments = {}, .elixir = true});
  for (std::size_t i = 0; i < cluster.size(); ++i) EXPECT_TRUE(cluster.node(i).nodes().empty());
  for (std::size_t i = 0; i < cluster.size(); ++i) cluster.node(i).watch();

  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(4); }, 60s, "all four are one"));
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    EXPECT_EQ(cluster.node(i).nodes().size(), 3U);
    EXPECT_EQ(cluster.node(i).downs(), 0);
  }

  EXPECT_TRUE(eventually([&] { return rollcall.is_ready(); }, 10s, "ready"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_members", {{"state", "up"}}), 4);
  EXPECT_EQ(rollcall.metric("erlang_cluster_members", {{"state", "down"}}), 0);
  EXPECT_EQ(rollcall.metric("erlang_cluster_links_missing"), 0);
  EXPECT_EQ(rollcall.metric("erlang_cluster_partitions"), 1);
  EXPECT_EQ(rollcall.metric("erlang_cluster_link_up", {{"from", cluster.name(0)}, {"to", cluster.name(1)}}),
            1);
  EXPECT_GE(rollcall.metric("rollcall_discovery_queries_total", {{"outcome", "ok"}}), 1);

  // A hidden node is in nobody's nodes(), and answers like a node all the same.
  const auto own = "rollcall@" + cluster.net().at("rollcall").address;
  EXPECT_THAT(cluster.node(0).elixir(":rpc.call(:\"" + own + "\", :rollcall, :nodes, [])"),
              HasSubstr(cluster.name(3)));
  EXPECT_EQ(cluster.node(1).elixir(":rpc.call(:\"" + own + "\", Rollcall, :status, []).up"), "4");
  EXPECT_THAT(cluster.node(2).elixir(":rpc.call(:\"" + own + "\", :rollcall, :no_such_thing, [])"),
              HasSubstr(":undef"));
  EXPECT_EQ(cluster.node(3).elixir("Node.ping(:\"" + own + "\")"), ":pong");
  EXPECT_EQ(cluster.node(0).nodes().size(), 3U);
}

TEST(Mesh, APodListedLaterJoinsAndDisturbsNobody) {
  ROLLCALL_NEEDS_NETWORK();
  pods cluster({.count = 3, .arguments = {}});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three are one"));
  for (std::size_t i = 0; i < 3; ++i) cluster.node(i).watch();
  const auto fresh = cluster.add();
  cluster.node(fresh).ready();
  cluster.publish();
  EXPECT_TRUE(eventually([&] { return rollcall.whole(4); }, 60s, "four are one"));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(cluster.node(i).downs(), 0) << cluster.name(i);
}

TEST(Mesh, LogsChangesAndNotRounds) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2) && rollcall.is_ready(); }, 60s, "two are one"));
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto before = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= before + 1; }, 30s, "a quiet round"));
  const auto size = rollcall.log_size();
  EXPECT_TRUE(eventually([&] { return rounds() >= before + 6; }, 30s, "five more"));
  EXPECT_EQ(rollcall.log_size(), size) << ::testing::PrintToString(rollcall.log());
}

TEST(Mesh, LocalNodesAreFoundThroughThisMachinesPortMapper) {
  loopback cluster({"a", "b"});
  const rollcall_program rollcall({.arguments = {"--local"},
                                   .environment = {},
                                   .epmd_port = cluster.mapper().port(),
                                   .network_namespace = {},
                                   .name = {}});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  EXPECT_TRUE(cluster.meshed());
  cluster.add({.name = "c@127.0.0.1"});
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "the third, too"));
  EXPECT_TRUE(cluster.meshed());
}

TEST(Mesh, ShortAndLongNamesAreNeverAskedToConnect) {
  loopback cluster({"a", "b"});
  cluster.add({.name = "s1@localhost", .short_name = true});
  cluster.add({.name = "s2@localhost", .short_name = true});
  const auto rollcall = cluster.rollcall();
  const auto sees = [&](std::size_t from, std::size_t to) {
    const auto seen = cluster.node(from).nodes();
    return std::find(seen.begin(), seen.end(), cluster.node(to).name()) != seen.end();
  };
  EXPECT_TRUE(eventually([&] { return sees(0, 1) && sees(2, 3); }, 60s, "each kind is one"));
  EXPECT_TRUE(eventually([&] { return rollcall.up() == 4 && rollcall.links_missing() == 0; }, 30s,
                         "nothing is missing"));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(cluster.node(i).nodes().size(), 1U);
    EXPECT_THAT(cluster.node(i).output(), testing::Not(HasSubstr("** System")));
  }
}

TEST(Mesh, ServesAsPortMapperWhereNoneRuns) {
  const auto port = free_port();
  const rollcall_program rollcall(
      {.arguments = {"--local"}, .environment = {}, .epmd_port = port, .network_namespace = {}, .name = {}});
  beam a({.name = "a@127.0.0.1", .epmd_port = port});
  beam b({.name = "b@127.0.0.1", .epmd_port = port});
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  EXPECT_EQ(a.nodes(), std::vector<std::string>{"b@127.0.0.1"});
}

}  // namespace
}  // namespace rollcall::test
