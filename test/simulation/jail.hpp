// Plays something in a process of its own: what crashes or never ends there is a finding, not the end of the
// run.
#pragma once

#include <functional>
#include <string>

namespace rollcall::simulation {

// What `play` returned, or how it ended otherwise.
std::string in_jail(const std::function<std::string()>& play, unsigned seconds_at_most);

}  // namespace rollcall::simulation
