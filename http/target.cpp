#include "http/target.hpp"

#include <algorithm>

namespace rollcall::http {

namespace {

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && plus_is_space) {
      out += ' ';
      continue;
    }
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    if (text.size() - at < 3) return {};
    const int high = hex_digit(text[at + 1]);
    const int low = hex_digit(text[at + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return {};
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return out;
}

std::string_view take_until(std::string_view& rest, char delimiter) {
  const auto end = std::min(rest.find(delimiter), rest.size());
  const auto taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

}  // namespace

std::optional<target> target::parse(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    const auto path = text.find('/');
    text = path == std::string_view::npos ? std::string_view("/") : text.substr(path);
  }
  if (!text.starts_with('/')) return {};
  text = text.substr(0, text.find('#'));
  const auto question = std::min(text.find('?'), text.size());
  auto path = text.substr(1, question - 1);
  auto query = text.substr(std::min(question + 1, text.size()));

  target parsed;
  // "/" is no segment, "/a/" is "a" and an empty one.
  for (bool more = !path.empty(); more;) {
    more = path.find('/') != std::string_view::npos;
    auto segment = decode(take_until(path, '/'), false);
    if (!segment) return {};
    parsed.segments.push_back(std::move(*segment));
  }
  while (!query.empty()) {
    auto value = take_until(query, '&');
    auto key = decode(take_until(value, '='), true);
    auto decoded = decode(value, true);
    if (!key || !decoded) return {};
    parsed.query.emplace_back(std::move(*key), std::move(*decoded));
  }
  return parsed;
}

std::optional<std::string_view> target::parameter(std::string_view key) const {
  const auto found =
      std::find_if(query.begin(), query.end(), [&](const auto& one) { return one.first == key; });
  if (found == query.end()) return {};
  return found->second;
}

}  // namespace rollcall::http
