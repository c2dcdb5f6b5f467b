// What broke first: the losses that were told lately, and which of them began an incident.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "membership/broken_pairs.hpp"
#include "membership/pair_set.hpp"
#include "membership/path_book.hpp"

namespace rollcall::membership {

// `from`'s view stopped holding `to`, or a probe from one to the other failed.
struct loss {
  steady_time at;
  wall_time wall;
  std::uint32_t from = 0, to = 0;  // ids
  std::string why;                 // the reason of the nodedown; empty when the view was polled
  bool probed = false;
  bool refused = false;            // no loss: a request to connect them failed
  bool of_its_run_before = false;  // the two were never linked since one of them was started
};

class losses {
 public:
  // What a tear begins with says what caused it, and a tear of 200 nodes is 40,000 losses in 1.5 s. So what
  // came first stays for as many intervals as it takes to open an incident and to confirm it. Beside it only
  // that counts which may be a better cause, and the other ends of the same links.
  static constexpr std::size_t max_remembered = 4'096, max_beside = 4'096;
  static constexpr int first_counts_intervals = 4;

  explicit losses(const settings& options) : options_(options) {}
  void remember(loss);
  // A new creation, or gone.
  void forget(const member_record&);
  const std::deque<loss>& all() const noexcept { return all_; }
  // One of the pair gave the other up after a third one had lost that other, where `caused` says so of the
  // third one's loss: what a node hears that others have lost it drops.
  bool given_up_after(pair_key, const std::function<bool(const loss&)>& caused) const;
  // One of the pair has given the other up since then, and neither was without a sign of the other.
  bool given_up(pair_key, steady_time since) const;

 private:
  bool counts_beside_the_first(const loss&);
  bool lost_before(const loss&, const std::function<bool(const loss&)>& caused) const;
  void order() const;
  bool any_between(std::uint32_t from, std::uint32_t to, const std::function<bool(const loss&)>&) const;

  const settings& options_;
  std::deque<loss> all_;
  std::unordered_set<pair_key> pairs_;            // of all_, while no more is remembered; else empty
  mutable std::vector<std::size_t> by_lost_one_;  // their places, by `to` and `from`; made when asked for
};

// How long others go on dropping a node that one of them has lost.
inline constexpr milliseconds tearing{2'000};

// What is known of an incident when its cause is looked for.
struct cause_question {
  steady_time since{};                       // losses before this are of something else
  const pair_set& seen;                      // pairs that ever were part of it
  const pair_set& pairs;                     // those that are not whole
  const std::optional<incident_cause>& now;  // what was found before
};

// The first pair suspected by a probe, else the first net_tick_timeout, else the first loss that a node gave
// a reason for between two that we both reach (also one that is whole again, if this one was torn by it),
// else the first pair whose request failed, else the lost pair whose ends lost most, else (when nothing was
// found before) the pair without a path, else the one that is broken longest. nullopt: nothing better than
// before.
std::optional<incident_cause> find_cause(const cause_question&, const losses&, const broken_pairs&,
                                         const step_context&, const path_book&);

}  // namespace rollcall::membership
