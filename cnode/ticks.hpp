// When a link must say something, and when its peer has been silent for too long: arithmetic only.
// kernel's net_ticktime; a peer closes a link it heard nothing on for that long, a quarter more at most.
//
//   last_read, last_write, last_progress are kept up to date by the link; next() is asked again at `at`.
#pragma once

#include <algorithm>
#include <chrono>

namespace rollcall::cnode {

class ticks {
 public:
  using clock = std::chrono::steady_clock;
  using time_point = clock::time_point;
  using milliseconds = std::chrono::milliseconds;

  enum class action { wait, send_tick, peer_is_silent, peer_does_not_read };
  struct decision {
    ticks::action what = action::wait;
    time_point at;  // for `wait`: when to ask again
    friend bool operator==(const decision&, const decision&) = default;
  };

  // Until a peer's own net_ticktime is known it may be as short as it likes: a tick a second.
  static constexpr milliseconds unknown_interval{1'000};
  static constexpr milliseconds shortest_answer{1'000};
  static constexpr milliseconds noticeable_stall{100};

  ticks(milliseconds net_ticktime, time_point now)
      : silence_(net_ticktime * 5 / 4), last_read(now), last_write(now), last_progress(now) {}

  void peer_tick_time(milliseconds net_ticktime) {
    interval_ = std::max(net_ticktime / 4, milliseconds{1});
    silence_ = net_ticktime * 5 / 4;
  }

  // `unsent`: bytes are queued that the kernel does not take.
  decision next(time_point now, bool unsent) const {
    if (now - last_read >= silence_) return {action::peer_is_silent, now};
    if (unsent) {
      if (now - last_progress >= silence_) return {action::peer_does_not_read, now};
      // Nothing tells the clock when the bytes are out: look again at the latest when a tick may be due.
      return {action::wait, std::min(std::min(last_read, last_progress) + silence_, now + interval_)};
    }
    if (now - last_write >= interval_) return {action::send_tick, now};
    return {action::wait, std::min(last_read + silence_, last_write + interval_)};
  }

  // To be called after each wait. Time in which this process did not run (stopped, or starved of a processor)
  // is no silence of the peer: what it sent meanwhile has yet to be read.
  void woke(time_point due, time_point now) {
    if (now - due < noticeable_stall) return;
    last_read += now - due;
    last_progress += now - due;
  }

  // Two nodes that answer every tick would tick each other endlessly.
  bool answer_tick(time_point now, bool unsent) const {
    return !unsent && now - last_write >= shortest_answer;
  }

 private:
  milliseconds interval_ = unknown_interval;
  milliseconds silence_;

 public:
  time_point last_read, last_write, last_progress;
};

}  // namespace rollcall::cnode
