// The pure core: facts and a moment in, actions, events and a snapshot out. No I/O, no clock, no thread, no
// random device (jitter comes from the seed).
//
//   auto out = cluster.step(facts, now);   // any number of facts, also none
//   ... carry out out.actions, log out.events, publish cluster.snapshot() if out.changed
//   ... call step again at out.wake at the latest
#pragma once

#include <span>

#include "membership/snapshot.hpp"

namespace rollcall::membership {

enum class heal_mode { automatic, off, all };

struct settings {
  milliseconds interval{5'000};  // one round: views asked, missing members dialled
  heal_mode heal = heal_mode::automatic;
  std::size_t expect = 0;                   // --expect; 0: discovery knows
  milliseconds suspect_after_loss{15'000};  // less than this since the loss is suspect, not down
  milliseconds left_within{30'000};         // closed and delisted within this is `left`, not a failure
  milliseconds reap_after{86'400'000};      // `left` members are forgotten
  milliseconds discovery_stale_after{60'000};
  milliseconds formation_settle{
      300};  // nodes without a visible link wait this long for more of them to be linked
  milliseconds cookie_retry{300'000};      // a refused cookie is tried again no sooner
  bool watch = false;                      // --views=push: nodes report changes by themselves
  bool probe = false;                      // links and paths are probed
  milliseconds probe_limit{1'000};         // of one link or path probe
  milliseconds introduce_timeout{30'000};  // a new node waits this long to be reachable for everyone
  std::optional<milliseconds>
      prune_after{};        // unlisted, unhealthy nodes are taken out of the mesh after this
  bool prune_live = false;  // healthy ones too
  std::uint64_t seed = 1;
  std::size_t max_events = 256;
};

struct step_result {
  std::vector<any_action> actions;
  std::vector<event> events;
  bool changed = false;  // snapshot() is a new one
  moment wake;           // `steady` is when step must be called next even without a fact
};

class cluster {
 public:
  explicit cluster(settings);
  ~cluster();
  cluster(cluster&&) noexcept;
  cluster& operator=(cluster&&) noexcept;

  // What an earlier life remembered; before the first step. Open incidents go on, or are closed, once it is
  // known who is there; nothing is counted anew.
  void restore(std::vector<incident>, incident_totals, const std::vector<node_name>& kept_out);

  // The same from the last snapshot of one before in this very process, whose versions and events go on.
  // Standing by: another Rollcall of our name is at work, and nothing is known at first hand; incidents that
  // were open end as `unwatched`, and are not counted as healed.
  void follow(const membership::snapshot&, bool standing_by);

  step_result step(std::span<const any_fact> facts, moment now);
  snapshot_ptr snapshot() const;  // never null

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace rollcall::membership
