// What a link holds at rest, as bytes that were asked for and are not given back: the same on a busy machine.
// Both ends of each link are in this program.
#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <vector>

#include "test/unit/cnode/node_under_test.hpp"

extern "C" std::size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));  // NOLINT

namespace rollcall::test {
namespace {

std::size_t bytes_in_use() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) return __sanitizer_get_current_allocated_bytes();
  return ::mallinfo2().uordblks;
}

TEST(LinkSize, IsThatOfAFewCoroutines) {
  ::mallopt(M_ARENA_MAX, 1);  // one arena is counted
  constexpr std::size_t settled = 8, counted = 64;
  io_thread thread;
  node_under_test ours(thread, "ours@127.0.0.1");
  ASSERT_TRUE(ours.start());
  std::vector<std::unique_ptr<node_under_test>> peers;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < settled + counted; ++i) {
    names.push_back("peer" + std::to_string(i) + "@127.0.0.1");
    peers.push_back(std::make_unique<node_under_test>(thread, names.back()));
    ASSERT_TRUE(peers.back()->start());
  }
  const auto link = [&](std::size_t from, std::size_t to) {
    for (auto i = from; i < to; ++i) {
      ASSERT_TRUE(ours.dial(names[i], peers[i]->port()));
      // An answer of a megabyte leaves nothing behind, at neither end.
      ASSERT_TRUE(ours.call(names[i], "rollcall", "large"));
      ASSERT_TRUE(peers[i]->call("ours@127.0.0.1", "rollcall", "members"));
    }
  };
  ASSERT_NO_FATAL_FAILURE(link(0, settled));
  const auto before = bytes_in_use();
  ASSERT_NO_FATAL_FAILURE(link(settled, settled + counted));
  const auto of_an_end = (bytes_in_use() - before) / (2 * counted);
  RecordProperty("bytes", static_cast<int>(of_an_end));
  EXPECT_LE(of_an_end, 13'000U) << "bytes";
  for (auto& each : peers) each->stop();
  ours.stop();
}

}  // namespace
}  // namespace rollcall::test
