// What goes out over a link with distribution headers, read back by what reads such links.
#include "cnode/message_writer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "cnode/byte_reader.hpp"
#include "cnode/message_reader.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"
#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode {
namespace {

using test::hex;

const pid us{"roll@127.0.0.1", 1, 0, 7}, them{"g@127.0.0.1", 2, 0, 9};
const reference call{"g@127.0.0.1", 9, {1, 2, 3}, 3};

byte_string sent(message_writer& writer, byte_view frames) {
  byte_string out;
  writer.append(out, frames);
  return out;
}

byte_string sent(message_writer& writer, const referring_term& term,
                 const control_message& as = control::send{them}) {
  byte_string out;
  writer.append_front(
      out, {encode_control(as, reason_place::behind), {}, std::make_shared<const referring_term>(term)});
  return out + term.bytes;
}

// Of one frame that the writer made, what its receiver reads.
byte_string payload_of(message_reader& reader, byte_view frame) {
  EXPECT_GE(frame.size(), 4U);
  const auto said = reader.take(frame.substr(4), frame.size() - 4, reasons::kept);
  EXPECT_TRUE(said.has_value()) << said.error().message();
  if (!said || !*said) return {};
  if (const auto* down = std::get_if<control::monitor_exit>(&(*said)->control)) {
    return down->reason.as<opaque>()->encoded;
  }
  return byte_string((*said)->payload);
}

byte_string atoms(std::size_t from, std::size_t to) {
  term_writer out;
  out.list_header(to - from);
  for (auto i = from; i < to; ++i) out.atom("atom" + std::to_string(i));
  return out.nil().bytes();
}

TEST(ReferringTerm, ReadsAsTheTermItIsOf) {
  const byte_string terms[] = {
      term_writer().integer(1).bytes(),
      term_writer().atom("alone").bytes(),
      term_writer().atom("").bytes(),
      term_writer().map_header(1).atom("k").write(us).bytes(),
      term_writer().tuple_header(2).write(call).external_fun("lists", "map", 2).bytes(),
      atoms(0, 20),
      atoms(0, 3'000),
      // ATOM_EXT and SMALL_ATOM_EXT, which are not UTF-8, are left as they are.
      hex("68 03 64 0001 e4 73 01 e4 77 01 61"),
      // A fun has its size in it.
      hex("70 00000036 01") + std::string(16, 'u') +
          hex("00000000 00000000 77 02 6869 61 00 61 00 58 77 02 6869 00000001 00000000 00000007"),
  };
  for (const auto& plain : terms) {
    ASSERT_EQ(check_term(plain).value(), plain.size());
    const auto referring = refer(plain);
    EXPECT_LE(referring.atoms.size(), 255U);
    EXPECT_LE(referring.bytes.size(), plain.size());
    message_writer writer;
    message_reader reader(false);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(payload_of(reader, sent(writer, referring)), plain);
    }
  }
}

TEST(MessageWriter, AnAtomGoesOutByNameOnce) {
  const auto plain = atoms(0, 100);
  const auto referring = refer(plain);
  ASSERT_GT(referring.atoms.size(), 90U);  // some share a slot
  message_writer writer;
  message_reader reader(false);
  const auto first = sent(writer, referring);
  const auto second = sent(writer, referring);
  EXPECT_NE(first.find("atom7"), byte_string::npos);
  EXPECT_LT(second.size() + 90 * 6, first.size());
  EXPECT_EQ(payload_of(reader, first), plain);
  EXPECT_EQ(payload_of(reader, second), plain);
}

// Terms that need the same slots by turns, and other frames between them.
TEST(MessageWriter, AnythingInAnyOrderReadsAsItWas) {
  std::mt19937 random(7);
  message_writer writer;
  message_reader reader(false);
  std::vector<byte_string> plain;
  std::vector<referring_term> referring;
  for (std::size_t i = 0; i < 40; ++i) {
    plain.push_back(atoms(i * 90, i * 90 + 1 + i * 8));
    referring.push_back(refer(plain.back()));
  }
  for (int i = 0; i < 300; ++i) {
    const auto which = random() % plain.size();
    const auto message = encode_message(control::send{them}, plain[which]);
    if (random() % 4 == 0) {
      EXPECT_EQ(payload_of(reader, sent(writer, message)), plain[which]);
    } else if (random() % 3 == 0) {
      byte_string frame;
      writer.append_referring(frame, message);
      ASSERT_EQ(payload_of(reader, frame), plain[which]) << i;
    } else {
      ASSERT_EQ(payload_of(reader, sent(writer, referring[which])), plain[which]) << i;
    }
  }
}

// For a peer that announced fragments and no atom cache.
TEST(MessageWriter, NamesNoAtomsWithoutTheCache) {
  message_writer writer(false);
  const auto frame = encode_message(control::reg_send{them, "rex"}, term_writer().atom("hello").view());
  byte_string expected, out;
  append_with_headers(expected, frame);
  for (int i = 0; i < 2; ++i) {
    writer.append_referring(out, frame);
    EXPECT_EQ(out.substr(4, 3), (byte_string{term_tag::version, 68, 0}));
    EXPECT_EQ(out, expected);
    out.clear();
  }
}

TEST(MessageWriter, AReasonGoesOutAsPayload) {
  const auto plain = atoms(0, 10);
  const auto referring = refer(plain);
  message_writer writer;
  message_reader reader(false);
  auto out = sent(writer, encode_message(control::spawn_reply{call, them, 2, us})) +
             sent(writer, referring, control::monitor_exit{us, them, call, {}}) +
             sent(writer, byte_string(tick_frame));
  const auto next = [&] {
    byte_view rest = out;
    std::size_t length = 0;
    for (int i = 0; i < 4; ++i)
      length = length << 8U | static_cast<std::uint8_t>(rest[static_cast<std::size_t>(i)]);
    auto frame = out.substr(0, 4 + length);
    out.erase(0, frame.size());
    return frame;
  };
  const auto reply = next();
  const auto said = reader.take(byte_view(reply).substr(4), reply.size() - 4, reasons::kept);
  ASSERT_TRUE(said.has_value() && said->has_value());
  EXPECT_TRUE(std::holds_alternative<control::spawn_reply>((*said)->control));
  EXPECT_EQ(payload_of(reader, next()), plain);
  EXPECT_EQ(next(), tick_frame);
  EXPECT_TRUE(out.empty());
}

TEST(MessageWriter, TextsLongerThanAByteSays) {
  std::string longest;
  for (int i = 0; i < 255; ++i) longest += "\xf0\x90\x8d\x88";
  const auto plain = term_writer().tuple_header(2).atom(longest).atom("short").bytes();
  const auto referring = refer(plain);
  message_writer writer;
  message_reader reader(false);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(payload_of(reader, sent(writer, referring)), plain);
  }
}

// What an answer has besides its value: the names of both nodes, again and again.
TEST(MessageWriter, SmallMessagesReferToTheirAtomsToo) {
  message_writer writer;
  message_reader reader(false);
  const control::spawn_reply reply{call, them, 2, us};
  const auto frames = encode_message(reply) + byte_string(tick_frame);
  std::vector<byte_string> made(3);
  for (auto& each : made) {
    writer.append_referring(each, frames);
    ASSERT_TRUE(each.ends_with(tick_frame));
    const auto frame = byte_view(each).substr(4, each.size() - 8);
    const auto said = reader.take(frame, frame.size(), reasons::kept);
    ASSERT_TRUE(said.has_value() && said->has_value());
    EXPECT_EQ(encode_message((*said)->control), encode_message(reply));
  }
  EXPECT_NE(made[0].find("roll@127.0.0.1"), byte_string::npos);
  EXPECT_EQ(made[1].find("@127.0.0.1"), byte_string::npos);
  EXPECT_EQ(made[1], made[2]);
  EXPECT_LT(made[1].size() + 20, frames.size());
}

// An error holds what the caller sent, and deeper than it came: what was just not too deep then is.
TEST(MessageWriter, WhatIsNestedTooDeepToBeReadGoesOutAsItIs) {
  for (std::size_t depth = 240; depth < 270; ++depth) {
    term_writer nested;
    for (std::size_t i = 0; i < depth; ++i) nested.tuple_header(1);
    const auto reason = nested.integer(7).bytes();
    message_writer writer;
    byte_string out;
    writer.append_referring(out, encode_message(control::monitor_exit{us, them, call, term(opaque{reason})}));
    ASSERT_GT(out.size(), 4U);
    byte_reader in(out);
    EXPECT_EQ(in.u32(), out.size() - 4) << depth;
    EXPECT_TRUE(out.ends_with(reason)) << depth;
  }
}

TEST(MessageWriter, WhatStandsBeforeATermRefersToItsAtoms) {
  const auto term = std::make_shared<const referring_term>(refer(atoms(0, 50)));
  message_writer writer;
  message_reader reader(false);
  const auto front = term_writer().tuple_header(2).atom("atom3").bytes();
  for (int i = 0; i < 2; ++i) {
    byte_string out;
    writer.append_front(out, {encode_control(control::send{them}, reason_place::in_control), front, term});
    EXPECT_EQ(i > 0, out.find("g@127.0.0.1") == byte_string::npos);
    EXPECT_EQ(payload_of(reader, out + term->bytes), front + atoms(0, 50));
  }
}

TEST(ReferringTerms, AreMadeForWhatIsAskedForAgain) {
  referring_terms terms;
  const auto answer = std::make_shared<const byte_string>(atoms(0, 1'000));
  EXPECT_EQ(terms.of(answer), nullptr);
  const auto made = terms.of(answer);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(terms.of(answer), made);
  const auto small = std::make_shared<const byte_string>(atoms(0, 2));
  EXPECT_EQ(terms.of(small), nullptr);
  EXPECT_EQ(terms.of(small), nullptr);
  EXPECT_EQ(terms.of(nullptr), nullptr);
  // Others come and go meanwhile.
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(terms.of(std::make_shared<const byte_string>(atoms(0, 1'000))), nullptr);
}

}  // namespace
}  // namespace rollcall::cnode
