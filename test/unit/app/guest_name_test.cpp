// Eight names, each held by one at a time, and free again afterwards.
#include "app/guest_name.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

namespace rollcall::app {
namespace {

// Apart from every other program of this machine, tests that run meanwhile included.
std::optional<guest_name> take() {
  return guest_name::take("h.example", "test-" + std::to_string(getpid()) + "-");
}

TEST(GuestName, IsOneOfEightAndFreeAgainAfterwards) {
  std::set<std::string> names;
  std::vector<guest_name> held;
  for (int i = 0; i < guest_names; ++i) {
    auto one = take();
    ASSERT_TRUE(one);
    names.insert(one->name().text());
    held.push_back(*std::move(one));
  }
  EXPECT_EQ(names.size(), 8U);
  EXPECT_TRUE(names.contains("rollcall-check-1@h.example"));
  EXPECT_TRUE(names.contains("rollcall-check-8@h.example"));
  EXPECT_FALSE(take()) << "there are no more";
  const auto third = held[2].name();
  held.erase(held.begin() + 2);
  const auto again = take();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->name(), third);
}

TEST(GuestName, OneThatWasMovedIsHeldOnce) {
  auto one = take();
  ASSERT_TRUE(one);
  const auto name = one->name();
  {
    const auto moved = *std::move(one);
    one.reset();
    EXPECT_NE(take()->name(), name);
  }
  EXPECT_EQ(take()->name(), name);
}

TEST(GuestName, ProgramsOfTheMachineShareThem) {
  // Whether a real one has the first name at this moment or not: two never have the same.
  const auto one = guest_name::take("h.example"), other = guest_name::take("h.example");
  if (one && other) {
    EXPECT_NE(one->name(), other->name());
  }
}

}  // namespace
}  // namespace rollcall::app
