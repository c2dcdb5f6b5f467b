#include "http/json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace rollcall::http {

namespace {

namespace report = membership::report;

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the well-formed UTF-8 sequence `text` begins with, 0 when it begins with none (RFC 3629: no
// overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const auto continues = [&](std::size_t at, unsigned char low, unsigned char high) {
    return at < text.size() && byte(at) >= low && byte(at) <= high;
  };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned char low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned char low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2, 0x80, 0xBF) && continues(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

struct writer {
  std::string& out;

  void operator()(const report::nil&) const { out += "null"; }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(std::int64_t value) const { fmt::format_to(std::back_inserter(out), "{}", value); }
  void operator()(double value) const {
    if (std::isfinite(value)) {
      fmt::format_to(std::back_inserter(out), "{}", value);
    } else {
      out += "null";
    }
  }
  void operator()(const report::symbol& value) const { append_string(out, value.text); }
  void operator()(const report::text& value) const { append_string(out, value.utf8); }
  void operator()(const report::array& values) const { list(values); }
  void operator()(const report::tuple& parts) const { list(parts.items); }
  void list(const std::vector<report::document>& values) const {
    out += '[';
    bool first = true;
    for (const auto& value : values) {
      if (!first) out += ',';
      first = false;
      append(out, value);
    }
    out += ']';
  }
  void operator()(const report::object& fields) const {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : fields) {
      if (!first) out += ',';
      first = false;
      append_string(out, key);
      out += ':';
      append(out, value);
    }
    out += '}';
  }
};

}  // namespace

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto length = sequence_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0) {
      out += replacement;
      text.remove_prefix(1);
      continue;
    }
    if (first == '"' || first == '\\') {
      out += '\\';
      out += text.front();
    } else if (first == '\n') {
      out += "\\n";
    } else if (first < 0x20 || first == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", first);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

void append(std::string& out, const report::document& document) {
  std::visit(writer{out}, document.value);
}

std::string render(const report::document& document) {
  std::string out;
  append(out, document);
  return out;
}

}  // namespace rollcall::http
