// What a command prints on: how wide it is, and whether it takes colour. What goes into a pipe or a file has
// neither.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "app/configuration.hpp"

namespace rollcall::app {

enum class paint { plain, good, warning, bad, faint };

struct terminal {
  std::size_t columns = 0;  // 0: no limit
  std::size_t rows = 0;
  bool colour = false;
};

// Colour follows NO_COLOR (https://no-color.org) and TERM=dumb. Without a size the width is 80.
terminal terminal_of(int descriptor, const environment&);

std::string painted(const terminal&, paint, std::string_view);

// Of a member's state, of a health, of a link.
paint paint_of(std::string_view word) noexcept;

// Lines of at most `columns`, broken at spaces where there are any. One line when `columns` is 0.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

}  // namespace rollcall::app
