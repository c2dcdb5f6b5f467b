// Looks whether a dark path between two groups is light again, many times a second and at the cost of one
// probe each: what makes healing slow is the pause before the next probe, not the healing.
#pragma once

#include <vector>

#include "membership/conflict_turns.hpp"
#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/path_book.hpp"

namespace rollcall::membership {

// Two groups (by the lowest id of each) between which paths are dark.
struct dark_conflict {
  std::uint32_t one, other;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;  // ids
};

class canaries {
 public:
  // Of one conflict: a repair is seen within a third of a second. A probe over a dark path hangs for its
  // limit, so both directions are asked in turn.
  static constexpr milliseconds each_conflict{300};
  // Of all together, ten a second: with many groups they take turns.
  static constexpr milliseconds between_any{100};

  void plan(const step_context&, path_book&, const std::vector<dark_conflict>&, deadline&,
            std::vector<any_action>&);

 private:
  conflict_turns<> turns_{between_any};
};

}  // namespace rollcall::membership
