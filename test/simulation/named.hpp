// Histories that once went wrong on real nodes, each by name, with what is right.
#pragma once

#include <string>
#include <vector>

namespace rollcall::simulation {

struct named_history {
  const char* name;
  // The first thing that was not as it should be, and what led to it; empty when all was right.
  std::string (*play)();
  bool large = false;  // takes long under a sanitizer
};
const std::vector<named_history>& named_histories();

}  // namespace rollcall::simulation
