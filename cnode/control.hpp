// Frames after the handshake and the control messages in them.
//
//   | length:4 | 112 ('p') | 131 control tuple | [131 payload] |     length 0 is a tick
//
// On a link whose both ends announced DIST_HDR_ATOM_CACHE frames look otherwise (distribution_header.hpp);
// message_reader.hpp makes these of them, and append_with_headers those of these.
// https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html ("Protocol between Connected Nodes"); operation
// numbers from erts/emulator/beam/dist.h. Order: frame_length -> read that many bytes -> parse_message.
#pragma once

#include <optional>
#include <variant>

#include "cnode/term.hpp"

namespace rollcall::cnode {

inline constexpr std::size_t max_frame_size = 8U << 20;
// A frame above max_frame_size is not kept; up to this size it is read past, so that the process that waits
// for an answer to it gets one. Above, the link is closed.
inline constexpr std::size_t max_skipped_frame_size = 256U << 20;
// What is kept of such a frame: enough for a control message whose payload is too large.
inline constexpr std::size_t skipped_frame_head = 4096;
inline constexpr char pass_through = 112;

// What a process is addressed by in monitors.
using process_id = std::variant<pid, atom>;

namespace control {
struct link {
  pid from, to;
};  // 1
struct send {
  pid to;
};  // 2, 12, 22 (sender), 23
struct exit {
  pid from, to;
  term reason;
};  // 3, 13, 24 (with a payload), 25
struct unlink {
  pid from, to;
};  // 4: before OTP 23's UNLINK_ID
struct reg_send {
  pid from;
  atom to;
};  // 6, 16
struct group_leader {
  pid from, to;
};  // 7
struct exit2 {
  pid from, to;
  term reason;
};  // 8, 18, 26 (with a payload), 27
struct monitor {
  pid from;
  process_id to;
  reference ref;
};  // 19 MONITOR_P
struct demonitor {
  pid from;
  process_id to;
  reference ref;
};  // 20 DEMONITOR_P
struct monitor_exit {
  process_id from;
  pid to;
  reference ref;
  term reason;
};                      // 21 MONITOR_P_EXIT, 28 (with a payload)
struct spawn_request {  // 29, 30
  reference id;
  pid from, group_leader;
  atom module, function;
  std::int64_t arity = 0;
  term options;
};
struct spawn_reply {  // 31, 32
  static constexpr std::int64_t flag_link = 1, flag_monitor = 2;
  reference id;
  pid to;
  std::int64_t flags = 0;
  std::variant<pid, atom> outcome;  // the new process, or why there is none
};
struct alias_send {
  pid from;
  reference alias;
};  // 33, 34
struct unlink_id {
  std::uint64_t id;
  pid from, to;
};  // 35
struct unlink_id_ack {
  std::uint64_t id;
  pid from, to;
};  // 36
}  // namespace control

using control_message =
    std::variant<control::link, control::send, control::exit, control::unlink, control::reg_send,
                 control::group_leader, control::exit2, control::monitor, control::demonitor,
                 control::monitor_exit, control::spawn_request, control::spawn_reply, control::alias_send,
                 control::unlink_id, control::unlink_id_ack>;

struct message {
  control_message control;
  byte_view payload;  // one checked term without its version byte, or empty; looks into the frame
  // There was one, and it was too large to be kept, or holds more terms, depth or characters than are read:
  // `payload` is an unchecked beginning of it.
  bool payload_skipped = false;
};

// The length of a frame from its first four bytes; frame_too_large above max_skipped_frame_size.
result<std::size_t> frame_length(std::array<std::uint8_t, 4> prefix);

// What becomes of a MONITOR_P_EXIT's reason, and of one that comes as a payload, which may be an answer of a
// thousand names: a tree of terms, or an `opaque` for the one who waits for it to read.
enum class reasons { decoded, kept };

// `frame` is what follows the length, and is not empty. Everything in it is checked before it is decoded.
result<message> parse_message(byte_view frame);
result<message> parse_message(byte_view frame, reasons);

// The same of terms that were checked, without their version bytes. `payload`: empty where there is none.
result<message> parse_checked(byte_view control, byte_view payload, reasons);

// The message of a frame of which only the beginning was kept. Its control message must be whole in there:
// else frame_too_large when it answers a call of ours, and another error when nobody here waits for it.
result<message> parse_head(byte_view head);

// Of {Label, {Caller, Tag}, ...}, how a call to a process begins, whatever follows: who waits for the answer.
struct call_front {
  pid caller;
  term tag;
};
std::optional<call_front> read_call_front(byte_view payload);

// A control message alone, without version byte. `behind`: a MONITOR_P_EXIT's reason is left out, and follows
// as payload; for a peer that announced EXIT_PAYLOAD.
enum class reason_place { in_control, behind };
byte_string encode_control(const control_message&, reason_place);

// A whole frame, length included. `payload` is one encoded term without version byte, or empty.
byte_string encode_message(const control_message&, byte_view payload = {});
// The same for many messages of one control message, which is written once.
class message_front {
 public:
  explicit message_front(const control_message&);
  byte_view with(byte_view payload);  // until the next call

 private:
  byte_string frame_;
  std::size_t size_;
};
inline constexpr std::string_view tick_frame{"\0\0\0\0", 4};
// Appends such frames as a link with distribution headers has them, with no atom in the cache.
void append_with_headers(byte_string& to, byte_view frames);

}  // namespace rollcall::cnode
