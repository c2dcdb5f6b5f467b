#include "test/simulation/known.hpp"

namespace rollcall::simulation {

const std::vector<not_yet_true>& named_not_yet_true() {
  static const std::vector<not_yet_true> all{};
  return all;
}

const std::vector<known_finding>& known_findings() {
  // Of 1,000 seeds; the numbers are those of one run, with room for what small changes move.
  static const std::vector<known_finding> all{
      {rule::too_many_tears, 1,
       "a pair that breaks again once one of the two was restarted, of which nothing is remembered then "
       "(7216, "
       "8234); a node whose name some cannot resolve yet, which the model of the program does not look up on "
       "them (8374); attempts of global's that fail 7 s after a join past a door that closes (6795)"},
      {rule::newcomer_waits, 2,
       "two faults of other members at once, such as a machine lost while the observer is cut off (seed "
       "1692) "
       "or a dark node while others restart (seed 2141); not looked into further"},
      {rule::false_alarm, 1, "such as seeds 837, 3724 and 9703, not looked into"},
      {rule::wrong_count, 1, "one cause told twice, such as seeds 2556, 3079 and 6072; not looked into"},
      {rule::wrong_cause, 1,
       "seed 5 with 200 nodes: port mappers blocked for 11 s while nodes are let in; not looked into"},
      {rule::too_many_actions, 1,
       "26,856 of 24,540 in ten seconds at 200 nodes that were never meshed and restart in turn"},
  };
  return all;
}

const std::vector<known_gap>& known_gaps() {
  static const std::vector<known_gap> all{
      {"request outcomes: ignored was never reached",
       "a node that stops links until its kernel is down, and then answers nothing"},
      {"incidents, asymmetric: gone was never reached",
       "those are rare, since a link in which one end alone believes is suspected by probes within three "
       "intervals, and is partial then; none of them has ended so"},
  };
  return all;
}

}  // namespace rollcall::simulation
