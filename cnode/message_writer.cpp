#include "cnode/message_writer.hpp"

#include <algorithm>

#include "cnode/byte_reader.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::size_t prefix = 4;
constexpr std::uint8_t new_atom = 8, long_atoms = 1;
constexpr char whole_message = 68;
// Above that the names of a message are few for its size.
constexpr std::size_t largest_referring = 4'096;

byte_view text_of(byte_view encoded) {
  return encoded.substr(static_cast<std::uint8_t>(encoded[0]) == term_tag::atom_utf8 ? 3 : 2);
}

}  // namespace

// The atoms that one message refers to: views of what outlives it.
class message_writer::table {
 public:
  table() = default;
  explicit table(const std::vector<referring_term::entry>& atoms) {
    entries_.reserve(atoms.size() + 8);
    for (const auto& [slot, encoded] : atoms) entries_.push_back({slot, encoded});
  }

  // Appends the terms, of which `checked` is the beginning, with references instead of atoms.
  void refer(byte_string& to, byte_view checked) {
    // A front is a term of which the end is missing: anything is one.
    const auto whole = byte_string(checked) + static_cast<char>(term_tag::nil);
    const auto places = atom_places(whole);
    std::size_t copied = 0;
    if (places) {
      for (const auto& [at, size] : *places) {
        const auto number = number_of(checked.substr(at, size));
        if (!number) continue;
        to.append(checked.substr(copied, at - copied));
        to.append({static_cast<char>(term_tag::atom_reference), static_cast<char>(*number)});
        copied = at + size;
      }
    }
    to.append(checked.substr(copied));
  }

  void write(byte_string& to, atom_cache& sent) const {
    to.push_back(static_cast<char>(entries_.size()));
    if (entries_.empty()) return;
    const auto flags_at = to.size();
    to.append(entries_.size() / 2 + 1, '\0');
    const auto set = [&](std::size_t index, std::uint8_t bits) {
      auto& byte = to[flags_at + index / 2];
      byte = static_cast<char>(static_cast<std::uint8_t>(byte) | static_cast<unsigned>(bits)
                                                                     << (index % 2 == 0 ? 0U : 4U));
    };
    const auto is_new = [&](const entry& each) { return sent.find(each.slot) != each.encoded; };
    const bool wide = std::ranges::any_of(
        entries_, [&](const entry& each) { return text_of(each.encoded).size() > 0xff && is_new(each); });
    if (wide) set(entries_.size(), long_atoms);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const auto& each = entries_[i];
      const bool adds = is_new(each);
      set(i, static_cast<std::uint8_t>(each.slot >> 8U | (adds ? new_atom : 0U)));
      to.push_back(static_cast<char>(each.slot & 0xffU));
      if (!adds) continue;
      const auto text = text_of(each.encoded);
      put_number(to, text.size(), wide ? 2 : 1);
      to.append(text);
      sent.put(each.slot, each.encoded);
    }
  }

 private:
  struct entry {
    std::uint16_t slot;
    byte_view encoded;
  };
  // Absent: another has its slot, or there is no room.
  std::optional<std::uint8_t> number_of(byte_view encoded) {
    const auto slot = slot_of(encoded);
    const auto found = std::ranges::find(entries_, slot, &entry::slot);
    const auto number = static_cast<std::uint8_t>(found - entries_.begin());
    if (found != entries_.end()) return found->encoded == encoded ? std::optional(number) : std::nullopt;
    if (entries_.size() == max_referred_atoms) return {};
    entries_.push_back({slot, encoded});
    return number;
  }
  std::vector<entry> entries_;  // no two of one slot
};

void message_writer::append_atoms(byte_string& to, const std::vector<referring_term::entry>& atoms) {
  table(atoms).write(to, sent_);
}

void message_writer::append_message(byte_string& to, table& atoms, byte_view control, byte_view front,
                                    std::size_t behind) {
  byte_string terms;
  atoms.refer(terms, control);
  if (!front.empty()) atoms.refer(terms, front);
  const auto at = to.size();
  to.append(prefix, '\0');
  to.append({term_tag::version, whole_message});
  atoms.write(to, sent_);
  to.append(terms);
  byte_string length;
  put_number(length, to.size() - at - prefix + behind, prefix);
  to.replace(at, prefix, length);
}

void message_writer::append_front(byte_string& to, const referring_message& message) {
  table atoms(message.term->atoms);
  append_message(to, atoms, message.control, message.front, message.term->bytes.size());
}

void message_writer::append_referring(byte_string& to, byte_view frames) {
  if (!cached_) {
    append(to, frames);
    return;
  }
  while (!frames.empty()) {
    byte_reader in(frames);
    const std::size_t length = in.u32();
    const auto whole = frames.substr(0, prefix + length);
    frames.remove_prefix(whole.size());
    if (length == 0 || length > largest_referring || !append_frame(to, whole.substr(prefix)))
      append_with_headers(to, whole);
  }
}

// | 'p' | 131 | control | [131 | payload] |
bool message_writer::append_frame(byte_string& to, byte_view frame) {
  const auto terms = frame.substr(2);
  const auto control_size = check_term(terms);
  if (!control_size) return false;
  const auto control = terms.substr(0, *control_size);
  table atoms;
  append_message(to, atoms, control,
                 terms.size() > control.size() ? terms.substr(control.size() + 1) : byte_view(), 0);
  return true;
}

}  // namespace rollcall::cnode
