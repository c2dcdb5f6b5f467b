// Of groups that cannot all be joined, which are: the choice behind every join where
// prevent_overlapping_partitions is on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace rollcall::membership {

struct joinable_group {
  std::size_t members = 1;
  std::size_t links = 0;  // among them, which exist
  bool chosen_before = false;
};

// The groups (ascending) without a conflict between any two: most members; among equals most links, then most
// that were chosen before, then the lowest indices. Exact where at most `exact_up_to` groups hang together by
// conflicts, else greedy: who conflicts with most members goes first.
inline constexpr std::size_t exact_up_to = 20;
std::vector<std::size_t> choose_groups(const std::vector<joinable_group>&,
                                       const std::vector<std::pair<std::size_t, std::size_t>>& conflicts);

}  // namespace rollcall::membership
