#include "cnode/term.hpp"

#include <ei.h>
#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <stdexcept>

#include "cnode/byte_reader.hpp"
#include "cnode/checked_reader.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"
#include "cnode/utf8.hpp"

namespace rollcall::cnode {

bool operator==(const tuple& a, const tuple& b) {
  return a.items == b.items;
}

bool operator==(const list& a, const list& b) {
  if (a.items != b.items || (a.tail == nullptr) != (b.tail == nullptr)) return false;
  return a.tail == nullptr || *a.tail == *b.tail;
}

bool operator==(const map& a, const map& b) {
  return a.items == b.items;
}

// ---- reading ----

namespace {

// Where libei and check_term disagree about a term, libei has the last word.
void require(bool decoded) {
  if (!decoded) throw boost::system::system_error(error::bad_term);
}

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

}  // namespace

checked_reader::checked_reader(byte_view checked, std::size_t budget) : bytes_(checked), budget_(budget) {
  if (checked.size() > INT_MAX) throw boost::system::system_error(error::too_many_terms);
}

std::uint8_t checked_reader::tag() const {
  require(!at_end());
  return static_cast<std::uint8_t>(bytes_[static_cast<std::size_t>(index_)]);
}

bool checked_reader::at_atom() const {
  switch (tag()) {
    case term_tag::atom:
    case term_tag::small_atom:
    case term_tag::atom_utf8:
    case term_tag::small_atom_utf8:
      return true;
    default:
      return false;
  }
}

bool checked_reader::at_pid() const {
  return tag() == term_tag::pid || tag() == term_tag::new_pid;
}

bool checked_reader::at_tuple() const {
  return tag() == term_tag::small_tuple || tag() == term_tag::large_tuple;
}

bool checked_reader::at_reference() const {
  return tag() == term_tag::new_reference || tag() == term_tag::newer_reference;
}

std::size_t checked_reader::tuple_header() {
  int arity = 0;
  require(ei_decode_tuple_header(bytes_.data(), &index_, &arity) == 0);
  return static_cast<std::size_t>(arity);
}

std::int64_t checked_reader::integer() {
  long long value = 0;
  require(fits_64_bits() && ei_decode_longlong(bytes_.data(), &index_, &value) == 0);
  return value;
}

std::uint64_t checked_reader::unsigned_integer() {
  unsigned long long value = 0;
  require(fits_64_bits() && ei_decode_ulonglong(bytes_.data(), &index_, &value) == 0);
  return value;
}

// libei keeps no length of an atom's text, which may have zeros in it: so this is read here.
atom checked_reader::atom() {
  byte_reader reader(bytes_.substr(static_cast<std::size_t>(index_)));
  const auto kind = reader.u8();
  const bool wide = kind == term_tag::atom || kind == term_tag::atom_utf8;
  const bool utf8 = kind == term_tag::atom_utf8 || kind == term_tag::small_atom_utf8;
  require(wide || utf8 || kind == term_tag::small_atom);
  const auto text = reader.take(wide ? reader.u16() : reader.u8());
  require(!reader.failed());
  index_ += static_cast<int>(reader.position());
  return {utf8 ? std::string(text) : utf8_of_latin1(text)};
}

pid checked_reader::pid() {
  erlang_pid decoded;
  require(at_pid() && ei_decode_pid(bytes_.data(), &index_, &decoded) == 0);
  return {decoded.node, decoded.num, decoded.serial, decoded.creation};
}

reference checked_reader::reference() {
  erlang_ref decoded;
  require(at_reference());
  require(ei_decode_ref(bytes_.data(), &index_, &decoded) == 0);
  cnode::reference out;
  require(decoded.len >= 1 && static_cast<std::size_t>(decoded.len) <= out.ids.size());
  out.node = decoded.node;
  out.creation = decoded.creation;
  out.length = static_cast<std::uint8_t>(decoded.len);
  std::copy_n(decoded.n, decoded.len, out.ids.begin());
  return out;
}

byte_view checked_reader::skip() {
  const auto here = bytes_.substr(static_cast<std::size_t>(index_));
  const auto length = check_term(here);
  require(length.has_value());
  index_ += static_cast<int>(*length);
  return here.substr(0, *length);
}

bool checked_reader::fits_64_bits() const {
  const auto here = static_cast<std::size_t>(index_);
  switch (tag()) {
    case term_tag::small_integer:
    case term_tag::integer:
      return true;
    case term_tag::small_big:
      return static_cast<std::uint8_t>(bytes_[here + 1]) <= 8;
    default:
      return false;
  }
}

void checked_reader::spend(std::size_t terms) {
  if (terms > budget_) throw boost::system::system_error(error::too_many_terms);
  budget_ -= terms;
}

// The recursion is bounded by check_term's max_depth. The caller that reserves memory for a term has spent
// it.
term checked_reader::term() {
  spend(1);
  return spent_term();
}

term checked_reader::spent_term() {
  switch (tag()) {
    case term_tag::small_integer:
    case term_tag::integer:
      return integer();
    case term_tag::small_big:
    case term_tag::large_big:
      return big();
    case term_tag::new_float:
    case term_tag::float_text: {
      double value = 0;
      require(ei_decode_double(bytes_.data(), &index_, &value) == 0 && std::isfinite(value));
      return value;
    }
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
    case term_tag::map: {
      int arity = 0;
      require(ei_decode_map_header(bytes_.data(), &index_, &arity) == 0);
      cnode::map out;
      spend(2 * static_cast<std::size_t>(arity));
      out.items.reserve(static_cast<std::size_t>(arity));
      for (int i = 0; i < arity; ++i) {
        auto key = spent_term();
        auto value = spent_term();
        out.items.emplace_back(std::move(key), std::move(value));
      }
      return out;
    }
    default:
      return opaque{std::string(skip())};
  }
}

void checked_reader::elements(std::vector<cnode::term>& out, std::size_t count) {
  spend(count);
  if (out.empty()) out.reserve(count);  // a list's further parts grow it as push_back does, not one by one
  for (std::size_t i = 0; i < count; ++i) out.push_back(spent_term());
}

// A list may be the tail of a list, and that one's tail again: all of them are one list.
term checked_reader::list() {
  cnode::list out;
  while (tag() == term_tag::list) {
    int arity = 0;
    require(ei_decode_list_header(bytes_.data(), &index_, &arity) == 0);
    elements(out.items, static_cast<std::size_t>(arity));
  }
  if (tag() == term_tag::nil) {
    ++index_;
    return out;
  }
  if (tag() == term_tag::string) {
    const auto bytes = skip().substr(3);
    spend(bytes.size());
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
  if (fits_64_bits() && ei_decode_longlong(bytes_.data(), &index_, &value) == 0) return std::int64_t{value};
  index_ = before;
  return opaque{std::string(skip())};
}

result<term> decode_term(byte_view checked, std::size_t budget) {
  try {
    checked_reader reader(checked, budget);
    auto out = reader.term();
    if (!reader.at_end()) return error::trailing_bytes;
    return out;
  } catch (const boost::system::system_error& failure) {
    return failure.code();
  }
}

// ---- writing ----

struct term_writer::buffer {
  ei_x_buff x{};
  buffer() {
    if (ei_x_new(&x) != 0) throw std::bad_alloc();
  }
  ~buffer() { ei_x_free(&x); }
  buffer(const buffer&) = delete;
  buffer& operator=(const buffer&) = delete;

  static void appended(int status) {
    if (status != 0) throw std::bad_alloc();
  }

  // libei makes room for what it appends and a hundred bytes more: an answer of a MiB would be moved ten
  // thousand times. Its memory is malloc's (erl_interface, src/misc/ei_malloc.c).
  ei_x_buff* with_room() {
    if (x.buffsz - x.index < least_room) {
      const auto wanted = std::max(2 * x.buffsz, x.buffsz + least_room);
      auto* grown = static_cast<char*>(std::realloc(x.buff, static_cast<std::size_t>(wanted)));
      if (grown == nullptr) throw std::bad_alloc();
      x.buff = grown;
      x.buffsz = wanted;
    }
    return &x;
  }
  static constexpr int least_room = 512;  // more than a name, a pid or a number takes
};

namespace {

void copy_node(char (&to)[MAXATOMLEN_UTF8], const std::string& from) {
  if (from.size() >= sizeof to) throw std::invalid_argument("a node name of more than 255 characters");
  std::memcpy(to, from.c_str(), from.size() + 1);
}

}  // namespace

term_writer::term_writer() : buffer_(std::make_unique<buffer>()) {}
term_writer::~term_writer() = default;
term_writer::term_writer(term_writer&&) noexcept = default;
term_writer& term_writer::operator=(term_writer&&) noexcept = default;

term_writer& term_writer::version() {
  buffer::appended(ei_x_encode_version(buffer_->with_room()));
  return *this;
}

term_writer& term_writer::atom(std::string_view utf8) {
  const auto characters = utf8_characters(utf8);
  if (!characters || *characters > max_atom_characters)
    throw std::invalid_argument("not the text of an atom");
  // libei takes an empty atom's null data for an error.
  buffer::appended(ei_x_encode_atom_len_as(buffer_->with_room(), utf8.empty() ? "" : utf8.data(),
                                           static_cast<int>(utf8.size()), ERLANG_UTF8, ERLANG_UTF8));
  return *this;
}

term_writer& term_writer::integer(std::int64_t value) {
  buffer::appended(ei_x_encode_longlong(buffer_->with_room(), value));
  return *this;
}

term_writer& term_writer::real(double value) {
  if (!std::isfinite(value)) throw std::invalid_argument("not a finite number");
  buffer::appended(ei_x_encode_double(buffer_->with_room(), value));
  return *this;
}

term_writer& term_writer::binary(std::string_view bytes) {
  buffer::appended(ei_x_encode_binary(buffer_->with_room(), bytes.empty() ? "" : bytes.data(),
                                      static_cast<int>(bytes.size())));
  return *this;
}

term_writer& term_writer::boolean(bool value) {
  return atom(value ? "true" : "false");
}

term_writer& term_writer::tuple_header(std::size_t arity) {
  buffer::appended(ei_x_encode_tuple_header(buffer_->with_room(), static_cast<long>(arity)));
  return *this;
}

term_writer& term_writer::list_header(std::size_t length) {
  if (length != 0) buffer::appended(ei_x_encode_list_header(buffer_->with_room(), static_cast<long>(length)));
  return *this;
}

term_writer& term_writer::nil() {
  buffer::appended(ei_x_encode_empty_list(buffer_->with_room()));
  return *this;
}

term_writer& term_writer::map_header(std::size_t pairs) {
  buffer::appended(ei_x_encode_map_header(buffer_->with_room(), static_cast<long>(pairs)));
  return *this;
}

term_writer& term_writer::write(const cnode::pid& value) {
  erlang_pid encoded;
  copy_node(encoded.node, value.node);
  encoded.num = value.id;
  encoded.serial = value.serial;
  encoded.creation = value.creation;
  buffer::appended(ei_x_encode_pid(buffer_->with_room(), &encoded));
  return *this;
}

term_writer& term_writer::write(const cnode::reference& value) {
  if (value.length < 1 || value.length > value.ids.size()) throw std::invalid_argument("not a reference");
  erlang_ref encoded;
  copy_node(encoded.node, value.node);
  encoded.creation = value.creation;
  encoded.len = value.length;
  std::copy(value.ids.begin(), value.ids.end(), encoded.n);
  buffer::appended(ei_x_encode_ref(buffer_->with_room(), &encoded));
  return *this;
}

term_writer& term_writer::write(const cnode::term& value) {
  std::visit(
      [this](const auto& v) {
        using kind = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<kind, std::int64_t>) {
          integer(v);
        } else if constexpr (std::is_same_v<kind, double>) {
          real(v);
        } else if constexpr (std::is_same_v<kind, cnode::atom>) {
          atom(v.text);
        } else if constexpr (std::is_same_v<kind, cnode::binary>) {
          binary(v.data);
        } else if constexpr (std::is_same_v<kind, cnode::tuple>) {
          tuple_header(v.items.size());
          for (const auto& item : v.items) write(item);
        } else if constexpr (std::is_same_v<kind, cnode::list>) {
          list_header(v.items.size());
          for (const auto& item : v.items) write(item);
          if (v.tail) {
            write(*v.tail);
          } else {
            nil();
          }
        } else if constexpr (std::is_same_v<kind, cnode::map>) {
          map_header(v.items.size());
          for (const auto& [key, item] : v.items) write(key).write(item);
        } else if constexpr (std::is_same_v<kind, cnode::opaque>) {
          raw(v.encoded);
        } else {
          write(v);  // pid, reference
        }
      },
      value.value());
  return *this;
}

// EXPORT_EXT: 113, two atoms, and the arity as SMALL_INTEGER_EXT.
term_writer& term_writer::external_fun(std::string_view module, std::string_view function,
                                       std::uint8_t arity) {
  return raw("q").atom(module).atom(function).integer(arity);
}

term_writer& term_writer::text(std::string_view latin1) {
  list_header(latin1.size());
  for (const auto c : latin1) integer(static_cast<std::uint8_t>(c));
  return nil();
}

term_writer& term_writer::raw(byte_view encoded) {
  buffer::appended(ei_x_append_buf(buffer_->with_room(), encoded.data(), static_cast<int>(encoded.size())));
  return *this;
}

byte_view term_writer::view() const noexcept {
  return {buffer_->x.buff, static_cast<std::size_t>(buffer_->x.index)};
}

// ---- printing ----

namespace {

// Stops early: what is beyond the limit is never formatted.
class printer {
 public:
  explicit printer(std::size_t limit) : limit_(limit) {}

  std::string finish() && {
    if (out_.size() <= limit_) return std::move(out_);
    auto cut = limit_;
    while (cut > 0 && (static_cast<std::uint8_t>(out_[cut]) & 0xc0) == 0x80) --cut;
    out_.resize(cut);
    return std::move(out_) + "...";
  }

  void print(const term& value) {
    if (full()) return;
    std::visit([this](const auto& v) { print(v); }, value.value());
  }

 private:
  bool full() const { return out_.size() > limit_; }

  void print(std::int64_t value) { fmt::format_to(std::back_inserter(out_), "{}", value); }

  void print(double value) {
    auto text = fmt::format("{}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    out_ += text;
  }

  void print(const atom& value) {
    const auto plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '@';
    };
    const auto& text = value.text;
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z' && std::all_of(text.begin(), text.end(), plain)) {
      out_ += text;
    } else {
      quoted(text, '\'');
    }
  }

  void print(const binary& value) {
    out_ += "<<";
    const auto characters = utf8_characters(value.data);
    if (!value.data.empty() && characters && printable(value.data)) {
      quoted(value.data, '"');
      if (*characters != value.data.size()) out_ += "/utf8";
    } else {
      sequence(value.data, [this](char c) { print(std::int64_t{static_cast<std::uint8_t>(c)}); });
    }
    out_ += ">>";
  }

  void print(const pid& value) {
    fmt::format_to(std::back_inserter(out_), "<{}.{}.{}>", value.node, value.id, value.serial);
  }

  void print(const reference& value) {
    fmt::format_to(std::back_inserter(out_), "#Ref<{}", value.node);
    for (std::size_t i = value.length; i-- > 0;)
      fmt::format_to(std::back_inserter(out_), ".{}", value.ids[i]);
    out_ += '>';
  }

  void print(const tuple& value) {
    out_ += '{';
    sequence(value.items, [this](const term& item) { print(item); });
    out_ += '}';
  }

  void print(const list& value) {
    if (const auto text = text_of(value)) return quoted(*text, '"');
    out_ += '[';
    sequence(value.items, [this](const term& item) { print(item); });
    if (value.tail) {
      out_ += '|';
      print(*value.tail);
    }
    out_ += ']';
  }

  void print(const map& value) {
    out_ += "#{";
    sequence(value.items, [this](const auto& pair) {
      print(pair.first);
      out_ += " => ";
      print(pair.second);
    });
    out_ += '}';
  }

  void print(const opaque& value) {
    const auto tag = value.encoded.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(value.encoded[0]);
    const char* kind = "Term";
    switch (tag) {
      case term_tag::port:
      case term_tag::new_port:
      case term_tag::v4_port:
        kind = "Port";
        break;
      case term_tag::new_fun:
      case term_tag::export_fun:
        kind = "Fun";
        break;
      case term_tag::bit_binary:
        kind = "Bits";
        break;
      case term_tag::small_big:
      case term_tag::large_big:
        kind = "Integer";
        break;
      default:
        break;
    }
    fmt::format_to(std::back_inserter(out_), "#{}<{} bytes>", kind, value.encoded.size());
  }

  template <class Range, class Print>
  void sequence(const Range& items, Print print_one) {
    bool first = true;
    for (const auto& item : items) {
      if (full()) return;
      if (!first) out_ += ',';
      first = false;
      print_one(item);
    }
  }

  static bool printable(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
      return (static_cast<std::uint8_t>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f;
    });
  }

  // A list of printable Latin-1 or ASCII characters is shown as the string it most likely is.
  static std::optional<std::string> text_of(const list& value) {
    if (value.items.empty() || value.tail) return std::nullopt;
    std::string text;
    for (const auto& item : value.items) {
      const auto* character = item.as<std::int64_t>();
      if (character == nullptr || *character < 0 || *character > 0x7e) return std::nullopt;
      text.push_back(static_cast<char>(*character));
    }
    if (!printable(text)) return std::nullopt;
    return text;
  }

  void quoted(std::string_view text, char quote) {
    out_ += quote;
    for (const char c : text) {
      if (full()) return;
      if (c == quote || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (c == '\n') {
        out_ += "\\n";
      } else if (c == '\t') {
        out_ += "\\t";
      } else if (c == '\r') {
        out_ += "\\r";
      } else if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f) {
        fmt::format_to(std::back_inserter(out_), "\\x{{{:x}}}", static_cast<std::uint8_t>(c));
      } else {
        out_ += c;
      }
    }
    out_ += quote;
  }

  std::size_t limit_;
  std::string out_;
};

}  // namespace

std::string to_string(const term& value, std::size_t limit) {
  printer out(limit);
  out.print(value);
  return std::move(out).finish();
}

}  // namespace rollcall::cnode
