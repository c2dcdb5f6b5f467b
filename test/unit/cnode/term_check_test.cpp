// The walker: what it accepts, what it refuses and why, at every length.
#include "cnode/term_check.hpp"

#include <gtest/gtest.h>

#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode {
namespace {

using test::g_atom;
using test::hex;
using test::peer_atom;

TEST(TermCheck, AcceptsWhatRealNodesWrite) {
  for (const auto& [name, bytes] : test::corpus("term")) {
    const auto length = check_term(bytes);
    ASSERT_TRUE(length.has_value()) << name << ": " << length.error().message();
    EXPECT_EQ(*length, bytes.size()) << name;
    const auto followed = check_term(bytes + "more");
    ASSERT_TRUE(followed.has_value()) << name;
    EXPECT_EQ(*followed, bytes.size()) << name << ", with something after it";
  }
}

TEST(TermCheck, RefusesEveryTruncation) {
  for (const auto& [name, bytes] : test::corpus("term")) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto length = check_term(byte_view(bytes).substr(0, size));
      ASSERT_FALSE(length.has_value()) << name << " cut to " << size;
      ASSERT_EQ(length.error(), error::truncated) << name << " cut to " << size;
    }
  }
}

struct refused_row {
  const char* name;
  std::string bytes;
  error expected;
};

std::string nested(std::size_t depth) {
  std::string out;
  for (std::size_t i = 0; i < depth; ++i) out += hex("68 01");  // {
  return out + hex("6a");
}

TEST(TermCheck, RefusesWithTheRightReason) {
  const std::string creation_and_ids = hex("6b02c883 00000001 00000002 00000003");
  const refused_row rows[] = {
      {"nothing", "", error::truncated},
      {"tag 0", hex("00"), error::unknown_tag},
      {"a second version byte", hex("83 6a"), error::unknown_tag},
      {"compressed", hex("50 00000001 789c"), error::unknown_tag},
      {"atom cache reference", hex("52 00"), error::unknown_tag},
      {"LOCAL_EXT", hex("79 0000000000000000 6a"), error::unknown_tag},
      {"FUN_EXT of old releases", hex("75 00000000"), error::unknown_tag},
      {"REFERENCE_EXT of old releases", hex("65") + g_atom + hex("00000001 01"), error::unknown_tag},
      {"atom of 256 bytes in Latin-1", hex("64 0100") + std::string(256, 'a'), error::atom_too_long},
      {"atom of 256 characters in UTF-8", hex("76 0100") + std::string(256, 'a'), error::atom_too_long},
      {"atom with half a character", hex("77 01 c3"), error::bad_term},
      {"atom with an overlong character", hex("77 02 c080"), error::bad_term},
      {"atom with a surrogate", hex("77 03 eda080"), error::bad_term},
      {"atom beyond U+10FFFF", hex("77 04 f4908080"), error::bad_term},
      {"atom with a lone continuation", hex("77 01 80"), error::bad_term},
      {"tuple of 2^32-1", hex("69 ffffffff 6a"), error::truncated},
      {"list of 2^32-1", hex("6c ffffffff 6a"), error::truncated},
      {"map of 2^32-1", hex("74 ffffffff 6a 6a"), error::truncated},
      {"list without its tail", hex("6c 00000001 6a"), error::truncated},
      {"inner list that takes what the outer one needs", hex("68 02 6c 00000001 6a 6a"), error::truncated},
      {"binary of 4 GiB", hex("6d ffffffff 00"), error::truncated},
      {"bit string with 9 bits", hex("4d 00000001 09 00"), error::bad_term},
      {"bit string without bits", hex("4d 00000001 00 00"), error::bad_term},
      {"empty bit string with bits", hex("4d 00000000 01"), error::bad_term},
      {"large integer of 4 GiB", hex("6f ffffffff 00 01"), error::truncated},
      {"float that is not a number", hex("46 7ff8000000000000"), error::bad_term},
      {"infinite float", hex("46 fff0000000000000"), error::bad_term},
      {"float as text without an end", hex("63") + std::string(31, '1'), error::bad_term},
      {"float as text that is a word", hex("63") + "nan" + std::string(28, '\0'), error::bad_term},
      {"empty float as text", hex("63") + std::string(31, '\0'), error::bad_term},
      {"reference without words", hex("5a 0000") + g_atom + creation_and_ids, error::bad_term},
      {"reference of six words", hex("5a 0006") + g_atom + creation_and_ids + std::string(12, '\0'),
       error::bad_term},
      {"pid whose node is no atom", hex("58 6a 00000001 00000001 00000001"), error::unknown_tag},
      {"pid whose node has a zero in it", hex("58 77 03 610062 00000001 00000001 00000001"), error::bad_term},
      {"export with a large arity", hex("71") + g_atom + peer_atom + hex("62 00000001"), error::unknown_tag},
      {"export of a list", hex("71 6a") + peer_atom + hex("61 01"), error::unknown_tag},
      {"257 levels", nested(257), error::too_deep},
      {"many levels", nested(100'000), error::too_deep},
      {"too many terms in one list", hex("6c 00100000") + std::string(1 << 20, 'j') + "j",
       error::too_many_terms},
  };
  for (const auto& row : rows) {
    const auto length = check_term(row.bytes);
    ASSERT_FALSE(length.has_value()) << row.name;
    EXPECT_EQ(length.error(), row.expected) << row.name << ": " << length.error().message();
  }
}

TEST(TermCheck, AcceptsUpToItsLimits) {
  EXPECT_TRUE(check_term(nested(max_depth)).has_value());
  // The list, its elements and its tail.
  const std::string count = hex("6c 000ffffe");
  EXPECT_TRUE(check_term(count + std::string((1 << 20) - 2, 'j') + "j").has_value());
  EXPECT_TRUE(check_term(hex("77 ff") + std::string(255, 'a')).has_value());
}

std::string short_atom(std::string_view text) {
  return hex("77") + static_cast<char>(text.size()) + std::string(text);
}

// Names in a row are walked through together, and none of them is less checked than one alone.
TEST(TermCheck, AnAtomAmongOthersIsCheckedAsOneAlone) {
  const auto row = [](const std::string& one, std::size_t before, std::size_t after) {
    std::string list = hex("6c 000000") + static_cast<char>(before + 1 + after);
    for (std::size_t i = 0; i < before; ++i) list += short_atom("n@127.0.0.1");
    list += one;
    for (std::size_t i = 0; i < after; ++i) list += short_atom("b");
    return list + "j";
  };
  const std::vector<std::string> good{short_atom(""),         short_atom("\xc3\xa9@h"),
                                      hex("76 0003") + "a@b", hex("61 07"),
                                      hex("68 00"),           row(short_atom("in"), 1, 1)};
  const std::vector<std::string> bad{short_atom("n@127.0.0.\xff"), short_atom("\x80"), hex("52 00"),
                                     hex("68 01 01")};
  for (std::size_t before = 0; before < 4; ++before) {
    for (std::size_t after = 0; after < 3; ++after) {
      for (const auto& one : good) {
        const auto list = row(one, before, after);
        EXPECT_EQ(check_term(list).value(), list.size());
        EXPECT_EQ(check_term(list + short_atom("more")).value(), list.size());
        for (std::size_t size = 0; size < list.size(); ++size) {
          EXPECT_EQ(check_term(byte_view(list).substr(0, size)).error(), error::truncated) << size;
        }
      }
      for (const auto& one : bad) {
        EXPECT_EQ(check_term(row(one, before, after)).error(), check_term(one).error());
      }
    }
  }
  EXPECT_TRUE(check_term(hex("6c 00000001") + short_atom("a") + short_atom("tail")).has_value());
}

TEST(TermCheck, ChecksTheSizeOfAFun) {
  const auto fun = test::corpus("term").at("fun");
  auto larger = fun;
  ++larger[4];  // the low byte of the size
  EXPECT_EQ(check_term(larger + "jjjj").error(), error::bad_term);
  EXPECT_EQ(check_term(larger).error(), error::truncated);
  auto more_variables = fun;
  ++more_variables[29];
  EXPECT_EQ(check_term(more_variables + "j").error(), error::bad_term);
}

}  // namespace
}  // namespace rollcall::cnode
