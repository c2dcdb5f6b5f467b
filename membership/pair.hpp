// The key of a pair of members: their ids, the lower one first, in one number.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>

namespace rollcall::membership {

using pair_key = std::uint64_t;

constexpr pair_key key_of(std::uint32_t a, std::uint32_t b) noexcept {
  return pair_key{std::min(a, b)} << 32U | std::max(a, b);
}
constexpr std::uint32_t lower(pair_key k) noexcept {
  return static_cast<std::uint32_t>(k >> 32U);
}
constexpr std::uint32_t higher(pair_key k) noexcept {
  return static_cast<std::uint32_t>(k & 0xffffffffU);
}
constexpr bool concerns(pair_key k, std::uint32_t id) noexcept {
  return lower(k) == id || higher(k) == id;
}

// Where `k` is in a list sorted by keys, which `key_in` finds in what it holds; end(): nowhere. `last` is the
// caller's, kept from call to call: most who look for many look for them in order.
template <class List, class Key>
auto find_in_turn(const List& sorted, pair_key k, std::size_t& last, Key key_in) {
  for (const auto at : {last, last + 1}) {
    if (at >= sorted.size() || std::invoke(key_in, sorted[at]) != k) continue;
    last = at;
    return std::next(sorted.begin(), static_cast<std::ptrdiff_t>(at));
  }
  const auto found = std::ranges::lower_bound(sorted, k, {}, key_in);
  last = static_cast<std::size_t>(found - sorted.begin());
  return found != sorted.end() && std::invoke(key_in, *found) == k ? found : sorted.end();
}

}  // namespace rollcall::membership
