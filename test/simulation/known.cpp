#include "test/simulation/known.hpp"

namespace rollcall::simulation {

const std::vector<not_yet_true>& named_not_yet_true() {
  static const std::vector<not_yet_true> all{};
  return all;
}

const std::vector<known_finding>& known_findings() {
  // Of 1,000 seeds; the numbers are those of one run, with room for what small changes move.
  static const std::vector<known_finding> all{
      {rule::too_many_tears, 2,
       "rings of 44 nodes and more, where of more than 24 groups some are joined that were not compared "
       "(1106, "
       "8234), names that resolve late (2091, 8374), a pair that breaks again once a node was restarted "
       "(7216)"},
      {rule::newcomer_waits, 2,
       "two faults of other members at once, such as a machine lost while the observer is cut off (seed "
       "1692) "
       "or a dark node while others restart (seed 2141); not looked into further"},
      {rule::not_whole, 1,
       "pairs wait for holds that end at different moments; such as seed 817, not looked into"},
      {rule::whole_too_late, 2, "most by up to 100 ms, of 2 s, such as seeds 364 and 5164; not looked into"},
      {rule::not_shown_whole, 1, "seeds 150 and 6654, not looked into"},
      {rule::false_alarm, 1, "such as seeds 837, 3724 and 9703, not looked into"},
      {rule::wrong_count, 1, "one cause told twice, such as seeds 2556, 3079 and 6072; not looked into"},
      {rule::wrong_cause, 1,
       "seed 5 with 200 nodes: port mappers blocked for 11 s while nodes are let in; not looked into"},
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
      {"incidents, asymmetric: gone was never reached",
       "those are rare, since a link in which one end alone believes is suspected by probes within three "
       "intervals, and is partial then; none of them has ended so"},
  };
  return all;
}

}  // namespace rollcall::simulation
