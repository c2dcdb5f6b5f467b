#include "discovery/endpoint_set.hpp"

#include <algorithm>

namespace rollcall::discovery {

endpoint_set::key endpoint_set::key_of(const endpoint& one) {
  return {one.uid.empty() ? one.address.to_string() : one.uid, one.address.is_v6()};
}

void endpoint_set::change(endpoint_slice slice, time_point now) {
  slices_.erase(slice.name);
  if (slices_.size() >= max_slices) return;
  const auto room = 2 * max_endpoints - std::min(2 * max_endpoints, held());
  if (slice.endpoints.size() > room) slice.endpoints.resize(room);
  slices_.insert_or_assign(std::move(slice.name), known_slice{++order_, std::move(slice.endpoints)});
  join(now);
}

std::size_t endpoint_set::held() const {
  std::size_t count = 0;
  for (const auto& [name, slice] : slices_) count += slice.endpoints.size();
  return count;
}

void endpoint_set::remove(const std::string& slice, time_point now) {
  if (slices_.erase(slice) > 0) join(now);
}

void endpoint_set::replace(std::vector<endpoint_slice> slices, time_point now) {
  slices_.clear();
  for (auto& each : slices) {
    slices_.insert_or_assign(std::move(each.name), known_slice{++order_, std::move(each.endpoints)});
  }
  join(now);
}

void endpoint_set::join(time_point now) {
  std::map<key, std::pair<std::uint64_t, const endpoint*>> present;
  for (const auto& [name, slice] : slices_) {
    for (const auto& each : slice.endpoints) {
      auto& found = present[key_of(each)];
      if (found.second == nullptr || found.first < slice.order) found = {slice.order, &each};
    }
  }
  for (auto& [which, one] : known_) {
    if (!present.contains(which) && !one.absent_since) one.absent_since = now;
  }
  for (const auto& [which, found] : present) {
    if (!known_.contains(which) && known_.size() >= max_endpoints) continue;
    known_.insert_or_assign(which, known{*found.second});
  }
  settle(now);
}

std::optional<endpoint_set::time_point> endpoint_set::settle(time_point now) {
  std::optional<time_point> next;
  std::erase_if(known_, [&](const auto& each) {
    const auto& [last, absent_since] = each.second;
    if (!absent_since) return false;
    const auto until = *absent_since + grace;
    if (last.terminating || until <= now) return true;
    if (!next || until < *next) next = until;
    return false;
  });
  return next;
}

std::vector<endpoint> endpoint_set::endpoints() const {
  std::vector<endpoint> all;
  all.reserve(known_.size());
  for (const auto& [which, one] : known_) all.push_back(one.last);
  return all;
}

}  // namespace rollcall::discovery
