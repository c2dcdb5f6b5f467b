// What the text of an atom must be: UTF-8 as Erlang accepts it (RFC 3629: no overlong forms, no surrogates).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace rollcall::cnode {

// So many bytes at the beginning are ASCII, by eights: names of nodes are nothing else.
inline std::size_t ascii_front(std::string_view text) noexcept {
  std::size_t i = 0;
  for (std::uint64_t eight = 0; i + sizeof eight <= text.size(); i += sizeof eight) {
    std::memcpy(&eight, text.data() + i, sizeof eight);
    if ((eight & 0x8080808080808080U) != 0) break;
  }
  return i;
}

// All of it, by eights, the last of which may overlap the one before.
inline bool is_ascii(std::string_view text) noexcept {
  std::uint64_t all = 0, eight = 0;
  if (text.size() < sizeof eight) {
    for (const char c : text) all |= static_cast<std::uint8_t>(c);
    return all < 0x80;
  }
  for (std::size_t i = 0; i + sizeof eight <= text.size(); i += sizeof eight) {
    std::memcpy(&eight, text.data() + i, sizeof eight);
    all |= eight;
  }
  std::memcpy(&eight, text.data() + text.size() - sizeof eight, sizeof eight);
  return ((all | eight) & 0x8080808080808080U) == 0;
}

// How many characters `text` has; nothing when it is not UTF-8.
inline std::optional<std::size_t> utf8_characters(std::string_view text) noexcept {
  std::size_t characters = ascii_front(text);
  for (std::size_t i = characters; i < text.size(); ++characters) {
    const auto first = static_cast<std::uint8_t>(text[i]);
    if (first < 0x80) {
      ++i;
      continue;
    }
    // The range of the second byte is what excludes overlong forms, surrogates and values beyond 0x10FFFF.
    std::size_t length = 0;
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) {
      length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
      length = 3;
      if (first == 0xe0) low = 0xa0;
      if (first == 0xed) high = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
      length = 4;
      if (first == 0xf0) low = 0x90;
      if (first == 0xf4) high = 0x8f;
    } else {
      return std::nullopt;
    }
    if (text.size() - i < length) return std::nullopt;
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if (next < low || next > high) return std::nullopt;
      low = 0x80;
      high = 0xbf;
    }
    i += length;
  }
  return characters;
}

}  // namespace rollcall::cnode
