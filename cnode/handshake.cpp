#include "cnode/handshake.hpp"

#include <openssl/crypto.h>
#include <openssl/md5.h>

#include <algorithm>
#include <bit>

#include "cnode/byte_reader.hpp"
#include "cnode/flags.hpp"

namespace rollcall::cnode {
namespace {

// What a frame begins with.
enum tag : char {
  name_tag =
      'N',  // flags:8 creation:4 length:2 name; as a challenge: flags:8 challenge:4 creation:4 length:2 name
  old_name_tag = 'n',    // version:2 flags:4 name
  complement_tag = 'c',  // upper flags:4 creation:4
  status_tag = 's',
  reply_tag = 'r',  // challenge:4 digest:16
  ack_tag = 'a',    // digest:16
};

constexpr std::size_t digest_size = 16;
// Creations 0 to 3 were those of old releases and wildcards (erts, node_tables); a node has a greater one.
constexpr std::uint32_t least_creation = 4;

// A node with this flag need not set those that became mandatory in OTP 25
// (dist_util:expand_mandatory_25_flags/1).
std::uint64_t with_implied(std::uint64_t flags) {
  return (flags & flags::mandatory_25_digest) != 0 ? flags | flags::mandatory : flags;
}

bool has_mandatory(std::uint64_t flags) {
  return (flags & flags::mandatory) == flags::mandatory;
}

byte_string status_frame(std::string_view status) {
  byte_string out(1, status_tag);
  out += status;
  return out;
}

bool same_digest(byte_view received, const std::array<char, digest_size>& expected) {
  return received.size() == expected.size() &&
         CRYPTO_memcmp(received.data(), expected.data(), expected.size()) == 0;
}

void append_digest(byte_string& out, std::string_view cookie, std::uint32_t challenge) {
  const auto digest = challenge_digest(cookie, challenge);
  out.append(digest.data(), digest.size());
}

// What is left of a frame whose fields have a fixed size.
boost::system::error_code end_of(const byte_reader& reader) {
  if (reader.failed()) return error::truncated;
  if (reader.left() != 0) return error::trailing_bytes;
  return {};
}

boost::system::error_code begins_with(byte_view frame, char expected) {
  if (frame.empty()) return error::truncated;
  if (frame.size() > max_handshake_frame) return error::frame_too_large;
  if (frame[0] != expected) return error::unexpected_message;
  return {};
}

}  // namespace

// By the function for MD5 alone, deprecated as it is: what OpenSSL loads for the general one (its
// configuration, its providers, their algorithms) takes 2 MiB of resident memory, a sixth of all that a small
// cluster needs, and lets a FIPS configuration refuse the handshake.
std::array<char, 16> challenge_digest(std::string_view cookie, std::uint32_t challenge) {
  const auto text = std::string(cookie) + std::to_string(challenge);
  std::array<unsigned char, MD5_DIGEST_LENGTH> digest{};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  ::MD5(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
#pragma GCC diagnostic pop
  return std::bit_cast<std::array<char, MD5_DIGEST_LENGTH>>(digest);
}

// ---- the side that dials ----

initiating_handshake::initiating_handshake(identity self, std::optional<node_name> expected,
                                           std::string cookie, challenge ours, bool take_over)
    : self_(std::move(self)),
      expected_(std::move(expected)),
      cookie_(std::move(cookie)),
      challenge_(std::move(ours)),
      take_over_(take_over) {}

byte_string initiating_handshake::opening() const {
  byte_string out(1, name_tag);
  put_number(out, self_.flags, 8);
  put_number(out, self_.creation, 4);
  put_number(out, self_.name.text().size(), 2);
  out += self_.name.text();
  return out;
}

result<handshake_step> initiating_handshake::receive(byte_view frame) {
  const auto before = state_;
  state_ = state::failed;  // until the message proved right
  switch (before) {
    case state::awaiting_status:
      return status_message(frame);
    case state::awaiting_challenge:
      return challenge_message(frame);
    case state::awaiting_ack:
      return ack_message(frame);
    case state::finished:
    case state::gave_way:
    case state::failed:
      break;
  }
  return error::unexpected_message;
}

result<handshake_step> initiating_handshake::status_message(byte_view frame) {
  if (auto code = begins_with(frame, status_tag)) return code;
  const auto status = frame.substr(1);
  handshake_step step;
  if (status == "alive") {
    step.send.push_back(status_frame(take_over_ ? "true" : "false"));
    if (!take_over_) {
      state_ = state::gave_way;
      return step;
    }
  } else if (status == "nok") {
    return error::lost_simultaneous;
  } else if (status == "not_allowed") {
    return error::not_allowed;
  } else if (status != "ok" && status != "ok_simultaneous") {
    return error::unexpected_message;
  }
  state_ = state::awaiting_challenge;
  return step;
}

result<handshake_step> initiating_handshake::challenge_message(byte_view frame) {
  // Who answers with the old message does not know version 6 at all.
  if (!frame.empty() && frame[0] == old_name_tag) return error::incompatible;
  if (auto code = begins_with(frame, name_tag)) return code;
  byte_reader reader(frame.substr(1));
  const auto flags = with_implied(reader.u64());
  const auto their_challenge = reader.u32();
  const auto creation = reader.u32();
  const auto name = reader.take(reader.u16());
  if (reader.failed()) return error::truncated;  // what follows the name is for later versions

  if (const auto parsed = node_name::parse(name)) {
    peer_ = identity{*parsed, flags, creation};
  } else if (!expected_) {
    return error::unexpected_message;
  }
  if (expected_ && (!peer_ || peer_->name != *expected_)) return error::name_mismatch;
  if (!expected_ && peer_->name == self_.name) return error::not_allowed;
  if (!has_mandatory(flags)) return error::incompatible;

  if (challenge_.is_ours(their_challenge)) return error::reflected;

  challenge_.will_be_answered(their_challenge);
  byte_string reply(1, reply_tag);
  put_number(reply, challenge_.value(), 4);
  append_digest(reply, cookie_, their_challenge);
  handshake_step step;
  step.send.push_back(std::move(reply));
  state_ = state::awaiting_ack;
  return step;
}

result<handshake_step> initiating_handshake::ack_message(byte_view frame) {
  if (auto code = begins_with(frame, ack_tag)) return code;
  byte_reader reader(frame.substr(1));
  const auto digest = reader.take(digest_size);
  if (auto code = end_of(reader)) return code;
  if (!same_digest(digest, challenge_digest(cookie_, challenge_.value()))) return error::cookie_refused;
  state_ = state::finished;
  return handshake_step{{}, true};
}

// ---- the side that is dialled ----

accepting_handshake::accepting_handshake(identity self, std::vector<std::string> cookies, challenge ours)
    : self_(std::move(self)), cookies_(std::move(cookies)), challenge_(std::move(ours)) {}

result<handshake_step> accepting_handshake::receive(byte_view frame) {
  const auto before = state_;
  state_ = state::failed;  // until the message proved right
  switch (before) {
    case state::awaiting_name: {
      if (auto named = name_message(frame); !named) return named.error();
      state_ = state::awaiting_decision;
      return handshake_step{};
    }
    case state::awaiting_alive: {
      if (auto code = begins_with(frame, status_tag)) return code;
      const auto answer = frame.substr(1);
      if (answer == "false") return error::alive_refused;
      if (answer != "true") return error::unexpected_message;
      return challenge_message();
    }
    case state::awaiting_complement: {
      if (auto code = begins_with(frame, complement_tag)) return code;
      byte_reader reader(frame.substr(1));
      const auto upper = reader.u32();
      const auto creation = reader.u32();
      if (auto code = end_of(reader)) return code;
      peer_flags_ |= std::uint64_t{upper} << 32;
      peer_creation_ = creation;
      peer_->flags = peer_flags_;
      peer_->creation = peer_creation_;
      state_ = state::awaiting_reply;
      return handshake_step{};
    }
    case state::awaiting_reply:
      return reply_message(frame);
    case state::awaiting_decision:  // the peer has to wait for our status
    case state::finished:
    case state::failed:
      break;
  }
  return error::unexpected_message;
}

result<void> accepting_handshake::name_message(byte_view frame) {
  if (frame.empty()) return error::truncated;
  old_name_message_ = frame[0] == old_name_tag;
  if (auto code = begins_with(frame, old_name_message_ ? old_name_tag : name_tag)) return code;
  byte_reader reader(frame.substr(1));
  byte_view name;
  if (old_name_message_) {
    reader.u16();  // the version: what counts is HANDSHAKE_23 among the flags
    peer_flags_ = reader.u32();
    name = reader.rest();
  } else {
    peer_flags_ = reader.u64();
    peer_creation_ = reader.u32();
    name = reader.take(reader.u16());  // what follows the name is for later versions
  }
  if (reader.failed()) return error::truncated;
  peer_flags_ = with_implied(peer_flags_);

  wants_name_ = (peer_flags_ & flags::name_me) != 0;
  if (wants_name_) {
    // Only its host; any name before the `@` will do to see whether it is one.
    if (!node_name::make("nonode", name)) return error::unexpected_message;
    proposed_host_ = name;
  } else {
    auto parsed = node_name::parse(name);
    if (!parsed) return error::unexpected_message;
    peer_ = identity{*std::move(parsed), peer_flags_, peer_creation_};
  }
  if (!has_mandatory(peer_flags_)) return error::incompatible;
  return {};
}

handshake_step accepting_handshake::answer_name(verdict decision, std::optional<node_name> given) {
  if (state_ != state::awaiting_decision) throw std::logic_error("answer_name is due once, after the name");
  handshake_step step;
  switch (decision) {
    case verdict::nok:
      step.send.push_back(status_frame("nok"));
      break;
    case verdict::not_allowed:
      step.send.push_back(status_frame("not_allowed"));
      break;
    case verdict::alive:
      step.send.push_back(status_frame("alive"));
      break;
    case verdict::ok_simultaneous:
      step.send.push_back(status_frame("ok_simultaneous"));
      break;
    case verdict::ok: {
      if (!wants_name_) {
        step.send.push_back(status_frame("ok"));
        break;
      }
      if (!given) throw std::logic_error("a peer that asked for a name is to be given one");
      // The name comes with a creation. Our challenge is random and goes to this peer only, so it serves as
      // one.
      peer_creation_ = std::max(challenge_.value(), least_creation);
      peer_ = identity{*given, peer_flags_, peer_creation_};
      proposed_host_ = given->text();
      auto status = status_frame("named:");
      put_number(status, given->text().size(), 2);
      status += given->text();
      put_number(status, peer_creation_, 4);
      step.send.push_back(std::move(status));
      break;
    }
  }
  if (decision == verdict::ok || decision == verdict::ok_simultaneous) {
    auto challenge = challenge_message();
    std::move(challenge.send.begin(), challenge.send.end(), std::back_inserter(step.send));
  } else {
    state_ = decision == verdict::alive ? state::awaiting_alive : state::failed;
  }
  return step;
}

handshake_step accepting_handshake::challenge_message() {
  byte_string out(1, name_tag);
  // A node that asked for a name keeps of its flags what we have too, and then looks for this one
  // (dist_util.erl).
  put_number(out, wants_name_ ? self_.flags | flags::name_me : self_.flags, 8);
  put_number(out, challenge_.value(), 4);
  put_number(out, self_.creation, 4);
  put_number(out, self_.name.text().size(), 2);
  out += self_.name.text();
  state_ = old_name_message_ ? state::awaiting_complement : state::awaiting_reply;
  handshake_step step;
  step.send.push_back(std::move(out));
  return step;
}

result<handshake_step> accepting_handshake::reply_message(byte_view frame) {
  if (auto code = begins_with(frame, reply_tag)) return code;
  byte_reader reader(frame.substr(1));
  const auto their_challenge = reader.u32();
  const auto digest = reader.take(digest_size);
  if (auto code = end_of(reader)) return code;
  if (challenge_.is_ours(their_challenge)) return error::reflected;

  for (std::size_t i = 0; i < cookies_.size(); ++i) {
    if (!same_digest(digest, challenge_digest(cookies_[i], challenge_.value()))) continue;
    matched_cookie_ = i;
    byte_string ack(1, ack_tag);
    append_digest(ack, cookies_[i], their_challenge);
    handshake_step step;
    step.send.push_back(std::move(ack));
    step.finished = true;
    state_ = state::finished;
    return step;
  }
  return error::cookie_refused;
}

}  // namespace rollcall::cnode
