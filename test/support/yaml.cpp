#include "test/support/yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <stdexcept>

namespace rollcall::test {

namespace {

namespace json = boost::json;

template <class Number>
bool whole_text(std::string_view text, Number& value, int base) {
  const auto* end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data(), end, value, base);
  return failure == std::errc() && at == end;
}

json::value plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true" || text == "false") return text == "true";
  std::int64_t whole = 0;
  const bool octal = text.size() > 1 && text[0] == '0';
  if (whole_text(text, whole, octal ? 8 : 10)) return whole;
  double fraction = 0;
  const auto* end = text.data() + text.size();
  if (const auto [at, failure] = std::from_chars(text.data(), end, fraction);
      failure == std::errc() && at == end && text.find_first_of("0123456789") != std::string::npos)
    return fraction;
  return json::string(text);
}

json::value converted(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      // Quoted and block scalars have the tag "!", plain ones "?".
      return node.Tag() == "!" ? json::value(json::string(node.Scalar())) : plain(node.Scalar());
    case YAML::NodeType::Sequence: {
      json::array all;
      for (const auto& one : node) all.push_back(converted(one));
      return all;
    }
    case YAML::NodeType::Map: {
      json::object all;
      for (const auto& entry : node) all[entry.first.Scalar()] = converted(entry.second);
      return all;
    }
    default:
      return nullptr;
  }
}

}  // namespace

json::array yaml_documents(const std::string& text) {
  json::array all;
  try {
    for (const auto& document : YAML::LoadAll(text)) {
      if (!document.IsNull()) all.push_back(converted(document));
    }
  } catch (const YAML::Exception& error) {
    throw std::runtime_error(std::string("no YAML: ") + error.what());
  }
  return all;
}

}  // namespace rollcall::test
