#include "membership/departures.hpp"

#include <algorithm>

namespace rollcall::membership {
namespace {

constexpr int leave_again = 6;  // intervals: who was told to leave and is linked again

bool linked_to_somebody(const view_matrix& views, const member_record& m) {
  const auto any = [](std::span<const word> bits) {
    return std::ranges::any_of(bits, [](word w) { return w != 0; });
  };
  return any(views.sees(m.rank)) || any(views.seen_by(m.rank));
}

// Cutting links one by one sets off prevent_overlapping_partitions wherever it is on.
std::vector<node_name> cut_one_by_one(const step_context& context, const member_record& m) {
  std::vector<node_name> peers;
  for (const auto& other : context.members.all()) {
    if (other->linked && other->prevent_overlapping_partitions.value_or(true)) return {};
    const bool linked = context.views.sees(m.rank, other->rank) || context.views.sees(other->rank, m.rank);
    if (other.get() != &m && linked) peers.push_back(other->name);
  }
  return peers;
}

}  // namespace

void departures::keep_out(member_record& m, std::string_view why, moment now) {
  m.kept_out = true;
  m.leave_told.reset();
  life_.keep_out(m, why, now);
}

bool departures::leave(const node_name& name, member_record* m, moment now) {
  told_.insert(name);
  if (m == nullptr || m->kept_out) return false;
  keep_out(*m, "it was told to leave the mesh", now);
  return true;
}

bool departures::rejoin(const node_name& name, member_record* m, moment now) {
  told_.erase(name);
  if (m == nullptr || !m->kept_out) return false;
  m->kept_out = m->pruned = false;
  life_.let_in(*m, now);
  return true;
}

void departures::listed(member_record& m, moment now) {
  m.prune_barred = false;
  if (told_.contains(m.name)) {
    m.kept_out = true;
  } else if (std::exchange(m.pruned, false)) {
    m.kept_out = false;
    life_.let_in(m, now);
  }
}

bool departures::prune(const step_context& context, const std::vector<source_report>& sources) {
  const auto& options = context.options;
  if (!options.prune_after || options.heal == heal_mode::off) return false;
  if (context.starting || context.paused || context.isolated) return false;
  const bool any_listed = std::ranges::any_of(context.members.all(), [](const auto& m) { return m->listed; });
  const bool good = !sources.empty() && any_listed && std::ranges::all_of(sources, [](const auto& s) {
    return s.asked && s.outcome == query_outcome::ok;
  });
  if (!good) return false;
  bool any = false;
  for (const auto& owned : context.members.all()) {
    auto& m = *owned;
    if (m.listed || m.kept_out || m.prune_barred || !m.linked || m.stopping) continue;
    if (context.now - m.delisted_at < *options.prune_after) continue;
    // Healthy is also what others are linked to, though we are not.
    const bool healthy = m.state == member_state::up || seen_by_anybody(context, m);
    if (healthy && !options.prune_live) continue;
    m.pruned = any = true;
    keep_out(m, "no source has listed it for longer than --prune-after", context.at);
  }
  return any;
}

void departures::tell(const step_context& context, deadline& wake, std::vector<any_action>& actions) {
  if (context.paused) return;
  for (const auto& owned : context.members.all()) {
    auto& m = *owned;
    if (!m.linked || !m.kept_out) continue;
    const bool first = !m.leave_told;
    if (!first && !linked_to_somebody(context.views, m)) continue;
    if (!first) {
      const auto again = *m.leave_told + leave_again * context.options.interval;
      if (context.now < again) {
        wake.note(again);
        continue;
      }
    }
    m.leave_told = context.now;
    actions.emplace_back(action::leave_mesh{m.name, cut_one_by_one(context, m)});
  }
}

}  // namespace rollcall::membership
