// When the next step may be: a step leaves others four times what it took itself, up to a twentieth of a
// second. What a thousand nodes tell in a burst becomes a few steps then, with HTTP answered in between; a
// step of a small cluster takes less than is worth waiting for.
#pragma once

#include <algorithm>
#include <chrono>

namespace rollcall::app {

class pace {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr int rest = 4;
  static constexpr clock::duration short_step = std::chrono::milliseconds(1);
  static constexpr clock::duration longest_rest = std::chrono::milliseconds(50);

  void stepped(clock::time_point begun, clock::time_point ended) {
    const auto took = ended - begun;
    next_ = took < short_step ? ended : ended + std::min(rest * took, longest_rest);
  }
  // Somebody waits for the next one.
  void at_once() noexcept { next_ = {}; }
  clock::time_point next() const noexcept { return next_; }

 private:
  clock::time_point next_{};
};

}  // namespace rollcall::app
