// A DNS error is not an empty cluster: whatever the name server does, not one link is lost.
#include <gtest/gtest.h>

#include "test/support/dns_server.hpp"
#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

// Two services of one node each, so that both nodes can stand behind one port mapper.
class two_services {
 public:
  two_services() : faulty_(&real_) {
    std::string hosts = "{lookup, [file]}.\n";
    for (const std::string alive : {"one", "two"}) {
      real_.publish(alive + ".default", {{.hostname = "web-0", .address = "127.0.0.1"}});
      hosts += "{host, {127,0,0,1}, [\"" + real_.host(alive + ".default", "web-0") + "\"]}.\n";
    }
    const auto inetrc = files_.write("inetrc", hosts);
    for (const std::string alive : {"one", "two"}) {
      nodes_.add({.name = alive + "@" + real_.host(alive + ".default", "web-0"),
                  .network_namespace = {},
                  .arguments = {},
                  .environment = {{"ERL_INETRC", inetrc}}});
    }
  }

  rollcall_program rollcall(const std::string& server, const std::string& timeout = "500ms") {
    return rollcall_program({.arguments = {"--srv", "one@_dist._tcp." + real_.service_domain("one.default"),
                                           "--srv", "two@_dist._tcp." + real_.service_domain("two.default"),
                                           "--dns-server", server, "--dns-timeout", timeout},
                             .environment = {},
                             .epmd_port = nodes_.mapper().port(),
                             .network_namespace = {},
                             .name = "rollcall@127.0.0.1",
                             .interval = "300ms"});
  }
  loopback& nodes() { return nodes_; }
  dns_server& real() { return real_; }
  faulty_dns_server& faulty() { return faulty_; }

 private:
  temporary_directory files_;
  dns_server real_;
  faulty_dns_server faulty_;
  loopback nodes_;
};

double queries(const rollcall_program& rollcall, const std::vector<std::string>& outcomes) {
  double sum = 0;
  const auto text = rollcall.get("/metrics").body;
  for (const std::string source : {"one", "two"}) {
    for (const auto& outcome : outcomes) {
      sum +=
          find_metric(text, "rollcall_discovery_queries_total",
                      {{"source", "srv:" + source + "@_dist._tcp." + source + ".default.svc.cluster.local"},
                       {"outcome", outcome}})
              .value_or(0);
    }
  }
  return sum;
}

const std::vector<std::string> failures{"empty", "nxdomain", "servfail", "timeout", "error"};

// No link is lost while the fault lasts, and all is well after it. `begin` makes it, `end` ends it.
void endures(two_services& cluster, const rollcall_program& rollcall, const std::function<void()>& begin,
             const std::function<void()>& end, const std::string& outcome, bool stays_listed) {
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  cluster.nodes().node(0).watch();
  cluster.nodes().node(1).watch();
  const auto failed_before = queries(rollcall, failures);
  const auto of_this_kind = queries(rollcall, {outcome});
  const auto log_before = rollcall.log_size();

  begin();
  // Five rounds: more than it takes to believe an empty answer.
  ASSERT_TRUE(eventually([&] { return queries(rollcall, failures) >= failed_before + 10; }, 60s,
                         "the fault is felt"));
  if (!outcome.empty()) {
    EXPECT_GT(queries(rollcall, {outcome}), of_this_kind);
  }
  // A view that a busy machine was late with is no link that was lost: that the nodes themselves would tell.
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 30s, "still one"));
  EXPECT_EQ(cluster.nodes().node(0).downs(), 0);
  EXPECT_EQ(cluster.nodes().node(1).downs(), 0);
  if (stays_listed) {
    EXPECT_EQ(rollcall.metric("erlang_cluster_listed_members"), 2);
  }
  const auto said = rollcall.log_size() - log_before;
  EXPECT_GE(said, 1U);
  EXPECT_LE(said, 8U) << testing::PrintToString(
      rollcall.log());  // a few for each of the two sources, not one a round
  EXPECT_FALSE(rollcall.log_with({"srv:one@"}).empty()) << testing::PrintToString(rollcall.log());

  end();
  const auto good_before = queries(rollcall, {"ok"});
  EXPECT_TRUE(eventually([&] { return queries(rollcall, {"ok"}) >= good_before + 4; }, 60s, "answers again"));
  EXPECT_TRUE(eventually([&] { return rollcall.metric("erlang_cluster_listed_members") == 2; }, 30s,
                         "both are listed"));
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 30s, "one again"));
  EXPECT_EQ(cluster.nodes().node(0).downs(), 0);
  EXPECT_EQ(cluster.nodes().node(1).downs(), 0);
}

struct fault_row {
  std::string name;
  dns_fault fault;
  std::string outcome;  // the label it must be counted under; "" for any
  bool stays_listed;    // a server that says "nothing" often enough is believed; an error never is
};
void PrintTo(const fault_row& row, std::ostream* out) {
  *out << row.name;
}

class DnsFault : public testing::TestWithParam<fault_row> {};

TEST_P(DnsFault, LoseNotOneLink) {
  two_services cluster;
  const auto rollcall = cluster.rollcall(cluster.faulty().endpoint_text());
  endures(
      cluster, rollcall, [&] { cluster.faulty().become(GetParam().fault); },
      [&] { cluster.faulty().become(dns_fault::relay); }, GetParam().outcome, GetParam().stays_listed);
}

INSTANTIATE_TEST_SUITE_P(Table, DnsFault,
                         testing::Values(fault_row{"Servfail", dns_fault::servfail, "servfail", true},
                                         fault_row{"Nxdomain", dns_fault::nxdomain, "nxdomain", false},
                                         fault_row{"Empty", dns_fault::empty, "empty", false},
                                         fault_row{"Silent", dns_fault::silent, "timeout", true},
                                         fault_row{"Refused", dns_fault::refused, "", true},
                                         fault_row{"Garbage", dns_fault::garbage, "", true}),
                         [](const auto& one) { return one.param.name; });

TEST(DnsFaults, ARealServerStopsAndComesBack) {
  two_services cluster;
  const auto rollcall = cluster.rollcall(cluster.real().endpoint_text());
  endures(
      cluster, rollcall, [&] { cluster.real().stop(); }, [&] { cluster.real().start(); }, "", true);
}

TEST(DnsFaults, AnswersTooLongForUdpAreAskedForOverTcp) {
  two_services cluster;
  cluster.faulty().become(dns_fault::truncated);
  const auto rollcall = cluster.rollcall(cluster.faulty().endpoint_text());
  EXPECT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
}

TEST(DnsFaults, OneSrvQueryAnInterval) {
  two_services cluster;
  const auto rollcall =
      cluster.rollcall(cluster.faulty().endpoint_text(), "30s");  // no question is asked twice
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  const auto counted = queries(rollcall, {"ok"});
  const auto asked = cluster.faulty().questions(33);
  ASSERT_TRUE(eventually([&] { return queries(rollcall, {"ok"}) >= counted + 10; }, 60s, "five rounds"));
  EXPECT_LE(cluster.faulty().questions(33) - asked, queries(rollcall, {"ok"}) - counted + 4);
}

}  // namespace
}  // namespace rollcall::test
