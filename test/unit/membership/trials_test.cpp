// Two groups whose requests failed: they are tried by handshakes that tear nothing, until they may be joined.
#include "membership/quarantine.hpp"
#include "test/unit/membership/evidence.hpp"

namespace rollcall::membership::test {
namespace {

node_name named(const std::string& alive) {
  return node_name::parse(alive + "@h.example").value();
}

// a, b and c refuse d, e and f, and all are meshed among themselves.
struct TwoGroups : Evidence {
  TwoGroups() {
    whole({"a", "b", "c", "d", "e", "f"});
    for (const auto* some : {"a", "b", "c"}) {
      for (const auto* other : {"d", "e", "f"}) refused.insert(both(some, other));
    }
    lose_all(refused);
    live(120s);
    asked.clear();
    handshakes.clear();
  }
  bool all_linked() {
    return std::ranges::all_of(nodes, [&](const auto& n) { return links[n].size() + 1 == nodes.size(); });
  }
};

TEST_F(TwoGroups, OnePairIsTriedAtATimeAndAllWhenItGetsThrough) {
  live(300s);
  EXPECT_TRUE(asked.empty()) << "nothing is asked for that may link some and not others";
  EXPECT_GE(handshakes.size(), 300U / 8);
  EXPECT_LE(handshakes.size(), 300U / 6);
  const std::set<std::pair<milliseconds, std::string>> all(handshakes.begin(), handshakes.end());
  std::set<std::string> ways;
  for (const auto& [at, way] : all) ways.insert(way);
  EXPECT_EQ(ways.size(), 18U) << "in turn over pairs and directions";
  const auto before = tears;
  refused.clear();
  live(10s);
  EXPECT_TRUE(all_linked());
  EXPECT_EQ(tears, before);
}

TEST_F(TwoGroups, AreNotJoinedWhileSomePairsStillRefuse) {
  const auto before = tears;
  std::erase_if(refused, [](const auto& pair) { return pair.first == "a" || pair.second == "a"; });
  live(300s);
  EXPECT_EQ(tears, before);
  EXPECT_TRUE(asked.empty());
  EXPECT_LE(handshakes.size(), 300U / 6 + 40) << "what works is not tried again and again";
  refused.clear();
  live(10s);
  EXPECT_TRUE(all_linked());
  EXPECT_EQ(tears, before);
}

// The other side may fail at once, as often as it is asked.
TEST_F(TwoGroups, WhatHasPassedFromOneSideIsProvenAgainFromThatSide) {
  std::erase_if(refused, [](const auto& pair) { return pair.first != "a"; });
  one_way_refused = {{"b", "e"}, {"f", "c"}};
  live(120s);
  handshakes.clear();
  handshakes_at_most = 500;
  refused.clear();
  live(10s);
  EXPECT_TRUE(all_linked());
  EXPECT_LE(handshakes.size(), 40U);
}

TEST_F(TwoGroups, AreAskedForAfterTheirHoldsWhereNobodyCarriesTrialsOut) {
  no_trials = true;
  refused.clear();
  live(700s);
  EXPECT_TRUE(all_linked());
}

TEST_F(TwoGroups, AreTriedAtOnceWhenSomebodySaysSo) {
  refused.clear();
  d.step({fact::round_requested{}});
  live(1s);
  EXPECT_TRUE(all_linked());
}

// Its other side may fail, too: between two groups that would be the second tear for one cause.
TEST_F(Evidence, AfterARequestThatFailedAHandshakePassesBeforeTheOtherSideIsAsked) {
  failures_tear = false;
  whole({"a", "b", "c", "d", "e", "f"});
  for (const auto* some : {"a", "b", "c"}) {
    for (const auto* other : {"d", "e", "f"}) refused.insert(both(some, other));
  }
  lose_all(refused);
  live(120s);
  EXPECT_EQ(asked.size(), 9U) << "each pair once";
  EXPECT_FALSE(handshakes.empty());
  refused.clear();
  live(10s);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 5U) << a;
}

// What was looked up last is remembered. Under the address sanitizer a look at what a restart dropped fails.
TEST(Quarantine, WhatWasLookedUpLastIsGoneWithARestart) {
  member_table members;
  const auto& a = members.add(named("a"));
  const auto& b = members.add(named("b"));
  quarantine held;
  held.trial(a, b);
  EXPECT_FALSE(held.dark(a, b));
  held.restarted(a);
  EXPECT_FALSE(held.dark(a, b));
  held.gained(a, b, false, steady_time{});
  EXPECT_FALSE(held.dark(a, b));
}

}  // namespace
}  // namespace rollcall::membership::test
