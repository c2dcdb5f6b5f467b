// How many calls begin in one turn of the loop.
#include "app/call_turns.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <vector>

namespace {

using rollcall::app::call_turns;
namespace asio = boost::asio;

asio::awaitable<void> one_call(call_turns& turns, std::vector<int>& begun, int number) {
  if (!turns.begin()) co_await turns.wait();
  begun.push_back(number);
}

struct CallTurns : testing::Test {
  void all_want_one(int count) {
    for (int i = 0; i < count; ++i) asio::co_spawn(io, one_call(turns, begun, i), asio::detached);
  }
  // As the loop does it: what is there now, and not what that leads to.
  void pass() {
    bool over = false;
    asio::post(io, [&] { over = true; });
    while (!over) io.run_one();
  }

  asio::io_context io;
  call_turns turns{io};
  std::vector<int> begun;
};

TEST_F(CallTurns, OneThatIsAloneBeginsAtOnce) {
  EXPECT_TRUE(turns.begin());
}

TEST_F(CallTurns, HundredsThatWaitForOneAnswerBeginAFewAtATimeInTheirOrder) {
  constexpr int count = 500;
  all_want_one(count);
  std::size_t most = 0, turns_taken = 0;
  while (begun.size() < count && turns_taken < 10 * count) {
    const auto before = begun.size();
    pass();
    most = std::max(most, begun.size() - before);
    ++turns_taken;
  }
  ASSERT_EQ(begun.size(), static_cast<std::size_t>(count));
  EXPECT_LE(most, call_turns::in_one_turn);
  for (int i = 0; i < count; ++i) EXPECT_EQ(begun[static_cast<std::size_t>(i)], i);
}

TEST_F(CallTurns, NobodyIsOvertakenByOneThatComesLater) {
  all_want_one(static_cast<int>(call_turns::in_one_turn) + 1);
  pass();
  EXPECT_FALSE(turns.begin());
}

TEST_F(CallTurns, OneThatIsGivenUpLeavesItsPlace) {
  {
    asio::io_context other;
    call_turns own(other);
    std::vector<int> ignored;
    for (int i = 0; i < 100; ++i) asio::co_spawn(other, one_call(own, ignored, i), asio::detached);
    for (int i = 0; i < 100; ++i) other.run_one();
    EXPECT_LE(ignored.size(), 2 * call_turns::in_one_turn);
  }
  all_want_one(1);
  io.run();
  EXPECT_EQ(begun.size(), 1U);
}

}  // namespace
