// The snapshot, drawn from the members and their views; conditions and events are put in by the caller.
#pragma once

#include <optional>
#include <vector>

#include "membership/compatible.hpp"
#include "membership/member_table.hpp"
#include "membership/pair.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

// Keeps what it counted until the views, what is suspected, or who counts has changed.
class picture {
 public:
  // `suspected`: symmetric. `quarantined`: ids, lower first. `partitions`: ranks, as find_partitions() gave
  // them for the views without the suspected pairs.
  snapshot draw(const member_table&, const view_matrix& views, const view_matrix& suspected,
                const std::vector<pair_key>& quarantined,
                const std::vector<std::vector<std::size_t>>& partitions);

  // Pairs in each state, each counted from both its ends.
  struct pair_counts {
    std::size_t connected = 0, one_way = 0, missing = 0, in_doubt = 0;
    std::vector<std::size_t> links_missing, visible_peers;  // by rank
    bool operator==(const pair_counts&) const = default;
  };

 private:
  struct basis {
    link_generations links;
    compatible_sets telling, mesh;  // those whose view counts; in the mesh
    rank_set present;               // and those of them that have not left
    bool operator==(const basis&) const = default;
  };
  static pair_counts count_pairs(const member_table&, const view_matrix& views, const view_matrix& suspected,
                                 const basis&);

  std::optional<basis> counted_of_;
  pair_counts counted_;
};

}  // namespace rollcall::membership
