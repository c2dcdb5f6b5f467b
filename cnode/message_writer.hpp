// What goes out over a link whose both ends announced DIST_HDR_ATOM_CACHE or FRAGMENTS, in the form of such a
// link (distribution_header.hpp); and the atom cache of that direction, where there is one.
#pragma once

#include "cnode/atom_cache.hpp"
#include "cnode/control.hpp"
#include "cnode/referring_term.hpp"

namespace rollcall::cnode {

// A message whose payload ends with a term that is made once for all links. For a peer that announced
// EXIT_PAYLOAD.
struct referring_message {
  byte_string control;  // encode_control, with what is left out behind it
  byte_string front;    // what stands before the term in the payload
  std::shared_ptr<const referring_term> term;
};

class message_writer {
 public:
  // `cached`: both ends announced the atom cache. Else no header names an atom.
  explicit message_writer(bool cached = true) : cached_(cached) {}
  bool cached() const noexcept { return cached_; }

  // Frames as encode_message makes them. All in the order in which they are sent: what is in the cache
  // depends on it.
  void append(byte_string& to, byte_view frames) { append_with_headers(to, frames); }
  // The same, with references to what they have of atoms: for who asks again and again.
  void append_referring(byte_string& to, byte_view frames);
  // All but the bytes of its term, which have to follow. Only with the atom cache.
  void append_front(byte_string& to, const referring_message&);
  // What a header has of atoms: how many, flags and references, and the texts of those that are not there
  // yet.
  void append_atoms(byte_string& to, const std::vector<referring_term::entry>& atoms);
  std::size_t footprint() const noexcept { return sent_.footprint(); }

 private:
  class table;
  void append_message(byte_string& to, table&, byte_view control, byte_view front, std::size_t behind);
  // False, and nothing is appended, when the frame is nested deeper than we read: what a caller sent stands
  // deeper in our error than it came.
  bool append_frame(byte_string& to, byte_view frame);
  bool cached_;
  atom_cache sent_;
};

}  // namespace rollcall::cnode
