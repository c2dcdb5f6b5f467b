// Which pairs are asked to connect, on which side and when. It plans from views, never from answers: an
// answer only says that the views of both ends have to be looked at again.
//
//   each step: answered() for results, viewed() for new views, then plan()
//
// Nodes without any visible link are meshed in one burst; a later pair is asked for on the node that entered
// discovery later; all pairs of one node go out together, and backoff lies between bursts, never between the
// pairs of one.
#pragma once

#include <map>
#include <unordered_map>

#include "membership/cluster.hpp"
#include "membership/deadline.hpp"
#include "membership/member_table.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

// All that a plan is made from. What a plan that respects prevent_overlapping_partitions needs besides
// (probes, quarantine) gets its place here; each node's own settings are in its record.
struct plan_context {
  const member_table& members;
  const view_matrix& views;
  const settings& options;
  milliseconds now;
  step_number step;
  milliseconds listing_changed;  // when discovery last listed somebody new
};

class planner {
 public:
  static constexpr std::size_t max_under_way = 20'000;     // requests in all
  static constexpr milliseconds max_backoff{60'000};       // of one asking node
  static constexpr milliseconds default_setuptime{7'000};  // kernel's net_setuptime
  static constexpr milliseconds setuptime_margin{3'000};
  static constexpr milliseconds settle_at_most{1'000};  // formation waits no longer for dials under way
  static constexpr milliseconds remembered_after_success{60'000};

  void reorder(std::span<const std::size_t> previous) { busy_.reorder(previous); }
  // False when the request is none of ours, or was answered before.
  bool answered(const fact::connect_result&, const plan_context&);
  // True when a pair may be planned again.
  bool viewed(const member_record&, const plan_context&);
  // A new creation, or gone: what was tried with it says nothing any more.
  void forget(const member_record&);
  // reconnect/0: nothing waits for its backoff.
  void hurry();
  void plan(const plan_context&, deadline&, std::vector<any_action>&);
  // Drops what is not needed any more; once a round.
  void sweep(const plan_context&);

  std::size_t under_way() const noexcept { return requests_.size(); }

 private:
  using pair_key = std::uint64_t;
  struct attempt {
    std::uint32_t asked = 0;  // id of the side that was asked last
    bool under_way = false;
    bool connected = false;  // the last answer
    step_number answered_in = 0;
    milliseconds answered_at{0};
    bool stale = false;  // forget() came while it was under way
  };
  struct asker {
    unsigned failed_bursts = 0;
    std::size_t under_way = 0;
    bool burst_failed = false;
    milliseconds not_before{0};
  };
  struct request {
    std::uint32_t on, to;
  };

  static pair_key key(std::uint32_t a, std::uint32_t b) {
    return a < b ? (pair_key{a} << 32U | b) : (pair_key{b} << 32U | a);
  }
  bool settled(const plan_context&, const rank_set& loners, deadline&) const;
  void set_busy(const member_record&, const member_record&, bool);

  request_id next_request_ = 1;
  std::unordered_map<request_id, request> requests_;
  std::unordered_map<pair_key, attempt> attempts_;
  std::unordered_map<std::uint32_t, asker> askers_;
  view_matrix busy_;  // pairs under way, or answered and not yet seen in the views of both ends
};

}  // namespace rollcall::membership
