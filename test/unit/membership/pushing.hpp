// Nodes with watchers, and nobody is healed.
#pragma once

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {

inline settings pushing() {
  settings s;
  s.watch = true;
  s.heal = heal_mode::off;
  return s;
}

}  // namespace rollcall::membership::test
