// The snapshot, drawn from the members and their views; conditions and events are put in by the caller.
#pragma once

#include "membership/member_table.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

snapshot draw(const member_table&, const view_matrix&);

}  // namespace rollcall::membership
