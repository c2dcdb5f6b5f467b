// A member that changes all the time has so many lines a minute, and the others theirs.
#include "app/line_limit.hpp"

#include <gtest/gtest.h>

namespace rollcall::app {
namespace {

using verdict = line_limit::verdict;
using namespace std::chrono_literals;

const line_limit::time_point start{};

TEST(LineLimit, OneMemberHasSoManyAMinute) {
  line_limit limit;
  std::size_t written = 0, said = 0;
  for (int i = 0; i < 6'000; ++i) {
    const auto what = limit.ask("a@h", start + i * 3ms);  // 18 s
    written += what != verdict::leave_out ? 1U : 0U;
    said += what == verdict::write_and_say_so ? 1U : 0U;
  }
  EXPECT_EQ(written, line_limit::most);
  EXPECT_EQ(said, 1U);
  EXPECT_EQ(limit.ask("b@h", start + 18s), verdict::write);
  EXPECT_EQ(limit.ask("a@h", start + line_limit::window), verdict::write);
}

TEST(LineLimit, ManyMembersTakeABoundedPlace) {
  line_limit limit;
  for (std::size_t i = 0; i < 3 * line_limit::max_members; ++i) {
    EXPECT_EQ(limit.ask(std::to_string(i), start), verdict::write);
  }
}

}  // namespace
}  // namespace rollcall::app
