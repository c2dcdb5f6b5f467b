// Two plans. Where nobody prevents overlapping partitions: every missing pair of the mesh. Where somebody
// does: only what stays a mesh of members that can all reach each other.
#include "membership/planner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "membership/jitter.hpp"
#include "membership/overlap.hpp"

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

// All pairs between two groups; of more than max_probed_pairs as many, each member standing in at least one.
std::vector<std::pair<std::size_t, std::size_t>> sample_pairs(const std::vector<std::size_t>& some,
                                                              const std::vector<std::size_t>& others) {
  const auto& longer = some.size() < others.size() ? others : some;
  const auto& shorter = some.size() < others.size() ? some : others;
  const auto each = std::clamp<std::size_t>(planner::max_probed_pairs / longer.size(), 1, shorter.size());
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  pairs.reserve(each * longer.size());
  for (std::size_t i = 0; i < longer.size(); ++i) {
    for (std::size_t step = 0; step < each; ++step) {
      const auto other = shorter[(i + step * shorter.size() / each) % shorter.size()];
      // One of `some` first, whichever is longer.
      pairs.emplace_back(&longer == &some ? longer[i] : other, &longer == &some ? other : longer[i]);
    }
  }
  return pairs;
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

std::optional<planner::asked_pair> planner::answered(const fact::connect_result& result,
                                                     const step_context& context) {
  const auto found = requests_.find(result.id);
  if (found == requests_.end()) return std::nullopt;
  const auto [on, to] = found->second;
  requests_.erase(found);
  const bool connected = result.outcome == connect_outcome::connected;

  auto& tried = attempts_[key_of(on, to)];
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
    attempts_.erase(key_of(on, to));
  }
  return asked_pair{on, to};
}

bool planner::viewed(const member_record& member, const step_context& context) {
  if (member.rank >= busy_.size()) return false;
  std::vector<std::size_t> seen;
  each_rank(busy_.sees(member.rank), [&](std::size_t rank) {
    const auto& other = context.members[rank];
    const auto found = attempts_.find(key_of(member.id, other.id));
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
  had_links_.erase(member.id);
  chosen_.erase(member.id);
  std::erase_if(doubts_, [&](const auto& e) { return concerns(e.first, member.id); });
  std::erase_if(one_way_since_, [&](const auto& e) { return concerns(e.first, member.id); });
  for (auto at = attempts_.begin(); at != attempts_.end();) {
    const bool concerned = concerns(at->first, member.id);
    if (concerned && !at->second.under_way) {
      at = attempts_.erase(at);
    } else {
      at->second.stale |= concerned;
      ++at;
    }
  }
  // Pairs under way stay busy; `viewed` clears the others, since they have no attempt any more.
}

void planner::hurry(milliseconds now) {
  for (auto& [id, side] : askers_) side.not_before = milliseconds{0};
  for (auto& [pair, tried] : attempts_) {
    if (tried.connected) tried.answered_at = milliseconds{0};
  }
  for (auto& [pair, doubted] : doubts_) {
    doubted.next = now;
    doubted.hold = milliseconds{0};
  }
}

bool planner::settled(const step_context& context, const rank_set& loners, deadline& wake) const {
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

void planner::lost(const member_record& from, const member_record& to, milliseconds now) {
  // Only whether there was one lately counts; the pairs tell whether it concerns who is still up.
  constexpr std::size_t max_losses = 256;
  if (losses_.size() >= max_losses) losses_.erase(losses_.begin());
  losses_.push_back({from.id, to.id, now});
}

// What tears down after a lost link goes on for a while; a node that died takes nobody's time.
bool planner::quiet(const step_context& context, deadline& wake) {
  std::erase_if(losses_, [&](const loss& l) {
    if (context.now - l.at >= quiet_time) return true;
    const auto* a = context.members.find(l.from);
    const auto* b = context.members.find(l.to);
    return a == nullptr || b == nullptr || !a->in_mesh() || !b->in_mesh() || a->link_since > l.at ||
           b->link_since > l.at;
  });
  for (const auto& l : losses_) wake.note(l.at + quiet_time);
  return losses_.empty();
}

void planner::emit(const step_context& context, const burst_map& bursts, std::vector<any_action>& actions) {
  const auto& members = context.members;
  if (context.options.heal == heal_mode::plan) {
    for (const auto& [rank, targets] : bursts) {
      for (const auto target : targets) would_ask_.emplace(members[rank].id, members[target].id);
    }
    return;
  }
  for (const auto& [rank, targets] : bursts) {
    if (!requests_.empty() && requests_.size() + targets.size() > max_under_way) break;
    auto& on = members[rank];
    auto& side = askers_[on.id];
    for (const auto target : targets) {
      auto& to = members[target];
      const auto id = next_request_++;
      requests_.emplace(id, request{on.id, to.id});
      attempts_[key_of(on.id, to.id)] = attempt{.asked = on.id, .asked_at = context.now, .under_way = true};
      set_busy(on, to, true);
      asked_.push_back({on.id, to.id});
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

void planner::plan(const step_context& context, path_book& paths, deadline& wake,
                   std::vector<any_action>& actions) {
  left_out_.clear();
  held_.clear();
  would_ask_.clear();
  if (context.options.heal == heal_mode::off || requests_.size() > max_under_way / 2) {
    publish_exclusions(context, paths);
    return;
  }
  bool overlap = false;
  for (const auto& m : context.members.all()) {
    const bool told = m->settings_answered || context.now - m->link_since >= settings_at_most;
    overlap |=
        m->linked && m->prevent_overlapping_partitions.value_or(!told) && m->connect_all.value_or(true);
  }
  if (overlap && context.options.probe && context.options.heal != heal_mode::all) {
    for (std::size_t mesh = 0; mesh < context.members.meshes(); ++mesh)
      plan_overlap(context, paths, mesh, wake, actions);
  } else {
    doubts_.clear();
    plan_all(context, wake, actions);
  }
  publish_exclusions(context, paths);
}

void planner::plan_all(const step_context& context, deadline& wake, std::vector<any_action>& actions) {
  const auto& members = context.members;
  const auto& views = context.views;

  rank_set loners(members.size());
  std::vector<rank_set> meshes(members.meshes(), rank_set(members.size()));
  bool any_missing = false;
  for (const auto& m : members.all()) {
    if (m->joinable() && !m->kept_out) meshes[m->mesh].insert(m->rank);
  }
  const auto missing_of = [&](const member_record& m, std::size_t i) {
    const auto& mesh = meshes[m.mesh];
    auto missing =
        mesh.words()[i] & ~(views.sees(m.rank)[i] | views.seen_by(m.rank)[i] | busy_.sees(m.rank)[i]);
    if (i == m.rank / word_bits) missing &= ~(word{1} << (m.rank % word_bits));
    return missing;
  };
  for (const auto& m : members.all()) {
    if (!m->joinable() || m->kept_out) continue;
    word linked = 0;
    const auto& mesh = meshes[m->mesh];
    for (std::size_t i = 0; i < views.row_words(); ++i) {
      linked |= views.sees(m->rank)[i] | (views.seen_by(m->rank)[i] & mesh.words()[i]);
      any_missing |= missing_of(*m, i) != 0;
    }
    if (linked == 0) loners.insert(m->rank);
  }
  if (!any_missing) return;
  const bool form = loners.count() == 0 || settled(context, loners, wake);

  // Bursts by asking node, in order of rank.
  burst_map bursts;
  for (const auto& owned : members.all()) {
    const auto& a = *owned;
    if (!a.joinable() || a.kept_out) continue;
    for (auto i = a.rank / word_bits; i < views.row_words(); ++i) {
      for (auto missing = missing_of(a, i); missing != 0; missing &= missing - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(missing));
        if (rank < a.rank) continue;
        const auto& b = members[rank];
        const bool lone_a = loners.contains(a.rank), lone_b = loners.contains(b.rank);
        if (!form && (lone_a || lone_b)) continue;
        const auto* on = &preferred(a, b, lone_a && lone_b);
        const auto found = attempts_.find(key_of(a.id, b.id));
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

  emit(context, bursts, actions);
}

void planner::sweep(const step_context& context) {
  std::erase_if(attempts_, [&](const auto& entry) {
    const auto& [pair, tried] = entry;
    if (tried.under_way) return false;
    const auto* a = context.members.find(lower(pair));
    const auto* b = context.members.find(higher(pair));
    if (a == nullptr || b == nullptr) return true;
    const bool joined = context.views.sees(a->rank, b->rank) || context.views.sees(b->rank, a->rank);
    return joined && context.now - tried.answered_at > remembered_after_success;
  });
  std::erase_if(askers_, [&](const auto& entry) {
    return entry.second.under_way == 0 && context.members.find(entry.first) == nullptr;
  });
}

// Whether a path between the two is known to work, by a probe that is not too old; asks where it is not
// known. `patient`: one of them is new, and names may resolve late: it is not given up before
// --introduce-timeout.
planner::path planner::look(const step_context& context, path_book& paths, const member_record& a,
                            const member_record& b, bool patient, deadline& wake,
                            std::vector<any_action>& actions) {
  const auto k = key_of(a.id, b.id);
  auto doubted = doubts_.find(k);
  const auto fresh = context.now - proof_limits * context.options.probe_limit;
  const auto limit = context.options.probe_limit;
  if (paths.works(a, b, doubted == doubts_.end() ? fresh : std::max(fresh, doubted->second.since))) {
    if (doubted == doubts_.end()) return path::works;
    if (doubted->second.hold <= context.now) {
      doubted->second.failures = 0;
      return path::works;
    }
    wake.note(doubted->second.hold);
    return path::fails;
  }
  if (doubted != doubts_.end() && doubted->second.failures > 0 && context.now < doubted->second.next) {
    wake.note(doubted->second.next);
    return path::fails;
  }
  // The newer one first: it has least to lose, and when one cannot resolve the other yet, it is the older.
  const auto& first = preferred(a, b, false);
  const auto& second = &first == &a ? b : a;
  const auto since = doubted != doubts_.end() && doubted->second.failures > 0 ? doubted->second.next : fresh;
  for (const auto* on : {&first, &second}) {
    const auto& to = on == &first ? second : first;
    if (paths.under_way(*on, to)) return path::unknown;
    const auto last = paths.last(*on, to);
    if (last && last->asked_at >= since) continue;  // it failed, or it would work
    if (!paths.ask(*on, to, limit, context.now, actions)) wake.note(context.now + milliseconds(100));
    return path::unknown;
  }
  // Both sides failed.
  if (doubted == doubts_.end()) {
    if (doubts_.size() >= max_doubts) return path::fails;
    doubted = doubts_.emplace(k, doubt{}).first;
  }
  auto& d = doubted->second;
  ++d.failures;
  d.since = context.now;
  if (d.let_in >= milliseconds(0) && context.now - d.let_in < relapse_within) {
    ++d.relapses;
    d.hold = context.now + std::min(max_hold, context.options.interval * (1U << std::min(d.relapses, 10U)));
  }
  d.let_in = milliseconds(-1);
  const auto doublings = patient ? 0U : std::min(d.failures - 1, 10U);
  const auto longest = std::min(max_probe_pause, max_probe_intervals * context.options.interval);
  const auto pause = std::min(longest, context.options.interval * (1U << doublings));
  d.next = context.now + jittered(pause, context.options.seed, a.id ^ b.id, d.failures);
  wake.note(d.next);
  return path::fails;
}

// Asked where a probe worked; the preferred side when both did.
void planner::add(const step_context& context, const path_book& paths, const member_record& a,
                  const member_record& b, burst_map& bursts) {
  const auto k = key_of(a.id, b.id);
  if (const auto tried = attempts_.find(k); tried != attempts_.end() && tried->second.under_way) return;
  const auto* on = &preferred(a, b, false);
  const auto* to = on == &a ? &b : &a;
  const auto fresh = context.now - proof_limits * context.options.probe_limit;
  const auto worked = [&](const member_record& from, const member_record& other) {
    const auto found = paths.last(from, other);
    return found && found->result == path_probe::reachable && found->asked_at >= fresh;
  };
  if (!worked(*on, *to) && worked(*to, *on)) std::swap(on, to);
  bursts[on->rank].push_back(to->rank);
  if (const auto doubted = doubts_.find(k); doubted != doubts_.end()) doubted->second.let_in = context.now;
}

void planner::plan_overlap(const step_context& context, path_book& paths, std::size_t mesh_index,
                           deadline& wake, std::vector<any_action>& actions) {
  const auto& members = context.members;
  const auto& views = context.views;
  const auto now = context.now;
  const auto interval = context.options.interval;

  rank_set mesh(members.size());
  bool any_missing = false;
  for (const auto& m : members.all()) {
    if (m->mesh != mesh_index || !m->joinable() || m->kept_out) continue;
    // Who has links is not planned for before it told its settings; who has none cannot lose any.
    const auto any = [](std::span<const word> bits) {
      return std::ranges::any_of(bits, [](word w) { return w != 0; });
    };
    if (!m->settings_answered && now - m->link_since < settings_at_most &&
        (any(views.sees(m->rank)) || any(views.seen_by(m->rank)))) {
      wake.note(m->link_since + settings_at_most);
      continue;
    }
    mesh.insert(m->rank);
  }
  const auto words = views.row_words();
  // A link in which one end still believes joins nobody.
  const bool any_suspected = context.suspected.any();
  const auto linked_word = [&](std::size_t rank, std::size_t i) {
    const auto dark = any_suspected ? context.suspected.sees(rank)[i] : word{0};
    return (views.sees(rank)[i] | views.seen_by(rank)[i]) & mesh.words()[i] & ~dark;
  };
  const auto missing_word = [&](std::size_t rank, std::size_t i) {
    auto bits = mesh.words()[i] & ~(views.sees(rank)[i] & views.seen_by(rank)[i]);
    if (i == rank / word_bits) bits &= ~(word{1} << (rank % word_bits));
    return bits;
  };
  each_rank(mesh.words(), [&](std::size_t rank) {
    word linked = 0;
    for (std::size_t i = 0; i < words; ++i) {
      linked |= views.sees(rank)[i] | linked_word(rank, i);
      any_missing |= missing_word(rank, i) != 0;
    }
    if (linked != 0) had_links_.insert(members[rank].id);
  });
  if (!any_missing) {
    one_way_since_.clear();
    return;
  }

  // Groups as the views have them.
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::size_t> group_of(members.size(), 0);
  {
    auto rest = mesh;
    each_rank(mesh.words(), [&](std::size_t first) {
      if (!rest.contains(first)) return;
      rest.erase(first);
      auto& group = groups.emplace_back();
      group.push_back(first);
      for (std::size_t at = 0; at < group.size(); ++at) {
        group_of[group[at]] = groups.size() - 1;
        for (std::size_t i = 0; i < words; ++i) {
          auto reached = linked_word(group[at], i) & rest.words()[i];
          rest.words()[i] &= ~reached;
          for (; reached != 0; reached &= reached - 1) {
            group.push_back(i * word_bits + static_cast<std::size_t>(std::countr_zero(reached)));
          }
        }
      }
    });
  }
  const auto is_new = [&](const std::vector<std::size_t>& group) {
    return group.size() == 1 && !had_links_.contains(members[group.front()].id);
  };
  std::vector<std::size_t> established, fresh;
  for (std::size_t g = 0; g < groups.size(); ++g) (is_new(groups[g]) ? fresh : established).push_back(g);

  burst_map bursts;
  if (established.empty()) {
    // Nobody has a link to lose: all pairs at once, as soon as those who are on their way are here.
    rank_set loners(members.size());
    for (const auto g : fresh) loners.insert(groups[g].front());
    if (fresh.size() < 2 || !settled(context, loners, wake)) return;
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      for (std::size_t j = i + 1; j < fresh.size(); ++j) {
        const auto& a = members[groups[fresh[i]].front()];
        const auto& b = members[groups[fresh[j]].front()];
        if (attempts_.contains(key_of(a.id, b.id))) continue;
        const auto* on = &preferred(a, b, true);
        bursts[on->rank].push_back(on == &a ? b.rank : a.rank);
      }
    }
    for (const auto g : fresh) had_links_.insert(members[groups[g].front()].id);
    emit(context, bursts, actions);
    return;
  }

  // Requests that were just made are waited for; one that hangs is not.
  bool busy = false;
  each_rank(mesh.words(), [&](std::size_t rank) {
    for (std::size_t i = 0; i < words; ++i) {
      for (auto bits = busy_.sees(rank)[i] & mesh.words()[i]; bits != 0; bits &= bits - 1) {
        const auto other = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
        const auto tried = attempts_.find(key_of(members[rank].id, members[other].id));
        if (tried == attempts_.end()) continue;
        const auto begun = tried->second.under_way ? tried->second.asked_at : tried->second.answered_at;
        if (now - begun >= quiet_time) continue;
        busy = true;
        wake.note(begun + quiet_time);
      }
    }
  });
  const bool calm = quiet(context, wake) && !busy;

  // Whom one joins to a group is passed on to everybody that anybody in it is linked to: to the other end of
  // a link that is dark and still believed in, and to members that we do not reach. One of them would be torn
  // out for it.
  rank_set unseen(members.size());
  for (const auto& m : members.all()) {
    const bool may_be_there = m->state == member_state::suspect || m->state == member_state::joining ||
                              m->state == member_state::up;
    if (m->mesh == mesh_index && may_be_there && !mesh.contains(m->rank) && !m->kept_out)
      unseen.insert(m->rank);
  }
  const auto believes = [&](const std::vector<std::size_t>& group) {
    return std::ranges::any_of(group, [&](std::size_t rank) {
      for (std::size_t i = 0; i < words; ++i) {
        const auto linked = views.sees(rank)[i] | views.seen_by(rank)[i];
        const auto dark = any_suspected ? context.suspected.sees(rank)[i] : word{0};
        if ((linked & dark) != 0 || (views.sees(rank)[i] & unseen.words()[i]) != 0) return true;
      }
      return false;
    });
  };
  // Inside a group: whoever lacks a link there is asked for it only when a path is proven, and when nothing
  // else in the group is broken: what is added is passed on to everybody in it.
  std::map<pair_key, milliseconds> one_way;
  std::vector<bool> waits(groups.size(), false);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto& group = groups[g];
    waits[g] = believes(group);
    if (group.size() < 2) continue;
    struct wanted {
      std::size_t on, to;
      bool one_sided;
    };
    std::vector<wanted> asks;
    bool sound = true;
    for (const auto x : group) {
      for (std::size_t i = x / word_bits; i < words; ++i) {
        for (auto bits = missing_word(x, i) & ~busy_.sees(x)[i]; bits != 0; bits &= bits - 1) {
          const auto y = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
          if (y < x || group_of[y] != group_of[x]) continue;
          const auto& a = members[x];
          const auto& b = members[y];
          const bool forth = views.sees(x, y), back = views.sees(y, x);
          if (forth != back) {
            const auto before = one_way_since_.find(key_of(a.id, b.id));
            const auto since = before != one_way_since_.end() ? before->second : now;
            one_way.emplace(key_of(a.id, b.id), since);
            wake.note(since + 2 * interval);
            if (now - since < 2 * interval) {
              sound = false;
              continue;
            }
          }
          const auto tried = attempts_.find(key_of(a.id, b.id));
          if (tried != attempts_.end()) {
            if (tried->second.under_way) {
              sound = false;
              continue;
            }
            auto from = std::max(askers_[a.id].not_before, askers_[b.id].not_before);
            from = std::max(from, tried->second.answered_at + interval);
            if (now < from) {
              wake.note(from);
              sound = false;
              continue;
            }
          }
          const auto said = look(context, paths, a, b, false, wake, actions);
          if (said == path::fails) left_out_[a.id].insert(b.id);
          if (said != path::works) {
            sound = false;
          } else if (forth != back) {
            asks.push_back({forth ? y : x, forth ? x : y, true});
          } else {
            asks.push_back({x, y, false});
          }
        }
      }
    }
    waits[g] = waits[g] || !sound;
    if (!calm || waits[g]) {
      for (const auto& ask : asks) held_.insert({members[ask.on].id, members[ask.to].id});
      continue;
    }
    for (const auto& [on, to, one_sided] : asks) {
      if (one_sided) {
        bursts[on].push_back(to);
      } else {
        add(context, paths, members[on], members[to], bursts);
      }
    }
  }
  one_way_since_ = std::move(one_way);
  // That lasts for a tick time; for longer only where some prevent overlaps and some do not.
  const bool waiting = std::ranges::find(waits, true) != waits.end();
  auto& waiting_since = waiting_since_[mesh_index];
  if (!waiting) waiting_since.reset();
  if (waiting && !waiting_since) waiting_since = now;
  milliseconds longest{0};
  each_rank(mesh.words(), [&](std::size_t rank) {
    longest = std::max(longest, members[rank].net_ticktime.value_or(milliseconds(60'000)));
  });
  if (waiting && now - *waiting_since >= 2 * longest) waits.assign(groups.size(), false);

  // Which groups could be joined. A pair that fails decides; while a pair is not known, nothing is decided.
  std::map<std::pair<std::size_t, std::size_t>, path> between;
  const auto compare = [&](std::size_t g, std::size_t h, bool patient) {
    const auto pairs = sample_pairs(groups[g], groups[h]);
    auto found = path::works;
    bool asked = false;
    // First what is in doubt already, so that one broken pair saves the probes of all others.
    for (const bool doubtful : {true, false}) {
      for (const auto& [x, y] : pairs) {
        const auto& a = members[x];
        const auto& b = members[y];
        if (doubts_.contains(key_of(a.id, b.id)) != doubtful) continue;
        const auto said = look(context, paths, a, b, patient, wake, actions);
        asked |= said == path::unknown;
        // While it is probed again it is what it was.
        if (said == path::fails || (said == path::unknown && doubtful)) left_out_[a.id].insert(b.id);
        if (said == path::fails) found = path::fails;
      }
      if (found == path::fails) return found;
    }
    return asked ? path::unknown : path::works;
  };

  bool undecided = false;
  std::vector<std::pair<std::size_t, std::size_t>> conflicts;  // by position in `established`
  for (std::size_t i = 0; i < established.size(); ++i) {
    for (std::size_t j = i + 1; j < established.size(); ++j) {
      const auto said = compare(established[i], established[j], false);
      undecided |= said == path::unknown;
      if (said == path::fails) conflicts.emplace_back(i, j);
    }
  }

  const auto links_in = [&](const std::vector<std::size_t>& group) {
    std::size_t links = 0;
    for (const auto rank : group) {
      for (std::size_t i = 0; i < words; ++i) {
        links += static_cast<std::size_t>(std::popcount(views.sees(rank)[i] & mesh.words()[i]));
      }
    }
    return links / 2;
  };
  // The largest set of groups that can all reach each other; then the same among those left over.
  std::vector<std::size_t> main;
  std::vector<std::size_t> open(established.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  for (bool first = true; !open.empty() && !undecided; first = false) {
    std::vector<joinable_group> candidates;
    std::map<std::size_t, std::size_t> position;
    for (const auto i : open) {
      const auto& group = groups[established[i]];
      position.emplace(i, candidates.size());
      candidates.push_back({group.size(), links_in(group), std::ranges::any_of(group, [&](std::size_t rank) {
                              return chosen_.contains(members[rank].id);
                            })});
    }
    std::vector<std::pair<std::size_t, std::size_t>> among;
    for (const auto& [i, j] : conflicts) {
      if (position.contains(i) && position.contains(j)) among.emplace_back(position[i], position[j]);
    }
    std::vector<std::size_t> taken;
    for (const auto at : choose_groups(candidates, among)) taken.push_back(open[at]);
    if (first) main = taken;
    if (calm) {
      for (std::size_t i = 0; i < taken.size(); ++i) {
        for (std::size_t j = i + 1; j < taken.size(); ++j) {
          if (waits[established[taken[i]]] || waits[established[taken[j]]]) continue;
          for (const auto x : groups[established[taken[i]]]) {
            for (const auto y : groups[established[taken[j]]])
              add(context, paths, members[x], members[y], bursts);
          }
        }
      }
    }
    std::erase_if(open, [&](std::size_t i) { return std::ranges::find(taken, i) != taken.end(); });
  }
  if (!undecided) {
    std::set<std::uint32_t> chosen;
    for (const auto i : main) {
      for (const auto rank : groups[established[i]]) chosen.insert(members[rank].id);
    }
    chosen_ = std::move(chosen);
  }

  for (const auto g : fresh) {
    if (undecided || !calm || std::ranges::find(waits, true) != waits.end())
      held_.insert(members[groups[g].front()].id);
  }
  // Newcomers: each joins the chosen set once every pair with it works, all in one burst.
  if (!undecided && calm) {
    std::vector<std::size_t> ready;
    for (const auto g : fresh) {
      const auto& m = members[groups[g].front()];
      const bool patient = now - m.came_at < context.options.introduce_timeout;
      auto said = std::ranges::any_of(main, [&](std::size_t i) { return waits[established[i]]; })
                      ? path::unknown
                      : path::works;
      for (const auto i : main) {
        const auto one = compare(g, established[i], patient);
        if (one == path::fails || (one == path::unknown && said == path::works)) said = one;
      }
      // Whoever it cannot reach may be about to be found dead.
      for (const auto id : left_out_[m.id]) {
        const auto* other = members.find(id);
        if (other != nullptr && now - std::max(other->view_at, other->heard_at) > 3 * interval / 2) {
          held_.insert(m.id);
        }
      }
      if (left_out_[m.id].empty()) left_out_.erase(m.id);
      if (patient) {
        left_out_.erase(m.id);  // names may still be on their way
        wake.note(m.came_at + context.options.introduce_timeout);
      }
      if (said == path::works) ready.push_back(g);
    }
    for (std::size_t i = 0; i < ready.size(); ++i) {
      const auto& m = members[groups[ready[i]].front()];
      for (const auto g : main) {
        for (const auto rank : groups[established[g]]) add(context, paths, m, members[rank], bursts);
      }
      for (std::size_t j = i + 1; j < ready.size(); ++j) {
        add(context, paths, m, members[groups[ready[j]].front()], bursts);
      }
      had_links_.insert(m.id);
    }
  }
  emit(context, bursts, actions);
}

// Readers and incidents are told of what changed only.
void planner::publish_exclusions(const step_context& context, const path_book& paths) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
  std::map<std::uint32_t, std::set<std::uint32_t>> out;
  for (const auto& [id, others] : left_out_) {
    for (const auto other : others) {
      pairs.emplace(std::min(id, other), std::max(id, other));
      // Whoever is in the set that was joined stays; the other one is left out.
      const bool inside = chosen_.contains(id) && !chosen_.contains(other);
      out[inside ? other : id].insert(inside ? id : other);
    }
  }
  std::vector<exclusion> next;
  constexpr std::size_t most_named = 5;
  for (const auto& [id, others] : out) {
    const auto* m = context.members.find(id);
    if (m == nullptr) continue;
    exclusion e{.node = id, .cannot_reach = {others.begin(), others.end()}, .text = {}};
    std::vector<std::string> who;
    for (const auto other : others) {
      const auto* o = context.members.find(other);
      if (o == nullptr) continue;
      if (who.size() == most_named) {
        who.push_back(fmt::format("{} more", others.size() - most_named));
        break;
      }
      const auto found = [&](const member_record& on, const member_record& to) {
        const auto last = paths.last(on, to);
        return last ? to_string(last->result) : std::string_view("not probed");
      };
      who.push_back(
          fmt::format("{} (from it: {}, from there: {})", o->name.text(), found(*m, *o), found(*o, *m)));
    }
    e.text = fmt::format("{} is left out: it has no path to {}", m->name.text(), fmt::join(who, ", "));
    next.push_back(std::move(e));
  }
  const auto known = [](const std::vector<exclusion>& list, std::uint32_t id) {
    return std::ranges::find(list, id, &exclusion::node) != list.end();
  };
  for (const auto& e : next) {
    if (!known(excluded_, e.node)) told_.emplace_back(e.node, e.text);
  }
  for (const auto& e : excluded_) {
    const auto* m = context.members.find(e.node);
    if (m != nullptr && !known(next, e.node)) {
      told_.emplace_back(e.node, fmt::format("{} may join again: a probe has found a path", m->name.text()));
    }
  }
  const auto same = [](const exclusion& a, const exclusion& b) {
    return a.node == b.node && a.cannot_reach == b.cannot_reach && a.text == b.text;
  };
  if (pairs == quarantined_ && std::ranges::equal(next, excluded_, same)) return;
  quarantined_ = std::move(pairs);
  excluded_ = std::move(next);
  ++exclusions_;
}

}  // namespace rollcall::membership
