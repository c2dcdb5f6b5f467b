// Members that are up, and the steps of one part of the core by itself, in virtual time.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {

struct some_up {
  // n1000@h.example, n1001@h.example and so on; nobody sees anybody yet.
  explicit some_up(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto& m = members.add(n("n" + std::to_string(1'000 + i) + "@h.example"));
      m.state = member_state::up;
      m.fresh = m.linked = m.has_view = true;
    }
    previous = members.settle();
    views.reorder(previous);
  }

  // Of the next step.
  step_context context(const view_matrix& suspected) {
    return {.members = members,
            .views = views,
            .suspected = suspected,
            .options = options,
            .at = {now, {}},
            .now = now,
            .step = ++steps,
            .listing_changed = {},
            .starting = false,
            .paused = false,
            .isolated = false,
            .held = nobody};
  }

  settings options;
  member_table members;
  std::vector<std::size_t> previous;  // as a part that keeps ranks is told
  view_matrix views;
  steady_time now{std::chrono::seconds(1)};
  step_number steps = 0;
  std::set<std::uint32_t> nobody;
};

}  // namespace rollcall::membership::test
