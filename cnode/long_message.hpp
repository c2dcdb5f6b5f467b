// A message whose end is a value that is too large to be made, kept or sent at one time: its bytes, piece by
// piece, without I/O. As fragments where both ends announced them, so that other frames may go out between;
// else as one frame, whose size is counted in turns before.
#pragma once

#include "cnode/call.hpp"
#include "cnode/message_writer.hpp"

namespace rollcall::cnode {

struct long_message {
  byte_string control;  // without version byte
  byte_string payload;  // what stands before the value there; empty: the value is the end of `control`
  std::shared_ptr<const long_value> value;
};

class long_writing {
 public:
  // `headers`: of the link, which outlives it; null where frames have none. `sequence` is that of no other
  // message that is under way; absent: there are no fragments on this link.
  long_writing(long_message, message_writer* headers, std::optional<std::uint64_t> sequence);

  // What one turn takes. Appends what is next to go out, or nothing while the size is being counted.
  void turn(byte_string& to);
  bool over() const noexcept { return next_ == message_.value->pieces && !counting_; }
  // What else is sent has to wait until it is over.
  bool inside_frame() const noexcept { return !counting_ && !in_fragments() && next_ > 0 && !over(); }
  std::size_t footprint() const noexcept;

 private:
  bool in_fragments() const noexcept { return sequence_ && !message_.payload.empty(); }
  void begin(byte_string& to);
  void append_fragment(byte_string& to);

  long_message message_;
  message_writer* headers_;
  std::optional<std::uint64_t> sequence_;
  std::vector<referring_term::entry> referred_;
  std::vector<byte_string> atoms_;  // as this message has them
  std::size_t next_ = 0;            // piece
  bool counting_;
  std::size_t size_ = 0;  // of all pieces
};

}  // namespace rollcall::cnode
