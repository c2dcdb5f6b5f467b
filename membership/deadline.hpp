// The earliest moment at which something will be due without any fact.
#pragma once

#include <algorithm>

#include "membership/facts.hpp"
#include "membership/mutation.hpp"

namespace rollcall::membership {

class deadline {
 public:
  deadline(steady_time now, steady_time latest) : now_(now), next_(latest) {}
  // What is due already was just dealt with: only the future counts, so that step never asks to be called in
  // circles.
  void note(steady_time at) {
    if (at > now_ || without(rule_taken::wakes_in_the_future)) next_ = std::min(next_, at);
  }
  steady_time next() const noexcept { return next_; }

 private:
  steady_time now_, next_;
};

}  // namespace rollcall::membership
