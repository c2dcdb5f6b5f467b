// What all links of a loop may read in one turn of it: so long, and the rest in the order in which they came,
// one link a turn. A thousand nodes that say five hundred things each would keep a request over HTTP waiting
// for a second otherwise.
//
//   free()? then read, and used(what it took); else line_up(), and wait for the timer
#pragma once

#include <algorithm>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>

namespace rollcall::cnode {

class reading_turns final : public boost::asio::execution_context::service {
 public:
  using duration = std::chrono::steady_clock::duration;
  // A request over HTTP waits for about three turns: to be accepted, read and answered.
  static constexpr std::chrono::milliseconds longest{5};

  static inline boost::asio::execution_context::id id;
  explicit reading_turns(boost::asio::execution_context& context) : service(context) {}

  // The one of the loop that the executor is of.
  static reading_turns& of(const boost::asio::any_io_executor& executor) {
    return boost::asio::use_service<reading_turns>(
        boost::asio::query(executor, boost::asio::execution::context));
  }

  // Nobody waits, and this turn has time left.
  bool free() const noexcept { return waiting_.empty() && spent_ < longest; }

  // Whether somebody who has read for so long in this turn leaves the rest for a later one.
  bool over(duration reading) const noexcept { return spent_ + reading > longest; }

  // The timer is cancelled when its turn has come, once. It stays alive until then, or until leave().
  void line_up(boost::asio::steady_timer& timer) {
    timer.expires_at(boost::asio::steady_timer::time_point::max());
    waiting_.push_back(&timer);
    end_turn_later(timer.get_executor());
  }
  void leave(const boost::asio::steady_timer& timer) { std::erase(waiting_, &timer); }

  void used(duration time, const boost::asio::any_io_executor& executor) {
    spent_ += time;
    end_turn_later(executor);
  }

 private:
  void shutdown() override { waiting_.clear(); }

  // What is posted runs after the loop has looked at all sockets and timers again.
  void end_turn_later(const boost::asio::any_io_executor& executor) {
    if (std::exchange(ending_, true)) return;
    boost::asio::post(executor, [this, executor] {
      ending_ = false;
      spent_ = {};
      if (waiting_.empty()) return;
      auto& next = *waiting_.front();
      waiting_.pop_front();
      next.cancel();
      end_turn_later(executor);
    });
  }

  std::deque<boost::asio::steady_timer*> waiting_;
  duration spent_{};
  bool ending_ = false;
};

}  // namespace rollcall::cnode
