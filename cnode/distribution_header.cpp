#include "cnode/distribution_header.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "cnode/byte_reader.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"
#include "cnode/utf8.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::uint8_t whole_message = 68, first_fragment = 69, later_fragment = 70;
constexpr unsigned new_atom = 8, segment_bits = 7, segment_size = 256, long_atoms = 1;

// Without a value at first: there is room for 255 of them, and most headers have one or two.
struct atom_reference {
  std::uint16_t slot, size;
  bool is_new;
  const char* begin;
  byte_view text() const { return {begin, size}; }  // of a new one
};

class atom_references {
 public:
  bool read(byte_reader& in) {
    count_ = in.u8();
    if (count_ == 0) return !in.failed();
    const auto flags = in.take(count_ / 2 + 1);
    if (in.failed()) return false;
    const auto flags_of = [&](std::size_t i) {
      return static_cast<std::uint8_t>(flags[i / 2]) >> (i % 2 == 0 ? 0U : 4U) & 0xfU;
    };
    const std::size_t length_size = (flags_of(count_) & long_atoms) != 0 ? 2 : 1;
    for (std::size_t i = 0; i < count_; ++i) {
      auto& each = all_[i];
      each.slot = static_cast<std::uint16_t>((flags_of(i) & segment_bits) * segment_size + in.u8());
      each.is_new = (flags_of(i) & new_atom) != 0;
      if (!each.is_new) continue;
      const auto text = in.take(length_size == 2 ? in.u16() : in.u8());
      each.begin = text.data();
      each.size = static_cast<std::uint16_t>(text.size());
    }
    return !in.failed();
  }

  bool are_right(const atom_cache& cache) const {
    for (std::size_t i = 0; i < count_; ++i) {
      const auto& each = all_[i];
      if (each.is_new) {
        const auto characters = utf8_characters(each.text());
        if (!characters || *characters > max_atom_characters) return false;
      } else if (!cache.find(each.slot) && !is_put_before(i)) {
        return false;
      }
    }
    return true;
  }

  void apply(atom_cache& cache, atom_table& atoms) const {
    byte_string encoded;
    for (const auto& each : std::span(all_).first(count_)) {
      if (each.is_new) {
        const auto text = each.text();
        encoded.clear();
        const bool wide = text.size() > 0xff;
        encoded.push_back(static_cast<char>(wide ? term_tag::atom_utf8 : term_tag::small_atom_utf8));
        put_number(encoded, text.size(), wide ? 2 : 1);
        encoded.append(text);
        cache.put(each.slot, encoded);
      }
      atoms.add(*cache.find(each.slot));
    }
  }

 private:
  bool is_put_before(std::size_t index) const {
    return std::any_of(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(index),
                       [&](const auto& one) { return one.is_new && one.slot == all_[index].slot; });
  }

  std::array<atom_reference, 255> all_;
  std::size_t count_ = 0;
};

}  // namespace

result<frame_part> read_distribution_header(byte_view frame, atom_cache& cache, atom_table& atoms) {
  byte_reader in(frame);
  if (in.take(1) != byte_view(&term_tag::version, 1)) return error::bad_header;
  const auto tag = in.u8();
  frame_part part;
  if (tag == first_fragment || tag == later_fragment) {
    part.kind = tag == first_fragment ? frame_part::kind::first : frame_part::kind::later;
    part.sequence = in.u64();
    part.number = in.u64();
    if (in.failed()) return error::bad_header;
    if (part.number == 0) return error::bad_fragment;
  } else if (tag != whole_message) {
    return error::bad_header;
  }
  if (tag != later_fragment) {
    atom_references named;
    if (!named.read(in) || !named.are_right(cache)) return error::bad_header;
    named.apply(cache, atoms);
  }
  part.bytes = in.rest();
  return part;
}

}  // namespace rollcall::cnode
