// Which pairs are asked to connect, on which side and when. It plans from views, never from answers: an
// answer only says that the views of both ends have to be looked at again.
//
//   each step: answered() for results, viewed() for new views, then plan()
//
// Nodes without any visible link are meshed in one burst; a later pair is asked for on the node that entered
// discovery later; all pairs of one node go out together, and backoff lies between bursts, never between the
// pairs of one.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/pair.hpp"
#include "membership/path_book.hpp"

namespace rollcall::membership {

class planner {
 public:
  static constexpr std::size_t max_under_way = 20'000;     // requests in all
  static constexpr milliseconds max_backoff{60'000};       // of one asking node
  static constexpr milliseconds default_setuptime{7'000};  // kernel's net_setuptime
  static constexpr milliseconds setuptime_margin{3'000};
  static constexpr milliseconds settle_at_most{1'000};  // formation waits no longer for dials under way
  static constexpr milliseconds remembered_after_success{60'000};
  // Where prevent_overlapping_partitions is on:
  static constexpr milliseconds quiet_time{2'000};  // after a loss between members that are both up
  static constexpr milliseconds settings_at_most{10'000};
  static constexpr milliseconds max_probe_pause{60'000};  // between probes of a pair in quarantine,
  static constexpr int max_probe_intervals = 6;           // and never more than this
  static constexpr int proof_limits = 3;                  // a probe proves a path for so many times its limit
  static constexpr milliseconds max_hold{300'000};        // of a pair that broke again
  static constexpr milliseconds relapse_within{600'000};
  static constexpr std::size_t max_doubts = 300'000;
  static constexpr std::size_t max_probed_pairs = 4'096;  // between two groups; of more, a sample

  void reorder(std::span<const std::size_t> previous) { busy_.reorder(previous); }
  struct asked_pair {
    std::uint32_t on, to;  // ids
  };
  // The pair it was about; nullopt when the request is none of ours, or was answered before.
  std::optional<asked_pair> answered(const fact::connect_result&, const step_context&);
  // True when a pair may be planned again.
  bool viewed(const member_record&, const step_context&);
  // A new creation, or gone: what was tried with it says nothing any more.
  void forget(const member_record&);
  // reconnect/0: nothing waits for its backoff.
  void hurry(milliseconds now);
  void plan(const step_context&, path_book&, deadline&, std::vector<any_action>&);
  // A view stopped holding somebody: `from` lost `to`. Where prevent_overlapping_partitions is on, what it
  // tears down is waited for.
  void lost(const member_record& from, const member_record& to, milliseconds now);
  // Drops what is not needed any more; once a round.
  void sweep(const step_context&);

  std::size_t under_way() const noexcept { return requests_.size(); }
  // Pairs (ids, lower first) that are not asked for until a probe from one end to the other has worked.
  const std::set<std::pair<std::uint32_t, std::uint32_t>>& quarantined() const noexcept {
    return quarantined_;
  }
  // Members kept from joining others, and whom they cannot reach.
  struct exclusion {
    std::uint32_t node;
    std::vector<std::uint32_t> cannot_reach;
    std::string text;  // a sentence
  };
  const std::vector<exclusion>& excluded() const noexcept { return excluded_; }
  // New members that wait for a group that may not be added to right now. Never for longer than two tick
  // times.
  const std::set<std::uint32_t>& held() const noexcept { return held_; }
  // Requests since the last call, for the incidents.
  std::vector<asked_pair> take_asked() { return std::exchange(asked_, {}); }
  // What was decided about a member since the last call: a sentence each.
  std::vector<std::pair<std::uint32_t, std::string>> take_told() { return std::exchange(told_, {}); }
  // --heal=plan: pairs (asked id, other id) that would be asked for now.
  const std::set<std::pair<std::uint32_t, std::uint32_t>>& would_ask() const noexcept { return would_ask_; }
  // Grows with every change of quarantined() or excluded().
  std::uint64_t exclusions() const noexcept { return exclusions_; }

 private:
  struct attempt {
    std::uint32_t asked = 0;  // id of the side that was asked last
    milliseconds asked_at{0};
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

  // A pair between which no path was found, from either side.
  struct doubt {
    unsigned failures = 0;  // rounds of probes in a row
    milliseconds next{0};   // it is not probed again before
    milliseconds since{0};
    unsigned relapses = 0;    // it was let in, and broke again soon
    milliseconds hold{0};     // not let in before, whatever probes say
    milliseconds let_in{-1};  // negative: it is not
  };
  struct loss {
    std::uint32_t from, to;
    milliseconds at;
  };
  enum class path { works, unknown, fails };
  using burst_map = std::map<std::size_t, std::vector<std::size_t>>;  // by rank of the asked node

  bool settled(const step_context&, const rank_set& loners, deadline&) const;
  void plan_all(const step_context&, deadline&, std::vector<any_action>&);
  void plan_overlap(const step_context&, path_book&, std::size_t mesh_index, deadline&,
                    std::vector<any_action>&);
  bool quiet(const step_context&, deadline&);
  path look(const step_context&, path_book&, const member_record&, const member_record&, bool patient,
            deadline&, std::vector<any_action>&);
  void add(const step_context&, const path_book&, const member_record&, const member_record&, burst_map&);
  void emit(const step_context&, const burst_map&, std::vector<any_action>&);
  void publish_exclusions(const step_context&, const path_book&);
  void set_busy(const member_record&, const member_record&, bool);

  request_id next_request_ = 1;
  std::unordered_map<request_id, request> requests_;
  std::unordered_map<pair_key, attempt> attempts_;
  std::unordered_map<std::uint32_t, asker> askers_;
  std::unordered_map<pair_key, doubt> doubts_;
  std::vector<loss> losses_;
  std::set<std::uint32_t> had_links_;  // ids: of this creation; or took part in a first burst
  std::set<std::uint32_t> chosen_;     // ids: in the set that was joined last
  std::map<pair_key, milliseconds> one_way_since_;
  std::map<std::size_t, std::optional<milliseconds>>
      waiting_since_;                                          // by mesh: a group that may not be added to
  std::map<std::uint32_t, std::set<std::uint32_t>> left_out_;  // whom each cannot reach, of this plan
  std::set<std::pair<std::uint32_t, std::uint32_t>> quarantined_;
  std::vector<exclusion> excluded_;
  std::set<std::uint32_t> held_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> would_ask_;
  std::vector<asked_pair> asked_;
  std::vector<std::pair<std::uint32_t, std::string>> told_;
  std::uint64_t exclusions_ = 0;
  view_matrix busy_;  // pairs under way, or answered and not yet seen in the views of both ends
};

}  // namespace rollcall::membership
