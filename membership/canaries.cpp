#include "membership/canaries.hpp"

#include <algorithm>

namespace rollcall::membership {

void canaries::plan(const step_context& context, path_book& paths,
                    const std::vector<dark_conflict>& conflicts, deadline& wake,
                    std::vector<any_action>& actions) {
  for (auto& [groups, turn] : turns_) turn.there = false;
  const dark_conflict* due = nullptr;
  rhythm* whose = nullptr;
  for (const auto& conflict : conflicts) {
    if (conflict.pairs.empty()) continue;
    auto& its = turns_[std::minmax(conflict.one, conflict.other)];
    its.there = true;
    if (whose != nullptr && its.next >= whose->next) continue;
    due = &conflict;
    whose = &its;
  }
  std::erase_if(turns_, [](const auto& t) { return !t.second.there; });
  if (due == nullptr) return;
  const auto at = std::max(next_, whose->next);
  if (context.now < at) {
    wake.note(at);
    return;
  }
  next_ = context.now + between_any;
  whose->next = context.now + each_conflict;
  wake.note(next_);
  // One that hangs is not waited for: the next place is.
  for (std::size_t tries = 0; tries < 2 * due->pairs.size() && tries < 8; ++tries) {
    const auto place = whose->place++ % (2 * due->pairs.size());
    const auto [a, b] = due->pairs[place / 2];
    const auto* on = context.members.find(place % 2 == 0 ? a : b);
    const auto* to = context.members.find(place % 2 == 0 ? b : a);
    if (on == nullptr || to == nullptr || paths.under_way(*on, *to)) continue;
    if (paths.ask(*on, *to, context.options.probe_limit, context.now, actions)) return;
  }
}

}  // namespace rollcall::membership
