// The pairs of members that are not whole: since when, in which way, and whether one counts yet. What is
// excluded, and when a pair counts, is written down in docs/membership.md.
//
//   each step: watch(), then due() for those that nobody explains
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "membership/compatible.hpp"
#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/pair.hpp"

namespace rollcall::membership {

// A member whose pairs count: in the mesh, and staying there.
bool counts(const member_record&);

struct broken_pair {
  steady_time since;
  wall_time since_wall;
  std::optional<steady_time> suspected_at{};
  steady_time one_way_since{};
  steady_time held{};          // until when we kept it from connecting
  std::uint64_t incident = 0;  // 0: of none
  bool one_way = false;
  bool ever = false;             // was whole since both were started
  std::uint32_t one{}, other{};  // ranks, as of the last watch()
};

class broken_pairs {
 public:
  static constexpr std::size_t max_pairs = 20'000;  // followed one by one
  // Intervals. Two partitions are an alarm after two (conditions.cpp), and an incident then, too.
  static constexpr int never_connected_grace = 6, apart_grace = 2;
  // What an end gave up by itself is linked again by the plan after one.
  static constexpr int given_up_grace = 2;

  void reorder(std::span<const std::size_t> previous) {
    ever_.reorder(previous);
    counted_.reset();
    in_order_.clear();
  }
  // A new creation, or gone: its pairs are new ones.
  void forget(const member_record&);
  void watch(const step_context&);
  struct circumstances {
    bool apart = false;         // its ends stand in two partitions
    bool given_up = false;      // by one of its ends, and it will be linked again
    milliseconds gathering{0};  // others of the same cause are waited for
  };
  // Whether it counts by now; notes when it may.
  static bool due(const broken_pair&, const circumstances&, const step_context&, deadline&);

  // In order of their keys, in one piece of memory: there may be twenty thousand, and all are looked at each
  // step.
  using list = std::vector<std::pair<pair_key, broken_pair>>;
  const list& all() const noexcept { return pairs_; }
  list& all() noexcept { return pairs_; }
  const broken_pair* find(pair_key) const;
  broken_pair* find(pair_key);
  // By rank: of how many broken pairs it is an end.
  std::size_t degree(std::size_t rank) const { return degrees_[rank]; }
  // Whether it was connected to anybody, or these two to each other, since they were started.
  bool ever_whole(std::size_t rank) const;
  bool was_whole(std::size_t rank, std::size_t other) const {
    return rank < ever_.size() && other < ever_.size() && ever_.sees(rank, other);
  }

 private:
  struct row;
  std::size_t count(const step_context&, const compatible_sets&);
  bool counts_the_same(const step_context&);
  void order_by_id(const member_table&);
  void mark_broken(const step_context&, const compatible_sets&);
  static broken_pair look(const step_context&, const row&, const member_record& other,
                          const broken_pair* known);

  list pairs_;
  // Kept while anything is broken: asked for in each step, the system would clear megabytes each time.
  list next_;
  std::vector<word> marked_;                   // mark_broken
  std::vector<std::size_t> in_order_, place_;  // ranks in the order of their ids, and where each stands
  mutable std::size_t last_ = 0;               // find_in_turn
  view_matrix ever_;                           // pairs that were whole since both ends were started
  std::vector<std::size_t> degrees_;
  std::optional<link_basis> counted_;  // what degrees_ and total_ are of
  std::size_t total_ = 0;
};

// Sets of pairs that hang together by their ends.
class clusters_of_pairs {
 public:
  explicit clusters_of_pairs(const std::vector<pair_key>& pairs) {
    for (const auto k : pairs) {
      for (const auto id : {lower(k), higher(k)}) parent_.try_emplace(id, id);
      parent_[root(lower(k))] = root(higher(k));
    }
  }
  std::uint32_t root(std::uint32_t id) {
    while (parent_[id] != id) id = parent_[id] = parent_[parent_[id]];
    return id;
  }

 private:
  std::map<std::uint32_t, std::uint32_t> parent_;
};

}  // namespace rollcall::membership
