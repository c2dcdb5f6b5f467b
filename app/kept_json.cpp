#include "app/kept_json.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <stdexcept>

namespace rollcall::app {

namespace json = boost::json;
using std::chrono::milliseconds;

[[noreturn]] void wrong(std::string_view what, std::string_view expected) {
  throw std::runtime_error(fmt::format("\"{}\" is not {}", what, expected));
}

const json::value& field(const json::object& of, std::string_view key) {
  const auto* found = of.if_contains(key);
  if (found == nullptr) throw std::runtime_error(fmt::format("\"{}\" is missing", key));
  return *found;
}
const json::object& object_in(const json::value& v, std::string_view what) {
  if (!v.is_object()) wrong(what, "an object");
  return v.get_object();
}
const json::array& array_in(const json::object& of, std::string_view key, std::size_t most) {
  const auto& v = field(of, key);
  if (!v.is_array()) wrong(key, "a list");
  if (v.get_array().size() > most) wrong(key, fmt::format("a list of at most {}", most));
  return v.get_array();
}
std::uint64_t count_in(const json::value& v, std::string_view what) {
  boost::system::error_code code;
  const auto n = v.is_number() ? v.to_number<std::uint64_t>(code) : 0;
  if (!v.is_number() || code) wrong(what, "a number, 0 or more");
  return n;
}
std::uint64_t count_in(const json::object& of, std::string_view key) {
  return count_in(field(of, key), key);
}
membership::wall_time time_in(const json::object& of, std::string_view key) {
  const auto n = count_in(of, key);
  if (n > 253'402'300'800'000) wrong(key, "a time in this millennium");
  return membership::wall_time(std::chrono::milliseconds(static_cast<std::int64_t>(n)));
}
std::string text_in(const json::object& of, std::string_view key) {
  const auto& v = field(of, key);
  if (!v.is_string() || v.get_string().size() > max_kept_text) wrong(key, "a text of at most 4096 bytes");
  return std::string(v.get_string());
}

json::value parsed_in(std::string_view text, std::uint64_t format) {
  boost::system::error_code code;
  json::parse_options options;
  options.max_depth = 16;
  auto parsed = json::parse(text, code, {}, options);
  if (code) throw std::runtime_error("it is not JSON: " + code.message());
  const auto& o = object_in(parsed, "the file");
  if (count_in(o, "format") != format) {
    throw std::runtime_error(
        fmt::format("its format is {}, this program reads {}", json::serialize(field(o, "format")), format));
  }
  return parsed;
}

}  // namespace rollcall::app
