// The real program over HTTPS with passwords, asked by a real Prometheus, by curl and by its own commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/certificates.hpp"
#include "test/support/files.hpp"
#include "test/support/process.hpp"
#include "test/support/prometheus.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/socket.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using values = std::vector<std::string>;

// Of roll: "secret" and "newer", as `htpasswd -nB -C 4` makes them: a machine that is busy works them out,
// too.
constexpr auto secret = "roll:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";
constexpr auto newer = "roll:$2b$04$abcdefghijklmnopqrstuuVO36BCGUff7SexU8NMFDlJ.z/7T0Rwa\n";

class PrometheusHttps : public testing::Test {
 protected:
  void SetUp() override {
    show(ca);
    files.write("ca.crt", ca.text());
    files.write("auth", secret);
    files.write("password", "secret");
    program.emplace(process_options{
        .arguments = {ROLLCALL_PROGRAM, "run", "--http", "127.0.0.1:" + std::to_string(port), "--cookie-file",
                      files.write("cookie", "chocolate\n", 0400), "--node", "nobody@127.0.0.1",
                      "--http-tls-cert", file("tls.crt"), "--http-tls-key", file("tls.key"),
                      "--http-auth-file", file("auth")},
        .environment = {{"ERL_EPMD_PORT", std::to_string(free_port())}, {"ROLLCALL_TEST_OTP_ROOT", ""}},
        .network_namespace = {}});
    ASSERT_TRUE(eventually([&] { return status("/healthz", {}) == "200"; }, 60s, "it answers"))
        << program->errors();
  }
  std::string file(const char* name) const { return (files.path() / name).string(); }
  std::string url(const std::string& path) const {
    return "https://127.0.0.1:" + std::to_string(port) + path;
  }
  void show(const authority& of, std::chrono::seconds ends = 24h) const {
    const auto own = of.issue({.begins = -1h, .ends = ends});
    files.write("tls.key", own.key);
    files.write("tls.crt", own.text);
  }
  finished curl(const std::string& path, std::vector<std::string> more) const {
    std::vector<std::string> all{"curl", "-sS", "--max-time", "20", "--cacert", file("ca.crt"), url(path)};
    all.insert(all.end(), more.begin(), more.end());
    return run({.arguments = std::move(all), .environment = {}, .network_namespace = {}});
  }
  std::string status(const std::string& path, std::vector<std::string> more) const {
    more.insert(more.end(), {"-o", "/dev/null", "-w", "%{http_code}"});
    return curl(path, std::move(more)).output;
  }
  // The line of /metrics that begins so, without that.
  std::string metric(const std::string& begins, std::vector<std::string> who) const {
    const auto text = "\n" + curl("/metrics", std::move(who)).output;
    const auto at = text.find("\n" + begins + " ");
    if (at == std::string::npos) return {};
    const auto from = at + begins.size() + 2;
    return text.substr(from, text.find('\n', from) - from);
  }
  bool logged(const std::string& words) const { return program->errors().find(words) != std::string::npos; }
  // Of the one target: why its last scrape failed.
  static std::string last_error(const prometheus_server& prometheus) {
    const auto targets = prometheus.ask("/api/v1/targets").at("activeTargets").as_array();
    return targets.empty() ? "" : std::string(targets.front().at("lastError").as_string());
  }

  authority ca{"the CA of the page"};
  temporary_directory files;
  std::uint16_t port = free_port();
  std::optional<process> program;
};

TEST_F(PrometheusHttps, IsScrapedWithTlsConfigAndBasicAuth) {
  const auto how = "    scheme: https\n    tls_config: {ca_file: '" + file("ca.crt") +
                   "'}\n    basic_auth: {username: roll, password_file: '" + file("password") + "'}\n";
  const prometheus_server prometheus(
      {.targets = {"127.0.0.1:" + std::to_string(port)}, .scrape = how, .scrape_interval = "1s"});
  ASSERT_TRUE(eventually([&] { return prometheus.query("up") == values{"1"}; }, 60s, "it is scraped"))
      << prometheus.errors() << program->errors();
  EXPECT_EQ(prometheus.query("count(rollcall_build_info)"), values{"1"});
  // A wrong password, which Prometheus reads from its file for each scrape, and the right one again.
  files.write("password", "wrong");
  const auto refused = [&] {
    const auto why = last_error(prometheus);
    return why.find("401 Unauthorized") != std::string::npos ? testing::AssertionSuccess()
                                                             : testing::AssertionFailure() << why;
  };
  EXPECT_TRUE(eventually(refused, 60s, "it is told that the password is wrong"));
  EXPECT_TRUE(eventually([&] { return prometheus.query("up") == values{"0"}; }, 60s, "it is not scraped"));
  files.write("password", "secret");
  EXPECT_TRUE(eventually([&] { return prometheus.query("up") == values{"1"}; }, 60s, "it is let in again"));
  EXPECT_TRUE(logged("127.0.0.1 asks over HTTP with a wrong password"));
}

TEST_F(PrometheusHttps, AsksEveryoneButTheProbesForAPassword) {
  const std::vector<std::string> right{"-u", "roll:secret"};
  for (const auto* path : {"/", "/metrics", "/api/v1/members", "/api/v1/events/stream", "/runbook"}) {
    EXPECT_EQ(status(path, {}), "401") << path;
  }
  EXPECT_EQ(status("/metrics", {"-u", "roll:wrong"}), "401");
  EXPECT_EQ(status("/metrics", right), "200");
  EXPECT_EQ(status("/", right), "200");
  EXPECT_EQ(curl("/readyz", {}).output, "ok\n");
  EXPECT_EQ(curl("/healthz", {}).output, "ok\n");
  EXPECT_THAT(curl("/readyz", right).output, HasSubstr("rounds are working"));
  // The page's stream of events goes on.
  const process stream({.arguments = {"curl", "-sN", "--cacert", file("ca.crt"), "-u", "roll:secret",
                                      url("/api/v1/events/stream")},
                        .environment = {},
                        .network_namespace = {}});
  EXPECT_TRUE(eventually([&] { return stream.output().find("retry: 2000") != std::string::npos; }, 30s,
                         "the stream begins"));
  // Without TLS it says what to do.
  EXPECT_THAT(http_get("127.0.0.1", port, "/metrics").body, HasSubstr("ask with https://"));
}

TEST_F(PrometheusHttps, ChangedFilesAreInUseAndOnesOfNoUseAreToldWhileTheOldStay) {
  const std::vector<std::string> right{"-u", "roll:secret"}, next{"-u", "roll:newer"};
  const auto old_ca = file("ca.crt");
  const authority another("another CA of the page");
  files.write("next.crt", another.text());
  EXPECT_EQ(status("/metrics", right), "200");
  files.write("auth", newer);
  EXPECT_TRUE(
      eventually([&] { return status("/metrics", next) == "200"; }, 60s, "the password is new", 500ms));
  EXPECT_EQ(status("/metrics", right), "401");
  // The key comes a moment before its certificate: until both are there, the old pair is shown.
  show(another);
  EXPECT_TRUE(eventually(
      [&] {
        auto more = next;
        more.insert(more.end(), {"--cacert", file("next.crt")});
        return status("/metrics", more) == "200";
      },
      60s, "the certificate is new", 500ms));
  EXPECT_EQ(curl("/healthz", {}).exit_code, 60) << "of a CA that is no longer its own";
  files.write("tls.crt", "no certificate");
  EXPECT_TRUE(eventually([&] { return logged("holds no certificate"); }, 60s, "it is told"));
  EXPECT_TRUE(logged("what was read last stays in use"));
  EXPECT_EQ(status("/metrics", {"-u", "roll:newer", "--cacert", file("next.crt")}), "200");
  // Its end is a metric and, when it is near, a condition: two minutes of an hour are left.
  const auto asking = std::vector<std::string>{"-u", "roll:newer", "--cacert", file("next.crt")};
  constexpr auto end = "rollcall_http_tls_certificate_expiry_timestamp_seconds";
  constexpr auto near = "erlang_cluster_health_detail{name=\"certificate_expiring\",severity=\"warning\"}";
  const auto first = std::stod(metric(end, asking));
  EXPECT_GT(first, 1.7e9);
  EXPECT_EQ(metric(near, asking), "0");
  show(another, 120s);
  EXPECT_TRUE(eventually([&] { return metric(near, asking) == "1"; }, 60s, "it ends soon", 500ms));
  EXPECT_LT(std::stod(metric(end, asking)), first);
  EXPECT_THAT(curl("/api/v1/status", asking).output,
              HasSubstr("our certificate for HTTPS (--http-tls-cert) ends at"));
  show(another, 48h);
  EXPECT_TRUE(eventually([&] { return metric(near, asking) == "0"; }, 60s, "it is renewed", 500ms));
  EXPECT_GT(std::stod(metric(end, asking)), first);
  program->signal(SIGTERM);
  EXPECT_TRUE(program->wait(10s));
  EXPECT_THAT(program->errors(), testing::Not(HasSubstr("abcdefghijkl"))) << "no part of a hash is logged";
}

TEST_F(PrometheusHttps, TheCommandsThatAskTakeACaAndAPassword) {
  const auto ask = [&](const std::string& command, std::vector<std::string> more) {
    more.insert(more.begin(), {command, "--url", url(""), "--url-ca", file("ca.crt")});
    return run_rollcall(std::move(more));
  };
  const auto right = ask("members", {"--url-auth-file", files.write("me", "roll:secret\n")});
  EXPECT_EQ(right.exit_code, 0) << right.errors;
  EXPECT_THAT(right.output, HasSubstr("nobody@127.0.0.1"));
  const auto none = ask("members", {});
  EXPECT_NE(none.exit_code, 0);
  EXPECT_THAT(none.errors, HasSubstr("wants a name and a password that are right: --url-auth-file"));
  EXPECT_EQ(ask("healthcheck", {}).exit_code, 0) << "it needs no password";
  const auto stranger = run_rollcall({"members", "--url", url("")});
  EXPECT_NE(stranger.exit_code, 0);
  EXPECT_THAT(stranger.errors, HasSubstr("its certificate is not accepted"));
}

TEST(Https, FilesOfNoUseEndItAtTheStart) {
  const temporary_directory files;
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"run", "--node", "a@127.0.0.1", "--http", "127.0.0.1:0", "--cookie-file",
                               files.write("cookie", "c", 0400)});
    const auto ended = run_rollcall(std::move(more), {{"ERL_EPMD_PORT", std::to_string(free_port())}});
    EXPECT_EQ(ended.exit_code, 2);
    return ended.errors;
  };
  EXPECT_THAT(with({"--http-tls-cert", "/nonexistent/tls.crt"}),
              HasSubstr("certificate file /nonexistent/tls.crt cannot be read: No such file"));
  EXPECT_THAT(with({"--http-tls-key", "/nonexistent/tls.key"}),
              HasSubstr("without --http-tls-cert does nothing"));
  EXPECT_THAT(with({"--http-auth-file", "/nonexistent/auth"}),
              HasSubstr("password file /nonexistent/auth cannot be read"));
  EXPECT_THAT(with({"--http-auth-file", files.write("auth", "roll:secret\n")}),
              testing::AllOf(HasSubstr("line 1 has no hash"), testing::Not(HasSubstr("roll:secret"))));
}

}  // namespace
}  // namespace rollcall::test
