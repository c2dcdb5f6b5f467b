#include "app/answer_readers.hpp"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <stdexcept>

namespace rollcall::app {

namespace json = boost::json;

const json::value* member_of(const json::object& object, std::string_view key) {
  return object.if_contains(key);
}

std::string text_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "";
    case json::kind::bool_:
      return value.get_bool() ? "yes" : "no";
    case json::kind::string:
      return std::string(value.get_string());
    case json::kind::array: {
      std::string text;
      for (const auto& element : value.get_array())
        text += fmt::format("{}{}", text.empty() ? "" : ", ", text_of(element));
      return text;
    }
    case json::kind::object: {
      std::string text;
      for (const auto& [key, part] : value.get_object()) {
        if (part.is_null()) continue;
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", std::string_view(key), text_of(part));
      }
      return text;
    }
    default:
      return json::serialize(value);
  }
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = member_of(object, key);
  return value == nullptr ? std::string() : text_of(*value);
}

milliseconds time_of(const json::object& object, std::string_view key) {
  const auto* value = member_of(object, key);
  if (value == nullptr || !value->is_number()) return milliseconds{0};
  boost::system::error_code failure;
  return milliseconds{value->to_number<std::int64_t>(failure)};
}

const json::array& list(const json::value& answer) {
  const auto* array = answer.if_array();
  if (array == nullptr) throw std::runtime_error("the answer is not a list");
  return *array;
}

const json::object& object(const json::value& element) {
  const auto* found = element.if_object();
  if (found == nullptr) throw std::runtime_error("an element of the answer is not an object");
  return *found;
}

std::vector<std::string> names_of(const json::array& objects, std::string_view key) {
  std::vector<std::string> names;
  for (const auto& each : objects) {
    if (const auto* of = each.if_object()) names.push_back(text_of(*of, key));
  }
  std::erase(names, "");
  return names;
}

}  // namespace rollcall::app
