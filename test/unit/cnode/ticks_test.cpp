#include "cnode/ticks.hpp"

#include <gtest/gtest.h>

namespace rollcall::cnode {
namespace {

using action = ticks::action;
using std::chrono::milliseconds;

struct moment {
  const char* name;
  int net_ticktime;                // of the peer, in ms; 0: not known yet
  int read, write, progress, now;  // ms since the link came up
  bool unsent;
  action expected;
  int next;  // ms
};

// Our own net_ticktime is 60 s throughout.
const moment moments[] = {
    {"JustUp", 0, 0, 0, 0, 0, false, action::wait, 1'000},
    {"UnknownPeerGetsOneASecond", 0, 0, 0, 0, 1'000, false, action::send_tick, 1'000},
    {"UnknownPeerIsSilent", 0, 0, 74'500, 74'500, 75'000, false, action::peer_is_silent, 75'000},
    {"KnownPeerWaitsAQuarter", 8'000, 0, 0, 0, 1'999, false, action::wait, 2'000},
    {"KnownPeerGetsAQuarter", 8'000, 0, 0, 0, 2'000, false, action::send_tick, 2'000},
    {"ARecentWriteIsATick", 8'000, 0, 1'500, 1'500, 2'000, false, action::wait, 3'500},
    {"SilentAfterAQuarterMore", 8'000, 0, 9'500, 9'500, 10'000, false, action::peer_is_silent, 10'000},
    {"NotSilentAMomentBefore", 8'000, 0, 9'500, 9'500, 9'999, false, action::wait, 10'000},
    {"ReadingKeepsItUp", 8'000, 9'000, 9'500, 9'500, 10'000, false, action::wait, 11'500},
    {"NothingIsAddedToAFullSocket", 8'000, 9'000, 0, 8'000, 9'000, true, action::wait, 11'000},
    {"APeerThatDoesNotRead", 8'000, 9'000, 0, 0, 10'000, true, action::peer_does_not_read, 10'000},
};

class TicksAt : public testing::TestWithParam<moment> {};

TEST_P(TicksAt, Decides) {
  const auto& row = GetParam();
  const ticks::time_point start{};
  ticks clock(milliseconds{60'000}, start);
  if (row.net_ticktime > 0) clock.peer_tick_time(milliseconds{row.net_ticktime});
  clock.last_read = start + milliseconds{row.read};
  clock.last_write = start + milliseconds{row.write};
  clock.last_progress = start + milliseconds{row.progress};
  const auto decided = clock.next(start + milliseconds{row.now}, row.unsent);
  EXPECT_EQ(decided.what, row.expected);
  EXPECT_EQ(decided.at - start, milliseconds{row.next});
}

INSTANTIATE_TEST_SUITE_P(All, TicksAt, testing::ValuesIn(moments),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Ticks, TimeInWhichNothingRanHereIsNoSilenceOfThePeer) {
  const ticks::time_point start{};
  ticks clock(milliseconds{8'000}, start);
  clock.last_write = start + milliseconds{5'000};
  clock.woke(start + milliseconds{6'000}, start + milliseconds{26'000});
  EXPECT_EQ(clock.next(start + milliseconds{26'000}, false).what, action::send_tick);
  clock.last_write = start + milliseconds{26'000};
  EXPECT_EQ(clock.next(start + milliseconds{29'999}, true).what, action::wait);
  EXPECT_EQ(clock.next(start + milliseconds{30'000}, false).what, action::peer_is_silent);
  EXPECT_EQ(clock.next(start + milliseconds{30'000}, true).what, action::peer_is_silent);
}

TEST(Ticks, AWaitThatEndsEarlyOrHardlyLateChangesNothing) {
  const ticks::time_point start{};
  ticks clock(milliseconds{8'000}, start);
  clock.woke(start + milliseconds{6'000}, start + milliseconds{2'000});
  clock.woke(start + milliseconds{6'000}, start + milliseconds{6'099});
  EXPECT_EQ(clock.last_read, start);
  EXPECT_EQ(clock.last_progress, start);
}

TEST(Ticks, AreAnsweredAtMostOnceASecond) {
  const ticks::time_point start{};
  ticks clock(milliseconds{60'000}, start);
  EXPECT_FALSE(clock.answer_tick(start + milliseconds{999}, false));
  EXPECT_TRUE(clock.answer_tick(start + milliseconds{1'000}, false));
  EXPECT_FALSE(clock.answer_tick(start + milliseconds{1'000}, true));
}

}  // namespace
}  // namespace rollcall::cnode
