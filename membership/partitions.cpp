// Connected components by rows of bits: every word of every row is looked at once.
#include "membership/partitions.hpp"

#include <algorithm>
#include <cassert>
#include <map>

#include "membership/compatible.hpp"

namespace rollcall::membership {
namespace {

using group = std::vector<std::size_t>;

void order(std::vector<group>& groups) {
  std::ranges::sort(groups, [](const group& a, const group& b) {
    return a.size() != b.size() ? a.size() > b.size() : a.front() < b.front();
  });
}

std::vector<group> components(rank_set rest, const view_matrix& views) {
  std::vector<group> groups;
  std::vector<std::size_t> open;
  for (std::size_t start = 0; start < views.size(); ++start) {
    if (!rest.contains(start)) continue;
    rest.erase(start);
    open.assign(1, start);
    group& found = groups.emplace_back();
    while (!open.empty()) {
      const auto at = open.back();
      open.pop_back();
      found.push_back(at);
      const auto forth = views.sees(at);
      const auto back = views.seen_by(at);
      for (std::size_t i = 0; i < forth.size(); ++i) {
        auto reached = (forth[i] | back[i]) & rest.words()[i];
        rest.words()[i] &= ~reached;
        for (; reached != 0; reached &= reached - 1) {
          open.push_back(i * word_bits + static_cast<std::size_t>(std::countr_zero(reached)));
        }
      }
    }
    std::ranges::sort(found);
  }
  order(groups);
  return groups;
}

// What refuses each other altogether is not parted: nothing is missing between them.
void join_incompatible(std::vector<group>& groups, const member_table& members) {
  if (groups.size() < 2) return;
  const auto all = [&](const group& g, auto&& holds) {
    return std::ranges::all_of(g, [&](std::size_t rank) { return holds(members[rank]); });
  };
  const auto old = [](const member_record& m) { return m.old_protocol; };
  auto& whole = groups.front();
  const bool old_whole = all(whole, old), insisting_whole = all(whole, insists);
  if (!old_whole && !insisting_whole) return;
  for (std::size_t g = 1; g < groups.size(); ++g) {
    if (!(old_whole ? all(groups[g], insists) : all(groups[g], old))) continue;
    std::ranges::copy(groups[g], std::back_inserter(whole));
    std::ranges::sort(whole);
    groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(g));
    return;
  }
}

}  // namespace

std::vector<std::vector<std::size_t>> find_partitions(const member_table& members, const view_matrix& views) {
  std::vector<rank_set> meshes(members.meshes(), rank_set(members.size()));
  for (const auto& m : members.all()) {
    if (m->in_mesh()) meshes[m->mesh].insert(m->rank);
  }
  std::map<std::string_view, std::vector<group>> by_base;
  for (auto& mesh : meshes) {
    auto others = components(std::move(mesh), views);
    if (others.empty()) continue;
    join_incompatible(others, members);
    auto& groups = by_base[members[others.front().front()].base];
    if (groups.empty()) {
      groups = std::move(others);
      continue;
    }
    auto& whole = groups.front();
    std::ranges::copy(others.front(), std::back_inserter(whole));
    std::ranges::sort(whole);
    std::move(others.begin() + 1, others.end(), std::back_inserter(groups));
  }
  std::vector<group> all;
  for (auto& [base, groups] : by_base) std::ranges::move(groups, std::back_inserter(all));
  order(all);
  return all;
}

const std::vector<std::vector<std::size_t>>& followed_partitions::follow(const member_table& members,
                                                                         const view_matrix& views,
                                                                         const view_matrix& suspected) {
  const auto find = [&] {
    return find_partitions(members, suspected.any() ? views.without(suspected) : views);
  };
  link_basis now{{views, suspected}, {members, [](const member_record& m) { return m.in_mesh(); }}};
  if (found_of_ != now) {
    found_ = find();
    found_of_ = std::move(now);
  }
  assert(found_ == find());
  return found_;
}

}  // namespace rollcall::membership
