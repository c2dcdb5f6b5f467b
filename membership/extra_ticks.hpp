// Has nodes tick their links oftener than they do by themselves, where others probe them. A node sends no
// tick after a quarter of its net_ticktime in which it has sent anything over a link, so that one probe, or
// any other message now and then, doubles the silence that the other end hears: a darkness then breaks what
// ticks alone would have kept. OTP: dist_util.erl, need_to_tick; net_kernel.erl, aux_tick.
//
//   each step that probes: plan()
#pragma once

#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/prober.hpp"

namespace rollcall::membership {

class extra_ticks {
 public:
  // In a larger mesh a link is probed so seldom that few of them miss a tick, and ticks are many.
  static constexpr std::size_t in_meshes_up_to = 4 * prober::per_node;
  // Of the net_ticktime: twice as often as by itself. What was lost in the dark is repeated by TCP after 0.2
  // s, 0.6, 1.4, 3, 6.2, 12.6, 25.4, 51 s: with these ticks what comes after 6.2 s is in time for a
  // net_ticktime of 8 s, and what comes after 51 s for one of 60 s. With a fifth the former is not for
  // certain.
  static constexpr int in_a_ticktime = 8;
  // However small the net_ticktime of one member is.
  static constexpr milliseconds pause_at_least{1'000};

  void plan(const step_context&, deadline&, std::vector<any_action>&);

 private:
  std::optional<steady_time> last_;
};

}  // namespace rollcall::membership
