// The first plan: every missing pair of the mesh, asked for from one side at a time.
#include "membership/planner.hpp"

#include "membership/jitter.hpp"

namespace rollcall::membership {
namespace {

// Of two that were there before, the one that entered discovery later is asked: it has the least to lose, and
// when one of them cannot resolve the other yet, it is the other. Nodes that all have nothing yet share the
// work.
const member_record& preferred(const member_record& a, const member_record& b, bool both_loners) {
  if (a.entry != b.entry) return a.entry > b.entry ? a : b;
  const auto& lesser = a.name < b.name ? a : b;
  const auto& greater = a.name < b.name ? b : a;
  if (both_loners) return (a.rank + b.rank) % 2 == 0 ? lesser : greater;
  return greater;
}

}  // namespace

void planner::set_busy(const member_record& a, const member_record& b, bool busy) {
  if (a.rank >= busy_.size() || b.rank >= busy_.size()) return;
  if (busy) {
    busy_.set(a.rank, b.rank);
    busy_.set(b.rank, a.rank);
  } else {
    busy_.unset(a.rank, b.rank);
    busy_.unset(b.rank, a.rank);
  }
}

bool planner::answered(const fact::connect_result& result, const plan_context& context) {
  const auto found = requests_.find(result.id);
  if (found == requests_.end()) return false;
  const auto [on, to] = found->second;
  requests_.erase(found);
  const bool connected = result.outcome == connect_outcome::connected;

  auto& tried = attempts_[key(on, to)];
  tried.under_way = false;
  tried.connected = connected;
  tried.answered_in = context.step;
  tried.answered_at = context.now;

  auto& side = askers_[on];
  if (side.under_way > 0) --side.under_way;
  side.burst_failed |= !connected;
  if (side.under_way == 0) {
    if (side.burst_failed) {
      const auto doublings = std::min(side.failed_bursts, 12U);
      const auto pause = std::min(max_backoff, context.options.interval * (1U << doublings));
      side.not_before = context.now + jittered(pause, context.options.seed, on, ++side.failed_bursts);
    } else {
      side.failed_bursts = 0;
      side.not_before = milliseconds{0};
    }
    side.burst_failed = false;
  }

  auto* a = context.members.find(on);
  auto* b = context.members.find(to);
  for (auto* end : {a, b}) {
    if (end == nullptr) continue;
    if (end->requests > 0) --end->requests;
    if (!end->answers_unseen) {
      end->answers_unseen = true;
      end->first_unseen = context.now;
    }
  }
  if (tried.stale || a == nullptr || b == nullptr) {
    if (a != nullptr && b != nullptr) set_busy(*a, *b, false);
    attempts_.erase(key(on, to));
  }
  return true;
}

bool planner::viewed(const member_record& member, const plan_context& context) {
  if (member.rank >= busy_.size()) return false;
  std::vector<std::size_t> seen;
  each_rank(busy_.sees(member.rank), [&](std::size_t rank) {
    const auto& other = context.members[rank];
    const auto found = attempts_.find(key(member.id, other.id));
    if (found == attempts_.end()) {
      seen.push_back(rank);
      return;
    }
    const auto& tried = found->second;
    if (!tried.under_way && member.view_basis >= tried.answered_in && other.view_basis >= tried.answered_in) {
      seen.push_back(rank);
    }
  });
  for (const auto rank : seen) set_busy(member, context.members[rank], false);
  return !seen.empty();
}

void planner::forget(const member_record& member) {
  askers_.erase(member.id);
  for (auto at = attempts_.begin(); at != attempts_.end();) {
    const bool concerned = at->first >> 32U == member.id || (at->first & 0xffffffffU) == member.id;
    if (concerned && !at->second.under_way) {
      at = attempts_.erase(at);
    } else {
      at->second.stale |= concerned;
      ++at;
    }
  }
  // Pairs under way stay busy; `viewed` clears the others, since they have no attempt any more.
}

void planner::hurry() {
  for (auto& [id, side] : askers_) side.not_before = milliseconds{0};
  for (auto& [pair, tried] : attempts_) {
    if (tried.connected) tried.answered_at = milliseconds{0};
  }
}

bool planner::settled(const plan_context& context, const rank_set& loners, deadline& wake) const {
  bool waiting = false;
  for (const auto& m : context.members.all()) {
    waiting |= m->state != member_state::left && m->state != member_state::leaving &&
               ((m->listed && !m->first_dial_ended) || (m->linked && !m->first_view_ended));
  }
  if (!waiting) return true;
  milliseconds first = milliseconds::max(), last = context.listing_changed;
  each_rank(loners.words(), [&](std::size_t rank) {
    first = std::min(first, context.members[rank].entered);
    last = std::max(last, context.members[rank].entered);
  });
  const auto go = std::min(last + context.options.formation_settle, first + settle_at_most);
  wake.note(go);
  return context.now >= go;
}

void planner::plan(const plan_context& context, deadline& wake, std::vector<any_action>& actions) {
  if (context.options.heal == heal_mode::off || requests_.size() > max_under_way / 2) return;
  const auto& members = context.members;
  const auto& views = context.views;

  rank_set longs(members.size()), shorts(members.size()), loners(members.size());
  bool any_missing = false;
  for (const auto& m : members.all()) {
    if (m->in_mesh()) (m->kind == name_kind::long_name ? longs : shorts).insert(m->rank);
  }
  const auto missing_of = [&](const member_record& m, std::size_t i) {
    const auto& mesh = m.kind == name_kind::long_name ? longs : shorts;
    auto missing =
        mesh.words()[i] & ~(views.sees(m.rank)[i] | views.seen_by(m.rank)[i] | busy_.sees(m.rank)[i]);
    if (i == m.rank / word_bits) missing &= ~(word{1} << (m.rank % word_bits));
    return missing;
  };
  for (const auto& m : members.all()) {
    if (!m->in_mesh()) continue;
    word linked = 0;
    const auto& mesh = m->kind == name_kind::long_name ? longs : shorts;
    for (std::size_t i = 0; i < views.row_words(); ++i) {
      linked |= views.sees(m->rank)[i] | (views.seen_by(m->rank)[i] & mesh.words()[i]);
      any_missing |= missing_of(*m, i) != 0;
    }
    if (linked == 0) loners.insert(m->rank);
  }
  if (!any_missing) return;
  const bool form = loners.count() == 0 || settled(context, loners, wake);

  // Bursts by asking node, in order of rank.
  std::map<std::size_t, std::vector<std::size_t>> bursts;
  for (const auto& owned : members.all()) {
    const auto& a = *owned;
    if (!a.in_mesh()) continue;
    for (auto i = a.rank / word_bits; i < views.row_words(); ++i) {
      for (auto missing = missing_of(a, i); missing != 0; missing &= missing - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(missing));
        if (rank < a.rank) continue;
        const auto& b = members[rank];
        const bool lone_a = loners.contains(a.rank), lone_b = loners.contains(b.rank);
        if (!form && (lone_a || lone_b)) continue;
        const auto* on = &preferred(a, b, lone_a && lone_b);
        const auto found = attempts_.find(key(a.id, b.id));
        if (found != attempts_.end()) {
          const auto& tried = found->second;
          if (tried.under_way) continue;
          // Whatever was answered, the views say it is missing: the other side is next.
          on = tried.asked == a.id ? &b : &a;
          auto from = askers_[on->id].not_before;
          if (tried.connected) from = std::max(from, tried.answered_at + context.options.interval);
          if (context.now < from) {
            wake.note(from);
            continue;
          }
        }
        bursts[on->rank].push_back(on == &a ? b.rank : a.rank);
      }
    }
  }

  for (const auto& [rank, targets] : bursts) {
    if (!requests_.empty() && requests_.size() + targets.size() > max_under_way) break;
    auto& on = members[rank];
    auto& side = askers_[on.id];
    for (const auto target : targets) {
      auto& to = members[target];
      const auto id = next_request_++;
      requests_.emplace(id, request{on.id, to.id});
      attempts_[key(on.id, to.id)] = attempt{.asked = on.id, .under_way = true};
      set_busy(on, to, true);
      ++side.under_way;
      ++on.requests;
      ++to.requests;
      actions.emplace_back(
          action::connect{.id = id,
                          .on = on.name,
                          .to = to.name,
                          .limit = on.net_setuptime.value_or(default_setuptime) + setuptime_margin});
    }
  }
}

void planner::sweep(const plan_context& context) {
  std::erase_if(attempts_, [&](const auto& entry) {
    const auto& [pair, tried] = entry;
    if (tried.under_way) return false;
    const auto* a = context.members.find(static_cast<std::uint32_t>(pair >> 32U));
    const auto* b = context.members.find(static_cast<std::uint32_t>(pair & 0xffffffffU));
    if (a == nullptr || b == nullptr) return true;
    const bool joined = context.views.sees(a->rank, b->rank) || context.views.sees(b->rank, a->rank);
    return joined && context.now - tried.answered_at > remembered_after_success;
  });
  std::erase_if(askers_, [&](const auto& entry) {
    return entry.second.under_way == 0 && context.members.find(entry.first) == nullptr;
  });
}

}  // namespace rollcall::membership
