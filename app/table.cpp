#include "app/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/printable.hpp"

namespace rollcall::app {

table::table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

void table::row(std::vector<std::string> cells) {
  for (auto& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::ostream& operator<<(std::ostream& out, const table& t) {
  std::vector<const std::vector<std::string>*> lines;
  if (!t.headings_.empty()) lines.push_back(&t.headings_);
  for (const auto& row : t.rows_) lines.push_back(&row);
  std::vector<std::size_t> widths;
  for (const auto* line : lines) {
    widths.resize(std::max(widths.size(), line->size()));
    for (std::size_t i = 0; i < line->size(); ++i) widths[i] = std::max(widths[i], display_width((*line)[i]));
  }
  for (const auto* line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line->size(); ++i) {
      text += (*line)[i];
      text.append(widths[i] - display_width((*line)[i]) + 2, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  }
  return out;
}

std::string span(milliseconds length) {
  const auto ms = std::max<std::int64_t>(length.count(), 0);
  const auto s = ms / 1'000, m = s / 60, h = m / 60, d = h / 24;
  const auto two = [](std::int64_t a, char u, std::int64_t b, char v) {
    return b == 0 ? fmt::format("{}{}", a, u) : fmt::format("{}{} {}{}", a, u, b, v);
  };
  if (ms < 1'000) return fmt::format("{}ms", ms);
  if (s < 60) return fmt::format("{}s", s);
  if (m < 60) return fmt::format("{}m", m);
  if (h < 24) return two(h, 'h', m % 60, 'm');
  return two(d, 'd', h % 24, 'h');
}

std::string age(milliseconds now, milliseconds at) {
  if (at.count() == 0) return "";
  if (now - at < std::chrono::seconds(1)) return "now";
  return span(now - at) + " ago";
}

}  // namespace rollcall::app
