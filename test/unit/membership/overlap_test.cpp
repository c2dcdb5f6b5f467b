// Which groups are joined when not all can be.
#include "membership/overlap.hpp"

#include <gtest/gtest.h>

namespace rollcall::membership {
namespace {

using chosen = std::vector<std::size_t>;

std::vector<joinable_group> of_sizes(const std::vector<std::size_t>& sizes) {
  std::vector<joinable_group> groups;
  for (const auto size : sizes) groups.push_back({.members = size, .links = size * (size - 1) / 2});
  return groups;
}

TEST(ChooseGroups, TakesAllWhenNothingIsInTheWay) {
  EXPECT_EQ(choose_groups(of_sizes({1, 1, 4}), {}), (chosen{0, 1, 2}));
}

TEST(ChooseGroups, TakesMostMembers) {
  // 0 conflicts with 1 and 2 alone, which are more together.
  EXPECT_EQ(choose_groups(of_sizes({3, 2, 2}), {{0, 1}, {0, 2}}), (chosen{1, 2}));
  EXPECT_EQ(choose_groups(of_sizes({5, 2, 2}), {{0, 1}, {0, 2}}), (chosen{0}));
}

TEST(ChooseGroups, AmongEqualsMostLinksThenTheChoiceBeforeThenTheFirst) {
  auto groups = of_sizes({1, 1, 3});
  EXPECT_EQ(choose_groups(groups, {{0, 1}}), (chosen{0, 2}));
  groups[1].chosen_before = true;
  EXPECT_EQ(choose_groups(groups, {{0, 1}}), (chosen{1, 2}));
  groups = of_sizes({2, 2});
  groups[1].links = 2;
  EXPECT_EQ(choose_groups(groups, {{0, 1}}), (chosen{1}));
}

TEST(ChooseGroups, GreedyKeepsNoConflictAndTheBetterHalf) {
  std::vector<std::pair<std::size_t, std::size_t>> conflicts;
  for (std::size_t a = 0; a < 15; ++a) {
    for (std::size_t b = 15; b < 40; ++b) conflicts.emplace_back(a, b);
  }
  const auto found = choose_groups(of_sizes(std::vector<std::size_t>(40, 1)), conflicts);
  EXPECT_EQ(found.size(), 25U);
  EXPECT_EQ(found.front(), 15U);
}

}  // namespace
}  // namespace rollcall::membership
