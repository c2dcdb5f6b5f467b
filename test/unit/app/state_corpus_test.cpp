// The fuzzer's corpus of state files, replayed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/fuzz/states.hpp"

namespace rollcall::app {
namespace {

TEST(StateCorpus, IsReadBackAsItWasWritten) {
  int inputs = 0;
  for (const auto& each :
       std::filesystem::directory_iterator(ROLLCALL_SOURCE_DIR "/test/fuzz/corpus/state")) {
    std::ifstream file(each.path(), std::ios::binary);
    const std::string input(std::istreambuf_iterator<char>(file), {});
    SCOPED_TRACE(each.path().filename().string());
    fuzz::state(input);
    ++inputs;
  }
  EXPECT_GE(inputs, 4);
}

}  // namespace
}  // namespace rollcall::app
