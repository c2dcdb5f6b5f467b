// How long a fact may wait for others of its kind before a step takes them together. In quiet a thousand
// nodes answer one after the other that all is as it was, and a step looks at all members each time.
#pragma once

#include <algorithm>
#include <chrono>
#include <variant>

#include "membership/snapshot.hpp"

namespace rollcall::app {

// A frame of what people see, as a long step's rest (pace.hpp).
inline constexpr std::chrono::milliseconds patience_for_signs_of_life{50};
// Views come 64 at a time (turns.hpp), and may bring news.
inline constexpr std::chrono::milliseconds patience_for_views{20};
// While all is well nobody waits for either: what a round asks for is answered by then.
inline constexpr std::chrono::milliseconds patience_in_calm{200};

// All that are listed are up and linked, and no condition holds.
inline bool is_calm(const membership::snapshot& s) {
  return !s.starting && s.overall == membership::health::ok && s.links_missing == 0 && s.up >= s.listed;
}

inline std::chrono::milliseconds patience_for(const membership::any_fact& told, bool calm) {
  namespace fact = membership::fact;
  if (std::holds_alternative<fact::view>(told)) return calm ? patience_in_calm : patience_for_views;
  const auto* probed = std::get_if<fact::links_probed>(&told);
  const bool all_answered =
      probed != nullptr && std::ranges::all_of(probed->results, [](membership::link_probe one) {
        return one == membership::link_probe::answered;
      });
  if (all_answered || std::holds_alternative<fact::heard>(told) ||
      std::holds_alternative<fact::view_confirmed>(told))
    return calm ? patience_in_calm : patience_for_signs_of_life;
  return std::chrono::milliseconds{0};
}

}  // namespace rollcall::app
