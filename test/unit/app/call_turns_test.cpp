// How many calls begin in one turn of the loop.
#include "app/call_turns.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <vector>

namespace {

using rollcall::app::call_turns;
namespace asio = boost::asio;

class one_call final : public call_turns::caller {
 public:
  one_call(std::vector<int>& begun, int number) : begun_(begun), number_(number) {}
  void begin(std::unique_ptr<caller> /*self*/) override { begun_.push_back(number_); }

 private:
  std::vector<int>& begun_;
  int number_;
};

struct CallTurns : testing::Test {
  void all_want_one(int count) {
    for (int i = 0; i < count; ++i) turns.begin(std::make_unique<one_call>(begun, i));
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
  all_want_one(1);
  EXPECT_EQ(begun.size(), 1U);
}

TEST_F(CallTurns, HundredsThatWaitForOneAnswerBeginAFewAtATimeInTheirOrder) {
  constexpr int count = 500;
  all_want_one(count);
  std::size_t most = begun.size(), turns_taken = 0;
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
  constexpr int others = static_cast<int>(call_turns::in_one_turn) + 1;
  all_want_one(others);
  turns.begin(std::make_unique<one_call>(begun, others));
  pass();
  ASSERT_EQ(begun.size(), static_cast<std::size_t>(others) + 1);
  EXPECT_EQ(begun.back(), others);
}

TEST_F(CallTurns, WhoIsGivenUpDoesNotBegin) {
  all_want_one(100);
  turns.drop();
  io.run();
  EXPECT_EQ(begun.size(), call_turns::in_one_turn);
}

// A task that holds the line waits in it.
TEST_F(CallTurns, WhoIsGivenUpMayHoldTheLine) {
  struct holder final : call_turns::caller {
    explicit holder(std::shared_ptr<call_turns> of) : line(std::move(of)) {}
    void begin(std::unique_ptr<caller> /*self*/) override {}
    std::shared_ptr<call_turns> line;
  };
  auto line = std::make_shared<call_turns>(io);
  const std::weak_ptr<call_turns> watched = line;
  for (std::size_t i = 0; i <= call_turns::in_one_turn; ++i) line->begin(std::make_unique<holder>(line));
  line->drop();
  line.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
