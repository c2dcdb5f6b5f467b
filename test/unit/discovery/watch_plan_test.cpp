// What is asked next, as tables: no network, no clock.
#include "discovery/watch_plan.hpp"

#include <gmock/gmock.h>

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using kind = watch_plan::step::kind;

class WatchPlan : public ::testing::Test {
 protected:
  void expect_list(const std::string& version, list_reason why) {
    const auto step = plan.next();
    EXPECT_EQ(step.what, kind::list);
    EXPECT_EQ(step.version, version);
    EXPECT_EQ(step.why, why);
  }
  void expect_watch(const std::string& version) {
    const auto step = plan.next();
    EXPECT_EQ(step.what, kind::watch);
    EXPECT_EQ(step.version, version);
    EXPECT_GE(step.timeout, 300s);
    EXPECT_LE(step.timeout, 600s);
  }
  std::chrono::milliseconds expect_pause() {
    const auto step = plan.next();
    EXPECT_EQ(step.what, kind::pause);
    return step.pause;
  }
  void watched_from(const std::string& version) {
    plan.next();
    plan.listed(version);
    expect_watch(version);
  }
  watch_plan plan{1};
  watch_plan::time_point now{1h};
};

TEST_F(WatchPlan, BeginsWithAListFromTheCacheAndWatchesFromItsVersion) {
  expect_list("0", list_reason::start);
  plan.listed("100");
  expect_watch("100");
  plan.saw("120");
  plan.ended(300s, true, now);
  expect_watch("120");
}

TEST_F(WatchPlan, GoneIsListedAtOnceFromTheLastVersionThenWithPausesFromNone) {
  watched_from("100");
  plan.refused({410, "Expired", ""}, true, {}, now);
  expect_list("100", list_reason::gone);
  plan.refused({410, "Expired", ""}, false, {}, now);
  EXPECT_GT(expect_pause(), 0ms);
  expect_list("", list_reason::gone);
}

TEST_F(WatchPlan, AVersionInTheFutureIsListedWithoutOne) {
  watched_from("100");
  plan.refused({410, "", ""}, true, {}, now);
  expect_list("100", list_reason::gone);
  plan.refused({504, "Timeout", ""}, false, {}, now);
  expect_list("", list_reason::gone);
  plan.refused({504, "Timeout", ""}, false, {}, now);
  EXPECT_GT(expect_pause(), 0ms);
}

TEST_F(WatchPlan, SilenceIsListedWithoutAVersionAndALowerOneIsTaken) {
  watched_from("100");
  plan.fell_silent();
  expect_list("", list_reason::silent);
  plan.listed("40");
  expect_watch("40");
}

TEST_F(WatchPlan, PausesDoubleToThirtySecondsTimesOneToTwo) {
  double least = 800;
  for (int i = 0; i < 10; ++i) {
    plan.failed(false, now);
    const auto pause = expect_pause();
    EXPECT_GE(static_cast<double>(pause.count()), least) << i;
    EXPECT_LE(static_cast<double>(pause.count()), 2 * least) << i;
    expect_list("0", list_reason::start);
    least = std::min(30'000.0, 2 * least);
    now += 40s;
  }
  now += watch_plan::quiet;
  plan.failed(false, now);
  EXPECT_LE(expect_pause(), 1'600ms) << "two quiet minutes: the first pause again";
}

TEST_F(WatchPlan, RetryAfterIsObeyedUpToALimit) {
  plan.refused({429, "", ""}, false, 7s, now);
  EXPECT_GE(expect_pause(), 7s);
  plan.refused({429, "", ""}, false, 86'400s, now);
  EXPECT_LE(expect_pause(), watch_plan::longest_retry_after);
}

TEST_F(WatchPlan, WhatAnotherListDoesNotChangeIsWatchedAgain) {
  for (const unsigned code : {401U, 403U, 429U, 500U, 503U}) {
    watched_from("100");
    plan.refused({code, "", ""}, true, {}, now);
    expect_pause();
    expect_watch("100");
    plan = watch_plan{1};
  }
  watched_from("100");
  plan.refused({422, "Invalid", ""}, true, {}, now);
  expect_pause();
  expect_list("", list_reason::error);
}

TEST_F(WatchPlan, BrokenWatchesAreListedAfterThree) {
  watched_from("100");
  for (int i = 0; i < 2; ++i) {
    plan.failed(true, now);
    expect_pause();
    expect_watch("100");
  }
  plan.ended(200ms, false, now);
  expect_pause();
  expect_list("", list_reason::error);
}

TEST_F(WatchPlan, AnUnreadableLineIsListed) {
  watched_from("100");
  plan.unreadable(now);
  expect_pause();
  expect_list("", list_reason::error);
}

}  // namespace
}  // namespace rollcall::discovery
