// When calls end unanswered: those of all links of a loop, with one timer. It is set for the first of them,
// and not set again when one is answered, which nearly all are: it finds nobody late then, and goes on with
// who is first by that time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>

namespace rollcall::cnode {

class call_limits final : public boost::asio::execution_context::service {
 public:
  using clock = std::chrono::steady_clock;
  // Somebody's calls, which are known by a number of theirs.
  class owner {
   public:
    virtual void late(std::uint64_t call) = 0;  // its place is gone

   protected:
    ~owner() = default;
  };
  struct call {
    owner* of;
    std::uint64_t number;
  };
  using place = std::multimap<clock::time_point, call>::iterator;

  static inline boost::asio::execution_context::id id;
  explicit call_limits(boost::asio::execution_context& context)
      : service(context), timer_(static_cast<boost::asio::io_context&>(context)) {}
  static call_limits& of(const boost::asio::any_io_executor& executor) {
    return boost::asio::use_service<call_limits>(
        boost::asio::query(executor, boost::asio::execution::context));
  }

  place add(clock::time_point at, call which) {
    // Most have the same limit, and come one after the other.
    const auto added = calls_.emplace_hint(calls_.end(), at, which);
    if (added == calls_.begin() && (!waiting_ || at < timer_.expiry())) wait();
    return added;
  }
  void remove(place which) {
    calls_.erase(which);
    // Nobody is kept from ending by a call that has ended.
    if (calls_.empty()) stop();
  }

 private:
  // Tasks that the loop still holds go after this, and take their calls with them.
  void shutdown() override {}

  void wait() {
    timer_.expires_at(calls_.begin()->first);
    waiting_ = true;
    timer_.async_wait([this](boost::system::error_code code) {
      if (code) return;
      waiting_ = false;
      const auto now = clock::now();
      while (!calls_.empty() && calls_.begin()->first <= now) {
        const auto late = calls_.extract(calls_.begin()).mapped();
        late.of->late(late.number);
      }
      if (!calls_.empty() && !waiting_) wait();
    });
  }
  void stop() {
    waiting_ = false;
    timer_.cancel();
  }

  std::multimap<clock::time_point, call> calls_;
  boost::asio::steady_timer timer_;
  bool waiting_ = false;
};

}  // namespace rollcall::cnode
