// What is known of all groups; where there are so many that not all of them can be compared with each other,
// which are joined; and so many newcomers that not all of their pairs can be looked at.
#include <algorithm>
#include <tuple>

#include "membership/jitter.hpp"
#include "membership/plan_round.hpp"

namespace rollcall::membership {

bool planner::chosen_before(const round& r, std::size_t group) const {
  return std::ranges::any_of(
      r.groups[group], [&](std::size_t rank) { return std::ranges::binary_search(chosen_, r.at(rank).id); });
}

// Thousands of pairs that became light one after the other are probed again one after the other: there is no
// moment at which all are proven, unless what is proven stands for longer.
planner::verdict planner::compare_established(round& r, std::size_t g, std::size_t h) {
  const bool waited = undecided_since_ && r.context.now - *undecided_since_ >= r.context.options.interval;
  const auto found = compare(r, g, h, {.waited = waited});
  r.compared.emplace(std::minmax(g, h), found);
  return found.said;
}

void planner::note_undecided(round& r, bool unknown) {
  if (!unknown) {
    undecided_since_.reset();
    return;
  }
  if (!undecided_since_) undecided_since_ = r.context.now;
  const auto until = *undecided_since_ + undecided_limits * r.context.options.probe_limit;
  r.wake.note(until);
  r.undecided = r.context.now < until;
}

// Whether it works with all of the set. What is not known is asked for at once.
planner::verdict planner::fits(round& r, std::size_t group, const joint_set& set) {
  auto said = verdict::works;
  for (const auto other : set.groups) {
    const auto its = compare_established(r, group, other);
    if (its == verdict::dark || its == verdict::held) return its;
    if (its == verdict::unknown) said = its;
  }
  return said;
}

// The largest one first, each joins the first set that it was compared with and works with, all of it: what
// was not compared is not joined. While something is not known it counts as working, so that all that has to
// be known is asked for at once; but that set waits, and after a while it counts as broken. What is left
// over is compared with larger groups, and fewer, once these are joined.
void planner::between_many(round& r) {
  auto order = r.standing;
  std::map<std::size_t, std::tuple<std::size_t, std::size_t, bool>> weights;
  for (const auto g : order) {
    weights[g] = {r.groups[g].size(), r.links.links_in(r.groups[g]), chosen_before(r, g)};
  }
  std::ranges::stable_sort(order, [&](auto g, auto h) { return weights[g] > weights[h]; });
  const bool hopes = !undecided_since_ ||
                     r.context.now < *undecided_since_ + undecided_limits * r.context.options.probe_limit;
  const auto tries_at_most = std::max(least_comparisons, max_comparisons / order.size());
  std::vector<joint_set> sets;
  bool unknown = false;
  for (const auto g : order) {
    const auto size = r.groups[g].size();
    bool placed = false;
    std::size_t tries = 0;
    for (auto set = sets.begin(); set != sets.end() && !placed && tries < tries_at_most; ++set) {
      const auto pairs = set->pairs + set->members * size;
      if (set->groups.size() >= (pairs > max_entering_pairs ? 2 : joined_at_once)) continue;
      ++tries;
      const auto said = fits(r, g, *set);
      unknown |= said == verdict::unknown;
      placed = said != verdict::dark && said != verdict::held && (said != verdict::unknown || hopes);
      if (!placed) continue;
      set->undecided |= said == verdict::unknown;
      set->groups.push_back(g);
      set->members += size;
      set->pairs = pairs;
    }
    if (!placed) sets.push_back({.groups = {g}, .members = size});
  }
  note_undecided(r, unknown);
  r.main = sets.front().groups;
  for (const auto& set : sets) {
    if (!set.undecided) join_all(r, set.groups);
  }
}

// Those without a link now, and those that were an interval ago at most.
std::size_t planner::count_newcomers(const round& r) {
  for (const auto g : r.fresh) newcomers_.insert_or_assign(r.first_of(g).id, r.context.now);
  const auto lately = r.context.now - r.context.options.interval;
  std::erase_if(newcomers_, [&](const auto& e) { return e.second <= lately; });
  return newcomers_.size();
}

bool planner::too_many_enter(const round& r, std::size_t members) {
  return r.newcomers * members > max_entering_pairs;
}

// So many that `global`, which names each to all others, is sooner done than a request for each pair: each is
// linked to those that it was looked at with, and to the next one that enters. What is missing then is
// missing inside a group.
void planner::enter_together(round& r, const std::vector<std::size_t>& entering, std::size_t target) {
  if (r.asks()) {
    std::vector<std::uint32_t> left, right;
    for (const auto g : entering) left.push_back(r.first_of(g).id);
    right = left;
    for (const auto x : r.groups[target]) right.push_back(r.at(x).id);
    quarantine_.admitted(std::move(left), std::move(right), false, r.context.now);
  }
  for (std::size_t i = 0; i < entering.size(); ++i) {
    for (const auto& [x, y] : pairs_between(r, entering[i], target)) {
      if (!r.stands_apart(y)) add(r, x, y);
    }
    const auto next = entering[(i + 1) % entering.size()];
    if (next != entering[i]) add(r, r.groups[entering[i]].front(), r.groups[next].front());
    if (r.asks()) had_links_.insert(r.first_of(entering[i]).id);
  }
}

// Of many some that are the same in each step: else those that were probed would not be those that the next
// one asks about.
std::vector<std::size_t> planner::fellows_of(const round& r, std::size_t g,
                                             const std::vector<std::size_t>& others) {
  if (others.size() <= fellow_newcomers) return others;
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  order.reserve(others.size());
  const auto own = r.first_of(g).id;
  for (const auto other : others) {
    order.emplace_back(mix(r.context.options.seed, own, r.ids[r.groups[other].front()]), other);
  }
  const auto end = order.begin() + fellow_newcomers;
  std::ranges::nth_element(order, end);
  std::vector<std::size_t> fellows;
  std::transform(order.begin(), end, std::back_inserter(fellows), [](const auto& of) { return of.second; });
  return fellows;
}

// Whether the pairs that a group lacks are so many that only some of them could be looked at, and not as many
// as a moment ago: then `global` is linking them.
bool planner::being_linked(round& r, std::size_t g, std::size_t most) {
  const auto members = r.within[g].words();
  std::size_t twice = 0;
  for (const auto x : r.groups[g]) {
    for (std::size_t i = 0; i < r.links.words(); ++i) {
      twice += bits_in(r.links.missing(x, i) & members[i]);
    }
  }
  const auto first = r.first_of(g).id;
  if (twice / 2 <= most) {
    lacking_.erase(first);
    return false;
  }
  const auto now = r.context.now;
  auto& known =
      lacking_.try_emplace(first, lacking{.pairs = twice / 2, .since = now, .changed_at = now}).first->second;
  if (std::exchange(known.pairs, twice / 2) != twice / 2) known.changed_at = now;
  const auto until =
      std::min(known.changed_at + linking_time, known.since + linking_intervals * r.context.options.interval);
  if (r.context.now >= until) return false;
  r.wake.note(until);
  return true;
}

}  // namespace rollcall::membership
