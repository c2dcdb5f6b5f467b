// Virtual time: a clock, what is due on it, and the dice that decide how long everything takes. Two things
// due at the same moment happen in the order in which they were put there, so that a seed replays exactly.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <vector>

namespace rollcall::simulation {

using std::chrono::milliseconds;

class dice {
 public:
  explicit dice(std::uint64_t seed) : engine_(seed) {}
  // 0 <= draw(n) < n
  std::uint64_t draw(std::uint64_t below) { return engine_() % below; }
  bool one_in(std::uint64_t n) { return draw(n) == 0; }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(draw(static_cast<std::uint64_t>(high - low + 1)));
  }
  milliseconds between(std::int64_t low, std::int64_t high) { return milliseconds(whole(low, high)); }
  template <class List>
  void shuffle(List& list) {  // std::shuffle differs between libraries
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[draw(i)]);
  }

 private:
  std::mt19937_64 engine_;
};

class timeline {
 public:
  explicit timeline(std::uint64_t seed) : weather(seed) {}

  milliseconds now() const noexcept { return now_; }
  void in(milliseconds span, std::function<void()> what) {
    queue_.push({now_ + std::max(span, milliseconds(0)), order_++, std::move(what)});
  }
  void at(milliseconds when, std::function<void()> what) { in(when - now_, std::move(what)); }
  // Goes to the first moment at which something is due, at most to `latest`, and lets it happen.
  void advance(milliseconds latest) {
    now_ = std::max(now_, queue_.empty() ? latest : std::min(latest, queue_.top().when));
    while (!queue_.empty() && queue_.top().when <= now_) {
      auto what = std::move(const_cast<entry&>(queue_.top()).what);
      queue_.pop();
      what();
    }
  }

  dice weather;  // how long things take; what breaks is drawn from dice of its own, before the history begins

 private:
  struct entry {
    milliseconds when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator>(const entry& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  milliseconds now_{0};
  std::uint64_t order_ = 0;
  std::priority_queue<entry, std::vector<entry>, std::greater<>> queue_;
};

}  // namespace rollcall::simulation
