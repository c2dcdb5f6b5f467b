#include "test/simulation/known.hpp"

namespace rollcall::simulation {

const std::vector<not_yet_true>& named_not_yet_true() {
  static const std::vector<not_yet_true> all{
      {"a_newcomer_is_no_part_of_an_incident",
       "a new node that waits beside a cut is listed as left out by it"},
  };
  return all;
}

const std::vector<known_finding>& known_findings() {
  static const std::vector<known_finding> all{
      {rule::too_many_tears, 600,
       "a path probe is taken for a link; nothing is held back by a request that failed or a link that "
       "broke"},
      {rule::newcomer_waits, 300, "a newcomer waits for trouble that it has no part in"},
      {rule::whole_too_late, 330, "the pause between probes of a dark path grows to 30 s"},
      {rule::not_shown_whole, 100, "pairs of releases that refuse each other are shown as missing"},
      {rule::false_alarm, 320,
       "a node that waits to be introduced is a partition of its own, and netsplit is raised"},
      {rule::wrong_count, 60, "members that come back open an incident each"},
      {rule::wrong_cause, 90, "the first pair is one that was torn by a request, not the one that fails"},
      {rule::flutter, 660, "a condition is raised from a picture of one moment"},
      {rule::contradiction, 60, "links_missing is raised while no link is counted as missing"},
      {rule::too_many_actions, 350, "a pair that answers and cannot link is asked for without end"},
  };
  return all;
}

const std::vector<known_gap>& known_gaps() {
  static const std::vector<known_gap> all{
      {"decisions: moves_the_odd_one was never reached", "nothing moves a member between groups yet"},
  };
  return all;
}

}  // namespace rollcall::simulation
