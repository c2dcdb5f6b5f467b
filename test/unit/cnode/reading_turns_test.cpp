// Links read in turns, and what else the loop has to do is done between them.
#include "cnode/reading_turns.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <string>

namespace {

namespace asio = boost::asio;
using rollcall::cnode::reading_turns;
using namespace std::chrono_literals;

struct ReadingTurns : testing::Test {
  asio::io_context io;
  reading_turns& turns = reading_turns::of(io.get_executor());
  std::string order;

  void wait(asio::steady_timer& timer, char name, reading_turns::duration reads) {
    turns.line_up(timer);
    wait_again(timer, name, reads);
  }
  void wait_again(asio::steady_timer& timer, char name, reading_turns::duration reads) {
    timer.async_wait([this, &timer, name, reads](boost::system::error_code) {
      if (!turns.begin(timer)) {
        wait_again(timer, name, reads);
        return;
      }
      order += name;
      turns.used(reads, io.get_executor());
    });
  }
  // One dot for each time that others have their turn, until `last` has had its own.
  std::string with_others(char last) {
    std::function<void()> another = [&] {
      if (order.find(last) != std::string::npos) return;
      order += '.';
      asio::post(io, another);
    };
    asio::post(io, another);
    io.run();
    EXPECT_TRUE(turns.free());
    return order;
  }
};

TEST_F(ReadingTurns, OneTurnIsSharedByAll) {
  EXPECT_TRUE(turns.free());
  turns.used(2ms, io.get_executor());
  EXPECT_TRUE(turns.free());
  EXPECT_FALSE(turns.over(3ms));
  EXPECT_TRUE(turns.over(4ms));
  turns.used(3ms, io.get_executor());
  EXPECT_FALSE(turns.free());
  io.run();
  EXPECT_TRUE(turns.free());
}

std::string links_of(std::string order) {
  std::erase(order, '.');
  return order;
}

TEST_F(ReadingTurns, TheRestComesInItsOrderWithOthersInBetween) {
  asio::steady_timer a(io), b(io), c(io);
  turns.used(5ms, io.get_executor());
  wait(a, 'a', 5ms);
  wait(b, 'b', 5ms);
  wait(c, 'c', 1ms);
  EXPECT_FALSE(turns.free());
  with_others('c');
  EXPECT_EQ(links_of(order), "abc");
  EXPECT_NE(order.find('.', order.find('a')), std::string::npos);
  EXPECT_LT(order.find('.', order.find('a')), order.find('b')) << order;
  EXPECT_LT(order.find('.', order.find('b')), order.find('c')) << order;
}

// One a turn would make the last wait for as many turns as there are links, however long those are.
TEST_F(ReadingTurns, AsManyShareATurnAsHaveTheTime) {
  std::deque<asio::steady_timer> timers;
  turns.used(5ms, io.get_executor());
  for (char name = 'a'; name <= 'z'; ++name) wait(timers.emplace_back(io), name, 500us);
  with_others('z');
  EXPECT_EQ(links_of(order), "abcdefghijklmnopqrstuvwxyz");
  EXPECT_LE(std::ranges::count(order, '.'), 6) << order;
  EXPECT_LE(order.find('.', 1), order.find('k')) << "ten of them take the time of a turn: " << order;
}

// Who waits longer is not overtaken by those who come later.
TEST_F(ReadingTurns, OneWithoutTimeIsTheFirstOfTheNextTurn) {
  asio::steady_timer a(io), b(io), c(io);
  turns.used(5ms, io.get_executor());
  wait(a, 'a', 5ms);
  wait(b, 'b', 5ms);
  asio::post(io, [&] { asio::post(io, [&] { wait(c, 'c', 1ms); }); });
  with_others('c');
  EXPECT_EQ(links_of(order), "abc");
}

TEST_F(ReadingTurns, OneThatGoesWhileItWaitsStopsNobody) {
  asio::steady_timer b(io);
  {
    asio::steady_timer a(io);
    turns.used(5ms, io.get_executor());
    turns.line_up(a);
    wait(b, 'b', 1ms);
    turns.leave(a);
  }
  io.run();
  EXPECT_EQ(order, "b");
  EXPECT_TRUE(turns.free());
}

}  // namespace
