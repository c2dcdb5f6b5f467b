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
  // Of 1,000 seeds; the numbers are those of one run, with room for what small changes move.
  static const std::vector<known_finding> all{
      {rule::too_many_tears, 26,
       "more moments with lost sound links than the allowance; such as seed 271, not looked into"},
      {rule::newcomer_waits, 28, "a newcomer waits for trouble that it has no part in"},
      {rule::whole_too_late, 12, "after one plain cut, later than 2 s; such as seed 241, not looked into"},
      {rule::not_whole, 24,
       "a pair that broke soon after it was let in, again and again, is held back for up to 30 minutes"},
      {rule::false_alarm, 34,
       "an incident or a condition where nothing was cut; such as seed 31, not looked into"},
      {rule::wrong_count, 14, "members that come back open an incident each"},
      {rule::wrong_cause, 12, "the first pair is one that was torn by a request, not the one that fails"},
      {rule::flutter, 20, "a condition is raised from a picture of one moment"},
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
