#include "membership/pair_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace rollcall::membership {
namespace {

// In step with a std::set: random insertions, in runs of ascending keys and one by one, removals in between.
TEST(PairSet, HoldsWhatASetHolds) {
  std::mt19937 dice(20'261);
  pair_set fast;
  std::set<pair_key> slow;
  for (int round = 0; round < 3'000; ++round) {
    const auto a = static_cast<std::uint32_t>(dice() % 60);
    if (dice() % 4 == 0) {
      for (std::uint32_t b = a + 1; b < 60; ++b)
        EXPECT_EQ(fast.insert(key_of(a, b)), slow.insert(key_of(a, b)).second);
    } else {
      const auto k = key_of(a, 60 + static_cast<std::uint32_t>(dice() % 60));
      EXPECT_EQ(fast.insert(k), slow.insert(k).second);
      EXPECT_TRUE(fast.contains(k));
    }
    if (dice() % 500 == 0) {
      const auto goes = [&](pair_key k) { return concerns(k, a); };
      EXPECT_EQ(fast.erase_if(goes), std::erase_if(slow, goes));
    }
    ASSERT_EQ(fast.size(), slow.size());
  }
  EXPECT_EQ(std::vector<pair_key>(fast.begin(), fast.end()), std::vector<pair_key>(slow.begin(), slow.end()));
}

TEST(PairSet, TakesAnother) {
  pair_set one, other;
  for (std::uint32_t i = 0; i < 10; ++i) one.insert(key_of(1, 100 - i));
  for (std::uint32_t i = 5; i < 15; ++i) other.insert(key_of(1, 100 - i));
  one.insert(other);
  EXPECT_EQ(one.size(), 15U);
  EXPECT_FALSE(one.contains(key_of(1, 85)));
  EXPECT_TRUE(one.contains(key_of(1, 86)));
}

}  // namespace
}  // namespace rollcall::membership
