// The distribution handshake, version 6, without I/O: frames in, frames out.
// https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html ("Distribution Handshake"); kernel
// dist_util.erl.
//
//   initiating: opening() -> send;  receive(status) ; receive(challenge) -> send reply ; receive(ack) ->
//   finished accepting:  receive(name) -> the caller looks for a link of that name and calls answer_name(...)
//   -> send status
//               and challenge ; [receive(alive answer)] ; receive(reply) -> send ack, finished
//
// Frames here carry no length; the caller puts it before them (2 bytes on TCP).
#pragma once

#include <span>

#include "cnode/challenges.hpp"
#include "cnode/error.hpp"
#include "cnode/term.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::cnode {

inline constexpr std::size_t max_handshake_frame = 2048;

struct identity {
  node_name name;
  std::uint64_t flags = 0;
  std::uint32_t creation = 0;
};

struct handshake_step {
  std::vector<byte_string> send;  // frames to write, in order
  bool finished = false;
};

// Digest of a challenge: MD5(cookie ++ decimal text of the challenge).
std::array<char, 16> challenge_digest(std::string_view cookie, std::uint32_t challenge);

class initiating_handshake {
 public:
  // `expected` absent: any node that answers is welcome (its name is in
  // peer()). A peer that still holds a link under our name drops it for this one, unless `take_over` is
  // false.
  initiating_handshake(identity self, std::optional<node_name> expected, std::string cookie, challenge,
                       bool take_over = true);

  byte_string opening() const;
  // Errors: unexpected_message, not_allowed, lost_simultaneous, incompatible, name_mismatch, reflected,
  // cookie_refused (the ack's digest is wrong), truncated, trailing_bytes, frame_too_large. After an error
  // nothing more is accepted. A peer that closes the connection after our reply did not like the cookie:
  // awaiting_ack() tells the caller that this is where it happened.
  result<handshake_step> receive(byte_view frame);
  bool awaiting_ack() const noexcept { return state_ == state::awaiting_ack; }
  // The peer was told to keep the link it has: nothing more is to be read.
  bool gave_way() const noexcept { return state_ == state::gave_way; }
  // Known from the challenge on, also when the handshake then fails.
  const std::optional<identity>& peer() const noexcept { return peer_; }

 private:
  result<handshake_step> status_message(byte_view frame);
  result<handshake_step> challenge_message(byte_view frame);
  result<handshake_step> ack_message(byte_view frame);

  enum class state { awaiting_status, awaiting_challenge, awaiting_ack, finished, gave_way, failed };
  identity self_;
  std::optional<node_name> expected_;
  std::string cookie_;
  challenge challenge_;
  bool take_over_;
  std::optional<identity> peer_;
  state state_ = state::awaiting_status;
};

class accepting_handshake {
 public:
  enum class verdict {
    ok,
    ok_simultaneous,  // we were dialling it; its name is the greater, our attempt gives way
    nok,              // we are dialling it and our name is the greater
    alive,            // we hold a link under that name: it must say whether it knows better
    not_allowed,
  };
  // Any of `cookies` opens (they may be under rotation); tried in order.
  accepting_handshake(identity self, std::vector<std::string> cookies, challenge);

  // After the name frame the step is empty and peer() is set: call answer_name(). A peer that asked for a
  // name (NAME_ME, `-sname undefined`) has wants_name() and gets one by answer_name(ok, given); peer() is set
  // from then on. Errors: unexpected_message, truncated, trailing_bytes, frame_too_large, incompatible,
  // alive_refused (the peer keeps the old link), reflected, cookie_refused.
  result<handshake_step> receive(byte_view frame);
  handshake_step answer_name(verdict, std::optional<node_name> given = {});
  bool wants_name() const noexcept { return wants_name_; }
  // For a peer that asked for a name: the host it proposed, and later the full given name.
  const std::string& proposed_host() const noexcept { return proposed_host_; }
  const std::optional<identity>& peer() const noexcept { return peer_; }
  // Which of `cookies` opened; set once the reply was right.
  std::optional<std::size_t> matched_cookie() const noexcept { return matched_cookie_; }

 private:
  result<void> name_message(byte_view frame);
  handshake_step challenge_message();
  result<handshake_step> reply_message(byte_view frame);

  enum class state {
    awaiting_name,
    awaiting_decision,
    awaiting_alive,
    awaiting_complement,
    awaiting_reply,
    finished,
    failed
  };
  identity self_;
  std::vector<std::string> cookies_;
  challenge challenge_;
  std::optional<identity> peer_;
  std::uint64_t peer_flags_ = 0;
  std::uint32_t peer_creation_ = 0;
  bool wants_name_ = false;
  bool old_name_message_ = false;  // 'n': OTP 23 with -erl_epmd_port; a complement 'c' follows the status
  std::string proposed_host_;
  std::optional<std::size_t> matched_cookie_;
  state state_ = state::awaiting_name;
};

}  // namespace rollcall::cnode
