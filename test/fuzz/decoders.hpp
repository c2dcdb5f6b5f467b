// What each fuzz target does with its input, and what must hold whatever the input was. Used by the libFuzzer
// programs and by the ordinary test that replays their corpora.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "cnode/control.hpp"
#include "cnode/epmd.hpp"
#include "cnode/flags.hpp"
#include "cnode/handshake.hpp"
#include "cnode/message_reader.hpp"
#include "cnode/term_check.hpp"

namespace rollcall::cnode::fuzz {

inline void must(bool holds) {
  if (!holds) std::abort();
}

// What was decoded is written, and what was written is read back the same.
inline void term(byte_view input) {
  const auto length = check_term(input);
  if (!length) return;
  must(*length >= 1 && *length <= input.size());
  const auto value = decode_term(input.substr(0, *length));
  if (!value) return;
  must(to_string(*value, 200).size() <= 203);
  term_writer written;
  written.write(*value);
  const auto again = check_term(written.view());
  must(again.has_value() && *again == written.view().size());
  const auto reread = decode_term(written.view());
  must(reread.has_value() && *reread == *value);
}

inline void message(byte_view input) {
  const auto parsed = parse_message(input);
  // The beginning of a frame that is too large to be kept says the same, or nothing.
  const auto head = parse_head(input);
  if (head) {
    must(head->payload_skipped);
    static_cast<void>(read_call_front(head->payload));
  }
  if (!parsed) return;
  must(head.has_value() != parsed->payload.empty());
  if (head) must(encode_message(head->control) == encode_message(parsed->control));
  if (parsed->payload_skipped) {
    must(!check_term(parsed->payload).has_value());
    return;
  }
  if (!parsed->payload.empty()) must(check_term(parsed->payload).has_value());
  const auto frame = encode_message(parsed->control, parsed->payload);
  const auto reparsed = parse_message(byte_view(frame).substr(4));
  must(reparsed.has_value() && reparsed->payload == parsed->payload);
  must(encode_message(reparsed->control, reparsed->payload) == frame);
}

// | { length:2 | frame } ... |: the frames of one link with distribution headers, one after the other.
inline void headers(byte_view input) {
  message_reader reader(true);
  while (input.size() >= 2) {
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(input[0]) << 8U |
                                                 static_cast<std::uint8_t>(input[1]));
    // Of its exact size, so that a sanitizer sees the first byte read past the end.
    const std::vector<char> frame(
        input.begin() + 2,
        input.begin() + 2 + static_cast<std::ptrdiff_t>(std::min(length, input.size() - 2)));
    input.remove_prefix(2 + frame.size());
    if (frame.empty()) continue;  // a tick
    const auto said = reader.take({frame.data(), frame.size()}, frame.size(), reasons::kept);
    must(reader.open_sequences() <= max_open_sequences);
    if (!said) {
      if (said.error() == error::unknown_control) continue;
      return;
    }
    if (!*said || (*said)->payload_skipped) continue;
    // What comes out is what a link without headers could have brought.
    const auto& found = **said;
    if (!found.payload.empty()) must(check_term(found.payload).has_value());
    const auto plain = encode_message(found.control, found.payload);
    byte_string again;
    append_with_headers(again, plain);
    message_reader other(false);
    const auto reread = other.take(byte_view(again).substr(4), again.size() - 4, reasons::kept);
    must(reread.has_value() && reread->has_value() && (*reread)->payload == found.payload);
    must(encode_message((*reread)->control, (*reread)->payload) == plain);
    reader.rest();
  }
  must(reader.footprint() < (64U << 20U));
}

inline const std::string handshake_cookie = "secret";
inline constexpr std::uint32_t handshake_challenge = 0x01020304;

inline identity handshake_self() {
  return {*node_name::parse("rollcall@127.0.0.1"), flags::ours, 0x11223344};
}

// | role and verdict:1 | { length:1 | frame } ... |
inline void handshake(byte_view input) {
  if (input.empty()) return;
  const auto choice = static_cast<std::uint8_t>(input[0]);
  input.remove_prefix(1);
  const auto next_frame = [&input] {
    const std::size_t length = static_cast<std::uint8_t>(input[0]);
    const auto frame = input.substr(1, length);
    input.remove_prefix(1 + frame.size());
    return frame;
  };
  if (choice % 2 == 0) {
    std::optional<node_name> expected;
    if (choice % 4 == 0) expected = *node_name::parse("g@127.0.0.1");
    initiating_handshake dialling(handshake_self(), expected, handshake_cookie,
                                  challenge(handshake_challenge));
    while (!input.empty()) {
      const auto step = dialling.receive(next_frame());
      if (!step) {
        must(!dialling.awaiting_ack());
        return;
      }
      if (step->finished) {
        must(dialling.peer().has_value() && (!expected || dialling.peer()->name == *expected));
        must((dialling.peer()->flags & flags::mandatory) == flags::mandatory);
      }
    }
    return;
  }
  accepting_handshake accepting(handshake_self(), {"other", handshake_cookie},
                                challenge(handshake_challenge));
  bool decided = false;
  while (!input.empty()) {
    const auto step = accepting.receive(next_frame());
    if (!step) return;
    if (!decided) {
      decided = true;
      auto verdict = static_cast<accepting_handshake::verdict>((choice >> 1) % 5);
      if (accepting.wants_name()) verdict = accepting_handshake::verdict::ok;
      accepting.answer_name(verdict, node_name::parse("given@127.0.0.1").value());
    }
    if (step->finished) must(accepting.peer().has_value() && accepting.matched_cookie() == 1U);
  }
}

// | which decoder:1 | bytes |
inline void port_mapper(byte_view input) {
  if (input.empty()) return;
  const auto choice = static_cast<std::uint8_t>(input[0]) % 4;
  input.remove_prefix(1);
  if (choice == 0) {
    if (const auto reply = epmd::decode_port_reply(input); reply && *reply) {
      const auto again = epmd::decode_port_reply(epmd::encode_port_reply(&**reply));
      must(again && *again && (*again)->alive == (*reply)->alive && (*again)->port == (*reply)->port);
    }
  } else if (choice == 1) {
    (void)epmd::decode_alive_reply(input);
  } else if (choice == 2) {
    if (const auto entries = epmd::decode_names_reply(input)) {
      const auto again = epmd::decode_names_reply(epmd::encode_names_reply(4369, *entries));
      must(again && *again == *entries);
    }
  } else if (const auto request = epmd::decode_request(input)) {
    if (const auto* entry = std::get_if<epmd::registration>(&*request)) {
      const auto whole = epmd::encode_alive(*entry);
      must(epmd::decode_request(byte_view(whole).substr(2)).has_value());
    }
  }
}

}  // namespace rollcall::cnode::fuzz
