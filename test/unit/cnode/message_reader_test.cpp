// What comes in over a link with distribution headers: the header, the atom cache, fragments; annotated
// bytes, and what OTP 25 sent (test/fuzz/corpus/header).
#include "cnode/message_reader.hpp"

#include <gtest/gtest.h>

#include "cnode/byte_reader.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"
#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode {
namespace {

using test::hex;

// {2, '', <hi.1.0>} and the payload `hi`.
//   131 68 | N | flags: 8 (new, segment 0), 9 (new, segment 1), 0 | index, length, text | index, length, text
const std::string introduced = hex("83 44 02 98 00  00 00  05 02 6869") +
                               hex("68 03 61 02 52 00 58 52 01 00000001 00000000 00000007  52 01");
// The same with both atoms in the cache: 0 (segment 0), 1 (segment 1).
const std::string referred =
    hex("83 44 02 10 00  00  05") + hex("68 03 61 02 52 00 58 52 01 00000001 00000000 00000007  52 01");
const std::string hi = hex("77 02 6869");

using taken = result<std::optional<message>>;

taken take(message_reader& reader, byte_view frame) {
  return reader.take(frame, frame.size(), reasons::kept);
}

std::string fragment(int tag, std::uint64_t sequence, std::uint64_t number, byte_view bytes) {
  byte_string out{term_tag::version, static_cast<char>(tag)};
  put_number(out, sequence, 8);
  put_number(out, number, 8);
  return out.append(bytes);
}
std::string first(std::uint64_t sequence, std::uint64_t number, byte_view bytes) {
  return fragment(69, sequence, number, bytes);
}
std::string later(std::uint64_t sequence, std::uint64_t number, byte_view bytes) {
  return fragment(70, sequence, number, bytes);
}

void expect_hi(const taken& said) {
  ASSERT_TRUE(said.has_value()) << said.error().message();
  ASSERT_TRUE(said->has_value());
  const auto* to = std::get_if<control::send>(&(*said)->control);
  ASSERT_NE(to, nullptr);
  EXPECT_EQ(to->to, (pid{"hi", 1, 0, 7}));
  EXPECT_EQ((*said)->payload, hi);
}

TEST(DistributionHeader, AtomsAreKnownFromTheFrameThatBringsThem) {
  message_reader reader(true);
  expect_hi(take(reader, introduced));
  expect_hi(take(reader, referred));
}

TEST(DistributionHeader, ANewAtomTakesTheSlotOfAnOlderOne) {
  message_reader reader(true);
  ASSERT_TRUE(take(reader, introduced).has_value());
  // segment 1, index 5: now `ho`; then both old again.
  const auto body = hex("68 03 61 02 52 00 58 52 01 00000001 00000000 00000007  52 01");
  const auto replaced = take(reader, hex("83 44 02 90 00  00  05 02 686f") + body);
  ASSERT_TRUE(replaced.has_value() && replaced->has_value());
  EXPECT_EQ((*replaced)->payload, hex("77 02 686f"));
  const auto after = take(reader, referred);
  ASSERT_TRUE(after.has_value() && after->has_value());
  EXPECT_EQ((*after)->payload, hex("77 02 686f"));
}

TEST(DistributionHeader, OneFrameMayNameASlotTwice) {
  message_reader reader(true);
  // Three references to one slot: as it is put there, as it is then, and as another one is put there.
  const auto said = take(reader, hex("83 44 03 08 08  05 01 61  05  05 01 62") +
                                     hex("68 03 61 02 77 00 58 52 00 00000001 00000000 00000007") +
                                     hex("68 03 52 00 52 01 52 02"));
  ASSERT_TRUE(said.has_value()) << said.error().message();
  EXPECT_EQ((*said)->payload, hex("68 03 77 01 61 77 01 61 77 01 62"));
}

TEST(DistributionHeader, TwoHundredAndFiftyFiveAtomsWithLongTexts) {
  std::string longest;
  for (int i = 0; i < 255; ++i) longest += "\xf0\x90\x8d\x88";
  // 255 new ones in segment 0, LongAtoms.
  std::string frame = hex("83 44 ff") + std::string(127, '\x88') + hex("18");
  for (int i = 0; i < 255; ++i) {
    frame.push_back(static_cast<char>(i));
    frame += hex("03fc") + longest;
  }
  ASSERT_EQ(frame.size() + 16, max_distribution_header);
  frame += hex("68 03 61 02 77 00 58 77 02 6869 00000001 00000000 00000007  52 fe");
  message_reader reader(true);
  const auto said = take(reader, frame);
  ASSERT_TRUE(said.has_value()) << said.error().message();
  EXPECT_EQ((*said)->payload, hex("76 03fc") + longest);
}

TEST(DistributionHeader, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < introduced.size(); ++size) {
    message_reader reader(true);
    EXPECT_FALSE(take(reader, byte_view(introduced).substr(0, size)).has_value()) << size;
  }
  for (const auto& [name, frames] : test::corpus("header")) {
    if (name.substr(0, 4) != "otp2") continue;
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(frames[0]) << 8U |
                                                 static_cast<std::uint8_t>(frames[1]));
    for (std::size_t size = 0; size < length; ++size) {
      message_reader reader(true);
      EXPECT_FALSE(take(reader, byte_view(frames).substr(2, size)).has_value()) << name << ' ' << size;
    }
  }
}

TEST(DistributionHeader, RefusesWithTheRightReason) {
  const auto body = hex("68 03 61 02 77 00 58 77 02 6869 00000001 00000000 00000007");
  struct row {
    const char* name;
    std::string frame;
    error expected;
  };
  const row rows[] = {
      {"a frame without a header", hex("70 83 68 00"), error::bad_header},
      {"another version", hex("82 44 00") + body, error::bad_header},
      {"another tag", hex("83 43 00") + body, error::bad_header},
      {"a compressed one", hex("83 50 00"), error::bad_header},
      {"a slot nobody filled", hex("83 44 01 00 05") + body + hex("52 00"), error::bad_header},
      {"a slot that is filled by a later reference", hex("83 44 02 80 00 05 05 01 61") + body + hex("52 00"),
       error::bad_header},
      {"text that is not UTF-8", hex("83 44 01 08 05 01 ff") + body + hex("52 00"), error::bad_header},
      {"text of 256 characters", hex("83 44 01 18 05 0100") + std::string(256, 'a') + body + hex("52 00"),
       error::bad_header},
      {"text beyond the end", hex("83 44 01 08 05 ff 61"), error::bad_header},
      {"an entry the table does not have", hex("83 44 01 08 05 01 61") + body + hex("52 01"),
       error::bad_header},
      {"an entry of no table", hex("83 44 00") + body + hex("52 00"), error::bad_header},
      {"a version byte before the control message", hex("83 44 00 83") + body + hex("61 01"),
       error::unknown_tag},
      {"a version byte before the payload", hex("83 44 00") + body + hex("83 61 01"), error::unknown_tag},
      {"two payloads", hex("83 44 00") + body + hex("61 01 61 01"), error::trailing_bytes},
      {"a node's name with a zero",
       hex("83 44 01 08 05 02 6100") + hex("68 03 61 02 77 00 58 52 00 00000001 00000000 00000007 61 01"),
       error::bad_term},
      {"a fragment with the number 0", first(1, 0, hex("00") + body + hex("61 01")), error::bad_fragment},
  };
  for (const auto& row : rows) {
    message_reader reader(true);
    const auto said = take(reader, row.frame);
    ASSERT_FALSE(said.has_value()) << row.name;
    EXPECT_EQ(said.error(), row.expected) << row.name << ": " << said.error().message();
  }
}

// The atoms of a header that is wrong further on are in no slot.
TEST(DistributionHeader, AWrongOneChangesNothing) {
  atom_cache cache;
  atom_table atoms;
  EXPECT_FALSE(read_distribution_header(hex("83 44 02 88 00  01 01 61  02 01 ff"), cache, atoms).has_value());
  EXPECT_FALSE(cache.find(1).has_value());
  EXPECT_EQ(atoms.size(), 0U);
}

// NEW_FUN_EXT has its size in it, which grows with the atoms: here module `hi`, and its node, are references.
TEST(DistributionHeader, AFunIsAsLongAsItsAtomsMakeIt) {
  const auto fun = [](const std::string& atom_bytes, std::uint32_t size) {
    byte_string out = hex("70");
    put_number(out, size, 4);
    out += hex("01") + std::string(16, 'u') + hex("00000000 00000001") + atom_bytes + hex("61 00 61 00 58") +
           atom_bytes + hex("00000001 00000000 00000007") + atom_bytes;
    return out;
  };
  const auto referring = fun(hex("52 00"), 4 + 1 + 16 + 8 + 2 + 4 + 1 + 2 + 12 + 2);
  const auto written = fun(hi, 4 + 1 + 16 + 8 + 4 + 4 + 1 + 4 + 12 + 4);
  ASSERT_EQ(check_term(written).value(), written.size());
  message_reader reader(true);
  const auto body = hex("68 03 61 02 77 00 58 77 02 6869 00000001 00000000 00000007");
  const auto said = take(reader, hex("83 44 01 08 05 02 6869") + body + hex("68 02") + referring + referring);
  ASSERT_TRUE(said.has_value()) << said.error().message();
  EXPECT_EQ((*said)->payload, hex("68 02") + written + written);
}

// A reference of two bytes becomes an atom of a thousand: what comes of a frame is bounded like a frame.
TEST(DistributionHeader, WhatIsWrittenOutIsBoundedLikeAFrame) {
  std::string longest;
  for (int i = 0; i < 255; ++i) longest += "\xf0\x90\x8d\x88";
  constexpr std::uint32_t elements = 10'000;
  byte_string frame = hex("83 44 01 18 05 03fc") + longest +
                      hex("68 04 61 06 58 77 02 6869 00000001 00000000 00000007 77 00 77 08") + "rollcall";
  frame += hex("68 03 77 09") + "$gen_call" + hex("68 02 58 77 02 6869 00000001 00000000 00000007 61 2a 6c");
  put_number(frame, elements, 4);
  for (std::uint32_t i = 0; i < elements; ++i) frame += hex("52 00");
  frame += hex("6a");
  message_reader reader(true);
  const auto said = take(reader, frame);
  ASSERT_TRUE(said.has_value()) << said.error().message();
  EXPECT_TRUE((*said)->payload_skipped);
  EXPECT_LE(reader.footprint(), 2 * max_frame_size);
  const auto caller = read_call_front((*said)->payload);
  ASSERT_TRUE(caller.has_value());
  EXPECT_EQ(caller->caller, (pid{"hi", 1, 0, 7}));
  reader.rest();
  EXPECT_LT(reader.footprint(), 16'384U);
}

TEST(Fragments, MakeOneMessageWhereverTheyAreCut) {
  const auto header = introduced.substr(2, 9);  // N, flags, references
  const auto whole = introduced.substr(11);
  const std::size_t control = whole.size() - 2;
  for (std::size_t one = control; one <= whole.size(); ++one) {
    for (std::size_t two = one; two <= whole.size(); ++two) {
      message_reader reader(true);
      const auto begun = take(reader, first(7, 3, header + whole.substr(0, one)));
      ASSERT_TRUE(begun.has_value() && !begun->has_value());
      const auto continued = take(reader, later(7, 2, byte_view(whole).substr(one, two - one)));
      ASSERT_TRUE(continued.has_value() && !continued->has_value());
      EXPECT_EQ(reader.open_sequences(), 1U);
      expect_hi(take(reader, later(7, 1, byte_view(whole).substr(two))));
      EXPECT_EQ(reader.open_sequences(), 0U);
    }
  }
}

TEST(Fragments, OneAloneIsAMessage) {
  message_reader reader(true);
  expect_hi(take(reader, first(7, 1, introduced.substr(2))));
}

// The atoms of a sequence are those of its first fragment, whatever the cache has by then.
TEST(Fragments, KeepTheTableOfTheirFirst) {
  message_reader reader(true);
  const auto whole = introduced.substr(2);
  ASSERT_TRUE(take(reader, first(7, 2, whole.substr(0, whole.size() - 2))).has_value());
  const auto body = hex("68 03 61 02 77 00 58 77 02 6869 00000001 00000000 00000007");
  ASSERT_TRUE(take(reader, hex("83 44 02 98 00  00 01 61  05 02 686f") + body + hex("52 01")).has_value());
  expect_hi(take(reader, later(7, 1, byte_view(whole).substr(whole.size() - 2))));
}

TEST(Fragments, OfSeveralSequencesMayAlternate) {
  message_reader reader(true);
  const auto whole = introduced.substr(2);
  const auto half = whole.size() - 1;
  constexpr std::uint64_t count = max_open_sequences;
  for (std::uint64_t i = 0; i < count; ++i) {
    ASSERT_TRUE(take(reader, first(i, 2, byte_view(whole).substr(0, half))).has_value());
  }
  EXPECT_EQ(reader.open_sequences(), count);
  expect_hi(take(reader, introduced));
  for (std::uint64_t i = count; i-- > 0;) expect_hi(take(reader, later(i, 1, byte_view(whole).substr(half))));
  EXPECT_EQ(reader.open_sequences(), 0U);
}

TEST(Fragments, RefusesWhatIsNotDue) {
  const auto whole = introduced.substr(2);
  const auto refused = [&](const std::string& then) {
    message_reader reader(true);
    EXPECT_TRUE(take(reader, first(7, 3, whole.substr(0, whole.size() - 2))).has_value());
    const auto said = take(reader, then);
    return !said.has_value() && said.error() == error::bad_fragment;
  };
  EXPECT_TRUE(refused(later(8, 2, "")));                                  // of no sequence
  EXPECT_TRUE(refused(later(7, 3, "")));                                  // repeated
  EXPECT_TRUE(refused(later(7, 1, "")));                                  // one left out
  EXPECT_TRUE(refused(later(7, 4, "")));                                  // greater
  EXPECT_TRUE(refused(later(7, 0, "")));                                  // none
  EXPECT_TRUE(refused(first(7, 3, whole)));                               // begun twice
  EXPECT_FALSE(refused(later(7, 2, "")));                                 // empty, and due
  EXPECT_FALSE(refused(first(8, 3, whole.substr(0, whole.size() - 2))));  // another sequence
}

TEST(Fragments, OneSequenceTooManyIsRefused) {
  message_reader reader(true);
  const auto whole = introduced.substr(2);
  for (std::uint64_t i = 0; i < max_open_sequences; ++i)
    ASSERT_TRUE(take(reader, first(i, 2, whole)).has_value());
  const auto said = take(reader, first(max_open_sequences, 2, whole));
  ASSERT_FALSE(said.has_value());
  EXPECT_EQ(said.error(), error::bad_fragment);
}

TEST(Fragments, AreRefusedWhereTheyWereNotAnnounced) {
  message_reader reader(false);
  EXPECT_TRUE(take(reader, introduced).has_value());
  EXPECT_EQ(take(reader, first(7, 1, introduced.substr(2))).error(), error::bad_fragment);
}

// | 'p' | is a call to a process with a payload of 9 MiB in fragments of a MiB: too large to be kept, and
// still its caller is known.
TEST(Fragments, OfAMessageThatIsTooLargeOnlyTheBeginningIsKept) {
  byte_string front =
      hex("00") + hex("68 04 61 06 58 77 02 6869 00000001 00000000 00000007 77 00 77 08") + "rollcall";
  front += hex("68 03 77 09") + "$gen_call" +
           hex("68 02 58 77 02 6869 00000001 00000000 00000007 61 2a 6d 00900000");
  const std::string part(1U << 20U, 'x');
  message_reader reader(true);
  ASSERT_TRUE(take(reader, first(1, 10, front)).has_value());
  std::size_t most = 0;
  for (std::uint64_t number = 9; number > 1; --number) {
    ASSERT_TRUE(take(reader, later(1, number, part)).has_value());
    most = std::max(most, reader.footprint());
  }
  EXPECT_LT(reader.footprint(), 2 * skipped_frame_head + 4096);
  EXPECT_LT(most, 3 * max_frame_size);
  const auto said = take(reader, later(1, 1, part));
  ASSERT_TRUE(said.has_value()) << said.error().message();
  ASSERT_TRUE(said->has_value());
  EXPECT_TRUE((*said)->payload_skipped);
  ASSERT_TRUE(read_call_front((*said)->payload).has_value());
}

TEST(Fragments, BeyondWhatIsReadPastAreRefused) {
  message_reader reader(true);
  ASSERT_TRUE(take(reader, first(1, 1'000, hex("00 68 03 61 02"))).has_value());
  const std::size_t part = 8U << 20U;
  std::uint64_t number = 999;
  taken said = std::nullopt;
  while (number > 900 && said) {
    const auto beginning = later(1, number--, "");
    said = reader.take(beginning, beginning.size() + part, reasons::kept);
  }
  EXPECT_EQ(said.error(), error::bad_fragment);
  EXPECT_EQ(999 - number, max_skipped_frame_size / part);
}

// The answer of a call of ours that is too large closes the link, as it does without fragments.
TEST(Fragments, ALateAnswerThatIsTooLarge) {
  const auto pid_of = hex("58 77 02 6869 00000001 00000000 00000007");
  const auto ref = hex("5a 0001 77 02 6869 00000007 00000001");
  byte_string front = hex("00 68 04 61 1c") + pid_of + pid_of + ref + hex("6d 00900000");
  message_reader reader(true);
  ASSERT_TRUE(take(reader, first(1, 2, front)).has_value());
  const auto said = take(reader, later(1, 1, std::string(9U << 20U, 'x')));
  ASSERT_FALSE(said.has_value());
  EXPECT_EQ(said.error(), error::frame_too_large);
}

// A frame above max_frame_size is not kept, but what its header puts into the cache counts.
TEST(DistributionHeader, OfAFrameThatIsTooLargeIsRead) {
  message_reader reader(true);
  const auto head = introduced + std::string(message_reader::kept_head - introduced.size(), 'x');
  const auto said = reader.take(head, max_frame_size + 1, reasons::kept);
  ASSERT_TRUE(said.has_value()) << said.error().message();
  EXPECT_TRUE((*said)->payload_skipped);
  expect_hi(take(reader, referred));
}

TEST(AtomCache, HoldsWhatWasPutLastIntoEachSlot) {
  atom_cache cache;
  const auto text = [](int slot, int round) {
    auto out = std::to_string(slot) + "/" + std::to_string(round);
    return out.append(static_cast<std::size_t>((slot * 7 + round * 13) % 200), 'x');
  };
  for (int round = 0; round < 20; ++round) {
    for (int slot = 0; slot < 2048; slot += 1 + round)
      cache.put(static_cast<std::uint16_t>(slot), text(slot, round));
  }
  for (int slot = 0; slot < 2048; ++slot) {
    int last = 0;
    for (int round = 0; round < 20; ++round) {
      if (slot % (1 + round) == 0) last = round;
    }
    EXPECT_EQ(cache.find(static_cast<std::uint16_t>(slot)), text(slot, last)) << slot;
  }
  EXPECT_LT(cache.footprint(), 2048U * 300U * 3U);
}

TEST(AtomCache, WhatIsOverwrittenIsGivenBack) {
  atom_cache cache;
  for (int i = 0; i < 10'000; ++i) cache.put(5, std::string(1'000, static_cast<char>('a' + i % 26)));
  EXPECT_LT(cache.footprint(), 16'384U);
}

// What a node that announced no headers gets is what encode_message gives; here it is, and nothing else.
TEST(DistributionHeader, OursIsTheSmallestThereIs) {
  const pid to{"hi", 1, 0, 7};
  byte_string sent;
  append_with_headers(sent, encode_message(control::send{to}, hex("61 01")) + std::string(tick_frame) +
                                encode_message(control::link{to, to}));
  const auto pid_of = hex("58 77 02 6869 00000001 00000000 00000007");
  EXPECT_EQ(sent, hex("0000001c 83 44 00 68 03 61 02 77 00") + pid_of + hex("61 01") + hex("00000000") +
                      hex("00000029 83 44 00 68 03 61 01") + pid_of + pid_of);
}

}  // namespace
}  // namespace rollcall::cnode
