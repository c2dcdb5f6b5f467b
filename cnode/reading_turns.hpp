// What all links of a loop may read, and make of long answers, in one turn of it: so long, and the rest in
// later ones, in the order in which they came, as many in each as have the time. A thousand nodes that say
// five hundred things each, or a hundred shells that ask for links/0, would keep a request over HTTP waiting
// for a second otherwise.
//
//   free()? then read, and used(what it took); else line_up(), and wait for the timer until begin()
#pragma once

#include <algorithm>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
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
  bool free() const noexcept {
    return waiting_.empty() && called_.empty() && postponed_.empty() && spent_ < longest;
  }

  // Whether somebody who has read for so long in this turn leaves the rest for a later one.
  bool over(duration reading) const noexcept { return spent_ + reading > longest; }

  // The timer is cancelled when its turn may have come. It stays alive until begin() says so, or until
  // leave().
  void line_up(boost::asio::steady_timer& timer) {
    timer.expires_at(boost::asio::steady_timer::time_point::max());
    waiting_.push_back(&timer);
    end_turn_later(timer.get_executor());
  }
  // Once the timer was cancelled. False: those before it took the time, and it waits again, before all who
  // were not called yet.
  bool begin(boost::asio::steady_timer& timer) {
    std::erase(called_, &timer);
    if (spent_ < longest) return true;
    timer.expires_at(boost::asio::steady_timer::time_point::max());
    postponed_.push_back(&timer);
    end_turn_later(timer.get_executor());
    return false;
  }
  void leave(const boost::asio::steady_timer& timer) {
    for (auto* each : {&waiting_, &called_, &postponed_}) std::erase(*each, &timer);
  }

  // Of this turn, or of more than one in which nobody has read.
  std::uint64_t number() const noexcept { return number_; }

  void used(duration time, const boost::asio::any_io_executor& executor) {
    spent_ += time;
    end_turn_later(executor);
  }

 private:
  using line = std::deque<boost::asio::steady_timer*>;
  // More than one, since what stands between two turns may be much longer than what a link reads: a thousand
  // links that are called one by one wait for seconds beside a few long answers. Each reads at least a
  // message.
  static constexpr std::size_t called_at_a_time = 16;

  void shutdown() override {
    for (auto* each : {&waiting_, &called_, &postponed_}) each->clear();
  }

  // What is posted runs after the loop has looked at all sockets and timers again.
  void end_turn_later(const boost::asio::any_io_executor& executor) {
    if (std::exchange(ending_, true)) return;
    boost::asio::post(executor, [this, executor] {
      ending_ = false;
      ++number_;
      spent_ = {};
      waiting_.insert(waiting_.begin(), postponed_.begin(), postponed_.end());
      postponed_.clear();
      if (waiting_.empty()) return;
      const auto last =
          waiting_.begin() + static_cast<line::difference_type>(std::min(called_at_a_time, waiting_.size()));
      called_.insert(called_.end(), waiting_.begin(), last);
      waiting_.erase(waiting_.begin(), last);
      for (auto* each : called_) each->cancel();
      end_turn_later(executor);
    });
  }

  line waiting_;    // for a turn
  line called_;     // in this one
  line postponed_;  // called, and without time: the first of the next turn
  duration spent_{};
  std::uint64_t number_ = 0;
  bool ending_ = false;
};

}  // namespace rollcall::cnode
