// What is known not to be true yet. Each entry is printed when it is met; one that is not met any more fails
// the run, so that whoever fixes it takes its line away.
#pragma once

#include "test/simulation/auditor.hpp"

namespace rollcall::simulation {

struct not_yet_true {
  const char* name;    // of a named history
  const char* reason;  // what goes wrong
};
const std::vector<not_yet_true>& named_not_yet_true();

// A rule that some of the fixed seeds break.
struct known_finding {
  rule broken;
  std::size_t at_most;  // of a thousand seeds
  const char* reason;
};
const std::vector<known_finding>& known_findings();

// What no history reaches yet.
struct known_gap {
  std::string text;  // as coverage says it
  const char* reason;
};
const std::vector<known_gap>& known_gaps();

}  // namespace rollcall::simulation
