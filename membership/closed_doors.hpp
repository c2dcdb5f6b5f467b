// Who could not be dialled from where, though the two were linked from the other side. It says which end
// to ask, not whether to: so it is known for longer than what was lost.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "membership/pair.hpp"
#include "membership/time.hpp"

namespace rollcall::membership {

class closed_doors {
 public:
  static constexpr std::size_t max_known = 4'096;

  void found(std::uint32_t on, std::uint32_t to, steady_time at) {
    if (known_.size() >= max_known && !known_.contains(key_of(on, to))) return;
    opened(key_of(on, to));
    known_[key_of(on, to)] = {to, at};
    ++of_[to];
  }
  void dialled(std::uint32_t on, std::uint32_t to) {
    if (of(on, to) == to) opened(key_of(on, to));
  }
  // Whose door is closed to the other one; nullopt: nothing is known of the two.
  std::optional<std::uint32_t> of(std::uint32_t a, std::uint32_t b) const {
    const auto found = known_.find(key_of(a, b));
    return found == known_.end() ? std::nullopt : std::optional(found->second.to);
  }
  // What stands before one node stands there for others, too: so a pair of which nothing is known goes by it.
  bool to_somebody(std::uint32_t id) const { return of_.contains(id); }

  void forget(std::uint32_t id) {
    erase_if([&](pair_key pair, const door&) { return concerns(pair, id); });
  }
  void sweep(steady_time before) {
    erase_if([&](pair_key, const door& d) { return d.at < before; });
  }

 private:
  struct door {
    std::uint32_t to = 0;
    steady_time at{};
  };
  void opened(pair_key pair) {
    const auto found = known_.find(pair);
    if (found == known_.end()) return;
    if (const auto count = of_.find(found->second.to); --count->second == 0) of_.erase(count);
    known_.erase(found);
  }
  template <class Which>
  void erase_if(Which&& which) {
    std::vector<pair_key> gone;
    for (const auto& [pair, d] : known_) {
      if (which(pair, d)) gone.push_back(pair);
    }
    for (const auto pair : gone) opened(pair);
  }

  std::unordered_map<pair_key, door> known_;
  std::unordered_map<std::uint32_t, std::size_t> of_;  // how many of known_ are each one's
};

}  // namespace rollcall::membership
