// The two times of membership. They are different types, since both count milliseconds and mean different
// things; the difference of two of one kind is a duration, and nothing else can be mixed up. Membership reads
// no clock, so that neither has a now().
//
// A time that may never come, or never was, is a std::optional. A default one is the origin: before
// everything that is told, so that what waits until then does not wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace rollcall::membership {

using std::chrono::milliseconds;

struct steady_axis {};  // its origin is the caller's
struct wall_axis {};    // its origin is the epoch

using steady_time = std::chrono::time_point<steady_axis, milliseconds>;  // orders and measures
using wall_time = std::chrono::time_point<wall_axis, milliseconds>;      // is shown to people; it may jump

// As it is written and sent; never is 0 there.
constexpr std::int64_t since_epoch(wall_time t) noexcept {
  return t.time_since_epoch().count();
}
constexpr std::int64_t since_epoch(const std::optional<wall_time>& t) noexcept {
  return t ? since_epoch(*t) : 0;
}

// Time comes in, both at once.
struct moment {
  steady_time steady;
  wall_time wall;
};

}  // namespace rollcall::membership
