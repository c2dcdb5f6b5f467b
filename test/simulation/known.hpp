// What is known not to be true yet. Each entry is printed when it is met; one that is not met any more fails
// the run, so that whoever fixes it takes its line away.
#pragma once

#include <string>
#include <vector>

namespace rollcall::simulation {

struct not_yet_true {
  const char* name;    // of a named history
  const char* reason;  // what goes wrong
};
const std::vector<not_yet_true>& named_not_yet_true();

}  // namespace rollcall::simulation
