// Which pairs are asked to connect, on which side and when. What proves a link is an outcome; see
// quarantine.hpp for what holds a pair back, connect_requests.hpp for what is under way, groups.hpp for who
// hangs together.
//
//   each step: answered() for results, viewed() for new views, then plan()
//
// Nodes without any visible link are meshed in one burst; a later pair is asked for on the node that entered
// discovery later; all pairs of one node go out together, and backoff lies between bursts, never between the
// pairs of one.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "membership/canaries.hpp"
#include "membership/connect_requests.hpp"
#include "membership/deadline.hpp"
#include "membership/groups.hpp"
#include "membership/path_book.hpp"
#include "membership/quarantine.hpp"
#include "membership/trials.hpp"

namespace rollcall::membership {

class planner {
 public:
  // Formation waits no longer than this for dials under way.
  static constexpr milliseconds settle_at_most{1'000};
  // A formation of many takes several turns; what it has not reached by then is joined like anybody else.
  static constexpr milliseconds forming_at_most{30'000};
  // Where prevent_overlapping_partitions is on. A tear goes through a mesh within 1.5 s (measured): a group
  // is not added to for a little longer after a loss in it. Two groups that hold no link to each other any
  // more have nothing left to tear between them: half a second is for what is on its way.
  static constexpr milliseconds quiet_time{1'750}, apart_quiet_time{500};
  static constexpr milliseconds settings_at_most{10'000};  // who has links is planned for without them then
  static constexpr std::size_t max_probed_pairs = 4'096;   // between two groups; of more, a sample
  // Of all newcomers of an interval together with their group, more than a mesh of 256 nodes can have. Of
  // more, a sample: as many as between two groups, or so many of each newcomer, which is then introduced by
  // those.
  static constexpr std::size_t max_entering_pairs = 16'384, least_entering_pairs = 8;
  static constexpr std::size_t max_uncalm_pairs = 1'024;  // looked at inside a group that is about to change
  static constexpr milliseconds linking_time{300};        // what `global` links has changed by then
  static constexpr int linking_intervals = 2;             // and it is looked at all the same
  static constexpr std::size_t fellow_newcomers = 8;      // of those that enter at once, looked at by each
  // More groups than this are not all compared with each other: probes grow with the nodes. So many are
  // joined at a time then, and each is compared with so many such sets that all comparisons together are
  // bounded.
  static constexpr std::size_t many_groups = 32, joined_at_once = 8;
  static constexpr std::size_t max_comparisons = 1'024, least_comparisons = 8;
  // What is not known yet holds up a choice between groups for this many probe limits.
  static constexpr int undecided_limits = 3;
  // A member that did not answer for so long does not hold up newcomers: they look for it themselves, like
  // for one that we do not reach.
  static constexpr milliseconds silent_intervals(milliseconds interval) { return interval * 3 / 2; }
  static constexpr int waiting_ticks = 2;  // for ends that still believe in a dark link
  // One that keeps two groups apart is taken out of its own when that lasted for so many intervals: what is
  // over sooner needs nobody's links.
  static constexpr int odd_intervals = 2;
  static constexpr std::size_t witnesses = 8;
  static constexpr std::size_t beside_light =
      8;  // pairs of each conflict that shares a group with a light one

  using asked_pair = connect_requests::asked_pair;

  void reorder(std::span<const std::size_t> previous) { requests_.reorder(previous); }
  // The pair it was about; nullopt when the request is none of ours, or was answered before.
  std::optional<asked_pair> answered(const fact::connect_result&, const step_context&);
  // True when a pair may be planned again.
  bool viewed(const member_record& m, const step_context& context) { return requests_.viewed(m, context); }
  // Gone: what was tried with it says nothing any more.
  void forget(const member_record&);
  // A new creation. What its links did before it is known still.
  void restarted(const member_record&);
  // reconnect/0: nothing waits for its backoff.
  void hurry(steady_time now);
  void plan(const step_context&, path_book&, deadline&, std::vector<any_action>&);
  // A view stopped holding somebody: `from` lost `to`, and the other end may still hold it.
  void lost(const member_record& from, const member_record& to, std::string_view why, bool other_holds,
            steady_time now) {
    quarantine_.lost(from, to, why, other_holds, now);
  }
  void gained(const member_record& from, const member_record& to, bool other_holds, steady_time now) {
    quarantine_.gained(from, to, other_holds, now);
  }
  // Drops what is not needed any more; once a round.
  void sweep(const step_context&);

  std::size_t under_way() const noexcept { return requests_.under_way(); }
  // Pairs (ids, lower first) that are held back.
  const std::vector<pair_key>& quarantined() const noexcept { return quarantined_; }
  // Members kept from joining others, and which ones they cannot reach.
  struct exclusion {
    std::uint32_t node;
    std::vector<std::uint32_t> cannot_reach;
    std::string text;  // a sentence
    bool path_only = true;
    std::vector<quarantine::trouble> why{};  // what the sentence says of the first of them
  };
  const std::vector<exclusion>& excluded() const noexcept { return excluded_; }
  // New members that wait for a group that may not be added to right now.
  const std::set<std::uint32_t>& held() const noexcept { return held_; }
  // Requests since the last call, for the incidents.
  std::vector<asked_pair> take_asked() { return requests_.take_asked(); }
  // What was decided about a member since the last call: a sentence each.
  std::vector<std::pair<std::uint32_t, std::string>> take_told() { return std::exchange(told_, {}); }
  // --heal=plan: pairs (asked id, other id) that would be asked for now.
  const std::set<std::pair<std::uint32_t, std::uint32_t>>& would_ask() const noexcept { return would_ask_; }
  // Grows with every change of quarantined() or excluded().
  std::uint64_t exclusions() const noexcept { return exclusions_; }
  // A dark path between two groups was found light since the last call: links over it are worth a probe now.
  bool take_recovered() { return std::exchange(recovered_, false); }
  // Members that newcomers have no path to, ids: they may be dark to others, too.
  const std::set<std::uint32_t>& dark_to_newcomers() const noexcept { return dark_to_newcomers_; }

 private:
  using verdict = quarantine::verdict;
  struct round;  // what one plan of one kind of name works with
  struct comparison {
    verdict said = verdict::works;
    std::pair<std::size_t, std::size_t> trial{};  // to be tried first: ranks
    std::optional<steady_time> lost{};            // when the link of that pair was
    // Of several the one that was lost first.
    void try_first(std::pair<std::size_t, std::size_t> pair, std::optional<steady_time> its_lost);
  };
  // Pairs that may have broken in a cut of all that is between two groups.
  struct perhaps_cut {
    std::vector<pair_key> pairs;
    bool ruled_out = false;  // something is light, or fails otherwise
    bool open() const { return !pairs.empty() && !ruled_out; }
  };

  struct joint_set {  // groups that are to be joined
    std::vector<std::size_t> groups;
    std::size_t members = 0, pairs = 0;  // pairs: between them
    bool undecided = false;
  };

  struct odd_one {
    std::size_t rank = 0;
    std::vector<std::pair<std::size_t, std::size_t>> barred;  // all its own
  };

  // planner.cpp
  void forget_requests(const member_record&);
  bool settled(const step_context&, const rank_set& loners, deadline&) const;
  void plan_all(const step_context&, deadline&, burst_map&);
  void carry_out(const step_context&, const burst_map&, std::vector<any_action>&);
  void look_beside_what_is_light(const step_context&, deadline&);
  // exclusions.cpp
  void keep_exclusions(const step_context&, const path_book&);
  void publish_exclusions(const step_context&, const path_book&);
  void leave_out(std::uint32_t who, std::uint32_t cannot_reach);
  const exclusion* excluded_before(std::uint32_t id) const;
  exclusion excluded_now(const step_context&, const path_book&, const member_record&,
                         std::vector<std::uint32_t> cannot_reach) const;
  void tell_exclusions(const step_context&, const std::vector<exclusion>& next);
  // plan_overlap.cpp: the steps in their order
  void plan_overlap(const step_context&, path_book&, std::size_t mesh, deadline&, std::vector<any_action>&,
                    burst_map&);
  rank_set planned_for(const step_context&, std::size_t mesh, deadline&);
  void sort_groups(round&);
  void forget_lone_attempts(const step_context&, const rank_set& mesh);
  bool form(round&);
  void continue_forming(round&);
  void inside(round&, std::size_t group);
  quarantine::newcomer lacking_for(const round&, std::size_t group);
  bool ask_inside(round&, std::size_t x, std::size_t y, quarantine::newcomer);
  void between(round&);
  bool chosen_before(const round&, std::size_t group) const;
  std::vector<std::pair<std::size_t, std::size_t>> find_conflicts(round&);
  verdict compare_established(round&, std::size_t g, std::size_t h);
  void note_undecided(round&, bool unknown);
  void between_few(round&);
  void join_all(round&, const std::vector<std::size_t>& taken);
  std::vector<std::optional<std::size_t>> targets(round&);
  void introduce(round&);
  std::vector<std::size_t> fit_together(round&, std::vector<std::size_t> entering, std::size_t target);
  bool may_enter(round&, const member_record&, std::size_t newcomer, std::size_t target);
  // plan_trouble.cpp
  void find_trouble(round&);
  void find_losses(round&) const;
  static void find_who_may_be_met(round&);
  void find_requests(round&) const;
  bool believes_in_the_dark(const round&, std::size_t g);
  void find_who_stands_apart(round&) const;
  // plan_many.cpp
  void between_many(round&);
  verdict fits(round&, std::size_t group, const joint_set&);
  std::size_t count_newcomers(const round&);
  // For each to be probed with all of them.
  static bool too_many_enter(const round&, std::size_t members);
  void enter_together(round&, const std::vector<std::size_t>& entering, std::size_t target);
  static std::vector<std::size_t> fellows_of(const round&, std::size_t group,
                                             const std::vector<std::size_t>& others);
  bool being_linked(round&, std::size_t group, std::size_t most);
  // plan_odd_one.cpp
  void move_the_odd_one(round&);
  std::optional<odd_one> find_odd_one(round&, std::size_t joined, std::size_t apart);
  bool others_work(round&, const odd_one&, std::size_t joined, std::size_t apart);
  // plan_pairs.cpp: questions about two groups
  std::vector<std::pair<std::size_t, std::size_t>> pairs_between(const round&, std::size_t g,
                                                                 std::size_t h) const;
  comparison compare(round&, std::size_t g, std::size_t h, quarantine::newcomer);
  verdict look(round&, std::size_t x, std::size_t y, quarantine::newcomer, bool harmless);
  void look_for_refusals(const member_record& a, const member_record& b, verdict, refused_conflict&) const;
  void settle_refusals(refused_conflict, verdict& said);
  void look_for_cut(const member_record& a, const member_record& b, verdict said, perhaps_cut& into) const;
  static quarantine::newcomer newcomer_after(const round&, milliseconds waited);
  bool barred_between(round&, std::size_t g, std::size_t h) const;
  bool forsaken(const round&, std::size_t y) const;
  bool passed_over(const round&, std::size_t newcomer, std::size_t y) const;
  bool calm(round&, std::size_t g, std::size_t h, bool newcomer);
  verdict meets(round&, std::size_t g, std::size_t h, std::size_t met, bool barred);
  verdict exposed(round&, std::size_t g, std::size_t h, bool newcomer = false);
  void wait_for_what_breaks(round&);
  bool blocked(round&, std::size_t g, std::size_t h);
  static bool linked_to_what_is_held(const round&, std::size_t g, std::size_t h);
  std::optional<bool> reaches(round&, const member_record& on, const member_record& to);
  void try_alone(round&, std::pair<std::size_t, std::size_t>, std::size_t g, std::size_t h);
  void admit(round&, std::size_t g, std::size_t h);
  bool replace_half_link(round&, std::size_t g, std::size_t h, bool enters);
  void join(round&, std::size_t g, std::size_t h);
  bool add(round&, std::size_t x, std::size_t y);

  connect_requests requests_;
  quarantine quarantine_;
  canaries canaries_;
  trials trials_;
  // A mesh in which nothing was missing: nothing is, until one of these changes.
  struct whole_mesh {
    link_generations links;
    rank_set planned;
    bool operator==(const whole_mesh&) const = default;
  };
  std::map<std::size_t, whole_mesh> whole_;  // by mesh
  // Ids: of this creation; or took part in a first burst.
  boost::unordered_flat_set<std::uint32_t> had_links_;
  std::map<std::uint32_t, std::uint32_t> alone_;    // ids: newcomers, and who they were tried with, alone
  std::vector<std::uint32_t> chosen_;               // ids, sorted: in the set that was joined last
  std::map<std::uint32_t, steady_time> odd_since_;  // by id
  std::set<pair_key> moved_for_;                    // until they are linked: never twice for one cause
  std::map<pair_key, steady_time> one_way_since_;
  std::map<std::uint32_t, steady_time> believes_since_;  // groups by their lowest id
  std::map<std::uint32_t, steady_time> unsound_since_;   // groups by their lowest id: something lacks in it
  std::map<std::uint32_t, steady_time> newcomers_;       // ids, and when they had no link last
  struct lacking {
    std::size_t pairs;
    steady_time since, changed_at;
  };
  std::map<std::uint32_t, lacking> lacking_;       // groups by their lowest id: those that lack many
  std::map<pair_key, steady_time> blocked_since_;  // by which one, and who wants to join
  std::map<std::uint32_t, std::vector<std::uint32_t>>
      left_out_;                           // who each cannot reach, sorted; of this plan
  std::vector<dark_conflict> dark_;        // of this plan
  std::vector<refused_conflict> refused_;  // of this plan
  std::optional<steady_time> undecided_since_;
  std::vector<std::uint32_t> forming_;
  std::size_t forming_step_ = 0, forming_place_ = 0;
  steady_time forming_since_{};
  std::vector<pair_key> quarantined_;  // sorted
  std::vector<exclusion> excluded_;
  std::set<std::uint32_t> held_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> would_ask_;
  std::vector<std::pair<std::uint32_t, std::string>> told_;
  std::uint64_t exclusions_ = 0;
  std::set<std::uint32_t> light_;  // groups by their lowest id: a path of theirs was found light in this plan
  bool recovered_ = false;
  std::set<std::uint32_t> dark_to_newcomers_;  // of this plan; eight stand for all
};

}  // namespace rollcall::membership
