// The messages of one link whose both ends announced DIST_HDR_ATOM_CACHE, from its frames, without I/O: the
// atom cache of what comes in, the fragments that are not complete, and each message in the form that
// parse_message reads.
#pragma once

#include <map>

#include "cnode/control.hpp"
#include "cnode/distribution_header.hpp"

namespace rollcall::cnode {

// Messages of which not all fragments have come, of one link. A node has one for each process of it that
// sends us more than 64 KiB (ERTS_DIST_FRAGMENT_SIZE) at that moment.
inline constexpr std::size_t max_open_sequences = 64;

class message_reader {
 public:
  // What has to be kept of a frame above max_frame_size: all that its header may put into the cache.
  static constexpr std::size_t kept_head = max_distribution_header + skipped_frame_head;

  // `fragments`: whether both announced them.
  explicit message_reader(bool fragments) : fragments_(fragments) {}

  // The next frame: what follows its length, not empty. `size` is its whole length, of which `kept` is all,
  // or the first kept_head bytes. Absent: a fragment, and not the last. The message looks into the reader,
  // until the next frame. Of one above max_frame_size the payload is skipped, as parse_head has it; what
  // nobody can wait for of those is unknown_control. Errors: those of parse_message and parse_head,
  // bad_header, bad_fragment. After any of them but unknown_control the link has to be closed.
  result<std::optional<message>> take(byte_view kept, std::size_t size, reasons);

  // What the last message took is given back: it is not looked at any more.
  void rest();
  std::size_t open_sequences() const noexcept { return sequences_.size(); }
  std::size_t footprint() const noexcept;

 private:
  struct sequence {
    std::uint64_t next = 0;  // the number that is due; 0: complete
    std::size_t size = 0;    // of what has come
    byte_string kept;        // all of it, or the beginning of what is too large
    atom_table atoms;
  };
  result<std::optional<message>> take_fragment(const frame_part&, std::size_t beyond, atom_table&&, reasons);
  result<message> read(byte_view kept, std::size_t size, const atom_table&, reasons);

  bool fragments_;
  atom_cache cache_;
  std::map<std::uint64_t, sequence> sequences_;
  byte_string plain_;  // the last message, its atoms written out
  atom_table atoms_;   // those it named
};

}  // namespace rollcall::cnode
