// Thousands of seeded histories, every rule after every step; and plans broken on purpose, which the rules
// must catch.
#include <gtest/gtest.h>

#include <cstdlib>

#include "test/simulation/before/world.hpp"

namespace rollcall::simulation {
namespace {

constexpr std::uint64_t shard_size = 250;

class Histories : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Histories, KeepEveryRule) {
  for (std::uint64_t seed = GetParam() * shard_size; seed < (GetParam() + 1) * shard_size; ++seed) {
    world w(seed, mutation::none);
    const auto rule = w.run();
    ASSERT_TRUE(rule.empty()) << "seed " << seed << ": " << rule << "\n" << w.diary();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Histories, testing::Range<std::uint64_t>(0, 8),
                         [](const auto& row) { return "From" + std::to_string(row.param * shard_size); });

// ROLLCALL_SEED=n ./simulation --gtest_filter='*OneSeed*' plays one history and tells it.
TEST(Histories, OneSeed) {
  const auto* chosen = std::getenv("ROLLCALL_SEED");
  world w(chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1, mutation::none);
  const auto rule = w.run();
  if (chosen != nullptr) std::cout << w.diary();
  EXPECT_EQ(rule, "");
}

TEST(Histories, TheSameSeedIsTheSameHistory) {
  world first(7, mutation::none), second(7, mutation::none);
  EXPECT_EQ(first.run(), second.run());
  EXPECT_EQ(first.diary(), second.diary());
}

struct broken_plan {
  const char* name;
  mutation how;
  const char* says;
};
class BrokenPlans : public testing::TestWithParam<broken_plan> {};

TEST_P(BrokenPlans, AreCaughtWithinAFewSeeds) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    world w(seed, GetParam().how);
    const auto rule = w.run();
    if (rule.find(GetParam().says) != std::string::npos) return;
    ASSERT_EQ(rule, "") << "another rule broke at seed " << seed << "\n" << w.diary();
  }
  FAIL() << "no rule noticed";
}

INSTANTIATE_TEST_SUITE_P(
    Ways, BrokenPlans,
    testing::Values(
        broken_plan{"DuplicateRequests", mutation::duplicates_requests, "while that pair is unanswered"},
        broken_plan{"AskLeavingNodes", mutation::asks_leaving_nodes, "with an end that is not up"},
        broken_plan{"DialTwice", mutation::dials_twice, "a second dial of"},
        broken_plan{"HangUpWhenDiscoveryFails", mutation::hangs_up_when_discovery_fails, "hang_up of"},
        broken_plan{"ForgetPairs", mutation::forgets_pairs, "long after the last fault"},
        broken_plan{"AskEveryStep", mutation::asks_every_step, "while that pair is unanswered"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace rollcall::simulation
