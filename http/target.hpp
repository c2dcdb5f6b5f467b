// The target of a request, taken apart: RFC 9112 section 3.2 (origin and absolute form), RFC 3986 for the
// escapes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::http {

struct target {
  std::vector<std::string> segments;  // of the path, decoded each by itself: a %2F stays within its segment
  std::vector<std::pair<std::string, std::string>> query;
  std::string last_event_id{};  // no part of the target: the request's field, where somebody put it here

  // The first value under that key.
  std::optional<std::string_view> parameter(std::string_view key) const;

  // Absent: no path, a bad escape, or a NUL.
  static std::optional<target> parse(std::string_view text);
};

}  // namespace rollcall::http
