// The fuzzer's corpus of name servers' answers, replayed: whole, cut at every length, and changed in every
// single byte.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/fuzz/answers.hpp"

namespace rollcall::discovery {
namespace {

TEST(AnswerCorpus, HoldsWhatMustHold) {
  int inputs = 0;
  for (const auto& each :
       std::filesystem::directory_iterator(ROLLCALL_SOURCE_DIR "/test/fuzz/corpus/answer")) {
    std::ifstream file(each.path(), std::ios::binary);
    const std::string input(std::istreambuf_iterator<char>(file), {});
    SCOPED_TRACE(each.path().filename().string());
    for (std::size_t size = 0; size <= input.size(); ++size) fuzz::answered(input.substr(0, size));
    for (std::size_t at = 0; at < input.size(); ++at) {
      auto changed = input;
      for (int bit = 0; bit < 8; ++bit) {
        changed[at] = static_cast<char>(input[at] ^ (1 << bit));
        fuzz::answered(changed);
      }
    }
    ++inputs;
  }
  EXPECT_GE(inputs, 10);
}

}  // namespace
}  // namespace rollcall::discovery
