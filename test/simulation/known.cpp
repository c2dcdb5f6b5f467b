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
      {rule::whole_too_late, 8,
       "just later than 2 s after the last link went; such as seed 860, not looked into"},
      {rule::not_whole, 12,
       "pairs wait for holds that end at different moments; such as seed 417, not looked into"},
      {rule::false_alarm, 14, "a node beside late answers or frozen nodes waits too long; such as seed 920"},
      {rule::wrong_count, 4, "a link that breaks again soon after its incident closed; such as seed 471"},
      {rule::wrong_cause, 4, "a pair torn by another one is told first; such as seed 541, not looked into"},
  };
  return all;
}

const std::vector<known_gap>& known_gaps() {
  static const std::vector<known_gap> all{};
  return all;
}

}  // namespace rollcall::simulation
