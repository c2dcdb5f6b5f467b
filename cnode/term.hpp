// Erlang terms: a value tree for what is read, a writer for what is sent.
// External Term Format: https://www.erlang.org/doc/apps/erts/erl_ext_dist.html; encoding and decoding are
// erl_interface's (ei.h). Order of use for anything from the network: check_term (term_check.hpp) first,
// decode after.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cnode/error.hpp"

namespace rollcall::cnode {

// Bytes as libei wants them. A byte_view is valid as long as the frame or string it looks into.
using byte_string = std::string;
using byte_view = std::string_view;

struct atom {
  std::string text;  // UTF-8
  friend bool operator==(const atom&, const atom&) = default;
};

struct binary {
  std::string data;
  friend bool operator==(const binary&, const binary&) = default;
};

struct pid {
  std::string node;
  std::uint32_t id = 0;
  std::uint32_t serial = 0;
  std::uint32_t creation = 0;
  friend bool operator==(const pid&, const pid&) = default;
  friend auto operator<=>(const pid&, const pid&) = default;
};

struct reference {
  std::string node;
  std::uint32_t creation = 0;
  std::array<std::uint32_t, 5> ids{};
  std::uint8_t length = 0;  // how many of ids count: 1..5
  friend bool operator==(const reference&, const reference&) = default;
  friend auto operator<=>(const reference&, const reference&) = default;
};

// Kept as it came, tag included, version byte not: ports, funs, bit strings, integers beyond 64 bits.
struct opaque {
  byte_string encoded;
  friend bool operator==(const opaque&, const opaque&) = default;
};

class term;

struct tuple {
  std::vector<term> items;
  friend bool operator==(const tuple&, const tuple&);
};

// STRING_EXT and LIST_EXT are the same list. `tail` is set for an improper list only.
struct list {
  std::vector<term> items;
  std::shared_ptr<const term> tail;
  friend bool operator==(const list&, const list&);
};

struct map {
  std::vector<std::pair<term, term>> items;  // in the order they came
  friend bool operator==(const map&, const map&);
};

class term {
 public:
  using value_type =
      std::variant<std::int64_t, double, atom, binary, pid, reference, tuple, list, map, opaque>;

  term() : value_(list{}) {}
  template <class T>
  requires(std::is_constructible_v<value_type, T> && !std::is_same_v<std::remove_cvref_t<T>, term>)
      term(T&& value)
      : value_(std::forward<T>(value)) {}  // NOLINT(google-explicit-constructor)

  const value_type& value() const noexcept { return value_; }
  template <class T>
  const T* as() const noexcept {
    return std::get_if<T>(&value_);
  }
  bool is_atom(std::string_view text) const noexcept {
    const auto* a = as<atom>();
    return a != nullptr && a->text == text;
  }
  friend bool operator==(const term&, const term&) = default;

 private:
  value_type value_;
};

// Erlang syntax, for messages and test failures; cut after `limit` bytes.
std::string to_string(const term&, std::size_t limit = 1000);

// Decodes one term that check_term has accepted (no version byte). `max_terms` bounds the memory of the tree:
// `too_many_terms` above it.
inline constexpr std::size_t max_decoded_terms = 1U << 18;
result<term> decode_term(byte_view checked, std::size_t max_terms = max_decoded_terms);

// Appends terms to a buffer it owns (an ei_x_buff). Headers are followed by exactly that many elements;
// a list is closed with nil(). Throws std::bad_alloc, and std::invalid_argument for what Erlang has no term
// for: an atom that is not UTF-8 or longer than 255 characters, a float that is not finite.
class term_writer {
 public:
  term_writer();
  ~term_writer();
  term_writer(term_writer&&) noexcept;
  term_writer& operator=(term_writer&&) noexcept;

  term_writer& version();  // the byte 131 that precedes every term in a frame
  term_writer& atom(std::string_view utf8);
  term_writer& integer(std::int64_t);
  term_writer& real(double);
  term_writer& binary(std::string_view);
  term_writer& boolean(bool);
  term_writer& tuple_header(std::size_t arity);
  term_writer& list_header(std::size_t length);  // nothing is written for 0: nil() alone is the empty list
  term_writer& nil();
  term_writer& map_header(std::size_t pairs);
  term_writer& write(const cnode::pid&);
  term_writer& write(const cnode::reference&);
  term_writer& write(const cnode::term&);
  // fun Module:Function/Arity; the arity is at most 255.
  term_writer& external_fun(std::string_view module, std::string_view function, std::uint8_t arity);
  term_writer& text(std::string_view latin1);  // a charlist
  term_writer& raw(byte_view encoded);         // already encoded terms, without their version byte

  byte_view view() const noexcept;
  byte_string bytes() const { return byte_string(view()); }

 private:
  struct buffer;
  std::unique_ptr<buffer> buffer_;
};

}  // namespace rollcall::cnode
