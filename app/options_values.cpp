#include "app/options_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <vector>

#include "app/printable.hpp"

namespace rollcall::app {
namespace {

struct unit {
  std::string_view suffix;
  std::int64_t in_ms;
};
constexpr std::array<unit, 5> units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::string_view duration_form = "a number with a unit is needed, as in 500ms, 5s, 2m, 1h30m or 7d";
constexpr std::size_t max_domain_length = 253, max_label_length = 63;

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::uint16_t parse_port(std::string_view whole, std::string_view port, unsigned least) {
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (port.empty() || failure != std::errc{} || end != port.data() + port.size() || value > 65'535 ||
      value < least) {
    throw bad_value(whole, fmt::format("has no good port: {} to 65535 is allowed", least));
  }
  return static_cast<std::uint16_t>(value);
}

void check_domain(std::string_view whole, std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (domain.empty()) throw bad_value(whole, "has nothing after the '@': BASE@DOMAIN is needed");
  if (domain.size() > max_domain_length) {
    throw bad_value(whole, "has a domain of more than 253 characters");
  }
  for (std::size_t from = 0; from <= domain.size();) {
    const auto dot = std::min(domain.find('.', from), domain.size());
    const auto label = domain.substr(from, dot - from);
    if (label.empty())
      throw bad_value(whole, "has an empty label (two dots, or one at the start) in its domain");
    if (label.size() > max_label_length) {
      throw bad_value(whole, "has a label of more than 63 characters in its domain");
    }
    if (label.find(',') != std::string_view::npos) {
      throw bad_value(whole, "holds a comma: repeat the flag, or use a list in the file, for several");
    }
    if (!std::ranges::all_of(label, [](char c) { return letter(c) || digit(c) || c == '-' || c == '_'; })) {
      throw bad_value(whole, "is not a domain after the '@': letters, digits, '-', '_' and dots are allowed");
    }
    from = dot + 1;
  }
}

// Damerau-Levenshtein distance of two short names (a swap of neighbours counts once).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + differs});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

bad_value::bad_value(std::string_view text, std::string_view problem)
    : std::runtime_error(fmt::format("'{}' {}", printable(text), problem)) {}

milliseconds parse_duration(std::string_view text, milliseconds least, milliseconds most) {
  if (!text.empty() && std::ranges::all_of(text, digit)) {
    throw bad_value(text, fmt::format("is not a duration: a unit is missing, as in {0}s or {0}ms", text));
  }
  std::int64_t total = 0;
  auto rest = text;
  auto allowed = std::span<const unit>(units);
  constexpr std::int64_t ceiling = 100LL * 365 * 86'400'000;
  const auto malformed = [&] { return bad_value(text, fmt::format("is not a duration: {}", duration_form)); };
  if (rest.empty()) throw malformed();
  while (!rest.empty()) {
    std::int64_t count = 0;
    const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const auto [end, failure] = std::from_chars(rest.data(), rest.data() + digits, count);
    if (digits == 0) throw malformed();
    rest.remove_prefix(digits);
    const auto suffix = rest.substr(0, std::min(rest.find_first_of("0123456789"), rest.size()));
    const auto found = std::ranges::find(allowed, suffix, &unit::suffix);
    if (found == allowed.end()) throw malformed();
    if (failure != std::errc{} || count > ceiling / found->in_ms) {
      total = ceiling;
    } else {
      total = std::min(ceiling, total + count * found->in_ms);
    }
    rest.remove_prefix(suffix.size());
    allowed = allowed.subspan(static_cast<std::size_t>(found - allowed.begin()) + 1);
  }
  const milliseconds value{total};
  if (value < least || value > most) {
    throw bad_value(text, fmt::format("is out of range: {} to {} is allowed", format_duration(least),
                                      format_duration(most)));
  }
  return value;
}

std::string format_duration(milliseconds value) {
  auto left = value.count();
  if (left == 0) return "0s";
  std::string text;
  // Hours are the greatest unit written: 24h reads better than 1d beside 30h.
  for (const auto& u : std::span(units).subspan(1)) {
    if (left / u.in_ms > 0) text += fmt::format("{}{}", left / u.in_ms, u.suffix);
    left %= u.in_ms;
  }
  return text;
}

std::uint64_t parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = !text.empty() && std::ranges::all_of(text, digit);
  if (!is_number || failure != std::errc{} || value < least || value > most) {
    throw bad_value(text, fmt::format("is not {}: {} to {} is allowed",
                                      is_number ? "in range" : "a whole number", least, most));
  }
  return value;
}

bool parse_toggle(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  throw bad_value(text, "is neither true nor false");
}

host_port parse_host_port(std::string_view text, std::uint16_t default_port) {
  std::string_view host, port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) throw bad_value(text, "lacks the closing ']' of an IPv6 address");
    host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    has_port = rest.starts_with(':');
    if (has_port) port = rest.substr(1);
    if (!has_port && !rest.empty()) throw bad_value(text, "is not [ADDRESS]:PORT");
  } else if (std::ranges::count(text, ':') > 1) {
    // A bare IPv6 address: where the port begins cannot be told.
    if (default_port == 0) throw bad_value(text, "is ambiguous: an IPv6 address is written [ADDRESS]:PORT");
    host = text;
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    host = text.substr(0, colon);
    has_port = colon < text.size();
    if (has_port) port = text.substr(colon + 1);
  }
  if (host.empty()) {
    throw bad_value(text, "has no address: ADDRESS:PORT is needed (0.0.0.0 or [::] listens on all)");
  }
  boost::system::error_code failure;
  const auto address = boost::asio::ip::make_address(std::string(host), failure);
  if (failure) {
    throw bad_value(
        text, fmt::format("does not begin with an IPv4 or [IPv6] address ({} is none)", printable(host)));
  }
  if (!has_port && default_port == 0) throw bad_value(text, "has no port: ADDRESS:PORT is needed");
  return {address.to_string(), has_port ? parse_port(text, port, default_port == 0 ? 0 : 1) : default_port};
}

std::string format_host_port(const host_port& value) {
  const bool v6 = value.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", value.host, value.port) : fmt::format("{}:{}", value.host, value.port);
}

alive_at_domain parse_alive_at_domain(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) {
    throw bad_value(text, "has no '@': BASE@DOMAIN is needed, as in app@app-headless.prod");
  }
  // The part before the '@' obeys the same rules as that of a whole name.
  std::string base(text.substr(0, at));
  std::ranges::replace_if(
      base, [](char c) { return c == '*' || c == '?'; }, 'x');  // a pattern
  if (const auto name = node_name::make(base, "host"); !name) {
    throw bad_value(text, fmt::format("is not BASE@DOMAIN: {}", name.error().message()));
  }
  const auto domain = text.substr(at + 1);
  if (domain.find('@') != std::string_view::npos)
    throw bad_value(text, "has more than one '@': BASE@DOMAIN is needed");
  check_domain(text, domain);
  return {std::string(text.substr(0, at)), std::string(domain)};
}

std::string parse_object_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  const auto end = [](char c) { return c != '-' && c != '.'; };
  if (text.empty() || text.size() > 253 || !std::ranges::all_of(text, fits) || !end(text.front()) ||
      !end(text.back())) {
    throw bad_value(text, "is no name of an object: lower case letters, digits, '-' and '.' are allowed");
  }
  return std::string(text);
}

alive_at_domain parse_alive_at_service(std::string_view text) {
  auto value = parse_alive_at_domain(text);
  const auto dot = value.domain.find('.');
  const auto fits = [](std::string_view label) {
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::ranges::all_of(
               label, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  };
  const std::string_view domain(value.domain);
  const bool has_namespace = dot != std::string::npos;
  if (!fits(domain.substr(0, dot)) || (has_namespace && !fits(domain.substr(dot + 1)))) {
    throw bad_value(text, "is not BASE@SERVICE or BASE@SERVICE.NAMESPACE, as in app@app.prod");
  }
  return value;
}

node_name parse_node(std::string_view text) {
  auto name = node_name::parse(text);
  if (!name) throw bad_value(text, fmt::format("is not a node name: {}", name.error().message()));
  return *std::move(name);
}

std::string parse_glob(std::string_view text) {
  constexpr std::string_view others = "_-.:[]%@*?";
  if (text.empty()) throw bad_value(text, "is an empty pattern: it would match nothing");
  if (!std::ranges::all_of(
          text, [&](char c) { return letter(c) || digit(c) || others.find(c) != std::string_view::npos; })) {
    throw bad_value(text, "is not a pattern of node names: those characters, and * and ?, are allowed");
  }
  return std::string(text);
}

node_name parse_own_name(std::string_view text, const std::string& default_host) {
  if (text.find('@') != std::string_view::npos) return parse_node(text);
  auto name = node_name::make(text, default_host);
  if (!name) {
    throw bad_value(text, fmt::format("with the host '{}' makes no node name: {}; give the whole NAME@HOST",
                                      printable(default_host), name.error().message()));
  }
  return *std::move(name);
}

http_url parse_url(std::string_view text) {
  const bool secure = text.starts_with("https://");
  const std::string_view scheme = secure ? "https://" : "http://";
  if (!text.starts_with(scheme)) throw bad_value(text, "is not http://HOST[:PORT]");
  const auto rest = text.substr(scheme.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto authority = rest.substr(0, slash);
  auto prefix = rest.substr(slash);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  const auto plain = [](char c) {
    return c > ' ' && c < '\x7f' && c != '?' && c != '#' && c != '"' && c != '<';
  };
  if (!std::ranges::all_of(prefix, plain)) throw bad_value(text, "is not http://HOST[:PORT][/PREFIX]");
  std::string_view host = authority, port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) throw bad_value(text, "lacks the closing ']' of an IPv6 address");
    host = authority.substr(1, close - 1);
    const auto after = authority.substr(close + 1);
    has_port = after.starts_with(':');
    if (!has_port && !after.empty()) throw bad_value(text, "is not http://[ADDRESS]:PORT");
    if (has_port) port = after.substr(1);
  } else if (const auto colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
    has_port = true;
  }
  constexpr std::string_view others = "_-.:%";
  if (host.empty() || !std::ranges::all_of(host, [&](char c) {
        return letter(c) || digit(c) || others.find(c) != std::string_view::npos;
      })) {
    throw bad_value(text, "has no good host: http://HOST[:PORT] is needed");
  }
  const std::uint16_t standard = secure ? 443 : 80;
  return {std::string(host), has_port ? parse_port(text, port, 1) : standard, std::string(prefix), secure};
}

std::string_view nearest_name(std::string_view text, std::span<const std::string_view> names) {
  std::string_view best;
  std::size_t best_distance = text.size() < 5 ? 2 : 3;
  for (const auto name : names) {
    if (name.size() > text.size() + 3 || text.size() > name.size() + 3) continue;
    const auto d = distance(text, name);
    // `--log` must not be corrected to `--dns`: most of the letters have to be right.
    if (d < best_distance && d * 2 < name.size()) {
      best = name;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace rollcall::app
