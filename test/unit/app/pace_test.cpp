// Steps leave the thread to others in proportion to what they take.
#include "app/pace.hpp"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using rollcall::app::pace;

const pace::clock::time_point begun{std::chrono::hours(1)};

pace::clock::duration rest_after(pace::clock::duration took) {
  pace steps;
  steps.stepped(begun, begun + took);
  return steps.next() - (begun + took);
}

TEST(Pace, NothingWaitsBeforeTheFirstStep) {
  EXPECT_LE(pace().next(), begun);
}

TEST(Pace, AShortStepIsFollowedAtOnce) {
  EXPECT_EQ(rest_after(0us), 0us);
  EXPECT_EQ(rest_after(999us), 0us);
}

TEST(Pace, ALongStepRestsInProportion) {
  EXPECT_EQ(rest_after(1ms), 4ms);
  EXPECT_EQ(rest_after(5ms), 20ms);
}

TEST(Pace, NeverLongerThanAFrame) {
  EXPECT_EQ(rest_after(12'500us), 50ms);
  EXPECT_EQ(rest_after(3s), 50ms);
}

TEST(Pace, WhoWaitsEndsTheRest) {
  pace steps;
  steps.stepped(begun, begun + 5ms);
  steps.at_once();
  EXPECT_LE(steps.next(), begun);
}

}  // namespace
