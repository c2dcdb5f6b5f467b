// Pairs of an incident: up to tens of thousands, looked at in each step, so sorted and in one piece of
// memory.
#pragma once

#include <cstddef>
#include <vector>

#include "membership/pair.hpp"

namespace rollcall::membership {

// What comes one by one waits, sorted, in a short list of its own until it is worth the moving. Not for two
// threads, not even for reading.
class pair_set {
 public:
  using const_iterator = std::vector<pair_key>::const_iterator;

  // False when it was there already.
  bool insert(pair_key);
  void insert(const pair_set&);
  bool contains(pair_key) const;
  std::size_t size() const noexcept { return kept_.size() + fresh_.size(); }
  bool empty() const noexcept { return size() == 0; }
  // In order of their keys. An insertion ends what these point to.
  const_iterator begin() const {
    gather();
    return kept_.begin();
  }
  const_iterator end() const {
    gather();
    return kept_.end();
  }
  // How many went; asks once for each, in order.
  template <class Predicate>
  std::size_t erase_if(Predicate&& goes) {
    gather();
    return std::erase_if(kept_, goes);
  }

 private:
  void gather() const;

  bool keeps(pair_key) const;

  mutable std::vector<pair_key> kept_, fresh_;  // both sorted, nothing in both
  mutable std::size_t last_ = 0;                // find_in_turn
};

}  // namespace rollcall::membership
