// The program among nodes that speak TLS: meshed, diagnosed, and with certificates that are renewed while it
// runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "test/support/certificates.hpp"
#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using std::chrono::hours;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class Tls : public testing::Test {
 protected:
  std::string file(const char* name) const { return (files.path() / name).string(); }
  void show(const certificate& own) const {
    files.write("tls.key", own.key);
    files.write("tls.crt", own.text);
  }
  // What the nodes are started with, and Rollcall with --tls-optfile.
  std::string optfile() const {
    const auto node = ca.issue();
    files.write("ca.crt", ca.text());
    const auto part = "[{certfile,\"" + files.write("node.crt", node.text) + "\"},{keyfile,\"" +
                      files.write("node.key", node.key) + "\"},{cacertfile,\"" + file("ca.crt") +
                      "\"},{verify,verify_peer},{versions,['tlsv1.2','tlsv1.3']}";
    return files.write("dist.conf",
                       "[{server," + part + ",{fail_if_no_peer_cert,true}]},{client," + part + "]}].");
  }
  beam_options node(const std::string& alive) const {
    beam_options made;
    made.name = alive + "@127.0.0.1";
    made.arguments = {"-proto_dist", "inet_tls", "-ssl_dist_optfile", file("dist.conf")};
    return made;
  }
  std::vector<std::string> flags() const {
    return {"--tls",         "on",       "--tls-cert",  file("tls.crt"), "--tls-key",
            file("tls.key"), "--tls-ca", file("ca.crt")};
  }
  authority ca{"the CA of the cluster"};
  temporary_directory files;
};

TEST_F(Tls, NodesAreMeshedWhileTheCertificateIsRenewed) {
  optfile();
  show(ca.issue({.ends = hours(1)}));
  loopback cluster;
  cluster.add(node("a"));
  cluster.add(node("b"));
  auto rollcall = cluster.rollcall({}, flags());
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 90s, "whole"));
  const auto end = [&] {
    return rollcall.metric("rollcall_tls_certificate_expiry_timestamp_seconds").value_or(0);
  };
  const auto expiring = [&](const char* severity) {
    return rollcall.metric("erlang_cluster_health_detail",
                           {{"name", "certificate_expiring"}, {"severity", severity}});
  };
  const auto first = end();
  EXPECT_GT(first, 1.7e9);
  EXPECT_EQ(expiring("warning"), 0) << "an hour is most of its life";
  // Two minutes of an hour are left, and then a day of one.
  show(ca.issue({.begins = -hours(1), .ends = std::chrono::minutes(2)}));
  EXPECT_TRUE(eventually([&] { return expiring("warning") == 1; }, 60s, "it ends soon"));
  EXPECT_LT(end(), first);
  show(ca.issue({.ends = hours(24)}));
  EXPECT_TRUE(eventually([&] { return expiring("warning") == 0 && end() > first; }, 60s, "renewed"));
  EXPECT_TRUE(rollcall.whole(2)) << "links stay";
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_failures_total", {{"member", "a@127.0.0.1"}}), 0);
  // New links take the new one: of a CA that the nodes do not know.
  show(authority("another CA").issue());
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.log_with({"files of TLS", "changed"}).size() >= 3;
      },
      60s, "read"));
  cluster.node(1).restart();
  EXPECT_TRUE(eventually([&] { return rollcall.reason("b@127.0.0.1") == "tls"; }, 90s, "the reason is told"));
  EXPECT_THAT(rollcall.log_with({"b@127.0.0.1", "does not know the CA of our certificate"}), Not(SizeIs(0)));
  EXPECT_EQ(rollcall.state("a@127.0.0.1"), "up");
  show(ca.issue());
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 90s, "whole again"));
}

// As Kubernetes shows a Secret: all of its files are replaced at once, by a link to their folder.
class TlsRenewal : public Tls {
 protected:
  static constexpr int members = 102;  // most of them away: what makes an answer large

  void swap(const certificate& own) {
    const auto folder = files.path() / "secret",
               version = folder / ("..version" + std::to_string(++version_));
    std::filesystem::create_directories(version);
    files.write("secret/" + version.filename().string() + "/tls.key", own.key);
    files.write("secret/" + version.filename().string() + "/tls.crt", own.text);
    std::filesystem::create_symlink(version.filename(), folder / "..next");
    std::filesystem::rename(folder / "..next", folder / "..data");
    std::filesystem::remove_all(std::exchange(last_, version));
  }
  void begin_with(const certificate& own) {
    swap(own);
    for (const auto* name : {"tls.key", "tls.crt"}) {
      std::filesystem::create_symlink(std::filesystem::path("..data") / name, files.path() / "secret" / name);
    }
  }
  // Each ends later than the one before.
  certificate next() { return ca.issue({.ends = hours(24 * ++issued_)}); }

  std::vector<std::string> secret_flags() const {
    return {
        "--tls",    "on",          "--tls-cert", file("secret/tls.crt"), "--tls-key", file("secret/tls.key"),
        "--tls-ca", file("ca.crt")};
  }
  static std::vector<std::string> those_away() {
    std::vector<std::string> made;
    for (int i = 2; i < members; ++i) made.push_back("away" + std::to_string(i) + "@127.0.0.1");
    return made;
  }

  // Calls with large arguments, which come back in what they raise, and with large answers: from four
  // processes, until finish().
  static std::string load(beam& node) {
    return node.eval(
        "C = counters:new(2, []), persistent_term:put(load, C), persistent_term:put(wrong, none), "
        "Long = binary:copy(<<\"x\">>, 200000), Expected = " +
        std::to_string(members) +
        ", Ask = fun(F, A) -> rpc:call('rollcall@127.0.0.1', rollcall, F, A, 30000) end, "
        "Work = fun Work() -> "
        "  case {catch length(Ask(members, [])), Ask(member, [Long])} of "
        "    {Expected, {badrpc, {'EXIT', {function_clause, [B | _]}}}} when element(3, B) =:= [Long] -> "
        "      counters:add(C, 1, 1); "
        "    Wrong -> counters:add(C, 2, 1), persistent_term:put(wrong, Wrong) end, "
        "  case whereis(finish) of undefined -> Work(); _ -> ok end end, "
        "persistent_term:put(workers, [spawn(Work) || _ <- [1, 2, 3, 4]]), ok");
  }
  static int done(beam& node) { return std::stoi(node.eval("counters:get(persistent_term:get(load), 1)")); }
  // How many calls failed, and what the last of them gave.
  static std::string finish(beam& node) {
    return node.eval(
        "register(finish, spawn(fun() -> timer:sleep(infinity) end)), "
        "Wait = fun Wait() -> case lists:any(fun erlang:is_process_alive/1, persistent_term:get(workers)) of "
        "true -> timer:sleep(10), Wait(); false -> ok end end, Wait(), "
        "{counters:get(persistent_term:get(load), 2), persistent_term:get(wrong)}");
  }
  // Each link over TLS: the process that holds it, and the serial number that its peer showed, once each.
  static std::string links(beam& node) {
    return node.eval(
        "[{P, N} || P <- lists:sort(processes()), {ssl_gen_statem, init, _} <- "
        "[proc_lib:translate_initial_call(P)], "
        "{ok, D} <- [catch ssl_gen_statem:peer_certificate(P)], " +
        serial("D"));
  }
  std::string serial_in(beam& node, const char* name) const {
    return node.eval("{ok, T} = file:read_file(\"" + file(name) +
                     "\"), hd([N || {_, D, _} <- public_key:pem_decode(T), " + serial("D") + ")");
  }
  static std::string serial(const std::string& certificate) {
    return "N <- [element(3, element(2, public_key:pkix_decode_cert(" + certificate + ", otp)))]]";
  }
  // A node keeps what it read for up to two minutes.
  static void read_again(beam& node) {
    EXPECT_EQ(
        node.eval("gen_server:call(ssl_pem_cache:name(dist), {unconditionally_clear_pem_cache, self()})"),
        "ok");
  }
  // What a node shows to those who dial it.
  std::string shown_by(beam& node, beam& asking) const {
    const auto alive = node.name().substr(0, node.name().find('@'));
    return asking.eval(
        "{ok, _} = application:ensure_all_started(ssl), {port, P, _} = erl_epmd:port_please(\"" + alive +
        "\", \"127.0.0.1\"), {ok, S} = ssl:connect(\"127.0.0.1\", P, [{verify, verify_none}, "
        "{certfile, \"" +
        file("node.crt") + "\"}, {keyfile, \"" + file("node.key") +
        "\"}]), {ok, D} = ssl:peercert(S), ssl:close(S), hd([N || " + serial("D") + ")");
  }

 private:
  int version_ = 0, issued_ = 1;
  std::filesystem::path last_;
};

TEST_F(TlsRenewal, LinksAndCallsUnderLoadOutliveIt) {
  optfile();
  begin_with(next());
  loopback cluster;
  auto &a = cluster.add(node("a")), &b = cluster.add(node("b"));
  auto rollcall = cluster.rollcall(those_away(), secret_flags());
  ASSERT_TRUE(eventually([&] { return cluster.meshed(); }, 60s, "they are linked, too"));
  auto& shell = cluster.add(node("shell"));
  const auto both = [&] { return rollcall.state(a.name()) == "up" && rollcall.state(b.name()) == "up"; };
  ASSERT_TRUE(eventually(both, 90s, "both are up"));
  const auto end = [&] {
    return rollcall.metric("rollcall_tls_certificate_expiry_timestamp_seconds").value_or(0);
  };
  ASSERT_EQ(load(a), "ok");
  ASSERT_TRUE(eventually([&] { return done(a) > 0; }, 20s, "the load is there")) << finish(a).substr(0, 900);
  const auto before = links(a);
  const auto connect = "net_kernel:connect_node('rollcall@127.0.0.1')",
             disconnect = "erlang:disconnect_node('rollcall@127.0.0.1')";
  const auto one_by_one = [&](const certificate& own) {
    files.write("secret/tls.crt", own.text);
    files.write("secret/tls.key", own.key);
  };
  for (const bool at_once : {true, true, false, false}) {
    SCOPED_TRACE(at_once ? "the link is swapped" : "one file, then the other");
    const auto ended = end();
    const auto answered = done(a);
    const auto own = next();
    at_once ? swap(own) : one_by_one(own);
    optfile();
    for (auto* each : {&a, &b, &shell}) read_again(*each);
    ASSERT_TRUE(eventually([&] { return end() > ended; }, 60s, "it is read"));
    const auto ours = serial_in(a, "secret/tls.crt");
    ASSERT_EQ(shell.eval(connect), "true") << "a new link to us";
    EXPECT_THAT(links(shell), HasSubstr("," + ours + "}"));
    shell.eval(disconnect);
    b.eval(disconnect);
    EXPECT_TRUE(eventually([&] { return links(b).find("," + ours + "}") != std::string::npos; }, 60s,
                           "a new link of ours"));
    EXPECT_EQ(shown_by(b, shell), serial_in(a, "node.crt"));
    EXPECT_TRUE(eventually([&] { return done(a) > answered; }, 60s, "calls are answered"));
  }
  EXPECT_EQ(finish(a), "{0,none}");
  EXPECT_EQ(links(a), before) << "the old links";
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_failures_total", {{"member", a.name()}}), 0);
  EXPECT_TRUE(eventually(both, 60s, "both are up"));
  for (const auto& line : rollcall.log()) {
    EXPECT_THAT(line, testing::AllOf(Not(HasSubstr("error")), Not(HasSubstr("certificate"))));
  }
}

TEST_F(Tls, TheNodesOwnFileAndTheStepOfDoctor) {
  const auto conf = optfile();
  loopback cluster;
  cluster.add(node("a"));
  beam_options plain;
  plain.name = "plain@127.0.0.1";
  cluster.add(plain);
  const auto cookie = files.write("cookie", "chocolate", 0400);
  const std::map<std::string, std::string> environment{
      {"ERL_EPMD_PORT", std::to_string(cluster.mapper().port())}};
  const std::vector<std::string> nodes{"--node",        "a@127.0.0.1", "--node", "plain@127.0.0.1",
                                       "--cookie-file", cookie,        "--name", "roll@127.0.0.1"};
  auto secure = nodes, open = nodes;
  secure.insert(secure.begin(), {"doctor", "--all", "--tls", "on", "--tls-optfile", conf});
  open.insert(open.begin(), {"doctor", "--all"});
  const auto with = run_rollcall(secure, environment);
  EXPECT_EQ(with.exit_code, 1);
  EXPECT_THAT(with.output, HasSubstr("TLSv1.3"));
  EXPECT_THAT(with.output, HasSubstr("node-tls"));
  EXPECT_THAT(with.output, HasSubstr("does not speak TLS, and we do"));
  const auto without = run_rollcall(open, environment);
  EXPECT_THAT(without.output, HasSubstr("node-tls"));
  EXPECT_THAT(without.output, HasSubstr("speaks TLS, and we do not"));
}

TEST_F(Tls, FilesThatAreOfNoUseEndItBeforeAnythingIsDialled) {
  const auto run =
      run_rollcall({"check", "--node", "a@127.0.0.1", "--cookie-file", files.write("cookie", "c", 0400),
                    "--tls", "on", "--tls-cert", "/nonexistent/tls.crt", "--tls-verify", "none"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("certificate file /nonexistent/tls.crt cannot be read"));
  const auto half = run_rollcall({"check", "--node", "a@127.0.0.1", "--tls-ca", "/nonexistent/ca.crt"});
  EXPECT_EQ(half.exit_code, 2);
  EXPECT_THAT(half.errors, HasSubstr("--tls-ca without --tls on does nothing"));
}

}  // namespace
}  // namespace rollcall::test
