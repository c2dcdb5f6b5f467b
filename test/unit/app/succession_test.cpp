// Who of two under one name goes on.
#include "app/succession.hpp"

#include <gtest/gtest.h>

namespace rollcall::app {
namespace {

const node_name a = *node_name::parse("a@h"), b = *node_name::parse("b@h"), c = *node_name::parse("c@h");

TEST(Succession, WhoStartsTakesWhatAPredecessorLeft) {
  succession s;
  EXPECT_TRUE(s.may_take_over(a));
  s.linked(a);
  EXPECT_FALSE(s.superseded());
  s.lost(a);
  EXPECT_FALSE(s.may_take_over(a)) << "whoever is there now came after us";
}

TEST(Succession, WhoMeetsAnotherAtTheOnlyNodeStandsBy) {
  succession s;
  s.linked(a);
  s.lost(a);
  EXPECT_FALSE(s.superseded()) << "a node that died says nothing";
  s.refused(a);
  EXPECT_TRUE(s.superseded());
}

TEST(Succession, OneOldConnectionWhileMostStandIsReplaced) {
  succession s;
  for (const auto& node : {a, b, c}) s.linked(node);
  s.lost(a);
  s.refused(a);
  EXPECT_FALSE(s.superseded());
  EXPECT_TRUE(s.may_take_over(a));
  s.linked(a);
  EXPECT_FALSE(s.may_take_over(a));
}

TEST(Succession, HalfOfThemIsEnoughToStandBy) {
  succession s;
  for (const auto& node : {a, b}) s.linked(node);
  s.lost(a);
  s.refused(a);
  EXPECT_TRUE(s.superseded());
}

TEST(Succession, ANodeThatAnswersOtherwiseIsNotContested) {
  succession s;
  s.linked(a);
  s.lost(a);
  s.refused(a);
  s.answered_otherwise(a);
  EXPECT_FALSE(s.superseded());
}

TEST(Succession, AfterStandingByNothingIsTakenFromAnybody) {
  succession s;
  s.linked(a);
  s.lost(a);
  s.refused(a);
  s.restart();
  EXPECT_FALSE(s.superseded());
  EXPECT_FALSE(s.may_take_over(a));
  EXPECT_TRUE(s.may_take_over(b));
}

TEST(Succession, ForgetsNodesThatAreNoneAnyMore) {
  succession s;
  s.linked(a);
  s.lost(a);
  s.refused(a);
  s.linked(b);
  s.keep([](const node_name&) { return false; });
  EXPECT_TRUE(s.may_take_over(a));
  EXPECT_FALSE(s.may_take_over(b)) << "it is linked";
  EXPECT_FALSE(s.superseded());
}

}  // namespace
}  // namespace rollcall::app
