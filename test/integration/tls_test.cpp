// The program among nodes that speak TLS: meshed, diagnosed, and with certificates that are renewed while it
// runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
