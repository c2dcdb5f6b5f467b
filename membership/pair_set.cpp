#include "membership/pair_set.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

namespace rollcall::membership {

namespace {

// Moving these costs less than finding a place among tens of thousands.
constexpr std::size_t most_waiting = 256;

}  // namespace

bool pair_set::insert(pair_key k) {
  if (fresh_.empty() && (kept_.empty() || kept_.back() < k)) {
    kept_.push_back(k);
    return true;
  }
  if (keeps(k)) return false;
  const auto at = std::ranges::lower_bound(fresh_, k);
  if (at != fresh_.end() && *at == k) return false;
  fresh_.insert(at, k);
  if (fresh_.size() >= most_waiting) gather();
  return true;
}

void pair_set::insert(const pair_set& other) {
  gather();
  std::vector<pair_key> all;
  all.reserve(size() + other.size());
  std::set_union(kept_.begin(), kept_.end(), other.begin(), other.end(), std::back_inserter(all));
  kept_ = std::move(all);
}

bool pair_set::contains(pair_key k) const {
  return keeps(k) || std::ranges::binary_search(fresh_, k);
}

bool pair_set::keeps(pair_key k) const {
  return find_in_turn(kept_, k, last_, std::identity()) != kept_.end();
}

void pair_set::gather() const {
  if (fresh_.empty()) return;
  const auto middle = static_cast<std::ptrdiff_t>(kept_.size());
  kept_.insert(kept_.end(), fresh_.begin(), fresh_.end());
  fresh_.clear();
  std::inplace_merge(kept_.begin(), kept_.begin() + middle, kept_.end());
}

}  // namespace rollcall::membership
