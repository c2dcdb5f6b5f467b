// What stands before the terms of a frame on a link whose both ends announced DIST_HDR_ATOM_CACHE.
// https://www.erlang.org/doc/apps/erts/erl_ext_dist.html ("Distribution Header", "Fragments").
//
//   | 131 | 68 | atoms | control | [payload] |                           a whole message
//   | 131 | 69 | sequence:8 | number:8 | atoms | control | bytes |       the first of `number` fragments
//   | 131 | 70 | sequence:8 | number:8 | bytes |                         a later one; the last has number 1
//
//   atoms: | N:1 | flags: N / 2 + 1 bytes, or none when N is 0 | N references |
//   flags: four bits for each reference, the low half of a byte first: 8 a new atom, 1 to 4 the segment; and
//          four more: 1 lengths of atoms have two bytes
//   reference: | index in its segment:1 | [length:1 or 2 | text] |       the text of a new atom only
//
// The terms have no version byte; an atom in them is written out, or 82 and which of the N references it is.
#pragma once

#include "cnode/atom_cache.hpp"

namespace rollcall::cnode {

// A header with 255 new atoms of 255 characters of four bytes each.
inline constexpr std::size_t max_distribution_header = 2 + 16 + 1 + 128 + 255 * (1 + 2 + 1020);

struct frame_part {
  enum class kind { whole, first, later };
  frame_part::kind kind = kind::whole;
  std::uint64_t sequence = 0, number = 0;  // of fragments
  byte_view bytes;                         // what follows, a view into the frame
};

// Reads the header of a frame (what follows its length), or of a beginning of it that has the whole header.
// `atoms` becomes the table of what the frame refers to; nothing is put into the cache before all of it was
// found right. Errors: bad_header, bad_fragment for the number 0.
result<frame_part> read_distribution_header(byte_view frame, atom_cache&, atom_table& atoms);

}  // namespace rollcall::cnode
