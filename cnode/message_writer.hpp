// What goes out over a link whose both ends announced DIST_HDR_ATOM_CACHE: frames as encode_message makes
// them, and messages whose payload refers to atoms, in the form of such a link (distribution_header.hpp); and
// the atom cache of that direction.
#pragma once

#include "cnode/atom_cache.hpp"
#include "cnode/control.hpp"
#include "cnode/referring_term.hpp"

namespace rollcall::cnode {

// A message for message_writer alone: never on the wire as it is. `payload` is an encoded term without
// version byte, whose references are to `atoms`.
byte_string encode_referring(const control_message&, byte_view payload,
                             const std::vector<referring_term::entry>& atoms);

class message_writer {
 public:
  // In the order in which they are sent: what is in the cache depends on it.
  void append(byte_string& to, byte_view frames);
  // What a header has of atoms: how many, flags and references, and the texts of those that are not there
  // yet.
  void append_atoms(byte_string& to, const std::vector<referring_term::entry>& atoms);
  std::size_t footprint() const noexcept { return sent_.footprint(); }

 private:
  class references;
  void append_referring(byte_string& to, byte_view frame);
  void refer_to(std::uint16_t slot, byte_view encoded, references&);
  atom_cache sent_;
};

}  // namespace rollcall::cnode
