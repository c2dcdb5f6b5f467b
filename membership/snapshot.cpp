// Reading a snapshot: who sees which node, and a member by name.
#include "membership/snapshot.hpp"

#include <algorithm>

namespace rollcall::membership {
namespace {

bool bit(const std::vector<std::uint64_t>& bits, std::size_t row_words, std::size_t from, std::size_t to) {
  return ((bits[from * row_words + to / 64] >> (to % 64)) & 1U) != 0;
}

}  // namespace

std::optional<bool> snapshot::sees(std::size_t from, std::size_t to) const {
  if (from == to || from >= members.size() || to >= members.size()) return std::nullopt;
  if (!members[from].fresh_view || (from + 1) * row_words > view_bits.size() || to / 64 >= row_words) {
    return std::nullopt;
  }
  return bit(view_bits, row_words, from, to);
}

pair_state snapshot::pair(std::size_t a, std::size_t b) const {
  if (a > b) std::swap(a, b);
  const auto forth = sees(a, b);
  const auto back = sees(b, a);
  if (!forth || !back) return pair_state::unknown;
  if (*forth || *back) {
    if ((a + 1) * row_words <= suspected_bits.size() && bit(suspected_bits, row_words, a, b))
      return pair_state::suspected;
  } else if (std::ranges::binary_search(quarantined_pairs, std::pair(static_cast<std::uint32_t>(a),
                                                                     static_cast<std::uint32_t>(b)))) {
    return pair_state::quarantined;
  }
  if (*forth && *back) return pair_state::connected;
  if (*forth || *back) return pair_state::one_way;
  return could_link(members[a], members[b]) ? pair_state::missing : pair_state::unknown;
}

const member* snapshot::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(
      members, name, {}, [](const member& m) { return std::string_view(m.name.text()); });
  return found != members.end() && found->name.text() == name ? &*found : nullptr;
}

const std::string& snapshot::base_of_partition(std::size_t index) const {
  static const std::string none;
  const auto* first = partitions[index].empty() ? nullptr : find(partitions[index].front().text());
  return first != nullptr ? first->base : none;
}

std::size_t snapshot::most_partitions() const {
  std::map<std::string_view, std::size_t> by_base;
  std::size_t most = 0;
  for (std::size_t index = 0; index < partitions.size(); ++index)
    most = std::max(most, ++by_base[base_of_partition(index)]);
  return most;
}

std::vector<mesh_summary> snapshot::meshes() const {
  std::map<std::string_view, mesh_summary> by_base;
  for (const auto& m : members) {
    if (m.state == member_state::left) continue;
    auto& mesh = by_base[m.base];
    mesh.listed += m.listed ? 1 : 0;
    mesh.up += m.state == member_state::up ? 1 : 0;
    mesh.links_missing += m.links_missing;
  }
  const bool apart = std::ranges::any_of(by_base, [](const auto& each) { return !each.first.empty(); });
  if (!apart) return {};
  for (std::size_t index = 0; index < partitions.size(); ++index)
    ++by_base[base_of_partition(index)].partitions;
  std::vector<mesh_summary> found;
  for (auto& [base, mesh] : by_base) {
    mesh.base = base;
    mesh.links_missing /= 2;
    found.push_back(std::move(mesh));
  }
  return found;
}

}  // namespace rollcall::membership
