#include "app/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace rollcall::app {
namespace {

constexpr char32_t not_utf8 = 0xFFFFFFFF;

// Takes one code point off the front. Overlong forms, surrogates and what is above U+10FFFF are not UTF-8.
char32_t take(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) {
    text.remove_prefix(1);
    return first;
  }
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  char32_t point = first & (0xFFU >> (length + 1));
  bool good = first >= 0xC2 && first <= 0xF4 && text.size() >= length;
  for (std::size_t i = 1; good && i < length; ++i) {
    good = (byte(i) & 0xC0U) == 0x80;
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  if (good && length == 3) good = point >= 0x800 && (point < 0xD800 || point > 0xDFFF);
  if (good && length == 4) good = point >= 0x10000 && point <= 0x10FFFF;
  text.remove_prefix(good ? length : 1);
  return good ? point : not_utf8;
}

bool unsafe(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || (point >= 0x200E && point <= 0x200F) ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

std::string escaped(std::string_view text, bool inside_quotes) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto before = text;
    const auto point = take(text);
    if (point == not_utf8) {
      out += "\xEF\xBF\xBD";
    } else if (point == '\n') {
      out += "\\n";
    } else if (point == '\r') {
      out += "\\r";
    } else if (point == '\t') {
      out += "\\t";
    } else if (unsafe(point)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(point));
    } else if (inside_quotes && (point == '"' || point == '\\')) {
      out += '\\';
      out += static_cast<char>(point);
    } else {
      out += before.substr(0, before.size() - text.size());
    }
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  return escaped(text, false);
}
std::string json_escaped(std::string_view text) {
  return escaped(text, true);
}

std::size_t display_width(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

}  // namespace rollcall::app
