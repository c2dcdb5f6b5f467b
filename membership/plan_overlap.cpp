// The plan where overlapping partitions are prevented: nothing is joined that could tear what is whole. Its
// steps, in their order, are those of plan_overlap().
#include <algorithm>
#include <cassert>

#include "membership/compatible.hpp"
#include "membership/mutation.hpp"
#include "membership/overlap.hpp"
#include "membership/plan_round.hpp"

namespace rollcall::membership {

void planner::plan_overlap(const step_context& context, path_book& paths, std::size_t mesh, deadline& wake,
                           std::vector<any_action>& actions, burst_map& bursts) {
  whole_mesh now{{context.views, context.suspected}, planned_for(context, mesh, wake)};
  forget_lone_attempts(context, now.planned);
  if (const auto known = whole_.find(mesh); known != whole_.end() && known->second == now) {
    assert(!mesh_links(context, now.planned).any_missing());
    return;
  }
  round r(context, paths, wake, actions, bursts, now.planned);
  each_rank(r.links.mesh().words(), [&](std::size_t rank) {
    if (r.links.has_links(rank)) had_links_.insert(context.members[rank].id);
  });
  if (!r.links.any_missing()) {
    whole_.insert_or_assign(mesh, std::move(now));
    return;
  }
  whole_.erase(mesh);
  sort_groups(r);
  if (form(r)) return;
  find_trouble(r);
  wait_for_what_breaks(r);
  find_who_stands_apart(r);
  const auto first_of_none = [&](const auto& e) {
    const auto* m = context.members.find(e.first);
    if (m == nullptr || m->mesh != mesh) return m == nullptr;
    const auto g = r.group_of[m->rank];
    return g == r.groups.size() || r.groups[g].size() < 2 || r.first_of(g).id != m->id;
  };
  std::erase_if(unsound_since_, first_of_none);
  std::erase_if(lacking_, first_of_none);
  for (std::size_t g = 0; g < r.groups.size(); ++g) inside(r, g);
  between(r);
  move_the_odd_one(r);
  introduce(r);
}

// Who has links is not planned for before it told its settings; who has none cannot lose any.
rank_set planner::planned_for(const step_context& context, std::size_t mesh, deadline& wake) {
  const auto any = [](std::span<const word> bits) {
    return std::ranges::any_of(bits, [](word w) { return w != 0; });
  };
  rank_set planned(context.members.size());
  for (const auto& m : context.members.all()) {
    if (m->mesh != mesh || !m->joinable() || m->kept_out) continue;
    if (!m->settings_answered && context.now - m->link_since < settings_at_most &&
        (any(context.views.sees(m->rank)) || any(context.views.seen_by(m->rank)))) {
      wake.note(m->link_since + settings_at_most);
      continue;
    }
    planned.insert(m->rank);
  }
  return planned;
}

// One that was asked for alone, in vain, still has no link to lose: it is a newcomer again once both ends
// were asked after the answer.
void planner::forget_lone_attempts(const step_context& context, const rank_set& mesh) {
  std::erase_if(alone_, [&](const auto& tried) {
    const auto *m = context.members.find(tried.first), *other = context.members.find(tried.second);
    if (m == nullptr || other == nullptr) return true;
    const bool busy =
        (requests_.busy(m->rank)[other->rank / word_bits] >> (other->rank % word_bits) & 1) != 0;
    return mesh.contains(m->rank) && !busy;
  });
}

void planner::sort_groups(round& r) {
  r.groups = find_groups(r.links);
  r.group_of.assign(r.context.members.size(), r.groups.size());
  r.ids.reserve(r.context.members.size());
  for (const auto& m : r.context.members.all()) r.ids.push_back(m->id);
  r.within.resize(r.groups.size());
  for (std::size_t g = 0; g < r.groups.size(); ++g) {
    for (const auto rank : r.groups[g]) r.group_of[rank] = g;
    if (r.groups[g].size() > 1) {
      r.within[g] = rank_set(r.context.members.size());
      for (const auto rank : r.groups[g]) r.within[g].insert(rank);
    }
    const auto first = r.first_of(g).id;
    const bool fresh = r.groups[g].size() == 1 && !had_links_.contains(first) && !alone_.contains(first);
    (fresh ? r.fresh : r.established).push_back(g);
  }
  r.newcomers = count_newcomers(r);
}

// Nobody has a link to lose: all pairs at once, as soon as those who are on their way are here. True while a
// formation is going on: nothing else is planned then.
bool planner::form(round& r) {
  std::erase_if(forming_, [&](std::uint32_t id) {
    const auto* m = r.context.members.find(id);
    return m == nullptr || !m->joinable();
  });
  if (!forming_.empty()) {
    if (r.context.now - forming_since_ >= forming_at_most) forming_.clear();
    const bool ours = !forming_.empty() && r.links.mesh().contains(r.context.members.find(forming_[0])->rank);
    if (!ours) return false;
    continue_forming(r);
    return !forming_.empty();
  }
  if (!r.established.empty()) return false;
  rank_set loners(r.context.members.size());
  for (const auto g : r.fresh) loners.insert(r.groups[g].front());
  if (r.fresh.size() < 2 || !settled(r.context, loners, r.wake)) return true;
  for (const auto g : r.fresh) {
    forming_.push_back(r.first_of(g).id);
    if (r.asks()) had_links_.insert(r.first_of(g).id);
  }
  // One that breaks soon says as much as after any other join.
  if (r.asks()) quarantine_.admitted(forming_, forming_, false, r.context.now);
  forming_since_ = r.context.now;
  forming_step_ = 1;
  forming_place_ = 0;
  continue_forming(r);
  return true;
}

// Pairs in the order of their distance in a circle: each turn gives everybody the same, and once every node
// has a few neighbours `global` does most of the rest.
void planner::continue_forming(round& r) {
  const auto size = forming_.size();
  auto room = requests_.room();
  for (; forming_step_ <= size / 2; ++forming_step_, forming_place_ = 0) {
    for (; forming_place_ < size; ++forming_place_) {
      if (room == 0) return;
      const auto next = (forming_place_ + forming_step_) % size;
      if (2 * forming_step_ == size && next < forming_place_) continue;  // each pair once
      const auto& a = *r.context.members.find(forming_[forming_place_]);
      const auto& b = *r.context.members.find(forming_[next]);
      const bool linked = r.context.views.sees(a.rank, b.rank) || r.context.views.sees(b.rank, a.rank);
      if (linked || incompatible(a, b) || requests_.last(a, b) != nullptr) continue;
      const auto* on = &preferred(a, b, true);
      r.bursts[on->rank].push_back(on == &a ? b.rank : a.rank);
      --room;
    }
  }
  forming_.clear();
}

// Inside a group: who lacks a link there is asked for it only when a path is proven, and when nothing else in
// the group is broken: what is added is passed on to everybody in it.
void planner::inside(round& r, std::size_t g) {
  const auto& group = r.groups[g];
  if (group.size() < 2 || without(rule_taken::missing_links_are_repaired)) return;
  // Of a group that lacks many, some are looked at in each step: probes grow with the nodes. What `global`
  // links meanwhile was probed in vain, and must not keep those that are left then from being probed.
  const auto usual = 4 * group.size() + 64;
  const auto room = max_uncalm_pairs - std::min(max_uncalm_pairs, r.paths.under_way());
  const auto most = being_linked(r, g, usual) ? 0 : calm(r, g, g, false) ? usual : std::min(usual, room);
  std::size_t looked_at = 0;
  bool sound = most > 0;
  const auto how = lacking_for(r, g);
  std::vector<std::pair<std::size_t, std::size_t>> asks;
  for (const auto x : group) {
    for (std::size_t i = x / word_bits; i < r.links.words() && looked_at < most; ++i) {
      auto bits = r.links.missing(x, i) & r.within[g].words()[i] & ~requests_.busy(x)[i];
      for (; bits != 0; bits &= bits - 1) {
        const auto y = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
        if (y < x || incompatible(r.at(x), r.at(y))) continue;
        ++looked_at;
        if (ask_inside(r, x, y, how)) {
          asks.emplace_back(x, y);
        } else {
          sound = false;
        }
      }
    }
  }
  // Who still holds a half link drops it for the new one, and all that it knows by then drop the other end.
  const auto half = [&](const auto& pair) {
    return r.context.views.sees(pair.first, pair.second) != r.context.views.sees(pair.second, pair.first);
  };
  if (const auto first = std::ranges::find_if(asks, half); first != asks.end()) asks = {*first};
  if (sound) unsound_since_.erase(r.first_of(g).id);
  r.waits[g] = r.waits[g] || !sound;
  const bool wait = !calm(r, g, g, false) || r.waits[g];
  for (const auto& [x, y] : asks) {
    if (wait) {
      held_.insert({r.at(x).id, r.at(y).id});
      continue;
    }
    add(r, x, y);
  }
}

// Thousands of pairs that were probed one after the other are probed again one after the other: where answers
// are late there is no moment at which all are proven, unless what is proven stands for longer.
quarantine::newcomer planner::lacking_for(const round& r, std::size_t g) {
  const auto since = unsound_since_.try_emplace(r.first_of(g).id, r.context.now).first->second;
  return {.waited = r.context.now - since >= r.context.options.interval};
}

// Whether the pair may be asked for now, as far as it is concerned itself.
bool planner::ask_inside(round& r, std::size_t x, std::size_t y, quarantine::newcomer how) {
  const auto &a = r.at(x), &b = r.at(y);
  const auto now = r.context.now;
  const auto interval = r.context.options.interval;
  const auto k = key_of(a.id, b.id);
  if (r.context.views.sees(x, y) != r.context.views.sees(y, x)) {
    const auto since = one_way_since_.try_emplace(k, now).first->second;
    r.wake.note(since + 2 * interval);
    if (now - since < 2 * interval) return false;
  } else {
    one_way_since_.erase(k);
  }
  if (const auto* tried = requests_.last(a, b); tried != nullptr) {
    if (tried->under_way) return false;
    auto from = std::max(requests_.not_before(a), requests_.not_before(b));
    from = std::max(from, tried->answered_at + interval);
    if (now < from) {
      r.wake.note(from);
      return false;
    }
  }
  auto said = look(r, x, y, how, false);
  if (said == verdict::dark || said == verdict::held) leave_out(a.id, b.id);
  if (said == verdict::dark) dark_.push_back({a.id, b.id, {{a.id, b.id}}});
  refused_conflict refusal{.one = a.id, .other = b.id};
  look_for_refusals(a, b, said, refusal);
  settle_refusals(std::move(refusal), said);
  return said == verdict::works;
}

// A pair of groups that fails decides; while one is not known, nothing is decided, for a while.
std::vector<std::pair<std::size_t, std::size_t>> planner::find_conflicts(round& r) {
  std::vector<std::pair<std::size_t, std::size_t>> conflicts, unknown;  // by position in `standing`
  const auto& all = r.standing;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      const auto said = compare_established(r, all[i], all[j]);
      if (said == verdict::unknown) unknown.emplace_back(i, j);
      if (said == verdict::dark || said == verdict::held) conflicts.emplace_back(i, j);
    }
  }
  note_undecided(r, !unknown.empty());
  std::ranges::move(unknown, std::back_inserter(conflicts));
  return conflicts;
}

// The largest set of groups that can all reach each other is joined; then the same among those left over. Of
// many newcomers those on their way in are not compared: as long as the requests that link them are young,
// nothing is joined to them.
void planner::between(round& r) {
  const bool some = too_many_enter(r, r.links.mesh().count());
  std::ranges::copy_if(r.established, std::back_inserter(r.standing),
                       [&](std::size_t g) { return !some || !r.on_its_way_in(g); });
  if (r.standing.empty()) return;
  if (r.standing.size() > many_groups) {
    between_many(r);
  } else {
    between_few(r);
  }
  if (r.undecided) return;
  chosen_.clear();
  for (const auto g : r.main) {
    for (const auto rank : r.groups[g]) chosen_.push_back(r.at(rank).id);
  }
  std::ranges::sort(chosen_);
}

void planner::between_few(round& r) {
  const auto conflicts = find_conflicts(r);
  std::vector<joinable_group> all;
  std::vector<std::size_t> open;
  for (const auto g : r.standing) {
    open.push_back(all.size());
    all.push_back({r.groups[g].size(), r.links.links_in(r.groups[g]), chosen_before(r, g)});
  }
  for (bool first = true; !open.empty() && !r.undecided; first = false) {
    std::vector<joinable_group> candidates;
    constexpr auto not_open = static_cast<std::size_t>(-1);
    std::vector<std::size_t> position(all.size(), not_open);
    for (const auto i : open) {
      position[i] = candidates.size();
      candidates.push_back(all[i]);
    }
    std::vector<std::pair<std::size_t, std::size_t>> among;
    for (const auto& [i, j] : conflicts) {
      if (position[i] != not_open && position[j] != not_open) among.emplace_back(position[i], position[j]);
    }
    std::vector<std::size_t> taken;
    for (const auto at : choose_groups(candidates, among)) taken.push_back(open[at]);
    std::vector<std::size_t> groups;
    groups.reserve(taken.size());
    for (const auto i : taken) groups.push_back(r.standing[i]);
    if (first) r.main = groups;
    join_all(r, groups);
    std::erase_if(open, [&](std::size_t i) { return std::ranges::find(taken, i) != taken.end(); });
  }
}

// Those of the set that may be joined now. One that may not keeps only itself out, and so does one that was
// not compared with all others.
void planner::join_all(round& r, const std::vector<std::size_t>& taken) {
  if (without(rule_taken::groups_are_joined)) return;
  std::set<std::size_t> out;
  const auto smaller = [&](std::size_t g, std::size_t h) {
    return r.groups[g].size() < r.groups[h].size() ? g : h;
  };
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    for (std::size_t j = i + 1; j < taken.size(); ++j) {
      const auto g = taken[i], h = taken[j];
      pairs.emplace_back(g, h);
      if (!r.compared.contains(std::minmax(g, h)) || blocked(r, g, h) || !calm(r, g, h, false) ||
          linked_to_what_is_held(r, g, h) || linked_to_what_is_held(r, h, g)) {
        out.insert(smaller(g, h));
      }
    }
  }
  // What failed or broke is asked for alone first, where that cannot hurt; nobody else joins its two ends.
  for (const auto& [g, h] : pairs) {
    if (out.contains(g) || out.contains(h)) continue;
    const auto& said = r.compared.at(std::minmax(g, h));
    if (said.said != verdict::try_first) continue;
    try_alone(r, said.trial, g, h);
    out.insert({g, h});
  }
  for (const auto& [g, h] : pairs) {
    if (!out.contains(g) && !out.contains(h)) join(r, g, h);
  }
}

// The largest group of the chosen set that each newcomer can be linked to at all; of several that are as
// large, one that it can join. No group for releases that refuse all of them.
std::vector<std::optional<std::size_t>> planner::targets(round& r) {
  std::vector<std::pair<bool, std::size_t>> weights;
  for (const auto g : r.established) {
    weights.emplace_back(chosen_before(r, g), r.groups[g].size());
  }
  const bool mixed =
      std::ranges::any_of(r.context.members.all(), [](const auto& m) { return m->old_protocol; });
  const auto suits = [&](std::size_t fresh, std::size_t g) {
    return !mixed || std::ranges::none_of(r.groups[g], [&](std::size_t rank) {
      return incompatible(r.first_of(fresh), r.at(rank));
    });
  };
  std::vector<std::optional<std::size_t>> found;
  for (const auto fresh : r.fresh) {
    std::optional<std::size_t> best;  // position in `established`
    for (std::size_t i = 0; i < r.established.size(); ++i) {
      if ((!best || weights[i] > weights[*best]) && suits(fresh, r.established[i])) best = i;
    }
    for (std::size_t i = 0; best && i < r.established.size(); ++i) {
      if (i == *best || weights[i].second != weights[*best].second || !suits(fresh, r.established[i]))
        continue;
      const bool barred = barred_between(r, fresh, r.established[*best]);
      if (barred && !barred_between(r, fresh, r.established[i])) best = i;
    }
    found.push_back(best ? std::optional(r.established[*best]) : std::nullopt);
  }
  return found;
}

// Newcomers: each joins its group once every pair with it works, all in one burst. Those whose release
// refuses everybody else have nothing to lose, like a mesh that is formed.
void planner::introduce(round& r) {
  if (r.established.empty() || r.fresh.empty()) return;
  const auto wanted = targets(r);
  std::map<std::optional<std::size_t>, std::vector<std::size_t>> ready;
  for (std::size_t i = 0; i < r.fresh.size(); ++i) {
    const auto g = r.fresh[i];
    if (!wanted[i] || may_enter(r, r.first_of(g), g, *wanted[i])) ready[wanted[i]].push_back(g);
  }
  for (auto& [target, entering] : ready) {
    if (!target && entering.size() < 2) continue;
    if (target) entering = fit_together(r, std::move(entering), *target);
    if (entering.empty()) continue;
    if (target && too_many_enter(r, r.groups[*target].size())) {
      enter_together(r, entering, *target);
      continue;
    }
    for (std::size_t i = 0; i < entering.size(); ++i) {
      if (target) join(r, entering[i], *target);
      for (std::size_t j = i + 1; j < entering.size(); ++j) join(r, entering[i], entering[j]);
      if (r.asks()) had_links_.insert(r.first_of(entering[i]).id);
    }
  }
}

// Of those that may enter, the ones that can be linked with each other, first come first: `global` names each
// to all others, and one that somebody cannot dial then is dropped by all. While that is not known, nobody
// enters, for an interval. Who has to wait enters later.
std::vector<std::size_t> planner::fit_together(round& r, std::vector<std::size_t> entering,
                                               std::size_t target) {
  std::ranges::stable_sort(entering, {}, [&](std::size_t g) { return r.first_of(g).came_at; });
  std::vector<std::size_t> taken;
  for (const auto g : r.established) {
    if (g != target && r.on_its_way_in(g)) taken.push_back(g);
  }
  const auto before = taken.size();
  bool known = true;
  for (const auto g : entering) {
    const auto& m = r.first_of(g);
    const auto waited = r.context.now - m.came_at;
    const auto how = newcomer_after(r, waited);
    bool fits = true;
    for (const auto fellow : fellows_of(r, g, taken)) {  // all, so that their probes run at once
      const auto said = compare(r, g, fellow, how).said;
      const bool unknown = said == verdict::unknown && waited < r.context.options.interval;
      known &= !unknown;
      fits &= said == verdict::works || unknown;
    }
    if (fits) {
      taken.push_back(g);
    } else if (how.patient) {
      left_out_.erase(m.id);
      held_.insert(m.id);
    }
  }
  taken.erase(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(before));
  if (known) return taken;
  for (const auto g : taken) held_.insert(r.first_of(g).id);
  return {};
}

bool planner::may_enter(round& r, const member_record& m, std::size_t newcomer, std::size_t target) {
  const auto since = m.came_at;
  const auto waited = r.context.now - since;
  const auto how = newcomer_after(r, waited);
  const bool patient = how.patient;
  const auto paired = compare(r, newcomer, target, how);
  auto said = paired.said;
  if (said == verdict::works && patient) said = exposed(r, newcomer, target, true);
  if (patient) r.wake.note(since + r.context.options.introduce_timeout);
  // What goes on in the group does not concern one that has no link to lose; it is given an interval.
  const bool quiet = waited >= r.context.options.interval || calm(r, newcomer, target, true);
  if (!quiet) r.wake.note(since + r.context.options.interval);
  if (patient) {
    left_out_.erase(m.id);  // names may still be on their way
    if (said != verdict::works || !quiet) held_.insert(m.id);
  }
  // One that it cannot reach may be about to be found dead.
  if (const auto out = left_out_.find(m.id); out != left_out_.end()) {
    for (const auto id : out->second) {
      const auto* other = r.context.members.find(id);
      const auto heard = other == nullptr ? r.context.now : std::max(other->view_at, other->heard_at);
      if (r.context.now - heard > silent_intervals(r.context.options.interval)) held_.insert(m.id);
    }
    if (out->second.empty()) left_out_.erase(out);
  }
  if (said == verdict::try_first && quiet) {
    try_alone(r, paired.trial, newcomer, target);
    const auto& [x, y] = paired.trial;
    if (r.asks()) alone_[m.id] = r.at(x).id == m.id ? r.at(y).id : r.at(x).id;
  }
  return said == verdict::works && quiet && !without(rule_taken::newcomers_are_introduced);
}

}  // namespace rollcall::membership
