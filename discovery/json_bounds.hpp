// What a JSON text may be before it is parsed: its length, its depth and the number of its values are counted
// on the bytes themselves, so that a short text cannot ask for a lot of memory. Then Boost.JSON parses it.
// Pure.
#pragma once

#include <boost/json/value.hpp>
#include <boost/system/result.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace rollcall::discovery {

struct json_bounds {
  std::size_t max_bytes = 0;
  std::size_t max_depth = 16;  // an EndpointSlice in a list, with its managedFields, has 12
  std::size_t max_values = 0;  // members of objects and elements of arrays, all levels together
};

// Empty, or which bound the text breaks. Says nothing of whether it is JSON.
std::string beyond(std::string_view text, const json_bounds&);

// A text within the bounds, parsed. `problem` says why there is nothing, never with the text itself.
boost::json::value parse_within(std::string_view text, const json_bounds&, std::string& problem);

// Reading what was parsed: nullptr, or an empty text, where the key is absent or of another type.
const boost::json::value* member_of(const boost::json::value&, std::string_view key);
const boost::json::object* object_of(const boost::json::value&, std::string_view key);
const boost::json::array* array_of(const boost::json::value&, std::string_view key);
std::string_view text_of(const boost::json::value&, std::string_view key);
bool flag_of(const boost::json::value&, std::string_view key, bool when_absent);

}  // namespace rollcall::discovery
