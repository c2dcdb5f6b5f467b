// A term in which atoms are references to a table, as a distribution header has it. Made once for all links
// that an answer goes out over: the slot of an atom is the same on each, only whether it is there differs.
#pragma once

#include <memory>

#include "cnode/term.hpp"

namespace rollcall::cnode {

struct referring_term {
  struct entry {
    std::uint16_t slot;
    byte_string encoded;  // the atom, as terms have it
  };
  std::vector<entry> atoms;  // 255 at most, no two of one slot
  byte_string bytes;         // no version byte; ATOM_CACHE_REF for those
};

// Where an encoded atom has its place in the cache of what goes out, on each link.
std::uint16_t slot_of(byte_view encoded);
inline constexpr std::size_t max_referred_atoms = 255;  // of one message

// `checked` was accepted by check_term. The atoms that occur most are referred to; of two that have one slot
// the first. A term with a fun in it is left as it is: its size is in it.
referring_term refer(byte_view checked);

// The forms of answers that are given again and again, by the answer they are of.
class referring_terms {
 public:
  // Null for what is asked for the first time, which may be the only one, and for what is too small.
  std::shared_ptr<const referring_term> of(const std::shared_ptr<const byte_string>& encoded);

 private:
  static constexpr std::size_t smallest = 64, most = 8;  // smaller ones are made new each time
  struct entry {
    std::weak_ptr<const byte_string> of;
    std::shared_ptr<const referring_term> made;
  };
  std::vector<entry> entries_;  // the oldest first
};

}  // namespace rollcall::cnode
