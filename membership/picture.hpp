// The snapshot, drawn from the members and their views; conditions and events are put in by the caller.
#pragma once

#include "membership/member_table.hpp"
#include "membership/pair.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

// `suspected`: symmetric. `quarantined`: ids, lower first. `partitions`: ranks, as find_partitions() gave
// them for the views without the suspected pairs.
snapshot draw(const member_table&, const view_matrix& views, const view_matrix& suspected,
              const std::vector<pair_key>& quarantined,
              const std::vector<std::vector<std::size_t>>& partitions);

}  // namespace rollcall::membership
