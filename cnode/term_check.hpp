// The bounds-checking walker: everything that came from the network passes here before any ei_decode_*,
// because those functions take no length.
#pragma once

#include "cnode/term.hpp"

namespace rollcall::cnode {

inline constexpr std::size_t max_depth = 256;
inline constexpr std::size_t max_terms = 1U << 20;
inline constexpr std::size_t max_atom_characters = 255;  // MAXATOMLEN, ei.h

// Walks one term at the start of `bytes` (no version byte) without recursion and without allocating more than
// max_depth counters. Gives the length of the term, or truncated, unknown_tag, too_deep, too_many_terms,
// atom_too_long, bad_term. The bytes of a STRING_EXT are not counted as terms here; decode_term counts them.
// Accepts every tag OTP 23..29 sends to a peer with our flags; compressed terms (80) and LOCAL_EXT (121) are
// unknown_tag, since we never announce what allows them, or they never leave a node; and ATOM_CACHE_REF (82),
// which write_out_term is for.
result<std::size_t> check_term(byte_view bytes);

// Where the atoms of a term are that was accepted: those in UTF-8, in the order they come. Absent when there
// is a fun in it, whose size would change with them.
struct atom_place {
  std::size_t at, size;
};
std::optional<std::vector<atom_place>> atom_places(byte_view checked);

class atom_table;
// Walks a term in the same way, and appends it to `to` with each ATOM_CACHE_REF replaced by the atom it
// refers to. Two bytes may become a thousand: frame_too_large when `to` would have more than `most`;
// bad_header for one that the table does not have. After an error `to` has what was good before it.
result<std::size_t> write_out_term(byte_view bytes, const atom_table&, byte_string& to, std::size_t most);

}  // namespace rollcall::cnode
