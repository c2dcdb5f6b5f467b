// Discovery against a real name server (Knot): a headless service's zone that changes, grows past a datagram,
// and whose server fails, stops and comes back.
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "discovery/roster.hpp"
#include "test/support/dns_server.hpp"

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint16_t srv_type = 33, a_type = 1, aaaa_type = 28;

std::vector<test::endpoint> pods(int count, bool resolvable = true) {
  std::vector<test::endpoint> made;
  for (int i = 0; i < count; ++i) {
    const auto number = std::to_string(i);
    made.push_back({"web-" + number,
                    resolvable ? "10.1." + std::to_string(i / 250) + '.' + std::to_string(i % 250 + 1) : "",
                    4370, "_dist._tcp"});
  }
  return made;
}

class DiscoveryOnKnot : public ::testing::Test {
 protected:
  void start(std::vector<source_options> sources, bool srv_port = false) {
    resolver::options chosen;
    chosen.server = {asio::ip::make_address("127.0.0.1"), between.port()};
    chosen.timeout = 1'500ms;
    chosen.search =
        std::vector<std::string>{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"};
    names = std::make_unique<resolver>(context, chosen);
    one = std::make_unique<roster>(context, roster::options{std::move(sources), {}, srv_port}, *names,
                                   local_names_function{});
  }

  template <class T>
  T run(asio::awaitable<T> what) {
    std::optional<T> value;
    asio::co_spawn(context, std::move(what), [&value](std::exception_ptr problem, T result) {
      if (problem) std::rethrow_exception(problem);
      value = std::move(result);
    });
    context.restart();
    context.run_for(30s);
    return value ? std::move(*value) : T{};
  }

  round refresh() { return run(one->refresh()); }
  static std::vector<std::string> nodes(const round& each) {
    std::vector<std::string> texts;
    for (const auto& node : each.entries) texts.push_back(node.name.text());
    return texts;
  }

  test::dns_server knot;
  test::faulty_dns_server between{&knot};  // counts the questions; its faults are switched
  asio::io_context context;
  std::unique_ptr<resolver> names;
  std::unique_ptr<roster> one;
};

TEST_F(DiscoveryOnKnot, FollowsAServiceWithOneQuestionARound) {
  knot.publish("app.default", pods(2));
  start({srv_source{"app", "app"}});
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@web-0.app.default.svc.cluster.local",
                                            "app@web-1.app.default.svc.cluster.local"));
  knot.publish("app.default", pods(3));
  const auto grown = refresh();
  EXPECT_THAT(grown.changes,
              ElementsAre("srv:app@app: 3 nodes; new: app@web-2.app.default.svc.cluster.local"));
  const auto before = between.questions();
  for (int i = 0; i < 10; ++i) EXPECT_THAT(refresh().changes, IsEmpty());
  EXPECT_EQ(between.questions(), before + 10);
  EXPECT_EQ(between.questions(srv_type), between.questions());
  knot.publish("app.default", pods(1));
  EXPECT_THAT(refresh().entries, SizeIs(1));
}

TEST_F(DiscoveryOnKnot, AsksANamedPortAsItStands) {
  auto endpoints = pods(2);
  endpoints.push_back({"web-0", "10.1.0.1", 8080, "_http._tcp"});
  knot.publish("app.default", endpoints);
  start({srv_source{"app", "_dist._tcp.app.default.svc.cluster.local"}}, true);
  const auto found = refresh();
  ASSERT_THAT(found.entries, SizeIs(2));
  EXPECT_EQ(found.entries[0].port, 4370);
  EXPECT_THAT(found.changes, SizeIs(1)) << "no doubt about the port";
  EXPECT_EQ(between.questions(), 1);
}

TEST_F(DiscoveryOnKnot, TwentyPodsNeedNoTcp) {
  knot.publish("app.default", pods(20));
  start({srv_source{"app", "app.default"}});
  EXPECT_THAT(refresh().entries, SizeIs(20));
  EXPECT_EQ(between.questions(srv_type), 1);
}

TEST_F(DiscoveryOnKnot, FiveHundredPodsComeOverTcp) {
  knot.publish("app.default", pods(500));
  resolver::options chosen;
  chosen.server = {asio::ip::make_address("127.0.0.1"), knot.port()};
  resolver direct(context, chosen);
  roster rounds(context, {{srv_source{"app", "app.default.svc.cluster.local"}}, {}, false}, direct,
                local_names_function{});
  for (int i = 0; i < 3; ++i) EXPECT_THAT(run(rounds.refresh()).entries, SizeIs(500));
}

// An answer over TCP has 65,535 bytes: room for 4,000 addresses, or some 1,500 SRV records with names as
// Kubernetes gives them.
TEST_F(DiscoveryOnKnot, ThousandsOfAddressesComeOverTcp) {
  std::string lines;
  for (int i = 0; i < 2'500; ++i)
    lines += "many A 10.9." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + "\n";
  for (int i = 0; i < 2'100; ++i) lines += "short SRV 0 0 4370 n" + std::to_string(i) + ".a.\n";
  knot.extra_records(lines);
  resolver::options chosen;
  chosen.server = {asio::ip::make_address("127.0.0.1"), knot.port()};
  resolver direct(context, chosen);
  roster rounds(
      context,
      {{dns_source{"app", "many.cluster.local."}, srv_source{"app", "short.cluster.local."}}, {}, false},
      direct, local_names_function{});
  for (int i = 0; i < 2; ++i) {
    const auto found = run(rounds.refresh());
    EXPECT_EQ(found.sources[0].records, 2'500U) << found.sources[0].detail;
    EXPECT_EQ(found.sources[1].records, 2'100U) << found.sources[1].detail;
  }
}

TEST_F(DiscoveryOnKnot, AliasesDotsAndCase) {
  knot.extra_records(
      "alias CNAME other\nother CNAME Pods.Example-Zone\nPods.Example-Zone A 10.3.0.1\n"
      "nowhere SRV 0 0 0 .\nmixed SRV 0 0 4370 App-0.MIXED.cluster.local.\n");
  start({dns_source{"app", "ALIAS.cluster.local."}, srv_source{"app", "nowhere.cluster.local."},
         srv_source{"app", "Mixed.Cluster.Local."}});
  const auto found = refresh();
  EXPECT_THAT(nodes(found), ElementsAre("app@10.3.0.1", "app@app-0.mixed.cluster.local"));
  EXPECT_EQ(found.sources[1].outcome, query_outcome::empty);
}

TEST_F(DiscoveryOnKnot, AddressesOfAServiceAndOfAPod) {
  auto endpoints = pods(2);
  endpoints.push_back({"six", "fd00::6", 4370, "_dist._tcp"});
  knot.publish("app.default", endpoints);
  start({dns_source{"app", "app.default"}});
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@10.1.0.1", "app@10.1.0.2", "app@fd00::6"));
  EXPECT_EQ(between.questions(a_type), 1);
  EXPECT_EQ(between.questions(aaaa_type), 1);
  EXPECT_THAT(run(names->addresses("web-1.app.default.svc.cluster.local")).records,
              ElementsAre(asio::ip::make_address("10.1.0.2")));
  EXPECT_EQ(between.questions(), 4) << "one A and one AAAA, no search list";
}

TEST_F(DiscoveryOnKnot, AHostThatResolvesLate) {
  knot.publish("app.default", pods(1, false));
  start({srv_source{"app", "app.default"}});
  const auto first = refresh();
  ASSERT_THAT(first.entries, SizeIs(1));
  EXPECT_EQ(run(names->addresses(first.entries[0].host)).outcome, query_outcome::nxdomain);
  knot.publish("app.default", pods(1));
  EXPECT_EQ(run(names->addresses(first.entries[0].host)).outcome, query_outcome::ok);
}

TEST_F(DiscoveryOnKnot, NoFaultTakesAnybodyAway) {
  knot.publish("app.default", pods(3));
  start({srv_source{"app", "app.default"}});
  ASSERT_THAT(refresh().entries, SizeIs(3));
  struct row {
    test::dns_fault fault;
    query_outcome outcome;
  };
  using enum test::dns_fault;
  for (const auto& [fault, outcome] :
       {row{servfail, query_outcome::servfail}, row{silent, query_outcome::timeout},
        row{refused, query_outcome::error}, row{garbage, query_outcome::timeout}}) {
    between.become(fault);
    for (int i = 0; i < 2; ++i) {
      const auto bad = refresh();
      EXPECT_THAT(bad.entries, SizeIs(3));
      EXPECT_EQ(bad.sources[0].outcome, outcome) << bad.sources[0].detail;
      EXPECT_LE(bad.changes.size(), i == 0 ? 1U : 0U);
    }
  }
  between.become(relay);
  EXPECT_THAT(refresh().changes, ElementsAre("srv:app@app.default: answers again: 3 nodes"));
  between.become(truncated);
  EXPECT_EQ(refresh().sources[0].outcome, query_outcome::ok) << "over TCP";
  for (const auto fault : {empty, nxdomain}) {
    between.become(fault);
    refresh();
    EXPECT_THAT(refresh().entries, SizeIs(3));
    EXPECT_THAT(refresh().entries, IsEmpty()) << "the third time it is believed";
    between.become(relay);
    EXPECT_THAT(refresh().entries, SizeIs(3));
  }
}

TEST_F(DiscoveryOnKnot, AServerThatStopsAndComesBack) {
  knot.publish("app.default", pods(3));
  resolver::options chosen;
  chosen.server = {asio::ip::make_address("127.0.0.1"), knot.port()};
  chosen.timeout = 1'500ms;
  resolver direct(context, chosen);
  roster rounds(context, {{srv_source{"app", "app.default.svc.cluster.local"}}, {}, false}, direct,
                local_names_function{});
  ASSERT_THAT(run(rounds.refresh()).entries, SizeIs(3));
  knot.stop();
  const auto away = run(rounds.refresh());
  EXPECT_THAT(away.entries, SizeIs(3));
  EXPECT_EQ(away.sources[0].outcome, query_outcome::error);
  EXPECT_THAT(away.sources[0].detail, HasSubstr("no server answered: 127.0.0.1:"));
  for (int i = 0; i < 5; ++i) EXPECT_THAT(run(rounds.refresh()).changes, IsEmpty());
  knot.start();
  EXPECT_THAT(run(rounds.refresh()).changes, ElementsAre(HasSubstr("answers again: 3 nodes")));
}

}  // namespace
}  // namespace rollcall::discovery
