// What named histories are asked, and the first answer that was wrong.
#pragma once

#include <fmt/format.h>

#include "test/simulation/world.hpp"

namespace rollcall::simulation {

class expectations {
 public:
  explicit expectations(const world& w) : world_(w) {}
  void is_true(bool holds, const std::string& what) {
    if (!holds && wrong_.empty()) wrong_ = what;
  }
  template <class Number>
  void at_most(Number found, Number most, const std::string& what) {
    is_true(found <= most, fmt::format("{}: {}, and at most {} are right", what, found, most));
  }
  template <class Number>
  void equal(Number found, Number right, const std::string& what) {
    is_true(found == right, fmt::format("{}: {}, and {} is right", what, found, right));
  }
  std::string verdict() const { return wrong_.empty() ? "" : wrong_ + "\n" + world_.diary(); }

 private:
  const world& world_;
  std::string wrong_;
};

}  // namespace rollcall::simulation
