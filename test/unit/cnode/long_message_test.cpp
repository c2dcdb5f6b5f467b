// A message that goes out in turns, read back by what reads such links.
#include "cnode/long_message.hpp"

#include <gtest/gtest.h>

#include "cnode/message_reader.hpp"

namespace rollcall::cnode {
namespace {

const pid us{"roll@127.0.0.1", 1, 0, 7}, them{"g@127.0.0.1", 2, 0, 9};
const reference call{"g@127.0.0.1", 9, {1, 2, 3}, 3};

// Pieces of a list of {AtomI, I}: more atoms than a message may refer to.
std::shared_ptr<const long_value> list_in(std::size_t pieces) {
  constexpr std::size_t of_a_piece = 100;
  auto made = std::make_shared<long_value>();
  for (std::size_t i = 0; i < 400; ++i)
    made->atoms.push_back(term_writer().atom("atom" + std::to_string(i)).bytes());
  made->pieces = pieces;
  made->append = [pieces](std::size_t piece, std::span<const byte_string> atoms, byte_string& to) {
    term_writer out;
    if (piece == 0) out.list_header(pieces * of_a_piece);
    for (std::size_t i = 0; i < of_a_piece; ++i) {
      const auto number = piece * of_a_piece + i;
      out.tuple_header(2).raw(atoms[number % atoms.size()]).integer(static_cast<std::int64_t>(number));
    }
    if (piece + 1 == pieces) out.nil();
    to.append(out.view());
  };
  return made;
}

byte_string whole(const long_value& value) {
  byte_string all;
  for (std::size_t i = 0; i < value.pieces; ++i) value.append(i, value.atoms, all);
  return all;
}

long_message sent_to_them(std::shared_ptr<const long_value> value) {
  return {encode_control(control::send{them}, reason_place::in_control),
          term_writer().tuple_header(2).atom("reply").bytes(), std::move(value)};
}
byte_string read_as(const long_value& value) {
  return term_writer().tuple_header(2).atom("reply").raw(whole(value)).bytes();
}

// The frames that were made, without their lengths.
std::vector<byte_string> frames_of(byte_view bytes) {
  std::vector<byte_string> all;
  while (bytes.size() >= 4) {
    std::array<std::uint8_t, 4> prefix{};
    std::copy_n(bytes.begin(), 4, prefix.begin());
    const auto length = frame_length(prefix).value();
    all.emplace_back(bytes.substr(4, length));
    EXPECT_EQ(all.back().size(), length);
    bytes.remove_prefix(std::min(bytes.size(), 4 + length));
  }
  EXPECT_TRUE(bytes.empty());
  return all;
}

byte_string written(long_writing writing) {
  byte_string all;
  while (!writing.over()) writing.turn(all);
  return all;
}

// Of the message whose last frame this is.
byte_string payload_of(message_reader& reader, byte_view frame) {
  const auto said = reader.take(frame, frame.size(), reasons::kept);
  EXPECT_TRUE(said.has_value()) << said.error().message();
  if (!said || !*said) return {};
  if (const auto* down = std::get_if<control::monitor_exit>(&(*said)->control))
    return down->reason.as<opaque>()->encoded;
  return byte_string((*said)->payload);
}

// For a peer that announced fragments and no atom cache.
TEST(LongMessage, NamesNoAtomsWithoutTheCache) {
  message_writer writer(false);
  message_reader reader(true);
  const auto value = list_in(7);
  const auto frames = frames_of(written({sent_to_them(value), &writer, 1}));
  ASSERT_EQ(frames.size(), 7U);
  constexpr std::size_t number_of_atoms = 18;
  EXPECT_EQ(frames[0].at(number_of_atoms), '\0');
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) EXPECT_EQ(payload_of(reader, frames[i]), "");
  EXPECT_EQ(payload_of(reader, frames.back()), read_as(*value));
}

TEST(LongMessage, IsAFrameWhereThereAreNoHeaders) {
  for (const std::size_t pieces : {1, 7}) {
    const auto value = list_in(pieces);
    const auto frames = frames_of(written({sent_to_them(value), nullptr, 1}));
    ASSERT_EQ(frames.size(), 1U);
    const auto said = parse_message(frames[0]);
    ASSERT_TRUE(said.has_value()) << said.error().message();
    EXPECT_EQ(std::get<control::send>(said->control).to, them);
    EXPECT_EQ(said->payload, read_as(*value));
  }
}

TEST(LongMessage, IsAFrameThatRefersToItsAtomsWhereThereAreHeadersAlone) {
  message_writer writer;
  message_reader reader(false);
  const auto value = list_in(7);
  std::size_t size = SIZE_MAX;
  for (int i = 0; i < 2; ++i) {
    const auto frames = frames_of(written({sent_to_them(value), &writer, std::nullopt}));
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(payload_of(reader, frames[0]), read_as(*value));
    EXPECT_LT(frames[0].size(), size) << "the second time its atoms are known";
    size = frames[0].size();
  }
}

TEST(LongMessage, IsFragmentsBetweenWhichOtherFramesGo) {
  message_writer writer;
  message_reader reader(true);
  const auto value = list_in(7), other = list_in(3);
  long_writing one(sent_to_them(value), &writer, 1), two(sent_to_them(other), &writer, 2);
  byte_string small;
  writer.append(small, encode_message(control::send{them}, term_writer().atom("between").view()));
  std::vector<byte_string> read;
  const auto take = [&](byte_view bytes) {
    for (const auto& frame : frames_of(bytes)) {
      if (frame.empty()) continue;
      if (auto payload = payload_of(reader, frame); !payload.empty()) read.push_back(std::move(payload));
    }
  };
  while (!one.over() || !two.over()) {
    EXPECT_FALSE(one.inside_frame() || two.inside_frame());
    byte_string made;
    if (!one.over()) one.turn(made);
    if (!two.over()) two.turn(made);
    EXPECT_LT(made.size(), 10'000U);
    take(made + byte_string(tick_frame) + small);
  }
  ASSERT_EQ(read.size(), 9U);
  std::erase(read, term_writer().atom("between").bytes());
  EXPECT_EQ(read, (std::vector{read_as(*other), read_as(*value)}));
  EXPECT_EQ(reader.open_sequences(), 0U);
}

// The reason of a MONITOR_P_EXIT is no payload, where that was not agreed on.
TEST(LongMessage, WhoseValueEndsTheControlMessageIsAFrame) {
  const auto value = list_in(3);
  const control::monitor_exit down{us, them, call, opaque{term_writer().tuple_header(1).bytes()}};
  const long_message message{encode_control(down, reason_place::in_control), {}, value};
  const auto expected = term_writer().tuple_header(1).raw(whole(*value)).bytes();
  message_writer writer;
  message_reader reader(true);
  const auto with_header = frames_of(written({message, &writer, 1}));
  ASSERT_EQ(with_header.size(), 1U);
  EXPECT_EQ(payload_of(reader, with_header[0]), expected);
  const auto plain = frames_of(written({message, nullptr, std::nullopt}));
  const auto said = parse_message(plain.at(0), reasons::kept);
  ASSERT_TRUE(said.has_value()) << said.error().message();
  EXPECT_EQ(std::get<control::monitor_exit>(said->control).reason.as<opaque>()->encoded, expected);
}

// What the link asks of it to know where other frames may go.
TEST(LongMessage, IsInsideItsFrameFromTheFirstByteToTheLast) {
  long_writing writing(sent_to_them(list_in(3)), nullptr, std::nullopt);
  byte_string made;
  for (int i = 0; i < 3; ++i) {
    writing.turn(made);
    EXPECT_TRUE(made.empty());
    EXPECT_FALSE(writing.inside_frame() || writing.over());
  }
  for (int i = 0; i < 2; ++i) {
    writing.turn(made);
    EXPECT_TRUE(writing.inside_frame());
  }
  writing.turn(made);
  EXPECT_TRUE(writing.over() && !writing.inside_frame());
}

}  // namespace
}  // namespace rollcall::cnode
