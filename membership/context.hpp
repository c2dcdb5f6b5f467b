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
  milliseconds now;  // at.steady
  step_number step;
  milliseconds listing_changed;  // when discovery last listed somebody new
  bool starting, isolated;
  const std::set<std::uint32_t>& held;  // new members that may not be connected yet, by the plan before
  bool paused = false;                  // no action on any node: what is due is told, not asked
};

}  // namespace rollcall::membership
