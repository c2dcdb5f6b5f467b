// One limit for all: who holds most goes first.
#include "cnode/memory_budget.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace rollcall::cnode {
namespace {

struct MemoryBudget : testing::Test {
  std::shared_ptr<memory_budget> all = std::make_shared<memory_budget>(100);
  std::vector<std::string> evicted;

  std::unique_ptr<memory_budget::share> holder(const std::string& name) {
    return std::make_unique<memory_budget::share>(all, [this, name] { evicted.push_back(name); });
  }
};

TEST_F(MemoryBudget, NobodyGoesWhileItFits) {
  const auto a = holder("a"), b = holder("b");
  a->hold(40);
  b->hold(60);
  EXPECT_EQ(all->held(), 100U);
  EXPECT_TRUE(evicted.empty());
}

TEST_F(MemoryBudget, WhoHoldsMostGoesFirstEvenWhenAnotherAskedForMore) {
  const auto a = holder("a"), b = holder("b"), c = holder("c");
  a->hold(70);
  b->hold(30);
  c->hold(1);
  EXPECT_EQ(evicted, std::vector<std::string>{"a"});
  EXPECT_EQ(all->held(), 31U);
  a->hold(90);
  EXPECT_EQ(all->held(), 31U) << "who was told to go does not count any more";
}

TEST_F(MemoryBudget, AsManyGoAsMust) {
  std::deque<std::unique_ptr<memory_budget::share>> small;
  for (int i = 0; i < 10; ++i) small.push_back(holder("small"));
  for (const auto& one : small) one->hold(10);
  const auto large = holder("large");
  large->hold(99);
  EXPECT_EQ(evicted, std::vector<std::string>{"large"});
  EXPECT_EQ(all->held(), 100U);
}

TEST_F(MemoryBudget, OneThatIsLargerThanAllGoesItself) {
  const auto a = holder("a");
  a->hold(101);
  EXPECT_EQ(evicted, std::vector<std::string>{"a"});
  EXPECT_EQ(all->held(), 0U);
}

TEST_F(MemoryBudget, WhatIsGivenBackIsFree) {
  {
    const auto a = holder("a");
    a->hold(100);
    a->hold(20);
  }
  EXPECT_EQ(all->held(), 0U);
  const auto b = holder("b");
  b->hold(100);
  EXPECT_TRUE(evicted.empty());
}

}  // namespace
}  // namespace rollcall::cnode
