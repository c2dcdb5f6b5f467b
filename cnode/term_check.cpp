#include "cnode/term_check.hpp"

#include <array>
#include <cmath>
#include <cstring>

#include "cnode/atom_cache.hpp"
#include "cnode/byte_reader.hpp"
#include "cnode/term_tag.hpp"
#include "cnode/utf8.hpp"

namespace rollcall::cnode {
namespace {

using boost::system::error_code;

// A container whose elements are still to come. `end` is where a fun says it ends, 0 for everything else;
// `size_at` is where that size stands in what is written.
struct open_container {
  std::uint64_t remaining;
  std::size_t end, size_at;
};

// What is written of a term that refers to atoms: all of it, with the atoms in their places.
struct written_out {
  const atom_table& atoms;
  byte_string& to;
  std::size_t most;  // of `to`
};

constexpr std::size_t max_reference_words = 5;  // erlang_ref in ei.h; OTP 24 and later send 3 or 5
constexpr std::size_t float_text_size = 31;

class walker {
 public:
  // Without `out` there are no references to atoms.
  explicit walker(byte_view bytes, written_out* out = nullptr) noexcept
      : bytes_(bytes), reader_(bytes), out_(out) {}
  walker(byte_view bytes, std::vector<atom_place>& places) noexcept
      : bytes_(bytes), reader_(bytes), out_(nullptr), places_(&places) {}

  bool met_a_fun() const noexcept { return met_a_fun_; }

  result<std::size_t> walk() {
    for (;;) {
      const auto begin = reader_.position();
      if (auto code = one_term()) {
        if (begin > copied_) copy_until(begin);  // what was well up to there
        return code;
      }
      // Close what is complete: the last element of a container completes that container too.
      while (depth_ > 0) {
        auto& done = open_[depth_ - 1];
        pass_short_atoms(done);
        if (done.remaining > 0) break;
        if (done.end != 0 && done.end != reader_.position()) return error::bad_term;
        if (done.end != 0) {
          if (auto code = resize(done.size_at)) return code;
        }
        --depth_;
      }
      if (depth_ == 0) {
        if (auto code = copy_until(reader_.position())) return code;
        return reader_.position();
      }
      --open_[depth_ - 1].remaining;
      --outstanding_;
    }
  }

 private:
  error_code one_term() {
    ++seen_;
    const auto tag = reader_.u8();
    if (reader_.failed()) return error::truncated;
    if (term_tag::is_atom(tag)) return atom_text(tag, false);
    switch (tag) {
      case term_tag::small_integer:
        return skip(1);
      case term_tag::integer:
        return skip(4);
      case term_tag::new_float:
        return new_float();
      case term_tag::float_text:
        return float_text();
      case term_tag::nil:
        return {};
      case term_tag::string:
        return skip(reader_.u16());
      case term_tag::binary:
        return skip(reader_.u32());
      case term_tag::bit_binary:
        return bit_binary();
      case term_tag::small_big:
        return skip(reader_.u8() + std::size_t{1});
      case term_tag::large_big:
        return skip(reader_.u32() + std::size_t{1});
      case term_tag::pid:
        return node_and(4 + 4 + 1);
      case term_tag::new_pid:
        return node_and(4 + 4 + 4);
      case term_tag::port:
        return node_and(4 + 1);
      case term_tag::new_port:
        return node_and(4 + 4);
      case term_tag::v4_port:
        return node_and(8 + 4);
      case term_tag::new_reference:
        return reference(1);
      case term_tag::newer_reference:
        return reference(4);
      case term_tag::small_tuple:
        return open(reader_.u8());
      case term_tag::large_tuple:
        return open(reader_.u32());
      case term_tag::list:
        return open(reader_.u32() + std::uint64_t{1});  // and the tail
      case term_tag::map:
        return open(2 * std::uint64_t{reader_.u32()});
      case term_tag::new_fun:
        return new_fun();
      case term_tag::export_fun:
        return export_fun();
      case term_tag::atom_reference:
        return referred_atom(false);
      default:
        return error::unknown_tag;
    }
  }

  // Names of nodes in a row, as the views of large clusters are: what one_term() would find of each of them
  // is found for all of them.
  void pass_short_atoms(open_container& in) {
    if (places_ != nullptr) return;
    const auto left = bytes_.substr(reader_.position());
    std::size_t at = 0, count = 0;
    while (count < in.remaining && left.size() - at > 1 &&
           static_cast<std::uint8_t>(left[at]) == term_tag::small_atom_utf8) {
      const std::size_t length = static_cast<std::uint8_t>(left[at + 1]);
      const auto text = left.substr(at + 2, length);
      if (text.size() != length || !is_ascii(text)) break;
      at += 2 + length;
      ++count;
    }
    reader_.take(at);
    seen_ += count;
    in.remaining -= count;
    outstanding_ -= count;
  }

  error_code skip(std::size_t count) {
    reader_.take(count);
    return state();
  }

  error_code state() const { return reader_.failed() ? error_code(error::truncated) : error_code(); }

  // Each element takes at least one byte: a count that cannot fit is refused before anything is walked.
  error_code open(std::uint64_t elements, std::size_t end = 0, std::size_t size_at = 0) {
    if (reader_.failed() || outstanding_ + elements > reader_.left()) return error::truncated;
    if (seen_ + outstanding_ + elements > max_terms) return error::too_many_terms;
    if (elements == 0 && end == 0) return {};
    if (depth_ == max_depth) return error::too_deep;
    open_[depth_++] = {elements, end, size_at};
    outstanding_ += elements;
    return {};
  }

  // Exponent all ones: infinity or not a number, which Erlang has not.
  error_code new_float() {
    const auto bits = reader_.u64();
    if (reader_.failed()) return error::truncated;
    return (bits >> 52 & 0x7ff) == 0x7ff ? error_code(error::bad_term) : error_code();
  }

  // Printed by "%.20e" and filled up with zeros. libei hands it to sscanf, which stops at a zero only.
  error_code float_text() {
    const auto text = reader_.take(float_text_size);
    if (reader_.failed()) return error::truncated;
    const auto digits = text.substr(0, text.find('\0'));
    if (digits.empty() || digits.size() == text.size()) return error::bad_term;
    if (digits.find_first_not_of("0123456789+-.e") != byte_view::npos) return error::bad_term;
    return {};
  }

  // | length:4 | bits used of the last byte:1 | data |
  error_code bit_binary() {
    const auto length = reader_.u32();
    const auto bits = reader_.u8();
    reader_.take(length);
    if (reader_.failed()) return error::truncated;
    return bits > 8 || (length == 0) != (bits == 0) ? error_code(error::bad_term) : error_code();
  }

  // `is_node`: libei reads a node's name as a C string, so that a zero in it would name another node.
  error_code atom_text(std::uint8_t tag, bool is_node) {
    const bool wide = tag == term_tag::atom || tag == term_tag::atom_utf8;
    const auto text = reader_.take(wide ? reader_.u16() : reader_.u8());
    if (reader_.failed()) return error::truncated;
    if (tag == term_tag::atom_utf8 || tag == term_tag::small_atom_utf8) {
      const auto characters = utf8_characters(text);
      if (!characters) return error::bad_term;
      if (*characters > max_atom_characters) return error::atom_too_long;
    } else if (text.size() > max_atom_characters) {
      return error::atom_too_long;
    }
    if (is_node && text.find('\0') != byte_view::npos) return error::bad_term;
    if (places_ != nullptr && (tag == term_tag::atom_utf8 || tag == term_tag::small_atom_utf8)) {
      const auto size = (wide ? 3 : 2) + text.size();
      places_->push_back({reader_.position() - size, size});
    }
    return {};
  }

  error_code nested_atom(bool is_node) {
    const auto tag = reader_.u8();
    if (reader_.failed()) return error::truncated;
    if (term_tag::is_atom(tag)) return atom_text(tag, is_node);
    return tag == term_tag::atom_reference ? referred_atom(is_node) : error::unknown_tag;
  }

  // ATOM_CACHE_REF: | 82 | which of the header's:1 |
  error_code referred_atom(bool is_node) {
    if (out_ == nullptr) return error::unknown_tag;
    const auto begin = reader_.position() - 1;
    const std::size_t which = reader_.u8();
    if (reader_.failed()) return error::truncated;
    if (which >= out_->atoms.size()) return error::bad_header;
    const auto encoded = out_->atoms.at(which);
    if (is_node) {
      const std::size_t front = static_cast<std::uint8_t>(encoded[0]) == term_tag::atom_utf8 ? 3 : 2;
      if (encoded.find('\0', front) != byte_view::npos) return error::bad_term;
    }
    if (auto code = copy_until(begin)) return code;
    copied_ = reader_.position();
    return write(encoded);
  }

  error_code write(byte_view bytes) {
    if (out_->to.size() + bytes.size() > out_->most) return error::frame_too_large;
    out_->to.append(bytes);
    return {};
  }

  // What was walked and needs no change.
  error_code copy_until(std::size_t position) {
    if (out_ == nullptr) return {};
    const auto same = bytes_.substr(copied_, position - copied_);
    copied_ = position;
    return write(same);
  }

  // A fun has grown with the atoms in it.
  error_code resize(std::size_t size_at) {
    if (out_ == nullptr) return {};
    if (auto code = copy_until(reader_.position())) return code;
    byte_string size;
    put_number(size, out_->to.size() - size_at, 4);
    out_->to.replace(size_at, size.size(), size);
    return {};
  }

  error_code node_and(std::size_t count) {
    if (auto code = nested_atom(true)) return code;
    return skip(count);
  }

  // | words:2 | node | creation | id:4 * words |
  error_code reference(std::size_t creation_size) {
    const auto words = reader_.u16();
    if (reader_.failed()) return error::truncated;
    if (words == 0 || words > max_reference_words) return error::bad_term;
    return node_and(creation_size + std::size_t{4} * words);
  }

  // | size:4 | arity:1 | uniq:16 | index:4 | free:4 | module | old index | old uniq | pid | free variables |
  // The size counts itself and all that follows.
  error_code new_fun() {
    met_a_fun_ = true;
    const auto start = reader_.position();
    const auto size = reader_.u32();
    reader_.take(1 + 16 + 4);
    const auto free_variables = reader_.u32();
    if (reader_.failed() || size > bytes_.size() - start) return error::truncated;
    if (auto code = copy_until(start)) return code;
    const auto size_at = out_ == nullptr ? 0 : out_->to.size();
    return open(4 + std::uint64_t{free_variables}, start + size, size_at);
  }

  // | module | function | arity |
  error_code export_fun() {
    if (auto code = nested_atom(false)) return code;
    if (auto code = nested_atom(false)) return code;
    const auto tag = reader_.u8();
    reader_.u8();
    if (reader_.failed()) return error::truncated;
    return tag == term_tag::small_integer ? error_code() : error_code(error::unknown_tag);
  }

  byte_view bytes_;
  byte_reader reader_;
  written_out* out_;
  std::vector<atom_place>* places_ = nullptr;
  bool met_a_fun_ = false;
  std::size_t copied_ = 0;  // of bytes_, to what is written
  std::array<open_container, max_depth> open_;
  std::size_t depth_ = 0;
  std::uint64_t outstanding_ = 0;  // elements announced and not begun
  std::uint64_t seen_ = 0;
};

}  // namespace

result<std::size_t> check_term(byte_view bytes) {
  return walker(bytes).walk();
}

std::optional<std::vector<atom_place>> atom_places(byte_view checked) {
  std::vector<atom_place> places;
  walker walking(checked, places);
  if (!walking.walk() || walking.met_a_fun()) return {};
  return places;
}

result<std::size_t> write_out_term(byte_view bytes, const atom_table& atoms, byte_string& to,
                                   std::size_t most) {
  written_out out{atoms, to, most};
  return walker(bytes, &out).walk();
}

}  // namespace rollcall::cnode
