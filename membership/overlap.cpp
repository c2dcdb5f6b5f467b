#include "membership/overlap.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

namespace rollcall::membership {
namespace {

using mask = std::uint32_t;

// Ordered by what counts first.
struct score {
  std::size_t members = 0, links = 0, chosen_before = 0;
  friend auto operator<=>(const score&, const score&) = default;
  score plus(const joinable_group& g) const {
    return {members + g.members, links + g.links, chosen_before + (g.chosen_before ? 1 : 0)};
  }
};

class exact_choice {
 public:
  exact_choice(std::vector<joinable_group> groups, std::vector<mask> conflicts)
      : groups_(std::move(groups)), conflicts_(std::move(conflicts)) {}

  mask best() {
    const auto all = static_cast<mask>((std::uint64_t{1} << groups_.size()) - 1);
    decide(all, 0, {});
    return best_;
  }

 private:
  void decide(mask open, mask taken, score so_far) {
    if (open == 0) {
      // Earlier ones were tried first: only what is better replaces them.
      if (best_ == 0 || so_far > best_score_) {
        best_ = taken;
        best_score_ = so_far;
      }
      return;
    }
    auto limit = so_far;
    for (auto rest = open; rest != 0; rest &= rest - 1) {
      limit = limit.plus(groups_[static_cast<std::size_t>(std::countr_zero(rest))]);
    }
    if (best_ != 0 && limit <= best_score_) return;
    const auto next = static_cast<std::size_t>(std::countr_zero(open));
    const auto bit = mask{1} << next;
    decide(open & ~bit & ~conflicts_[next], taken | bit, so_far.plus(groups_[next]));
    if ((conflicts_[next] & open) != 0) decide(open & ~bit, taken, so_far);
  }

  std::vector<joinable_group> groups_;
  std::vector<mask> conflicts_;
  mask best_ = 0;
  score best_score_;
};

using rivals = std::vector<std::vector<std::size_t>>;

// Groups that hang together by conflicts, ascending.
std::vector<std::size_t> cluster_of(std::size_t first, const rivals& against, std::vector<bool>& placed) {
  std::vector<std::size_t> cluster{first};
  placed[first] = true;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    for (const auto other : against[cluster[i]]) {
      if (placed[other]) continue;
      placed[other] = true;
      cluster.push_back(other);
    }
  }
  std::ranges::sort(cluster);
  return cluster;
}

void choose_exactly(const std::vector<std::size_t>& cluster, const std::vector<joinable_group>& groups,
                    const rivals& against, std::vector<bool>& kept) {
  std::vector<joinable_group> its;
  std::vector<mask> its_conflicts(cluster.size(), 0);
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    its.push_back(groups[cluster[i]]);
    for (const auto other : against[cluster[i]]) {
      const auto at = std::ranges::lower_bound(cluster, other) - cluster.begin();
      its_conflicts[i] |= mask{1} << static_cast<unsigned>(at);
    }
  }
  const auto best = exact_choice(std::move(its), std::move(its_conflicts)).best();
  for (std::size_t i = 0; i < cluster.size(); ++i) kept[cluster[i]] = ((best >> i) & 1U) != 0;
}

// The one that keeps most members out of a join goes, and among those the one that brings least.
void choose_greedily(const std::vector<std::size_t>& cluster, const std::vector<joinable_group>& groups,
                     const rivals& against, std::vector<bool>& kept) {
  std::vector<std::size_t> kept_out(groups.size(), 0);  // members that each keeps out
  for (const auto g : cluster) {
    for (const auto other : against[g]) kept_out[g] += kept[other] ? groups[other].members : 0;
  }
  while (true) {
    std::size_t worst = groups.size();
    for (const auto g : cluster) {
      const auto members = kept_out[g];
      if (!kept[g] || members == 0) continue;
      const bool worse = worst == groups.size() ||
                         members * groups[worst].members > kept_out[worst] * groups[g].members ||
                         (members * groups[worst].members == kept_out[worst] * groups[g].members &&
                          std::pair(groups[g].links, groups[g].chosen_before) <=
                              std::pair(groups[worst].links, groups[worst].chosen_before));
      if (worse) worst = g;
    }
    if (worst == groups.size()) return;
    kept[worst] = false;
    for (const auto other : against[worst]) kept_out[other] -= groups[worst].members;
  }
}

}  // namespace

std::vector<std::size_t> choose_groups(const std::vector<joinable_group>& groups,
                                       const std::vector<std::pair<std::size_t, std::size_t>>& conflicts) {
  rivals against(groups.size());
  for (const auto& [a, b] : conflicts) {
    if (a == b) continue;
    against[a].push_back(b);
    against[b].push_back(a);
  }
  std::vector<bool> kept(groups.size(), true), placed(groups.size(), false);
  for (std::size_t first = 0; first < groups.size(); ++first) {
    if (placed[first] || against[first].empty()) continue;
    const auto cluster = cluster_of(first, against, placed);
    (cluster.size() <= exact_up_to ? choose_exactly : choose_greedily)(cluster, groups, against, kept);
  }
  std::vector<std::size_t> chosen;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (kept[g]) chosen.push_back(g);
  }
  return chosen;
}

}  // namespace rollcall::membership
