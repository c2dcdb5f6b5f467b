// Finds links that are dark before the nodes' own ticks do: nodes probe each other, answered to us.
//
//   each step: probed() for results, then plan(); suspected() is what the others look at
//
// In quiet, every member of the mesh is asked for probes of at most `per_node` others an interval, and is
// probed by as many, in turn over all pairs. In a mesh of more than `in_turn_up_to` one call has one member
// probe `per_node` others, so that each is heard of and has a link tested. A miss is confirmed at once from
// the other end, with the path beside it; two misses in a row, both ends answering us, make the pair
// suspected.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>

#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/pair.hpp"
#include "membership/path_book.hpp"

namespace rollcall::membership {

class prober {
 public:
  static constexpr std::size_t per_node = 10;      // probes asked of one node in one interval, in quiet
  static constexpr std::size_t per_round = 4'000;  // in all, in one interval
  // A turn over all pairs of more takes longer than the nodes themselves do to tell of a dark one.
  static constexpr std::size_t in_turn_up_to = per_round / per_node;
  static constexpr std::size_t inferred_from =
      8;  // tested cross pairs, all failed: the untested take their state

  static constexpr std::uint64_t inferred_tested =
      8;  // of so many that took their state, one is tested in its turn

  // A pair that became suspected in this step.
  struct suspicion {
    std::uint32_t from, to;  // ids; `from` was asked first
    moment at;
  };

  void reorder(std::span<const std::size_t> previous);
  // False when the request is none of ours.
  bool probed(const fact::links_probed&, const step_context&);
  // Our link to it was lost, or it is another creation, or it is gone.
  void forget(const member_record&);
  // A path was found light: what is suspected is probed now, all of it, whatever was left for this interval.
  void hurry(steady_time now);
  // A newcomer has no path to these (ids): whether others reach them is looked at before their turn comes.
  // True when there is something to ask.
  bool look_at(const std::set<std::uint32_t>& members, const step_context&);
  // Asks for probes and settles what is suspected. True when suspected() changed.
  bool plan(const step_context&, path_book&, deadline&, std::vector<any_action>&);

  const view_matrix& suspected() const noexcept { return suspected_; }
  std::vector<suspicion> take_new() { return std::exchange(new_, {}); }  // oldest first
  // Ids of those that answered since the last call, one or several times.
  std::vector<std::uint32_t> take_heard() { return std::exchange(heard_, {}); }

 private:
  static constexpr unsigned most_tries = 3;            // of a confirmation that says nothing
  static constexpr milliseconds answer_margin{2'000};  // a request is given up this long after its limit
  static constexpr int remembered_intervals = 3;       // of probes that were answered
  static constexpr std::size_t suspected_per_node = 4 * per_node;
  static constexpr milliseconds canary_pause{500};  // a repair is seen within half a second

  enum class purpose { look, confirm, canary };
  struct request {
    std::uint32_t on;
    std::vector<std::uint32_t> to;
    steady_time sent, deadline;
    purpose what_for;
  };
  // A pair that missed a probe.
  struct doubt {
    std::uint32_t first = 0, second = 0;  // who was asked first, and the other
    steady_time missed{};                 // when the first missed probe was sent
    bool suspected = false;
    bool under_way = false;
    unsigned tries = 0;
    bool from_second = true;  // whose turn it is to be asked
    steady_time next{};

    std::uint32_t asked() const { return from_second ? second : first; }
    std::uint32_t about() const { return from_second ? first : second; }
  };
  struct answer {
    std::uint32_t a, b;
    steady_time sent;
  };
  using batches = std::map<std::uint32_t, std::vector<std::uint32_t>>;  // by asked id

  using circle = std::vector<std::pair<std::uint64_t, std::size_t>>;  // ranks, shuffled

  std::uint64_t mixed(std::uint64_t) const;
  void hear(const step_context&, const request&, std::span<const link_probe> said);
  static void ask_again(const step_context&, std::uint32_t id, std::uint32_t peer);
  void heard(const step_context&, std::uint32_t id, steady_time sent);
  void clean(const step_context&);
  void round(const step_context&, batches&);
  circle shuffled(const step_context&, std::size_t mesh, std::uint64_t salt) const;
  void in_turn(const step_context&, const circle&, batches&);
  void stars(const step_context&, circle, batches&);
  static bool both_hold(const step_context&, const member_record&, const member_record&);
  void look_at_doubted(const step_context&, deadline&, batches&);
  // False when no more may be asked in this interval.
  bool ask(const step_context&, std::size_t a, std::size_t b, batches&);
  void recheck(const step_context&, deadline&, batches& again, batches& confirm);
  // prober_inference.cpp
  struct inference;
  void infer(const step_context&, batches& more, deadline&);
  inference joined_by_answers(const step_context&) const;
  void count_failures(const step_context&, inference&) const;
  static void take_untested(const step_context&, inference&);
  void ask_more(const step_context&, const inference&, batches& more);
  void ask_between(const step_context&, const inference&, std::size_t group, std::size_t target,
                   batches& more);
  void choose_canary(const step_context&, deadline&, batches& canary);
  void send(const step_context&, const batches&, purpose, std::vector<any_action>&);
  void ended(const request&);

  view_matrix suspected_;
  std::vector<suspicion> new_;
  std::vector<std::uint32_t> heard_;  // since they were taken
  request_id next_request_ = 1;
  std::unordered_map<request_id, request> requests_;
  std::unordered_map<std::uint32_t, std::size_t> asked_;  // requests under way but canaries, by asked id
  std::map<pair_key, doubt> doubts_;
  std::vector<answer> answers_;                   // of the last intervals, oldest first
  std::optional<steady_time> episode_;            // when the first missed probe of this one was sent
  std::map<std::uint32_t, steady_time> doubted_;  // ids: when they were looked at last
  std::vector<std::uint32_t> to_look_at_;         // of those
  steady_time next_round_, next_fill_, next_canary_;
  std::uint64_t seed_ = 0, turn_ = 0, stars_ = 0, canaries_ = 0;
  std::size_t place_ = 0;   // in the turn's order of offsets
  std::size_t budget_ = 0;  // probes left in this interval
  bool news_ = true;
  bool few_ = false;    // the last round asked for stars
  bool light_ = false;  // what was suspected has answered: the others may, too
  std::optional<steady_time> hurried_at_;
};

}  // namespace rollcall::membership
