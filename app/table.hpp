// Aligned columns for a terminal, within its width. Cells are made printable here; two spaces stand between
// columns.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/terminal.hpp"

namespace rollcall::app {

struct cell {
  cell(std::string t, paint p = paint::plain) : text(std::move(t)), how(p) {}  // NOLINT: cells are texts
  cell(std::string_view t, paint p = paint::plain) : text(t), how(p) {}        // NOLINT
  cell(const char* t, paint p = paint::plain) : text(t), how(p) {}             // NOLINT
  std::string text;
  paint how;
};

class table {
 public:
  // None of them: no heading line. A heading in parentheses is of a column that goes first where there is no
  // room for all.
  explicit table(std::vector<std::string> headings);
  void row(std::vector<cell> cells);  // missing cells at the end are empty
  bool empty() const noexcept { return rows_.empty(); }
  // What is still too wide is broken into lines: the last column first, at its spaces.
  void print(std::ostream&, const terminal&) const;
  friend std::ostream& operator<<(std::ostream& out, const table& t) {
    t.print(out, {});
    return out;
  }

 private:
  std::vector<std::size_t> widths() const;
  std::vector<std::string> headings_;
  std::vector<bool> optional_;
  std::vector<std::vector<cell>> rows_;
};

// "2m ago", "1h 5m ago", "3d ago"; "now" below a second and for what lies ahead (two clocks differ); "" for
// 0.
std::string age(milliseconds now, milliseconds at);
// The same of what is meant to lie ahead: "in 9m".
std::string ahead(milliseconds now, milliseconds at);
// "850ms", "12s", "2m", "1h 5m", "3d 4h": the two greatest units from an hour on.
std::string span(milliseconds);

}  // namespace rollcall::app
