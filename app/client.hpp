// The commands that ask a running rollcall over HTTP (members, status, partitions, netsplits, events,
// healthcheck): one GET, printed as tables or as the JSON it sent. ask() does everything; the parts are for
// tests.
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <iosfwd>
#include <string>
#include <string_view>

#include "app/configuration.hpp"

namespace rollcall::app {

// Exit codes of ask().
inline constexpr int answered = 0, not_well = 1, not_alive = 1, could_not_ask = 2;
inline constexpr milliseconds ask_timeout{5'000};  // of the whole exchange
inline constexpr std::size_t max_answer_bytes = 64U << 20;

// Blocks for at most ask_timeout. 0: answered (`status`: health is ok); 1: `status` with a warning or an
// error; 2: could not ask, with a sentence on `complaints`. `healthcheck`: 0 or 1, whatever is wrong.
int ask(const configuration&, std::ostream& out, std::ostream& complaints);
int ask(const configuration&);  // on standard output and error

struct http_answer {
  unsigned status = 0;
  std::string body;
};
// Throws std::runtime_error with a phrase: "connection refused", "no answer within 5s", ...
http_answer http_get(const std::string& url, std::string_view path, milliseconds timeout);

std::string api_path(const configuration&);
// Prints the parsed answer; `now` is the wall clock in ms since the epoch. Throws std::runtime_error when it
// is not what the command's answer looks like.
int show(command, const boost::json::value&, milliseconds now, std::ostream&);

}  // namespace rollcall::app
