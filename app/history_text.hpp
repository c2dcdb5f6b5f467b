// The last day for the page's timeline as it outlives us: JSON in --state-dir and in the ConfigMap of
// --kubernetes-record.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "membership/history.hpp"

namespace rollcall::app {

inline constexpr std::size_t max_history_text = 4U << 20;
inline constexpr std::uint64_t history_format = 1;

// Within the limit: the latest marks and the pictures that lasted longest, as many as fit. Empty when nothing
// fits or nothing was noted yet.
std::string to_json(const membership::history&, std::size_t most = max_history_text);

// Throws std::runtime_error with what is wrong, and where.
membership::history::kept_day history_from_json(std::string_view);

}  // namespace rollcall::app
