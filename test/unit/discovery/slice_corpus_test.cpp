// The fuzzer's corpus of answers of the Kubernetes API server, replayed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/fuzz/slices.hpp"

namespace rollcall::discovery {
namespace {

TEST(SliceCorpus, IsReadOrRefusedWithinBounds) {
  int inputs = 0;
  for (const auto& each :
       std::filesystem::directory_iterator(ROLLCALL_SOURCE_DIR "/test/fuzz/corpus/slices")) {
    std::ifstream file(each.path(), std::ios::binary);
    const std::string input(std::istreambuf_iterator<char>(file), {});
    SCOPED_TRACE(each.path().filename().string());
    fuzz::answer(input);
    ++inputs;
  }
  EXPECT_GE(inputs, 6);
}

}  // namespace
}  // namespace rollcall::discovery
