// Columns and ages.
#include "app/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;

TEST(Table, AlignsColumnsWithoutTrailingSpace) {
  table t({"NODE", "STATE", "REASON"});
  t.row({"a@b", "suspect", "dns"});
  t.row({"zürich@h", "up"});
  std::ostringstream out;
  out << t;
  EXPECT_EQ(out.str(),
            "NODE      STATE    REASON\n"
            "a@b       suspect  dns\n"
            "zürich@h  up\n");
}

TEST(Table, CellsCannotMoveTheCursor) {
  table t({});
  t.row({"a\x1b[2J\nb", "c"});
  std::ostringstream out;
  out << t;
  EXPECT_EQ(out.str(), "a\\u001b[2J\\nb  c\n");
}

TEST(Age, NamesTheGreatestUnits) {
  const milliseconds now = 1'000'000h;
  EXPECT_EQ(age(now, now), "now");
  EXPECT_EQ(age(now, now + 5s), "now");
  EXPECT_EQ(age(now, now - 999ms), "now");
  EXPECT_EQ(age(now, now - 12s), "12s ago");
  EXPECT_EQ(age(now, now - 119s), "1m ago");
  EXPECT_EQ(age(now, now - 65min), "1h 5m ago");
  EXPECT_EQ(age(now, now - 2h), "2h ago");
  EXPECT_EQ(age(now, now - 76h), "3d 4h ago");
  EXPECT_EQ(age(now, 0ms), "");
  EXPECT_EQ(span(850ms), "850ms");
}

}  // namespace
}  // namespace rollcall::app
