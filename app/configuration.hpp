// What the operator asked for: flags over environment over file over defaults, checked before anything is
// dialled. Names, meanings and defaults: docs/configuration.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "cnode/node.hpp"
#include "discovery/resolver.hpp"
#include "membership/report.hpp"
#include "membership/settings.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::app {

using std::chrono::milliseconds;

enum class command {
  run,
  check,
  doctor,
  members,
  status,
  partitions,
  netsplits,
  events,
  healthcheck,
  pause,
  resume,
  why,
  watch,
  completion,
  man
};
using membership::heal_mode;
using epmd_mode = cnode::port_mapper_mode;
enum class view_mode { push, poll };
enum class log_level { debug, info, warning, error };
enum class log_format { text, json };
enum class peer_port_mode { epmd, srv, fixed };
enum class mesh_mode { base, all };
enum class tls_verify_mode { peer, none };

struct host_port {
  std::string host;
  std::uint16_t port = 0;
};
struct alive_at_domain {
  std::string alive, domain;
};

struct configuration {
  app::command command = command::run;
  std::vector<alive_at_domain> srv, dns;
  std::vector<alive_at_domain> kubernetes;    // the domain is SERVICE[.NAMESPACE]
  std::optional<host_port> kubernetes_api{};  // of what asks it: KUBERNETES_SERVICE_HOST and _PORT
  std::string kubernetes_record;              // a ConfigMap; empty: none
  bool kubernetes_events = false;
  std::vector<node_name> nodes;
  bool local = false;  // set, too, when no source was given outside Kubernetes
  std::vector<std::string> ignore;
  std::size_t expect = 0;
  peer_port_mode peer_port = peer_port_mode::epmd;
  std::uint16_t fixed_peer_port = 0;  // of peer_port_mode::fixed
  std::optional<node_name> name;      // resolved: never absent after load()
  std::string cookie_file;            // path; empty when the cookie came from ROLLCALL_COOKIE
  bool cookie_from_environment = false;
  bool tls = false;  // with nodes
  std::string tls_cert, tls_key, tls_ca, tls_optfile;
  tls_verify_mode tls_verify = tls_verify_mode::peer;
  milliseconds interval{5'000}, connect_timeout{5'000}, probe_timeout{1'000};
  std::optional<host_port> dns_server;
  milliseconds dns_timeout{2'000};
  discovery::address_family family = discovery::address_family::both;
  bool dns_tcp = false;
  mesh_mode mesh = mesh_mode::base;
  milliseconds linger{0};  // --linger
  heal_mode heal = heal_mode::automatic;
  milliseconds pause{0};  // of `rollcall pause TIME`
  milliseconds wait{0};   // of `check` and `doctor`
  milliseconds introduce_timeout{30'000};
  std::optional<milliseconds> prune_after;
  bool prune_live = false;
  milliseconds reap_after{86'400'000};
  view_mode views = view_mode::push;
  host_port http{"127.0.0.1", 14369};
  std::string http_tls_cert, http_tls_key, http_auth_file;
  std::size_t max_link_series = 2'500;
  std::string state_dir;
  std::uint16_t dist_port = 0;
  epmd_mode epmd = epmd_mode::automatic;
  log_level level = log_level::info;
  log_format format = log_format::text;
  // Of the commands that ask a running rollcall.
  std::string url = "http://127.0.0.1:14369";  // when not given: where this configuration's `http` is reached
  std::string url_ca, url_auth_file;           // files; empty: the system's CAs, nobody's password
  std::string url_auth{};                      // NAME:PASSWORD, of ROLLCALL_URL_AUTH
  bool json = false;
  std::size_t last = 50;  // of `events`
  bool follow = false;    // of `events`
  std::string state{};    // of `members`: only those in it
  bool all = false;       // of `doctor`: the steps of nodes that are well, too
  std::string bundle{};   // of `doctor`: the file to write
  std::string subject{};  // the NODE of `members` and `why`
  bool check_config = false;

  // Where each effective value came from: flag -> "default", "--flag", "ROLLCALL_FLAG", "file:key".
  std::map<std::string, std::string> origin;
  // To be logged once: ROLLCALL_* variables that are no option (and neither Kubernetes' nor a near miss,
  // which is an error).
  std::vector<std::string> warnings;
};

// A bad value, key or combination: what() is the whole sentence (it names the flag, the variable or file:key,
// the value, what is allowed). Exit code 2.
struct configuration_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// --help, --version: printed to standard output, exit 0.
struct early_exit {
  std::string output;
};

using environment = std::map<std::string, std::string>;

// `arguments` without the program's name. Reads the --config file and, for the own name, $POD_IP and the
// host's name.
std::variant<configuration, early_exit> load(std::span<const std::string> arguments, const environment&);

// --check-config: every option of the command with its effective value and where it came from, as TOML that
// load() accepts. Never the cookie.
std::string to_toml(const configuration&);

// config/0: the same values under the same names, with underscores; durations in ms, under NAME_ms. A list is
// a list of texts (of atoms for nodes), what is not set nil.
membership::report::document to_document(const configuration&);

}  // namespace rollcall::app
