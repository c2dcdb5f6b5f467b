// Terms: bytes of real nodes to values, values to the same bytes, and how they are shown.
#include "cnode/term.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <stdexcept>

#include "cnode/checked_reader.hpp"
#include "cnode/term_check.hpp"
#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode {

// For readable failures.
static void PrintTo(const term& value, std::ostream* out) {
  *out << to_string(value);
}

namespace {

using test::g_atom;
using test::hex;

struct row {
  const char* name;
  std::string bytes;  // without version byte
  term value;
  const char* text;
};

std::vector<row> written_and_read() {
  const reference ref{"g@127.0.0.1", 0x6b02c883, {0xffffffff, 2, 3, 4, 5}, 5};
  return {
      {"small integer", hex("61 ff"), std::int64_t{255}, "255"},
      {"integer", hex("62 ffffffff"), std::int64_t{-1}, "-1"},
      {"beyond 32 bits", hex("6e 05 00 0000000001"), std::int64_t{1} << 32, "4294967296"},
      {"greatest", hex("6e 08 00 ffffffffffffff7f"), std::numeric_limits<std::int64_t>::max(),
       "9223372036854775807"},
      {"least", hex("6e 08 01 0000000000000080"), std::numeric_limits<std::int64_t>::min(),
       "-9223372036854775808"},
      {"float", hex("46 3ff8000000000000"), 1.5, "1.5"},
      {"atom", hex("77 02 6f6b"), atom{"ok"}, "ok"},
      {"empty atom", hex("77 00"), atom{""}, "''"},
      {"atom with a zero", hex("77 03 610062"), atom{std::string("a\0b", 3)}, "'a\\x{0}b'"},
      {"atom of an Elixir module", hex("77 0f 456c697869722e526f6c6c63616c6c"), atom{"Elixir.Rollcall"},
       "'Elixir.Rollcall'"},
      {"atom in UTF-8", hex("77 05 c3b6e4b8ad"), atom{"ö中"}, "'ö中'"},
      {"binary", hex("6d 00000003 010203"), binary{"\1\2\3"}, "<<1,2,3>>"},
      {"text", hex("6d 00000002 6869"), binary{"hi"}, "<<\"hi\">>"},
      {"empty binary", hex("6d 00000000"), binary{}, "<<>>"},
      {"empty list", hex("6a"), list{}, "[]"},
      {"list", hex("6c 00000002 62 000003e8 77 01 61 6a"), list{{std::int64_t{1000}, atom{"a"}}, nullptr},
       "[1000,a]"},
      {"improper list", hex("6c 00000001 77 01 61 77 01 62"),
       list{{atom{"a"}}, std::make_shared<const term>(atom{"b"})}, "[a|b]"},
      {"empty tuple", hex("68 00"), tuple{}, "{}"},
      {"tuple", hex("68 02 77 02 6f6b 6a"), tuple{{atom{"ok"}, list{}}}, "{ok,[]}"},
      {"map", hex("74 00000002 77 01 61 61 01 77 01 62 6a"),
       map{{{atom{"a"}, std::int64_t{1}}, {atom{"b"}, list{}}}}, "#{a => 1,b => []}"},
      {"pid, every bit used", hex("58") + g_atom + hex("ffffffff fffffffe 6b02c883"),
       pid{"g@127.0.0.1", 0xffffffff, 0xfffffffe, 0x6b02c883}, "<g@127.0.0.1.4294967295.4294967294>"},
      {"reference of five words",
       hex("5a 0005") + g_atom + hex("6b02c883 ffffffff 00000002 00000003 00000004 00000005"), ref,
       "#Ref<g@127.0.0.1.5.4.3.2.4294967295>"},
      {"integer beyond 64 bits", hex("6e 08 00 ffffffffffffffff"), opaque{hex("6e 08 00 ffffffffffffffff")},
       "#Integer<11 bytes>"},
      {"bit string", hex("4d 00000003 03 0102a0"), opaque{hex("4d 00000003 03 0102a0")}, "#Bits<9 bytes>"},
      {"port", hex("78") + g_atom + hex("0000010000000000 6b02c883"),
       opaque{hex("78") + g_atom + hex("0000010000000000 6b02c883")}, "#Port<26 bytes>"},
  };
}

TEST(Term, IsReadAndWrittenAsTheSameBytes) {
  for (const auto& row : written_and_read()) {
    SCOPED_TRACE(row.name);
    ASSERT_TRUE(check_term(row.bytes).has_value());
    const auto decoded = decode_term(row.bytes);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
    EXPECT_EQ(*decoded, row.value);
    EXPECT_EQ(term_writer().write(row.value).bytes(), row.bytes);
    EXPECT_EQ(to_string(row.value), row.text);
  }
}

TEST(Term, ReadsFormsThatAreWrittenOtherwise) {
  const row rows[] = {
      {"STRING_EXT", hex("6b 0003 616263"),
       list{{std::int64_t{97}, std::int64_t{98}, std::int64_t{99}}, nullptr}, "\"abc\""},
      {"list of no elements", hex("6c 00000000 6a"), list{}, "[]"},
      {"tail that is a list", hex("6c 00000001 77 01 61 6b 0001 05"),
       list{{atom{"a"}, std::int64_t{5}}, nullptr}, "[a,5]"},
      {"tail after no elements", hex("6c 00000000 61 07"), std::int64_t{7}, "7"},
      {"Latin-1 atom", hex("64 0001 f6"), atom{"ö"}, "'ö'"},
      {"small Latin-1 atom", hex("73 03 e5e4f6"), atom{"åäö"}, "'åäö'"},
      {"long UTF-8 atom", hex("76 0002 6f6b"), atom{"ok"}, "ok"},
      {"small number as a big one", hex("6e 01 01 05"), std::int64_t{-5}, "-5"},
      {"small number as a large big one", hex("6f 00000001 00 05"), opaque{hex("6f 00000001 00 05")},
       "#Integer<7 bytes>"},
      {"large tuple", hex("69 00000001 6a"), tuple{{list{}}}, "{[]}"},
      {"PID_EXT", hex("67") + g_atom + hex("00000009 00000001 02"), pid{"g@127.0.0.1", 9, 1, 2},
       "<g@127.0.0.1.9.1>"},
      {"NEW_REFERENCE_EXT", hex("72 0001") + g_atom + hex("01 00000007"), reference{"g@127.0.0.1", 1, {7}, 1},
       "#Ref<g@127.0.0.1.7>"},
      {"float as text", test::corpus("term").at("float_old"), -0.25, "-0.25"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    ASSERT_TRUE(check_term(row.bytes).has_value());
    const auto decoded = decode_term(row.bytes);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
    EXPECT_EQ(*decoded, row.value);
    EXPECT_EQ(to_string(*decoded), row.text);
  }
}

TEST(CheckedReader, GivesAShortAtomInPlaceAndNothingOfOneThatIsWrittenOtherwise) {
  const auto wide = hex("76 000b") + g_atom.substr(2), latin1 = hex("64 000b") + g_atom.substr(2);
  for (const auto& bytes : {wide, latin1, hex("61 05"), hex("68 00")}) {
    checked_reader in(bytes);
    EXPECT_FALSE(in.take_short_atom());
    EXPECT_EQ(in.position(), 0U);
    EXPECT_FALSE(in.failed());
  }
  checked_reader in(g_atom);
  const auto text = in.take_short_atom();
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "g@127.0.0.1");
  EXPECT_EQ(text->data(), g_atom.data() + 2);
  EXPECT_TRUE(in.at_end());
  EXPECT_FALSE(in.take_short_atom());
}

TEST(CheckedReader, GoesPastAnAtomOrAReferenceOnlyWhenItIsTheOneThatIsAskedFor) {
  const auto words = hex("6b02c883 00000001 00000002 00000003");
  const reference ref{"g@127.0.0.1", 0x6b02c883, {1, 2, 3}, 3};
  auto other_node = ref, other_creation = ref, other_word = ref, shorter = ref;
  other_node.node = "h@127.0.0.1";
  --other_creation.creation;
  ++other_word.ids[2];
  --shorter.length;
  const auto wide_atom = hex("76 000b") + g_atom.substr(2), latin1 = hex("64 000b") + g_atom.substr(2);
  for (const auto& node : {g_atom, wide_atom, latin1}) {
    const auto bytes = hex("68 02") + node + hex("5a 0003") + node + words;
    ASSERT_TRUE(check_term(bytes).has_value());
    checked_reader in(bytes);
    ASSERT_EQ(in.tuple_header(), 2U);
    EXPECT_FALSE(in.take_atom("g@127.0.0.2"));
    EXPECT_FALSE(in.take_reference(ref));
    ASSERT_TRUE(in.take_atom("g@127.0.0.1"));
    EXPECT_FALSE(in.take_atom("g@127.0.0.1"));
    for (const auto& other : {other_node, other_creation, other_word, shorter}) {
      EXPECT_FALSE(in.take_reference(other));
    }
    const auto before = in.position();
    auto copy = in;
    EXPECT_EQ(copy.reference(), ref);
    ASSERT_EQ(in.position(), before);
    ASSERT_TRUE(in.take_reference(ref));
    EXPECT_TRUE(in.at_end());
    EXPECT_FALSE(in.failed());
    EXPECT_FALSE(in.take_atom("g@127.0.0.1"));
    EXPECT_FALSE(in.take_reference(ref));
  }
}

TEST(Term, DecodingIsBoundedInMemory) {
  const std::string million = hex("6c 000ffffe") + std::string((1 << 20) - 2, 'j') + "j";
  ASSERT_TRUE(check_term(million).has_value());
  EXPECT_EQ(decode_term(million).error(), error::too_many_terms);
  std::string strings = hex("6c 00000005");  // each character of a string becomes a term
  for (int i = 0; i < 5; ++i) strings += hex("6b ffff") + std::string(65535, 'a');
  strings += "j";
  ASSERT_TRUE(check_term(strings).has_value());
  EXPECT_EQ(decode_term(strings).error(), error::too_many_terms);
  EXPECT_EQ(decode_term(hex("68 03 6a 6a 6a"), 3).error(), error::too_many_terms);
  EXPECT_TRUE(decode_term(hex("68 03 6a 6a 6a"), 4).has_value());
}

TEST(Term, DecodingRefusesWhatFollows) {
  EXPECT_EQ(decode_term(hex("6a 6a")).error(), error::trailing_bytes);
}

TEST(Term, InequalityIsSeen) {
  const auto tail = std::make_shared<const term>(atom{"b"});
  const auto other_tail = std::make_shared<const term>(atom{"c"});
  EXPECT_NE(term(list{{atom{"a"}}, tail}), term(list{{atom{"a"}}, nullptr}));
  EXPECT_NE(term(list{{atom{"a"}}, tail}), term(list{{atom{"a"}}, other_tail}));
  EXPECT_NE(term(atom{"a"}), term(binary{"a"}));
  EXPECT_NE(term(tuple{}), term(list{}));
}

// A list that is the tail of a list that is the tail of a list: one list, and the work of one.
TEST(CheckedReader, ReadsNothingBehindATagThatIsTheLastByte) {
  for (const char tag : {'h', 'a', 'n'}) {
    const std::vector<char> bytes{tag};  // exactly one byte, so that the sanitizer sees the second
    checked_reader tuple(byte_view(bytes.data(), 1));
    EXPECT_EQ(tuple.tuple_header(), 0U);
    EXPECT_TRUE(tuple.failed());
    checked_reader number(byte_view(bytes.data(), 1));
    EXPECT_EQ(number.integer(), 0);
    EXPECT_TRUE(number.failed());
  }
}

TEST(TermReader, ListsThatAreTailsOfListsAreNotCopiedAtEachLevel) {
  constexpr std::size_t levels = 250, many = 200'000;
  const auto element = hex("61 01");
  const auto list_of = [](std::size_t length) {
    std::string header = "l";
    for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(length >> shift);
    return header;
  };
  std::string elements;
  for (std::size_t i = 0; i < many; ++i) elements += element;
  std::string one_by_one;
  for (std::size_t i = 0; i < levels; ++i) one_by_one += list_of(1) + element;

  const auto timed = [](const std::string& bytes, std::size_t length) {
    const auto before = std::chrono::steady_clock::now();
    EXPECT_TRUE(check_term(bytes));
    const auto read = decode_term(bytes);
    EXPECT_TRUE(read && read->as<list>() != nullptr && read->as<list>()->items.size() == length);
    return std::chrono::steady_clock::now() - before;
  };
  const auto flat = timed(list_of(many) + elements + "j", many);
  EXPECT_LT(timed(one_by_one + list_of(many) + elements + "j", many + levels), 20 * flat);
  EXPECT_LT(timed(list_of(many) + elements + one_by_one + "j", many + levels), 20 * flat);
}

TEST(TermWriter, BuildsATermPieceByPiece) {
  term_writer out;
  out.version().map_header(2);
  out.atom("node").atom("a@b");
  out.atom("up").list_header(2).boolean(true).real(0.5).nil();
  EXPECT_EQ(out.bytes(), hex("83 74 00000002"
                             "   77 04 6e6f6465  77 03 614062"
                             "   77 02 7570      6c 00000002 77 04 74727565 46 3fe0000000000000 6a"));
  EXPECT_EQ(term_writer().list_header(0).nil().bytes(), hex("6a"));
  EXPECT_EQ(term_writer().raw(hex("61 05")).bytes(), hex("61 05"));
  EXPECT_EQ(term_writer().view().size(), 0U);
}

TEST(TermWriter, GrowsToLargeTerms) {
  const std::string data(3'000'000, 'x');
  term_writer out;
  out.list_header(3).binary(data).binary(data).binary(data).nil();
  EXPECT_EQ(out.view().size(), 3 * (data.size() + 5) + 5 + 1);
  EXPECT_EQ(check_term(out.view()).value(), out.view().size());
  auto moved = std::move(out);
  EXPECT_EQ(moved.view().size(), 3 * (data.size() + 5) + 5 + 1);
}

TEST(TermWriter, RefusesWhatErlangHasNoTermFor) {
  EXPECT_THROW(term_writer().atom(std::string(256, 'a')), std::invalid_argument);
  EXPECT_THROW(term_writer().atom("\xff"), std::invalid_argument);
  EXPECT_THROW(term_writer().real(std::numeric_limits<double>::infinity()), std::invalid_argument);
  EXPECT_THROW(term_writer().write(reference{"a@b", 1, {}, 0}), std::invalid_argument);
  EXPECT_THROW(term_writer().write(pid{std::string(2000, 'a'), 1, 1, 1}), std::invalid_argument);
  std::string widest;
  for (int i = 0; i < 255; ++i) widest += "😀";
  EXPECT_EQ(term_writer().atom(widest).view().size(), 3 + 255 * 4U);
}

TEST(TermText, IsCutAtTheLimitAndBetweenCharacters) {
  EXPECT_EQ(to_string(atom{"abcdefgh"}, 8), "abcdefgh");
  EXPECT_EQ(to_string(atom{"abcdefghi"}, 8), "abcdefgh...");
  EXPECT_EQ(to_string(atom{"ööö"}, 4), "'ö...");
  list numbers;
  for (int i = 0; i < 100'000; ++i) numbers.items.emplace_back(std::int64_t{1000});
  EXPECT_EQ(to_string(numbers, 10), "[1000,1000...");
}

TEST(TermText, EscapesWhatWouldBreakALogLine) {
  EXPECT_EQ(to_string(binary{"a\nb\"c"}), "<<\"a\\nb\\\"c\">>");
  EXPECT_EQ(to_string(atom{"it's"}), "'it\\'s'");
  EXPECT_EQ(to_string(atom{"\x1b[31m"}), "'\\x{1b}[31m'");
  EXPECT_EQ(to_string(binary{"h\xc3\xb6"}), "<<\"h\xc3\xb6\"/utf8>>");
}

// EXPORT_EXT: https://www.erlang.org/doc/apps/erts/erl_ext_dist.html#export_ext
TEST(TermWriter, WritesAFunOfAnotherModule) {
  term_writer out;
  out.external_fun("erlang", "send", 3);
  const auto bytes = out.bytes();
  EXPECT_EQ(bytes.front(), 'q');
  EXPECT_NE(bytes.find("erlang"), std::string::npos);
  EXPECT_EQ(bytes.substr(bytes.size() - 2), std::string("a\x03", 2)) << "SMALL_INTEGER_EXT 3";
  ASSERT_TRUE(check_term(bytes));
  const auto decoded = decode_term(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->as<opaque>() != nullptr) << "kept as it is";
}

TEST(TermWriter, WritesACharlist) {
  term_writer out;
  out.text("ab");
  const auto decoded = decode_term(out.bytes());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, term(list{{std::int64_t{'a'}, std::int64_t{'b'}}, nullptr}));
  term_writer none;
  none.text("");
  EXPECT_EQ(*decode_term(none.bytes()), term(list{}));
}

}  // namespace
}  // namespace rollcall::cnode
