// Looks whether nodes that refused each other would link now, where two groups are kept apart by nothing
// else. A trial is a whole handshake that makes a hidden link and closes it again (`probed_port::handshake`):
// `global` takes no notice of hidden links, so that nothing can be torn whatever comes of it. One pair in
// turn; when one gets through, all others of the two groups are tried at once.
#pragma once

#include <optional>
#include <vector>

#include "membership/conflict_turns.hpp"
#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/path_book.hpp"

namespace rollcall::membership {

// Two groups (by the lowest id of each) between which requests failed.
struct refused_conflict {
  using pair_list = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // ids
  std::uint32_t one, other;
  pair_list pairs{};                    // held back
  pair_list refused_once{};             // from one side, and in one group: the other side is asked
  pair_list proven_long_ago{};          // would link, and are tried again when nothing is held back any more
  std::optional<steady_time> proven{};  // since when the last of those that would link is known to
  bool only = true;                     // nothing else keeps the two groups apart
  bool any() const { return !pairs.empty() || !proven_long_ago.empty(); }
};

class trials {
 public:
  // Of one conflict: a node logs an error for each handshake that it refuses. Together with what follows, a
  // repair is whole within two intervals.
  static constexpr milliseconds each_conflict(milliseconds interval) { return interval * 5 / 4; }
  // Of all together: with many groups they take turns.
  static constexpr milliseconds between_any{100};

  void plan(const step_context&, path_book&, const std::vector<refused_conflict>&, deadline&,
            std::vector<any_action>&);
  // reconnect/0: all are tried now.
  void hurry(steady_time now) { hurried_ = now; }

 private:
  struct turn : conflict_turn {
    steady_time all_from{};  // all of them are tried no sooner
  };

  void try_all(const step_context&, path_book&, const refused_conflict&, steady_time since, turn&, deadline&,
               std::vector<any_action>&);

  conflict_turns<turn> turns_{between_any};
  std::optional<steady_time> hurried_;
};

}  // namespace rollcall::membership
