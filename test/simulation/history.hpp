// One history from one seed: how many nodes, what is set, which faults, two to four at once, when and how
// often.
#pragma once

#include "test/simulation/auditor.hpp"

namespace rollcall::simulation {

struct history_result {
  std::uint64_t seed = 0;
  std::size_t nodes = 0;
  std::optional<finding> wrong;
  coverage covered;
  std::string plan;   // the faults, in a line
  std::string diary;  // when it was asked for
};

// `nodes`: 0 lets the seed decide.
history_result play(std::uint64_t seed, bool with_diary, std::size_t nodes = 0);

}  // namespace rollcall::simulation
