// What the commands that ask need of HTTP: one GET, and a GET whose answer goes on.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "app/configuration.hpp"

namespace rollcall::app {

inline constexpr std::size_t max_answer_bytes = 64U << 20;

struct http_answer {
  unsigned status = 0;
  std::string body;
  bool standing_by = false;  // the rollcall that answered stands by for another
};

// Who is asked, and how.
struct http_place {
  http_place(std::string at) : url(std::move(at)) {}  // NOLINT(google-explicit-constructor)
  std::string url;
  std::string authorization{};  // the value of that field; empty: none
  std::string authorities{};    // PEM, of https; empty: the system's
  bool any_name = false;        // one of `authorities` itself is expected, for any host
};
// --url, --url-ca, --url-auth-file; of a rollcall on this machine, its own certificate. Throws
// std::runtime_error with a phrase: a file that cannot be read.
http_place place_of(const configuration&);

// Throws std::runtime_error with a phrase: "connection refused", "no answer within 5s", ...
http_answer http_get(const http_place&, std::string_view path, milliseconds timeout);

// Gives each line of the body to `line` as it arrives, until the answer ends or nothing comes for `silence`.
// Gives the status; of another one than 200 no line. `last_event_id` is sent when it is not empty. Throws as
// http_get does.
unsigned http_lines(const http_place&, std::string_view path, const std::string& last_event_id,
                    milliseconds silence, const std::function<void(std::string_view)>& line);

// A segment of a path: what is not plain is %-encoded.
std::string url_encoded(std::string_view);

}  // namespace rollcall::app
