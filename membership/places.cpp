#include "membership/places.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::membership {
namespace {

bool alone_in(const std::vector<whereabouts>& these, const std::vector<whereabouts>& others,
              std::string_view whereabouts::*place) {
  const auto where = these.front().*place;
  const auto is_there = [&](const whereabouts& each) { return each.*place == where; };
  return !where.empty() && std::ranges::all_of(these, is_there) && std::ranges::none_of(others, is_there);
}

}  // namespace

std::string common_place(const std::vector<whereabouts>& these, const std::vector<whereabouts>& others) {
  if (these.size() < 2 || others.empty()) return {};
  const auto& [machine, zone] = these.front();
  if (alone_in(these, others, &whereabouts::machine)) {
    return fmt::format("all {} on {}{}", these.size(), machine,
                       zone.empty() ? "" : fmt::format(" ({})", zone));
  }
  if (alone_in(these, others, &whereabouts::zone)) return fmt::format("all {} in {}", these.size(), zone);
  return {};
}

}  // namespace rollcall::membership
