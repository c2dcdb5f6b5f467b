// What the page's timeline is drawn from: what is kept, for how long, and within which budget.
#include "membership/history.hpp"

#include <gtest/gtest.h>

#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::membership {
namespace {

constexpr wall_time start{milliseconds(1'700'000'000'000)};

snapshot at(wall_time when, std::size_t members = 5) {
  auto of = test::whole_cluster(members);
  of.at = when;
  return of;
}

event happened(std::uint64_t id, wall_time when, event_type type) {
  event e;
  e.id = id;
  e.at = when;
  e.type = type;
  e.text = "something happened";
  return e;
}

std::size_t count(const history& of, history::kind what) {
  return static_cast<std::size_t>(std::ranges::count(of.marks(), what, &history::mark::what));
}

TEST(History, MarksEachEventOnce) {
  history kept;
  auto now = at(start);
  now.events = {happened(1, start, event_type::member_joined), happened(2, start, event_type::member_up)};
  kept.note(now);
  kept.note(now);
  now.events.push_back(happened(3, start, event_type::member_down));
  kept.note(now);
  EXPECT_EQ(count(kept, history::kind::own), 1U);
  EXPECT_EQ(count(kept, history::kind::join), 1U);
  EXPECT_EQ(count(kept, history::kind::down), 1U);
}

TEST(History, ANetsplitEndsWhenItsIncidentDoes) {
  history kept;
  auto now = at(start);
  incident split{.id = 7, .type = incident_type::full, .opened_at = start};
  now.incidents = std::make_shared<const std::vector<incident>>(std::vector{split});
  kept.note(now);
  ASSERT_EQ(count(kept, history::kind::netsplit), 1U);
  EXPECT_FALSE(kept.marks().back().until);
  split.closed_at = start + milliseconds(5'000);
  now.incidents = std::make_shared<const std::vector<incident>>(std::vector{split});
  now.at += milliseconds(6'000);
  kept.note(now);
  ASSERT_EQ(count(kept, history::kind::netsplit), 1U);
  EXPECT_EQ(kept.marks().back().until, start + milliseconds(5'000));
}

TEST(History, AFrameForEachPictureThatDiffers) {
  history kept;
  for (int second = 0; second < 60; ++second) kept.note(at(start + milliseconds(second * 1'000)));
  EXPECT_EQ(kept.frames().size(), 1U) << "nothing changed";
  auto other = at(start + milliseconds(100'000));
  other.members[2].state = member_state::down;
  other.members[2].partition.reset();
  kept.note(other);
  ASSERT_EQ(kept.frames().size(), 2U);
  EXPECT_EQ(kept.frame_at(start + milliseconds(50'000)), &kept.frames()[0]);
  EXPECT_EQ(kept.frame_at(start + milliseconds(100'000)), &kept.frames()[1]);
  EXPECT_EQ(kept.frame_at(start - milliseconds(1)), &kept.frames()[0]) << "the first there is";
  EXPECT_EQ(kept.frames()[1].members[2].state, member_state::down);
}

TEST(History, ADayIsKeptAndNoMore) {
  history kept;
  for (std::uint64_t hour = 0; hour < 50; ++hour) {
    const auto when = start + milliseconds(3'600'000) * hour;
    auto now = at(when, 5 + hour % 2);
    now.events = {happened(hour + 1, when, event_type::member_restarted)};
    kept.note(now);
  }
  EXPECT_EQ(count(kept, history::kind::restart), 25U);
  EXPECT_EQ(kept.frames().size(), 26U) << "and the one that the day began with";
}

TEST(History, StaysWithinItsBudgetAtAThousandMembersThatNeverRest) {
  history kept;
  std::uint64_t id = 0;
  auto now = at(start, 1'000);
  for (int turn = 0; turn < 600; ++turn) {
    const auto when = start + milliseconds(2'000) * turn;
    now.at = when;
    now.members[static_cast<std::size_t>(turn)].state = member_state::suspect;
    now.events.clear();
    for (int i = 0; i < 20; ++i) now.events.push_back(happened(++id, when, event_type::member_down));
    kept.note(now);
  }
  std::size_t frames = 0, marks = 0;
  for (const auto& f : kept.frames()) frames += sizeof f + f.members.size() * sizeof(history::place);
  for (const auto& m : kept.marks()) marks += sizeof m + m.text.size();
  EXPECT_LE(frames, history::max_frame_bytes);
  EXPECT_LE(marks, history::max_mark_bytes);
  EXPECT_GT(kept.frames().size(), 100U);
  EXPECT_EQ(kept.frames().front().first, start) << "the beginning and the end stay";
  EXPECT_EQ(kept.frames().back().at, start + milliseconds(2'000) * 599);
}

history::kept_day kept_of(const history& of) {
  history::kept_day day{.since = *of.since(), .until = of.until()};
  day.marks = of.marks();
  day.frames = of.frames();
  for (std::uint32_t i = 0; i < of.frames().back().members.size(); ++i) day.names.push_back(of.name(i));
  return day;
}

// One run in the morning, which leaves; what the next one makes of it.
struct two_runs {
  two_runs() {
    auto now = at(start);
    now.events = {happened(1, start, event_type::member_down)};
    incident split{.id = 7, .type = incident_type::full, .opened_at = start};
    now.incidents = std::make_shared<const std::vector<incident>>(std::vector{split});
    first.note(now);
    first.note_stop(start + milliseconds(60'000));
    second.restore(kept_of(first));
  }
  history first, second;
};

TEST(History, GoesOnInTheNextRun) {
  two_runs runs;
  const auto again = start + milliseconds(120'000);
  auto now = at(again, 6);
  now.starting = true;
  for (std::uint64_t i = 0; i < 6; ++i) {
    now.events.push_back(happened(i + 1, again, event_type::member_joined));
    now.events.back().node = now.members[i].name;
  }
  runs.second.note(now);
  const auto& kept = runs.second;
  EXPECT_TRUE(kept.restored());
  EXPECT_EQ(kept.since(), start);
  EXPECT_EQ(count(kept, history::kind::own), 3U) << "started, stopped, started";
  EXPECT_EQ(count(kept, history::kind::down), 1U);
  EXPECT_EQ(count(kept, history::kind::join), 1U) << "five were there before";
  ASSERT_EQ(count(kept, history::kind::netsplit), 1U);
  const auto split = std::ranges::find(kept.marks(), history::kind::netsplit, &history::mark::what);
  EXPECT_EQ(split->until, start + milliseconds(60'000)) << "it is seen no further";
  EXPECT_EQ(kept.frame_at(start + milliseconds(90'000))->members.size(), 5U);
  EXPECT_EQ(kept.frame_at(again)->members.size(), 6U);
}

TEST(History, ANetsplitThatLastsOverARestartIsOneMark) {
  two_runs runs;
  auto now = at(start + milliseconds(120'000));
  incident split{.id = 1, .type = incident_type::full, .opened_at = start};
  now.incidents = std::make_shared<const std::vector<incident>>(std::vector{split});
  runs.second.note(now);
  ASSERT_EQ(count(runs.second, history::kind::netsplit), 1U);
  const auto& marks = runs.second.marks();
  EXPECT_FALSE(std::ranges::find(marks, history::kind::netsplit, &history::mark::what)->until);
}

TEST(History, WhatIsOlderThanADayOrLaterThanNowIsLeftOut) {
  two_runs old;
  old.second.note(at(start + history::kept + milliseconds(3'600'000)));
  EXPECT_FALSE(old.second.restored());
  EXPECT_EQ(old.second.marks().size(), 1U);
  two_runs set_back;
  set_back.second.note(at(start + milliseconds(30'000)));
  EXPECT_EQ(count(set_back.second, history::kind::own), 2U) << "the stop is still to come";
  two_runs long_ago;
  long_ago.second.note(at(start - milliseconds(3'600'000)));
  EXPECT_EQ(long_ago.second.since(), start - milliseconds(3'600'000));
  EXPECT_EQ(long_ago.second.marks().size(), 1U);
}

TEST(History, MadeSmallItKeepsWhatLastedLongest) {
  history kept;
  for (int i = 0; i < 40; ++i) {
    auto now = at(start + milliseconds(i < 20 ? i * 100'000 : 2'000'000 + i * 2'000), 5);
    now.members[0].state = i % 2 == 0 ? member_state::up : member_state::suspect;
    kept.note(now);
  }
  ASSERT_EQ(kept.frames().size(), 40U);
  const auto one = sizeof(history::frame) + 5 * sizeof(history::place);
  kept.shrink(0, 10 * one);
  EXPECT_EQ(kept.marks().size(), 0U);
  ASSERT_EQ(kept.frames().size(), 10U);
  EXPECT_EQ(kept.frames().back().first, start + milliseconds(2'078'000)) << "the last one is now";
  EXPECT_EQ(kept.frames()[8].first, start + milliseconds(1'900'000)) << "lasted 140 s";
  EXPECT_EQ(kept.frames()[7].first, start + milliseconds(700'000)) << "100 s, as all before it";
}

}  // namespace
}  // namespace rollcall::membership
