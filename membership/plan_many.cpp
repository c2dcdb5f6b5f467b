// What is known of all groups; and where there are so many that not all of them can be compared with each
// other, which are joined.
#include <algorithm>
#include <tuple>

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
  auto order = r.established;
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

}  // namespace rollcall::membership
