#include "app/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "app/options_kinds.hpp"

namespace rollcall::app {
namespace {

using values = option_texts;
using namespace std::chrono_literals;
using group = option_group;

std::string write_alive_at_domain(const alive_at_domain& value) {
  return fmt::format("{}@{}", value.alive, value.domain);
}
std::string write_node(const node_name& value) {
  return value.text();
}
std::string write_glob(const std::string& value) {
  return value;
}

option peer_port_option() {
  return {
      "peer-port",
      group::discovery,
      value_kind::number,
      "HOW",
      "how the port of a node is found: asked of its epmd, taken from its SRV record, or always this number",
      "epmd, srv or 1 to 65535",
      "",
      [](configuration& c, const values& given) {
        const auto& text = given.front();
        c.fixed_peer_port = 0;
        if (text == "epmd") {
          c.peer_port = peer_port_mode::epmd;
        } else if (text == "srv") {
          c.peer_port = peer_port_mode::srv;
        } else {
          try {
            c.fixed_peer_port = static_cast<std::uint16_t>(parse_number(text, 1, 65'535));
          } catch (const bad_value&) {
            throw bad_value(text, "is not known: epmd, srv or a port from 1 to 65535 is allowed");
          }
          c.peer_port = peer_port_mode::fixed;
        }
      },
      [](const configuration& c) {
        if (c.peer_port == peer_port_mode::epmd) return values{"epmd"};
        if (c.peer_port == peer_port_mode::srv) return values{"srv"};
        return values{std::to_string(c.fixed_peer_port)};
      }};
}

option name_option() {
  return {
      "name", group::identity, value_kind::text, "NAME[@HOST]",
      "own node name; NAME alone is completed with the default's host", "",
      "rollcall@$POD_IP, else rollcall@ the host's name; rollcall@127.0.0.1 when --local is the only source",
      // The host it may need is known only at the end: load() sees to this one.
      [](configuration&, const values&) {},
      [](const configuration& c) { return c.name ? values{c.name->text()} : values{}; }};
}

option prune_after_option() {
  constexpr milliseconds least = 1s, most = 720h;
  return {
      "prune-after",
      group::healing,
      value_kind::text,
      "TIME",
      "take nodes out of the mesh that discovery has not listed for this long and that are not healthy",
      fmt::format("off, or {} to {}", format_duration(least), format_duration(most)),
      "off",
      [=](configuration& c, const values& given) {
        c.prune_after.reset();
        if (given.front() != "off") c.prune_after = parse_duration(given.front(), least, most);
      },
      [](const configuration& c) { return values{c.prune_after ? format_duration(*c.prune_after) : "off"}; }};
}

option kubernetes_record_option() {
  return {
      "kubernetes-record",
      group::healing,
      value_kind::text,
      "NAME",
      "a ConfigMap of the pod's own namespace, where incidents and the last day's history outlive the pod",
      "",
      "none",
      [](configuration& c, const values& given) { c.kubernetes_record = parse_object_name(given.front()); },
      [](const configuration& c) {
        return c.kubernetes_record.empty() ? values{} : values{c.kubernetes_record};
      }};
}

option dns_server_option() {
  return {"dns-server",
          group::discovery,
          value_kind::text,
          "ADDRESS[:PORT]",
          "name server to ask instead of resolv.conf's",
          "port 53 when none is given",
          "resolv.conf's",
          [](configuration& c, const values& given) { c.dns_server = parse_host_port(given.front(), 53); },
          [](const configuration& c) {
            return c.dns_server ? values{format_host_port(*c.dns_server)} : values{};
          }};
}

option log_level_option() {
  auto made = choice_option<log_level>("log-level", group::logging, "least level that is logged",
                                       &configuration::level,
                                       {{"debug", log_level::debug},
                                        {"info", log_level::info},
                                        {"warning", log_level::warning},
                                        {"error", log_level::error}});
  // What many programs call it.
  made.assign = [as_named = std::move(made.assign)](configuration& c, const values& given) {
    as_named(c, given.front() == "warn" ? values{"warning"} : given);
  };
  return made;
}

option http_option() {
  return {"http",
          group::serving,
          value_kind::text,
          "ADDRESS:PORT",
          "where metrics, API and page are served; 0.0.0.0 or [::] for all addresses, port 0 for any",
          "",
          "",
          [](configuration& c, const values& given) { c.http = parse_host_port(given.front(), 0); },
          [](const configuration& c) { return values{format_host_port(c.http)}; }};
}

option state_option() {
  static constexpr std::array states{"joining", "up", "suspect", "leaving", "down", "left"};
  return {"state",
          group::asking,
          value_kind::text,
          "STATE",
          "only members in this state",
          "joining, up, suspect, leaving, down or left",
          "all, but those that left more than ten minutes ago",
          [](configuration& c, const values& given) {
            if (std::ranges::find(states, given.front()) == states.end())
              throw bad_value(given.front(),
                              "is no state: joining, up, suspect, leaving, down or left is allowed");
            c.state = given.front();
          },
          [](const configuration& c) { return c.state.empty() ? values{} : values{c.state}; }};
}

option url_option() {
  return {"url",
          group::asking,
          value_kind::text,
          "URL",
          "the rollcall to ask",
          "http[s]://HOST[:PORT][/PREFIX]",
          "where --http of this configuration is reached: http://127.0.0.1:14369",
          [](configuration& c, const values& given) {
            parse_url(given.front());
            c.url = given.front();
          },
          [](const configuration& c) { return values{c.url}; }};
}

std::vector<option> discovery_options() {
  using c = configuration;
  return {
      list_option<alive_at_domain>(
          "srv", group::discovery, "BASE@DOMAIN",
          "SRV lookup of a headless service: each target T is the node BASE@T; with a pattern for BASE, as "
          "in "
          "'*@web', nodes tell their names themselves. A DOMAIN of one or two labels (service, "
          "service.namespace) is completed from resolv.conf",
          &c::srv, parse_alive_at_domain, write_alive_at_domain),
      list_option<alive_at_domain>(
          "dns", group::discovery, "BASE@DOMAIN",
          "A and AAAA lookup: each address is the node BASE@ADDRESS; BASE may be a pattern, as with --srv",
          &c::dns, parse_alive_at_domain, write_alive_at_domain),
      list_option<alive_at_domain>(
          "kubernetes", group::discovery, "BASE@SERVICE[.NAMESPACE]",
          "the endpoints of a service, listed and watched at the API server of Kubernetes, which tells those "
          "that stop from those that fail, and their machines; BASE may be a pattern, as with --srv",
          &c::kubernetes, parse_alive_at_service, write_alive_at_domain),
      list_option<node_name>("node", group::discovery, "NAME@HOST", "a node known by name", &c::nodes,
                             parse_node, write_node),
      toggle_option("local", group::discovery, "every node registered with this machine's epmd",
                    "true when no other source is given outside Kubernetes", &c::local),
      list_option<std::string>("ignore", group::discovery, "PATTERN",
                               "node names that are never members; * and ? match anything", &c::ignore,
                               parse_glob, write_glob),
      number_option("expect", group::discovery, "N",
                    "how many members there should be, when discovery cannot know", &c::expect, 0, 10'000),
      peer_port_option(),
      dns_server_option(),
      duration_option("dns-timeout", group::discovery, "limit for one lookup, retries included", "",
                      &c::dns_timeout, 100ms, 1min),
      choice_option<discovery::address_family>(
          "dns-family", group::discovery,
          "which addresses are asked for and dialled: IPv4 and IPv6, or one of them", &c::family,
          {{"auto", discovery::address_family::both},
           {"4", discovery::address_family::v4},
           {"6", discovery::address_family::v6}}),
      toggle_option("dns-tcp", group::discovery, "ask name servers over TCP only", "", &c::dns_tcp),
      duration_option("linger", group::discovery,
                      "how long a node stays listed after the last answer that had it, for name servers that "
                      "answer with some of many",
                      "", &c::linger, 0ms, 1h),
      choice_option<mesh_mode>("mesh", group::discovery,
                               "of nodes found by a pattern: those with the same BASE are one mesh, so that "
                               "deploys which are meant "
                               "to be apart stay apart; or all are",
                               &c::mesh, {{"base", mesh_mode::base}, {"all", mesh_mode::all}}),
  };
}

std::vector<option> identity_options() {
  using c = configuration;
  return {
      name_option(),
      path_option(
          "cookie-file", group::identity, "FILE",
          "file with the cookie, read again when it changes; several lines are tried in order. It wins over "
          "the variable ROLLCALL_COOKIE. There is no flag for the cookie itself",
          "~/.erlang.cookie, created as erl does when it is missing", &c::cookie_file),
      choice_option<bool>("tls", group::identity,
                          "whether TLS is spoken with nodes, as they do with -proto_dist inet_tls", &c::tls,
                          {{"off", false}, {"on", true}}),
      path_option("tls-cert", group::identity, "FILE",
                  "certificate (PEM) that is shown to nodes, with those between it and its CA. This and the "
                  "other files "
                  "are read again when they change",
                  "none", &c::tls_cert),
      path_option("tls-key", group::identity, "FILE", "its key (PEM)", "the file of --tls-cert", &c::tls_key),
      path_option("tls-ca", group::identity, "FILE", "CAs (PEM) whose certificates of nodes are believed",
                  "none", &c::tls_ca),
      choice_option<tls_verify_mode>(
          "tls-verify", group::identity,
          "whether nodes have to show a certificate of such a CA, and those that are "
          "dialled one for their host; with --tls-optfile what the file says, unless this is given",
          &c::tls_verify, {{"peer", tls_verify_mode::peer}, {"none", tls_verify_mode::none}}),
      path_option(
          "tls-optfile", group::identity, "FILE",
          "the nodes' own file (-ssl_dist_optfile), from which certfile, keyfile, cacertfile, verify, "
          "versions and a few more are taken; the options above win over it",
          "none", &c::tls_optfile),
      number_option("dist-port", group::identity, "PORT", "own distribution port, 0 for any", &c::dist_port,
                    0, 65'535),
      choice_option<epmd_mode>("epmd", group::identity,
                               "how others find us: registered with this machine's port mapper, or being it; "
                               "auto registers, or is it when none runs",
                               &c::epmd,
                               {{"auto", epmd_mode::automatic},
                                {"register", epmd_mode::register_only},
                                {"serve", epmd_mode::serve},
                                {"none", epmd_mode::none}}),
  };
}

std::vector<option> rounds_options() {
  using c = configuration;
  return {
      duration_option("interval", group::rounds, "time between rounds", "", &c::interval, 100ms, 1h),
      duration_option("connect-timeout", group::rounds, "limit for one dial, handshake included", "",
                      &c::connect_timeout, 100ms, 10min),
      duration_option("wait", group::rounds, "repeat until nothing is wrong, or until then", "", &c::wait,
                      0ms, 1h),
      duration_option("probe-timeout", group::rounds,
                      "limit for one link or path probe, at most the interval",
                      "the smaller of 1s and a quarter of the interval", &c::probe_timeout, 10ms, 1min),
      choice_option<view_mode>(
          "views", group::rounds,
          "how changes are seen: the nodes report them at once, or are asked every round", &c::views,
          {{"push", view_mode::push}, {"poll", view_mode::poll}}),
  };
}

std::vector<option> healing_options() {
  using c = configuration;
  return {
      choice_option<heal_mode>(
          "heal", group::healing,
          "what is done about missing links: what is safe; nothing (observe only); every missing pair is "
          "asked for; nothing, but what would be asked is told and logged",
          &c::heal,
          {{"auto", heal_mode::automatic},
           {"off", heal_mode::off},
           {"all", heal_mode::all},
           {"plan", heal_mode::plan}}),
      duration_option("introduce-timeout", group::healing,
                      "how long a new node waits for every member to be able to reach it", "",
                      &c::introduce_timeout, 0ms, 1h),
      prune_after_option(),
      toggle_option("prune-live", group::healing, "with --prune-after: healthy nodes, too", "",
                    &c::prune_live),
      duration_option("reap-after", group::healing, "forget members that left after", "", &c::reap_after, 1s,
                      8760h),
      kubernetes_record_option(),
      toggle_option("kubernetes-events", group::healing,
                    "a netsplit's opening and closing become Events on the pods that it cuts off (with "
                    "--kubernetes)",
                    "", &c::kubernetes_events),
      path_option("state-dir", group::healing, "DIRECTORY",
                  "where incidents and the last day's history outlive a restart", "none", &c::state_dir),
  };
}

std::vector<option> serving_and_logging_options() {
  using c = configuration;
  return {
      http_option(),
      path_option(
          "http-tls-cert", group::serving, "FILE",
          "certificate (PEM) with which they are served over HTTPS, with those between it and its CA. "
          "This and the other files are read again when they change",
          "none: plain HTTP", &c::http_tls_cert),
      path_option("http-tls-key", group::serving, "FILE", "its key (PEM)", "the file of --http-tls-cert",
                  &c::http_tls_key),
      path_option("http-auth-file", group::serving, "FILE",
                  "names with hashes of their passwords, as `htpasswd -nB NAME` writes them: who may ask. "
                  "/healthz and /readyz stay open",
                  "none: everyone may", &c::http_auth_file),
      number_option("max-link-series", group::serving, "N", "most series of the metric link_up",
                    &c::max_link_series, 0, 1'000'000),
      log_level_option(),
      choice_option<log_format>("log-format", group::logging, "lines for people or for collectors",
                                &c::format, {{"text", log_format::text}, {"json", log_format::json}}),
  };
}

std::vector<option> asking_options() {
  using c = configuration;
  return {
      url_option(),
      path_option("url-ca", group::asking, "FILE", "CAs (PEM) whose certificate the rollcall has to show",
                  "the system's; of one on this machine --http-tls-cert", &c::url_ca),
      path_option(
          "url-auth-file", group::asking, "FILE",
          "NAME:PASSWORD to ask with; the variable ROLLCALL_URL_AUTH may hold it instead. There is no "
          "flag for the password itself",
          "none", &c::url_auth_file),
      toggle_option("json", group::asking, "print the answer as JSON instead of a table", "", &c::json),
      number_option("last", group::asking, "N", "how many events `events` prints", &c::last, 1, 100'000),
      toggle_option("follow", group::asking, "`events` goes on with those that come", "", &c::follow),
      state_option(),
      toggle_option("all", group::asking, "`doctor` prints the steps of nodes that are well, too", "",
                    &c::all),
      path_option("bundle", group::asking, "FILE",
                  "`doctor` writes what a bug report needs, never the cookie", "none", &c::bundle),
  };
}

// In the order of --help.
std::vector<option> make_options() {
  std::vector<option> all;
  for (const auto& make : {discovery_options, identity_options, rounds_options, healing_options,
                           serving_and_logging_options, asking_options}) {
    std::ranges::move(make(), std::back_inserter(all));
  }
  return all;
}

constexpr std::array<action, 4> all_actions{{
    {"config", "c", "FILE", "file with options (TOML); the variable is ROLLCALL_CONFIG"},
    {"check-config", "", "", "print the effective configuration, never the cookie, and stop"},
    {"help", "h", "", "print this and stop"},
    {"version", "V", "", "print the version and stop"},
}};

}  // namespace

std::string_view title(option_group where) {
  switch (where) {
    case group::discovery:
      return "Who should be here";
    case group::identity:
      return "Own name, cookie and port";
    case group::rounds:
      return "Rounds and limits";
    case group::healing:
      return "Healing and forgetting";
    case group::serving:
      return "Metrics, API and page";
    case group::logging:
      return "Log";
    case group::asking:
      return "Asking a running rollcall";
    case group::file:
      return "Configuration";
  }
  return {};
}

std::string option::variable() const {
  std::string text = "ROLLCALL_";
  for (const char c : flag)
    text += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return text;
}

std::span<const option> options() {
  static const std::vector<option> table = make_options();
  return table;
}

const option* find_option(std::string_view flag) {
  const auto found = std::ranges::find(options(), flag, &option::flag);
  return found == options().end() ? nullptr : &*found;
}

std::span<const action> actions() {
  return all_actions;
}

std::string default_text(const option& what) {
  if (!what.standard.empty()) return std::string(what.standard);
  const auto shown = what.show(configuration{});
  return shown.empty() ? "none" : shown.front();
}

}  // namespace rollcall::app
