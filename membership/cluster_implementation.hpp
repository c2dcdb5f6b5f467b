// The parts of a cluster and what they share: cluster.cpp is the step in its order, cluster_facts.cpp what
// each fact does. Included by those two only.
#pragma once

#include <map>
#include <set>

#include "membership/cluster.hpp"
#include "membership/conditions.hpp"
#include "membership/departures.hpp"
#include "membership/dial_canaries.hpp"
#include "membership/extra_ticks.hpp"
#include "membership/incidents.hpp"
#include "membership/lifecycle.hpp"
#include "membership/partitions.hpp"
#include "membership/path_book.hpp"
#include "membership/picture.hpp"
#include "membership/planner.hpp"
#include "membership/prober.hpp"
#include "membership/questions.hpp"

namespace rollcall::membership {

// Which members the last view of one named, kept for the next one, which in quiet names the same: then none
// of its names is looked up, and the node need not even send them (fact::view_confirmed). A node that makes
// two views of one digest lies about itself, as it could anyway.
struct understood_view {
  bool kept = false;
  std::size_t digest = 0;
  rank_set seen;
  std::vector<node_name> others;  // that are no members
};

struct cluster::implementation {
  explicit implementation(const settings& s)
      : options(s),
        events(options.max_events),
        life(options, events),
        alarms(options),
        splits(options, events),
        asks(options),
        departing(life) {}

  struct stranger_link {
    std::uint32_t creation;
    bool visible;
    bool old_protocol;
  };

  void take(std::span<const any_fact> facts, moment at);
  step_result step(std::span<const any_fact> facts, moment at);

  void place(const fact::listed&);
  void apply(const fact::listed&);
  void apply(const fact::link_up&);
  void apply(const fact::link_down&);
  void apply(const fact::dial_failed&);
  void apply(const fact::view&);
  void apply(const fact::view_confirmed&);
  steady_time watcher_told(member_record&, milliseconds round_trip) const;
  void apply(const fact::view_failed&);
  void apply(const fact::settings&);
  void apply(const fact::stopping&);
  void apply(const fact::connect_result&);
  void apply(const fact::cookies_changed&);
  void apply(const fact::shows_up&);
  void apply(const fact::round_requested&);
  void apply(const fact::heard&);
  void apply(const fact::peer_changed&);
  void apply(const fact::watching&);
  void apply(const fact::links_probed&);
  void apply(const fact::path_probed&);
  void apply(const fact::leave&);
  void apply(const fact::rejoin&);
  void apply(const fact::pause&);
  void apply(const fact::certificate&);
  void apply(const fact::resume&);

  step_context context() const {
    return {.members = members,
            .views = views,
            .suspected = probes.suspected(),
            .options = options,
            .at = now,
            .now = now.steady,
            .step = number,
            .listing_changed = listing_changed,
            .starting = life.starting(),
            .paused = paused_until.has_value(),
            .isolated = life.isolated(),
            .held = plans.held()};
  }
  void gained(const member_record& from, const member_record& to) {
    plans.gained(from, to, views.sees(to.rank, from.rank), now.steady);
  }
  void lost(member_record& from, member_record& to, std::string_view why);
  void changed(member_record&, const node_name& peer, bool up, std::string_view why);
  const understood_view& understand(const member_record&, const name_list& visible);
  rank_set seen_by(member_record&, const understood_view&);  // with what was reported meanwhile
  void viewed(member_record&, const understood_view&, milliseconds round_trip);
  static void report_stranger(member_record&, const node_name& peer, bool up);
  void greet(const member_record& by, member_record& other) const;
  void follow_incidents();
  void settle();
  void put_aside(member_record&);
  member_record& add(const node_name&);
  std::vector<const node_name*> enter_listed(const fact::listed&);
  void link_those_known(const std::vector<const node_name*>& added);
  std::vector<std::string> delist(const std::vector<node_name>& listed, std::size_t listed_before);
  void forget(member_record&);
  void linked(member_record&, const stranger_link&);
  void start_round();
  void end_pause(deadline&);
  void probe(deadline&, std::vector<any_action>&);
  void plan(deadline&, std::vector<any_action>&);
  void publish(deadline&);

  settings options;
  journal events;
  lifecycle life;
  conditions alarms;
  member_table members;
  view_matrix views;
  std::vector<understood_view> understood;  // by rank; of nobody once ranks or names have changed
  std::vector<std::size_t> named_after;     // by rank: who came next in the last view that named it
  planner plans;
  prober probes;
  extra_ticks ticks;
  path_book paths;
  incidents splits;
  questions asks;
  dial_canaries dials;
  departures departing;
  followed_partitions partitions;
  picture drawn;

  names_aside aside;
  std::map<node_name, stranger_link> stranger_links;
  std::vector<source_report> sources;
  std::map<connect_outcome, std::uint64_t> connect_requests;

  moment now;
  step_number number = 0;
  bool under_way = false;  // facts of it were taken
  bool dirty = false;
  bool told_again = false;  // by views, what was known: how long they took is shown once a round
  bool planning_due = true;
  steady_time next_plan{};
  bool probing_due = true;
  steady_time next_probe{};
  steady_time next_judgement{};
  steady_time next_split_look{};
  steady_time next_round{};
  steady_time listing_changed{};
  std::optional<moment> paused_until;
  std::optional<fact::certificate> certificate, http_certificate;
  std::optional<milliseconds> paused_for;  // of a life before, from the first step on
  snapshot_ptr shown;
  std::uint64_t version = 0;
};

}  // namespace rollcall::membership
