// The pure core: facts and a moment in, actions, events and a snapshot out. No I/O, no clock, no thread, no
// random device (jitter comes from the seed).
//
//   auto out = cluster.step(facts, now);   // any number of facts, also none
//   ... carry out out.actions, log out.events, publish cluster.snapshot() if out.changed
//   ... call step again at out.wake at the latest
#pragma once

#include <span>

#include "membership/settings.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::membership {

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
  // known who is there; nothing is counted again.
  void restore(std::vector<incident>, incident_totals, const std::vector<node_name>& kept_out);

  // The same from the last snapshot of one before in this very process, whose versions and events go on.
  // Standing by: another Rollcall of our name is at work, and nothing is known at first hand; incidents that
  // were open end as `unwatched`, and are not counted as healed.
  void follow(const membership::snapshot&, bool standing_by);
  // Standing by no step is made, and what we show to nodes and to callers may be renewed all the same.
  void show(const fact::certificate&);

  step_result step(std::span<const any_fact> facts, moment now);
  // Facts of the next step, taken before it: thousands of them, a few at a time. Everything else waits for
  // the step.
  void take(std::span<const any_fact> facts, moment now);
  snapshot_ptr snapshot() const;  // never null

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace rollcall::membership
