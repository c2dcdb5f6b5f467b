// Where a larger set could be joined than stands now, the one member in its way is taken out of its group:
// four and two become five and one. It costs the links of that one member, so it is done once for one cause,
// and only when every other pair is proven. Everything else in the plan only ever joins.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "membership/compatible.hpp"
#include "membership/plan_round.hpp"

namespace rollcall::membership {
namespace {

// global:disconnect/0 came with OTP 25.
bool can_leave_by_itself(const member_record& m) {
  constexpr unsigned from_release = 25;
  unsigned release = 0;
  if (m.otp_release) {
    std::from_chars(m.otp_release->data(), m.otp_release->data() + m.otp_release->size(), release);
  }
  return release >= from_release;
}

}  // namespace

// Of two groups that are kept apart: the one member that stands at an end of every pair that is held back.
std::optional<planner::odd_one> planner::find_odd_one(round& r, std::size_t joined, std::size_t apart) {
  const auto &some = r.groups[joined], &others = r.groups[apart];
  if (some.size() < 2 || others.size() < 2 || some.size() * others.size() > max_probed_pairs) return {};
  odd_one found;
  std::vector<std::size_t> candidates;
  for (const auto x : some) {
    for (const auto y : others) {
      const auto &a = r.at(x), &b = r.at(y);
      if (incompatible(a, b)) return {};
      if (!quarantine_.barred(a, b, r.context.now)) continue;
      found.barred.emplace_back(x, y);
      if (found.barred.size() == 1) {
        candidates = {y, x};
      } else {
        std::erase_if(candidates, [&](std::size_t rank) { return rank != x && rank != y; });
      }
      if (candidates.empty()) return {};
    }
  }
  if (found.barred.empty()) return {};
  // The one in the smaller group loses fewer links.
  if (candidates.size() == 2 && some.size() < others.size()) std::swap(candidates[0], candidates[1]);
  found.rank = candidates.front();
  const bool before = std::ranges::any_of(found.barred, [&](const auto& pair) {
    return moved_for_.contains(key_of(r.at(pair.first).id, r.at(pair.second).id));
  });
  if (before || !can_leave_by_itself(r.at(found.rank))) return {};
  return found;
}

// Every pair but its own is proven, by probes that are asked for here.
bool planner::others_work(round& r, const odd_one& odd, std::size_t joined, std::size_t apart) {
  bool all = true;
  for (const auto x : r.groups[joined]) {
    for (const auto y : r.groups[apart]) {
      if (x == odd.rank || y == odd.rank) continue;
      all &= look(r, x, y, {}, false) == verdict::works;
    }
  }
  return all;
}

void planner::move_the_odd_one(round& r) {
  const bool may = r.context.options.heal == heal_mode::automatic && !r.undecided && r.main.size() == 1;
  std::map<std::uint32_t, steady_time> still;
  for (const auto apart : r.established) {
    if (!may || apart == r.main.front()) continue;
    const auto joined = r.main.front();
    const auto odd = find_odd_one(r, joined, apart);
    if (!odd) continue;
    const auto& m = r.at(odd->rank);
    const auto known = odd_since_.find(m.id);
    const auto since = still.emplace(m.id, known == odd_since_.end() ? r.context.now : known->second);
    const auto due = since.first->second + odd_intervals * r.context.options.interval;
    if (r.context.now < due) {
      r.wake.note(due);
      continue;
    }
    if (!calm(r, joined, apart, false) || r.waits[joined] || r.waits[apart]) continue;
    if (!others_work(r, *odd, joined, apart)) continue;
    const auto& [x, y] = odd->barred.front();
    const auto& other = r.at(x == odd->rank ? y : x);
    for (const auto& [a, b] : odd->barred) moved_for_.insert(key_of(r.at(a).id, r.at(b).id));
    quarantine_.taken_out(m.id, r.context.now);
    r.actions.emplace_back(action::leave_mesh{m.name, {}});
    told_.emplace_back(
        m.id, fmt::format("{} is told to leave its group (global:disconnect/0), so that {} members can be "
                          "linked and not only {}: {}",
                          m.name.text(), r.groups[joined].size() + r.groups[apart].size() - 1,
                          r.groups[joined].size(),
                          quarantine::describe(quarantine_.trouble_of(r.paths, m, other), other.name)));
    break;
  }
  odd_since_ = std::move(still);
}

}  // namespace rollcall::membership
