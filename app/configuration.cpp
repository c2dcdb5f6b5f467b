// load(): the sources in order of strength, then what is computed from them, then what contradicts itself.
#include "app/configuration.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "app/options.hpp"
#include "app/options_values.hpp"
#include "app/printable.hpp"

namespace rollcall::app {
namespace {

std::string value_of(const environment& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

bool is_default(const configuration& config, const std::string& flag) {
  return config.origin.at(flag) == "default";
}

void assign(configuration& config, const given& value, std::map<std::string, std::string>& places) {
  try {
    value.what->assign(config, value.values);
  } catch (const bad_value& problem) {
    throw configuration_error(fmt::format("{}: {}", value.place, problem.what()));
  }
  const std::string flag(value.what->flag);
  config.origin[flag] = value.origin;
  places[flag] = value.place;
}

void choose_sources(configuration& config, const environment& variables) {
  if (!config.srv.empty() || !config.dns.empty() || !config.kubernetes.empty() || !config.nodes.empty() ||
      config.local)
    return;
  if (!is_default(config, "local")) {
    throw configuration_error(
        fmt::format("{} is false and no other source is given: give --srv, --dns, --kubernetes or --node",
                    config.origin["local"]));
  }
  if (!value_of(variables, "KUBERNETES_SERVICE_HOST").empty()) {
    throw configuration_error(
        "no source is given, and this is Kubernetes (KUBERNETES_SERVICE_HOST is set): say where the nodes "
        "are, with "
        "--srv BASE@SERVICE or ROLLCALL_SRV, where SERVICE is a headless service; or with --kubernetes, "
        "--dns, "
        "--node or --local");
  }
  config.local = true;
}

std::string own_host(const configuration& config, const environment& variables) {
  const bool only_local = config.local && config.srv.empty() && config.dns.empty() &&
                          config.kubernetes.empty() && config.nodes.empty();
  if (only_local) return "127.0.0.1";
  if (auto address = value_of(variables, "POD_IP"); !address.empty()) return address;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

void choose_name(configuration& config, const environment& variables, const given* wanted) {
  const auto host = own_host(config, variables);
  if (wanted == nullptr) {
    auto name = node_name::make("rollcall", host);
    if (!name) {
      throw configuration_error(
          fmt::format("--name is needed: {} '{}' makes no node name: {}",
                      value_of(variables, "POD_IP") == host ? "POD_IP" : "the host's name", printable(host),
                      name.error().message()));
    }
    config.name = *std::move(name);
    return;
  }
  try {
    config.name = parse_own_name(wanted->values.front(), host);
  } catch (const bad_value& problem) {
    throw configuration_error(fmt::format("{}: {}", wanted->place, problem.what()));
  }
}

// Where the API server is, as every pod is told.
void find_kubernetes(configuration& config, const environment& variables) {
  const std::string flag = !config.kubernetes.empty()          ? "kubernetes"
                           : !config.kubernetes_record.empty() ? "kubernetes-record"
                                                               : "kubernetes-events";
  if (flag == "kubernetes-events" && !config.kubernetes_events) return;
  const auto host = value_of(variables, "KUBERNETES_SERVICE_HOST");
  if (host.empty()) {
    throw configuration_error(fmt::format(
        "{}: KUBERNETES_SERVICE_HOST is not set, so this is no pod: only in one is it known where the "
        "API server is",
        config.origin[flag]));
  }
  auto port = value_of(variables, "KUBERNETES_SERVICE_PORT");
  if (port.empty()) port = "443";
  try {
    config.kubernetes_api = host_port{host, static_cast<std::uint16_t>(parse_number(port, 1, 65'535))};
  } catch (const bad_value& problem) {
    throw configuration_error(fmt::format("KUBERNETES_SERVICE_PORT: {}", problem.what()));
  }
}

void choose_cookie(configuration& config, const environment& variables) {
  if (!is_default(config, "cookie-file")) return;
  if (!value_of(variables, "ROLLCALL_COOKIE").empty()) {
    config.cookie_from_environment = true;
    config.origin["cookie-file"] = "ROLLCALL_COOKIE";
  } else if (const auto home = value_of(variables, "HOME"); !home.empty()) {
    config.cookie_file = home + "/.erlang.cookie";
  }
}

// `rollcall members` beside a service that listens elsewhere (both read the same ROLLCALL_HTTP) asks the
// right one. [::] is listened on for IPv4, too, which a container's loopback has when it has no IPv6.
void choose_url(configuration& config) {
  if (!is_default(config, "url")) return;
  auto where = config.http;
  if (where.host == "0.0.0.0" || where.host == "::") where.host = "127.0.0.1";
  config.url =
      fmt::format("{}://{}", config.http_tls_cert.empty() ? "http" : "https", format_host_port(where));
}

void refuse_contradictions(const configuration& config, const std::map<std::string, std::string>& places) {
  const auto place = [&](const std::string& flag) {
    const auto found = places.find(flag);
    return found == places.end() ? "--" + flag : found->second;
  };
  if (config.prune_live && !config.prune_after) {
    throw configuration_error(
        fmt::format("{} without --prune-after does nothing: give both or neither", place("prune-live")));
  }
  if (config.peer_port == peer_port_mode::srv && config.srv.empty()) {
    throw configuration_error(
        fmt::format("{}: 'srv' needs a source with SRV records: give --srv", place("peer-port")));
  }
  for (const auto* flag : {"tls-cert", "tls-key", "tls-ca", "tls-verify", "tls-optfile"}) {
    if (config.tls || config.origin.at(flag) == "default") continue;
    if (config.origin.contains("tls") && config.origin.at("tls") != "default")
      break;  // off for now, and on purpose
    throw configuration_error(
        fmt::format("{} without --tls on does nothing: nodes are dialled without TLS; give "
                    "--tls on, or --tls off to say so",
                    place(flag)));
  }
  if (!config.http_tls_key.empty() && config.http_tls_cert.empty()) {
    throw configuration_error(fmt::format(
        "{} without --http-tls-cert does nothing: give both, or the certificate alone with its key in it",
        place("http-tls-key")));
  }
  if (config.kubernetes_events && config.kubernetes.empty()) {
    throw configuration_error(
        fmt::format("{}: which pods members run in is known from --kubernetes only: give it, too",
                    place("kubernetes-events")));
  }
  if (config.probe_timeout > config.interval) {
    throw configuration_error(fmt::format("{}: {} is longer than the interval, {}", place("probe-timeout"),
                                          format_duration(config.probe_timeout),
                                          format_duration(config.interval)));
  }
}

std::string allowed_commands(const option& what) {
  std::vector<std::string_view> names;
  for (const auto& c : commands()) {
    if (what.of(c.command)) names.push_back(c.name);
  }
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : i + 1 == names.size() ? " and " : ", ", names[i]);
  }
  return text;
}

std::string toml_text(std::string_view text) {
  return fmt::format("\"{}\"", json_escaped(text));
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string toml_value(const option& what, const std::vector<std::string>& shown) {
  if (what.kind == value_kind::list) {
    std::string text;
    for (const auto& value : shown) text += fmt::format("{}{}", text.empty() ? "" : ", ", toml_text(value));
    return fmt::format("[{}]", text);
  }
  const bool plain =
      what.kind == value_kind::toggle || (what.kind == value_kind::number && is_number(shown.front()));
  return plain ? shown.front() : toml_text(shown.front());
}

// What stands behind the command: of which node, or for how long.
void take_argument(configuration& config, const std::string& argument) {
  if (config.command != command::pause) {
    config.subject = argument;
    return;
  }
  try {
    config.pause = parse_duration(argument, std::chrono::seconds(1), std::chrono::days(7));
  } catch (const bad_value& problem) {
    throw configuration_error(fmt::format("rollcall pause: {}", problem.what()));
  }
}

}  // namespace

std::variant<configuration, early_exit> load(std::span<const std::string> arguments,
                                             const environment& variables) {
  const auto line = read_command_line(arguments);
  if (line.help) return early_exit{help_text(line.command)};
  if (line.version) return early_exit{"rollcall " ROLLCALL_VERSION "\n"};
  if (line.command == command::completion) return early_exit{completion_script(*line.argument)};
  if (line.command == command::man) return early_exit{manual_page()};

  configuration config;
  config.command = line.command.value_or(command::run);
  config.check_config = line.check_config;
  if (line.argument) take_argument(config, *line.argument);
  const bool asks = asks_a_running_rollcall(config.command);
  for (const auto& o : options()) config.origin[std::string(o.flag)] = "default";
  for (const auto& value : line.values) {
    if (value.what->of(config.command)) continue;
    throw configuration_error(fmt::format(
        "{} has no meaning for `rollcall {}`: it belongs to {}{}", value.place, to_string(config.command),
        allowed_commands(*value.what), asks && value.what->flag == "http" ? "; --url says where" : ""));
  }

  auto file = line.config_file;
  if (file.empty()) file = value_of(variables, "ROLLCALL_CONFIG");
  std::vector<std::vector<given>> by_strength;
  if (!file.empty()) by_strength.push_back(read_configuration_file(file));
  by_strength.push_back(read_environment(variables, config.warnings));
  by_strength.push_back(line.values);

  // A command that asks shares file and environment with the service beside it: what is not for it is not
  // looked at.
  std::map<std::string, std::string> places;
  const given* name = nullptr;
  for (const auto& source : by_strength) {
    for (const auto& value : source) {
      if (!value.what->of(config.command) && value.what->flag != "http" &&
          value.what->flag != "http-tls-cert") {
        continue;
      }
      assign(config, value, places);
      if (value.what->flag == "name") name = &value;
    }
  }
  if (is_default(config, "probe-timeout"))
    config.probe_timeout = std::min(milliseconds(1'000), config.interval / 4);
  choose_url(config);
  config.url_auth = value_of(variables, "ROLLCALL_URL_AUTH");
  choose_cookie(config, variables);
  if (asks) {
    // Never on the wire, but `name` is promised to be there.
    config.name = *node_name::make("rollcall", "127.0.0.1");
    return config;
  }
  choose_sources(config, variables);
  find_kubernetes(config, variables);
  choose_name(config, variables, name);
  refuse_contradictions(config, places);
  return config;
}

std::string to_toml(const configuration& config) {
  std::string text = "# rollcall: the effective configuration. Behind each value: where it came from.\n";
  std::optional<option_group> last;
  for (const auto& o : options()) {
    if (!o.of(config.command)) continue;
    if (last != o.group) text += fmt::format("\n# {}\n", title(o.group));
    last = o.group;
    const auto origin = config.origin.find(std::string(o.flag));
    const auto from = origin == config.origin.end() ? std::string("default") : printable(origin->second);
    const auto shown = o.show(config);
    if (o.flag == "cookie-file" && config.cookie_from_environment) {
      text += "# cookie-file: the cookie comes from ROLLCALL_COOKIE\n";
    } else if (shown.empty() && o.kind != value_kind::list) {
      text += fmt::format("# {}: not set\n", o.flag);
    } else {
      text += fmt::format("{} = {}  # {}\n", o.flag, toml_value(o, shown), from);
    }
  }
  return text;
}

membership::report::document to_document(const configuration& config) {
  using namespace membership::report;
  document made;
  auto& values = made.value.emplace<object>();
  for (const auto& o : options()) {
    if (!o.of(config.command)) continue;
    const auto shown = o.show(config);
    std::string key(o.flag);
    std::ranges::replace(key, '-', '_');
    if (o.is_duration()) key += "_ms";
    document value{nil{}};
    if (o.kind == value_kind::list) {
      array items;
      for (const auto& each : shown) {
        items.push_back(o.flag == "node" ? document{symbol{each}} : document{text{each}});
      }
      value = {std::move(items)};
    } else if (!shown.empty()) {
      const auto& only = shown.front();
      std::int64_t number = 0;
      const auto [end, failed] = std::from_chars(only.data(), only.data() + only.size(), number);
      if (o.is_duration()) {
        const bool off = only == "off";
        constexpr auto most = std::chrono::hours(24 * 365);
        value = off ? document{nil{}}
                    : document{static_cast<std::int64_t>(parse_duration(only, {}, most).count())};
      } else if (o.kind == value_kind::toggle) {
        value = {only == "true"};
      } else if (o.kind == value_kind::number && failed == std::errc() && end == only.data() + only.size()) {
        value = {number};
      } else if (o.flag == "name") {
        value = {symbol{only}};
      } else {
        value = {text{only}};
      }
    }
    values.push_back({std::move(key), std::move(value)});
  }
  return made;
}

}  // namespace rollcall::app
