// Who hangs together: groups of members that are linked among each other, as the plan sees them, and which
// pairs stand for two groups. Pure functions of views.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "membership/context.hpp"

namespace rollcall::membership {

using rank_group = std::vector<std::size_t>;

// The members that are planned for, and the links among them.
class mesh_links {
 public:
  mesh_links(const step_context&, rank_set mesh);

  const rank_set& mesh() const noexcept { return mesh_; }
  std::size_t words() const noexcept { return context_.views.row_words(); }
  // Linked in one view at least, and not suspected: a link in which one end still believes joins nobody. Nor
  // does one with a node that says it has no links at all: what others believe is of its run before.
  word linked(std::size_t rank, std::size_t i) const {
    if (bare_.contains(rank)) return 0;
    return (context_.views.sees(rank)[i] | context_.views.seen_by(rank)[i]) & mesh_.words()[i] &
           ~bare_.words()[i] & ~suspected(rank, i);
  }
  // Not in both views.
  word missing(std::size_t rank, std::size_t i) const {
    auto bits = mesh_.words()[i] & ~(context_.views.sees(rank)[i] & context_.views.seen_by(rank)[i]);
    if (i == rank / word_bits) bits &= ~(word{1} << (rank % word_bits));
    return bits;
  }
  // Still in a view, and dark: among all members, not only those planned for.
  word dark(std::size_t rank, std::size_t i) const {
    return (context_.views.sees(rank)[i] | context_.views.seen_by(rank)[i]) & suspected(rank, i);
  }
  bool any_missing() const;
  bool has_links(std::size_t rank) const;
  std::size_t links_in(const rank_group&) const;
  // Somebody in one of them still holds a link to somebody in the other.
  bool touch(const rank_group&, const rank_group&) const;

 private:
  word suspected(std::size_t rank, std::size_t i) const {
    return any_suspected_ ? context_.suspected.sees(rank)[i] : word{0};
  }
  const step_context& context_;
  rank_set mesh_, bare_;  // bare: their own views are empty
  bool any_suspected_;
};

// The groups, in order of their lowest rank.
std::vector<rank_group> find_groups(const mesh_links&);

// All pairs between two groups, one of `some` first; of more than `most` a sample in which everyone stands.
std::vector<std::pair<std::size_t, std::size_t>> sample_pairs(const rank_group& some,
                                                              const rank_group& others, std::size_t most);

}  // namespace rollcall::membership
