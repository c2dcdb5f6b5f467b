// What a source's answers become over the rounds, as tables of rounds; and how entries of one node become
// one.
#include "discovery/last_answer.hpp"

#include <gmock/gmock.h>

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum query_outcome;
using time = std::chrono::system_clock::time_point;

node_name name(std::string_view text) {
  return node_name::parse(text).value();
}

entry plain(std::string_view text) {
  const auto parsed = name(text);
  return {parsed, std::string(parsed.host()), std::nullopt, std::nullopt};
}

heard answer(std::vector<std::string> names) {
  heard what;
  for (const auto& each : names) what.entries.push_back(plain(each));
  return what;
}

heard none(query_outcome outcome) {
  heard what;
  what.outcome = outcome;
  what.detail = "why";
  return what;
}

class LastAnswer : public ::testing::Test {
 protected:
  std::vector<std::string> hear(heard what) {
    std::vector<std::string> changes;
    last.hear(std::move(what), now += 5s, changes);
    return changes;
  }
  std::vector<std::string> nodes() const {
    std::vector<std::string> texts;
    for (const auto& each : last.entries()) texts.push_back(each.name.text());
    return texts;
  }
  last_answer last{"srv:a@svc"};
  time now{};
};

TEST_F(LastAnswer, IsSaidOnceAndThenOnlyItsChanges) {
  EXPECT_FALSE(last.status().asked);
  EXPECT_THAT(hear(answer({"a@x", "a@y"})), ElementsAre("srv:a@svc: 2 nodes: a@x, a@y"));
  EXPECT_THAT(hear(answer({"a@x", "a@y"})), IsEmpty());
  EXPECT_THAT(hear(answer({"a@x", "a@z"})),
              ElementsAre("srv:a@svc: 2 nodes; new: a@z; no longer listed: a@y"));
  EXPECT_THAT(hear(answer({"a@x", "a@z"})), IsEmpty());
  EXPECT_EQ(last.status().records, 2U);
  EXPECT_EQ(last.status().last_success, now);
  EXPECT_EQ(last.status().detail, "");
}

TEST_F(LastAnswer, StaysInForceForEverWhileLookupsFail) {
  hear(answer({"a@x", "a@y", "a@z"}));
  const auto success = now;
  EXPECT_THAT(hear(none(servfail)),
              ElementsAre("srv:a@svc: SERVFAIL: why; the last answer (3 nodes) stays in force"));
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_THAT(hear(none(servfail)), IsEmpty());
    EXPECT_THAT(hear(none(i % 2 == 0 ? timeout : error)), SizeIs(i < 2 ? 1 : 0)) << "each kind once";
  }
  EXPECT_THAT(nodes(), ElementsAre("a@x", "a@y", "a@z"));
  EXPECT_EQ(last.status().last_success, success);
  EXPECT_EQ(last.status().records, 3U);
  EXPECT_THAT(hear(answer({"a@x", "a@y", "a@z"})), ElementsAre("srv:a@svc: answers again: 3 nodes"));
  EXPECT_THAT(hear(none(servfail)), SizeIs(1)) << "a new failure is news again";
}

TEST_F(LastAnswer, NothingIsBelievedTheThirdTime) {
  for (const auto outcome : {empty, nxdomain}) {
    last = last_answer("srv:a@svc");
    hear(answer({"a@x"}));
    EXPECT_THAT(hear(none(outcome)), SizeIs(1));
    EXPECT_THAT(last.status().detail, ::testing::HasSubstr("(1 node) stays in force until"));
    EXPECT_THAT(hear(none(outcome)), IsEmpty());
    EXPECT_THAT(nodes(), ElementsAre("a@x"));
    EXPECT_THAT(hear(none(outcome)), ElementsAre("srv:a@svc: no nodes any more: why; said 3 times in a row"));
    EXPECT_THAT(nodes(), IsEmpty());
    EXPECT_EQ(last.status().records, 0U);
    EXPECT_EQ(last.status().last_success, now) << "a believed answer is an answer";
    EXPECT_THAT(hear(none(outcome)), IsEmpty());
    EXPECT_THAT(hear(answer({"a@x"})), ElementsAre("srv:a@svc: answers again: 1 node: a@x"));
  }
}

// Two name servers behind one address, one of which was asked before there was anybody.
TEST_F(LastAnswer, WhatOneCacheRepeatsIsSaidOnceWhileSomebodyIsLinked) {
  bool linked = true;
  last = last_answer("srv:a@svc", {}, [&](const node_name&) { return linked; });
  hear(answer({"a@x"}));
  const auto denied = [](std::chrono::seconds ttl) {
    auto what = none(nxdomain);
    what.ttl = ttl;
    return what;
  };
  for (auto left = 25s; left > 0s; left -= 5s) {
    hear(denied(left));
    EXPECT_THAT(nodes(), ElementsAre("a@x")) << left.count();
  }
  EXPECT_THAT(last.status().detail, ::testing::HasSubstr("for longer than a cache may repeat it"));
  EXPECT_THAT(hear(denied(30s)), SizeIs(1)) << "asked again, and still nobody";
  EXPECT_THAT(nodes(), IsEmpty());
  hear(answer({"a@x"}));
  hear(denied(30s));
  hear(denied(30s));
  EXPECT_THAT(nodes(), ElementsAre("a@x"));
  linked = false;
  hear(denied(30s));
  EXPECT_THAT(nodes(), IsEmpty()) << "nobody contradicts it";
}

TEST_F(LastAnswer, ADenialThatMayBeKeptForADayIsBelievedAllTheSame) {
  last = last_answer("srv:a@svc", {}, [](const node_name&) { return true; });
  hear(answer({"a@x"}));
  auto what = none(nxdomain);
  what.ttl = 24h;
  for (int i = 0; i < 3; ++i) hear(what);
  EXPECT_THAT(nodes(), ElementsAre("a@x"));
  now += last_answer::longest_denial;
  hear(what);
  EXPECT_THAT(nodes(), IsEmpty());
}

TEST_F(LastAnswer, AFailureBetweenStartsTheCountAnew) {
  hear(answer({"a@x"}));
  for (int i = 0; i < 10; ++i) {
    hear(none(empty));
    hear(none(nxdomain));
    hear(none(timeout));
  }
  EXPECT_THAT(nodes(), ElementsAre("a@x"));
}

TEST_F(LastAnswer, AnAnswerBetweenStartsTheCountAnew) {
  for (int i = 0; i < 10; ++i) {
    hear(answer({"a@x"}));
    hear(none(empty));
    hear(none(empty));
  }
  EXPECT_THAT(nodes(), ElementsAre("a@x"));
}

TEST_F(LastAnswer, SuccessIsAServerThatAnswers) {
  hear(none(timeout));
  EXPECT_TRUE(last.status().asked);
  EXPECT_EQ(last.status().last_success, std::nullopt);
  hear(none(nxdomain));
  EXPECT_EQ(last.status().last_success, std::nullopt) << "not believed yet";
  hear(none(empty));
  EXPECT_EQ(last.status().last_success, now);
}

TEST_F(LastAnswer, StartsWithoutNodesAndSaysSo) {
  EXPECT_THAT(hear(none(nxdomain)), ElementsAre("srv:a@svc: NXDOMAIN: why"));
  EXPECT_THAT(hear(none(nxdomain)), IsEmpty());
  EXPECT_THAT(hear(none(timeout)), ElementsAre("srv:a@svc: no answer: why; no nodes are known from here"));
  EXPECT_THAT(hear(answer({"a@x"})), ElementsAre("srv:a@svc: answers again: 1 node: a@x"));
}

TEST_F(LastAnswer, HalfAnAnswerTakesNobodyAway) {
  hear(answer({"a@1.1.1.1", "a@::1"}));
  const auto half = [] {
    auto what = answer({"a@1.1.1.1", "a@1.1.1.2"});
    what.outcome = partial;
    what.detail = "why";
    what.unanswered = address_family::both;
    return what;
  };
  EXPECT_THAT(hear(half()),
              ElementsAre("srv:a@svc: part of an answer: why; nobody is taken for gone because of it",
                          "srv:a@svc: 3 nodes; new: a@1.1.1.2"));
  EXPECT_THAT(nodes(), ElementsAre("a@1.1.1.1", "a@1.1.1.2", "a@::1"));
  EXPECT_THAT(hear(half()), IsEmpty());
  EXPECT_EQ(last.status().outcome, partial);
  EXPECT_EQ(last.status().last_success, now);
  // A dead one is not kept: what was not heard of for long, and has no link, goes.
  now += last_answer::partial_keeps;
  EXPECT_THAT(hear(half()), ElementsAre("srv:a@svc: 2 nodes; no longer listed: a@::1"));
  EXPECT_THAT(hear(answer({"a@1.1.1.1", "a@1.1.1.2"})), ElementsAre("srv:a@svc: answers again: 2 nodes"));
}

TEST(PartialAnswer, KeepsWhoHasALink) {
  last_answer last("dns:a@x", 0ms, [](const node_name& each) { return each.text() == "a@::1"; });
  std::vector<std::string> changes;
  time now{};
  auto whole = answer({"a@::1", "a@::2"});
  for (auto& each : whole.entries) each.address = asio::ip::make_address(std::string(each.name.host()));
  last.hear(std::move(whole), now, changes);
  heard half;
  half.outcome = partial;
  half.unanswered = address_family::v6;
  half.entries = {plain("a@1.1.1.1")};
  last.hear(half, now += 2 * last_answer::partial_keeps, changes);
  EXPECT_THAT(last.status().nodes, ElementsAre(name("a@1.1.1.1"), name("a@::1")));
}

TEST(Linger, KeepsWhoWasHeardOfLately) {
  last_answer last("dns:a@x", 20s);
  std::vector<std::string> changes;
  time now{};
  // Eight of ten are answered, in turn: nobody comes and goes.
  for (int round = 0; round < 30; ++round) {
    std::vector<std::string> some;
    for (int i = 0; i < 8; ++i) some.push_back("a@10.0.0." + std::to_string((round * 3 + i) % 10));
    last.hear(answer(some), now += 5s, changes);
    if (round > 2) {
      EXPECT_THAT(last.status().nodes, SizeIs(10)) << round;
    }
  }
  changes.clear();
  for (int round = 0; round < 5; ++round) last.hear(answer({"a@10.0.0.1"}), now += 5s, changes);
  EXPECT_THAT(last.status().nodes, ElementsAre(name("a@10.0.0.1"))) << "and who is gone goes";
}

TEST_F(LastAnswer, ARemarkIsSaidOnceWhileItStays) {
  const auto with = [](std::vector<std::string> remarks) {
    auto what = answer({"a@x"});
    what.remarks = std::move(remarks);
    return what;
  };
  EXPECT_THAT(hear(with({"bad b"})), ElementsAre("srv:a@svc: 1 node: a@x", "srv:a@svc: bad b"));
  EXPECT_THAT(hear(with({"bad b"})), IsEmpty());
  EXPECT_THAT(hear(with({"bad b", "bad c"})), ElementsAre("srv:a@svc: bad c"));
}

TEST_F(LastAnswer, LongListsAreCutInTheLog) {
  std::vector<std::string> many;
  for (char c = 'a'; c <= 'm'; ++c) many.push_back(std::string(1, c) + "@h");
  EXPECT_THAT(
      hear(answer(many)),
      ElementsAre("srv:a@svc: 13 nodes: a@h, b@h, c@h, d@h, e@h, f@h, g@h, h@h, i@h, j@h and 3 more"));
}

// unite()

entry at(std::string_view text, const char* address, std::optional<std::uint16_t> port) {
  auto made = plain(text);
  if (address != nullptr) made.address = asio::ip::make_address(address);
  made.port = port;
  return made;
}

TEST(Unite, SortsByName) {
  const auto all = unite({plain("b@h"), plain("a@h"), plain("a@g")});
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].name, name("a@g"));
  EXPECT_EQ(all[2].name, name("b@h"));
}

TEST(Unite, CaseAndFinalDotMakeNoSecondNode) {
  const auto all = unite({plain("a@Host.Example"), plain("a@host.example"), plain("a@HOST.example.")});
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].name, name("a@Host.Example")) << "the first spelling";
  EXPECT_THAT(unite({plain("A@h"), plain("a@h")}), SizeIs(2)) << "what stands before the '@' keeps its case";
}

TEST(Unite, TheFirstSourceWinsUnlessItKnowsNoWay) {
  auto all = unite({at("a@10.0.0.1", "10.0.0.1", std::nullopt), at("a@10.0.0.1", "127.0.0.1", 4370)});
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0], at("a@10.0.0.1", "10.0.0.1", std::nullopt));

  all = unite({plain("a@h.test"), at("a@h.test", "127.0.0.1", 4370)});
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0], at("a@h.test", "127.0.0.1", 4370));
}

}  // namespace
}  // namespace rollcall::discovery
