#include "app/pair_lists.hpp"

#include <bit>

#include "cnode/term.hpp"

namespace rollcall::app {
namespace {

using membership::pair_state;
using membership::snapshot;
using membership::snapshot_ptr;

// About as many pairs are a piece: whole rows of them. Where not every pair is wanted, planning looks at all
// that may be, and a piece at more of them than it has: at all, where they are few.
constexpr std::size_t piece_size = 1'000;

cnode::byte_string encoded_atom(std::string_view text) {
  return cnode::term_writer().atom(text).bytes();
}

struct every_pair {
  static constexpr bool by_state = false;
  static bool member(const snapshot& of, std::size_t at) {
    return of.members[at].state != membership::member_state::left;
  }
  static bool pair(pair_state) { return true; }
};

struct missing_pairs {
  static constexpr bool by_state = true;
  static bool member(const snapshot& of, std::size_t at) { return of.members[at].links_missing != 0; }
  static bool pair(pair_state state) {
    return state == pair_state::missing || state == pair_state::suspected || state == pair_state::quarantined;
  }
};

// The members behind the row whose pairs with it may be wanted: those that it does not see, and those whose
// link is suspected. Sixty-four at a time, since most of a thousand see each other.
template <class Visit>
void each_candidate(const snapshot& of, std::size_t row, const Visit& visit) {
  if (!of.members[row].fresh_view || (row + 1) * of.row_words > of.view_bits.size()) return;
  const auto* const seen = &of.view_bits[row * of.row_words];
  const auto* const suspected =
      (row + 1) * of.row_words <= of.suspected_bits.size() ? &of.suspected_bits[row * of.row_words] : nullptr;
  for (auto word = (row + 1) / 64; word < of.row_words; ++word) {
    auto left = ~seen[word] | (suspected != nullptr ? suspected[word] : 0);
    if (word == (row + 1) / 64) left &= ~std::uint64_t{0} << ((row + 1) % 64);
    for (; left != 0; left &= left - 1) {
      const auto other = word * 64 + static_cast<std::size_t>(std::countr_zero(left));
      if (other >= of.members.size()) return;
      visit(other);
    }
  }
}

// Each pair of members that `wanted` has, by rows.
template <class Wanted, class Visit>
void each_pair_of(const snapshot& of, std::size_t row, const Wanted& wanted, const Visit& visit) {
  if (!wanted.member(of, row)) return;
  const auto look = [&](std::size_t other) {
    if (!wanted.member(of, other)) return;
    const auto state = of.pair(row, other);
    if (wanted.pair(state)) visit(other, state);
  };
  if constexpr (Wanted::by_state) {
    each_candidate(of, row, look);
  } else {
    for (auto other = row + 1; other < of.members.size(); ++other) look(other);
  }
}

struct plan {
  std::size_t pairs = 0;
  std::vector<std::size_t> ends;  // of each piece: the row behind its last
};

// A piece has a pair in it at least, but for the one of a list without any.
template <class Wanted>
plan planned(const snapshot& of, const Wanted& wanted) {
  plan made;
  std::size_t in_piece = 0;
  // Members that are wanted, from the row on.
  std::size_t behind = 0;
  for (std::size_t at = 0; at < of.members.size(); ++at) behind += wanted.member(of, at) ? 1 : 0;
  for (std::size_t row = 0; row < of.members.size(); ++row) {
    if constexpr (Wanted::by_state) {
      each_pair_of(of, row, wanted, [&](std::size_t, pair_state) { ++in_piece; });
    } else if (wanted.member(of, row)) {
      in_piece += --behind;
    }
    if (in_piece < piece_size) continue;
    made.pairs += std::exchange(in_piece, 0);
    made.ends.push_back(row + 1);
  }
  if (in_piece > 0 || made.ends.empty()) made.ends.push_back(of.members.size());
  made.pairs += in_piece;
  made.ends.back() = of.members.size();
  return made;
}

// What stands in each element: before the first name, between the two, and behind, by the pair's state.
struct element {
  cnode::byte_string before, between;
  std::array<cnode::byte_string, membership::pair_state_count> behind;
};

template <class Wanted>
std::shared_ptr<const cnode::long_value> list_of(
    snapshot_ptr of, const Wanted& wanted, std::vector<cnode::byte_string> words,
    element (*element_of)(std::span<const cnode::byte_string> words)) {
  auto made = std::make_shared<cnode::long_value>();
  const auto names = words.size();
  made->atoms = std::move(words);
  for (const auto& member : of->members) made->atoms.push_back(encoded_atom(member.name.text()));
  const auto plan = planned(*of, wanted);
  made->pieces = plan.ends.size();
  made->append = [=, of = std::move(of)](std::size_t piece, std::span<const cnode::byte_string> atoms,
                                         cnode::byte_string& to) {
    if (piece == 0) to.append(cnode::term_writer().list_header(plan.pairs).view());
    const auto of_name = atoms.subspan(names);
    const auto text = element_of(atoms.first(names));
    for (auto row = piece == 0 ? 0 : plan.ends[piece - 1]; row < plan.ends[piece]; ++row) {
      const auto begin = text.before + of_name[row] + text.between;
      each_pair_of(*of, row, wanted, [&](std::size_t other, pair_state state) {
        to.append(begin).append(of_name[other]).append(text.behind[static_cast<std::size_t>(state)]);
      });
    }
    if (piece + 1 == plan.ends.size()) to.append(cnode::term_writer().nil().view());
  };
  return made;
}

element element_of_links(std::span<const cnode::byte_string> words) {
  element made{cnode::term_writer().map_header(3).bytes() + words[0], words[1], {}};
  for (std::size_t i = 0; i < made.behind.size(); ++i) made.behind[i] = words[2] + words[3 + i];
  return made;
}

element element_of_missing_links(std::span<const cnode::byte_string>) {
  return {cnode::term_writer().tuple_header(2).bytes(), {}, {}};
}

}  // namespace

std::shared_ptr<const cnode::long_value> list_of_links(snapshot_ptr of) {
  std::vector<cnode::byte_string> words{encoded_atom("a"), encoded_atom("b"), encoded_atom("state")};
  for (int i = 0; i < membership::pair_state_count; ++i)
    words.push_back(encoded_atom(to_string(static_cast<pair_state>(i))));
  return list_of(std::move(of), every_pair(), std::move(words), element_of_links);
}

std::shared_ptr<const cnode::long_value> list_of_missing_links(snapshot_ptr of) {
  return list_of(std::move(of), missing_pairs(), {}, element_of_missing_links);
}

}  // namespace rollcall::app
