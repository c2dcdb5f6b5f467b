// The earliest moment at which something will be due without any fact.
#pragma once

#include <algorithm>

#include "membership/facts.hpp"
#include "membership/mutation.hpp"

namespace rollcall::membership {

class deadline {
 public:
  deadline(milliseconds now, milliseconds latest) : now_(now), next_(latest) {}
  // What is due already was just dealt with: only the future counts, so that step never asks to be called in
  // circles.
  void note(milliseconds at) {
    if (at > now_ || without(rule_taken::wakes_in_the_future)) next_ = std::min(next_, at);
  }
  milliseconds next() const noexcept { return next_; }

 private:
  milliseconds now_, next_;
};

}  // namespace rollcall::membership
