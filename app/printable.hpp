// Text that came from anywhere (a peer, a file, the environment) made safe for one line of a terminal or a
// log.
#pragma once

#include <string>
#include <string_view>

namespace rollcall::app {

// Control characters, line separators and the marks that turn the direction of writing become \n, \t, \u001b,
// ...; bytes that are not UTF-8 become U+FFFD. Everything else, quotes and backslashes too, stays.
std::string printable(std::string_view);

// The same, and a quote or backslash gets a backslash: the inside of a JSON string.
std::string json_escaped(std::string_view);

// Columns a terminal needs, taken as one a code point.
std::size_t display_width(std::string_view utf8) noexcept;

}  // namespace rollcall::app
