#include "cnode/mistakes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace rollcall::cnode {
namespace {

constexpr std::size_t max_names = 8;

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view without_final_dot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

}  // namespace

std::string registered_instead(std::string_view alive, std::span<const epmd::name_entry> names) {
  if (names.empty()) return "no node is registered there";
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), max_names); ++i) {
    list += (i == 0 ? "" : ", ") + names[i].alive;
  }
  if (names.size() > max_names) list += fmt::format(" and {} more", names.size() - max_names);
  for (const auto& each : names) {
    if (same_letters(each.alive, alive)) {
      return fmt::format("it has {}: names differ by case", each.alive);
    }
    // A release in the name: app-01HX where app is asked for.
    if (each.alive.size() > alive.size() + 1 && each.alive.starts_with(alive) &&
        (each.alive[alive.size()] == '-' || each.alive[alive.size()] == '_')) {
      return fmt::format("it has {}; where a release is part of the name, a pattern finds it: '{}{}*@...'",
                         list, alive, each.alive[alive.size()]);
    }
  }
  return fmt::format("it has {}", list);
}

std::string otherwise_named(const node_name& wanted, const node_name& own) {
  if (own.kind() == name_kind::short_name && wanted.kind() == name_kind::long_name) {
    return fmt::format(
        "this is a short name: start the node with RELEASE_DISTRIBUTION=name and RELEASE_NODE={} (erl: -name "
        "{})",
        wanted.text(), wanted.text());
  }
  if (own.kind() == name_kind::long_name && wanted.kind() == name_kind::short_name) {
    return fmt::format("this is a long name: list it as {}", own.text());
  }
  const bool same_alive = own.alive() == wanted.alive();
  if (!same_alive && same_letters(own.alive(), wanted.alive()))
    return "the parts before the '@' differ by case, which counts there";
  if (same_alive && same_letters(without_final_dot(own.host()), without_final_dot(wanted.host())))
    return "the hosts differ by case or a final dot only";
  if (!same_alive && own.host() == wanted.host())
    return fmt::format("only the part before the '@' differs: BASE is {} here", own.alive());
  return "discovery and the node must use the same name";
}

std::string_view spoken_there(std::span<const unsigned char> first) {
  const auto begins = [&](std::string_view text) {
    return first.size() >= text.size() &&
           std::equal(text.begin(), text.end(), first.begin(),
                      [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
  };
  if (begins("HTTP/") || begins("HTTP")) return "HTTP: this is no distribution port";
  if (begins("SSH-")) return "SSH: this is no distribution port";
  constexpr unsigned char alert = 21, handshake = 22, ssl3 = 3;
  if (first.size() >= 2 && (first[0] == alert || first[0] == handshake) && first[1] == ssl3)
    return "TLS, and we do not: the node is started with -proto_dist inet_tls, so give --tls on";
  return {};
}

}  // namespace rollcall::cnode
