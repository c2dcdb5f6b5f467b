#include "membership/dial_canaries.hpp"

#include <gmock/gmock.h>

#include <set>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

using namespace std::chrono_literals;

// Nodes that were whole for half a minute. Dials of those in `away` fail, all others link.
struct DialCanaries : testing::Test {
  driver d;
  std::set<std::string> away;
  reason fails_with = reason::timeout;
  milliseconds dial_takes{0};
  std::vector<std::pair<milliseconds, std::string>> under_way;
  std::size_t dials = 0;

  void whole(const names& nodes) {
    d.mesh(nodes);
    d.pass(30s);
    d.actions.clear();
  }
  void lose(const names& nodes) {
    away.insert(nodes.begin(), nodes.end());
    for (const auto& node : nodes) d.down(node, reason::closed);
  }
  void answer_dials() {
    for (const auto& dial : d.take<action::dial>()) {
      ++dials;
      under_way.emplace_back(d.now + dial_takes, dial.node.alive());
    }
    for (const auto& [at, node] : std::exchange(under_way, {})) {
      if (at > d.now) {
        under_way.emplace_back(at, node);
      } else if (away.contains(node)) {
        d.fail(node, fails_with);
      } else {
        d.up(node);
      }
    }
  }
  std::size_t dials_in(milliseconds span) {
    dials = 0;
    for (const auto end = d.now + span; d.now < end; d.pass(50ms)) answer_dials();
    return dials;
  }
  // Until each of them is linked again.
  milliseconds back(const names& nodes) {
    for (const auto& node : nodes) away.erase(node);
    const auto begun = d.now;
    const auto linked = [&](const std::string& node) { return d.shown().find(full(node).text())->linked; };
    while (d.now - begun < 60s && !std::ranges::all_of(nodes, linked)) {
      answer_dials();
      d.pass(50ms);
    }
    return d.now - begun;
  }
};

names numbered(std::string_view prefix, int count) {
  names all;
  for (int i = 0; i < count; ++i) all.push_back(std::string(prefix) + std::to_string(100 + i));
  return all;
}

names operator+(names one, const names& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

TEST_F(DialCanaries, WhatWasLostTogetherIsBackTogether) {
  const auto stay = numbered("s", 20), go = numbered("g", 20);
  for (const auto why : {reason::timeout, reason::refused}) {
    DialCanaries::fails_with = why;
    d = driver();
    whole(stay + go);
    lose(go);
    dials_in(1min);
    EXPECT_LE(back(go), 2s) << to_string(why);
  }
}

TEST_F(DialCanaries, ADialASecondIsAllThatItCosts) {
  const auto stay = numbered("s", 20), go = numbered("g", 20);
  whole(stay + go);
  lose(go);
  dials_in(1min);
  EXPECT_LE(dials_in(1min), 20U * 60 / 20 + 20 + 60) << "each as ever, and one a second of them all";
}

TEST_F(DialCanaries, ManyThatWereLostOneAfterTheOtherTakeTurns) {
  const auto stay = numbered("s", 20), go = numbered("g", 12);
  whole(stay + go);
  for (const auto& one : go) {
    lose({one});
    dials_in(6s);
  }
  dials_in(10s);
  const auto in_a_minute = dials_in(1min);
  EXPECT_LE(in_a_minute, 5U * 60);
  EXPECT_GE(in_a_minute, 4U * 60);
  EXPECT_LE(back({go[3]}), 3s);
}

TEST_F(DialCanaries, OneThatIsBackDoesNotMakeTheOthersBeDialledAgainAndAgain) {
  const auto stay = numbered("s", 20), go = numbered("g", 40);
  whole(stay + go);
  lose(go);
  dials_in(1min);
  dials = 0;
  for (int i = 0; i < 10; ++i) {
    away.erase(go[static_cast<std::size_t>(i)]);
    for (const auto end = d.now + 100ms; d.now < end; d.pass(50ms)) answer_dials();
  }
  EXPECT_LE(dials, 2 * go.size());
}

TEST_F(DialCanaries, ADialThatHungWhileTheOthersCameBackIsMadeAgain) {
  const auto stay = numbered("s", 10), go = numbered("g", 10);
  whole(stay + go);
  lose(go);
  dial_takes = 5s;
  dials_in(2min);
  d.up(go[0]);
  away.erase(go[0]);
  ASSERT_FALSE(under_way.empty());
  for (const auto& [at, node] : std::exchange(under_way, {})) d.fail(node, reason::timeout);
  dial_takes = 0ms;
  EXPECT_LE(back(go), 1200ms);
}

TEST_F(DialCanaries, WhoAMemberReportsIsDialledAtOnce) {
  whole({"a", "b", "c"});
  lose({"c"});
  d.step({fact::peer_changed{full("a"), full("c"), false, "gone"}});
  dials_in(400s);
  ASSERT_NE(d.of("c").state, member_state::up);
  while (dials_in(100ms) == 0) {
  }
  dials_in(1s);
  away.clear();
  d.step({fact::peer_changed{full("a"), full("c"), true, {}}});
  EXPECT_EQ(d.dialled(), names{"c"});
}

TEST_F(DialCanaries, WhoRefusesUsWaits) {
  whole({"a", "b", "c"});
  lose({"c"});
  fails_with = reason::cookie;
  dials_in(10s);
  EXPECT_EQ(dials_in(1min), 0U);
  d.step({fact::peer_changed{full("a"), full("c"), true, {}}});
  EXPECT_EQ(d.dialled(), names{});
}

TEST_F(DialCanaries, ALinkThatDoesNotLastIsNotDialledAgainSoon) {
  whole({"a", "b", "c"});
  lose({"c"});
  away.clear();
  std::size_t made = 0;
  for (int i = 0; i < 600; ++i) {
    made += d.dialled().size();
    if (!d.shown().find(full("c").text())->linked) d.up("c");
    d.view("c", {"a", "b"});
    d.down("c", reason::closed);
    d.pass(100ms);
  }
  EXPECT_LE(made, 13U);
}

TEST_F(DialCanaries, WhatIsAwayForLongIsDialledAsBefore) {
  const auto stay = numbered("s", 20), go = numbered("g", 20);
  whole(stay + go);
  lose(go);
  dials_in(dial_canaries::lately + 20s);
  EXPECT_LE(dials_in(1min), 20U * 60 / 16);
}

}  // namespace
}  // namespace rollcall::membership::test
