// Who was lost lately is dialled again soon, at little cost: of those lost together one at a time, and all of
// them once one answers.
//
//   linked() and reported() when a node shows that it is there; each step: plan(), before what is due is
//   dialled
#pragma once

#include "membership/context.hpp"
#include "membership/deadline.hpp"

namespace rollcall::membership {

class dial_canaries {
 public:
  // Of those lost together: what is back is noticed within a second, which is what a restart takes anyway.
  static constexpr milliseconds each_group{1'000};
  // Of all together, five a second. A dial into the dark hangs for its limit: 25 at a time at most, with the
  // usual 5 s.
  static constexpr milliseconds between_any{200};
  // How long: a node, its machine or a switch has restarted by then. What is away for longer is dialled like
  // any other that does not answer.
  static constexpr milliseconds lately{300'000};

  // A link to it is there: those that were lost with it may be back, too.
  static void linked(const step_context&, const member_record&);
  // A member says that it is linked to it.
  static void reported(const step_context&, member_record&);
  // What a failed dial means for one that had to be dialled again while it was under way.
  static void dial_failed(member_record&, steady_time now);
  void plan(const step_context&, deadline&);

 private:
  steady_time next_{};
};

}  // namespace rollcall::membership
