// Plays something in a process of its own: what crashes or never ends there is a finding, not the end of the
// run.
#pragma once

#include <functional>
#include <string>

namespace rollcall::simulation {

// What `play` returned, or how it ended otherwise.
std::string in_jail(const std::function<std::string()>& play, unsigned seconds_at_most);

// `play` for 0 <= i < count, on so many threads, in the order of i.
void share_out(std::size_t count, unsigned jobs, const std::function<void(std::size_t)>& play);

}  // namespace rollcall::simulation
