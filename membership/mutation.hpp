// Rules that the simulation takes away one at a time, to see that it notices (test/simulation/mutants.cpp).
// In the program `without` is false when it is compiled.
#pragma once

namespace rollcall::membership {

enum class rule_taken {
  none,
  misses_are_confirmed,
  misses_are_noticed,
  losses_are_waited_for,
  what_is_torn_has_one_cause,
  incidents_close,
  who_is_gone_is_not_waited_for,
  openings_are_told,
  groups_are_of_the_worst_moment,
  dialled_once,
  views_asked_for_once,
  dials_pause,
  asked_once,
  paths_are_proven,
  only_who_is_up_is_asked,
  newcomers_are_introduced,
  groups_are_joined,
  missing_links_are_repaired,
  overlap_is_prevented,
  what_fails_is_held_back,
  repairs_are_looked_for,
  refusals_are_tried,
  probes_pause,
  only_fresh_views_count,
  wakes_in_the_future,
};

#ifdef ROLLCALL_MUTANTS
inline rule_taken rule_left_out = rule_taken::none;
inline bool without(rule_taken rule) noexcept {
  return rule_left_out == rule;
}
#else
constexpr bool without(rule_taken) noexcept {
  return false;
}
#endif

}  // namespace rollcall::membership
