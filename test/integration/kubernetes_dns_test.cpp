// What a cluster's DNS (CoreDNS) says of a headless service, by a zone that answers as it does; and what
// Rollcall makes of it: as many members as there are pods, whatever the number of ports, and whether they are
// ready or not.
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <sstream>

#include "test/support/dns_server.hpp"
#include "test/support/pods.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

const std::string service = "app.default.svc.cluster.local.";

// Sections of kdig's answer, a line for each record, its fields a space apart; comments left out.
std::map<std::string, std::vector<std::string>> ask(const dns_server& dns, const std::string& type,
                                                    const std::string& name) {
  std::map<std::string, std::vector<std::string>> sections;
  std::istringstream lines(
      run_or_throw({"kdig", "@" + dns.address(), "-p", std::to_string(dns.port()), "+tcp", type, name}));
  std::string section = "header";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(";; ") && line.ends_with(" SECTION:"))
      section = line.substr(3, line.size() - 12);  // ";; ANSWER SECTION:"
    if (section == "header" && line.find("status: ") != std::string::npos) {
      const auto at = line.find("status: ") + 8;
      sections["status"] = {line.substr(at, line.find(';', at) - at)};
    }
    if (line.empty() || line.starts_with(";")) continue;
    std::istringstream fields(line);
    std::string record;
    for (std::string field; fields >> field;) record += (record.empty() ? "" : " ") + field;
    sections[section].push_back(record);
  }
  return sections;
}

headless_service two_ports(std::vector<service_pod> pods) {
  return {.ports = {{.name = "dist", .port = 9100}, {.name = "epmd", .port = 4369}}, .pods = std::move(pods)};
}

// The port called dist leads to the pods of these names, and their addresses ("A 10.1.2.3") come with that.
void expect_two(dns_server& dns, const std::map<std::string, std::string>& pods) {
  std::vector<std::string> services, addresses;
  for (const auto& [name, address] : pods) {
    services.push_back("_dist._tcp." + service + " 5 IN SRV 0 50 9100 " + name + "." + service);
    addresses.push_back(name + "." + service + " 5 IN " + address);
  }
  auto named = ask(dns, "SRV", "_dist._tcp." + service);
  EXPECT_THAT(named["ANSWER"], UnorderedElementsAreArray(services));
  EXPECT_THAT(named["ADDITIONAL"], UnorderedElementsAreArray(addresses));
}

TEST(KubernetesDns, AStatefulSetsPodsAreNamedByTheirHostName) {
  dns_server dns;
  dns.publish_service("app.default", two_ports({{.hostname = "app-0", .address = "10.1.2.3"},
                                                {.hostname = "app-1", .address = "10.1.2.4"}}));
  expect_two(dns, {{"app-0", "A 10.1.2.3"}, {"app-1", "A 10.1.2.4"}});
  EXPECT_THAT(ask(dns, "SRV", "_epmd._tcp." + service)["ANSWER"],
              Contains("_epmd._tcp." + service + " 5 IN SRV 0 50 4369 app-0." + service));

  auto bare = ask(dns, "SRV", service);
  EXPECT_THAT(bare["ANSWER"], UnorderedElementsAre(service + " 5 IN SRV 0 25 9100 app-0." + service,
                                                   service + " 5 IN SRV 0 25 4369 app-0." + service,
                                                   service + " 5 IN SRV 0 25 9100 app-1." + service,
                                                   service + " 5 IN SRV 0 25 4369 app-1." + service));
  // (CoreDNS gives an address once; Knot repeats it for each record that leads to it.)
  EXPECT_THAT(std::set<std::string>(bare["ADDITIONAL"].begin(), bare["ADDITIONAL"].end()), SizeIs(2));
  EXPECT_THAT(ask(dns, "A", service)["ANSWER"],
              UnorderedElementsAre(service + " 5 IN A 10.1.2.3", service + " 5 IN A 10.1.2.4"));
  EXPECT_THAT(ask(dns, "A", "app-1." + service)["ANSWER"],
              ElementsAre("app-1." + service + " 5 IN A 10.1.2.4"));
  EXPECT_THAT(ask(dns, "A", "app-2." + service)["status"], ElementsAre("NXDOMAIN"));
}

TEST(KubernetesDns, ADeploymentsPodsAreNamedByTheirAddress) {
  dns_server dns;
  dns.publish_service("app.default", two_ports({{.hostname = "", .address = "10.1.2.3"},
                                                {.hostname = "", .address = "fd00::7"}}));
  expect_two(dns, {{"10-1-2-3", "A 10.1.2.3"}, {"fd00--7", "AAAA fd00::7"}});
  EXPECT_THAT(ask(dns, "AAAA", service)["ANSWER"], ElementsAre(service + " 5 IN AAAA fd00::7"));
}

TEST(KubernetesDns, APortWithoutANameIsListedUnderTheServiceAlone) {
  dns_server dns;
  dns.publish_service("app.default", {.ports = {{.name = "", .port = 4000}},
                                      .pods = {{.hostname = "app-0", .address = "10.1.2.3"}}});
  EXPECT_THAT(ask(dns, "SRV", service)["ANSWER"],
              ElementsAre(service + " 5 IN SRV 0 100 4000 app-0." + service));
  EXPECT_THAT(ask(dns, "SRV", "_dist._tcp." + service)["status"], ElementsAre("NXDOMAIN"));
}

TEST(KubernetesDns, PodsThatAreNotReadyAreListedOnlyWhenTheServiceSaysSo) {
  dns_server dns;
  auto described = two_ports({{.hostname = "app-0", .address = "10.1.2.3"},
                              {.hostname = "app-1", .address = "10.1.2.4", .ready = false}});
  dns.publish_service("app.default", described);
  EXPECT_THAT(ask(dns, "SRV", "_dist._tcp." + service)["ANSWER"], SizeIs(2));
  described.publish_not_ready = false;
  dns.publish_service("app.default", described);
  EXPECT_THAT(ask(dns, "SRV", "_dist._tcp." + service)["ANSWER"], SizeIs(1));
  EXPECT_THAT(ask(dns, "A", service)["ANSWER"], ElementsAre(service + " 5 IN A 10.1.2.3"));
  EXPECT_THAT(ask(dns, "A", "app-1." + service)["status"], ElementsAre("NXDOMAIN"));
  described.pods[1].ready = true;
  dns.publish_service("app.default", described);
  EXPECT_THAT(ask(dns, "SRV", service)["ANSWER"], SizeIs(4));
  described.pods.clear();
  dns.publish_service("app.default", described);
  EXPECT_THAT(ask(dns, "SRV", "_dist._tcp." + service)["ANSWER"], IsEmpty());
}

// The members it lists, sorted. Nobody is there to be dialled: 192.0.2.0/24 is nobody's network.
std::vector<std::string> listed(const rollcall_program& rollcall) {
  std::vector<std::string> names;
  const auto members = rollcall.json("/api/v1/members");
  for (const auto& one : members.as_array()) names.emplace_back(one.at("node").as_string());
  return names;
}

TEST(KubernetesDns, RecordsOfSeveralPortsAreOneMember) {
  dns_server dns;
  dns.publish_service("app.default", two_ports({{.hostname = "app-0", .address = "192.0.2.1"},
                                                {.hostname = "app-1", .address = "192.0.2.2"},
                                                {.hostname = "app-2", .address = "192.0.2.3"}}));
  const std::vector<std::string> expected{"app@app-0.app.default.svc.cluster.local",
                                          "app@app-1.app.default.svc.cluster.local",
                                          "app@app-2.app.default.svc.cluster.local"};
  for (const std::string& asked : {"_dist._tcp." + service, service}) {
    SCOPED_TRACE(asked);
    const faulty_dns_server between(&dns);
    const rollcall_program rollcall(
        {.arguments = {"--srv", "app@" + asked, "--dns-server", between.endpoint_text(), "--epmd", "none"},
         .name = "rollcall@127.0.0.1"});
    EXPECT_TRUE(eventually([&] { return listed(rollcall) == expected; }, 30s, "three pods, three members"))
        << ::testing::PrintToString(listed(rollcall));
    ASSERT_TRUE(eventually([&] { return between.questions(33) >= 4; }, 30s, "four rounds"));
    EXPECT_EQ(rollcall.metric("rollcall_discovery_records", {{"source", "srv:app@" + asked}}), 3);
    EXPECT_THAT(listed(rollcall), SizeIs(3));
  }
}

TEST(KubernetesDns, ANamedPortIsAskedAsItStands) {
  dns_server dns;
  dns.publish_service("app.default", two_ports({{.hostname = "app-0", .address = "192.0.2.1"}}));
  const faulty_dns_server between(&dns);
  const rollcall_program rollcall({.arguments = {"--srv", "app@_dist._tcp.app.default.svc.cluster.local",
                                                 "--dns-server", between.endpoint_text(), "--epmd", "none"},
                                   .name = "rollcall@127.0.0.1"});
  ASSERT_TRUE(eventually([&] { return between.questions(33) >= 5; }, 30s, "five rounds"));
  // One question a round: no search list was gone through. A round may have been under way while the two were
  // read.
  const auto rounds = rollcall.metric("rollcall_discovery_queries_total", {{"outcome", "ok"}}).value_or(0);
  EXPECT_NEAR(between.questions(33), rounds, 1);
  EXPECT_EQ(rollcall.metric("rollcall_discovery_queries_total", {{"outcome", "nxdomain"}}), 0);
}

TEST(KubernetesDns, PodsComeAndGoWithTheirReadinessAndTheMeshStays) {
  ROLLCALL_NEEDS_NETWORK();
  pods nodes({.count = 3});
  const auto& where = nodes.net().at("rollcall");
  // Under the bare name: two records a pod.
  rollcall_program rollcall({.arguments = {"--srv", "app@app.default"},
                             .environment = {{"POD_IP", where.address}},
                             .network_namespace = where.network_namespace});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three pods, three members, one mesh"));
  for (std::size_t i = 0; i < 3; ++i) nodes.node(i).watch();

  // Its readiness probe fails, and the service does not publish such pods: alive, up, and not missed.
  nodes.list(2, false);
  const auto unlisted = [&](std::size_t i) { return rollcall.member(nodes.name(i)).at("listed") == false; };
  ASSERT_TRUE(eventually([&] { return unlisted(2); }, 30s, "the third pod is listed no more"));
  EXPECT_TRUE(rollcall.is(nodes.name(2), "up"));
  EXPECT_EQ(rollcall.links_missing(), 0U);
  EXPECT_EQ(rollcall.partitions().size(), 1U);
  nodes.list(2, true);
  ASSERT_TRUE(eventually([&] { return !unlisted(2); }, 30s, "and it is listed again"));
  EXPECT_TRUE(rollcall.whole(3));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(nodes.node(i).downs(), 0) << nodes.name(i);
}

}  // namespace
}  // namespace rollcall::test
