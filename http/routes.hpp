// What answers what: method and target in, an answer out. No I/O: server.cpp carries the bytes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/server.hpp"

namespace rollcall::http {

struct answer {
  unsigned status = 200;
  std::string_view content_type;
  std::string body;
  std::vector<std::pair<std::string_view, std::string>> fields;  // besides those every answer has
  // Where an answer grows with the square of the members: appends the next piece, false once there is none.
  // `body` is empty then.
  std::function<bool(std::string& out)> next;
  // An answer without an end: appends what is new since it was asked last, often nothing. `body` is empty,
  // too.
  std::function<void(std::string& out)> follow{};
  // Bytes that `next` holds for as long as there is more. Present: each piece goes out by itself, however
  // small, since making one takes its time.
  std::function<std::size_t()> held{};
};

// Never throws: what `content` throws becomes a 500 and is told to content::failed.
// `last_event_id` is the request's field of that name.
answer respond(const content&, std::string_view method, std::string_view target,
               std::string_view last_event_id = {}) noexcept;

// For what is wrong before there is a method and a target.
answer problem(unsigned status, std::string_view sentence);

}  // namespace rollcall::http
