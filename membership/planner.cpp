// Two plans. Where nobody prevents overlapping partitions: every missing pair of the mesh. Where somebody
// does: only what stays a mesh of members that can all reach each other (plan_overlap.cpp).
#include "membership/planner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "membership/compatible.hpp"
#include "membership/mutation.hpp"

namespace rollcall::membership {

std::optional<planner::asked_pair> planner::answered(const fact::connect_result& result,
                                                     const step_context& context) {
  const auto ended = requests_.answered(result, context);
  if (!ended) return std::nullopt;
  if (!ended->stale) {
    switch (ended->outcome) {
      case connect_outcome::connected:
        quarantine_.connected(ended->on, ended->to);
        for (const auto id : {ended->on, ended->to}) {
          if (alone_.contains(id)) had_links_.insert(id);
        }
        break;
      case connect_outcome::failed:
      case connect_outcome::ignored:
      case connect_outcome::timeout:
        quarantine_.failed(ended->on, ended->to, context);
        break;
      case connect_outcome::error:
        break;  // it was not carried out: that says nothing about the pair
    }
  }
  return asked_pair{ended->on, ended->to};
}

void planner::forget(const member_record& member) {
  quarantine_.forget(member);
  forget_requests(member);
}

void planner::restarted(const member_record& member) {
  quarantine_.restarted(member);
  forget_requests(member);
}

void planner::forget_requests(const member_record& member) {
  requests_.forget(member);
  had_links_.erase(member.id);
  whole_.clear();
  std::erase_if(alone_, [&](const auto& e) { return e.first == member.id || e.second == member.id; });
  std::erase(chosen_, member.id);
  std::erase(forming_, member.id);
  std::erase_if(moved_for_, [&](pair_key k) { return concerns(k, member.id); });
  std::erase_if(one_way_since_, [&](const auto& e) { return concerns(e.first, member.id); });
  std::erase_if(blocked_since_, [&](const auto& e) { return concerns(e.first, member.id); });
}

void planner::hurry(steady_time now) {
  requests_.hurry();
  trials_.hurry(now);
  quarantine_.hurry(now);
}

void planner::sweep(const step_context& context) {
  requests_.sweep(context);
  quarantine_.sweep(context);
  std::erase_if(moved_for_, [&](pair_key k) {
    const auto *a = context.members.find(lower(k)), *b = context.members.find(higher(k));
    return a == nullptr || b == nullptr ||
           (context.views.sees(a->rank, b->rank) && context.views.sees(b->rank, a->rank) &&
            !context.suspected.sees(a->rank, b->rank));
  });
  std::erase_if(blocked_since_, [&](const auto& e) {
    return context.members.find(lower(e.first)) == nullptr ||
           context.members.find(higher(e.first)) == nullptr;
  });
}

bool planner::settled(const step_context& context, const rank_set& loners, deadline& wake) const {
  bool waiting = false;
  for (const auto& m : context.members.all()) {
    waiting |= m->state != member_state::left && m->state != member_state::leaving &&
               ((m->listed && !m->first_dial_ended) || (m->linked && !m->first_view_ended));
  }
  if (!waiting) return true;
  std::optional<steady_time> first;
  auto last = context.listing_changed;
  each_rank(loners.words(), [&](std::size_t rank) {
    const auto entered = context.members[rank].entered;
    first = std::min(first.value_or(entered), entered);
    last = std::max(last, entered);
  });
  const auto go = std::min(last + context.options.formation_settle, first.value_or(last) + settle_at_most);
  wake.note(go);
  return context.now >= go;
}

void planner::plan(const step_context& context, path_book& paths, deadline& wake,
                   std::vector<any_action>& actions) {
  const auto mode = context.options.heal;
  quarantine_.settle(context, paths, wake);
  if (context.paused) return;
  if (requests_.under_way() > connect_requests::max_under_way / 2) return;
  left_out_.clear();
  held_.clear();
  would_ask_.clear();
  dark_.clear();
  light_.clear();
  refused_.clear();
  dark_to_newcomers_.clear();
  if (mode == heal_mode::off) {
    publish_exclusions(context, paths);
    return;
  }
  bool overlap = false;
  for (const auto& m : context.members.all()) {
    const bool told = m->settings_answered || context.now - m->link_since >= settings_at_most;
    overlap |=
        m->linked && m->prevent_overlapping_partitions.value_or(!told) && m->connect_all.value_or(true);
  }
  burst_map bursts;
  if (overlap && !without(rule_taken::overlap_is_prevented) && context.options.probe &&
      mode != heal_mode::all) {
    for (std::size_t mesh = 0; mesh < context.members.meshes(); ++mesh) {
      plan_overlap(context, paths, mesh, wake, actions, bursts);
    }
    look_beside_what_is_light(context, wake);
    if (!without(rule_taken::repairs_are_looked_for)) canaries_.plan(context, paths, dark_, wake, actions);
    // It makes two nodes link for a moment: that is asking.
    if (mode != heal_mode::plan && !without(rule_taken::refusals_are_tried)) {
      trials_.plan(context, paths, refused_, wake, actions);
    }
    keep_exclusions(context, paths);
  } else {
    plan_all(context, wake, bursts);
  }
  carry_out(context, bursts, actions);
  publish_exclusions(context, paths);
}

// What is repaired is seldom repaired for two groups only, and canaries come to one pair of groups at a time.
void planner::look_beside_what_is_light(const step_context& context, deadline& wake) {
  if (light_.empty()) return;
  std::vector<pair_key> beside;
  for (const auto& conflict : dark_) {
    if (!light_.contains(conflict.one) && !light_.contains(conflict.other)) continue;
    const auto count = std::min(conflict.pairs.size(), beside_light);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& [a, b] = conflict.pairs[i * conflict.pairs.size() / count];
      beside.push_back(key_of(a, b));
    }
  }
  if (beside.empty()) return;
  quarantine_.recovered(beside, context.now);
  wake.note(context.now + milliseconds(1));
}

void planner::carry_out(const step_context& context, const burst_map& bursts,
                        std::vector<any_action>& actions) {
  if (context.options.heal != heal_mode::plan) {
    requests_.ask(context, bursts, actions);
    return;
  }
  for (const auto& [rank, targets] : bursts) {
    for (const auto target : targets) {
      would_ask_.emplace(context.members[rank].id, context.members[target].id);
    }
  }
}

void planner::plan_all(const step_context& context, deadline& wake, burst_map& bursts) {
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
        mesh.words()[i] & ~(views.sees(m.rank)[i] | views.seen_by(m.rank)[i] | requests_.busy(m.rank)[i]);
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
  for (const auto& owned : members.all()) {
    const auto& a = *owned;
    if (!a.joinable() || a.kept_out) continue;
    for (auto i = a.rank / word_bits; i < views.row_words(); ++i) {
      for (auto missing = missing_of(a, i); missing != 0; missing &= missing - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(missing));
        if (rank < a.rank) continue;
        const auto& b = members[rank];
        const bool lone_a = loners.contains(a.rank), lone_b = loners.contains(b.rank);
        if (incompatible(a, b) || (!form && (lone_a || lone_b))) continue;
        const auto* on = &preferred(a, b, lone_a && lone_b);
        if (const auto* tried = requests_.last(a, b); tried != nullptr) {
          if (tried->under_way) continue;
          // Whatever was answered, the views say it is missing: the other side is next.
          on = tried->asked == a.id ? &b : &a;
          auto from = requests_.not_before(*on);
          if (tried->connected) from = std::max(from, tried->answered_at + context.options.interval);
          if (context.now < from) {
            wake.note(from);
            continue;
          }
        }
        bursts[on->rank].push_back(on == &a ? b.rank : a.rank);
      }
    }
  }
}

}  // namespace rollcall::membership
