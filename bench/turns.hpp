// What bench/turns.cpp counts inside the observed program, in memory that both share.
#pragma once

#include <atomic>
#include <cstdint>

namespace rollcall::bench {

struct turn_counts {
  // Nanoseconds of CPU time, the kernel's on the program's behalf included.
  std::atomic<std::uint64_t> turns{0}, spent{0}, longest{0};
  // A new connection may arrive at the start of a turn; it is accepted in the next one, and its request read
  // and answered in the one after that.
  std::atomic<std::uint64_t> longest_three{0};
  std::atomic<std::uint64_t> above_20_ms{0};
  // Asked for from outside, answered at the end of the turn that is under way: the bytes malloc has given
  // out.
  std::atomic<bool> memory_asked{false};
  std::atomic<std::uint64_t> bytes_in_use{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

inline constexpr auto turn_counts_variable = "BENCH_TURNS";

}  // namespace rollcall::bench
