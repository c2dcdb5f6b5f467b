// The commands that ask a running rollcall over HTTP (members, why, status, partitions, netsplits, events,
// healthcheck; watch.hpp is another): a GET, printed as tables or as the JSON it sent. ask() does everything;
// the parts are for tests.
#pragma once

#include <iosfwd>
#include <string>

#include "app/answer_tables.hpp"
#include "app/configuration.hpp"
#include "app/terminal.hpp"

namespace rollcall::app {

inline constexpr milliseconds ask_timeout{5'000};  // of the whole exchange

// Blocks for at most ask_timeout, `events --follow` until it is interrupted. 0: answered
// (`status`: health is ok); 1: `status` with a warning or an error; 2: could not ask, with a sentence on
// `complaints`. `healthcheck`: 0 or 1, whatever is wrong.
int ask(const configuration&, const terminal&, std::ostream& out, std::ostream& complaints);
// On standard output and error; also `watch`.
int ask(const configuration&, const environment&);

std::string api_path(const configuration&);
// Why an answer of that status is none.
std::string refusal(const configuration&, const std::string& path, unsigned status, std::string_view body);

}  // namespace rollcall::app
