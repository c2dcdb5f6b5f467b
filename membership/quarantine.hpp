// Which pairs are held back, why, and until when. Every pause of a pair has its home here.
//
//   admitted() when a pair is let in; failed(), connected(), lost() for what came of it; settle() once a
//   step; look() is what the plan asks: may this pair be joined?
//
// Only an outcome proves a link: a request that was answered true, and a link that stayed. A probe of the
// path can only rule a pair out.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "membership/closed_doors.hpp"
#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/pair.hpp"
#include "membership/path_book.hpp"

namespace rollcall::membership {

// Of two that were there before, the one that entered discovery later is asked: it has the least to lose, and
// when one of them cannot resolve the other yet, it is the other. Nodes that all have nothing yet share the
// work.
const member_record& preferred(const member_record& a, const member_record& b, bool both_loners);

class quarantine {
 public:
  // A path probe proves a path for so many times its limit after its answer: long enough to probe a sample of
  // pairs one after the other and join them in one burst, short against what a cut does to a mesh. Answers
  // may be late, but no older than two intervals: else slow nodes would never be proven together.
  static constexpr int proof_limits = 3, proof_intervals = 2;
  // A pair without a path is probed again after one interval, two, four, and never less often than after six
  // (a minute at most). Canaries look at the same pairs in between.
  static constexpr milliseconds max_probe_pause{60'000};
  static constexpr int max_probe_intervals = 6;
  // A pair that was let in and failed or broke again is not let in for 30 s, then 5 min twice, doubled up to
  // half an hour: together with the first tear at most three within two minutes, then one in five minutes at
  // most. It is doubled only for what is this pair's own doing: when its path went dark, that explains the
  // break, and when nobody said why the link was lost (views are polled), another pair may have been the
  // first.
  static constexpr milliseconds first_hold{30'000}, second_hold{300'000}, max_hold{1'800'000};
  // What an end gave up by itself is asked for again after one interval, where nothing else of its two ends
  // has broken of late: somebody may have done it by hand. It counts all the same. Not what goes sooner after
  // it came up than a dial of `global`'s that hangs fails, which is after net_setuptime.
  static constexpr milliseconds closed_hold(milliseconds interval) { return interval; }
  // "Again soon": within two tick times, since a link that carries only small packets lives until its tick,
  // and within twice the last hold (the first one at least), so that a slow rhythm of breaking does not look
  // new each time.
  static constexpr int soon_ticks = 2, soon_holds = 2;
  // One that broke since its path went dark waits for nothing at first, since that is a cut, and when it
  // breaks again so, for nothing but a path that has become steady: light, at each look, for twice as long as
  // it was before it went dark, three intervals at least, and no longer than its hold. Where all between the
  // two groups is dark with it, its second break is a cut, too: joining them costs nobody else's links.
  static constexpr int steady_times = 2, steady_intervals = 3;
  static constexpr milliseconds default_ticktime{60'000};
  // Two are joined when a whole handshake between them has passed within so many intervals.
  static constexpr int handshake_intervals = 2;
  // Where it cannot hurt (one of the two has no link), a request that failed is made again after one and a
  // half intervals: so that a pair that works again is in within two.
  static constexpr milliseconds trial_pause(milliseconds interval) { return interval * 3 / 2; }
  // Both ends of a lost link have told why after that.
  static constexpr milliseconds losses_settle{300};
  static constexpr std::size_t max_entries = 300'000, max_losses = 4'096, max_admissions = 256;

  enum class verdict {
    works,      // join it
    try_first,  // it may work: ask for it alone, where that cannot hurt, before anything is joined
    unknown,    // being probed
    dark,       // no path from either side
    held,       // it failed, or broke, and waits
  };
  enum class fault { none, path, port_mapper, handshake, breaks };

  // Both ends are to be joined now, with all the others of `left` and `right`.
  // `replaces`: somebody still holds a link to the run before of one of them, and drops it for the new one.
  void admitted(std::vector<std::uint32_t> left, std::vector<std::uint32_t> right, bool replaces,
                steady_time now);
  void trial(const member_record& on, const member_record& to);
  void connected(std::uint32_t on, std::uint32_t to);
  void failed(std::uint32_t on, std::uint32_t to, const step_context&);
  // `from` sees `to` now, no matter who linked them. `other_holds`: so did the other end before.
  void gained(const member_record& from, const member_record& to, bool other_holds, steady_time now);
  // `from` does not see `to` any more. `why` may be empty. `other_holds`: the other end still does, by its
  // view.
  void lost(const member_record& from, const member_record& to, std::string_view why, bool other_holds,
            steady_time now);
  // It was told to leave its group: what it loses now is nobody's fault.
  void taken_out(std::uint32_t id, steady_time now) { taken_out_[id] = now; }
  // Judges what was lost a moment ago.
  void settle(const step_context&, const path_book&, deadline&);
  void forget(const member_record&);
  // Another run of it: what its links did stays known, and nothing is held back for it.
  void restarted(const member_record&);
  // reconnect/0: everything is looked at again now.
  void hurry(steady_time now);
  // A canary got through between their groups: pairs that waited for nothing but a path are probed now.
  void recovered(const std::vector<pair_key>&, steady_time now);
  void sweep(const step_context&);

  // `patient`: one of them is new, and names may resolve late: it is probed every interval. `waited`: it has
  // waited for an interval, since answers are late or lost: what a probe has proven stands for two intervals,
  // while it is probed again. Else a dozen pairs would never be proven at one moment.
  struct newcomer {
    bool patient = false, waited = false, enters = false;
  };
  // `harmless`: one of them has no link at all, so that asking for this pair alone cannot hurt.
  verdict look(const step_context&, path_book&, const member_record& a, const member_record& b, newcomer,
               bool harmless, deadline&, std::vector<any_action>&);
  // The side to ask: where a probe worked and the last request did not fail.
  const member_record& side_to_ask(const step_context&, const path_book&, const member_record& a,
                                   const member_record& b) const;
  // The side of a trial: `alone` is the one without a link, and asked unless it failed there last, or cannot
  // dial the other one.
  const member_record& trial_side(const member_record& alone, const member_record& other) const;
  // Whether a path between the two is known to work now, from one side at least.
  static bool path_works(const step_context&, const path_book&, const member_record& a,
                         const member_record& b, std::optional<steady_time> asked_since = {});
  bool dark(const member_record& a, const member_record& b) const;
  // Whether its second break may have been a cut of all that is between two groups; and what came of looking.
  bool may_be_cut(const member_record& a, const member_record& b) const;
  void judge_cut(const std::vector<pair_key>&, bool cut);
  // Held back for nothing but requests that failed, and no handshake has passed since: trials.hpp.
  bool refused(const member_record& a, const member_record& b) const;
  // Since when a handshake has passed between two whose requests failed; and where that is to be proven again
  // before they are joined, the side from which it passed: the other one may never do.
  std::optional<steady_time> proven(const member_record& a, const member_record& b) const;
  const member_record* proven_long_ago(const member_record& a, const member_record& b) const;
  // Something is kept of it and somebody: else it is barred from nobody.
  bool knows(std::uint32_t id) const { return kept_of_.contains(id); }
  // Dark, failed or waiting.
  bool barred(const member_record& a, const member_record& b, steady_time now) const;
  // Pairs that are held back since their link breaks, and that have linked all the same: `global` and others
  // dial by themselves.
  std::vector<pair_key> linked_though_held(const step_context&) const;
  // When its link broke last, if it is to be tried before others; nullopt: its request failed, so that it is
  // the first of them.
  std::optional<steady_time> tried_first(const member_record& a, const member_record& b) const;
  // What is wrong with a pair that is dark or held, and a few words for people.
  fault what_fails(const path_book&, const member_record& a, const member_record& b) const;
  struct trouble {
    fault what = fault::none;
    bool works = false, linked = false;         // the path, from one side at least; and it is up now
    std::optional<path_probe> forth{}, back{};  // what was found at the port that matters
    friend bool operator==(const trouble&, const trouble&) = default;
  };
  trouble trouble_of(const path_book&, const member_record& from, const member_record& to,
                     bool linked = false) const;
  static std::string describe(const trouble&, const node_name& to);
  // Links lost lately between members that are still there: what tears down goes on for a while.
  struct loss {
    std::uint32_t from, to;
    steady_time at;
    bool collateral;     // dropped by its own node, since another one had lost it
    bool reasoned;       // it was said why
    bool dropped;        // its own node gave it up, and nobody told it to leave
    bool silent;         // its own node heard nothing any more
    std::uint64_t link;  // a number; the same when the other end tells of it
    std::optional<steady_time> up_at{};
    bool judged = false, stands = false;
  };
  const std::deque<loss>& losses() const noexcept { return losses_; }

 private:
  struct entry {
    // The path.
    unsigned dark_rounds = 0;  // of probes, in a row
    steady_time next_probe{};
    steady_time since{};  // what was proven before says nothing
    // Requests.
    unsigned failed_sides = 0;  // 1: the lower id was asked and it failed, 2: the higher
    std::uint32_t last_failed_on = 0;
    steady_time failed_at{};
    bool trial = false;  // the request under way is one
    steady_time next_trial{};
    std::optional<steady_time> proven;  // by a whole handshake since they failed
    std::uint32_t passed_on = 0;        // the side of the last that passed
    bool stale = false;                 // too long ago
    bool let_through = false;           // nobody carries handshakes out
    bool misled = false;                // such a handshake passed, and the requests after it failed
    // Links.
    std::optional<steady_time> root_lost;  // it was the first of a tear
    std::optional<steady_time> up_at;      // its link came up again, after one that was lost
    bool broke = false;
    bool dropped = false;   // it stands for a node that others dropped, and nobody said for which pair
    steady_time came_up{};  // the link that broke
    std::optional<milliseconds> steady;  // its path was dark: how long it has to be light
    steady_time dark_at{};
    bool may_be_cut = false;
    // Both.
    unsigned strikes = 0;
    steady_time not_before{}, struck_at{};
  };
  struct admission {
    steady_time at;
    bool replaces;
    std::vector<std::uint32_t> left, right;  // ids, sorted: of a thousand nodes hundreds hold hundreds each
    unsigned cuts_before;  // how often the two broke soon after they were let in, since a path went dark
    bool cut = false;      // and once more since

    bool joins(std::uint32_t a, std::uint32_t b) const;  // one is on the left, and one on the right
  };

  static constexpr unsigned lower_side = 1, higher_side = 2, both_sides = 3;
  static unsigned side(std::uint32_t on, std::uint32_t to) { return on < to ? lower_side : higher_side; }
  static constexpr milliseconds leaves_within{6'000};  // a command expires after 3 s; a polled view follows
  // What goes on after an old link was dropped for a new one: a tear goes through a mesh in 1.5 s (measured).
  static constexpr milliseconds replacing{2'000};
  static milliseconds hold(unsigned strikes);
  static bool current(const step_context&, const path_book::finding&);
  static milliseconds soon(const entry&, const member_record& a, const member_record& b);
  entry* find(std::uint32_t a, std::uint32_t b);
  const entry* find(std::uint32_t a, std::uint32_t b) const;
  entry* obtain(std::uint32_t a, std::uint32_t b);
  const admission* admission_of(std::uint32_t a, std::uint32_t b) const;
  admission* admission_of(std::uint32_t a, std::uint32_t b);
  static void strike(entry&, steady_time now, milliseconds at_most);
  void forgive(pair_key, entry&);  // there is a link: requests that failed are history
  std::uint64_t number_of(std::uint32_t from, std::uint32_t to);
  bool explained(const loss&, const std::map<std::uint32_t, steady_time>&) const;
  void judge_losses(const step_context&, const path_book&);
  void judge(const step_context&, const path_book&, const loss&, bool reasoned);
  bool may_be_by_hand(const step_context&, const loss&, steady_time came_up) const;
  bool judge_drop(const step_context&, const path_book&, const loss&);
  void broke_soon(const step_context&, const path_book&, entry&, const loss&, steady_time came_up,
                  milliseconds at_most);
  std::optional<steady_time> came_up_soon(const step_context&, const loss&) const;
  // Its path was dark: that explains why its link broke, and shows when it is over.
  void explain(pair_key, entry&, milliseconds lit, steady_time dark_at, milliseconds interval);
  void look_for_darkness(const step_context&, path_book&, entry&, const member_record& a,
                         const member_record& b, deadline&, std::vector<any_action>&);
  bool behind_a_closed_door(const member_record& on, const member_record& to) const;
  static bool may_be_tried(const entry&);
  static bool passed_handshake(const path_book&, const entry&, const member_record& on,
                               const member_record& to);
  static std::optional<verdict> look_at_handshakes(const step_context&, const path_book&, entry&,
                                                   const member_record& a, const member_record& b,
                                                   bool harmless, deadline&);
  // One side failed since it does not reach the other's port mapper, and the other side does.
  verdict look_at_sides(const step_context&, path_book&, const entry&, const member_record& a,
                        const member_record& b, std::vector<any_action>&);
  verdict look_at_path(const step_context&, path_book&, const member_record& a, const member_record& b,
                       entry*, newcomer, deadline&, std::vector<any_action>&);
  static bool proven_lately(const step_context&, const path_book&, const member_record& a,
                            const member_record& b, std::optional<steady_time> asked_since);
  // A request failed although the path works: whether it is the port mapper.
  static void look_at_mapper(const step_context&, path_book&, const entry&, const member_record& a,
                             const member_record& b, std::vector<any_action>&);
  void no_path(const step_context&, const member_record& a, const member_record& b, bool patient, deadline&);

  void drop_entries(const std::function<bool(pair_key, const entry&)>& which);
  void forget_links(const member_record&);
  void forget_pair_of(const loss&);
  void drop_losses(const std::function<bool(const loss&)>& which);
  bool lost_lately(pair_key k) const { return lost_pairs_.contains(k); }

  std::unordered_map<pair_key, entry> entries_;
  std::unordered_map<std::uint32_t, std::size_t> kept_of_;  // how many of entries_ are of each
  static constexpr pair_key no_key = 0;                     // ids begin with 1
  mutable pair_key found_key_ = no_key;                     // what find() was asked for last
  mutable const entry* found_ = nullptr;
  closed_doors doors_;
  std::unordered_set<pair_key> broken_;  // of them, those that broke, of late
  std::deque<admission> admissions_;
  std::deque<loss> losses_;
  std::unordered_map<pair_key, std::size_t> lost_pairs_;  // how many of losses_ are of each
  struct last_loss {
    std::uint64_t link = 0;
    std::uint32_t told_by = 0;
    bool both = false;
  };
  std::unordered_map<pair_key, last_loss> lost_last_;  // since something was lost last
  std::uint64_t links_lost_ = 0;
  std::optional<steady_time> flooded_;  // when more was lost than is kept
  std::unordered_map<std::uint32_t, steady_time> taken_out_;
};

}  // namespace rollcall::membership
