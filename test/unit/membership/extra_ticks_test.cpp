// Which nodes are asked to tick their links, and how often, in virtual time.
#include "membership/extra_ticks.hpp"

#include <gtest/gtest.h>

#include <map>

#include "test/unit/membership/some_up.hpp"

namespace rollcall::membership::test {
namespace {

struct ticking : some_up {
  using some_up::some_up;

  // A step each `pause`, and whenever one is asked for before. Of each node when it was asked.
  std::map<std::string, std::vector<milliseconds>> run(milliseconds span, milliseconds pause) {
    std::map<std::string, std::vector<milliseconds>> asked;
    const auto begin = now;
    auto next_own = now;
    while (now - begin < span) {
      if (now >= next_own) next_own = now + pause;
      deadline wake(now, next_own);
      std::vector<any_action> actions;
      ticks.plan(context(views), wake, actions);
      for (const auto& any : actions) {
        asked[std::get<action::tick_links>(any).node.text()].push_back(now - begin);
      }
      now = wake.next();
    }
    return asked;
  }
  void ticktime(std::size_t rank, milliseconds of) { members[rank].net_ticktime = of; }

  extra_ticks ticks;
};

milliseconds longest_pause(const std::vector<milliseconds>& times) {
  milliseconds longest{0};
  for (std::size_t i = 1; i < times.size(); ++i) longest = std::max(longest, times[i] - times[i - 1]);
  return longest;
}

TEST(ExtraTicks, ComeTwiceAsOftenAsTheNodesOwn) {
  struct row {
    milliseconds ticktime, pause_of_steps, longest;
    std::size_t in_a_minute;
  };
  for (const auto& r : {row{8s, 5s, 1s, 60}, row{30s, 5s, 3'750ms, 24}, row{4s, 5s, 1s, 60},
                        row{120s, 5s, 10s, 6}, row{60s, 20s, 7'500ms, 9}}) {
    ticking t(6);
    for (std::size_t i = 0; i < 6; ++i) t.ticktime(i, r.ticktime);
    const auto asked = t.run(60s, r.pause_of_steps);
    ASSERT_EQ(asked.size(), 6U) << r.ticktime.count();
    for (const auto& [node, times] : asked) {
      EXPECT_LE(longest_pause(times), r.longest) << r.ticktime.count();
      EXPECT_LE(times.size(), r.in_a_minute) << r.ticktime.count();
    }
  }
}

TEST(ExtraTicks, NeedNoStepOfTheirOwnWithTheUsualTicktimeAndInterval) {
  ticking t(6);  // their net_ticktime is not known yet: 60 s
  const auto asked = t.run(60s, 5s);
  EXPECT_EQ(t.steps, 12U);
  ASSERT_EQ(asked.size(), 6U);
  for (const auto& [node, times] : asked) EXPECT_EQ(times.size(), 12U) << "one in each round";
}

TEST(ExtraTicks, AreNotAskedForInEachOfManySteps) {
  ticking t(2);
  EXPECT_LE(t.run(60s, 10ms).begin()->second.size(), 17U) << "60 s: half of 7.5 s between two, at least";
  ticking hasty(2);
  hasty.ticktime(0, 100ms);
  EXPECT_LE(hasty.run(60s, 10ms).begin()->second.size(), 121U) << "whatever one of them says";
}

TEST(ExtraTicks, GoByTheShortestTicktime) {
  ticking t(3);
  t.ticktime(0, 60s);
  t.ticktime(2, 8s);
  for (const auto& [node, times] : t.run(30s, 5s)) EXPECT_LE(longest_pause(times), 1s) << node;
}

TEST(ExtraTicks, OnlyOfThoseThatAreProbed) {
  ticking t(4);
  t.members[1].linked = false;
  t.members[2].state = member_state::suspect;
  const auto asked = t.run(10s, 5s);
  EXPECT_EQ(asked.size(), 2U);
  EXPECT_FALSE(asked.contains(t.members[1].name.text()));
  EXPECT_FALSE(asked.contains(t.members[2].name.text()));
}

TEST(ExtraTicks, NotOfOneAloneAndNotOfMany) {
  const std::map<std::size_t, std::size_t> expected{{1, 0}, {2, 2}, {40, 40}, {41, 0}};
  for (const auto& [count, asked] : expected) EXPECT_EQ(ticking(count).run(10s, 5s).size(), asked) << count;
}

}  // namespace
}  // namespace rollcall::membership::test
