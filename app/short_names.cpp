#include "app/short_names.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace rollcall::app {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool of_a_host(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
}

std::vector<std::string_view> labels_of(std::string_view host) {
  std::vector<std::string_view> labels;
  for (;;) {
    const auto dot = host.find('.');
    labels.push_back(host.substr(0, dot));
    if (dot == std::string_view::npos) return labels;
    host.remove_prefix(dot + 1);
  }
}

// The digits at the front without leading zeros, taken off.
std::string_view take_number(std::string_view& text) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  auto digits = text.substr(0, end);
  text.remove_prefix(end);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

}  // namespace

std::string common_suffix(std::span<const std::string> names) {
  if (names.size() < 2) return {};
  std::vector<std::vector<std::string_view>> all;
  bool any_name = false;
  for (const auto& name : names) {
    const auto host = std::string_view(name).substr(name.find('@') + 1);
    if (host.find(':') != std::string_view::npos) return {};
    any_name = any_name || std::ranges::any_of(host, [](char c) { return c != '.' && !is_digit(c); });
    all.push_back(labels_of(host));
  }
  if (!any_name) return {};
  auto shortest = all.front().size();
  for (const auto& one : all) shortest = std::min(shortest, one.size());
  std::string suffix;
  for (std::size_t i = 1; i < shortest; ++i) {
    const auto label = all.front()[all.front().size() - i];
    if (!std::ranges::all_of(all, [&](const auto& one) { return one[one.size() - i] == label; })) break;
    suffix.insert(0, "." + std::string(label));
  }
  return suffix;
}

std::string short_names::operator()(std::string_view text) const {
  if (suffix_.empty()) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const auto at = text.find('@');
    auto end = at == std::string_view::npos ? text.size() : at + 1;
    while (end < text.size() && of_a_host(text[end])) ++end;
    auto part = text.substr(0, end);
    text.remove_prefix(end);
    // A sentence may end in a name.
    const bool stop = at != std::string_view::npos && part.ends_with('.');
    if (stop) part.remove_suffix(1);
    const auto host = at == std::string_view::npos ? std::string_view{} : part.substr(at + 1);
    if (host.size() > suffix_.size() && host.ends_with(suffix_)) part.remove_suffix(suffix_.size());
    out += part;
    if (stop) out += '.';
  }
  return out;
}

std::string name_once(std::string text, std::string_view name) {
  if (name.empty()) return text;
  const auto first = text.find(name);
  if (first == std::string::npos) return text;
  for (auto from = first + name.size();;) {
    const auto at = text.find(name, from);
    if (at == std::string::npos) return text;
    const auto end = at + name.size();
    const bool longer =
        (at > 0 && of_a_host(text[at - 1])) ||
        (end < text.size() && of_a_host(text[end]) && !(text[end] == '.' && end + 1 == text.size()));
    if (!longer) text.replace(at, name.size(), "it");
    from = longer ? end : at + 2;
  }
}

bool natural_less(std::string_view a, std::string_view b) {
  const auto whole_a = a, whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const auto x = take_number(a), y = take_number(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a.front() != b.front()) return a.front() < b.front();
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole_a < whole_b;
}

}  // namespace rollcall::app
