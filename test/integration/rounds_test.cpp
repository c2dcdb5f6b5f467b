// The rhythm of rounds, whatever the members do.
#include <gtest/gtest.h>

#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

// Each mute member is asked again as soon as it failed to answer: with two of them, frozen at different
// times, there was no moment at which no view was awaited, and discovery was not asked for as long as that
// lasted.
TEST(Rounds, GoOnWhileTwoMembersAreFrozen) {
  loopback cluster({"a", "b", "c"});
  const auto rollcall = cluster.rollcall();
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto timed_out = [&] {
    return rollcall.metric("rollcall_rpc_errors_total", {{"reason", "timed_out"}}).value_or(0);
  };
  ASSERT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three are one"));
  cluster.node(0).freeze();
  ASSERT_TRUE(eventually([&] { return timed_out() >= 2; }, 30s, "the first does not answer"));
  cluster.node(1).freeze();
  ASSERT_TRUE(eventually([&] { return timed_out() >= 8; }, 60s, "neither does the second"));
  const auto before = rounds();
  EXPECT_TRUE(eventually([&] { return rounds() >= before + 24; }, 30s, "rounds go on, twice a second"));
  cluster.node(0).thaw();
  cluster.node(1).thaw();
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole again"));
}

}  // namespace
}  // namespace rollcall::test
