// Rounds of discovery against a name server in the same process: who is listed, what is said, how much is
// asked.
#include "discovery/roster.hpp"

#include <gmock/gmock.h>

#include <boost/asio/error.hpp>

#include "test/unit/discovery/name_server.hpp"

namespace rollcall::discovery {

void PrintTo(const entry& each, std::ostream* out) {
  *out << each.name << " host=" << each.host
       << " address=" << (each.address ? each.address->to_string() : "-") << " port=" << each.port.value_or(0)
       << " pattern=" << each.pattern;
}

namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message;
using testing::name_server;
using testing::question;
using testing::run;
using ::testing::SizeIs;

node_name name(std::string_view text) {
  return node_name::parse(text).value();
}

class Roster : public ::testing::Test {
 protected:
  Roster() {
    server.on_question = [this](const question& q) {
      const auto found = zone.find(q.name);
      if (found == zone.end()) return q.reply(message(q, testing::rcode_nxdomain).build());
      message answer(q, rcode);
      if (q.type == testing::type_srv && rcode == 0) {
        for (const auto& [target, port] : found->second) answer.srv(target, port);
      }
      if (q.type == testing::type_a && rcode == 0) {
        for (const auto& [target, port] : found->second) answer.a(target);
      }
      q.reply(answer.build());
    };
    allow(10'000ms);
  }

  // Long where every question is answered, short where one is not.
  void allow(milliseconds timeout) {
    resolver::options chosen;
    chosen.server = server.endpoint();
    chosen.timeout = timeout;
    chosen.search = std::vector<std::string>{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local"};
    names = std::make_unique<resolver>(context, chosen);
  }

  void start(roster::options options) {
    one = std::make_unique<roster>(
        context, std::move(options), *names,
        [this]() -> asio::awaitable<boost::system::result<std::vector<local_entry>>> { co_return local; });
  }
  void start(std::vector<source_options> sources) { start(roster::options{std::move(sources), {}, false}); }

  round refresh() { return run(context, one->refresh()); }
  static std::vector<std::string> nodes(const round& each) {
    std::vector<std::string> texts;
    for (const auto& node : each.entries) texts.push_back(node.name.text());
    return texts;
  }

  asio::io_context context;
  name_server server{context};
  std::map<std::string, std::vector<std::pair<std::string, std::uint16_t>>> zone;
  unsigned rcode = 0;
  boost::system::result<std::vector<local_entry>> local = std::vector<local_entry>{};
  std::unique_ptr<resolver> names;
  std::unique_ptr<roster> one;
};

constexpr const char* whole = "app.shop.svc.cluster.local.";

TEST(Label, IsWhatWasConfigured) {
  EXPECT_EQ(label(srv_source{"app", "svc.ns"}), "srv:app@svc.ns");
  EXPECT_EQ(label(dns_source{"app", "svc.ns"}), "dns:app@svc.ns");
  EXPECT_EQ(label(static_source{}), "node");
  EXPECT_EQ(label(local_source{}), "local");
}

TEST_F(Roster, SrvTargetsBecomeNodes) {
  zone[whole] = {{"App-1.app.test.", 4370}, {"app-0.app.test.", 4370}, {"app-0.app.test.", 8080}};
  start({srv_source{"app", "app.shop.svc.cluster.local"}});
  const auto first = refresh();
  EXPECT_THAT(nodes(first), ElementsAre("app@app-0.app.test", "app@app-1.app.test"));
  EXPECT_EQ(first.entries[0],
            (entry{name("app@app-0.app.test"), "app-0.app.test", std::nullopt, std::nullopt}));
  EXPECT_THAT(first.changes, ElementsAre("srv:app@app.shop.svc.cluster.local: 2 nodes: app@app-0.app.test, "
                                         "app@app-1.app.test"));
  EXPECT_THAT(first.queried, ElementsAre(0U));
  EXPECT_EQ(first.sources[0].outcome, query_outcome::ok);
  EXPECT_EQ(first.sources[0].records, 2U);
  EXPECT_TRUE(first.sources[0].last_success);
}

TEST_F(Roster, QuietRoundsCostOneQuestionPerSource) {
  zone["app.shop.svc.cluster.local."] = {{"app-0.test.", 4370}};
  zone["db.other.svc.cluster.local."] = {{"db-0.test.", 4370}};
  start({srv_source{"app", "app"}, srv_source{"db", "db.other"}, static_source{{name("x@y.test")}}});
  EXPECT_THAT(refresh().entries, SizeIs(3));
  server.questions.clear();
  constexpr std::size_t rounds = 20;
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto quiet = refresh();
    EXPECT_THAT(quiet.changes, IsEmpty());
    EXPECT_THAT(quiet.queried, ElementsAre(0U, 1U)) << "written-down nodes are not asked for";
  }
  EXPECT_EQ(server.asked(testing::type_srv), 2 * rounds);
  EXPECT_THAT(server.questions, SizeIs(2 * rounds));
}

TEST_F(Roster, AShortNameIsCompletedUntilOneHasRecords) {
  start({srv_source{"app", "app.other"}});
  auto none = refresh();
  EXPECT_EQ(none.sources[0].outcome, query_outcome::nxdomain);
  EXPECT_THAT(server.names(testing::type_srv),
              ElementsAre("app.other.svc.cluster.local.", "app.other.shop.svc.cluster.local.",
                          "app.other.cluster.local.", "app.other."));
  zone["app.other.cluster.local."] = {{"app-0.test.", 4370}};
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-0.test"));
  server.questions.clear();
  refresh();
  EXPECT_THAT(server.names(testing::type_srv), ElementsAre("app.other.cluster.local."));
  // It moves: the old name is believed gone after three rounds, and the search begins again.
  zone.clear();
  zone["app.other.svc.cluster.local."] = {{"app-1.test.", 4370}};
  for (int i = 0; i < roster::empty_rounds_to_believe - 1; ++i) {
    EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-0.test"));
  }
  EXPECT_THAT(refresh().entries, IsEmpty());
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-1.test"));
}

TEST_F(Roster, OneNameOfTheSearchListFailsAndNobodyIsDelistedForIt) {
  zone["app.svc.cluster.local."] = {{"app-0.test.", 4370}, {"app-1.test.", 4370}};
  start({srv_source{"app", "app"}});
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-0.test", "app@app-1.test"));
  auto both = server.on_question;
  server.on_question = [both](const question& q) {
    if (q.name == "app.shop.svc.cluster.local.") return q.reply(message(q, testing::rcode_servfail).build());
    both(q);
  };
  start({srv_source{"app", "app"}});  // from the beginning: which one has records is not known
  const auto part = refresh();
  EXPECT_EQ(part.sources[0].outcome, query_outcome::partial);
  EXPECT_THAT(part.sources[0].detail, HasSubstr("app.shop.svc.cluster.local. (SERVFAIL)"));
  zone["app.svc.cluster.local."] = {{"app-0.test.", 4370}};
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-0.test", "app@app-1.test"));
  server.on_question = both;
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-0.test"));
}

TEST_F(Roster, APortOfNothingIsNone) {
  zone[whole] = {{"app-0.test.", 0}};
  start(roster::options{{srv_source{"app", "app.shop.svc.cluster.local"}}, {}, true});
  const auto found = refresh();
  ASSERT_THAT(found.entries, SizeIs(1));
  EXPECT_EQ(found.entries[0].port, std::nullopt);
}

TEST_F(Roster, AWildcardWithoutSrvRecordsDoesNotEndTheSearch) {
  zone["app.shop.svc.cluster.local."] = {};
  zone["app.svc.cluster.local."] = {{"app-0.test.", 4370}};
  start({srv_source{"app", "app"}});
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-0.test"));
}

TEST_F(Roster, NothingIsLostWhileTheServerFailsOrIsAway) {
  allow(1'000ms);
  zone[whole] = {{"app-0.test.", 4370}, {"app-1.test.", 4370}, {"app-2.test.", 4370}};
  start({srv_source{"app", "app.shop.svc.cluster.local"}});
  refresh();
  rcode = testing::rcode_servfail;
  auto bad = refresh();
  EXPECT_THAT(bad.entries, SizeIs(3));
  EXPECT_EQ(bad.sources[0].outcome, query_outcome::servfail);
  ASSERT_THAT(bad.changes, SizeIs(1));
  EXPECT_THAT(bad.changes[0], HasSubstr("SERVFAIL"));
  EXPECT_THAT(bad.changes[0], HasSubstr("the last answer (3 nodes) stays in force"));
  const auto answering = std::exchange(server.on_question, nullptr);
  EXPECT_EQ(refresh().sources[0].outcome, query_outcome::timeout);
  for (int i = 0; i < 2; ++i) {
    bad = refresh();
    EXPECT_THAT(bad.entries, SizeIs(3));
    EXPECT_THAT(bad.changes, IsEmpty()) << "not every round";
  }
  server.on_question = answering;
  rcode = 0;
  EXPECT_THAT(refresh().changes, ElementsAre("srv:app@app.shop.svc.cluster.local: answers again: 3 nodes"));
}

TEST_F(Roster, ScalingDownToNothingIsBelievedInTheEnd) {
  zone[whole] = {{"app-0.test.", 4370}};
  start({srv_source{"app", "app.shop.svc.cluster.local"}});
  refresh();
  zone[whole].clear();
  EXPECT_THAT(refresh().entries, SizeIs(1));
  EXPECT_THAT(refresh().entries, SizeIs(1));
  const auto third = refresh();
  EXPECT_THAT(third.entries, IsEmpty());
  EXPECT_EQ(third.sources[0].outcome, query_outcome::empty);
}

TEST_F(Roster, OneBrokenSourceLeavesTheOthersAlone) {
  zone["app.test.zone."] = {{"app-0.test.", 4370}};
  start({srv_source{"gone", "gone.test.zone"}, srv_source{"app", "app.test.zone"},
         static_source{{name("a@h.test")}}});
  const auto first = refresh();
  EXPECT_THAT(nodes(first), ElementsAre("a@h.test", "app@app-0.test"));
  EXPECT_EQ(first.sources[0].outcome, query_outcome::nxdomain);
  EXPECT_EQ(first.sources[1].outcome, query_outcome::ok);
  EXPECT_EQ(first.sources[2].source, "node");
  EXPECT_EQ(first.sources[2].records, 1U);
}

TEST_F(Roster, SourcesAreAskedAtOnce) {
  std::vector<question> waiting;
  server.on_question = [&](const question& q) {
    waiting.push_back(q);
    if (waiting.size() < 3) return;  // answered only when all three are there
    for (const auto& each : waiting) each.reply(message(each).srv("n." + each.name).build());
  };
  start({srv_source{"a", "a.b.c"}, srv_source{"a", "d.e.f"}, srv_source{"a", "g.h.i"}});
  EXPECT_THAT(nodes(refresh()), ElementsAre("a@n.a.b.c", "a@n.d.e.f", "a@n.g.h.i"));
  EXPECT_THAT(waiting, SizeIs(3));
}

TEST_F(Roster, ThePortOfTheSrvRecordIsTakenWhenAskedFor) {
  zone[whole] = {{"app-0.test.", 9100}, {"app-1.test.", 8080}, {"app-1.test.", 4370}};
  start(roster::options{{srv_source{"app", "app.shop.svc.cluster.local"}}, {}, true});
  const auto first = refresh();
  ASSERT_THAT(first.entries, SizeIs(2));
  EXPECT_EQ(first.entries[0].port, 9100);
  EXPECT_EQ(first.entries[1].port, 4370);
  ASSERT_THAT(first.changes, SizeIs(2));
  EXPECT_THAT(first.changes[1], HasSubstr("app-1.test has SRV records with several ports, 4370 is used"));
}

TEST_F(Roster, AddressesBecomeNodes) {
  zone[whole] = {{"10.0.0.2", 0}, {"10.0.0.1", 0}};
  start({dns_source{"app", "app.shop"}});
  const auto first = refresh();
  EXPECT_THAT(nodes(first), ElementsAre("app@10.0.0.1", "app@10.0.0.2"));
  EXPECT_EQ(first.entries[0].address, asio::ip::make_address("10.0.0.1"));
  server.questions.clear();
  refresh();
  EXPECT_EQ(server.asked(testing::type_a), 1U);
  EXPECT_EQ(server.asked(testing::type_aaaa), 1U);
}

TEST_F(Roster, IgnoredNodesAreNoMembers) {
  zone[whole] = {{"app-0.test.", 0}, {"app-1.test.", 0}, {"debug.test.", 0}};
  start(roster::options{
      {srv_source{"app", "app.shop.svc.cluster.local"}, static_source{{name("x@debug.test")}}},
      {"*@debug.test", "app@app-?.nowhere"},
      false});
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@app-0.test", "app@app-1.test"));
}

TEST_F(Roster, ANameNoNodeCanHaveIsReportedOnce) {
  zone[whole] = {{"app-0.test.", 0},
                 {"a b.test.", 0},
                 {std::string(60, 'x') + "." + std::string(60, 'y') + ".test.", 0}};
  start({srv_source{std::string(140, 'a'), "app.shop.svc.cluster.local"}});
  const auto first = refresh();
  EXPECT_THAT(first.entries, SizeIs(1));
  EXPECT_THAT(first.changes, Contains(HasSubstr("target 'a b.test' is no host name and is left out")));
  EXPECT_THAT(first.changes,
              Contains(HasSubstr("is no node name and is left out: a node name is at most 255")));
  EXPECT_THAT(refresh().changes, IsEmpty());
}

TEST_F(Roster, TwoSourcesOfOneNodeMakeOneEntry) {
  zone[whole] = {{"APP-0.test.", 0}};
  start({static_source{{name("app@app-0.test")}}, srv_source{"app", "app.shop.svc.cluster.local"}});
  const auto first = refresh();
  EXPECT_THAT(nodes(first), ElementsAre("app@app-0.test"));
  EXPECT_EQ(first.sources[0].records, 1U);
  EXPECT_EQ(first.sources[1].records, 1U);
}

TEST_F(Roster, WrittenDownAddressesNeedNoLookup) {
  start({static_source{{name("a@127.0.0.1"), name("a@[::1]"), name("a@vm")}}});
  const auto first = refresh();
  ASSERT_THAT(first.entries, SizeIs(3));
  EXPECT_EQ(first.entries[0].address, asio::ip::make_address("127.0.0.1"));
  EXPECT_EQ(first.entries[1].address, asio::ip::make_address("::1"));
  EXPECT_EQ(first.entries[1].host, "::1");
  EXPECT_EQ(first.entries[2].address, std::nullopt);
  EXPECT_THAT(first.queried, IsEmpty());
  EXPECT_EQ(first.changes.size(), 1U);
}

TEST_F(Roster, ALocalNodeIsAPlaceUntilItTellsItsName) {
  local = std::vector<local_entry>{{"a", 4001}, {"b", 4002}};
  start({local_source{}});
  auto found = refresh();
  const auto loopback = asio::ip::make_address("127.0.0.1");
  EXPECT_THAT(found.entries, ElementsAre(entry{name("_@a"), "localhost", loopback, 4001, "a"},
                                         entry{name("_@b"), "localhost", loopback, 4002, "b"}));
  EXPECT_THAT(found.changes, ElementsAre("local: 2 nodes: a, b"));
  local = std::vector<local_entry>{{"a", 4003}};
  found = refresh();
  EXPECT_THAT(found.entries, ElementsAre(entry{name("_@a"), "localhost", loopback, 4003, "a"}));
  EXPECT_THAT(found.changes, ElementsAre("local: 1 node; no longer listed: b"));
}

TEST_F(Roster, ARestartedPortMapperTakesNobodyAway) {
  local = std::vector<local_entry>{{"a", 4001}};
  start({local_source{}});
  refresh();
  local = boost::system::error_code(asio::error::connection_refused);
  auto found = refresh();
  EXPECT_THAT(found.entries, SizeIs(1));
  EXPECT_EQ(found.sources[0].outcome, query_outcome::empty);
  ASSERT_THAT(found.changes, SizeIs(1));
  EXPECT_THAT(found.changes[0], HasSubstr("no port mapper (epmd) runs on this machine"));
  local = std::vector<local_entry>{};
  EXPECT_THAT(refresh().entries, SizeIs(1)) << "it runs again, and the nodes have not come back to it yet";
  local = std::vector<local_entry>{{"a", 4001}};
  EXPECT_THAT(refresh().entries, SizeIs(1));
  local = boost::system::error_code(asio::error::connection_refused);
  refresh();
  refresh();
  EXPECT_THAT(refresh().entries, IsEmpty());
}

TEST_F(Roster, APortMapperThatFailsIsAFailure) {
  local = std::vector<local_entry>{{"a", 4001}};
  start({local_source{}});
  refresh();
  local = boost::system::error_code(asio::error::timed_out);
  EXPECT_EQ(refresh().sources[0].outcome, query_outcome::timeout);
  local = boost::system::error_code(asio::error::eof);
  for (int i = 0; i < 5; ++i) EXPECT_THAT(refresh().entries, SizeIs(1));
  EXPECT_EQ(refresh().sources[0].outcome, query_outcome::error);
}

TEST_F(Roster, ANodeGoesByItsOwnSpelling) {
  zone["app.default.svc.cluster.local."] = {{"app-0.app.default.svc.cluster.local.", 4370},
                                            {"app-1.app.default.svc.cluster.local.", 4370},
                                            {"Pod-2.example.", 4370}};
  start({srv_source{"rabbit", "app.default"}});
  EXPECT_THAT(nodes(refresh()),
              ElementsAre("rabbit@app-0.app.default.svc.cluster.local",
                          "rabbit@app-1.app.default.svc.cluster.local", "rabbit@pod-2.example"));
  EXPECT_FALSE(one->learned(name("rabbit@pod-2.example"), name("rabbit@pod-3.example")));
  EXPECT_FALSE(one->learned(name("rabbit@pod-2.example"), name("other@Pod-2.example")));
  EXPECT_TRUE(one->learned(name("rabbit@pod-2.example"), name("rabbit@Pod-2.Example")));
  EXPECT_TRUE(
      one->learned(name("rabbit@app-0.app.default.svc.cluster.local"), name("rabbit@app-0.app.default")));
  const auto asked = server.questions.size();
  const auto own = one->review();
  EXPECT_EQ(server.questions.size(), asked) << "nobody is asked again";
  EXPECT_THAT(nodes(own),
              ElementsAre("rabbit@Pod-2.Example", "rabbit@app-0.app.default", "rabbit@app-1.app.default"))
      << "what one does, its siblings are expected to do";
  EXPECT_EQ(own.entries[1].host, "app-0.app.default.svc.cluster.local");
  EXPECT_THAT(own.changes, ElementsAre(HasSubstr("calls itself"))) << "one line, and nobody came or went";
  const auto next = refresh();
  EXPECT_EQ(nodes(next), nodes(own));
  EXPECT_THAT(next.changes, IsEmpty());
  // The expectation was wrong: it does call itself what the name server calls it.
  EXPECT_TRUE(
      one->learned(name("rabbit@app-1.app.default"), name("rabbit@app-1.app.default.svc.cluster.local")));
  EXPECT_THAT(nodes(one->review()), ElementsAre("rabbit@Pod-2.Example", "rabbit@app-0.app.default",
                                                "rabbit@app-1.app.default.svc.cluster.local"));
}

TEST_F(Roster, AnAddressOfTheFamilyNobodyListensOnIsNoMember) {
  server.on_question = [](const question& q) {
    q.reply(q.type == testing::type_a ? message(q).a("10.0.0.1").a("10.0.0.2").build()
                                      : message(q).aaaa("fd00::1").aaaa("fd00::2").build());
  };
  start({dns_source{"app", "app.shop.svc.cluster.local"}});
  EXPECT_THAT(refresh().entries, SizeIs(4));
  EXPECT_TRUE(one->linked(name("app@10.0.0.1")));
  EXPECT_THAT(nodes(one->review()), ElementsAre("app@10.0.0.1", "app@10.0.0.2"));
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@10.0.0.1", "app@10.0.0.2"));
  EXPECT_FALSE(one->linked(name("app@10.0.0.1"))) << "no news";
}

TEST_F(Roster, APatternGivesPlacesAndNoNames) {
  zone[whole] = {{"m-0.test.", 9001}, {"m-0.test.", 9002}, {"m-1.test.", 9001}};
  start(roster::options{{srv_source{"app-*", "app.shop.svc.cluster.local"}}, {"*@m-1.test"}, true});
  const auto first = refresh();
  ASSERT_THAT(first.entries, SizeIs(3)) << "several nodes on one machine";
  EXPECT_EQ(first.entries[0].pattern, "app-*");
  EXPECT_EQ(first.entries[0].host, "m-0.test");
  EXPECT_EQ(first.entries[0].port, 9001);
  EXPECT_EQ(first.entries[1].port, 9002);
  EXPECT_THAT(first.changes,
              ElementsAre("srv:app-*@app.shop.svc.cluster.local: 3 addresses: m-0.test, m-1.test"));
  EXPECT_THAT(refresh().changes, IsEmpty());
  // Where the port mapper says the ports, a machine is one place.
  start(roster::options{{srv_source{"app-*", "app.shop.svc.cluster.local"}}, {}, false});
  EXPECT_THAT(refresh().entries, SizeIs(2));
}

TEST_F(Roster, APortWithoutANameIsTold) {
  zone["app.shop.svc.cluster.local."] = {{"app-0.test.", 4370}};
  start({srv_source{"app", "_dist._tcp.app"}});
  EXPECT_THAT(refresh().sources[0].detail, HasSubstr("its port has no name: try --srv app@app"));
  start({srv_source{"app", "_dist._tcp.other"}});
  EXPECT_THAT(refresh().sources[0].detail, ::testing::Not(HasSubstr("has no name")));
}

TEST_F(Roster, WithoutSourcesIsEmpty) {
  start(std::vector<source_options>{});
  EXPECT_THAT(refresh().entries, IsEmpty());
}

}  // namespace
}  // namespace rollcall::discovery
