#include "app/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/printable.hpp"

namespace rollcall::app {
namespace {

constexpr std::size_t gap = 2, least_text = 24, least_cell = 8;

std::size_t total(const std::vector<std::size_t>& widths) {
  std::size_t columns = 0, shown = 0;
  for (const auto width : widths) {
    columns += width;
    shown += width > 0 ? 1 : 0;
  }
  return columns + gap * (shown > 0 ? shown - 1 : 0);
}

// Makes `widths` fit: 0 is a column that is not shown.
void fit(std::vector<std::size_t>& widths, const std::vector<bool>& optional, std::size_t columns) {
  for (auto i = widths.size(); i-- > 0 && total(widths) > columns;) {
    if (i < optional.size() && optional[i]) widths[i] = 0;
  }
  if (total(widths) > columns && !widths.empty()) {
    const auto others = total(widths) - widths.back();
    const auto least = std::min(widths.back(), least_text);
    widths.back() = columns > others + least ? columns - others : least;
  }
  while (total(widths) > columns) {
    const auto widest = std::ranges::max_element(widths);
    if (*widest <= least_cell) return;
    *widest -= std::min(*widest - least_cell, total(widths) - columns);
  }
}

}  // namespace

table::table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (auto& heading : headings_) {
    const bool in_parentheses = heading.starts_with('(') && heading.ends_with(')');
    optional_.push_back(in_parentheses);
    if (in_parentheses) heading = heading.substr(1, heading.size() - 2);
  }
}

void table::row(std::vector<cell> cells) {
  for (auto& each : cells) each.text = printable(each.text);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> table::widths() const {
  std::vector<std::size_t> widths;
  for (const auto& heading : headings_) widths.push_back(display_width(heading));
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  return widths;
}

void table::print(std::ostream& out, const terminal& on) const {
  const auto natural = widths();
  auto fitted = natural;
  // A column in which nothing stands is an indentation.
  const auto indented = gap * static_cast<std::size_t>(std::ranges::count(natural, 0U));
  if (on.columns > 0) fit(fitted, optional_, std::max(on.columns, indented) - indented);
  const auto print_row = [&](const std::vector<cell>& row) {
    std::vector<std::vector<std::string>> lines(row.size());
    std::size_t height = 1;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (fitted[i] == 0) continue;
      lines[i] = wrapped(row[i].text, fitted[i]);
      height = std::max(height, lines[i].size());
    }
    for (std::size_t line = 0; line < height; ++line) {
      std::string text, blanks;
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (fitted[i] == 0 && natural[i] > 0) continue;
        const auto part = line < lines[i].size() ? std::string_view(lines[i][line]) : std::string_view{};
        if (!part.empty()) {
          text += std::exchange(blanks, {});
          text += painted(on, row[i].how, part);
        }
        blanks.append(fitted[i] - display_width(part) + gap, ' ');
      }
      out << text << '\n';
    }
  };
  if (!headings_.empty()) print_row({headings_.begin(), headings_.end()});
  for (const auto& row : rows_) print_row(row);
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

std::string ahead(milliseconds now, milliseconds at) {
  return at - now < std::chrono::seconds(1) ? age(now, at) : "in " + span(at - now);
}

}  // namespace rollcall::app
