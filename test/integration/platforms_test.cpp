// Nodes named as platforms name them, found with what those platforms' name servers say: names without the
// cluster's domain (RabbitMQ's operator), the release in the base name (Fly.io, ECS), several nodes on one
// machine (Nomad, bare machines), ports without a port mapper, and hundreds of addresses of which half are
// dark.
#include <gmock/gmock.h>

#include "test/integration/platform.hpp"
#include "test/support/alarms.hpp"
#include "test/support/network.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Machines with an address each, of both families, their own port mapper, and a name server with a zone.
struct machines {
  explicit machines(const std::string& domain) {
    const auto& names = net.add("dns");
    dns = std::make_unique<dns_server>(dns_server_options{
        .address = names.address, .network_namespace = names.network_namespace, .domain = domain});
    const auto& cached = net.add("cache");
    cache = std::make_unique<dns_cache>(*dns, cached.address, std::uint16_t{53}, cached.network_namespace);
    const bool kubernetes = domain == "cluster.local";
    net.resolv_conf("nameserver " + names.address + "\n" +
                    (kubernetes ? "search " + kubernetes_search + "\n" : ""));
    own_address = add("rollcall").address;
  }
  const host& add(const std::string& name) {
    const auto& one = net.add(name);
    run_or_throw(
        {"ip", "-n", one.network_namespace, "address", "add", six(one) + "/64", "dev", "eth0", "nodad"});
    mappers.emplace(name, std::make_unique<epmd>(std::uint16_t{4369}, one.network_namespace));
    return one;
  }
  static std::string six(const host& of) {
    return "fdaa:0:1::" + of.address.substr(of.address.rfind('.') + 1);
  }
  beam& start(const std::string& machine, const std::string& name, std::vector<std::string> arguments = {}) {
    return nodes.emplace_back(beam_options{.name = name,
                                           .network_namespace = net.at(machine).network_namespace,
                                           .arguments = std::move(arguments)});
  }
  rollcall_program rollcall(std::vector<std::string> arguments, const std::string& own) {
    return rollcall_program({.arguments = std::move(arguments),
                             .environment = {},
                             .network_namespace = net.at("rollcall").network_namespace,
                             .name = "rollcall@" + own,
                             .interval = "500ms"});
  }
  finished check(std::vector<std::string> arguments, const std::string& own) {
    return test::check(std::move(arguments), {}, net.at("rollcall").network_namespace, "rollcall@" + own);
  }

  network net;
  std::unique_ptr<dns_server> dns;
  std::unique_ptr<dns_cache> cache;  // dnsmasq
  std::map<std::string, std::unique_ptr<epmd>> mappers;
  std::deque<beam> nodes;
  std::string own_address;
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
  const auto checked = p.check({"--srv", "rabbit@rabbit-nodes.default"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  EXPECT_THAT(checked.output, HasSubstr("whole: 1 member, all connected"));
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

// A crash is a crash, a restart a restart: the name stays with its address while that is listed.
TEST(Platforms, AnAddressIsFollowed) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1"}});
  auto& node = p.add("app-1@127.0.0.1");
  p.add("app-2@127.0.0.1");
  const auto rollcall = p.rollcall({"--dns", "app-*@web.default", "--mesh", "all"});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "both"));
  node.restart();
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.metric("erlang_cluster_member_restarts_total", {{"member", node.name()}}) == 1 &&
               rollcall.whole(2);
      },
      60s, "a new creation is a restart"));
  node.kill();
  EXPECT_TRUE(
      eventually([&] { return rollcall.state(node.name()) == "down"; }, 60s, "nobody is there: down"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_expected_members"), 2);
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.2"}});
  EXPECT_TRUE(eventually([&] { return rollcall.metric("erlang_cluster_listed_members") == 1; }, 60s,
                         "the address is gone, and with it the name that nobody has at the next"));
}

// RabbitMQ starts a node for a second, with a short name, so that a port mapper runs; tools come and go as
// well.
TEST(Platforms, NobodyWaitsForNodesThatOnlyPassBy) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1"}});
  p.add("rabbit@127.0.0.1");
  const auto rollcall = p.rollcall({"--dns", "*@web.default", "--mesh", "all"});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(1); }, 60s, "one node"));
  auto& starter = p.nodes.add({.name = "epmd-starter-7@localhost", .short_name = true});
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.get("/api/v1/discovery").body.find("RELEASE_NODE=epmd-starter-7@127.0.0.1") !=
               std::string::npos;
      },
      60s, "a short name beside long ones is said"));
  EXPECT_EQ(rollcall.state(starter.name()), "");
  EXPECT_EQ(rollcall.metric("erlang_cluster_expected_members"), 1);
  const auto checked = p.check({"--dns", "*@web.default", "--mesh", "all"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  starter.stop();
  auto& tool = p.add("tool@127.0.0.1");
  ASSERT_TRUE(eventually([&] { return rollcall.is(tool.name(), "up"); }, 60s, "a visible one is a member"));
  tool.kill();
  EXPECT_TRUE(eventually([&] { return rollcall.state(tool.name()) == "left"; }, 60s, "it has left"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_expected_members"), 1);
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_failures_total", {{"member", tool.name()}}), 0);
  EXPECT_TRUE(rollcall.whole(1));
}

// Machines on IPv6 only, the release in the name; a deploy goes from one to the next. Asked through dnsmasq.
TEST(Platforms, FlysNextReleaseIsAMeshOfItsOwnAndNoIncident) {
  ROLLCALL_NEEDS_NETWORK();
  machines fly("internal");
  std::map<std::string, std::string> listed;
  const auto publish = [&] {
    std::string lines;
    for (const auto& [machine, address] : listed) lines += "shop AAAA " + address + "\n";
    fly.dns->extra_records(lines);
  };
  const auto start = [&](const std::string& machine, const std::string& release) -> beam& {
    listed[machine] = machines::six(fly.add(machine));
    auto& node = fly.start(machine, release + "@" + listed[machine], {"-proto_dist", "inet6_tcp"});
    publish();
    return node;
  };
  auto& first = start("m1", "shop-01HX");
  auto& second = start("m2", "shop-01HX");
  const auto own = machines::six(fly.net.at("rollcall"));
  const std::vector<std::string> options{"--dns",        "shop-*@shop.internal",
                                         "--dns-family", "6",
                                         "--dns-server", fly.net.at("cache").address + ":53"};
  const auto rollcall = fly.rollcall(options, own);
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 90s, "two of a release"));
  alarms seen(rollcall);
  start("m3", "shop-01HY");
  auto& last = start("m4", "shop-01HY");
  ASSERT_TRUE(eventually([&] { return rollcall.up() == 4 && last.nodes().size() == 1; }, 90s,
                         "two of the next beside them"));
  const auto status = rollcall.json("/api/v1/status");
  ASSERT_EQ(status.at("meshes").as_array().size(), 2U);
  for (const auto& mesh : status.at("meshes").as_array()) {
    EXPECT_EQ(mesh.at("up"), 2);
    EXPECT_EQ(mesh.at("partitions"), 1);
  }
  EXPECT_EQ(rollcall.json("/api/v1/partitions").as_array().at(0).at("nodes").as_array().size(), 2U);
  EXPECT_EQ(rollcall.metric("erlang_cluster_partitions"), 1);
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_info", {{"member", last.name()}, {"mesh", "shop-01HY"}}),
            1);
  const auto checked = fly.check(options, own);
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  EXPECT_THAT(checked.output, HasSubstr("whole: 4 members, all connected"));
  for (auto* old : {&first, &second}) {
    old->stop();
    listed.erase(old == &first ? "m1" : "m2");
    publish();
  }
  EXPECT_TRUE(eventually(
      [&] { return rollcall.metric("erlang_cluster_expected_members") == 2 && rollcall.up() == 2; }, 120s,
      "the next release alone"));
  EXPECT_THAT(seen.of(splits), IsEmpty());
  EXPECT_GT(seen.looks(), 10);
  EXPECT_TRUE(rollcall.json("/api/v1/netsplits").as_array().empty());
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_failures_total", {{"member", first.name()}}).value_or(0),
            0);
  EXPECT_TRUE(last.nodes() == std::vector<std::string>{"shop-01HY@" + listed["m3"]}) << "and only of its own";
}

// Some of the addresses in each answer, in turn: two here, eight there.
TEST(Platforms, EcsWithCloudMapAnswersWithSomeOfMany) {
  ROLLCALL_NEEDS_NETWORK();
  machines ecs("local");
  std::vector<std::string> addresses;
  for (const std::string name : {"t1", "t2", "t3", "t4"}) {
    addresses.push_back(ecs.add(name).address);
    ecs.start(name, "app-42@" + addresses.back());
  }
  std::size_t turn = 0;
  const auto next = [&] {
    std::string lines;
    for (int i = 0; i < 2; ++i) lines += "app A " + addresses[(turn + i) % addresses.size()] + "\n";
    ++turn;
    ecs.dns->extra_records(lines);
  };
  next();
  const std::vector<std::string> options{"--dns", "app-*@app.local", "--linger", "2m"};
  const auto rollcall = ecs.rollcall(options, ecs.own_address);
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto a_round_later = [&] {
    const auto before = rounds();
    return eventually([&] { return rounds() >= before + 2; }, 60s, "a round");
  };
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(a_round_later());
    next();
  }
  ASSERT_TRUE(eventually([&] { return rollcall.whole(4); }, 90s, "all of them in the end"));
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(a_round_later());
    EXPECT_EQ(rollcall.metric("erlang_cluster_expected_members"), 4);
    next();
  }
  EXPECT_TRUE(rollcall.whole(4));
  EXPECT_THAT(rollcall.log_with({"no longer listed"}), IsEmpty());
  const auto checked = ecs.check({"--dns", "app-*@app.local", "--expect", "4"}, ecs.own_address);
  EXPECT_EQ(checked.exit_code, 1) << "one look sees what one answer has";
  EXPECT_THAT(checked.output, HasSubstr("2 of 4 members up")) << checked.output;
}

// SRV targets are hashes that no node is called; nodes go by their addresses.
TEST(Platforms, KubeDnsHashLabelsAreOnlyAddresses) {
  ROLLCALL_NEEDS_NETWORK();
  machines kube("cluster.local");
  std::vector<endpoint> endpoints;
  for (const std::string name : {"p1", "p2"}) {
    const auto address = kube.add(name).address;
    endpoints.push_back({.hostname = name == "p1" ? "3830306636" : "6264383230", .address = address});
    kube.start(name, "app@" + address);
  }
  kube.dns->publish("app.default", endpoints);
  const auto rollcall = kube.rollcall({"--srv", "*@app"}, kube.own_address);
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 90s, "by what they call themselves"));
  EXPECT_EQ(rollcall.state("app@" + endpoints[0].address), "up");
  const auto checked = kube.check({"--srv", "*@app"}, kube.own_address);
  EXPECT_THAT(checked.output, HasSubstr("whole: 2 members, all connected")) << checked.errors;
}

// Consul's SRV records have the port of each allocation, several on a machine, each with a name of its own.
TEST(Platforms, NomadsAllocationsAreFoundByHostAndPort) {
  platform p;
  std::string lines = "machine A 127.0.0.1\n";
  for (const auto* name : {"app-7f3a@127.0.0.1", "app-9c1b@127.0.0.1", "app-11aa@127.0.0.1"}) {
    const auto port = std::to_string(free_port());
    p.nodes.add({.name = name,
                 .network_namespace = {},
                 .arguments = {"-kernel", "inet_dist_listen_min", port, "inet_dist_listen_max", port}});
    lines += "app.service SRV 1 1 " + port + " machine\n";
  }
  p.dns.extra_records(lines);
  const std::vector<std::string> options{
      "--srv", "*@app.service.cluster.local.", "--peer-port", "srv", "--dns-tcp", "--mesh", "all"};
  const auto rollcall = p.rollcall(options);
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three on a machine"));
  const auto checked = p.check(options);
  EXPECT_THAT(checked.output, HasSubstr("whole: 3 members, all connected")) << checked.errors;
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
