// What text of an atom is, wherever in it a character begins: eight bytes are looked at together.
#include "cnode/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace rollcall::cnode {
namespace {

TEST(Utf8, ACharacterCountsOnceAtEveryPlace) {
  for (std::size_t before = 0; before < 18; ++before) {
    for (std::size_t after = 0; after < 18; ++after) {
      const std::string front(before, 'a'), back(after, 'z');
      EXPECT_EQ(utf8_characters(front + back), before + after);
      EXPECT_EQ(utf8_characters(front + "\xc3\xa9" + back), before + after + 1) << before;
      EXPECT_EQ(utf8_characters(front + "\xf0\x9f\x98\x80" + back), before + after + 1) << before;
      EXPECT_FALSE(utf8_characters(front + "\xc3" + back)) << before;
      EXPECT_FALSE(utf8_characters(front + "\xff" + back)) << before;
      EXPECT_FALSE(utf8_characters(front + "\xed\xa0\x80" + back)) << before << ", a surrogate";
    }
  }
}

TEST(Utf8, AsciiIsToldByEachOfItsBytes) {
  for (std::size_t size = 0; size < 26; ++size) {
    std::string text(size, '\x7f');
    EXPECT_TRUE(is_ascii(text)) << size;
    for (auto& c : text) {
      c = '\x80';
      EXPECT_FALSE(is_ascii(text)) << size;
      c = '\0';
      EXPECT_TRUE(is_ascii(text)) << size;
    }
  }
}

}  // namespace
}  // namespace rollcall::cnode
