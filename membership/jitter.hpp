// Jitter without a random device: the same seed and the same history give the same plan.
#pragma once

#include "membership/facts.hpp"

namespace rollcall::membership {

// splitmix64's finaliser over the three numbers.
constexpr std::uint64_t mix(std::uint64_t seed, std::uint64_t who, std::uint64_t which) noexcept {
  std::uint64_t z = seed + 0x9e3779b97f4a7c15ULL * (who + 1) + 0xd1b54a32d192ed03ULL * (which + 1);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

// `base` and up to a fifth of it more.
constexpr milliseconds jittered(milliseconds base, std::uint64_t seed, std::uint64_t who,
                                std::uint64_t which) {
  const auto span = static_cast<std::uint64_t>(base.count()) / 5 + 1;
  return base + milliseconds(static_cast<std::int64_t>(mix(seed, who, which) % span));
}

}  // namespace rollcall::membership
