#include "app/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "app/printable.hpp"

namespace rollcall::app {
namespace {

constexpr std::size_t usual_columns = 80, least_columns = 40, usual_rows = 24;

bool is_set(const environment& env, const std::string& name) {
  const auto found = env.find(name);
  return found != env.end() && !found->second.empty();
}

std::string_view code(paint how) {
  switch (how) {
    case paint::good:
      return "\x1b[32m";
    case paint::warning:
      return "\x1b[33m";
    case paint::bad:
      return "\x1b[31m";
    case paint::faint:
      return "\x1b[2m";
    case paint::plain:
      break;
  }
  return {};
}

// Bytes of the first characters that fill at most `columns`, and at least one.
std::size_t prefix(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0, seen = 0;
  while (bytes < text.size()) {
    auto next = bytes + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    if (seen == columns && bytes > 0) break;
    bytes = next;
    ++seen;
  }
  return bytes;
}

}  // namespace

terminal terminal_of(int descriptor, const environment& env) {
  if (::isatty(descriptor) == 0) return {};
  terminal made{.columns = usual_columns, .rows = usual_rows, .colour = !is_set(env, "NO_COLOR")};
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)  // NOLINT: the system's own variadic
    made.columns = std::max<std::size_t>(size.ws_col, least_columns);
  if (size.ws_row > 0) made.rows = size.ws_row;
  const auto kind = env.find("TERM");
  if (kind != env.end() && kind->second == "dumb") made.colour = false;
  return made;
}

std::string painted(const terminal& on, paint how, std::string_view text) {
  if (!on.colour || how == paint::plain || text.empty()) return std::string(text);
  return std::string(code(how)) + std::string(text) + "\x1b[0m";
}

paint paint_of(std::string_view word) noexcept {
  constexpr std::array good{"up", "ok", "healed", "connected"};
  constexpr std::array bad{"down", "error", "missing", "FAILED", "MISSING", "DEAD"};
  constexpr std::array warning{"suspect", "joining", "leaving", "warning", "open", "one_way", "suspected"};
  constexpr std::array faint{"left", "-"};
  const auto is_in = [&](const auto& words) { return std::ranges::find(words, word) != words.end(); };
  if (is_in(good)) return paint::good;
  if (is_in(bad)) return paint::bad;
  if (is_in(warning)) return paint::warning;
  return is_in(faint) ? paint::faint : paint::plain;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  while (columns > 0 && display_width(text) > columns) {
    const auto fits = prefix(text, columns);
    auto end = fits;
    if (text[fits] != ' ') {
      const auto space = text.rfind(' ', fits);
      if (space != std::string_view::npos && space > 0) end = space;
    }
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

}  // namespace rollcall::app
