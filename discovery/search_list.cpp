#include "discovery/search_list.hpp"

#include <algorithm>
#include <cctype>

namespace rollcall::discovery {
namespace {

constexpr std::size_t max_name = 253;  // RFC 1035 3.1, without the root's dot
constexpr std::size_t max_label = 63;

std::vector<std::string_view> labels(std::string_view name) {
  std::vector<std::string_view> found;
  for (std::size_t from = 0; from <= name.size();) {
    const auto dot = std::min(name.find('.', from), name.size());
    found.push_back(name.substr(from, dot - from));
    from = dot + 1;
  }
  return found;
}

bool has_svc(std::string_view domain) {
  const auto parts = labels(domain);
  return std::ranges::find(parts, "svc") != parts.end();
}

}  // namespace

std::vector<std::string> complete(std::string_view domain, std::span<const std::string> search) {
  if (domain.ends_with('.')) return {std::string(domain)};
  const std::string as_it_stands = std::string(domain) + '.';
  const auto parts = labels(domain);
  const auto service = static_cast<std::size_t>(
      std::ranges::find_if(parts, [](std::string_view part) { return !part.starts_with('_'); }) -
      parts.begin());
  const auto count = parts.size() - service;
  const bool ends_in_svc = count == 3 && parts.back() == "svc";
  if (count > 2 && !ends_in_svc) return {as_it_stands};

  std::vector<std::string> domains;
  for (const auto& each : search) {
    std::string_view bare = each;
    while (bare.ends_with('.')) bare.remove_suffix(1);
    if (!bare.empty()) domains.emplace_back(bare);
  }
  const bool kubernetes =
      std::ranges::any_of(domains, [](const std::string& each) { return each.starts_with("svc."); });
  // The domain that fits the number of labels goes first; all others keep resolv.conf's order.
  if (count == 2) {
    std::ranges::stable_partition(domains, [](const std::string& each) { return each.starts_with("svc."); });
  } else if (ends_in_svc) {
    std::ranges::stable_partition(domains, [](const std::string& each) { return !has_svc(each); });
  }

  std::vector<std::string> names;
  const auto add = [&names](std::string name) {
    if (name.size() <= max_name + 1 && std::ranges::find(names, name) == names.end()) {
      names.push_back(std::move(name));
    }
  };
  if (count != 1 && !kubernetes) add(as_it_stands);
  for (const auto& each : domains) add(as_it_stands + each + '.');
  if (names.empty() || count == 1 || kubernetes) add(as_it_stands);
  if (names.empty()) names.push_back(as_it_stands);
  return names;
}

std::optional<std::string> normal_host(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > max_name) return std::nullopt;
  std::string host;
  host.reserve(text.size());
  for (const auto label : labels(text)) {
    if (label.empty() || label.size() > max_label) return std::nullopt;
    if (!host.empty()) host += '.';
    for (const char c : label) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte > 127 || (std::isalnum(byte) == 0 && c != '-' && c != '_')) return std::nullopt;
      host += static_cast<char>(std::tolower(byte));
    }
  }
  return host;
}

}  // namespace rollcall::discovery
