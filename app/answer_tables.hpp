// What a running rollcall answered, as text for a terminal: tables within its width, names without what they
// all end in.
#pragma once

#include <boost/json/value.hpp>
#include <iosfwd>
#include <string>
#include <string_view>

#include "app/configuration.hpp"
#include "app/terminal.hpp"

namespace rollcall::app {

// Exit codes of the commands that ask.
inline constexpr int answered = 0, not_well = 1, not_alive = 1, could_not_ask = 2;

// Prints the parsed answer; `now` is the wall clock in ms since the epoch. Throws std::runtime_error when it
// is not what the command's answer looks like.
int show(const configuration&, const boost::json::value&, milliseconds now, const terminal&, std::ostream&);

// One event as `events --follow` prints it.
void show_event(const boost::json::value&, const terminal&, std::ostream&);

// What watch_screen shares with the tables. An incident that is open: "3 full, 2m ago: app-0 - app-3 (probe),
// 2: app-0 app-1 | 1: app-3".
std::string netsplit_in_a_line(const boost::json::object& incident, milliseconds now);
// Left so long ago that only who asks for it wants to see it.
bool left_long_ago(const boost::json::object& member, milliseconds now);
inline constexpr std::string_view standing_by_text =
    "standing by: another rollcall of this name is at work, and here nothing is known";

// The health as text: "ok", or what it is instead.
std::string health_in(const boost::json::value& status);

}  // namespace rollcall::app
