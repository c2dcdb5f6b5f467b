// `rollcall watch`: asks a running rollcall once a second, and redraws at once when the terminal changes its
// size.
#pragma once

#include <functional>
#include <iosfwd>

#include "app/configuration.hpp"
#include "app/terminal.hpp"

namespace rollcall::app {

// `look` is asked for each picture. Goes on until it is interrupted; could_not_ask where there is no
// terminal.
int watch(const configuration&, const std::function<terminal()>& look, std::ostream& out,
          std::ostream& complaints);

}  // namespace rollcall::app
