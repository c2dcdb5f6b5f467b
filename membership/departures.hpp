// Who is taken out of the mesh: leave/1 and rejoin/1, and --prune-after. A node that goes is told so itself
// (action::leave_mesh). Nothing else disconnects anything, but for the one member of plan_odd_one.cpp.
#pragma once

#include <set>

#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/lifecycle.hpp"

namespace rollcall::membership {

class departures {
 public:
  explicit departures(lifecycle& life) : life_(life) {}

  // What an earlier life remembered of leave/1.
  void restore(const std::vector<node_name>& names) { told_.insert(names.begin(), names.end()); }

  // Each: whether the member's state may have changed by it.
  bool leave(const node_name&, member_record*, moment);
  bool rejoin(const node_name&, member_record*, moment);
  // It is listed (again): kept out if it was told to leave, let in if it had been pruned.
  void listed(member_record&, moment);
  // Once a round. Only what discovery, when it answers well, has not listed for long.
  bool prune(const step_context&, const std::vector<source_report>&);
  // Tells those that are to go, and once more when somebody has connected them.
  void tell(const step_context&, deadline&, std::vector<any_action>&);

 private:
  void keep_out(member_record&, std::string_view why, moment);

  lifecycle& life_;
  std::set<node_name> told_;  // by leave/1
};

}  // namespace rollcall::membership
