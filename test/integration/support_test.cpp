// The test support itself: a node that answers without being linked, a zone that changes, a network that can
// be cut.
#include <gtest/gtest.h>

#include "test/support/pods.hpp"
#include "test/support/scripted_peer.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

TEST(Support, BeamAnswersWithoutALink) {
  epmd mapper;
  beam node({.name = "quiet@127.0.0.1", .epmd_port = mapper.port(), .elixir = true});
  EXPECT_TRUE(mapper.knows("quiet"));
  EXPECT_EQ(node.eval("node()."), "'quiet@127.0.0.1'");
  EXPECT_EQ(node.eval("nodes(connected)"), "[]");
  EXPECT_EQ(node.eval("1 + a"), "error: error:badarith");
  EXPECT_EQ(node.elixir("Enum.sum([1, 2]) |> to_string()"), "\"3\"");
  node.kill();
  EXPECT_FALSE(node.running());
  node.restart();
  EXPECT_EQ(node.eval("node()."), "'quiet@127.0.0.1'");
}

TEST(Support, FaultyDnsServerAnswersAsTold) {
  dns_server real;
  real.publish("app.default", {{.hostname = "web-0", .address = "127.0.0.1"}});
  faulty_dns_server dns(&real);
  const auto ask = [&] {
    return run({.arguments = {"kdig", "@127.0.0.1", "-p", std::to_string(dns.port()), "+time=1", "+retry=0",
                              "SRV", "_dist._tcp.app.default.svc.cluster.local."},
                .environment = {},
                .network_namespace = {}})
        .output;
  };
  EXPECT_NE(ask().find("web-0.app.default.svc.cluster.local."), std::string::npos);
  dns.become(dns_fault::servfail);
  EXPECT_NE(ask().find("SERVFAIL"), std::string::npos);
  dns.become(dns_fault::nxdomain);
  EXPECT_NE(ask().find("NXDOMAIN"), std::string::npos);
  dns.become(dns_fault::empty);
  EXPECT_NE(ask().find("NOERROR"), std::string::npos);
  EXPECT_EQ(dns.questions(33), 4);
}

TEST(Support, PodsConnectByNameUntilTheyAreCut) {
  ROLLCALL_NEEDS_NETWORK();
  pods cluster({.count = 2, .arguments = {"-kernel", "net_ticktime", "4"}});
  EXPECT_EQ(cluster.node(0).eval("net_kernel:connect_node('" + cluster.name(1) + "')"), "true");
  EXPECT_EQ(cluster.node(1).nodes(), std::vector{cluster.name(0)});
  cluster.node(0).watch();
  cluster.net().cut("web-0", "web-1");
  EXPECT_TRUE(eventually([&] { return cluster.node(0).downs() == 1; }, 30s, "the tick fails"));
  cluster.net().heal("web-0", "web-1");
  cluster.bring_back(1);
  EXPECT_TRUE(eventually(
      [&] { return cluster.node(0).eval("net_kernel:connect_node('" + cluster.name(1) + "')") == "true"; },
      30s, "it is reached under its new address"));
}

}  // namespace
}  // namespace rollcall::test
