// Which challenges are ours, and that none is ever sent twice.
#include "cnode/challenges.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <vector>

namespace rollcall::cnode {
namespace {

// Gives these numbers one after the other.
challenges scripted(std::vector<std::uint32_t> numbers) {
  return challenges(
      [numbers = std::move(numbers), next = std::size_t{0}]() mutable { return numbers.at(next++); });
}

TEST(Challenges, OneThatIsOutstandingIsOursInEveryHandshake) {
  challenges all;
  const auto first = all.issue(), second = all.issue();
  EXPECT_TRUE(first.is_ours(first.value()));
  EXPECT_TRUE(first.is_ours(second.value()));
  EXPECT_TRUE(second.is_ours(first.value()));
  EXPECT_EQ(all.outstanding(), 2U);
}

TEST(Challenges, OneOfAHandshakeThatEndedIsStillOurs) {
  auto all = scripted({5, 6});
  std::optional<challenge> ended(all.issue());
  const auto other = all.issue();
  ended.reset();
  EXPECT_TRUE(other.is_ours(5));
  EXPECT_FALSE(other.is_ours(7));
  EXPECT_EQ(all.outstanding(), 1U);
}

TEST(Challenges, NoneIsSentTwice) {
  auto all = scripted({5, 5, 5, 6, 6, 7});
  std::optional<challenge> ended(all.issue());
  EXPECT_EQ(all.issue().value(), 6U) << "outstanding";
  ended.reset();
  EXPECT_EQ(all.issue().value(), 7U) << "ended lately";
}

// Who has collected digests of numbers of their choice waits for one of them to be asked.
TEST(Challenges, WhatAPeerWasGivenTheDigestOfIsNeverAsked) {
  auto all = scripted({5, 9, 8});
  const auto dial = all.issue();
  dial.will_be_answered(9);
  EXPECT_EQ(all.issue().value(), 8U);
  EXPECT_FALSE(dial.is_ours(9)) << "a peer may ask the same again";
}

TEST(Challenges, TakeABoundedPlace) {
  std::uint32_t last = 0;
  challenges all([&] { return ++last; });
  const auto dial = all.issue();
  for (std::size_t i = 0; i < challenges::max_past + 10; ++i) all.issue();
  EXPECT_FALSE(dial.is_ours(2)) << "forgotten";
  EXPECT_TRUE(dial.is_ours(last));
  EXPECT_TRUE(dial.is_ours(1)) << "outstanding for all that time";
  EXPECT_EQ(all.outstanding(), 1U);
}

TEST(Challenges, AMovedOneIsOutstandingOnce) {
  challenges all;
  {
    auto first = all.issue();
    const auto moved = std::move(first);
    EXPECT_EQ(all.outstanding(), 1U);
  }
  EXPECT_EQ(all.outstanding(), 0U);
}

}  // namespace
}  // namespace rollcall::cnode
