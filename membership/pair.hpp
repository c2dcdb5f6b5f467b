// The key of a pair of members: their ids, the lower one first, in one number.
#pragma once

#include <algorithm>
#include <cstdint>

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

}  // namespace rollcall::membership
