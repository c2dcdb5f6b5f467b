// Our calls to one node: how each ends, when, and who is told of it.
#include "cnode/calls.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>

namespace rollcall::cnode {
namespace {

using namespace std::chrono_literals;

const pid us{"ours@127.0.0.1", 1, 0, 1}, runner{"peer@127.0.0.1", 7, 0, 1};
const function_name what{"erlang", "nodes"};

struct Calls : testing::Test {
  class remembering final : public call_waiter {
   public:
    remembering(Calls& of, int call) : of_(of), call_(call) {}
    ~remembering() override { ++of_.gone; }
    void ended(call_result<byte_string> with) override {
      of_.ends.emplace_back(call_, std::move(with));
      if (of_.then) std::exchange(of_.then, nullptr)();
    }

   private:
    Calls& of_;
    int call_;
  };

  static reference id_of(int call) {
    return {us.node, us.creation, {static_cast<std::uint32_t>(call), 0, 9}, 3};
  }
  void call(int number, std::chrono::milliseconds limit) {
    calls::waiter told = std::make_unique<remembering>(*this, number);
    ours->call(us, id_of(number), what, term_writer().nil().view(), limit, told);
    EXPECT_FALSE(told);
  }
  void run(int number) {
    calls::waiter told = std::make_unique<remembering>(*this, number);
    ours->run(us, id_of(number), what, 0, term_writer().nil().view(), told);
  }
  bool starts(int call) {
    return ours->receive(control::spawn_reply{id_of(call), us, control::spawn_reply::flag_monitor, runner});
  }
  bool returns(int call, const char* value) {
    const term reason = tuple{{id_of(call), atom{"return"}, atom{value}}};
    return ours->receive(control::monitor_exit{runner, us, id_of(call), reason});
  }
  std::vector<int> ended_with(call_failure_kind kind) const {
    std::vector<int> all;
    for (const auto& [number, with] : ends) {
      if (!with && with.error().kind == kind) all.push_back(number);
    }
    return all;
  }

  asio::io_context io;
  const peer them{.name = *node_name::parse("peer@127.0.0.1"), .remote = {}};
  std::vector<control_message> sent;
  std::unique_ptr<calls> ours = std::make_unique<calls>(io.get_executor(), them, [this](byte_view frames) {
    constexpr std::size_t length = 4;
    sent.push_back(parse_message(frames.substr(length))->control);
  });
  std::vector<std::pair<int, call_result<byte_string>>> ends;
  std::function<void()> then;  // once, when the next one has ended
  int gone = 0;
};

TEST_F(Calls, OneIsAskedForAsTheNodeThatMakesIt) {
  call(1, 1s);
  ASSERT_EQ(sent.size(), 1U);
  const auto& asked = std::get<control::spawn_request>(sent.front());
  EXPECT_EQ(asked.id, id_of(1));
  EXPECT_EQ(asked.from, us);
  EXPECT_EQ(asked.module.text + ":" + asked.function.text, "erpc:execute_call");
}

TEST_F(Calls, WhoWaitsIsToldLaterAndNotFromInside) {
  call(1, 1min);
  EXPECT_TRUE(starts(1));
  EXPECT_TRUE(returns(1, "yes"));
  EXPECT_TRUE(ends.empty());
  io.run();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(*ends[0].second, term_writer().atom("yes").bytes());
}

TEST_F(Calls, AnAnswerToSomebodyElsesReferenceIsNobodys) {
  call(1, 1min);
  auto other = id_of(1);
  other.ids[2] += 1;  // of an earlier run of ours
  EXPECT_FALSE(ours->receive(control::monitor_exit{runner, us, other, atom{"normal"}}));
  EXPECT_TRUE(ours->receive(control::spawn_reply{other, us, 0, atom{"notsup"}}));
  io.poll();
  EXPECT_TRUE(ends.empty());
}

TEST_F(Calls, EachEndsAtItsOwnLimit) {
  const auto begun = std::chrono::steady_clock::now();
  call(1, 150ms);
  call(2, 50ms);  // sooner than what was waited for
  call(3, 100ms);
  call(4, 1min);
  while (ends.size() < 3) io.run_one();
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_EQ(ended_with(call_failure_kind::timed_out), (std::vector{2, 3, 1}));
  EXPECT_GE(took, 150ms);
  EXPECT_LT(took, 30s);
  EXPECT_EQ(ends[0].second.error().detail, "erlang:nodes on peer@127.0.0.1 was not answered within 50 ms");
}

TEST_F(Calls, NoneEndsBeforeItsLimit) {
  const auto begun = std::chrono::steady_clock::now();
  call(1, 30ms);
  call(2, 60ms);
  returns(1, "yes");  // what the timer was set for
  while (ends.size() < 2) io.run_one();
  EXPECT_EQ(ended_with(call_failure_kind::timed_out), std::vector{2});
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 60ms);
}

TEST_F(Calls, OneThatIsLateIsNotMonitoredAnyMoreOnceItRuns) {
  call(1, 20ms);
  call(2, 20ms);
  starts(2);
  sent.clear();
  while (ends.size() < 2) io.run_one();
  ASSERT_EQ(sent.size(), 1U);
  const auto& given_up = std::get<control::demonitor>(sent.front());
  EXPECT_EQ(given_up.ref, id_of(2));
  EXPECT_EQ(given_up.from, us);
  EXPECT_EQ(given_up.to, process_id(runner));
  // What still comes.
  EXPECT_FALSE(returns(2, "yes"));
  EXPECT_TRUE(starts(1));
}

TEST_F(Calls, ALoopDoesNotWaitForTheLimitsOfCallsThatHaveEnded) {
  for (int i = 1; i < 100; ++i) call(i, 1min);
  for (int i = 1; i < 100; ++i) returns(i, "yes");
  const auto begun = std::chrono::steady_clock::now();
  io.run();
  EXPECT_EQ(ends.size(), 99U);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
  // And begins to wait again.
  io.restart();
  call(100, 20ms);
  io.run();
  EXPECT_EQ(ended_with(call_failure_kind::timed_out), std::vector{100});
}

TEST_F(Calls, AllEndWithTheirLinkInTheirOrder) {
  for (int i = 1; i < 4; ++i) call(i, 1min);
  run(4);
  ours->lost("the link was lost");
  EXPECT_TRUE(ends.empty());
  EXPECT_FALSE(returns(2, "yes"));
  io.run();
  EXPECT_EQ(ended_with(call_failure_kind::link_lost), (std::vector{1, 2, 3, 4}));
  EXPECT_EQ(ends[0].second.error().detail, "the link was lost");
}

TEST_F(Calls, WhoIsToldMayCallAndLoseTheLink) {
  call(1, 20ms);
  call(2, 20ms);
  then = [this] {
    call(3, 1min);
    ours->lost("it was hung up");
    ours.reset();
  };
  std::this_thread::sleep_for(30ms);  // both are late when the loop begins
  io.run();
  EXPECT_EQ(ended_with(call_failure_kind::link_lost), std::vector{3});
  EXPECT_EQ(ends.size(), 3U);
  EXPECT_EQ(gone, 3);
}

TEST_F(Calls, AProcessHasNoLimitAndEndsWithItsReason) {
  run(1);
  call(2, 20ms);
  while (ends.empty()) io.run_one();
  EXPECT_EQ(ended_with(call_failure_kind::timed_out), std::vector{2});
  EXPECT_TRUE(ours->receive(control::monitor_exit{runner, us, id_of(1), atom{"killed"}}));
  io.restart();
  io.run();
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(*ends[1].second, term_writer().atom("killed").bytes());
}

TEST_F(Calls, OnesThatAreGivenUpLeaveNothingBehind) {
  call(1, 20ms);
  run(2);
  ours.reset();
  EXPECT_EQ(gone, 2);
  io.run();
  EXPECT_TRUE(ends.empty());
}

TEST_F(Calls, OnesThatALoopTakesWithItAreGivenUp) {
  auto other = std::make_unique<asio::io_context>();
  auto held = std::make_shared<calls>(other->get_executor(), them, [](byte_view) {});
  calls::waiter told = std::make_unique<remembering>(*this, 1);
  held->call(us, id_of(1), what, term_writer().nil().view(), 1min, told);
  asio::post(*other, [held] {});
  held.reset();
  other.reset();
  EXPECT_EQ(gone, 1);
  EXPECT_TRUE(ends.empty());
}

TEST_F(Calls, WhatCannotBeWrittenIsNotBegun) {
  calls::waiter told = std::make_unique<remembering>(*this, 1);
  EXPECT_ANY_THROW(
      ours->call(us, id_of(1), {"erlang", std::string(300, 'x')}, term_writer().nil().view(), 1s, told));
  EXPECT_TRUE(told);
  EXPECT_TRUE(sent.empty());
  io.run();
  EXPECT_TRUE(ends.empty());
}

}  // namespace
}  // namespace rollcall::cnode
