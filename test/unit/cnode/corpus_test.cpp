// The fuzzers' corpora, replayed; and every file of them cut at every length and changed in every single
// byte.
#include <gtest/gtest.h>

#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"
#include "test/fuzz/decoders.hpp"
#include "test/fuzz/linked_peer.hpp"
#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode {
namespace {

using decoder = void (*)(byte_view);

void replay(const std::string& folder, decoder decode) {
  std::size_t inputs = 0;
  for (const auto& [name, bytes] : test::corpus(folder)) {
    SCOPED_TRACE(name);
    // Exact-size copies, so that a sanitizer sees the first byte read past the end.
    const auto run = [&](byte_view input) {
      const std::vector<char> copy(input.begin(), input.end());
      decode({copy.data(), copy.size()});
      ++inputs;
    };
    run(bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) run(byte_view(bytes).substr(0, size));
    if (bytes.size() > 400) continue;
    const bool every_value = bytes.size() <= 80;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      auto changed = bytes;
      for (int i = 0; i < (every_value ? 256 : 8); ++i) {
        changed[at] = static_cast<char>(every_value ? i : bytes[at] ^ (1 << i));
        run(changed);
      }
    }
  }
  EXPECT_GT(inputs, 1000U);
}

TEST(Corpus, Term) {
  replay("term", fuzz::term);
}
TEST(Corpus, Message) {
  replay("message", fuzz::message);
}
TEST(Corpus, Header) {
  replay("header", fuzz::headers);
}
TEST(Corpus, Handshake) {
  replay("handshake", fuzz::handshake);
}
TEST(Corpus, PortMapper) {
  replay("epmd", fuzz::port_mapper);
}

// | 'p' | 131 | control | [131 | payload] | as | 131 | 68 | 0 | control | [payload] |
byte_string with_header(byte_view frame) {
  if (frame.size() < 2 || frame[0] != 'p') return byte_string(frame);
  const auto terms = frame.substr(2);
  const auto control = check_term(terms);
  byte_string made{term_tag::version, 68, 0};
  made += terms.substr(0, control ? *control : terms.size());
  if (control && terms.size() > *control) made += terms.substr(*control + 1);
  return made;
}

// What each frame says does not depend on how the link writes it.
TEST(Corpus, AMessageSaysTheSameWithAHeader) {
  std::size_t said = 0;
  for (const auto& [name, frame] : test::corpus("message")) {
    SCOPED_TRACE(name);
    if (frame.empty()) continue;
    const auto plain = parse_message(frame);
    message_reader reader(true);
    const auto framed = with_header(frame);
    const auto headed = reader.take(framed, framed.size(), reasons::decoded);
    ASSERT_EQ(plain.has_value(), headed.has_value());
    if (!plain) continue;
    ASSERT_TRUE(headed->has_value());
    EXPECT_EQ(plain->control.index(), (*headed)->control.index());
    EXPECT_EQ(plain->payload, (*headed)->payload);
    ++said;
  }
  EXPECT_GT(said, 10U);
}

// Whole, ended at some places, and with a byte changed at some.
std::size_t replay_link(const byte_string& bytes) {
  const auto step = std::max<std::size_t>(bytes.size() / 16, 1);
  std::size_t inputs = 1;
  fuzz::linked(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    fuzz::linked(byte_view(bytes).substr(0, at));
    auto changed = bytes;
    changed[at] = static_cast<char>(bytes[at] ^ 0x41);
    fuzz::linked(changed);
    inputs += 2;
  }
  return inputs;
}

TEST(Corpus, Link) {
  std::size_t inputs = 0;
  for (const auto& [name, bytes] : test::corpus("link")) {
    SCOPED_TRACE(name);
    inputs += replay_link(bytes);
  }
  EXPECT_GT(inputs, 300U);
}

// | what the peer announced:1 | { length:2 | frame } ... |, as linked() takes it
byte_string with_headers(byte_view input, char announced) {
  byte_string made(1, announced);
  input.remove_prefix(1);
  while (input.size() >= 2) {
    byte_reader in(input);
    const std::size_t length = in.u16();
    if (length == 0xffff) return made.append(input);
    const auto frame = with_header(input.substr(2, length));
    put_number(made, frame.size(), 2);
    made += frame;
    input.remove_prefix(2 + std::min(length, input.size() - 2));
  }
  return made;
}

// What peers without headers sent, from one that announced all of it, and from one that announced fragments
// alone.
TEST(Corpus, LinkOfTheSameWithHeaders) {
  std::size_t inputs = 0;
  for (const auto& [name, bytes] : test::corpus("link")) {
    SCOPED_TRACE(name);
    if (bytes.empty() || bytes[0] != 0) continue;
    for (const char announced : {'2', '4'}) inputs += replay_link(with_headers(bytes, announced));
  }
  EXPECT_GT(inputs, 300U);
}

}  // namespace
}  // namespace rollcall::cnode
