// How nodes go, as an observer must see it: told as leaving while they stop, and, where a cache goes on
// listing them for half a minute, no alarm and no failure for it.
#include <gmock/gmock.h>

#include <future>

#include "test/support/alarms.hpp"
#include "test/support/loopback.hpp"
#include "test/support/pods.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using ::testing::IsEmpty;

double failures(const rollcall_program& rollcall, const std::string& node) {
  return rollcall.metric("erlang_cluster_member_failures_total", {{"member", node}}).value_or(-1);
}

testing::AssertionResult left_in_order(const rollcall_program& rollcall, const std::string& node) {
  if (rollcall.state(node) != "left") return rollcall.is(node, "left");  // whatever its reason
  if (failures(rollcall, node) != 0) return testing::AssertionFailure() << node << " counts as a failure";
  if (rollcall.metric("erlang_cluster_member_leaves_total", {{"member", node}}) != 1)
    return testing::AssertionFailure() << node << " is no leave";
  return testing::AssertionSuccess();
}

// A StatefulSet is scaled from six to three, with stops of a second to a minute, while another pod comes back
// with a new address; then the rest is killed at once. The name server's answers are cached for 30 s.
TEST(Departures, ACacheThatGoesOnListingWhatIsGoneRaisesNothing) {
  ROLLCALL_NEEDS_NETWORK();
  pods nodes({.count = 6, .cached_for = 30});
  const auto rollcall = nodes.rollcall({}, "2s");
  ASSERT_TRUE(eventually([&] { return rollcall.whole(6); }, 120s, "six are one"));
  {
    alarms seen(rollcall);
    const auto stop = [&nodes](std::size_t index, milliseconds lasts) {
      return std::async(std::launch::async, [node = &nodes.node(index), lasts] { node->stop_slowly(lasts); });
    };
    auto slowest = stop(3, 60s), replaced = stop(0, 1s), slow = stop(4, 5s), quick = stop(5, 1s);
    replaced.get();
    nodes.bring_back(0);
    quick.get();
    nodes.take_away(5);
    slow.get();
    nodes.take_away(4);
    slowest.get();
    nodes.take_away(3);
    for (const std::size_t i : {3U, 4U, 5U}) {
      EXPECT_TRUE(eventually([&] { return left_in_order(rollcall, nodes.name(i)); }, 150s, "left"));
    }
    EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three are one"));
    EXPECT_EQ(failures(rollcall, nodes.name(0)), 0);
    EXPECT_EQ(rollcall.metric("erlang_cluster_member_restarts_total", {{"member", nodes.name(0)}}), 1);
    EXPECT_THAT(seen.of(splits), IsEmpty());
    for (const std::size_t i : {3U, 4U, 5U}) EXPECT_EQ(rollcall.reason(nodes.name(i)), "stopping");
  }
  alarms seen(rollcall);
  for (const std::size_t i : {0U, 1U, 2U}) nodes.node(i).kill();
  for (const std::size_t i : {0U, 1U, 2U}) nodes.take_away(i);
  for (const std::size_t i : {0U, 1U, 2U}) {
    EXPECT_TRUE(eventually([&] { return left_in_order(rollcall, nodes.name(i)); }, 150s, "left"));
  }
  EXPECT_THAT(seen.of(splits), IsEmpty());
}

TEST(Departures, OfStopsThatLastASecondNineOfTenAreToldAsLeavingBeforeTheLinkCloses) {
  loopback cluster({"keeper"});
  constexpr int count = 10;
  for (int i = 0; i < count; ++i) cluster.add({.name = "stops-" + std::to_string(i) + "@127.0.0.1"});
  // A round never asks in time.
  rollcall_options options;
  for (const auto& name : cluster.names())
    options.arguments.insert(options.arguments.end(), {"--node", name});
  options.epmd_port = cluster.mapper().port();
  options.name = "rollcall@127.0.0.1";
  options.interval = "30s";
  const rollcall_program rollcall(std::move(options));
  ASSERT_TRUE(eventually([&] { return rollcall.whole(count + 1); }, 120s, "all are one"));
  const std::string watched =
      "length([P || P <- registered(), lists:prefix(\"rollcall_watcher\", atom_to_list(P))])";
  for (int i = 1; i <= count; ++i) {
    ASSERT_TRUE(eventually([&] { return cluster.node(static_cast<std::size_t>(i)).eval(watched) == "1"; },
                           60s, "a watcher"));
  }
  int told = 0;
  for (int i = 1; i <= count; ++i) {
    auto& node = cluster.node(static_cast<std::size_t>(i));
    node.stop_slowly(1s);
    ASSERT_TRUE(eventually([&] { return rollcall.state(node.name()) != "up"; }, 30s, "it is gone"));
    // Whose link closed first is suspect, and stays so until the next round.
    told += rollcall.state(node.name()) == "leaving" ? 1 : 0;
  }
  RecordProperty("told_as_leaving", told);
  EXPECT_GE(told, count * 9 / 10);
}

}  // namespace
}  // namespace rollcall::test
