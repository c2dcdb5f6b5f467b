// The picture of `rollcall watch`, within the rows and columns of the terminal: a line that sums up, then
// what is wrong, then the members, worst first, and how many more there are.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "app/configuration.hpp"
#include "app/terminal.hpp"

namespace rollcall::app {

// What /api/v1 answered: an object and two lists.
struct watched {
  boost::json::value status, netsplits, members;
};

// At most `rows` - 1 lines, so that the last one leaves the cursor below it, of at most `columns`. `now` is
// the wall clock in ms since the epoch. Throws std::runtime_error when an answer is not what it should be.
std::vector<std::string> watch_screen(const watched&, milliseconds now, const terminal&);

}  // namespace rollcall::app
