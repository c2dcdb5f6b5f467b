#include "test/simulation/known.hpp"

namespace rollcall::simulation {

const std::vector<not_yet_true>& named_not_yet_true() {
  static const std::vector<not_yet_true> all{};
  return all;
}

const std::vector<known_finding>& known_findings() {
  // Of 1,000 seeds; the numbers are those of one run, with room for what small changes move.
  static const std::vector<known_finding> all{
      {rule::too_many_tears, 16, "meshes of 20 and more, most of them; such as seed 713, not looked into"},
      {rule::newcomer_waits, 3,
       "two faults of other members at once, such as a machine lost while the observer is cut off (seed "
       "1692), "
       "or two restarts that roll; not looked into further"},
      {rule::whole_too_late, 8,
       "just later than 2 s after the last link went; such as seed 860, not looked into"},
      {rule::not_whole, 12,
       "pairs wait for holds that end at different moments; such as seed 417, not looked into"},
      {rule::false_alarm, 14, "a node beside late answers or frozen nodes waits too long; such as seed 920"},
      {rule::not_shown_whole, 1,
       "an incident that was told before the observer was restarted; not looked into"},
      {rule::wrong_count, 6, "a link that breaks again soon after its incident closed; such as seed 471"},
      {rule::wrong_cause, 8, "a pair torn by another one is told first; such as seed 541, not looked into"},
      {rule::too_many_actions, 1,
       "782 of 780 in ten seconds at four nodes that flap, twice (seed 1301), and 26,856 of 24,540 at 200 "
       "that "
       "were never meshed and restart in turn"},
  };
  return all;
}

const std::vector<known_gap>& known_gaps() {
  static const std::vector<known_gap> all{
      {"pairs of kinds: drain with long_stop was never reached", "not looked into"},
      {"request outcomes: error was never reached", "a node of the model answers or does not"},
      {"incidents, asymmetric: gone was never reached", "not looked into"},
  };
  return all;
}

}  // namespace rollcall::simulation
