#include "membership/groups.hpp"

#include <algorithm>

namespace rollcall::membership {

mesh_links::mesh_links(const step_context& context, rank_set mesh)
    : context_(context),
      mesh_(std::move(mesh)),
      bare_(context.members.size()),
      any_suspected_(context.suspected.any()) {
  each_rank(mesh_.words(), [&](std::size_t rank) {
    const auto own = context.views.sees(rank);
    if (std::ranges::all_of(own, [](word w) { return w == 0; })) bare_.insert(rank);
  });
}

bool mesh_links::any_missing() const {
  bool any = false;
  each_rank(mesh_.words(), [&](std::size_t rank) {
    for (std::size_t i = 0; i < words() && !any; ++i) {
      any = missing(rank, i) != 0 || (dark(rank, i) & mesh_.words()[i]) != 0;
    }
  });
  return any;
}

bool mesh_links::has_links(std::size_t rank) const {
  for (std::size_t i = 0; i < words(); ++i) {
    if ((context_.views.sees(rank)[i] | linked(rank, i)) != 0) return true;
  }
  return false;
}

std::size_t mesh_links::links_in(const rank_group& group) const {
  std::size_t links = 0;
  for (const auto rank : group) {
    for (std::size_t i = 0; i < words(); ++i) {
      links += bits_in(linked(rank, i));
    }
  }
  return links / 2;
}

bool mesh_links::touch(const rank_group& some, const rank_group& others) const {
  rank_set there(context_.members.size());
  for (const auto rank : others) there.insert(rank);
  return std::ranges::any_of(some, [&](std::size_t rank) {
    for (std::size_t i = 0; i < words(); ++i) {
      const auto held = context_.views.sees(rank)[i] | context_.views.seen_by(rank)[i];
      if ((held & there.words()[i]) != 0) return true;
    }
    return false;
  });
}

std::vector<rank_group> find_groups(const mesh_links& links) {
  std::vector<rank_group> groups;
  auto rest = links.mesh();
  each_rank(links.mesh().words(), [&](std::size_t first) {
    if (!rest.contains(first)) return;
    rest.erase(first);
    auto& group = groups.emplace_back();
    group.push_back(first);
    for (std::size_t at = 0; at < group.size(); ++at) {
      for (std::size_t i = 0; i < links.words(); ++i) {
        auto reached = links.linked(group[at], i) & rest.words()[i];
        rest.words()[i] &= ~reached;
        for (; reached != 0; reached &= reached - 1) {
          group.push_back(i * word_bits + static_cast<std::size_t>(std::countr_zero(reached)));
        }
      }
    }
  });
  return groups;
}

std::vector<std::pair<std::size_t, std::size_t>> sample_pairs(const rank_group& some,
                                                              const rank_group& others, std::size_t most) {
  const auto& longer = some.size() < others.size() ? others : some;
  const auto& shorter = some.size() < others.size() ? some : others;
  const auto each = std::clamp<std::size_t>(most / longer.size(), 1, shorter.size());
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

}  // namespace rollcall::membership
