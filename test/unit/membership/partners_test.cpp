// The members with which each one has something that is kept by pairs.
#include "membership/partners.hpp"

#include <gtest/gtest.h>

namespace {

using rollcall::membership::partners;
using ids = std::vector<std::uint32_t>;

TEST(Partners, AreFoundFromBothEndsEachOnce) {
  partners known;
  known.note(1, 2);
  known.note(2, 1);
  known.note(3, 1);
  EXPECT_EQ(known.take(1), (ids{2, 3}));
  EXPECT_EQ(known.take(2), (ids{1}));
}

TEST(Partners, OneThatWasTakenHasNoneUntilItHasAgain) {
  partners known;
  known.note(1, 2);
  known.take(1);
  EXPECT_TRUE(known.take(1).empty());
  known.note(2, 1);
  EXPECT_EQ(known.take(1), (ids{2}));
}

TEST(Partners, OfWhatIsMostlyGoneItIsSaid) {
  partners known;
  for (std::uint32_t i = 2; i < 2'000; ++i) known.note(1, i);
  EXPECT_FALSE(known.outdated(1'998));
  EXPECT_TRUE(known.outdated(10));
  known.clear();
  EXPECT_FALSE(known.outdated(0));
  EXPECT_TRUE(known.take(1).empty());
}

}  // namespace
