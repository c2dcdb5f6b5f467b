// erlang_cluster_*: a snapshot as families. Names and labels: docs/metrics.md.
#pragma once

#include "membership/snapshot.hpp"
#include "metrics/exposition.hpp"

namespace rollcall::metrics {

// Series of one member are gone this long after it left.
inline constexpr std::chrono::milliseconds forget_series_after{300'000};

// Seconds since the epoch; 0 for never.
double timestamp_of(const std::optional<membership::wall_time>&);

// A snapshot of a quiet cluster is old, and its `left` members must go all the same.
void write_cluster(exposition& out, const membership::snapshot& of, membership::wall_time now,
                   std::size_t max_link_series);

}  // namespace rollcall::metrics
