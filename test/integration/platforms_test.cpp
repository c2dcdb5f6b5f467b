// Nodes named as platforms name them, found with what those platforms' name servers say: names without the
// cluster's domain (RabbitMQ's operator), the release in the base name (Fly.io, ECS), several nodes on one
// machine (Nomad, bare machines), ports without a port mapper, and hundreds of addresses of which half are
// dark.
#include <gmock/gmock.h>

#include "test/support/dns_server.hpp"
#include "test/support/loopback.hpp"
#include "test/support/network.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using ::testing::HasSubstr;

const std::string kubernetes_search = "default.svc.cluster.local svc.cluster.local cluster.local";

struct platform {
  rollcall_program rollcall(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--dns-server", dns.endpoint_text()});
    return rollcall_program({.arguments = std::move(arguments),
                             .environment = {{"LOCALDOMAIN", kubernetes_search}},
                             .epmd_port = nodes.mapper().port(),
                             .network_namespace = {},
                             .name = "rollcall@127.0.0.1",
                             .interval = "300ms"});
  }
  beam& add(const std::string& name, const std::string& inetrc = {}) {
    std::map<std::string, std::string> environment;
    if (!inetrc.empty()) environment["ERL_INETRC"] = inetrc;
    return nodes.add({.name = name, .network_namespace = {}, .arguments = {}, .environment = environment});
  }

  dns_server dns;
  loopback nodes;
};

TEST(Platforms, RabbitMqsNodesLeaveTheClustersDomainOut) {
  temporary_directory files;
  platform p;
  p.dns.publish("rabbit-nodes.default", {{.hostname = "rabbit-0", .address = "127.0.0.1"}});
  // What the pods' resolv.conf does for the BEAM.
  const auto inetrc = files.write("inetrc",
                                  "{lookup, [file]}.\n"
                                  "{host, {127,0,0,1}, [\"rabbit-0.rabbit-nodes.default\"]}.\n");
  p.add("rabbit@rabbit-0.rabbit-nodes.default", inetrc);
  const auto rollcall = p.rollcall({"--srv", "rabbit@_dist._tcp.rabbit-nodes.default"});
  EXPECT_TRUE(eventually([&] { return rollcall.is("rabbit@rabbit-0.rabbit-nodes.default", "up"); }, 60s,
                         "under its own name"));
  EXPECT_EQ(rollcall.state("rabbit@rabbit-0.rabbit-nodes.default.svc.cluster.local"), "");
  EXPECT_FALSE(rollcall.log_with({"calls itself", "rabbit-0.rabbit-nodes.default"}).empty());
}

TEST(Platforms, ANodeGivenByHandIsCompletedFromTheSearchList) {
  temporary_directory files;
  platform p;
  p.dns.publish("rabbit-nodes.default", {{.hostname = "rabbit-0", .address = "127.0.0.1"}});
  const auto inetrc = files.write("inetrc",
                                  "{lookup, [file]}.\n"
                                  "{host, {127,0,0,1}, [\"Rabbit-0.rabbit-nodes.default\"]}.\n");
  p.add("rabbit@Rabbit-0.rabbit-nodes.default", inetrc);
  const auto rollcall = p.rollcall({"--node", "rabbit@rabbit-0.rabbit-nodes.default"});
  EXPECT_TRUE(eventually([&] { return rollcall.is("rabbit@Rabbit-0.rabbit-nodes.default", "up"); }, 60s,
                         "whatever the case"));
}

TEST(Platforms, EveryNodeOfAnAddressThatThePatternTakesIsAMember) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1"}});
  for (const auto* name : {"app-1@127.0.0.1", "app-2@127.0.0.1", "app-3@127.0.0.1", "other@127.0.0.1"})
    p.add(name);
  const auto rollcall = p.rollcall({"--dns", "app-*@web.default", "--mesh", "all"});
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three of one address"));
  EXPECT_EQ(rollcall.state("other@127.0.0.1"), "");
  EXPECT_EQ(rollcall.metric("erlang_cluster_expected_members"), 3);
}

TEST(Platforms, AnAddressChangesHands) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1"}});
  auto& first = p.add("app-01HX@127.0.0.1");
  const auto rollcall = p.rollcall({"--dns", "app-*@web.default"});
  ASSERT_TRUE(eventually([&] { return rollcall.is("app-01HX@127.0.0.1", "up"); }, 60s, "the first release"));
  first.stop();
  p.add("app-01HY@127.0.0.1");
  EXPECT_TRUE(eventually([&] { return rollcall.is("app-01HY@127.0.0.1", "up"); }, 60s, "the next one"));
  EXPECT_TRUE(eventually([&] { return rollcall.metric("erlang_cluster_expected_members") == 1; }, 60s,
                         "and the first is not waited for"));
}

TEST(Platforms, ACookieThatIsRefusedLeavesAnAddressAndNoName) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1"}});
  p.nodes.add({.name = "app-1@127.0.0.1", .cookie = "another", .network_namespace = {}, .arguments = {}});
  const auto rollcall = p.rollcall({"--dns", "*@web.default"});
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.metric("erlang_cluster_health_detail", {{"name", "cookie_refused"}}) == 1;
      },
      60s, "it is said"));
  EXPECT_EQ(rollcall.state("app-1@127.0.0.1"), "");
  EXPECT_EQ(rollcall.metric("erlang_cluster_expected_members"), 1);
  EXPECT_THAT(rollcall.get("/api/v1/discovery").body, HasSubstr("127.0.0.1 (app-1)"));
}

TEST(Platforms, AddressesOfAFamilyThatNobodyListensOnAreNoMembers) {
  platform p;
  p.dns.publish("web.default",
                {{.hostname = "m-0", .address = "127.0.0.1"}, {.hostname = "m-1", .address = "::1"}});
  p.add("app@127.0.0.1");
  const auto rollcall = p.rollcall({"--dns", "app@web.default"});
  EXPECT_TRUE(eventually([&] { return rollcall.whole(1); }, 60s, "the node on IPv4"));
  EXPECT_TRUE(eventually([&] { return rollcall.metric("erlang_cluster_expected_members") == 1; }, 60s,
                         "and nobody else is waited for"));
}

TEST(Platforms, AnotherRunThanTheOneThatRefusedTheCookieIsDialledAtOnce) {
  platform p;
  auto& node =
      p.nodes.add({.name = "late@127.0.0.1", .cookie = "another", .network_namespace = {}, .arguments = {}});
  const auto rollcall = p.rollcall({"--node", "late@127.0.0.1"});
  ASSERT_TRUE(eventually([&] { return rollcall.reason("late@127.0.0.1") == "cookie"; }, 60s, "refused"));
  node.options().cookie = "chocolate";
  node.restart();
  EXPECT_TRUE(eventually([&] { return rollcall.is("late@127.0.0.1", "up"); }, 120s,
                         "long before the pause of five minutes ends"));
}

TEST(Platforms, HundredsOfAddressesOfWhichHalfAreDarkDelayNobody) {
  ROLLCALL_NEEDS_NETWORK();
  network net;
  const auto& host = net.add("all");
  run_or_throw(
      {"ip", "netns", "exec", host.network_namespace, "nft",
       "table ip dark { chain out { type filter hook output priority 0; ip daddr 127.77.0.0/16 drop; }; }"});
  epmd mapper(0, host.network_namespace);
  dns_server dns({.network_namespace = host.network_namespace});
  std::vector<endpoint> endpoints;
  for (int i = 1; i <= 150; ++i) {
    endpoints.push_back({.hostname = "l-" + std::to_string(i), .address = "127.66.0." + std::to_string(i)});
    endpoints.push_back({.hostname = "d-" + std::to_string(i), .address = "127.77.0." + std::to_string(i)});
  }
  dns.publish("web.default", endpoints);
  std::deque<beam> nodes;
  for (const auto* name : {"app-1@127.0.0.1", "app-2@127.0.0.1", "app-3@127.0.0.1"}) {
    nodes.emplace_back(
        beam_options{.name = name, .network_namespace = host.network_namespace, .arguments = {}});
  }
  const rollcall_program rollcall({.arguments = {"--dns", "app-*@web.default.svc.cluster.local", "--mesh",
                                                 "all", "--dns-server", dns.endpoint_text()},
                                   .environment = {},
                                   .network_namespace = host.network_namespace,
                                   .name = "rollcall@127.0.0.1",
                                   .interval = "1s"});
  EXPECT_TRUE(
      eventually([&] { return rollcall.whole(3); }, 60s, "each node once, however many its addresses"));
  EXPECT_TRUE(rollcall.is_ready());
  const auto rounds = rollcall.metric("rollcall_round_duration_seconds_count").value_or(0);
  EXPECT_TRUE(eventually(
      [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0) > rounds + 3; }, 60s,
      "rounds go on"));
  for (auto& node : nodes) node.watch();
  EXPECT_TRUE(eventually(
      [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0) > rounds + 15; }, 60s,
      "and on"));
  for (auto& node : nodes) EXPECT_EQ(node.downs(), 0);
  EXPECT_TRUE(rollcall.whole(3));
}

}  // namespace
}  // namespace rollcall::test
