// How an option's text is read and written: durations, addresses, host:port, BASE@DOMAIN, globs, the URL of a
// client command. Every function here throws bad_value, whose sentence says what is allowed; the caller adds
// where it stood.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "app/configuration.hpp"

namespace rollcall::app {

struct bad_value : std::runtime_error {
  bad_value(std::string_view text, std::string_view problem);  // "'5' is not a duration: ..."
};

// 500ms, 5s, 2m, 1h30m, 7d: whole numbers, each with a unit, the greater unit first.
milliseconds parse_duration(std::string_view text, milliseconds least, milliseconds most);
std::string format_duration(milliseconds);

std::uint64_t parse_number(std::string_view text, std::uint64_t least, std::uint64_t most);
bool parse_toggle(std::string_view text);

// ADDRESS:PORT with a literal address, [v6]:PORT; `default_port` 0 makes the port obligatory. `host` has no
// brackets.
host_port parse_host_port(std::string_view text, std::uint16_t default_port);
std::string format_host_port(const host_port&);

// The name of an object of Kubernetes.
std::string parse_object_name(std::string_view text);
// BASE@SERVICE[.NAMESPACE], both as Kubernetes names them.
alive_at_domain parse_alive_at_service(std::string_view text);
alive_at_domain parse_alive_at_domain(std::string_view text);
node_name parse_node(std::string_view text);
std::string parse_glob(std::string_view text);
// NAME@HOST, or NAME alone: `default_host` is asked for only then.
node_name parse_own_name(std::string_view text, const std::string& default_host);

// http://HOST[:PORT][/PREFIX], or https://
struct http_url {
  std::string host;  // without brackets
  std::uint16_t port = 80;
  std::string prefix;  // without a slash at its end
  bool secure = false;
};
http_url parse_url(std::string_view text);

// The nearest of `names` when it is near enough to be what was meant (a letter or two off), else empty.
std::string_view nearest_name(std::string_view text, std::span<const std::string_view> names);

}  // namespace rollcall::app
