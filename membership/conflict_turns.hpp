// Conflicts between groups take turns, each at its own pace and all together at one; and within a conflict
// its pairs, in both directions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "membership/context.hpp"
#include "membership/deadline.hpp"

namespace rollcall::membership {

struct conflict_turn {
  steady_time next{};     // not before
  std::size_t place = 0;  // over pairs and directions
  bool there = false;
};

// `Turn` is a conflict_turn, or has one as its base.
template <typename Turn = conflict_turn>
class conflict_turns {
 public:
  explicit conflict_turns(milliseconds between_any) : between_any_(between_any) {}

  // The conflict whose turn it is, and that turn, whose `next` is for the caller to set; null when none is
  // due yet. `joins(conflict)`: whether it takes turns; `each(conflict, turn)` is done with all that do.
  template <typename Conflict, typename Joins, typename Each>
  std::pair<const Conflict*, Turn*> due(const std::vector<Conflict>& conflicts, steady_time now,
                                        deadline& wake, Joins joins, Each each) {
    for (auto& [groups, turn] : turns_) turn.there = false;
    std::pair<const Conflict*, Turn*> first{};
    for (const auto& conflict : conflicts) {
      if (!joins(conflict)) continue;
      auto& its = turns_[std::minmax(conflict.one, conflict.other)];
      its.there = true;
      each(conflict, its);
      if (first.second == nullptr || its.next < first.second->next) first = {&conflict, &its};
    }
    std::erase_if(turns_, [](const auto& t) { return !t.second.there; });
    if (first.second == nullptr) return {};
    const auto at = std::max(next_, first.second->next);
    if (now < at) {
      wake.note(at);
      return {};
    }
    next_ = now + between_any_;
    wake.note(next_);
    return first;
  }

 private:
  milliseconds between_any_;
  steady_time next_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Turn> turns_;  // by the lowest id of each group
};

// The pairs from the turn's place on, eight at most, until `ask(on, to)` is true. One that hangs is not
// waited for: the next place is.
template <typename Ask>
void ask_in_turn(const step_context& context,
                 const std::vector<std::pair<std::uint32_t, std::uint32_t>>& pairs, conflict_turn& turn,
                 Ask ask) {
  const auto places = 2 * pairs.size();
  for (std::size_t tries = 0; tries < places && tries < 8; ++tries) {
    const auto place = turn.place++ % places;
    const auto [a, b] = pairs[place / 2];
    const auto* on = context.members.find(place % 2 == 0 ? a : b);
    const auto* to = context.members.find(place % 2 == 0 ? b : a);
    if (on != nullptr && to != nullptr && ask(*on, *to)) return;
  }
}

}  // namespace rollcall::membership
