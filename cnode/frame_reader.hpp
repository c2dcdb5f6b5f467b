// The frames in what comes over one link, without I/O.
//
//   add(what was read) -> next() until it gives nothing, or until later -> keep()
//
//   | length:4 | so many bytes |     length 0 is a tick
#pragma once

#include <optional>

#include "cnode/control.hpp"

namespace rollcall::cnode {

class frame_reader {
 public:
  // `kept_head`: how much is kept of a frame above max_frame_size, which is read past.
  explicit frame_reader(std::size_t kept_head) : kept_head_(kept_head) {}

  struct piece {
    byte_view bytes;   // what follows the length: all of it, or its beginning; until the next call
    std::size_t size;  // of the frame
    bool whole() const noexcept { return bytes.size() == size; }
  };

  // After keep() only. What was read has to stay where it is until keep(); nothing: what was kept is looked
  // at again.
  void add(byte_view come);
  // Absent: the next one is not complete yet. frame_too_large: a length above max_skipped_frame_size; there
  // is no next one then.
  result<std::optional<piece>> next();
  // What next() did not give is kept here from now on. A length is only a claim: what is held grows with what
  // really came.
  void keep();

  std::size_t footprint() const noexcept { return rest_.capacity() + head_.capacity(); }

 private:
  static constexpr std::size_t prefix = 4;
  // More room than that, and than what is in it takes twice, is given back.
  static constexpr std::size_t spare = 64U << 10;

  std::optional<piece> skip();

  std::size_t kept_head_;
  byte_view come_;    // what is looked at: all of rest_ when that is not empty
  byte_string rest_;  // a frame that is not whole yet and what follows it, or nothing
  struct skipped {
    std::size_t size, left;
  };
  std::optional<skipped> skipping_;
  byte_string head_;  // of the frame that is, or was last, read past
};

}  // namespace rollcall::cnode
