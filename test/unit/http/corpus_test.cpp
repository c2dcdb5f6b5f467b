// The fuzzer's corpus of HTTP connections, replayed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/fuzz/requests.hpp"

namespace rollcall::http {
namespace {

TEST(RequestCorpus, HoldsWhatMustHold) {
  int inputs = 0;
  for (const auto& each :
       std::filesystem::directory_iterator(ROLLCALL_SOURCE_DIR "/test/fuzz/corpus/request")) {
    std::ifstream file(each.path(), std::ios::binary);
    const std::string input(std::istreambuf_iterator<char>(file), {});
    SCOPED_TRACE(each.path().filename().string());
    fuzz::connection(input);
    ++inputs;
  }
  EXPECT_GE(inputs, 10);
}

}  // namespace
}  // namespace rollcall::http
