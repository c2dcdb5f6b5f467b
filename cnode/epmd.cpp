#include "cnode/epmd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "cnode/byte_reader.hpp"

namespace rollcall::cnode::epmd {
namespace {

enum tag : std::uint8_t {
  names_request = 110,
  alive_reply_x = 118,  // result:1 creation:4
  port_reply = 119,     // result:1 [port:2 type:1 protocol:1 highest:2 lowest:2 length:2 name length:2 extra]
  alive_request = 120,  // port:2 type:1 protocol:1 highest:2 lowest:2 length:2 name length:2 extra
  alive_reply = 121,    // result:1 creation:2
  port_request = 122,   // name
};

constexpr std::uint8_t protocol_tcp = 0;
constexpr std::size_t max_alive = 255 * 4;  // characters of an atom, in UTF-8 at worst
constexpr std::size_t max_extra = 1024;

byte_string with_length(const byte_string& body) {
  byte_string out;
  out.reserve(2 + body.size());
  put_number(out, body.size(), 2);
  return out + body;
}

void append_registration(byte_string& out, const registration& entry) {
  put_number(out, entry.port, 2);
  out.push_back(entry.node_type);
  out.push_back(protocol_tcp);
  put_number(out, entry.highest, 2);
  put_number(out, entry.lowest, 2);
  put_number(out, entry.alive.size(), 2);
  out += entry.alive;
  put_number(out, entry.extra.size(), 2);
  out += entry.extra;
}

// Both lengths are checked as soon as they are there, so that nobody waits for 64 KiB that make no sense.
result<std::optional<registration>> read_registration(byte_reader& reader) {
  registration entry;
  entry.port = reader.u16();
  entry.node_type = static_cast<char>(reader.u8());
  reader.u8();  // the protocol: TCP is the only one there is
  entry.highest = reader.u16();
  entry.lowest = reader.u16();
  const auto alive_size = reader.u16();
  if (!reader.failed() && (alive_size == 0 || alive_size > max_alive)) return error::bad_reply;
  entry.alive = reader.take(alive_size);
  const auto extra_size = reader.u16();
  if (!reader.failed() && extra_size > max_extra) return error::bad_reply;
  entry.extra = reader.take(extra_size);
  if (reader.failed()) return std::optional<registration>();
  return std::optional<registration>(std::move(entry));
}

// A name is shown in a line of text with spaces between its words.
bool is_alive_name(std::string_view alive) {
  return !alive.empty() && alive.size() <= max_alive && std::all_of(alive.begin(), alive.end(), [](char c) {
    return static_cast<std::uint8_t>(c) > 0x20 && c != 0x7f;
  });
}

}  // namespace

byte_string encode_port_please(std::string_view alive) {
  byte_string body(1, port_request);
  body += alive;
  return with_length(body);
}

byte_string encode_names() {
  return with_length(byte_string(1, names_request));
}

byte_string encode_alive(const registration& entry) {
  byte_string body(1, alive_request);
  append_registration(body, entry);
  return with_length(body);
}

result<std::optional<registration>> decode_port_reply(byte_view bytes) {
  byte_reader reader(bytes);
  const auto kind = reader.u8();
  if (!reader.failed() && kind != port_reply) return error::bad_reply;
  const auto outcome = reader.u8();
  if (reader.failed()) return std::optional<registration>();
  if (outcome != 0) return error::not_registered;
  return read_registration(reader);
}

result<std::optional<std::uint32_t>> decode_alive_reply(byte_view bytes) {
  byte_reader reader(bytes);
  const auto kind = reader.u8();
  if (!reader.failed() && kind != alive_reply && kind != alive_reply_x) return error::bad_reply;
  const auto outcome = reader.u8();
  if (!reader.failed() && outcome != 0) return error::name_taken;
  const std::uint32_t creation = kind == alive_reply_x ? reader.u32() : reader.u16();
  if (reader.failed()) return std::optional<std::uint32_t>();
  return std::optional<std::uint32_t>(creation);
}

result<std::vector<name_entry>> decode_names_reply(byte_view whole) {
  if (whole.size() > max_names_reply) return error::bad_reply;
  if (whole.size() < 4) return error::truncated;
  whole.remove_prefix(4);  // the port mapper's own port
  std::vector<name_entry> entries;
  while (!whole.empty()) {
    const auto end = whole.find('\n');
    if (end == byte_view::npos) return error::truncated;
    auto line = whole.substr(0, end);
    whole.remove_prefix(end + 1);

    constexpr std::string_view before = "name ";
    constexpr std::string_view between = " at port ";
    const auto at = line.rfind(between);
    if (!line.starts_with(before) || at == byte_view::npos || at <= before.size()) return error::bad_reply;
    const auto digits = line.substr(at + between.size());
    name_entry entry{std::string(line.substr(before.size(), at - before.size())), 0};
    const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), entry.port);
    if (code != std::errc() || stop != digits.data() + digits.size()) return error::bad_reply;
    entries.push_back(std::move(entry));
  }
  return entries;
}

result<request> decode_request(byte_view body) {
  if (body.empty()) return error::truncated;
  if (body.size() > max_request) return error::bad_reply;
  byte_reader reader(body);
  switch (reader.u8()) {
    case names_request:
      return request(names{});
    case port_request: {
      const auto alive = reader.rest();
      if (!is_alive_name(alive)) return error::bad_reply;
      return request(port_please{std::string(alive)});
    }
    case alive_request: {
      auto entry = read_registration(reader);
      if (!entry) return entry.error();
      if (!*entry) return error::truncated;
      if (!is_alive_name((*entry)->alive) || (*entry)->port == 0) return error::bad_reply;
      return request(**std::move(entry));
    }
    default:
      return error::bad_reply;  // DUMP, KILL, STOP: for epmd's own command line only
  }
}

byte_string encode_port_reply(const registration* entry) {
  byte_string out(1, port_reply);
  out.push_back(entry == nullptr ? 1 : 0);
  if (entry != nullptr) append_registration(out, *entry);
  return out;
}

// The form for nodes of handshake version 6, which all nodes since OTP 23 are.
byte_string encode_alive_reply(bool ok, std::uint32_t creation) {
  byte_string out(1, alive_reply_x);
  out.push_back(ok ? 0 : 1);
  put_number(out, creation, 4);
  return out;
}

byte_string encode_names_reply(std::uint16_t own_port, const std::vector<name_entry>& entries) {
  byte_string out;
  put_number(out, own_port, 4);
  for (const auto& entry : entries) {
    fmt::format_to(std::back_inserter(out), "name {} at port {}\n", entry.alive, entry.port);
  }
  return out;
}

}  // namespace rollcall::cnode::epmd
