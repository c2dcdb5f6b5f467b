// What every part of one step looks at.
#pragma once

#include <set>

#include "membership/member_table.hpp"
#include "membership/settings.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

struct step_context {
  const member_table& members;
  const view_matrix& views;
  const view_matrix& suspected;  // symmetric; linked in a view, and probes fail
  const settings& options;
  moment at;
  steady_time now;  // at.steady
  step_number step;
  steady_time listing_changed;  // when discovery last listed somebody new
  bool starting, paused, isolated;
  const std::set<std::uint32_t>& held;  // new members that may not be connected yet, by the plan before
};

// Whether a member whose view is fresh is linked to it.
inline bool seen_by_anybody(const step_context& context, const member_record& m) {
  bool seen = false;
  each_rank(context.views.seen_by(m.rank), [&](std::size_t rank) { seen |= context.members[rank].fresh; });
  return seen;
}

}  // namespace rollcall::membership
