// Reading a snapshot: who sees whom, and a member by name.
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
  } else if (quarantined_pairs.contains({static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)})) {
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

}  // namespace rollcall::membership
