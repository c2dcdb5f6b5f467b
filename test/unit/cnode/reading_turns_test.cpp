// Links read in turns, and what else the loop has to do is done between them.
#include "cnode/reading_turns.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
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
    timer.async_wait([this, name, reads](boost::system::error_code) {
      order += name;
      turns.used(reads, io.get_executor());
    });
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

TEST_F(ReadingTurns, TheRestComesInItsOrderWithOthersInBetween) {
  asio::steady_timer a(io), b(io), c(io);
  turns.used(5ms, io.get_executor());
  wait(a, 'a', 5ms);
  wait(b, 'b', 1ms);
  wait(c, 'c', 1ms);
  EXPECT_FALSE(turns.free());
  std::function<void()> another = [&] {
    if (order.find('c') != std::string::npos) return;
    order += '.';
    asio::post(io, another);
  };
  asio::post(io, another);
  io.run();
  EXPECT_TRUE(turns.free());
  std::string links = order;
  std::erase(links, '.');
  EXPECT_EQ(links, "abc");
  EXPECT_NE(order.find('.', order.find('a')), std::string::npos);
  EXPECT_LT(order.find('.', order.find('a')), order.find('b')) << order;
  EXPECT_LT(order.find('.', order.find('b')), order.find('c')) << order;
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
