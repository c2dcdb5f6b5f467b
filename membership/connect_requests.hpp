// Who was asked to connect to which node, what came of it, and which pairs are busy with it: nothing is
// decided here.
//
//   ask() when the plan wants a pair; answered() for results; viewed() for views that came since
//
// There is never a second request for a pair before the first was answered; after an answer the pair is busy
// until both its ends were asked for their views again.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "membership/context.hpp"
#include "membership/pair.hpp"
#include "membership/partners.hpp"

namespace rollcall::membership {

// Requests that go out together: by rank of the asked node, the ranks it is to connect to.
using burst_map = std::map<std::size_t, std::vector<std::size_t>>;

class connect_requests {
 public:
  static constexpr std::size_t max_under_way = 20'000;     // in all: what a mesh of 200 nodes has pairs
  static constexpr milliseconds max_backoff{60'000};       // of one asking node
  static constexpr milliseconds default_setuptime{7'000};  // kernel's net_setuptime
  // connect_node/1 has no limit of its own; each of its steps has net_setuptime.
  static constexpr milliseconds setuptime_margin{3'000};
  static constexpr milliseconds remembered_after_success{60'000};

  struct asked_pair {
    std::uint32_t on, to;  // ids
  };
  struct ended {
    std::uint32_t on, to;  // ids
    connect_outcome outcome;
    bool stale;  // one of them was restarted, or went, while it was under way
  };
  struct attempt {
    std::uint32_t asked = 0;  // id of the side that was asked last
    steady_time asked_at{};
    bool under_way = false;
    bool connected = false;  // the last answer
    step_number answered_in = 0;
    steady_time answered_at{};
    bool stale = false;  // forget() came while it was under way
  };

  void reorder(std::span<const std::size_t> previous) { busy_.reorder(previous); }
  // nullopt when the request is none of ours, or was answered before.
  std::optional<ended> answered(const fact::connect_result&, const step_context&);
  // True when a pair may be planned again.
  bool viewed(const member_record&, const step_context&);
  // A new creation, or gone: what was tried with it says nothing any more.
  void forget(const member_record&);
  // reconnect/0: nothing waits for its backoff.
  void hurry();
  // Drops what is not needed any more; once a round.
  void sweep(const step_context&);
  // Asks for as many as there is room for, whole bursts of one node at a time.
  void ask(const step_context&, const burst_map&, std::vector<any_action>&);

  // Until the next request.
  const attempt* last(const member_record& a, const member_record& b) const;
  bool under_way(const member_record& a, const member_record& b) const;
  // The node pauses after a burst that failed.
  steady_time not_before(const member_record&) const;
  std::span<const word> busy(std::size_t rank) const { return busy_.sees(rank); }
  std::size_t under_way() const noexcept { return requests_.size(); }
  // For as many more: a burst of one node is not split, so a little more may go out.
  std::size_t room() const noexcept {
    return requests_.size() < max_under_way ? max_under_way - requests_.size() : 0;
  }
  // Since the last call, for the incidents.
  std::vector<asked_pair> take_asked() { return std::exchange(asked_, {}); }

 private:
  struct asker {
    unsigned failed_bursts = 0;
    std::size_t under_way = 0;
    bool burst_failed = false;
    steady_time not_before{};
  };
  attempt& attempt_of(std::uint32_t a, std::uint32_t b);
  void set_busy(const member_record&, const member_record&, bool);

  request_id next_request_ = 1;
  boost::unordered_flat_map<request_id, asked_pair> requests_;
  boost::unordered_flat_map<pair_key, attempt> attempts_;
  partners noted_;
  std::unordered_map<std::uint32_t, asker> askers_;
  std::vector<asked_pair> asked_;
  view_matrix busy_;  // pairs under way, or answered and not yet seen in the views of both ends
};

}  // namespace rollcall::membership
