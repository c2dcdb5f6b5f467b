// What probes of paths (a TCP connection from one node to the distribution port of another) have found, and
// which are under way. Planner and prober ask for them here, so that nobody asks twice.
#pragma once

#include <optional>
#include <unordered_map>

#include "membership/facts.hpp"
#include "membership/member_table.hpp"

namespace rollcall::membership {

class path_book {
 public:
  static constexpr std::size_t max_under_way = 4'000;
  static constexpr std::size_t max_under_way_of_one = 256;  // asked of one node

  struct finding {
    path_probe result = path_probe::no_word;
    milliseconds asked_at{0}, answered_at{0};
  };

  // The last one from `on` to `to` that said anything; nullopt when there was none.
  std::optional<finding> last(const member_record& on, const member_record& to) const;
  bool under_way(const member_record& on, const member_record& to) const;
  // Asks, unless one is under way or too many are: then false, and it is to be tried again in the next step.
  bool ask(const member_record& on, const member_record& to, milliseconds limit, milliseconds now,
           std::vector<any_action>&);
  // False when it is none of ours.
  bool answered(const fact::path_probed&, milliseconds now);
  // A new creation, or gone.
  void forget(const member_record&);
  // Drops what is older than `keep`; once a round.
  void sweep(milliseconds now, milliseconds keep);

  // A path that works from at least one side, by an answer to a question asked since `since`.
  bool works(const member_record& a, const member_record& b, milliseconds since) const;
  // From both sides the last answer, to a question asked since `since`, was a failure.
  bool fails(const member_record& a, const member_record& b, milliseconds since) const;

 private:
  using key = std::uint64_t;  // on << 32 | to, by id
  static key key_of(const member_record& on, const member_record& to) { return key{on.id} << 32U | to.id; }
  struct entry {
    finding found;
    bool known = false, under_way = false;
    milliseconds asked_at{0};
  };

  request_id next_ = 1;
  std::unordered_map<request_id, key> requests_;
  std::unordered_map<key, entry> entries_;
  std::unordered_map<std::uint32_t, std::size_t> asked_of_;
};

}  // namespace rollcall::membership
