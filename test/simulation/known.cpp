#include "test/simulation/known.hpp"

namespace rollcall::simulation {

const std::vector<not_yet_true>& named_not_yet_true() {
  static const std::vector<not_yet_true> all{};
  return all;
}

const std::vector<known_finding>& known_findings() {
  // Of 1,000 seeds; the numbers are those of one run, with room for what small changes move.
  static const std::vector<known_finding> all{
      {rule::too_many_tears, 5,
       "doors that close, most of them, with other faults or at 20 nodes and more; such as seeds 271, 794 "
       "and 2350, not looked into further"},
      {rule::newcomer_waits, 2,
       "two faults of other members at once, such as a machine lost while the observer is cut off (seed "
       "1692), "
       "or two restarts that roll; not looked into further"},
      {rule::whole_too_late, 2,
       "just later than 2 s after the last link went; such as seed 3700, not looked into"},
      {rule::not_whole, 1,
       "pairs wait for holds that end at different moments; such as seed 817, not looked into"},
      {rule::false_alarm, 4, "a node beside late answers or frozen nodes waits too long; such as seed 920"},
      {rule::not_shown_whole, 2,
       "an incident that was told before the observer was restarted; not looked into"},
      {rule::wrong_count, 1, "a link that breaks again soon after its incident closed; such as seed 5194"},
      {rule::wrong_cause, 3,
       "a pair torn by another one is told first; such as seed 1092, with polled views, most of them"},
      {rule::too_many_actions, 1,
       "782 of 780 in ten seconds at four nodes that flap, twice (seed 1301), and 26,856 of 24,540 at 200 "
       "that "
       "were never meshed and restart in turn"},
  };
  return all;
}

const std::vector<known_gap>& known_gaps() {
  static const std::vector<known_gap> all{
      {"request outcomes: ignored was never reached",
       "a node that stops links until its kernel is down, and then answers nothing"},
      {"incidents, asymmetric: gone was never reached", "not looked into"},
  };
  return all;
}

}  // namespace rollcall::simulation
