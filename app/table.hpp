// Aligned columns for a terminal. Cells are made printable here; two spaces stand between columns.
#pragma once

#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/configuration.hpp"

namespace rollcall::app {

class table {
 public:
  explicit table(std::vector<std::string> headings);  // none of them: no heading line
  void row(std::vector<std::string> cells);           // missing cells at the end are empty
  bool empty() const noexcept { return rows_.empty(); }
  friend std::ostream& operator<<(std::ostream&, const table&);

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// "2m ago", "1h 5m ago", "3d ago"; "now" below a second and for what lies ahead (two clocks differ); "" for
// 0.
std::string age(milliseconds now, milliseconds at);
// "850ms", "12s", "2m", "1h 5m", "3d 4h": the two greatest units from an hour on.
std::string span(milliseconds);

}  // namespace rollcall::app
