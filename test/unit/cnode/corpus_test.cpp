// The fuzzers' corpora, replayed; and every file of them cut at every length and changed in every single
// byte.
#include <gtest/gtest.h>

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

TEST(Corpus, Link) {
  std::size_t inputs = 0;
  for (const auto& [name, bytes] : test::corpus("link")) {
    SCOPED_TRACE(name);
    // Whole, ended at some places, and with a byte changed at some.
    const auto step = std::max<std::size_t>(bytes.size() / 16, 1);
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      fuzz::linked(byte_view(bytes).substr(0, at));
      auto changed = bytes;
      changed[at] = static_cast<char>(bytes[at] ^ 0x41);
      fuzz::linked(changed);
      inputs += 2;
    }
    fuzz::linked(bytes);
  }
  EXPECT_GT(inputs, 300U);
}

}  // namespace
}  // namespace rollcall::cnode
