// Writes terms, by erl_interface.
#include <ei.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#include "cnode/term.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"
#include "cnode/utf8.hpp"

namespace rollcall::cnode {

struct term_writer::buffer {
  ei_x_buff x{};
  // Not ei_x_new: its hundred bytes would be moved twice before the first message is written.
  buffer() {
    x.buff = static_cast<char*>(std::malloc(first_size));
    if (x.buff == nullptr) throw std::bad_alloc();
    x.buffsz = first_size;
  }
  ~buffer() { ei_x_free(&x); }
  buffer(const buffer&) = delete;
  buffer& operator=(const buffer&) = delete;

  static void appended(int status) {
    if (status != 0) throw std::bad_alloc();
  }

  // libei makes room for what it appends and a hundred bytes more: an answer of a MiB would be moved ten
  // thousand times. Its memory is malloc's (erl_interface, src/misc/ei_malloc.c).
  ei_x_buff* with_room(int room = least_room) {
    if (x.buffsz - x.index < room) {
      const auto wanted = std::max(2 * x.buffsz, x.buffsz + room);
      auto* grown = static_cast<char*>(std::realloc(x.buff, static_cast<std::size_t>(wanted)));
      if (grown == nullptr) throw std::bad_alloc();
      x.buff = grown;
      x.buffsz = wanted;
    }
    return &x;
  }
  static constexpr int least_room = 512;  // more than a name, a pid or a number takes
  // Room for a question as it is. glibc keeps memory of up to 1,032 bytes at hand for the next one.
  static constexpr int first_size = 1024;
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
  // Not by libei, which goes through the text three times: a twelfth of what a quiet minute costs are atoms.
  // | 119 | size:1 | text | or | 118 | size:2 | text |
  constexpr std::size_t most_in_a_byte = 255;
  static_assert(buffer::least_room > 3);
  auto* const x = buffer_->with_room(static_cast<int>(utf8.size()) + buffer::least_room);
  auto* at = x->buff + x->index;
  if (utf8.size() > most_in_a_byte) {
    *at++ = static_cast<char>(term_tag::atom_utf8);
    *at++ = static_cast<char>(utf8.size() >> 8U);
  } else {
    *at++ = static_cast<char>(term_tag::small_atom_utf8);
  }
  *at++ = static_cast<char>(utf8.size() & 0xffU);
  at = std::copy(utf8.begin(), utf8.end(), at);
  x->index = static_cast<int>(at - x->buff);
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

}  // namespace rollcall::cnode
