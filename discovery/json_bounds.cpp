#include "discovery/json_bounds.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>

namespace rollcall::discovery {

namespace json = boost::json;

std::string beyond(std::string_view text, const json_bounds& bounds) {
  if (text.size() > bounds.max_bytes) return fmt::format("it is longer than {} bytes", bounds.max_bytes);
  std::size_t depth = 0, values = 1;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
      continue;
    }
    switch (c) {
      case '"':
        quoted = true;
        break;
      case '{':
      case '[':
        ++values;
        if (++depth > bounds.max_depth)
          return fmt::format("it is nested deeper than {} levels", bounds.max_depth);
        break;
      case '}':
      case ']':
        if (depth > 0) --depth;
        break;
      case ',':
        ++values;
        break;
      default:
        break;
    }
    if (values > bounds.max_values) return fmt::format("it has more than {} values", bounds.max_values);
  }
  return {};
}

json::value parse_within(std::string_view text, const json_bounds& bounds, std::string& problem) {
  problem = beyond(text, bounds);
  if (!problem.empty()) return nullptr;
  json::parse_options options;
  options.max_depth = bounds.max_depth;
  json::error_code code;
  auto value = json::parse(text, code, {}, options);
  if (code) {
    problem = "it is not JSON: " + code.message();
    return nullptr;
  }
  return value;
}

const json::value* member_of(const json::value& of, std::string_view key) {
  const auto* object = of.if_object();
  return object == nullptr ? nullptr : object->if_contains(key);
}

const json::object* object_of(const json::value& of, std::string_view key) {
  const auto* found = member_of(of, key);
  return found == nullptr ? nullptr : found->if_object();
}

const json::array* array_of(const json::value& of, std::string_view key) {
  const auto* found = member_of(of, key);
  return found == nullptr ? nullptr : found->if_array();
}

std::string_view text_of(const json::value& of, std::string_view key) {
  const auto* found = member_of(of, key);
  const auto* text = found == nullptr ? nullptr : found->if_string();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

bool flag_of(const json::value& of, std::string_view key, bool when_absent) {
  const auto* found = member_of(of, key);
  const auto* flag = found == nullptr ? nullptr : found->if_bool();
  return flag == nullptr ? when_absent : *flag;
}

}  // namespace rollcall::discovery
