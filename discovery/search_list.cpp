#include "discovery/search_list.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
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

std::vector<std::string> bare_domains(std::span<const std::string> search) {
  std::vector<std::string> domains;
  for (const auto& each : search) {
    std::string_view bare = each;
    while (bare.ends_with('.')) bare.remove_suffix(1);
    if (!bare.empty()) domains.emplace_back(bare);
  }
  return domains;
}

bool is_kubernetes(const std::vector<std::string>& domains) {
  return std::ranges::any_of(domains, [](const std::string& each) { return each.starts_with("svc."); });
}

void add(std::vector<std::string>& names, std::string name) {
  if (name.size() <= max_name + 1 && std::ranges::find(names, name) == names.end()) {
    names.push_back(std::move(name));
  }
}

std::string without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
}

bool by_length(const std::string& a, const std::string& b) {
  return a.size() < b.size();
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

  auto domains = bare_domains(search);
  const bool kubernetes = is_kubernetes(domains);
  // The domain that fits the number of labels goes first; all others keep resolv.conf's order.
  if (count == 2) {
    std::stable_partition(domains.begin(), domains.end(),
                          [](const std::string& each) { return each.starts_with("svc."); });
  } else if (ends_in_svc) {
    std::stable_partition(domains.begin(), domains.end(),
                          [](const std::string& each) { return !has_svc(each); });
  }

  std::vector<std::string> names;
  if (count != 1 && !kubernetes) add(names, as_it_stands);
  for (const auto& each : domains) add(names, as_it_stands + each + '.');
  // Inside a cluster the name of a port is nobody else's business.
  const bool ours = kubernetes && domain.starts_with('_');
  if (names.empty() || (!ours && (count == 1 || kubernetes))) add(names, as_it_stands);
  if (names.empty()) names.push_back(as_it_stands);
  return names;
}

std::vector<std::string> complete_host(std::string_view host, std::span<const std::string> search) {
  auto names = complete(host, search);
  if (names.size() > 1 || host.ends_with('.')) return names;
  const auto bare = bare_domains(search);
  const auto lower = normal_host(host);
  const auto whole = [&](const std::string& domain) {
    const auto end = normal_host(domain);
    return lower && end && lower->ends_with('.' + *end);
  };
  if (!lower || std::ranges::any_of(bare, whole)) return names;
  const bool kubernetes = is_kubernetes(bare);
  const std::string as_it_stands = std::string(host) + '.';
  // pod.service.namespace wants svc.ZONE. Outside of Kubernetes a name with dots stands for itself first.
  if (kubernetes) {
    names.clear();
    for (const auto& each : bare) {
      if (each.starts_with("svc.")) add(names, as_it_stands + each + '.');
    }
    add(names, as_it_stands);
  }
  for (const auto& each : bare) add(names, as_it_stands + each + '.');
  return names;
}

bool is_outside(std::string_view name, std::string_view asked, std::span<const std::string> search) {
  if (name == std::string(asked) + '.') return true;
  const auto domains = bare_domains(search);
  if (!is_kubernetes(domains)) return false;
  return std::ranges::none_of(domains, [&](const std::string& each) {
    const auto zone = each.starts_with("svc.") ? each.substr(std::string_view("svc.").size()) : std::string();
    return !zone.empty() && name.ends_with('.' + zone + '.');
  });
}

bool same_host(std::string_view known, std::string_view own, std::span<const std::string> search) {
  if (known == own) return true;
  boost::system::error_code first_bad, second_bad;
  const auto first = boost::asio::ip::make_address(without_brackets(known), first_bad);
  const auto second = boost::asio::ip::make_address(without_brackets(own), second_bad);
  if (!first_bad || !second_bad) return !first_bad && !second_bad && first == second;
  const auto a = normal_host(known), b = normal_host(own);
  if (!a || !b) return false;
  if (*a == *b) return true;
  const auto longer = std::max(*a, *b, by_length), shorter = std::min(*a, *b, by_length);
  return std::ranges::any_of(bare_domains(search), [&](const std::string& each) {
    const auto domain = normal_host(each);
    return domain && longer == shorter + '.' + *domain;
  });
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
