// How often operator new was called since the program began.
#pragma once

#include <cstdint>

namespace rollcall::bench {

std::uint64_t allocations() noexcept;

}  // namespace rollcall::bench
