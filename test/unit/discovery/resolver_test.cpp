// Lookups against a name server that can answer wrongly, late, or not at all.
#include "discovery/resolver.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <fstream>

#include "test/unit/discovery/name_server.hpp"

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message;
using testing::name_server;
using ::testing::Not;
using testing::question;
using testing::run;
using ::testing::SizeIs;

constexpr const char* service = "app.shop.svc.cluster.local";

class Resolver : public ::testing::Test {
 protected:
  resolver::options options(milliseconds timeout = 10'000ms) const {
    resolver::options chosen;
    chosen.server = server.endpoint();
    chosen.timeout = timeout;
    chosen.search = std::vector<std::string>{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local"};
    return chosen;
  }
  auto srv(resolver& names, const std::string& name = service) { return run(context, names.srv(name)); }

  asio::io_context context;
  name_server server{context};
};

struct reply_row {
  std::string name;
  std::function<testing::bytes(const question&)> reply;  // absent: silence
  query_outcome outcome;
  std::string detail;
};
void PrintTo(const reply_row& row, std::ostream* out) {
  *out << row.name;
}

class ResolverReplies : public Resolver, public ::testing::WithParamInterface<reply_row> {};

TEST_P(ResolverReplies, BecomeOneOutcomeEach) {
  if (GetParam().reply) server.on_question = [](const question& q) { q.reply(GetParam().reply(q)); };
  const bool waits = GetParam().outcome == query_outcome::timeout;
  resolver names(context, options(waits ? 300ms : 60'000ms));
  const auto start = std::chrono::steady_clock::now();
  const auto answer = srv(names);
  EXPECT_EQ(answer.outcome, GetParam().outcome) << answer.detail;
  EXPECT_THAT(answer.detail, HasSubstr(GetParam().detail));
  EXPECT_EQ(answer.detail.empty(), answer.outcome == query_outcome::ok);
  EXPECT_EQ(answer.records.empty(), answer.outcome != query_outcome::ok);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

INSTANTIATE_TEST_SUITE_P(
    All, ResolverReplies,
    ::testing::Values(
        reply_row{"Records", [](auto& q) { return message(q).srv("app-0.test.").build(); }, query_outcome::ok,
                  ""},
        reply_row{"NoRecords", [](auto& q) { return message(q).build(); }, query_outcome::empty,
                  "no SRV record"},
        reply_row{"OnlyAnAlias", [](auto& q) { return message(q).cname("x.test.").build(); },
                  query_outcome::empty, "no SRV record"},
        reply_row{"RootTarget", [](auto& q) { return message(q).srv(".").build(); }, query_outcome::empty,
                  "no SRV record with a target"},
        reply_row{"NoSuchName", [](auto& q) { return message(q, testing::rcode_nxdomain).build(); },
                  query_outcome::nxdomain, "SRV app.shop.svc.cluster.local.: name server 127.0.0.1:"},
        reply_row{"ServerFailure", [](auto& q) { return message(q, testing::rcode_servfail).build(); },
                  query_outcome::servfail, "SERVFAIL"},
        reply_row{"Refused", [](auto& q) { return message(q, testing::rcode_refused).build(); },
                  query_outcome::error, "REFUSED"},
        reply_row{"FormatError", [](auto& q) { return message(q, testing::rcode_formerr).build(); },
                  query_outcome::error, "FORMERR"},
        reply_row{"NotImplemented", [](auto& q) { return message(q, 4).build(); }, query_outcome::error,
                  "NOTIMP"},
        reply_row{"RecordCutShort",
                  [](auto& q) {
                    return message(q).raw(testing::type_srv, {0, 0, 0}).build();
                  },
                  query_outcome::error, "malformed"},
        reply_row{"MessageCutShort",
                  [](auto& q) {
                    auto whole = message(q).srv("app-0.test.").srv("app-1.test.").build();
                    whole.resize(whole.size() - 5);
                    return whole;
                  },
                  query_outcome::error, "malformed"},
        reply_row{"NoHostNameAtAll", [](auto& q) { return message(q).srv("a b.test.").build(); },
                  query_outcome::error, "host name"},
        reply_row{"Garbage",
                  [](auto&) {
                    return testing::bytes{1, 2, 3};
                  },
                  query_outcome::timeout, "within 300 ms"},
        reply_row{"AnotherId",
                  [](auto& q) {
                    return message(q).srv("evil.test.").id(static_cast<std::uint16_t>(q.id + 1)).build();
                  },
                  query_outcome::timeout, "did not answer"},
        reply_row{"Silence", nullptr, query_outcome::timeout, "did not answer"}),
    [](const auto& row) { return row.param.name; });

TEST_F(Resolver, TellsAPortNobodyListensOnFromSilence) {
  auto chosen = options(60'000ms);
  {
    name_server gone(context);
    chosen.server = gone.endpoint();
  }
  resolver names(context, chosen);
  const auto start = std::chrono::steady_clock::now();
  const auto answer = srv(names);
  EXPECT_EQ(answer.outcome, query_outcome::error);
  EXPECT_THAT(answer.detail, HasSubstr("no server answered: 127.0.0.1:"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

// Nothing is expected meanwhile: the limit is lifted again first.
TEST_F(Resolver, WithoutAFileDescriptorNoServerIsBlamed) {
  resolver names(context, options());
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ::setrlimit(RLIMIT_NOFILE, &none);
  const auto refused = srv(names);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(refused.outcome, query_outcome::error);
  EXPECT_THAT(refused.detail, HasSubstr("all file descriptors of this process are in use"));
  EXPECT_THAT(refused.detail, Not(HasSubstr("refuses")));
  server.on_question = [](const question& q) { q.reply(message(q, testing::rcode_nxdomain).build()); };
  EXPECT_EQ(srv(names).outcome, query_outcome::nxdomain) << "asked again as soon as there is one";
}

TEST_F(Resolver, BringsTargetsToOneForm) {
  server.on_question = [](const question& q) {
    q.reply(message(q)
                .srv("App-1.Test.")
                .srv("app-0.test.", 4370)
                .srv("app-1.test.")
                .srv("app-0.test.", 8080)
                .srv("10-1-2-3.app.test.")
                .build());
  };
  resolver names(context, options());
  const auto answer = srv(names);
  ASSERT_EQ(answer.outcome, query_outcome::ok) << answer.detail;
  std::vector<std::string> targets;
  for (const auto& each : answer.records) targets.push_back(each.target + ':' + std::to_string(each.port));
  EXPECT_THAT(targets,
              ElementsAre("10-1-2-3.app.test:4370", "app-0.test:4370", "app-0.test:8080", "app-1.test:4370"));
  EXPECT_EQ(server.asked(testing::type_srv), 1U);
}

TEST_F(Resolver, OneBadTargetDoesNotSpoilTheOthers) {
  server.on_question = [](const question& q) {
    q.reply(message(q).srv("app-0.test.").srv("a b.test.").srv("a@b.test.").build());
  };
  resolver names(context, options());
  const auto answer = srv(names);
  ASSERT_EQ(answer.outcome, query_outcome::ok) << answer.detail;
  ASSERT_THAT(answer.records, SizeIs(1));
  EXPECT_EQ(answer.records.front().target, "app-0.test");
  EXPECT_THAT(answer.dropped, SizeIs(2));
}

TEST_F(Resolver, AsksWithEdnsAndWithoutWhenTheServerDoesNotKnowIt) {
  server.on_question = [](const question& q) {
    q.reply(q.edns ? message(q, testing::rcode_formerr).build() : message(q).srv("app-0.test.").build());
  };
  resolver names(context, options());
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
  ASSERT_THAT(server.questions, SizeIs(2));
  EXPECT_TRUE(server.questions[0].edns);
  EXPECT_FALSE(server.questions[1].edns);
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
  EXPECT_THAT(server.questions, SizeIs(3)) << "it is remembered";
}

TEST_F(Resolver, TakesALongAnswerOverTcpAndAsksThereNextTime) {
  std::size_t records = 700;
  server.on_question = [&](const question& q) {
    message whole(q);
    for (std::size_t i = 0; i < records; ++i)
      whole.srv("app-" + std::to_string(i) + ".app.shop.svc.cluster.local.");
    const auto built = whole.build();
    q.reply(q.tcp || built.size() <= 1'232 ? built : message(q).truncated().build());
  };
  resolver names(context, options());
  auto answer = srv(names);
  ASSERT_EQ(answer.outcome, query_outcome::ok) << answer.detail;
  EXPECT_THAT(answer.records, SizeIs(700));
  ASSERT_THAT(server.questions, SizeIs(2));
  EXPECT_FALSE(server.questions[0].tcp);
  EXPECT_TRUE(server.questions[1].tcp);

  EXPECT_THAT(srv(names).records, SizeIs(700));
  ASSERT_THAT(server.questions, SizeIs(3)) << "one query once the size is known";
  EXPECT_TRUE(server.questions[2].tcp);

  records = 3;
  EXPECT_THAT(srv(names).records, SizeIs(3));
  EXPECT_THAT(srv(names).records, SizeIs(3));
  ASSERT_THAT(server.questions, SizeIs(5));
  EXPECT_TRUE(server.questions[3].tcp);
  EXPECT_FALSE(server.questions[4].tcp) << "back to UDP when the answer is short again";
}

TEST_F(Resolver, TwentyPodsFitIntoOneDatagram) {
  server.on_question = [&](const question& q) {
    message whole(q);
    for (int i = 0; i < 20; ++i) whole.srv("app-" + std::to_string(i) + ".app.shop.svc.cluster.local.");
    ASSERT_LE(whole.build().size(), 1'232U);
    q.reply(whole.build());
  };
  resolver names(context, options());
  EXPECT_THAT(srv(names).records, SizeIs(20));
  EXPECT_THAT(server.questions, SizeIs(1));
}

TEST_F(Resolver, ASilentTcpSideEndsAsTimeout) {
  server.on_question = [](const question& q) {
    if (!q.tcp) q.reply(message(q).truncated().build());
  };
  resolver names(context, options(300ms));
  EXPECT_EQ(srv(names).outcome, query_outcome::timeout);
}

TEST_F(Resolver, AsksAgainWhenADatagramIsLost) {
  server.on_question = [this](const question& q) {
    if (server.questions.size() > 1) q.reply(message(q).srv("app-0.test.").build());
  };
  resolver names(context, options(1'500ms));
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
  EXPECT_THAT(server.questions, SizeIs(2));
}

TEST_F(Resolver, AnAnswerAfterTheDeadlineHarmsNobody) {
  std::vector<question> late;
  server.on_question = [&](const question& q) { late.push_back(q); };
  resolver names(context, options(100ms));
  EXPECT_EQ(srv(names).outcome, query_outcome::timeout);
  ASSERT_THAT(late, ::testing::Not(IsEmpty()));
  for (const auto& each : late) each.reply(message(each).srv("late.test.").build());
  server.on_question = [](const question& q) { q.reply(message(q).srv("prompt.test.").build()); };
  auto answer = srv(names);
  if (answer.outcome == query_outcome::timeout) answer = srv(names);  // 100 ms is little on a busy machine
  ASSERT_THAT(answer.records, SizeIs(1));
  EXPECT_EQ(answer.records.front().target, "prompt.test");
}

TEST_F(Resolver, ANameThatCannotBeAskedEndsAtOnce) {
  resolver names(context, options());
  const auto answer = srv(names, std::string(64, 'a') + ".test");
  EXPECT_EQ(answer.outcome, query_outcome::error);
  EXPECT_THAT(answer.detail, HasSubstr("no domain name"));
  EXPECT_THAT(server.questions, IsEmpty());
}

TEST_F(Resolver, ManyLookupsRunAtOnce) {
  server.on_question = [](const question& q) {
    q.reply(q.type == testing::type_a ? message(q).a("10.0.0.1").build() : message(q).build());
  };
  resolver names(context, options());
  int ended = 0;
  for (int i = 0; i < 200; ++i) {
    asio::co_spawn(context, names.addresses("app-" + std::to_string(i) + ".app.shop.svc.cluster.local"),
                   [&](std::exception_ptr, auto answer) {
                     EXPECT_EQ(answer.outcome, query_outcome::ok) << answer.detail;
                     ++ended;
                   });
  }
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (ended < 200 && context.run_one_until(end) > 0) {
  }
  EXPECT_EQ(ended, 200);
  EXPECT_EQ(server.asked(testing::type_a), 200U);
  EXPECT_EQ(server.asked(testing::type_aaaa), 200U);
}

TEST_F(Resolver, ACancelledLookupEndsAtOnce) {
  using namespace asio::experimental::awaitable_operators;
  resolver names(context, options(60'000ms));
  const auto start = std::chrono::steady_clock::now();
  const auto body = [&]() -> asio::awaitable<bool> {
    asio::steady_timer limit(context, 50ms);
    const auto first =
        co_await (names.addresses("app.shop.svc.cluster.local") || limit.async_wait(asio::use_awaitable));
    co_return first.index() == 1;
  };
  EXPECT_TRUE(run(context, body()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

TEST_F(Resolver, GoesAwayWhileLookupsWait) {
  auto names = std::make_unique<resolver>(context, options(10'000ms));
  int ended = 0;
  const auto count = [&](std::exception_ptr problem, auto answer) {
    EXPECT_FALSE(problem);
    EXPECT_EQ(answer.outcome, query_outcome::error);
    ++ended;
  };
  asio::co_spawn(context, names->srv(service), count);
  asio::co_spawn(context, names->addresses("app-0.app.shop.svc.cluster.local"), count);
  while (server.questions.size() < 3) ASSERT_GT(context.run_one_for(5s), 0U);
  asio::co_spawn(context, names->srv(service), count);  // not begun yet
  names.reset();
  while (ended < 3) ASSERT_GT(context.run_one_for(5s), 0U);
}

TEST_F(Resolver, TheContextMayEndWithLookupsLeft) {
  resolver names(context, options(10'000ms));
  asio::co_spawn(context, names.srv(service), asio::detached);
  asio::co_spawn(context, names.addresses(service), asio::detached);
  while (server.questions.size() < 3) ASSERT_GT(context.run_one_for(5s), 0U);
}

// Addresses.

TEST_F(Resolver, AWholeHostNameCostsOneQuestionOfEachKind) {
  server.on_question = [](const question& q) {
    q.reply(q.type == testing::type_a ? message(q).a("10.1.2.3").a("10.1.2.3").a("10.1.2.2").build()
                                      : message(q).aaaa("2001:db8::1").build());
  };
  resolver names(context, options());
  const auto answer = run(context, names.addresses("app-0.app.shop.svc.cluster.local"));
  ASSERT_EQ(answer.outcome, query_outcome::ok) << answer.detail;
  EXPECT_EQ(answer.ttl, 5s);
  EXPECT_THAT(answer.records,
              ElementsAre(asio::ip::make_address("10.1.2.2"), asio::ip::make_address("10.1.2.3"),
                          asio::ip::make_address("2001:db8::1")));
  EXPECT_THAT(server.names(testing::type_a), ElementsAre("app-0.app.shop.svc.cluster.local."));
  EXPECT_THAT(server.names(testing::type_aaaa), ElementsAre("app-0.app.shop.svc.cluster.local."));
}

struct pair_row {
  const char* name;
  unsigned a, aaaa;      // the codes answered
  bool a_has, aaaa_has;  // and whether with an address
  query_outcome outcome;
};

TEST_F(Resolver, TwoAnswersBecomeOne) {
  using enum query_outcome;
  constexpr auto fine = 0U, gone = 3U, broken = 2U;
  const pair_row rows[] = {
      {"both", fine, fine, true, true, ok},
      {"only v4", fine, fine, true, false, ok},
      {"only v6", fine, fine, false, true, ok},
      {"v4, and a server that says NXDOMAIN to AAAA", fine, gone, true, false, ok},
      {"v4, v6 fails", fine, broken, true, false, partial},
      {"v6, v4 fails", broken, fine, false, true, partial},
      {"neither", fine, fine, false, false, empty},
      {"no such name", gone, gone, false, false, nxdomain},
      {"nothing, v6 fails", fine, broken, false, false, servfail},
      {"no such name, v4 fails", broken, gone, false, false, servfail},
  };
  resolver names(context, options());
  for (const auto& row : rows) {
    server.on_question = [&row](const question& q) {
      const bool v4 = q.type == testing::type_a;
      message answer(q, v4 ? row.a : row.aaaa);
      if (v4 && row.a_has) answer.a("10.0.0.1");
      if (!v4 && row.aaaa_has) answer.aaaa("2001:db8::1");
      q.reply(answer.build());
    };
    const auto answer = run(context, names.addresses("app-0.app.shop.svc.cluster.local"));
    EXPECT_EQ(answer.outcome, row.outcome) << row.name << ": " << answer.detail;
    const bool some = row.a_has || row.aaaa_has;
    EXPECT_EQ(answer.records.empty(), !some) << row.name;
    EXPECT_EQ(answer.unanswered.has_value(), row.outcome == partial) << row.name;
    if (row.outcome == partial) {
      EXPECT_EQ(answer.unanswered, row.a == broken ? address_family::v4 : address_family::v6);
    }
    EXPECT_EQ(answer.detail.empty(), row.outcome == ok) << row.name;
  }
}

TEST_F(Resolver, AFamilyThatNeverAnswersCostsItsWholeTimeOnce) {
  server.on_question = [](const question& q) {
    if (q.type == testing::type_a) q.reply(message(q).a("10.0.0.1").build());
  };
  resolver names(context, options(4'000ms));
  const auto timed = [&] {
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = run(context, names.addresses("app-0.app.shop.svc.cluster.local"));
    EXPECT_EQ(answer.outcome, query_outcome::partial);
    EXPECT_EQ(answer.unanswered, address_family::v6);
    EXPECT_THAT(answer.records, SizeIs(1));
    return std::chrono::steady_clock::now() - begun;
  };
  EXPECT_GE(timed(), 3'900ms);
  EXPECT_LT(timed(), 3'500ms) << "an eighth, and what a busy machine adds";
  // It answers again: nothing is remembered against it.
  server.on_question = [](const question& q) {
    q.reply(q.type == testing::type_a ? message(q).a("10.0.0.1").build() : message(q).build());
  };
  EXPECT_EQ(run(context, names.addresses("app-0.app.shop.svc.cluster.local")).outcome, query_outcome::ok);
}

TEST_F(Resolver, AsksForOneFamilyOnly) {
  server.on_question = [](const question& q) { q.reply(message(q).a("10.0.0.1").build()); };
  auto chosen = options();
  chosen.family = address_family::v4;
  resolver names(context, chosen);
  EXPECT_EQ(run(context, names.addresses("app-0.app.shop.svc.cluster.local")).outcome, query_outcome::ok);
  EXPECT_EQ(server.asked(testing::type_a), 1U);
  EXPECT_EQ(server.asked(testing::type_aaaa), 0U);
}

TEST_F(Resolver, TakesWhatFitsWhereTcpIsClosed) {
  server.on_question = [](const question& q) {
    if (!q.tcp) q.reply(message(q).srv("app-0.test.").srv("app-1.test.").truncated().build());
  };
  resolver names(context, options(800ms));
  srv(names);  // may not know yet that the long answer never comes
  auto answer = srv(names);
  EXPECT_EQ(answer.outcome, query_outcome::partial);
  EXPECT_THAT(answer.records, SizeIs(2));
  EXPECT_THAT(answer.detail, HasSubstr("only 2 records fit into a datagram"));
  server.questions.clear();
  EXPECT_EQ(srv(names).outcome, query_outcome::partial);
  EXPECT_THAT(server.questions, SizeIs(1)) << "TCP is not waited for each time";
  server.on_question = [](const question& q) { q.reply(message(q).srv("app-0.test.").build()); };
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
}

TEST_F(Resolver, AsksOverTcpOnly) {
  server.on_question = [](const question& q) { q.reply(message(q).srv("app-0.test.").build()); };
  auto chosen = options();
  chosen.tcp = true;
  resolver names(context, chosen);
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
  ASSERT_THAT(server.questions, SizeIs(1));
  EXPECT_TRUE(server.questions[0].tcp);
}

TEST_F(Resolver, APodWithItsServiceAndNamespaceIsCompletedAsABeamDoes) {
  server.on_question = [](const question& q) {
    const bool whole = q.name == "app-0.app.shop.svc.cluster.local.";
    q.reply(!whole                      ? message(q, testing::rcode_nxdomain).build()
            : q.type == testing::type_a ? message(q).a("10.0.0.1").build()
                                        : message(q).build());
  };
  resolver names(context, options());
  const auto answer = run(context, names.addresses("app-0.app.shop"));
  EXPECT_EQ(answer.outcome, query_outcome::ok) << answer.detail;
  server.questions.clear();
  EXPECT_EQ(run(context, names.addresses("app-0.app.shop")).outcome, query_outcome::ok);
  EXPECT_THAT(server.questions, SizeIs(2)) << "the completion that worked is remembered";
}

TEST_F(Resolver, TellsEveryNameThatWasTried) {
  server.on_question = [](const question& q) {
    // The world outside refuses what is none of its names.
    q.reply(message(q, q.name == "nobody." ? testing::rcode_servfail : testing::rcode_nxdomain).build());
  };
  resolver names(context, options());
  const auto answer = run(context, names.addresses("nobody"));
  EXPECT_EQ(answer.outcome, query_outcome::nxdomain) << answer.detail;
  EXPECT_THAT(answer.detail, HasSubstr("nobody.shop.svc.cluster.local. (NXDOMAIN)"));
  EXPECT_THAT(answer.detail, HasSubstr("nobody. (SERVFAIL)"));
}

TEST_F(Resolver, LiteralsAndLocalhostAskNobody) {
  resolver names(context, options());
  for (const auto* host : {"127.0.0.1", "127.0.0.1.", "::1", "[::1]", "10.2.3.4", "2001:db8::5"}) {
    EXPECT_THAT(run(context, names.addresses(host)).records, SizeIs(1)) << host;
  }
  for (const auto* host : {"localhost", "localhost.", "some.localhost"}) {
    const auto answer = run(context, names.addresses(host));
    ASSERT_EQ(answer.outcome, query_outcome::ok) << host;
    EXPECT_TRUE(answer.records.front().is_loopback()) << host;
  }
  EXPECT_THAT(server.questions, IsEmpty());
}

TEST_F(Resolver, AShortHostIsCompletedAndTheCompletionRemembered) {
  server.on_question = [](const question& q) {
    const bool here = q.name == "node7.svc.cluster.local.";
    q.reply(here && q.type == testing::type_a ? message(q).a("10.0.0.7").build()
                                              : message(q, here ? 0U : testing::rcode_nxdomain).build());
  };
  resolver names(context, options());
  EXPECT_EQ(run(context, names.addresses("node7")).outcome, query_outcome::ok);
  EXPECT_THAT(server.names(testing::type_a),
              ElementsAre("node7.shop.svc.cluster.local.", "node7.svc.cluster.local."));
  server.questions.clear();
  EXPECT_EQ(run(context, names.addresses("node7")).outcome, query_outcome::ok);
  EXPECT_THAT(server.names(testing::type_a), ElementsAre("node7.svc.cluster.local."));
}

TEST_F(Resolver, AFailureIsNoWordAboutTheNextNameAndNobodyOutsideAnswersForIt) {
  server.on_question = [](const question& q) { q.reply(message(q, testing::rcode_servfail).build()); };
  resolver names(context, options());
  const auto answer = run(context, names.addresses("node7"));
  EXPECT_EQ(answer.outcome, query_outcome::servfail);
  EXPECT_THAT(answer.detail, HasSubstr("node7.svc.cluster.local. (SERVFAIL)"));
  EXPECT_THAT(server.names(testing::type_a), ElementsAre("node7.shop.svc.cluster.local.",
                                                         "node7.svc.cluster.local.", "node7.cluster.local."));
}

TEST_F(Resolver, OneNameOfTheSearchListFailsAndTheNextHasAddresses) {
  bool fails = true;
  server.on_question = [&](const question& q) {
    if (q.name == "node7.shop.svc.cluster.local.")
      return q.reply(message(q, fails ? testing::rcode_servfail : testing::rcode_nxdomain).build());
    q.reply(q.type == testing::type_a ? message(q).a("10.0.0.7").build() : message(q).build());
  };
  resolver names(context, options());
  const auto part = run(context, names.addresses("node7"));
  EXPECT_EQ(part.outcome, query_outcome::partial);
  EXPECT_THAT(part.records, SizeIs(1));
  EXPECT_EQ(part.unanswered, address_family::both);
  EXPECT_THAT(part.detail,
              HasSubstr("tried node7.shop.svc.cluster.local. (SERVFAIL), node7.svc.cluster.local."));
  fails = false;
  EXPECT_EQ(run(context, names.addresses("node7")).outcome, query_outcome::ok) << "the first is asked again";
}

// resolv.conf of a pod often has the domain of the machine at its end.
TEST_F(Resolver, AFailureOutsideTheClusterIsNoneOfTheSearch) {
  server.on_question = [](const question& q) {
    const bool inside = q.name.ends_with("cluster.local.");
    q.reply(message(q, inside ? testing::rcode_nxdomain : testing::rcode_servfail).build());
  };
  auto chosen = options();
  chosen.search->emplace_back("corp.example");
  resolver names(context, chosen);
  const auto answer = run(context, names.addresses("nobody"));
  EXPECT_EQ(answer.outcome, query_outcome::nxdomain) << answer.detail;
  EXPECT_THAT(answer.detail, HasSubstr("nobody.corp.example. (SERVFAIL)"));
}

TEST_F(Resolver, ANameThatNeverAnswersCostsItsWholeTimeOnce) {
  server.on_question = [](const question& q) {
    if (q.name.ends_with("cluster.local.")) q.reply(message(q, testing::rcode_nxdomain).build());
  };
  resolver names(context, options(4'000ms));
  const auto timed = [&] {
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(run(context, names.addresses("nobody")).outcome, query_outcome::nxdomain);
    return std::chrono::steady_clock::now() - begun;
  };
  EXPECT_GE(timed(), 3'900ms);
  EXPECT_LT(timed(), 3'500ms) << "an eighth, and what a busy machine adds";
}

TEST_F(Resolver, AServerThatIsOnlySlowHasItsWholeTimeAgain) {
  resolver names(context, options(1'600ms));
  server.on_question = [](const question& q) {
    if (q.type == testing::type_a) q.reply(message(q).a("10.0.0.1").build());
  };
  const auto outcome = [&] {
    return run(context, names.addresses("app-0.app.shop.svc.cluster.local")).outcome;
  };
  EXPECT_EQ(outcome(), query_outcome::partial);
  // AAAA takes longer than an eighth.
  std::vector<std::shared_ptr<asio::steady_timer>> timers;
  server.on_question = [&](const question& q) {
    if (q.type == testing::type_a) return q.reply(message(q).a("10.0.0.1").build());
    auto late = std::make_shared<asio::steady_timer>(context, 500ms);
    timers.push_back(late);
    late->async_wait([q, late](boost::system::error_code code) {
      if (!code) q.reply(message(q).build());
    });
  };
  int rounds = 1;
  while (outcome() != query_outcome::ok && rounds < 30) ++rounds;
  EXPECT_LE(rounds, 8);
  EXPECT_EQ(outcome(), query_outcome::ok) << "and from then on";
}

TEST_F(Resolver, ATargetThatIsADotSaysThatTheServiceIsNotThere) {
  server.on_question = [](const question& q) { q.reply(message(q).srv(".", 0).build()); };
  resolver names(context, options());
  const auto answer = srv(names);
  EXPECT_EQ(answer.outcome, query_outcome::empty);
  EXPECT_THAT(answer.detail, HasSubstr("no SRV record with a target"));
}

TEST_F(Resolver, FollowsAChainOfAliases) {
  server.on_question = [](const question& q) {
    if (q.type == testing::type_aaaa) return q.reply(message(q).build());
    q.reply(message(q).cname("one.example.").cname("two.example.").a("10.0.0.9").build());
  };
  resolver names(context, options());
  EXPECT_THAT(run(context, names.addresses("app-0.app.shop.svc.cluster.local")).records, SizeIs(1));
}

// resolv.conf.

class ResolvConf : public Resolver {
 protected:
  ResolvConf() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rollcall-resolv-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    path = folder / "resolv.conf";
  }
  ~ResolvConf() override { std::filesystem::remove_all(folder); }
  static std::string line(const name_server& each) {
    return "nameserver " + each.endpoint().address().to_string() + "\n";
  }
  void write(const std::string& text) {
    std::ofstream(path) << text;
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(++age));
  }
  resolver::options from_file(milliseconds timeout) {
    resolver::options chosen;
    chosen.timeout = timeout;
    chosen.resolv_conf = path.string();
    chosen.port = server.endpoint().port();
    return chosen;
  }
  name_server second{context, "127.0.0.2", server.endpoint().port()};
  std::filesystem::path folder, path;
  int age = 0;
};

TEST_F(ResolvConf, GivesTheSearchList) {
  write("search shop.svc.cluster.local svc.cluster.local cluster.local\n" + line(server) +
        "options ndots:5\n");
  resolver names(context, from_file(10'000ms));
  EXPECT_THAT(names.candidates("app"), ElementsAre("app.shop.svc.cluster.local.", "app.svc.cluster.local.",
                                                   "app.cluster.local.", "app."));
}

TEST_F(ResolvConf, TheSecondServerIsAskedWhenTheFirstFails) {
  write(line(server) + line(second));
  server.on_question = [](const question& q) { q.reply(message(q, testing::rcode_servfail).build()); };
  second.on_question = [](const question& q) { q.reply(message(q).srv("app-0.test.").build()); };
  resolver names(context, from_file(10'000ms));
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
  EXPECT_THAT(server.questions, SizeIs(1));
  EXPECT_THAT(second.questions, SizeIs(1));
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
  EXPECT_THAT(server.questions, SizeIs(1)) << "the one that answered is asked first";
}

TEST_F(ResolvConf, ASilentFirstServerLeavesTimeForTheSecond) {
  write(line(server) + line(second));
  second.on_question = [](const question& q) { q.reply(message(q).srv("app-0.test.").build()); };
  resolver names(context, from_file(2'000ms));
  EXPECT_EQ(srv(names).outcome, query_outcome::ok);
}

TEST_F(ResolvConf, IsReadAgainWhenItChanges) {
  write(line(server));
  server.on_question = [](const question& q) { q.reply(message(q).srv("old.test.").build()); };
  second.on_question = [](const question& q) { q.reply(message(q).srv("new.test.").build()); };
  resolver names(context, from_file(10'000ms));
  ASSERT_THAT(srv(names).records, SizeIs(1));
  write(line(second));
  const auto answer = srv(names);
  ASSERT_THAT(answer.records, SizeIs(1));
  EXPECT_EQ(answer.records.front().target, "new.test");
}

}  // namespace
}  // namespace rollcall::discovery
