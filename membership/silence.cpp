#include "membership/silence.hpp"

#include <algorithm>

namespace rollcall::membership {
namespace {

// A node that members go on seeing for longer than they could by mistake is silent to us alone.
bool seen_all_along(const member_record& m, const step_context& context) {
  const auto mistaken = m.net_ticktime.value_or(milliseconds(60'000)) * 5 / 4 + context.options.interval;
  return context.now - m.entered > mistaken && seen_by_anybody(context, m);
}

// Whose link the node itself has closed said goodbye, whatever its address answers now.
bool silent(const member_record& m, const step_context& context) {
  if (!m.listed || (m.state != member_state::suspect && m.state != member_state::down)) return false;
  if (m.why != reason::timeout && m.why != reason::tick_timeout) return false;
  if (!m.linked && m.loss != reason::timeout && m.loss != reason::tick_timeout) return false;
  return !seen_all_along(m, context);
}

// What --mesh=base keeps apart is judged by itself; short and long names are not.
std::size_t judged_with(const member_record& m) {
  return m.base.empty() ? 0 : m.mesh;
}

}  // namespace

// How many there should be is said of all together.
std::size_t silence::expected_of(std::size_t mesh, const step_context& context) const {
  const auto known = expected_.find(mesh);
  const auto listed = known == expected_.end() ? std::size_t{0} : known->second;
  return expected_.size() > 1 ? listed : std::max(listed, context.options.expect);
}

void silence::look(const step_context& context) {
  now_.clear();
  many_of_.clear();
  expected_.clear();
  std::map<std::size_t, std::size_t> of_mesh;
  for (const auto& m : context.members.all()) {
    if (m->listed) ++expected_[judged_with(*m)];
    if (!silent(*m, context)) continue;
    now_.push_back(m->id);
    ++of_mesh[judged_with(*m)];
  }
  if (context.isolated) return;
  for (const auto& [mesh, count] : of_mesh) {
    if (enough(count, expected_of(mesh, context))) many_of_.insert(mesh);
  }
}

void silence::enter(const step_context& context) {
  for (const auto id : now_) {
    const auto* m = context.members.find(id);
    // Who is linked again has only not told its view yet.
    if (m->linked && m->link_since > m->absent_since) continue;
    const auto ago = std::max(milliseconds(0), context.now - m->absent_since);
    absences_.try_emplace(
        id, absence{.creation = m->creation, .since = {context.now - ago, context.at.wall - ago}});
  }
}

void silence::note_witnesses(const step_context& context, const losses& known) {
  std::map<std::size_t, std::size_t> reached;  // by mesh
  for (const auto& m : context.members.all()) reached[judged_with(*m)] += m->fresh ? 1 : 0;
  for (auto& [id, away] : absences_) {
    const auto* m = context.members.find(id);
    if (m == nullptr || m->fresh) continue;
    std::size_t held_by = 0;
    each_rank(context.views.seen_by(m->rank),
              [&](std::size_t rank) { held_by += context.members[rank].fresh ? 1 : 0; });
    const auto with_it = reached[judged_with(*m)];
    away.unseen |= with_it > 0 && held_by == 0;
    away.deserted |= with_it > 2 * held_by;
  }
  for (const auto& l : known.all()) {
    const auto away = absences_.find(l.to);
    if (l.refused || l.of_its_run_before || away == absences_.end() || absences_.contains(l.from)) continue;
    away->second.lost_by_somebody |= l.at >= away->second.since.steady - context.options.interval;
  }
}

void silence::begin_together(const step_context& context) {
  for (const auto mesh : many_of_) {
    const auto [at, begins] = together_.try_emplace(mesh);
    if (!begins) continue;
    told_.erase(mesh);
    at->second.since = context.at;
    for (const auto& m : context.members.all()) {
      if (judged_with(*m) == mesh && counts(*m)) at->second.reached.insert(m->id);
    }
  }
  for (const auto id : now_) {
    const auto mesh = judged_with(*context.members.find(id));
    const auto all = together_.find(mesh);
    const auto away = absences_.find(id);
    if (all == together_.end() || away == absences_.end() || away->second.together) continue;
    away->second.together = mesh;
    all->second.members.emplace(id, away->second.creation);
    all->second.reached.erase(id);
    if (away->second.since.steady < all->second.since.steady) all->second.since = away->second.since;
  }
}

void silence::follow(const step_context& context, const losses& known) {
  look(context);
  if (context.isolated || context.starting) return;
  enter(context);
  if (absences_.empty()) return;
  note_witnesses(context, known);
  begin_together(context);
  come_back(context);
  std::erase_if(together_, [&](const auto& of) {
    return std::ranges::none_of(absences_, [&](const auto& e) { return e.second.together == of.first; });
  });
}

// Those that others lost, too, are enough by the same rule: one of them may be dead, and who is only slow to
// answer us was not cut off.
bool silence::cut_off(std::size_t mesh, const step_context& context) const {
  std::size_t lost = 0;
  for (const auto& [id, away] : absences_)
    lost += away.together == mesh && away.lost_by_somebody && away.deserted ? 1 : 0;
  return enough(lost, expected_of(mesh, context));
}

void silence::come_back(const step_context& context) {
  for (auto at = absences_.begin(); at != absences_.end();) {
    const auto& [id, away] = *at;
    const auto* m = context.members.find(id);
    if (m == nullptr || m->state == member_state::left || (m->linked && m->creation != away.creation)) {
      if (away.together) together_[*away.together].members.erase(id);  // dead
      at = absences_.erase(at);
      continue;
    }
    if (!counts(*m)) {
      ++at;
      continue;
    }
    // That others were lost says nothing of one that nobody lost: they may have been restarted meanwhile.
    const bool was_cut_off = away.lost_by_somebody && away.deserted;
    if (was_cut_off && away.together && !told_.contains(*away.together) && cut_off(*away.together, context)) {
      told_.insert(*away.together);
      cuts_.push_back(together_[*away.together]);
    }
    if (!away.together && away.lost_by_somebody && away.unseen) returned_.push_back({id, away.since.steady});
    at = absences_.erase(at);
  }
}

}  // namespace rollcall::membership
