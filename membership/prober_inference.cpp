// What was not probed takes the state of what was: between groups whose tested pairs all failed, every pair
// is suspected. See docs/membership.md, "Groups".
#include <algorithm>
#include <map>
#include <numeric>

#include "membership/prober.hpp"

namespace rollcall::membership {

struct prober::inference {
  explicit inference(std::size_t size)
      : rows(size, rank_set(size)), of_root(size, rank_set(size)), parent(size) {
    std::iota(parent.begin(), parent.end(), 0);
  }
  std::size_t root(std::size_t rank) {
    while (parent[rank] != rank) rank = parent[rank] = parent[parent[rank]];
    return rank;
  }

  std::vector<rank_set> rows;  // suspected, by rank
  // Groups of members that probes have joined, by the rank of their root; empty for a rank that is no root of
  // members in the mesh.
  std::vector<rank_set> of_root;
  std::map<std::size_t, std::size_t> sizes;                           // by root
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> failed;  // tested pairs, by their roots
  std::vector<std::size_t> parent;
};

void prober::infer(const step_context& context, batches& more, deadline& wake) {
  const auto size = context.members.size();
  if (std::ranges::none_of(doubts_, [](const auto& e) { return e.second.suspected; })) {
    episode_.reset();
    for (std::size_t rank = 0; suspected_.any() && rank < size; ++rank) suspected_.clear(rank);
    return;
  }
  if (!episode_) episode_ = context.now;
  auto found = joined_by_answers(context);
  count_failures(context, found);
  take_untested(context, found);
  // Where it is not decided yet, more is asked.
  wake.note(next_fill_);
  if (context.now >= next_fill_ && found.sizes.size() > 1) {
    next_fill_ = context.now + context.options.interval / 2;
    ask_more(context, found, more);
  }
  for (std::size_t rank = 0; rank < size; ++rank) suspected_.replace(rank, found.rows[rank]);
}

prober::inference prober::joined_by_answers(const step_context& context) const {
  inference found(context.members.size());
  for (const auto& a : answers_) {
    if (a.sent < *episode_) continue;
    const auto* one = context.members.find(a.a);
    const auto* other = context.members.find(a.b);
    if (one != nullptr && other != nullptr) found.parent[found.root(one->rank)] = found.root(other->rank);
  }
  for (const auto& m : context.members.all()) {
    if (!m->in_mesh()) continue;
    const auto root = found.root(m->rank);
    found.of_root[root].insert(m->rank);
    ++found.sizes[root];
  }
  return found;
}

void prober::count_failures(const step_context& context, inference& found) const {
  for (const auto& [k, d] : doubts_) {
    // A miss that is not confirmed may be the fault of an end that answers nobody.
    if (!d.suspected) continue;
    const auto* from = context.members.find(d.first);
    const auto* to = context.members.find(d.second);
    // Either may have gone silent since it was doubted: then it stands in no group.
    if (from == nullptr || to == nullptr || !from->in_mesh() || !to->in_mesh()) continue;
    found.rows[from->rank].insert(to->rank);
    found.rows[to->rank].insert(from->rank);
    if (d.missed < *episode_) continue;
    const auto one = found.root(from->rank), other = found.root(to->rank);
    if (one != other) ++found.failed[std::minmax(one, other)];
  }
}

void prober::take_untested(const step_context& context, inference& found) {
  const auto take = [&](const rank_set& from, const rank_set& to) {
    each_rank(from.words(), [&](std::size_t rank) {
      for (std::size_t i = 0; i < context.views.row_words(); ++i) {
        found.rows[rank].words()[i] |=
            to.words()[i] & (context.views.sees(rank)[i] | context.views.seen_by(rank)[i]);
      }
    });
  };
  for (const auto& [pair, count] : found.failed) {
    if (count < inferred_from) continue;
    take(found.of_root[pair.first], found.of_root[pair.second]);
    take(found.of_root[pair.second], found.of_root[pair.first]);
  }
}

// Every group against the two largest.
void prober::ask_more(const step_context& context, const inference& found, batches& more) {
  std::vector<std::pair<std::size_t, std::size_t>> ordered;  // size, root
  for (const auto& [root, count] : found.sizes) ordered.emplace_back(count, root);
  std::ranges::sort(ordered, std::greater{});
  for (std::size_t target = 0; target < 2 && target < ordered.size(); ++target) {
    for (std::size_t g = target + 1; g < ordered.size(); ++g) {
      ask_between(context, found, ordered[g].second, ordered[target].second, more);
    }
  }
}

void prober::ask_between(const step_context& context, const inference& found, std::size_t group,
                         std::size_t target, batches& more) {
  const auto& members = context.members;
  const auto tested = found.failed.find(std::minmax(group, target));
  auto known = tested == found.failed.end() ? std::size_t{0} : tested->second;
  if (known >= inferred_from) return;
  std::vector<std::size_t> here, there;
  each_rank(found.of_root[group].words(), [&](std::size_t rank) { here.push_back(rank); });
  each_rank(found.of_root[target].words(), [&](std::size_t rank) { there.push_back(rank); });
  const auto wanted = std::min(inferred_from + 2, here.size() * there.size());
  const auto start = mixed(group ^ static_cast<std::uint64_t>(context.now.time_since_epoch().count()));
  for (std::size_t n = 0; n < 4 * wanted && known < wanted && budget_ > 0; ++n) {
    const auto a = here[n % here.size()];
    const auto b = there[(start + n * 7919) % there.size()];
    if (!context.views.linked(a, b) || doubts_.contains(key_of(members[a].id, members[b].id))) continue;
    auto& list = more[members[a].id];
    if (std::ranges::find(list, members[b].id) != list.end()) continue;
    list.push_back(members[b].id);
    --budget_;
    ++known;
  }
}

}  // namespace rollcall::membership
