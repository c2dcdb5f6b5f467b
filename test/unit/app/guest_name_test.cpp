// Eight names, each held by one at a time, and free again afterwards.
#include "app/guest_name.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace rollcall::app {
namespace {

TEST(GuestName, IsOneOfEightAndFreeAgainAfterwards) {
  std::set<std::string> names;
  std::vector<guest_name> held;
  while (auto one = guest_name::take("h.example")) {
    names.insert(one->name().text());
    held.push_back(*std::move(one));
    ASSERT_LE(held.size(), 8U);
  }
  // Another test, or a real one, may hold some meanwhile.
  ASSERT_FALSE(held.empty());
  EXPECT_EQ(names.size(), held.size());
  for (const auto& name : names) {
    EXPECT_TRUE(name.starts_with("rollcall-check-")) << name;
    EXPECT_TRUE(name.ends_with("@h.example")) << name;
    EXPECT_EQ(name.size(), std::string("rollcall-check-1@h.example").size());
  }
  const auto first = held.front().name();
  held.erase(held.begin());
  const auto again = guest_name::take("h.example");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->name(), first);
}

TEST(GuestName, OneThatWasMovedIsHeldOnce) {
  auto one = guest_name::take("h.example");
  ASSERT_TRUE(one);
  const auto name = one->name();
  const auto moved = *std::move(one);
  one.reset();
  const auto other = guest_name::take("h.example");
  EXPECT_TRUE(!other || other->name() != name);
}

}  // namespace
}  // namespace rollcall::app
