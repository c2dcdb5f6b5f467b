// How many dials and questions begin at a time.
#include "app/turns.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using rollcall::app::turns;

std::vector<turns::number> begin_all(turns& these) {
  std::vector<turns::number> begun;
  while (these.open()) begun.push_back(these.begin());
  return begun;
}

TEST(Turns, SoManyBeginAtOnce) {
  turns these;
  EXPECT_EQ(begin_all(these).size(), turns::at_once);
}

TEST(Turns, AsManyAsEndMayBegin) {
  turns these;
  const auto begun = begin_all(these);
  these.ended(begun[0]);
  these.ended(begun[1]);
  EXPECT_EQ(begin_all(these).size(), 2U);
}

TEST(Turns, ThoseThatTakeLongKeepNobodyWaiting) {
  turns these;
  const auto late = begin_all(these);
  these.next();
  EXPECT_EQ(begin_all(these).size(), turns::at_once);
  for (const auto number : late) these.ended(number);
  EXPECT_FALSE(these.open()) << "of another turn";
}

}  // namespace
