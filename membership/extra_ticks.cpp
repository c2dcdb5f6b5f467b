#include "membership/extra_ticks.hpp"

#include <algorithm>

namespace rollcall::membership {
namespace {

constexpr milliseconds default_ticktime{60'000};  // kernel's net_ticktime

bool ticks_count(const member_record& m) {
  return m.linked && m.in_mesh();
}

}  // namespace

void extra_ticks::plan(const step_context& context, deadline& wake, std::vector<any_action>& actions) {
  std::vector<std::size_t> sizes(context.members.meshes());
  for (const auto& m : context.members.all()) {
    if (ticks_count(*m)) ++sizes[m->mesh];
  }
  std::vector<const member_record*> asked;
  std::optional<milliseconds> shortest;
  for (const auto& m : context.members.all()) {
    if (!ticks_count(*m) || sizes[m->mesh] < 2 || sizes[m->mesh] > in_meshes_up_to) continue;
    asked.push_back(m.get());
    const auto its = m->net_ticktime.value_or(default_ticktime);
    shortest = std::min(shortest.value_or(its), its);
  }
  if (!shortest) return;
  const auto pause = std::max(pause_at_least, *shortest / in_a_ticktime);
  // A step that is taken anyway in the second half of the pause serves as well.
  if (!last_ || context.now >= *last_ + pause / 2) {
    last_ = context.now;
    for (const auto* m : asked) actions.emplace_back(action::tick_links{m->name});
  }
  wake.note(*last_ + pause);
}

}  // namespace rollcall::membership
