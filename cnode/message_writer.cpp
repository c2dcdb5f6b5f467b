#include "cnode/message_writer.hpp"

#include "cnode/byte_reader.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

// | length:4 | 'r' | N:1 | { slot:2 | size:2 | atom } ... | control | payload |
constexpr char referring = 'r';
constexpr std::size_t prefix = 4;
constexpr std::uint8_t new_atom = 8, long_atoms = 1;

byte_view text_of(byte_view encoded) {
  return encoded.substr(static_cast<std::uint8_t>(encoded[0]) == term_tag::atom_utf8 ? 3 : 2);
}

}  // namespace

// Flags and references of a header, while they are collected.
class message_writer::references {
 public:
  explicit references(std::size_t count) : count_(count), flags_(count == 0 ? 0 : count / 2 + 1, '\0') {}

  void add(std::uint16_t slot, byte_view text, bool is_new) {
    set(next_++, static_cast<std::uint8_t>(slot >> 8U | (is_new ? new_atom : 0U)));
    entries_.push_back({static_cast<char>(slot & 0xffU), is_new, text});
    if (is_new && text.size() > 0xff) long_ = true;
  }
  void write(byte_string& to) {
    to.push_back(static_cast<char>(count_));
    if (long_) set(count_, long_atoms);
    to.append(flags_);
    for (const auto& each : entries_) {
      to.push_back(each.index);
      if (!each.is_new) continue;
      put_number(to, each.text.size(), long_ ? 2 : 1);
      to.append(each.text);
    }
  }

 private:
  struct entry {
    char index;
    bool is_new;
    byte_view text;
  };
  void set(std::size_t index, std::uint8_t bits) {
    flags_[index / 2] = static_cast<char>(static_cast<std::uint8_t>(flags_[index / 2]) |
                                          static_cast<unsigned>(bits) << (index % 2 == 0 ? 0U : 4U));
  }
  std::size_t count_, next_ = 0;
  byte_string flags_;
  std::vector<entry> entries_;
  bool long_ = false;
};

byte_string encode_referring(const control_message& control, byte_view payload,
                             const std::vector<referring_term::entry>& atoms) {
  byte_string body{referring, static_cast<char>(atoms.size())};
  for (const auto& [slot, encoded] : atoms) {
    put_number(body, slot, 2);
    put_number(body, encoded.size(), 2);
    body.append(encoded);
  }
  const auto front = encode_control(control, reason_place::behind);
  byte_string frame;
  frame.reserve(prefix + body.size() + front.size() + payload.size());
  put_number(frame, body.size() + front.size() + payload.size(), prefix);
  return frame.append(body).append(front).append(payload);
}

void message_writer::append(byte_string& to, byte_view frames) {
  while (!frames.empty()) {
    byte_reader in(frames);
    const std::size_t length = in.u32();
    const auto whole = frames.substr(0, prefix + length);
    frames.remove_prefix(whole.size());
    if (length > 0 && whole[prefix] == referring) {
      append_referring(to, whole.substr(prefix));
    } else {
      append_with_headers(to, whole);
    }
  }
}

void message_writer::refer_to(std::uint16_t slot, byte_view encoded, references& named) {
  const bool is_new = sent_.find(slot) != encoded;
  if (is_new) sent_.put(slot, encoded);
  named.add(slot, text_of(encoded), is_new);
}

void message_writer::append_atoms(byte_string& to, const std::vector<referring_term::entry>& atoms) {
  references named(atoms.size());
  for (const auto& [slot, encoded] : atoms) refer_to(slot, encoded, named);
  named.write(to);
}

void message_writer::append_referring(byte_string& to, byte_view frame) {
  byte_reader in(frame.substr(1));
  const std::size_t count = in.u8();
  references named(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto slot = in.u16();
    refer_to(slot, in.take(in.u16()), named);
  }
  const auto terms = in.rest();
  const auto at = to.size();
  to.append(prefix, '\0');
  to.append({term_tag::version, 68});
  named.write(to);
  to.append(terms);
  byte_string length;
  put_number(length, to.size() - at - prefix, prefix);
  to.replace(at, prefix, length);
}

}  // namespace rollcall::cnode
