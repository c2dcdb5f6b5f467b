#include "cnode/checked_reader.hpp"

#include <ei.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <utility>

#include "cnode/byte_reader.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

std::string utf8_of_latin1(byte_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0 | (byte >> 6)));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    }
  }
  return out;
}

// Pids, references and their nodes as every node since OTP 23 writes them. Absent or false: they are written
// in another way, which is libei's.
std::optional<byte_view> short_atom(byte_reader& in) {
  if (in.u8() != term_tag::small_atom_utf8) return {};
  return in.take(in.u8());
}

// | 88 | node | id:4 | serial:4 | creation:4 |
bool read_new_pid(byte_reader& in, pid& out) {
  const auto node = in.u8() == term_tag::new_pid ? short_atom(in) : std::nullopt;
  if (!node) return false;
  out.node = *node;
  out.id = in.u32();
  out.serial = in.u32();
  out.creation = in.u32();
  return !in.failed();
}

// | 90 | words:2 | node | creation:4 | id:4 * words |
struct newer_reference {
  byte_view node;
  std::uint32_t creation = 0;
  std::array<std::uint32_t, 5> ids{};
  std::uint8_t length = 0;

  bool read(byte_reader& in) {
    if (in.u8() != term_tag::newer_reference) return false;
    const auto words = in.u16();
    const auto name = words >= 1 && words <= ids.size() ? short_atom(in) : std::nullopt;
    if (!name) return false;
    node = *name;
    length = static_cast<std::uint8_t>(words);
    creation = in.u32();
    for (std::size_t i = 0; i < words; ++i) ids[i] = in.u32();
    return !in.failed();
  }
};

}  // namespace

checked_reader::checked_reader(byte_view checked, std::size_t budget) : bytes_(checked), budget_(budget) {
  if (checked.size() > INT_MAX) error_ = error::too_many_terms;
}

// Where libei and check_term disagree about a term, libei has the last word.
bool checked_reader::require(bool holds) {
  if (!failed() && !holds) error_ = error::bad_term;
  return !failed();
}

std::uint8_t checked_reader::tag() const noexcept {
  return failed() || at_end() ? 0 : static_cast<std::uint8_t>(bytes_[static_cast<std::size_t>(index_)]);
}

bool checked_reader::at_atom() const noexcept {
  return term_tag::is_atom(tag());
}

bool checked_reader::at_pid() const noexcept {
  return tag() == term_tag::pid || tag() == term_tag::new_pid;
}

bool checked_reader::at_tuple() const noexcept {
  return tag() == term_tag::small_tuple || tag() == term_tag::large_tuple;
}

bool checked_reader::at_list() const noexcept {
  return tag() == term_tag::list;
}

bool checked_reader::at_reference() const noexcept {
  return tag() == term_tag::new_reference || tag() == term_tag::newer_reference;
}

std::optional<std::uint8_t> checked_reader::second_byte() const noexcept {
  const auto at = static_cast<std::size_t>(index_) + 1;
  if (at >= bytes_.size()) return std::nullopt;
  return static_cast<std::uint8_t>(bytes_[at]);
}

bool checked_reader::at_integer() const noexcept {
  switch (tag()) {
    case term_tag::small_integer:
    case term_tag::integer:
      return true;
    case term_tag::small_big:
      return second_byte().value_or(9) <= 8;
    default:
      return false;
  }
}

std::size_t checked_reader::tuple_header() {
  if (tag() == term_tag::small_tuple) {
    const auto arity = second_byte();
    if (!require(arity.has_value())) return 0;
    index_ += 2;
    return *arity;
  }
  int arity = 0;
  if (!require(at_tuple() && ei_decode_tuple_header(bytes_.data(), &index_, &arity) == 0)) return 0;
  return static_cast<std::size_t>(arity);
}

std::size_t checked_reader::list_header() {
  int size = 0;
  if (!require(at_list() && ei_decode_list_header(bytes_.data(), &index_, &size) == 0)) return 0;
  return static_cast<std::size_t>(size);
}

std::int64_t checked_reader::integer() {
  if (tag() == term_tag::small_integer) {
    const auto value = second_byte();
    if (!require(value.has_value())) return 0;
    index_ += 2;
    return *value;
  }
  long long value = 0;
  if (!require(at_integer() && ei_decode_longlong(bytes_.data(), &index_, &value) == 0)) return 0;
  return value;
}

std::uint64_t checked_reader::unsigned_integer() {
  unsigned long long value = 0;
  if (!require(at_integer() && ei_decode_ulonglong(bytes_.data(), &index_, &value) == 0)) return 0;
  return value;
}

// libei keeps no length of an atom's text, which may have zeros in it: so this is read here.
atom checked_reader::atom() {
  if (!require(at_atom())) return {};
  byte_reader reader(here());
  const auto kind = reader.u8();
  const bool wide = kind == term_tag::atom || kind == term_tag::atom_utf8;
  const bool utf8 = kind == term_tag::atom_utf8 || kind == term_tag::small_atom_utf8;
  const auto text = reader.take(wide ? reader.u16() : reader.u8());
  if (!require(!reader.failed())) return {};
  index_ += static_cast<int>(reader.position());
  return {utf8 ? std::string(text) : utf8_of_latin1(text)};
}

bool checked_reader::take_atom(std::string_view text) {
  if (tag() != term_tag::small_atom_utf8) {
    const auto before = index_;
    if (at_atom() && atom().text == text) return true;
    index_ = before;
    return false;
  }
  byte_reader reader(here());
  if (short_atom(reader) != text) return false;
  index_ += static_cast<int>(reader.position());
  return true;
}

bool checked_reader::take_reference(const cnode::reference& wanted) {
  byte_reader reader(here());
  newer_reference found;
  if (failed()) return false;
  if (!found.read(reader)) {
    const auto before = index_;
    if (at_reference() && reference() == wanted) return true;
    index_ = before;
    return false;
  }
  if (found.length != wanted.length || found.ids != wanted.ids || found.creation != wanted.creation ||
      found.node != wanted.node)
    return false;
  index_ += static_cast<int>(reader.position());
  return true;
}

std::optional<byte_view> checked_reader::take_short_atom() {
  if (tag() != term_tag::small_atom_utf8) return {};
  byte_reader reader(here());
  const auto text = short_atom(reader);
  if (reader.failed()) return {};
  index_ += static_cast<int>(reader.position());
  return text;
}

pid checked_reader::pid() {
  byte_reader reader(here());
  if (cnode::pid read; !failed() && read_new_pid(reader, read)) {
    index_ += static_cast<int>(reader.position());
    return read;
  }
  erlang_pid decoded;
  if (!require(at_pid() && ei_decode_pid(bytes_.data(), &index_, &decoded) == 0)) return {};
  return {decoded.node, decoded.num, decoded.serial, decoded.creation};
}

reference checked_reader::reference() {
  cnode::reference out;
  byte_reader reader(here());
  if (newer_reference read; !failed() && read.read(reader)) {
    index_ += static_cast<int>(reader.position());
    out.node = read.node;
    out.creation = read.creation;
    out.ids = read.ids;
    out.length = read.length;
    return out;
  }
  erlang_ref decoded;
  if (!require(at_reference() && ei_decode_ref(bytes_.data(), &index_, &decoded) == 0)) return {};
  if (!require(decoded.len >= 1 && static_cast<std::size_t>(decoded.len) <= out.ids.size())) return {};
  out.node = decoded.node;
  out.creation = decoded.creation;
  out.length = static_cast<std::uint8_t>(decoded.len);
  std::copy_n(decoded.n, decoded.len, out.ids.begin());
  return out;
}

byte_view checked_reader::rest() {
  if (!require(!at_end())) return {};
  const auto begin = static_cast<std::size_t>(std::exchange(index_, static_cast<int>(bytes_.size())));
  return bytes_.substr(begin);
}

byte_view checked_reader::skip() {
  if (failed()) return {};
  const auto from = here();
  if (byte_reader reader(from); short_atom(reader) && !reader.failed()) {
    index_ += static_cast<int>(reader.position());
    return from.substr(0, reader.position());
  }
  const auto length = check_term(from);
  if (!require(length.has_value())) return {};
  index_ += static_cast<int>(*length);
  return from.substr(0, *length);
}

bool checked_reader::spend(std::size_t terms) {
  if (failed()) return false;
  if (terms > budget_) {
    error_ = error::too_many_terms;
    return false;
  }
  budget_ -= terms;
  return true;
}

// The recursion is bounded by check_term's max_depth. The caller that reserves memory for a term has spent
// it.
term checked_reader::term() {
  if (!spend(1)) return {};
  return spent_term();
}

term checked_reader::spent_term() {
  switch (tag()) {
    case term_tag::small_integer:
    case term_tag::integer:
    case term_tag::small_big:
    case term_tag::large_big:
    case term_tag::new_float:
    case term_tag::float_text:
      return number();
    case term_tag::atom:
    case term_tag::small_atom:
    case term_tag::atom_utf8:
    case term_tag::small_atom_utf8:
      return atom();
    case term_tag::pid:
    case term_tag::new_pid:
      return pid();
    case term_tag::new_reference:
    case term_tag::newer_reference:
      return reference();
    case term_tag::binary: {
      const auto whole = skip();
      if (failed()) return {};
      return cnode::binary{std::string(whole.substr(5))};
    }
    case term_tag::small_tuple:
    case term_tag::large_tuple: {
      cnode::tuple out;
      elements(out.items, tuple_header());
      return out;
    }
    case term_tag::nil:
    case term_tag::string:
    case term_tag::list:
      return list();
    case term_tag::map:
      return map();
    default:
      return opaque{std::string(skip())};
  }
}

term checked_reader::number() {
  switch (tag()) {
    case term_tag::small_big:
    case term_tag::large_big:
      return big();
    case term_tag::new_float:
    case term_tag::float_text: {
      double value = 0;
      if (!require(ei_decode_double(bytes_.data(), &index_, &value) == 0 && std::isfinite(value))) return {};
      return value;
    }
    default:
      return integer();
  }
}

term checked_reader::map() {
  int arity = 0;
  cnode::map out;
  if (!require(ei_decode_map_header(bytes_.data(), &index_, &arity) == 0)) return {};
  if (!spend(2 * static_cast<std::size_t>(arity))) return {};
  out.items.reserve(static_cast<std::size_t>(arity));
  for (int i = 0; i < arity && !failed(); ++i) {
    auto key = spent_term();
    auto value = spent_term();
    out.items.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

void checked_reader::elements(std::vector<cnode::term>& out, std::size_t count) {
  if (!spend(count)) return;
  if (out.empty()) out.reserve(count);  // a list's further parts grow it as push_back does, not one by one
  for (std::size_t i = 0; i < count && !failed(); ++i) out.push_back(spent_term());
}

// A list may be the tail of a list, and that one's tail again: all of them are one list.
term checked_reader::list() {
  cnode::list out;
  while (tag() == term_tag::list) {
    int arity = 0;
    if (!require(ei_decode_list_header(bytes_.data(), &index_, &arity) == 0)) return {};
    elements(out.items, static_cast<std::size_t>(arity));
  }
  if (tag() == term_tag::nil) {
    ++index_;
    return out;
  }
  if (tag() == term_tag::string) {
    const auto whole = skip();
    if (failed() || !spend(whole.size() - 3)) return {};
    const auto bytes = whole.substr(3);
    if (out.items.empty()) out.items.reserve(bytes.size());
    for (const char c : bytes) out.items.emplace_back(std::int64_t{static_cast<std::uint8_t>(c)});
    return out;
  }
  auto tail = term();
  if (out.items.empty()) return tail;  // no element before it: the tail is all there is
  out.tail = std::make_shared<const cnode::term>(std::move(tail));
  return out;
}

// Beyond 64 bits a number is kept as it came.
term checked_reader::big() {
  long long value = 0;
  const int before = index_;
  if (at_integer() && ei_decode_longlong(bytes_.data(), &index_, &value) == 0) return std::int64_t{value};
  index_ = before;
  return opaque{std::string(skip())};
}

result<term> decode_term(byte_view checked, std::size_t budget) {
  checked_reader reader(checked, budget);
  auto out = reader.term();
  if (reader.failed()) return reader.error();
  if (!reader.at_end()) return error::trailing_bytes;
  return out;
}

}  // namespace rollcall::cnode
