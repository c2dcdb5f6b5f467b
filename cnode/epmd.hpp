// The port mapper's protocol, bytes only. https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html ("EPMD
// Protocol"). Requests have a 2-byte length in front (included in what encode_* gives); answers have none.
#pragma once

#include <vector>

#include "cnode/error.hpp"
#include "cnode/term.hpp"

namespace rollcall::cnode::epmd {

inline constexpr std::uint16_t default_port = 4369;
inline constexpr std::size_t max_request = 1024;
inline constexpr std::size_t max_names_reply = 1U << 20;

struct registration {
  std::string alive;
  std::uint16_t port = 0;
  char node_type = 72;  // 77 'M' visible, 72 'H' hidden
  std::uint16_t highest = 6, lowest = 6;
  byte_string extra;
};

byte_string encode_port_please(std::string_view alive);  // PORT_PLEASE2_REQ 122
byte_string encode_names();                              // NAMES_REQ 110
byte_string encode_alive(const registration&);           // ALIVE2_REQ 120

// Incremental: nothing while more bytes are needed.
result<std::optional<registration>> decode_port_reply(byte_view);  // PORT2_RESP 119; not_registered
result<std::optional<std::uint32_t>> decode_alive_reply(
    byte_view);  // ALIVE2_RESP 121 / ALIVE2_X_RESP 118: creation; name_taken
struct name_entry {
  std::string alive;
  std::uint16_t port;
  friend bool operator==(const name_entry&, const name_entry&) = default;
};
result<std::vector<name_entry>> decode_names_reply(
    byte_view whole);  // 4-byte port, then "name N at port P\n"

// For our own port mapper.
struct port_please {
  std::string alive;
};
struct names {};
using request = std::variant<port_please, names, registration>;
// `body` is what follows the 2-byte length. Errors: truncated, bad_reply (an unknown or unsupported request).
result<request> decode_request(byte_view body);
byte_string encode_port_reply(const registration*);  // nullptr: not registered
byte_string encode_alive_reply(bool ok, std::uint32_t creation);
byte_string encode_names_reply(std::uint16_t own_port, const std::vector<name_entry>&);

}  // namespace rollcall::cnode::epmd
