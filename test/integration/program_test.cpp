// The program as its operator meets it: bad flags, SIGTERM, ports that are taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;

struct flag_row {
  std::string name;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::vector<std::string> words;  // all in what it says
};
void PrintTo(const flag_row& row, std::ostream* out) {
  *out << row.name;
}

class BadFlag : public testing::TestWithParam<flag_row> {};

TEST_P(BadFlag, ExitsTwoAndNamesItself) {
  const auto ended = run_rollcall(GetParam().arguments, GetParam().environment);
  EXPECT_EQ(ended.exit_code, 2) << ended.errors;
  for (const auto& word : GetParam().words) EXPECT_THAT(ended.errors, HasSubstr(word));
  EXPECT_EQ(ended.output, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadFlag,
    testing::Values(
        flag_row{"UnknownFlag", {"run", "--no-such-flag"}, {}, {"--no-such-flag"}},
        flag_row{"BadInterval", {"run", "--interval", "soon"}, {}, {"--interval", "soon"}},
        flag_row{"BadHeal", {"run", "--heal", "maybe"}, {}, {"--heal", "maybe", "auto", "off", "all"}},
        flag_row{"BadNode", {"run", "--node", "nohost"}, {}, {"--node", "nohost"}},
        flag_row{"BadSource", {"run", "--srv", "app"}, {}, {"--srv", "app"}},
        flag_row{"BadHttp", {"run", "--http", "127.0.0.1:99999"}, {}, {"--http", "99999"}},
        flag_row{"BadVariable", {"run"}, {{"ROLLCALL_INTERVAL", "soon"}}, {"ROLLCALL_INTERVAL", "soon"}},
        flag_row{"NoCookieFile",
                 {"run", "--node", "a@127.0.0.1", "--cookie-file", "/nonexistent/cookie"},
                 {},
                 {"--cookie-file", "/nonexistent/cookie"}},
        flag_row{"KubernetesWithoutSource", {"run"}, {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}}, {"--srv"}}),
    [](const auto& one) { return one.param.name; });

TEST(Program, LeavesOnSigterm) {
  loopback cluster({"a", "b"});
  auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return cluster.mapper().knows("rollcall"); }, 30s, "registered"));
  ASSERT_EQ(cluster.node(0).eval("length(nodes(hidden))"), "1");
  cluster.node(0).watch();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(rollcall.terminate(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, patient(10s))
      << "a second, and what a busy machine adds";
  EXPECT_TRUE(eventually([&] { return !cluster.mapper().knows("rollcall"); }, 10s, "unregistered"));
  EXPECT_TRUE(
      eventually([&] { return cluster.node(0).eval("nodes(hidden)") == "[]"; }, 10s, "links are closed"));
  EXPECT_TRUE(cluster.meshed());
  EXPECT_EQ(cluster.node(0).downs(), 0);
}

std::ptrdiff_t marks_of(const boost::json::value& day, std::string_view kind) {
  return std::ranges::count_if(day.at("marks").as_array(), [&](const auto& mark) {
    return std::string_view(mark.at("kind").as_string()) == kind;
  });
}

TEST(Program, TheLastDayGoesOnAfterARestart) {
  const temporary_directory folder;
  loopback cluster({"a", "b"});
  const std::vector<std::string> kept{"--state-dir", folder.path().string()};
  boost::json::value first;
  {
    auto rollcall = cluster.rollcall({}, kept);
    ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
    first = rollcall.json("/api/v1/history");
    EXPECT_FALSE(first.at("restored").as_bool());
    EXPECT_EQ(marks_of(first, "own"), 1);
    EXPECT_EQ(rollcall.terminate(), 0);
  }
  const auto again = cluster.rollcall({}, kept);
  ASSERT_TRUE(eventually([&] { return again.whole(2); }, 60s, "two are one, again"));
  const auto then = again.json("/api/v1/history");
  EXPECT_TRUE(then.at("restored").as_bool());
  EXPECT_EQ(then.at("since_at"), first.at("since_at"));
  EXPECT_EQ(marks_of(then, "own"), 3) << "started, stopped, started";
  EXPECT_EQ(marks_of(then, "join"), marks_of(first, "join")) << "nobody joined";
  EXPECT_EQ(marks_of(then, "restart"), 0);
}

TEST(Program, LeavesOnSigtermWhileDialling) {
  const auto listener = listen_tcp("127.0.0.1", 0);  // accepts in the kernel, never says a word
  const rollcall_options options{
      .arguments = {"--node", "dark@127.0.0.1", "--peer-port", std::to_string(local_port(listener)),
                    "--connect-timeout", "300s", "--epmd", "none"},
      .environment = {},
      .network_namespace = {},
      .name = "rollcall@127.0.0.1"};
  rollcall_program rollcall(options);
  ASSERT_TRUE(accept_from(listener, patient(30s)).open());
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(rollcall.terminate(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, patient(10s))
      << "a second, and what a busy machine adds";
}

TEST(Program, SaysWhichAddressIsTaken) {
  const auto listener = listen_tcp("127.0.0.1", 0);
  const auto address = "127.0.0.1:" + std::to_string(local_port(listener));
  temporary_directory files;
  const auto ended =
      run_rollcall({"run", "--node", "a@127.0.0.1", "--name", "rollcall@127.0.0.1", "--epmd", "none",
                    "--http", address, "--cookie-file", files.write("cookie", "chocolate", 0400)});
  EXPECT_NE(ended.exit_code, 0);
  EXPECT_THAT(ended.errors, HasSubstr(address));
}

TEST(Program, CheckConfigNeverShowsTheCookie) {
  const auto ended =
      run_rollcall({"run", "--check-config", "--node", "a@127.0.0.1", "--name", "rollcall@127.0.0.1"},
                   {{"ROLLCALL_COOKIE", "secretcookie"}});
  EXPECT_EQ(ended.exit_code, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("a@127.0.0.1"));
  EXPECT_THAT(ended.output + ended.errors, testing::Not(HasSubstr("secretcookie")));
}

// Nodes that --local finds, as it starts when it is told nothing.
rollcall_program local_rollcall(loopback& cluster, std::vector<std::string> more = {}) {
  more.insert(more.begin(), "--local");
  return rollcall_program({.arguments = std::move(more),
                           .environment = {},
                           .epmd_port = cluster.mapper().port(),
                           .network_namespace = {}});
}

TEST(Program, DoctorFindsNothingWrongWithARunningRollcall) {
  loopback cluster({"a", "b"});
  const auto rollcall = local_rollcall(cluster);
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return cluster.mapper().knows("rollcall"); }, 30s, "registered"));
  temporary_directory files;
  const auto cookie = files.write("cookie", "chocolate", 0400);
  const std::map<std::string, std::string> environment{
      {"ERL_EPMD_PORT", std::to_string(cluster.mapper().port())}};
  const auto doctor = run_rollcall({"doctor", "--local", "--cookie-file", cookie}, environment);
  EXPECT_EQ(doctor.exit_code, 0) << doctor.output << doctor.errors;
  EXPECT_THAT(doctor.output, HasSubstr("rollcall@127.0.0.1, a hidden node"));
  EXPECT_THAT(doctor.output, testing::Not(HasSubstr("FAILED")));
  const auto check = run_rollcall({"check", "--local", "--cookie-file", cookie}, environment);
  EXPECT_EQ(check.exit_code, 0) << check.output << check.errors;
  EXPECT_THAT(check.output, testing::Not(HasSubstr("rollcall@127.0.0.1")));
}

// A shell is registered, too: it is asked for its name once, and what it subscribed to or calls goes on.
TEST(Program, AHiddenNodeThatCallsKeepsItsLink) {
  loopback cluster({"a"});
  const auto rollcall = local_rollcall(cluster);
  ASSERT_TRUE(eventually([&] { return rollcall.whole(1); }, 60s, "one is there"));
  cluster.add({.name = "shell@127.0.0.1", .hidden = true});
  auto& shell = cluster.node(1);
  shell.eval("net_kernel:monitor_nodes(true, [{node_type, all}])");
  ASSERT_EQ(shell.eval("net_kernel:connect_node('rollcall@127.0.0.1')"), "true");
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto now = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= now + 6; }, 60s, "six rounds"));
  EXPECT_EQ(shell.eval("receive {nodedown, N, _} -> N after 0 -> none end"), "none");
  EXPECT_TRUE(rollcall.whole(1));
}

TEST(Program, DoctorKnowsTwoNamesOfOneNode) {
  loopback cluster({"a"});
  temporary_directory files;
  const auto ended =
      run_rollcall({"doctor", "--node", "a@127.0.0.1", "--node", "a@127.0.0.2", "--name",
                    "rollcall@127.0.0.1", "--cookie-file", files.write("cookie", "chocolate", 0400)},
                   {{"ERL_EPMD_PORT", std::to_string(cluster.mapper().port())}});
  EXPECT_EQ(ended.exit_code, 0) << ended.output << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("another name of a@127.0.0.1"));
}

TEST(Program, ALocalNodeThatComesBackIsLinkedOnce) {
  loopback cluster({"a", "b"});
  const auto rollcall = local_rollcall(cluster);
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  const auto name = cluster.node(1).name();
  cluster.node(1).kill();
  ASSERT_TRUE(eventually([&] { return rollcall.log_with({"no longer listed: b"}).size() == 1; }, 30s,
                         "its name is gone"));
  cluster.node(1).restart();
  ASSERT_TRUE(eventually([&] { return rollcall.log_with({"new: b"}).size() == 1; }, 60s, "it is back"));
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "whole again"));
  EXPECT_THAT(rollcall.log_with({name, "event=member_suspect"}), testing::SizeIs(1))
      << testing::PrintToString(rollcall.log());
  EXPECT_THAT(rollcall.log_with({"local:", "event=discovery_changed"}),
              testing::SizeIs(3))  // listed, gone, new
      << testing::PrintToString(rollcall.log());
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_restarts_total", {{"member", name}}), 1);
}

// What `kubectl describe` shows of the pod is a line of its log.
TEST(Program, AStartThatFailsIsALineOfTheFormatThatWasAskedFor) {
  const auto refused = run_rollcall({"run", "--interval", "often"}, {{"ROLLCALL_LOG_FORMAT", "json"}});
  EXPECT_EQ(refused.exit_code, 2);
  const auto line = boost::json::parse(refused.errors).as_object();
  EXPECT_EQ(line.at("level"), "error");
  EXPECT_THAT(std::string(line.at("message").as_string()), HasSubstr("often"));
  const auto text =
      run_rollcall({"run", "--interval", "often", "--log-format=text"}, {{"ROLLCALL_LOG_FORMAT", "json"}});
  EXPECT_THAT(text.errors, testing::StartsWith("rollcall: --interval"));
  const auto check = run_rollcall({"check", "--interval", "often"}, {{"ROLLCALL_LOG_FORMAT", "json"}});
  EXPECT_THAT(check.errors, testing::StartsWith("rollcall: --interval"));
}

// A Secret that somebody has yet to fill: a container that ended would be started later each time.
TEST(Program, AnEmptyCookieIsWaitedFor) {
  loopback cluster({"a", "b"});
  std::vector<std::string> flags;
  for (const auto& name : cluster.names()) flags.insert(flags.end(), {"--node", name});
  rollcall_program rollcall(
      {.arguments = flags, .cookie = "", .epmd_port = cluster.mapper().port(), .name = "rollcall@127.0.0.1"});
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.log_with({"holds no cookie", "no node is dialled"}).size() == 1;
      },
      30s, "it says so"));
  EXPECT_EQ(rollcall.get("/healthz").status, 200U);
  const auto ready = rollcall.get("/readyz");
  EXPECT_EQ(ready.status, 503U);
  EXPECT_THAT(ready.body, HasSubstr("holds no cookie: it is empty"));
  rollcall.cookie("chocolate");
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  EXPECT_TRUE(rollcall.is_ready());
  EXPECT_EQ(rollcall.terminate(), 0);
}

TEST(Program, AnEmptyCookieKeepsNobodyFromEndingIt) {
  loopback cluster({"a"});
  rollcall_program rollcall({.arguments = {"--node", "a@127.0.0.1"},
                             .cookie = "",
                             .epmd_port = cluster.mapper().port(),
                             .name = "rollcall@127.0.0.1"});
  EXPECT_EQ(rollcall.terminate(), 0);
}

TEST(Program, ALocalNodeThatRefusesTheCookieIsAskedOnce) {
  loopback cluster({"a"});
  cluster.add({.name = "bad@127.0.0.1", .cookie = "vanilla"});
  const auto rollcall = local_rollcall(cluster);
  ASSERT_TRUE(eventually(
      [&] {
        return rollcall.metric("erlang_cluster_health_detail", {{"name", "cookie_refused"}}) == 1;
      },
      60s, "the reason is told"));
  EXPECT_THAT(rollcall.get("/api/v1/status").body, HasSubstr("localhost (bad)"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_expected_members"), 2);
  EXPECT_EQ(rollcall.metric("rollcall_handshakes_total", {{"direction", "outgoing"}, {"outcome", "cookie"}}),
            1);
  // Who asks for it by its name is told, though it is no member; another name is not answered with it.
  const auto url = fmt::format("http://127.0.0.1:{}", rollcall.http_port());
  EXPECT_THAT(run_rollcall({"why", "bad@127.0.0.1", "--url", url}).errors,
              HasSubstr("our cookie is refused by localhost (bad)"));
  EXPECT_THAT(run_rollcall({"why", "ba@127.0.0.1", "--url", url}).errors,
              HasSubstr("`rollcall status` says why"));
}

TEST(Program, LocalNodesThatAllRefuseTheCookieAreProof) {
  loopback cluster;
  cluster.add({.name = "bad@127.0.0.1", .cookie = "vanilla"});
  temporary_directory files;
  const auto ended =
      run_rollcall({"check", "--local", "--cookie-file", files.write("cookie", "chocolate", 0400)},
                   {{"ERL_EPMD_PORT", std::to_string(cluster.mapper().port())}});
  EXPECT_EQ(ended.exit_code, 1) << ended.output << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("none of 1 member lets rollcall in"));
  EXPECT_THAT(ended.output, HasSubstr("localhost (bad)"));
}

TEST(Program, AFrozenLocalNodeDelaysNobody) {
  loopback cluster({"a", "b", "frozen"});
  cluster.node(2).freeze();
  // Longer than the test waits for the others: they cannot have waited for it.
  const auto rollcall = local_rollcall(cluster, {"--connect-timeout", "300s"});
  EXPECT_TRUE(eventually([&] { return rollcall.up() == 2 && rollcall.links_missing() == 0; }, 60s,
                         "the others are one"));
  cluster.node(2).thaw();
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole once it moves again"));
}

TEST(Program, AClosedStandardErrorIsNobodysSocket) {
  temporary_directory files;
  const auto cookie = files.write("cookie", "chocolate", 0400);
  process program({.arguments = {"sh", "-c",
                                 "exec " ROLLCALL_PROGRAM " --node a@127.0.0.1 --name rollcall@127.0.0.1 "
                                 "--epmd none --http 127.0.0.1:0 --cookie-file " +
                                     cookie + " <&- 2>&-"},
                   .environment = {},
                   .network_namespace = {}});
  const auto standard_error = "/proc/" + std::to_string(program.id()) + "/fd/2";
  std::string target;
  EXPECT_TRUE(eventually(
      [&] {
        std::error_code ignored;
        target = std::filesystem::read_symlink(standard_error, ignored);
        return target == "/dev/null";
      },
      30s, "it is open"))
      << target;
  program.signal(SIGTERM);
  EXPECT_TRUE(program.wait(10s));
}

// A module that OpenSSL loads when it is first used, as this file of its tells it.
constexpr auto loads_a_module =
    "openssl_conf = all\n[all]\nproviders = these\n[these]\nlegacy = used\ndefault = used\n[used]\nactivate "
    "= 1\n";

bool has_loaded_openssl(rollcall_program& rollcall) {
  std::ifstream maps("/proc/" + std::to_string(rollcall.running_process().id()) + "/maps");
  const std::string text(std::istreambuf_iterator<char>(maps), {});
  EXPECT_THAT(text, HasSubstr("libcrypto"));
  return text.find("/legacy.so") != std::string::npos;
}

TEST(Program, OpenSslIsLeftAloneWithoutTlsAndPasswords) {
  temporary_directory files;
  const std::map<std::string, std::string> environment{
      {"OPENSSL_CONF", files.write("openssl.cnf", loads_a_module)}};
  loopback cluster({"a", "b"});
  auto rollcall = cluster.rollcall({}, {}, environment);
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  EXPECT_EQ(rollcall.get("/metrics").status, 200);
  EXPECT_FALSE(has_loaded_openssl(rollcall)) << "2 MB that nobody uses";
  rollcall.terminate();
  // With a password it is needed.
  auto asked = cluster.rollcall(
      {},
      {"--http-auth-file",
       files.write("auth", "roll:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n")},
      environment);
  const auto url = "http://127.0.0.1:" + std::to_string(asked.http_port()) + "/metrics";
  run({.arguments = {"curl", "-sS", "--max-time", "20", "-u", "roll:secret", url},
       .environment = {},
       .network_namespace = {}});
  EXPECT_TRUE(has_loaded_openssl(asked));
}

TEST(Program, SpeaksOfItselfOverHttp) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  EXPECT_EQ(rollcall.get("/healthz").status, 200);
  EXPECT_TRUE(eventually([&] { return rollcall.get("/readyz").status == 200; }, 30s, "ready"));
  EXPECT_EQ(rollcall.json("/api/v1/members/a@127.0.0.1").at("state").as_string(), "up");
  EXPECT_EQ(rollcall.get("/api/v1/members/nobody@127.0.0.1").status, 404);
  EXPECT_EQ(rollcall.json("/api/v1/links").as_array().size(), 1U);
  EXPECT_TRUE(rollcall.json("/api/v1/discovery").is_array());
  EXPECT_EQ(rollcall.get("/no/such/page").status, 404);
}

}  // namespace
}  // namespace rollcall::test
