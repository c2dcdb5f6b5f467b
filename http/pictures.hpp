// What the page draws: members with their partitions, the pairs that are not connected, and each view as a
// row of characters. Now
// (/api/v1/picture), and as it was (/api/v1/history).
#pragma once

#include <functional>

#include "membership/history.hpp"

namespace rollcall::http {

inline constexpr std::size_t max_shown_pairs = 4'000;
inline constexpr std::size_t max_shown_views = 300;  // members; of more, no views are shown

// Appends the next piece of the JSON text, false once there is none: a row of the matrix at a time.
std::function<bool(std::string& out)> picture_of(membership::snapshot_ptr);

void append_picture(std::string& out, const membership::history&, const membership::history::frame&);
void append_history(std::string& out, const membership::history&);

}  // namespace rollcall::http
