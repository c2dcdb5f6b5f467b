// Sources and their strength, exact sentences for what is wrong, what is computed, and --check-config fed
// back.
#include "app/configuration.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "app/options.hpp"

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using arguments = std::vector<std::string>;

configuration loaded(const arguments& given, const environment& variables = {}) {
  return std::get<configuration>(load(given, variables));
}

std::string problem_of(const arguments& given, const environment& variables = {}) {
  try {
    load(given, variables);
  } catch (const configuration_error& problem) {
    return problem.what();
  }
  return {};
}

std::vector<std::string> written(const std::vector<alive_at_domain>& values) {
  std::vector<std::string> texts;
  for (const auto& value : values) texts.push_back(value.alive + "@" + value.domain);
  return texts;
}

class file_of_options {
 public:
  explicit file_of_options(const std::string& text) {
    std::string pattern = (std::filesystem::temp_directory_path() / "rollcall-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    std::ofstream(path()) << text;
  }
  file_of_options(const file_of_options&) = delete;
  file_of_options& operator=(const file_of_options&) = delete;
  ~file_of_options() { std::filesystem::remove_all(directory_); }
  std::string path() const { return directory_ + "/rollcall.toml"; }

 private:
  std::string directory_;
};

TEST(Configuration, DefaultsAreThoseOfTheInterface) {
  const auto c = loaded({}, {{"HOME", "/home/op"}});
  EXPECT_EQ(c.command, command::run);
  EXPECT_TRUE(c.local);
  EXPECT_EQ(c.name->text(), "rollcall@127.0.0.1");
  EXPECT_EQ(c.cookie_file, "/home/op/.erlang.cookie");
  EXPECT_FALSE(c.cookie_from_environment);
  EXPECT_EQ(c.interval, 5s);
  EXPECT_EQ(c.connect_timeout, 5s);
  EXPECT_EQ(c.probe_timeout, 1s);
  EXPECT_EQ(c.dns_timeout, 2s);
  EXPECT_EQ(c.introduce_timeout, 30s);
  EXPECT_EQ(c.reap_after, 24h);
  EXPECT_FALSE(c.prune_after.has_value());
  EXPECT_FALSE(c.dns_server.has_value());
  EXPECT_EQ(c.peer_port, peer_port_mode::epmd);
  EXPECT_EQ(c.heal, heal_mode::automatic);
  EXPECT_EQ(c.views, view_mode::push);
  EXPECT_EQ(c.epmd, epmd_mode::automatic);
  EXPECT_EQ(c.http.host, "127.0.0.1");
  EXPECT_EQ(c.http.port, 14369);
  EXPECT_EQ(c.max_link_series, 2500U);
  EXPECT_EQ(c.dist_port, 0);
  EXPECT_EQ(c.level, log_level::info);
  EXPECT_EQ(c.format, log_format::text);
  EXPECT_THAT(c.warnings, IsEmpty());
  for (const auto& [flag, origin] : c.origin) EXPECT_EQ(origin, "default") << flag;
  EXPECT_EQ(c.origin.size(), options().size());
}

TEST(Configuration, EveryFlagReachesItsPlace) {
  const auto c = loaded({"--srv",
                         "app@headless.prod",
                         "--srv=b@c",
                         "--dns",
                         "app@pods.prod",
                         "--node",
                         "n@10.0.0.1",
                         "--local",
                         "--ignore",
                         "remsh-*",
                         "--expect",
                         "3",
                         "--peer-port",
                         "4370",
                         "--name",
                         "watch@10.9.9.9",
                         "--cookie-file",
                         "/etc/cookie",
                         "--interval",
                         "2s",
                         "--connect-timeout",
                         "3s",
                         "--probe-timeout",
                         "200ms",
                         "--dns-server",
                         "[fd00::a]:5353",
                         "--dns-timeout",
                         "1s",
                         "--heal",
                         "all",
                         "--introduce-timeout",
                         "1m",
                         "--prune-after",
                         "10m",
                         "--prune-live",
                         "--reap-after",
                         "1h",
                         "--views",
                         "poll",
                         "--http",
                         "[::]:9090",
                         "--max-link-series",
                         "7",
                         "--state-dir",
                         "/var/lib/rollcall",
                         "--dist-port",
                         "4371",
                         "--epmd",
                         "register",
                         "--log-level",
                         "debug",
                         "--log-format",
                         "json",
                         "--dns-family",
                         "6",
                         "--dns-tcp",
                         "--linger",
                         "1m",
                         "--mesh",
                         "all",
                         "--kubernetes",
                         "app@pods.prod",
                         "--kubernetes-record",
                         "incidents",
                         "--kubernetes-events",
                         "--tls",
                         "on",
                         "--tls-cert",
                         "/etc/tls/tls.crt",
                         "--tls-key",
                         "/etc/tls/tls.key",
                         "--tls-ca",
                         "/etc/tls/ca.crt",
                         "--tls-verify",
                         "none",
                         "--tls-optfile",
                         "/etc/ssl_dist.conf",
                         "--http-tls-cert",
                         "/etc/web/tls.crt",
                         "--http-tls-key",
                         "/etc/web/tls.key",
                         "--http-auth-file",
                         "/etc/web/auth"},
                        {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}});
  EXPECT_THAT(written(c.srv), ElementsAre("app@headless.prod", "b@c"));
  EXPECT_THAT(written(c.dns), ElementsAre("app@pods.prod"));
  ASSERT_EQ(c.nodes.size(), 1U);
  EXPECT_EQ(c.nodes.front().text(), "n@10.0.0.1");
  EXPECT_TRUE(c.local);
  EXPECT_THAT(c.ignore, ElementsAre("remsh-*"));
  EXPECT_EQ(c.expect, 3U);
  EXPECT_EQ(c.peer_port, peer_port_mode::fixed);
  EXPECT_EQ(c.fixed_peer_port, 4370);
  EXPECT_EQ(c.name->text(), "watch@10.9.9.9");
  EXPECT_EQ(c.cookie_file, "/etc/cookie");
  EXPECT_EQ(c.interval, 2s);
  EXPECT_EQ(c.connect_timeout, 3s);
  EXPECT_EQ(c.probe_timeout, 200ms);
  EXPECT_EQ(c.dns_server->host, "fd00::a");
  EXPECT_EQ(c.dns_server->port, 5353);
  EXPECT_EQ(c.dns_timeout, 1s);
  EXPECT_EQ(c.heal, heal_mode::all);
  EXPECT_EQ(c.introduce_timeout, 1min);
  EXPECT_EQ(c.prune_after, milliseconds(10min));
  EXPECT_TRUE(c.prune_live);
  EXPECT_EQ(c.reap_after, 1h);
  EXPECT_EQ(c.views, view_mode::poll);
  EXPECT_EQ(c.http.host, "::");
  EXPECT_EQ(c.http.port, 9090);
  EXPECT_EQ(c.max_link_series, 7U);
  EXPECT_EQ(c.state_dir, "/var/lib/rollcall");
  EXPECT_EQ(c.dist_port, 4371);
  EXPECT_EQ(c.epmd, epmd_mode::register_only);
  EXPECT_EQ(c.level, log_level::debug);
  EXPECT_EQ(c.format, log_format::json);
  EXPECT_EQ(c.family, discovery::address_family::v6);
  EXPECT_TRUE(c.dns_tcp);
  EXPECT_EQ(c.linger, 1min);
  EXPECT_EQ(c.mesh, mesh_mode::all);
  EXPECT_THAT(written(c.kubernetes), ElementsAre("app@pods.prod"));
  EXPECT_EQ(c.kubernetes_record, "incidents");
  EXPECT_TRUE(c.kubernetes_events);
  EXPECT_TRUE(c.tls);
  EXPECT_EQ(c.tls_cert, "/etc/tls/tls.crt");
  EXPECT_EQ(c.tls_key, "/etc/tls/tls.key");
  EXPECT_EQ(c.tls_ca, "/etc/tls/ca.crt");
  EXPECT_EQ(c.tls_verify, tls_verify_mode::none);
  EXPECT_EQ(c.tls_optfile, "/etc/ssl_dist.conf");
  EXPECT_EQ(c.http_tls_cert, "/etc/web/tls.crt");
  EXPECT_EQ(c.http_tls_key, "/etc/web/tls.key");
  EXPECT_EQ(c.http_auth_file, "/etc/web/auth");
  for (const auto& o : options()) {
    if (!o.of(command::run)) continue;
    EXPECT_EQ(c.origin.at(std::string(o.flag)), "--" + std::string(o.flag));
  }
}

TEST(Configuration, FlagBeatsEnvironmentBeatsFile) {
  const file_of_options file("interval = '1s'\nconnect-timeout = '1s'\ndns-timeout = '1s'\n");
  const environment variables{{"ROLLCALL_INTERVAL", "2s"}, {"ROLLCALL_CONNECT_TIMEOUT", "2s"}};
  const auto c = loaded({"--config", file.path(), "--interval", "3s"}, variables);
  EXPECT_EQ(c.interval, 3s);
  EXPECT_EQ(c.connect_timeout, 2s);
  EXPECT_EQ(c.dns_timeout, 1s);
  EXPECT_EQ(c.origin.at("interval"), "--interval");
  EXPECT_EQ(c.origin.at("connect-timeout"), "ROLLCALL_CONNECT_TIMEOUT");
  EXPECT_EQ(c.origin.at("dns-timeout"), file.path() + ":dns-timeout");
  EXPECT_EQ(c.origin.at("reap-after"), "default");
}

TEST(Configuration, AStrongerSourceReplacesTheWholeList) {
  const file_of_options file("srv = ['file@a', 'file@b']\nignore = ['x*', 'y*']\nnode = 'one@file'\n");
  const environment variables{{"ROLLCALL_SRV", "env@a, env@b,,"}, {"ROLLCALL_CONFIG", file.path()}};
  const auto from_environment = loaded({}, variables);
  EXPECT_THAT(written(from_environment.srv), ElementsAre("env@a", "env@b"));
  EXPECT_THAT(from_environment.ignore, ElementsAre("x*", "y*"));
  EXPECT_EQ(from_environment.nodes.front().text(), "one@file");
  const auto from_flags = loaded({"--srv", "flag@a"}, variables);
  EXPECT_THAT(written(from_flags.srv), ElementsAre("flag@a"));
  EXPECT_EQ(from_flags.origin.at("srv"), "--srv");
}

TEST(Configuration, AnEmptyVariableIsNotSet) {
  const auto c = loaded({}, {{"ROLLCALL_INTERVAL", ""}, {"ROLLCALL_SRV", ""}, {"ROLLCALL_CONFIG", ""}});
  EXPECT_EQ(c.origin.at("interval"), "default");
  EXPECT_TRUE(c.local);
}

TEST(Configuration, ADuplicateInAListCountsOnce) {
  EXPECT_THAT(written(loaded({"--srv", "a@b", "--srv", "a@b", "--srv", "a@c"}).srv),
              ElementsAre("a@b", "a@c"));
}

TEST(Configuration, ProbeTimeoutFollowsTheInterval) {
  EXPECT_EQ(loaded({"--interval", "2s"}).probe_timeout, 500ms);
  EXPECT_EQ(loaded({"--interval", "1h"}).probe_timeout, 1s);
  EXPECT_EQ(loaded({"--interval", "2s", "--probe-timeout", "1s"}).probe_timeout, 1s);
}

TEST(Configuration, OwnNameComesFromPodIpOrTheHost) {
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  const arguments srv{"--srv", "a@b"};
  EXPECT_EQ(loaded(srv).name->text(), std::string("rollcall@") + host.data());
  EXPECT_EQ(loaded(srv, {{"POD_IP", "10.1.2.3"}}).name->text(), "rollcall@10.1.2.3");
  EXPECT_EQ(loaded(srv, {{"POD_IP", "fd00::3"}}).name->text(), "rollcall@fd00::3");
  EXPECT_EQ(loaded({"--srv", "a@b", "--name", "watch"}, {{"POD_IP", "10.1.2.3"}}).name->text(),
            "watch@10.1.2.3");
  EXPECT_EQ(loaded({"--name", "watch"}, {{"POD_IP", "10.1.2.3"}}).name->text(), "watch@127.0.0.1");
  EXPECT_EQ(loaded({"--local", "--srv", "a@b"}, {{"POD_IP", "10.1.2.3"}}).name->text(), "rollcall@10.1.2.3");
  EXPECT_THAT(problem_of(srv, {{"POD_IP", "10.1.2.3 "}}), HasSubstr("--name is needed: POD_IP '10.1.2.3 '"));
}

TEST(Configuration, TheCookieFileWinsOverTheVariable) {
  const auto variable = loaded({}, {{"ROLLCALL_COOKIE", "secret"}, {"HOME", "/h"}});
  EXPECT_TRUE(variable.cookie_from_environment);
  EXPECT_EQ(variable.cookie_file, "");
  EXPECT_EQ(variable.origin.at("cookie-file"), "ROLLCALL_COOKIE");
  const auto file = loaded({}, {{"ROLLCALL_COOKIE", "secret"}, {"ROLLCALL_COOKIE_FILE", "/c"}});
  EXPECT_FALSE(file.cookie_from_environment);
  EXPECT_EQ(file.cookie_file, "/c");
  EXPECT_EQ(loaded({}).cookie_file, "");  // no HOME: told by what needs the cookie
}

TEST(Configuration, KubernetesVariablesOfAServiceCalledRollcallAreNotOurs) {
  const auto c = loaded({}, {{"ROLLCALL_SERVICE_HOST", "10.0.0.1"},
                             {"ROLLCALL_SERVICE_PORT", "14369"},
                             {"ROLLCALL_SERVICE_PORT_METRICS", "14369"},
                             {"ROLLCALL_PORT", "tcp://10.0.0.1:14369"},
                             {"ROLLCALL_PORT_14369_TCP", "tcp://10.0.0.1:14369"},
                             {"ROLLCALL_PORT_14369_TCP_PROTO", "tcp"},
                             {"ROLLCALL_PORT_14369_TCP_PORT", "14369"},
                             {"ROLLCALL_PORT_14369_TCP_ADDR", "10.0.0.1"},
                             {"ROLLCALL_DIST_SERVICE_HOST", "10.0.0.1"},
                             {"ROLLCALL_DIST_PORT", "tcp://10.0.0.1:4370"},
                             {"ROLLCALL_PEER_PORT", "tcp://10.0.0.1:4370"}});
  EXPECT_THAT(c.warnings, IsEmpty());
  EXPECT_EQ(c.dist_port, 0);
  EXPECT_EQ(c.peer_port, peer_port_mode::epmd);
}

TEST(Configuration, AnUnknownVariableIsAWarningAndANearMissAnError) {
  EXPECT_THAT(loaded({}, {{"ROLLCALL_IMAGE_TAG", "v1"}, {"ROLLCALLER", "x"}}).warnings,
              ElementsAre("the environment variable ROLLCALL_IMAGE_TAG is not an option and is ignored"));
  EXPECT_EQ(problem_of({}, {{"ROLLCALL_INTERVALL", "5s"}}),
            "ROLLCALL_INTERVALL is not an option; did you mean ROLLCALL_INTERVAL?");
  EXPECT_EQ(problem_of({}, {{"ROLLCALL_COOKIEFILE", "/x"}}),
            "ROLLCALL_COOKIEFILE is not an option; did you mean ROLLCALL_COOKIE_FILE?");
}

struct bad_row {
  std::string name;
  arguments given;
  environment variables;
  std::string problem;
};
std::ostream& operator<<(std::ostream& out, const bad_row& row) {
  return out << row.name;
}
struct BadConfiguration : testing::TestWithParam<bad_row> {};

TEST_P(BadConfiguration, IsNamedWithWhatIsAllowed) {
  EXPECT_EQ(problem_of(GetParam().given, GetParam().variables), GetParam().problem);
}

INSTANTIATE_TEST_SUITE_P(
    Values, BadConfiguration,
    testing::Values(
        bad_row{"interval",
                {"--interval", "10ms"},
                {},
                "--interval: '10ms' is out of range: 100ms to 1h is allowed"},
        bad_row{"variable",
                {},
                {{"ROLLCALL_INTERVAL", "5"}},
                "ROLLCALL_INTERVAL: '5' is not a duration: a unit is missing, as in 5s or 5ms"},
        bad_row{"overridden_variable",
                {"--interval", "5s"},
                {{"ROLLCALL_INTERVAL", "5"}},
                "ROLLCALL_INTERVAL: '5' is not a duration: a unit is missing, as in 5s or 5ms"},
        bad_row{
            "heal", {"--heal", "yes"}, {}, "--heal: 'yes' is not known: auto, off, all or plan is allowed"},
        bad_row{"epmd",
                {"--epmd", "no"},
                {},
                "--epmd: 'no' is not known: auto, register, serve or none is allowed"},
        bad_row{"level",
                {"--log-level", "trace"},
                {},
                "--log-level: 'trace' is not known: debug, info, warning or error is allowed"},
        bad_row{
            "expect", {"--expect", "-3"}, {}, "--expect: '-3' is not a whole number: 0 to 10000 is allowed"},
        bad_row{"expect_range",
                {"--expect", "10001"},
                {},
                "--expect: '10001' is not in range: 0 to 10000 is allowed"},
        bad_row{"peer_port",
                {"--peer-port", "0"},
                {},
                "--peer-port: '0' is not known: epmd, srv or a port from 1 to 65535 is allowed"},
        bad_row{
            "node",
            {"--node", "web-0"},
            {},
            "--node: 'web-0' is not a node name: a node name has the form NAME@HOST, and this has no '@'"},
        bad_row{"srv",
                {"--srv", "app.prod"},
                {},
                "--srv: 'app.prod' has no '@': BASE@DOMAIN is needed, as in app@app-headless.prod"},
        bad_row{"name_host",
                {"--name", "a@"},
                {},
                "--name: 'a@' is not a node name: nothing stands after the '@' of the node name"},
        bad_row{"toggle", {"--local=maybe"}, {}, "--local: 'maybe' is neither true nor false"},
        bad_row{"dns_server",
                {"--dns-server", "dns.example"},
                {},
                "--dns-server: 'dns.example' does not begin with an IPv4 or [IPv6] address (dns.example is "
                "none)"},
        bad_row{"escape",
                {"--heal", "\x1b[31m"},
                {},
                "--heal: '\\u001b[31m' is not known: auto, off, all or plan is allowed"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Forms, BadConfiguration,
    testing::Values(
        bad_row{"unknown_flag",
                {"--intervall", "5s"},
                {},
                "--intervall is not an option; did you mean --interval? (see rollcall --help)"},
        bad_row{"unknown_flag_not_near",
                {"--frobnicate"},
                {},
                "--frobnicate is not an option (see rollcall --help)"},
        bad_row{"unknown_command",
                {"statsu"},
                {},
                "'statsu' is not a command; did you mean status? (see rollcall --help)"},
        bad_row{"two_commands",
                {"check", "status"},
                {},
                "'status' is one argument too many: `rollcall check` takes options only"},
        bad_row{"pause_without_a_time", {"pause"}, {}, "`rollcall pause` needs a time: rollcall pause 10m"},
        bad_row{"no_value", {"--interval"}, {}, "--interval needs a value: --interval TIME"},
        bad_row{"empty_value", {"--interval=", "5s"}, {}, "--interval has an empty value"},
        bad_row{"flag_as_value", {"--srv", "--dns", "a@b"}, {}, "--srv needs a value: --srv BASE@DOMAIN"},
        bad_row{"twice", {"--interval", "1s", "--interval", "2s"}, {}, "--interval is given 2 times"},
        bad_row{"cookie",
                {"--cookie=tops3cret"},
                {},
                "--cookie: the cookie itself is no option, since others could read it there: use "
                "--cookie-file, or "
                "the variable ROLLCALL_COOKIE"},
        bad_row{
            "client_option",
            {"--json"},
            {},
            "--json has no meaning for `rollcall run`: it belongs to check, doctor, members, why, status, "
            "partitions, netsplits and events"},
        bad_row{"node_option",
                {"members", "--srv", "a@b"},
                {},
                "--srv has no meaning for `rollcall members`: it belongs to run, check, doctor, pause and "
                "resume"},
        bad_row{"client_http",
                {"members", "--http", "127.0.0.1:1"},
                {},
                "--http has no meaning for `rollcall members`: it belongs to run, check, doctor, pause and "
                "resume; --url "
                "says where"},
        bad_row{"prune_live",
                {"--prune-live"},
                {},
                "--prune-live without --prune-after does nothing: give both or neither"},
        bad_row{"kubernetes_outside",
                {"--kubernetes", "app@app"},
                {},
                "--kubernetes: KUBERNETES_SERVICE_HOST is not set, so this is no pod: only in one is it "
                "known where "
                "the API server is"},
        bad_row{"kubernetes_port",
                {"--kubernetes", "app@app"},
                {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}, {"KUBERNETES_SERVICE_PORT", "x"}},
                "KUBERNETES_SERVICE_PORT: 'x' is not a whole number: 1 to 65535 is allowed"},
        bad_row{"kubernetes_three_labels",
                {"--kubernetes", "app@app.shop.svc"},
                {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}},
                "--kubernetes: 'app@app.shop.svc' is not BASE@SERVICE or BASE@SERVICE.NAMESPACE, as in "
                "app@app.prod"},
        bad_row{"kubernetes_capitals",
                {"--kubernetes", "app@App"},
                {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}},
                "--kubernetes: 'app@App' is not BASE@SERVICE or BASE@SERVICE.NAMESPACE, as in app@app.prod"},
        bad_row{"peer_port_srv",
                {"--peer-port", "srv"},
                {},
                "--peer-port: 'srv' needs a source with SRV records: give --srv"},
        bad_row{"probe_longer_than_interval",
                {"--probe-timeout", "2s", "--interval", "1s"},
                {},
                "--probe-timeout: 2s is longer than the interval, 1s"},
        bad_row{"not_local",
                {"--local=false"},
                {},
                "--local is false and no other source is given: give --srv, --dns, --kubernetes or --node"},
        bad_row{"no_source_in_kubernetes",
                {},
                {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}},
                "no source is given, and this is Kubernetes (KUBERNETES_SERVICE_HOST is set): say where the "
                "nodes "
                "are, with --srv BASE@SERVICE or ROLLCALL_SRV, where SERVICE is a headless service; or with "
                "--kubernetes, --dns, --node or --local"},
        bad_row{
            "config_twice", {"--config", "a", "-c", "b"}, {}, "--config is given 2 times: there is one file"},
        bad_row{"no_file",
                {"--config", "/nonexistent/x.toml"},
                {},
                "--config: /nonexistent/x.toml cannot be read: No such file or directory"},
        bad_row{"directory", {"--config", "/"}, {}, "--config: / cannot be read: it is a directory"}),
    [](const auto& row) { return row.param.name; });

struct file_row {
  std::string name, text, problem;  // FILE stands for the path
};
std::ostream& operator<<(std::ostream& out, const file_row& row) {
  return out << row.name;
}
struct BadFile : testing::TestWithParam<file_row> {};

TEST_P(BadFile, IsNamedWithKeyAndLine) {
  const file_of_options file(GetParam().text);
  auto expected = GetParam().problem;
  expected.replace(expected.find("FILE"), 4, file.path());
  EXPECT_EQ(problem_of({"-c", file.path()}), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadFile,
    testing::Values(
        file_row{"value", "\n\ninterval = '10ms'\n",
                 "FILE:interval (line 3): '10ms' is out of range: 100ms to 1h is allowed"},
        file_row{"number_for_a_duration", "interval = 5",
                 "FILE:interval (line 1): '5' is not a duration: a unit is missing, as in 5s or 5ms"},
        file_row{"unknown_key", "dns_server = '1.1.1.1'",
                 "FILE:dns_server (line 1) is not an option; did you mean dns-server?"},
        file_row{"table", "[discovery]\nsrv = 'a@b'", "FILE:discovery (line 1) is not an option"},
        file_row{
            "cookie", "cookie = 'tops3cret'",
            "FILE:cookie (line 1): the cookie itself is no option, since others could read it there: use "
            "--cookie-file, or the variable ROLLCALL_COOKIE"},
        file_row{"list_for_a_scalar", "interval = ['5s']",
                 "FILE:interval (line 1): text or a whole number is needed here"},
        file_row{"table_in_a_list", "srv = [{a = 1}]",
                 "FILE:srv (line 1): text, or a list of texts, is needed here"},
        file_row{"text_for_a_toggle", "local = 'maybe'",
                 "FILE:local (line 1): 'maybe' is neither true nor false"},
        file_row{"float", "expect = 1.5", "FILE:expect (line 1): text or a whole number is needed here"},
        file_row{"negative", "expect = -1",
                 "FILE:expect (line 1): '-1' is not a whole number: 0 to 10000 is allowed"},
        file_row{"config_in_a_file", "config = 'x'", "FILE:config (line 1) is not an option"},
        file_row{"contradiction", "prune-live = true",
                 "FILE:prune-live (line 1) without --prune-after does nothing: give both or neither"}),
    [](const auto& row) { return row.param.name; });

TEST(Configuration, AFileThatIsNotTomlIsNamedWithItsLine) {
  const file_of_options file("interval = '5s'\nsrv = [\n");
  EXPECT_THAT(problem_of({"--config", file.path()}), HasSubstr(file.path() + " (line "));
  EXPECT_THAT(problem_of({"--config", file.path()}), HasSubstr("is not TOML: "));
}

TEST(Configuration, ACommandThatAsksIgnoresWhatIsForTheServiceBesideIt) {
  const environment variables{{"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                              {"ROLLCALL_SRV", "not a domain"},
                              {"ROLLCALL_HTTP", "0.0.0.0:9090"}};
  const auto c = loaded({"members", "--json"}, variables);
  EXPECT_EQ(c.command, command::members);
  EXPECT_TRUE(c.json);
  EXPECT_EQ(c.url, "http://127.0.0.1:9090");
  EXPECT_EQ(loaded({"--url", "http://other:1", "status"}, variables).url, "http://other:1");
  EXPECT_EQ(loaded({"events", "--last", "3"}).last, 3U);
}

TEST(Configuration, TheServiceIgnoresWhatIsForCommandsThatAsk) {
  EXPECT_FALSE(loaded({}, {{"ROLLCALL_JSON", "true"}}).json);
}

TEST(Configuration, UrlFollowsTheAddressThatIsListenedOn) {
  EXPECT_EQ(loaded({"members"}, {{"ROLLCALL_HTTP", "[::]:9090"}}).url, "http://127.0.0.1:9090");
  EXPECT_EQ(loaded({"members"}, {{"ROLLCALL_HTTP", "[::1]:9090"}}).url, "http://[::1]:9090");
  EXPECT_EQ(loaded({"members"}, {{"ROLLCALL_HTTP", "10.0.0.5:9090"}}).url, "http://10.0.0.5:9090");
  EXPECT_EQ(loaded({"members"}).url, "http://127.0.0.1:14369");
}

TEST(Configuration, OptionsStandBeforeOrAfterTheCommand) {
  EXPECT_EQ(loaded({"--interval", "2s", "run"}).interval, 2s);
  EXPECT_EQ(loaded({"run", "--interval", "2s"}).interval, 2s);
  EXPECT_EQ(loaded({"--name", "members", "run"}).name->text(), "members@127.0.0.1");
}

TEST(Configuration, CheckConfigIsAcceptedBackAndMeansTheSame) {
  const environment variables{{"ROLLCALL_SRV", "a@b.c,d@e"},
                              {"ROLLCALL_COOKIE_FILE", "/tmp/it's \"a\" \\ path"},
                              {"POD_IP", "fd00::1"}};
  const arguments given{"--peer-port",
                        "4370",
                        "--prune-after",
                        "1h30m",
                        "--prune-live",
                        "--dns-server",
                        "::1",
                        "--http",
                        "[::]:1",
                        "--expect",
                        "3",
                        "--ignore",
                        "x*",
                        "--node",
                        "n@h",
                        "--state-dir",
                        "/s"};
  const auto first = loaded(given, variables);
  const file_of_options file(to_toml(first));
  const auto second = loaded({"--config", file.path()});
  for (const auto& o : options()) {
    if (!o.of(command::run)) continue;
    EXPECT_EQ(o.show(second), o.show(first)) << o.flag;
  }
  EXPECT_EQ(second.fixed_peer_port, 4370);
  EXPECT_EQ(second.name->text(), "rollcall@fd00::1");
}

TEST(Configuration, CheckConfigOfTheDefaultsIsAcceptedBack) {
  const auto first = loaded({}, {{"HOME", "/h"}});
  const file_of_options file(to_toml(first));
  const auto second = loaded({"--config", file.path()});
  for (const auto& o : options()) EXPECT_EQ(o.show(second), o.show(first)) << o.flag;
  EXPECT_EQ(second.origin.at("interval"), file.path() + ":interval");
}

TEST(Configuration, CheckConfigSaysWhereEachValueCameFrom) {
  const auto text =
      to_toml(loaded({"--interval", "90s"}, {{"ROLLCALL_SRV", "a@b"}, {"ROLLCALL_COOKIE", "tops3cret"}}));
  EXPECT_THAT(text, HasSubstr("\ninterval = \"1m30s\"  # --interval\n"));
  EXPECT_THAT(text, HasSubstr("\nsrv = [\"a@b\"]  # ROLLCALL_SRV\n"));
  EXPECT_THAT(text, HasSubstr("\nexpect = 0  # default\n"));
  EXPECT_THAT(text, HasSubstr("\n# dns-server: not set\n"));
  EXPECT_THAT(text, HasSubstr("\n# cookie-file: the cookie comes from ROLLCALL_COOKIE\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("tops3cret")));
}

TEST(Configuration, HelpAndVersionAreEarlyExits) {
  for (const auto& given : {arguments{"--help"}, {"-h"}, {"help"}, {"--interval", "nonsense", "--help"}}) {
    EXPECT_THAT(std::get<early_exit>(load(given, {})).output,
                HasSubstr("Usage: rollcall [COMMAND] [OPTION]...\n"));
  }
  for (const auto& given : {arguments{"--version"}, {"-V"}, {"version"}}) {
    EXPECT_THAT(std::get<early_exit>(load(given, {})).output, testing::MatchesRegex("rollcall [0-9.]+\n"));
  }
}

TEST(Help, NamesEveryOptionAndStaysWithinATerminal) {
  const auto text = help_text({});
  for (const auto& o : options()) EXPECT_THAT(text, HasSubstr("  --" + std::string(o.flag)));
  for (const auto& a : actions()) EXPECT_THAT(text, HasSubstr("--" + std::string(a.flag)));
  for (const auto& c : commands()) EXPECT_THAT(text, HasSubstr("\n  " + std::string(c.name) + " "));
  EXPECT_THAT(text, HasSubstr("Exit codes"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(Help, OfACommandNamesOnlyItsOptions) {
  const auto text = help_text(command::status);
  EXPECT_THAT(text, HasSubstr("--url URL"));
  EXPECT_THAT(text, testing::Not(HasSubstr("--interval")));
  EXPECT_THAT(text, HasSubstr("0 health is ok; 1 warning or error; 2 could not ask"));
}

TEST(LogLevel, MayBeWrittenAsManyProgramsDo) {
  const auto loaded = load(std::vector<std::string>{"--node", "a@b", "--log-level", "warn"}, {});
  EXPECT_EQ(std::get<configuration>(loaded).level, log_level::warning);
}

}  // namespace
}  // namespace rollcall::app
