// Tags of the external term format, names and values as in erl_interface's ei.h (ERL_*_EXT).
// https://www.erlang.org/doc/apps/erts/erl_ext_dist.html
#pragma once

#include <cstdint>

namespace rollcall::cnode::term_tag {

inline constexpr char version = static_cast<char>(131);

inline constexpr std::uint8_t new_float = 70;
inline constexpr std::uint8_t bit_binary = 77;
inline constexpr std::uint8_t atom_reference = 82;  // ATOM_CACHE_REF: behind a distribution header only
inline constexpr std::uint8_t new_pid = 88;
inline constexpr std::uint8_t new_port = 89;
inline constexpr std::uint8_t newer_reference = 90;
inline constexpr std::uint8_t small_integer = 97;
inline constexpr std::uint8_t integer = 98;
inline constexpr std::uint8_t float_text = 99;
inline constexpr std::uint8_t atom = 100;
inline constexpr std::uint8_t port = 102;
inline constexpr std::uint8_t pid = 103;
inline constexpr std::uint8_t small_tuple = 104;
inline constexpr std::uint8_t large_tuple = 105;
inline constexpr std::uint8_t nil = 106;
inline constexpr std::uint8_t string = 107;
inline constexpr std::uint8_t list = 108;
inline constexpr std::uint8_t binary = 109;
inline constexpr std::uint8_t small_big = 110;
inline constexpr std::uint8_t large_big = 111;
inline constexpr std::uint8_t new_fun = 112;
inline constexpr std::uint8_t export_fun = 113;
inline constexpr std::uint8_t new_reference = 114;
inline constexpr std::uint8_t small_atom = 115;
inline constexpr std::uint8_t map = 116;
inline constexpr std::uint8_t atom_utf8 = 118;
inline constexpr std::uint8_t small_atom_utf8 = 119;
inline constexpr std::uint8_t v4_port = 120;

// One with its text; not a reference to one.
constexpr bool is_atom(std::uint8_t tag) noexcept {
  return tag == atom || tag == small_atom || tag == atom_utf8 || tag == small_atom_utf8;
}

}  // namespace rollcall::cnode::term_tag
