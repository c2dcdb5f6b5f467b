// Netsplits: when one opens, what it is called, what is named as its cause, that one cause is one, and what
// is none.
#include <fmt/format.h>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership {
inline void PrintTo(incident_type t, std::ostream* out) {
  *out << to_string(t);
}
inline void PrintTo(incident_end e, std::ostream* out) {
  *out << to_string(e);
}

namespace test {
namespace {

settings observing() {
  settings s;
  s.watch = true;
  s.heal = heal_mode::off;
  return s;
}

struct Incidents : testing::Test {
  driver d{observing()};
  names all;

  void meshed(const names& nodes) {
    all = nodes;
    d.mesh(nodes);
    for (const auto& node : nodes) d.step({fact::watching{full(node), true}});
    d.answer_views();
    d.events.clear();
  }
  // All give up their link with one whose link broke.
  void preventing(const names& nodes) {
    d.usual.prevent_overlapping_partitions = true;
    meshed(nodes);
  }
  void lose(std::string_view from, std::string_view to, std::string why = "connection_closed") {
    d.step({fact::peer_changed{full(from), full(to), false, std::move(why)}});
    auto& view = d.automatic[full(from)];
    std::erase(view, full(to));
  }
  void gain(std::string_view from, std::string_view to) {
    d.step({fact::peer_changed{full(from), full(to), true, ""}});
    d.automatic[full(from)].push_back(full(to));
  }
  void part(std::string_view a, std::string_view b, const std::string& why = "connection_closed") {
    lose(a, b, why);
    lose(b, a, why);
  }
  void is_one_caused_by(std::string_view from, std::string_view to) {
    ASSERT_EQ(list().size(), 1U);
    ASSERT_TRUE(list()[0].cause.has_value());
    EXPECT_EQ(list()[0].cause->from, full(from));
    EXPECT_EQ(list()[0].cause->to, full(to));
  }
  void join(std::string_view a, std::string_view b) {
    gain(a, b);
    gain(b, a);
  }
  // Everybody who is linked to us shows a sign of life, and time goes by.
  void live(milliseconds span) {
    for (auto left = span; left > 0ms; left -= 1s) {
      for (const auto& node : all) {
        if (!mute.contains(node)) d.step({fact::heard{full(node), 1ms, true}});
      }
      d.pass(1s);
    }
  }
  const std::vector<incident>& list() { return *d.shown().incidents; }
  std::set<std::string> mute;
};

// Ranks go by names, and the pairs are kept in the order in which their nodes were listed.
TEST_F(Incidents, PairsAreFollowedInWhateverOrderTheirNodesWereListed) {
  meshed({"d", "b", "e", "a", "c"});
  const std::vector<std::pair<std::string, std::string>> broken{
      {"a", "d"}, {"c", "d"}, {"a", "c"}, {"b", "e"}};
  for (const auto& [one, other] : broken) part(one, other);
  live(15s);
  ASSERT_EQ(list().size(), 2U);
  EXPECT_EQ(list()[0].broken_pairs + list()[1].broken_pairs, broken.size());
  for (const auto& [one, other] : broken) {
    const std::pair pair(full(one), full(other)), turned(full(other), full(one));
    EXPECT_TRUE(std::ranges::any_of(list(),
                                    [&](const incident& i) {
                                      return std::ranges::any_of(
                                          i.pairs, [&](const auto& p) { return p == pair || p == turned; });
                                    }))
        << one << " and " << other;
  }
  for (const auto& [one, other] : broken) join(one, other);
  live(15s);
  for (const auto& i : list()) EXPECT_TRUE(i.closed_at.has_value()) << i.id;
}

TEST_F(Incidents, AWholeMeshHasNone) {
  meshed({"a", "b", "c"});
  live(120s);
  EXPECT_TRUE(list().empty());
}

TEST_F(Incidents, AMissingPairOpensAfterAnIntervalAndIsConfirmedTwoLater) {
  meshed({"a", "b", "c"});
  part("a", "b", "net_tick_timeout");
  live(4s);
  EXPECT_TRUE(list().empty());
  live(3s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].type, incident_type::partial);
  EXPECT_FALSE(list()[0].confirmed);
  EXPECT_EQ(d.shown().totals.detected[1], 0U);
  EXPECT_EQ(d.count(event_type::netsplit_opened), 1U);
  live(12s);
  EXPECT_TRUE(list()[0].confirmed);
  EXPECT_EQ(d.shown().totals.detected[1], 1U);
  ASSERT_TRUE(list()[0].cause);
  EXPECT_EQ(list()[0].cause->from, full("a"));
  EXPECT_EQ(list()[0].cause->to, full("b"));
  EXPECT_EQ(list()[0].cause->reason, "net_tick_timeout");
}

// The plan links it again after an interval.
TEST_F(Incidents, ALinkThatAnEndGaveUpByItselfOpensAfterTwoIntervalsWhereItIsHealed) {
  for (const auto* why : {"disconnect", "net_tick_timeout"}) {
    const bool by_hand = std::string(why) == "disconnect";
    auto healing = observing();
    healing.heal = heal_mode::automatic;
    d = driver(healing);
    preventing({"a", "b", "c", "d"});
    lose("a", "d", why);
    lose("d", "a", "connection_closed");
    for (const auto* third : {"b", "c"}) {
      lose(third, "d", "disconnect");
      lose("d", third, "connection_closed");
    }
    live(7s);
    EXPECT_EQ(list().size(), by_hand ? 0U : 1U) << why;
    live(5s);
    is_one_caused_by("a", "d");
  }
}

TEST_F(Incidents, ClosesAnIntervalAfterItIsWholeAndSaysWhen) {
  meshed({"a", "b", "c"});
  part("a", "b");
  live(10s);
  const auto before = d.at().wall;
  join("a", "b");
  live(3s);
  EXPECT_FALSE(list()[0].closed_at);
  live(4s);
  ASSERT_TRUE(list()[0].closed_at);
  EXPECT_LE(*list()[0].closed_at - before, 1'000ms) << "when it was whole, not when that was settled";
  EXPECT_EQ(list()[0].ended, incident_end::healed);
  EXPECT_EQ(d.shown().totals.detected[1], 1U) << "confirmed at the latest now";
  EXPECT_EQ(d.shown().totals.healed[1], 1U);
  EXPECT_EQ(d.shown().totals.duration_count, 1U);
  EXPECT_EQ(d.count(event_type::netsplit_closed), 1U);
}

// What it runs is told late: until then its pair with a node of OTP 23 is taken for one that is missing.
TEST_F(Incidents, APairThatIsFoundToRefuseEachOtherIsWaitedForNoMore) {
  meshed({"a", "b", "c"});
  d.step({fact::link_up{full("a"), 1, true, true}});
  part("a", "c");
  live(10s);
  ASSERT_EQ(list().size(), 1U);
  auto told = d.usual;
  told.node = full("c");
  told.otp_release = "27";
  d.step({told});
  live(7s);
  ASSERT_TRUE(list()[0].closed_at);
  EXPECT_EQ(list()[0].ended, incident_end::gone);
}

// One bad link, and what prevents overlapping partitions makes of it.
TEST_F(Incidents, OneCauseIsOneIncident) {
  meshed({"a", "b", "c", "d"});
  part("a", "b", "net_tick_timeout");
  for (const auto* third : {"c", "d"}) {
    part(third, "a", "disconnect");
    part(third, "b", "disconnect");
  }
  live(20s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].type, incident_type::full);
  EXPECT_EQ(list()[0].cause->from, full("a"));
  EXPECT_EQ(list()[0].cause->to, full("b"));
  ASSERT_EQ(list()[0].groups.size(), 3U);
  EXPECT_EQ(list()[0].groups[0], full(names{"c", "d"}));
  EXPECT_EQ(list()[0].left_out, full(names{"a", "b"}));
  EXPECT_EQ(list()[0].broken_pairs, 5U);
}

// More is lost for it, within a second and a half, than is remembered.
TEST_F(Incidents, TheFirstOfATearOfManyIsItsCause) {
  d.usual.prevent_overlapping_partitions = true;
  names many;
  for (int i = 0; i < 100; ++i) many.push_back(fmt::format("n{:02}", i));
  meshed(many);
  part("n40", "n70");
  d.pass(100ms);
  for (const auto& from : many) {
    std::vector<any_fact> told;
    for (const auto& to : many) {
      if (from == to || (from == "n40" && to == "n70") || (from == "n70" && to == "n40")) continue;
      told.emplace_back(
          fact::peer_changed{full(from), full(to), false, from < to ? "disconnect" : "connection_closed"});
    }
    d.automatic[full(from)].clear();
    d.pass(10ms);
    d.step(std::move(told));
  }
  live(20s);
  is_one_caused_by("n40", "n70");
}

// What was torn for it is all that is still broken.
TEST_F(Incidents, TheFirstOfATearIsItsCauseAlsoWhenItIsWholeAgain) {
  preventing({"a", "b", "c", "d"});
  part("a", "b");
  d.pass(300ms);
  join("a", "b");
  part("a", "c", "disconnect");
  live(20s);
  is_one_caused_by("a", "b");
}

TEST_F(Incidents, WhereNobodySaysWhatWentFirstItIsThePairWhoseEndsLostMost) {
  meshed({"a", "b", "c", "d"});
  for (const auto* third : {"c", "d"}) {
    part(third, "a", "");
    part(third, "b", "");
  }
  part("a", "b", "");
  live(20s);
  is_one_caused_by("a", "b");
}

// They tell of it in any order.
TEST_F(Incidents, OfWhatIsToldAtOneMomentTheCauseIsThePairWhoseEndsLostMost) {
  preventing({"a", "b", "c", "d"});
  for (const auto* third : {"c", "d"}) part(third, "a", "disconnect");
  part("a", "b", "disconnect");
  for (const auto* third : {"c", "d"}) part(third, "b", "disconnect");
  live(20s);
  is_one_caused_by("a", "b");
}

// All lost all others. a lost c only since others did: that is announced by neither of the two, so nobody
// gives up a.
TEST_F(Incidents, OfThoseWhoseEndsLostAsMuchTheCauseIsThePairOfWhichOthersGaveUpBothEnds) {
  preventing({"a", "b", "c", "d"});
  const auto give_up = [&](const char* from, const char* to) {
    lose(from, to, "disconnect");
    lose(to, from, "connection_closed");
  };
  for (const auto* from : {"a", "b", "d"}) give_up(from, "c");
  give_up("a", "b");
  give_up("a", "d");
  give_up("b", "d");
  live(20s);
  is_one_caused_by("d", "c");
}

// The word of c comes before that of a, who closed the link. Nobody gave up a, since d could tell nobody.
TEST_F(Incidents, OfThoseThatAreAlikeTheCauseIsThePairThatBothOfItsEndsToldOfFirst) {
  preventing({"a", "b", "c", "d"});
  lose("c", "d", "disconnect");
  for (const auto* other : {"a", "c", "b"}) lose("d", other, "connection_closed");
  for (const auto* other : {"a", "b"}) lose(other, "d", "disconnect");
  live(20s);
  is_one_caused_by("a", "d");
  EXPECT_EQ(list()[0].cause->reason, "disconnect");
}

TEST_F(Incidents, OfWhatIsToldAtOneMomentTheCauseIsThePairOfWhichOneEndHeardNothing) {
  preventing({"a", "b", "c", "d"});
  part("c", "a", "disconnect");
  lose("b", "a", "disconnect");
  part("d", "a", "disconnect");
  live(1s);
  lose("a", "b", "connection_closed");
  live(20s);
  ASSERT_EQ(list().size(), 1U);
  ASSERT_TRUE(list()[0].cause.has_value());
  EXPECT_EQ(list()[0].cause->from, full("b"));
  EXPECT_EQ(list()[0].cause->to, full("a"));
}

TEST_F(Incidents, OfWhatIsToldAtOneMomentTheCauseIsThePairOfWhichOneEndHeardAfterALaterLoss) {
  preventing({"a", "b", "c", "d"});
  part("c", "a", "disconnect");
  lose("b", "a", "disconnect");
  d.pass(400ms);
  part("d", "a", "disconnect");
  d.pass(20ms);
  lose("a", "b", "connection_closed");
  live(20s);
  is_one_caused_by("b", "a");
}

// One that is behind with all that it tells has heard of everything at once.
TEST_F(Incidents, OneEndThatIsBehindHasHeardOfWhatItTellsInItsOrder) {
  preventing({"a", "b", "c", "d"});
  for (const auto* from : {"c", "b", "d"}) lose(from, "a", "disconnect");
  d.pass(400ms);
  for (const auto* other : {"c", "b", "d"}) lose("a", other, "connection_closed");
  live(20s);
  is_one_caused_by("c", "a");
}

TEST_F(Incidents, ATickTimeoutIsABetterCauseThanWhatWasTornBeforeIt) {
  meshed({"a", "b", "c"});
  lose("c", "b", "disconnect");
  lose("b", "c", "connection_closed");
  part("a", "b", "net_tick_timeout");
  live(20s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].cause->reason, "net_tick_timeout");
  EXPECT_EQ(list()[0].cause->from, full("a"));
}

TEST_F(Incidents, TwoCausesAreTwo) {
  meshed({"a", "b", "c", "d", "e"});
  part("a", "b");
  part("c", "d");
  live(20s);
  EXPECT_EQ(list().size(), 2U);
}

// Somebody is left out for good; what breaks among the others much later is another matter.
TEST_F(Incidents, WhatBreaksLaterBesideALeftOutNodeIsAnother) {
  preventing({"a", "b", "c", "d", "e"});
  for (const auto* other : {"a", "b", "c", "d"}) part("e", other);
  live(60s);
  ASSERT_EQ(list().size(), 1U);
  part("a", "b", "net_tick_timeout");
  live(20s);
  EXPECT_EQ(list().size(), 2U);
}

TEST_F(Incidents, TypesOnlyWorsenAndAreCountedAsConfirmed) {
  meshed({"a", "b", "c"});
  lose("a", "b");
  live(12s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].type, incident_type::asymmetric);
  live(12s);
  EXPECT_EQ(d.shown().totals.detected[0], 1U);
  lose("b", "a");
  live(2s);
  EXPECT_EQ(list()[0].type, incident_type::partial);
  part("a", "c");
  live(2s);
  EXPECT_EQ(list()[0].type, incident_type::full);
  join("a", "c");
  live(2s);
  EXPECT_EQ(list()[0].type, incident_type::full);
  join("a", "b");
  live(8s);
  EXPECT_EQ(list()[0].counted_as, incident_type::asymmetric);
  EXPECT_EQ(d.shown().totals.healed[0], 1U);
  EXPECT_EQ(d.shown().totals.detected[1] + d.shown().totals.detected[2], 0U);
  EXPECT_EQ(d.count(event_type::netsplit_changed), 2U);
}

TEST_F(Incidents, OneEndSayingNoForAMomentIsNone) {
  meshed({"a", "b", "c"});
  lose("a", "b");
  live(8s);
  gain("a", "b");
  live(20s);
  EXPECT_TRUE(list().empty());
}

TEST_F(Incidents, APairThatWasNeverWholeWaitsSixIntervals) {
  d.list({"a", "b"});
  all = {"a", "b"};
  d.sees("a", {});
  d.sees("b", {});
  d.up("a");
  d.up("b");
  d.answer_views();
  for (const auto& node : all) d.step({fact::watching{full(node), true}});
  live(29s);
  EXPECT_TRUE(list().empty());
  live(4s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].cause->reason, "never_connected");
}

TEST_F(Incidents, ANodeThatDiesOpensNone) {
  meshed({"a", "b", "c"});
  lose("a", "c", "net_tick_timeout");
  lose("b", "c", "net_tick_timeout");
  mute.insert("c");
  d.silent("c");
  live(100s);
  EXPECT_TRUE(list().empty());
}

TEST_F(Incidents, ANodeThatIsRestartedOpensNone) {
  meshed({"a", "b", "c"});
  lose("a", "c");
  lose("b", "c");
  d.down("c");
  d.sees("c", {});
  live(3s);
  d.up("c", 2);
  d.answer_views();
  live(20s);
  EXPECT_TRUE(list().empty()) << "its pairs are new";
}

TEST_F(Incidents, ALeavingNodeOpensNone) {
  meshed({"a", "b", "c"});
  d.step({fact::stopping{full("c")}});
  lose("a", "c");
  lose("b", "c");
  live(40s);
  EXPECT_TRUE(list().empty());
}

TEST_F(Incidents, EndsAsGoneWhenWhoWasCutOffIsGone) {
  meshed({"a", "b", "c"});
  part("a", "c");
  part("b", "c");
  live(20s);
  ASSERT_EQ(list().size(), 1U);
  d.down("c");
  d.fail("c", reason::refused);
  mute.insert("c");
  live(40s);
  ASSERT_TRUE(list()[0].closed_at);
  EXPECT_EQ(list()[0].ended, incident_end::gone);
}

TEST_F(Incidents, NothingOpensWhileStarting) {
  d.list({"a", "b", "c"});
  all = {"a", "b"};
  d.sees("a", {});
  d.sees("b", {});
  d.up("a");
  d.up("b");
  d.answer_views();
  live(60s);  // c was not dialled to an end
  EXPECT_TRUE(d.shown().starting);
  EXPECT_TRUE(list().empty());
}

// ---- silence

TEST_F(Incidents, WhoComesBackAsItWasAndWasLostByOthersWasCutOff) {
  meshed({"a", "b", "c", "d"});
  for (const auto* gone : {"c", "d"}) {
    mute.insert(gone);
    d.silent(gone);
    d.down(gone, reason::tick_timeout);
  }
  for (const auto* with_us : {"a", "b"}) {
    lose(with_us, "c", "net_tick_timeout");
    lose(with_us, "d", "net_tick_timeout");
  }
  live(30s);
  EXPECT_TRUE(d.raised(condition::possible_split));
  EXPECT_TRUE(list().empty()) << "dead or cut off: it cannot be told";
  for (const auto* back : {"c", "d"}) {
    mute.erase(back);
    d.sees(back, {back == std::string_view("c") ? "d" : "c"});
    d.up(back);
  }
  d.answer_views();
  live(2s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].type, incident_type::full);
  EXPECT_TRUE(list()[0].confirmed);
  EXPECT_EQ(list()[0].groups.size(), 2U);
  EXPECT_EQ(list()[0].cause->reason, "net_tick_timeout");
  for (const auto* a : {"a", "b"}) {
    for (const auto* b : {"c", "d"}) join(a, b);
  }
  live(10s);
  EXPECT_EQ(list().size(), 1U);
  EXPECT_TRUE(list()[0].closed_at);
  EXPECT_EQ(d.shown().totals.healed[2], 1U);
}

TEST_F(Incidents, WhomOnlyWeLostWasNot) {
  meshed({"a", "b", "c", "d"});
  for (const auto* gone : {"c", "d"}) {
    mute.insert(gone);
    d.down(gone, reason::tick_timeout);
  }
  live(30s);
  for (const auto* back : {"c", "d"}) {
    mute.erase(back);
    d.up(back);
  }
  d.answer_views();
  live(30s);
  EXPECT_TRUE(list().empty());
}

TEST_F(Incidents, WhoComesBackWithAnotherCreationWasDead) {
  meshed({"a", "b", "c", "d"});
  for (const auto* gone : {"c", "d"}) {
    mute.insert(gone);
    d.silent(gone);
    d.down(gone, reason::tick_timeout);
    lose("a", gone, "net_tick_timeout");
    lose("b", gone, "net_tick_timeout");
  }
  live(30s);
  for (const auto* back : {"c", "d"}) {
    mute.erase(back);
    d.sees(back, {});
    d.up(back, 2);
  }
  d.answer_views();
  live(10s);
  EXPECT_TRUE(list().empty()) << (list().empty() ? "" : d.events.back().text);
}

// A machine with most of the nodes, away for minutes; its nodes come back one after the other.
TEST_F(Incidents, ACutThatIsToldAfterwardsHasTheGroupsOfThenAndClosesWhenWhole) {
  meshed({"a", "b", "c", "d", "e", "f"});
  const names away{"b", "c", "d", "e", "f"};
  for (const auto& gone : away) {
    mute.insert(gone);
    d.silent(gone);
    d.down(gone, reason::tick_timeout);
    lose("a", gone, "net_tick_timeout");
  }
  live(130s);
  EXPECT_TRUE(list().empty());
  const auto back = [&](const std::string& node) {
    mute.erase(node);
    d.sees(node, driver::without(away, node));
    d.up(node);
    d.answer_views();
  };
  for (const auto* first : {"b", "e", "f"}) back(first);
  live(2s);
  ASSERT_EQ(list().size(), 1U);
  for (const auto* first : {"b", "e", "f"}) join("a", first);
  live(30s);
  ASSERT_EQ(list().size(), 1U);
  ASSERT_EQ(list()[0].groups.size(), 2U);
  EXPECT_EQ(list()[0].groups[0], full(away));
  EXPECT_EQ(list()[0].groups[1], full(names{"a"}));
  EXPECT_EQ(list()[0].left_out, full(names{"a"}));
  EXPECT_FALSE(list()[0].closed_at) << "c and d are away still";
  for (const auto* last : {"c", "d"}) back(last);
  live(2s);
  for (const auto* last : {"c", "d"}) join("a", last);
  live(10s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_TRUE(list()[0].closed_at);
  EXPECT_EQ(list()[0].ended, incident_end::healed);
  EXPECT_EQ(list()[0].groups[0], full(away));
  EXPECT_EQ(d.count(event_type::member_returned), 0U) << "the incident tells it";
}

TEST_F(Incidents, OneMemberThatWasAwayAndRanOnIsNoneButIsTold) {
  meshed({"a", "b", "c"});
  mute.insert("c");
  d.silent("c");
  d.down("c", reason::tick_timeout);
  lose("a", "c", "net_tick_timeout");
  lose("b", "c", "net_tick_timeout");
  live(100s);
  mute.erase("c");
  d.sees("c", {});
  d.up("c");
  d.answer_views();
  for (const auto* other : {"a", "b"}) join("c", other);
  live(30s);
  EXPECT_TRUE(list().empty());
  ASSERT_EQ(d.count(event_type::member_returned), 1U);
  const auto told = std::ranges::find(d.events, event_type::member_returned, &event::type);
  EXPECT_EQ(told->node, full("c"));
  EXPECT_NE(told->text.find("data may differ"), std::string::npos) << told->text;
}

TEST_F(Incidents, OneMemberThatIsRestartedOrWasSeenAllAlongHasNotRunOnByItself) {
  meshed({"a", "b", "c"});
  mute.insert("c");
  d.silent("c");
  d.down("c", reason::tick_timeout);
  live(50s);
  mute.erase("c");
  d.sees("c", {"a", "b"});
  d.up("c");
  d.answer_views();
  live(10s);
  EXPECT_EQ(d.count(event_type::member_returned), 0U) << "only we lost it";
  mute.insert("c");
  d.silent("c");
  d.down("c", reason::tick_timeout);
  lose("a", "c", "net_tick_timeout");
  lose("b", "c", "net_tick_timeout");
  live(50s);
  mute.erase("c");
  d.sees("c", {});
  d.up("c", 2);
  d.answer_views();
  live(10s);
  EXPECT_EQ(d.count(event_type::member_returned), 0U) << "it was dead";
}

TEST_F(Incidents, GroupsAreThoseOfTheWorstMoment) {
  meshed({"a", "b", "c", "d", "e", "f"});
  for (const auto* here : {"a", "b", "c"}) {
    for (const auto* there : {"d", "e", "f"}) part(here, there, "net_tick_timeout");
  }
  live(15s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].groups.front().size(), 3U);
  for (const auto* here : {"a", "b", "c"}) {
    for (const auto* there : {"d", "e"}) join(here, there);
  }
  live(2s);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].groups.front().size(), 3U) << "as many groups, and less of a cut";
}

TEST_F(Incidents, ANewcomerHasNoPartInWhatBeganBefore) {
  meshed({"a", "b", "c", "d"});
  for (const auto* other : {"b", "c", "d"}) part("a", other, "net_tick_timeout");
  live(10s);
  ASSERT_EQ(list().size(), 1U);
  all.emplace_back("n");
  d.list({"a", "b", "c", "d", "n"});
  d.sees("n", {});
  d.up("n");
  d.answer_views();
  d.step({fact::watching{full("n"), true}});
  live(20s);
  EXPECT_EQ(list().back().left_out, full(names{"a"}));
}

TEST_F(Incidents, ANetsplitIsNotOverAndRaisedAgainWithinAMoment) {
  meshed({"a", "b", "c"});
  for (const auto* other : {"b", "c"}) part("a", other, "net_tick_timeout");
  live(11s);
  ASSERT_TRUE(d.raised(condition::netsplit));
  bool throughout = true;
  for (int i = 0; i < 5; ++i) {
    join("a", "b");
    throughout &= d.raised(condition::netsplit);
    d.pass(1ms);
    part("a", "b", "net_tick_timeout");
    throughout &= d.raised(condition::netsplit);
    live(2s);
    throughout &= d.raised(condition::netsplit);
  }
  EXPECT_TRUE(throughout);
  for (const auto* other : {"b", "c"}) join("a", other);
  live(7s);
  EXPECT_FALSE(d.raised(condition::netsplit));
}

// ---- remembered

// Nodes go on listing each other over links that are dark.
TEST_F(Incidents, OfAnEarlierLifeDoNotHealOnViewsBeforeProbesRan) {
  meshed({"a", "b", "c"});
  part("a", "b");
  live(20s);
  const auto remembered = list();
  auto options = observing();
  options.probe = true;
  driver next(options);
  next.core.restore(remembered, d.shown().totals, {});
  next.list({"a", "b", "c"});
  for (const auto* node : {"a", "b", "c"}) next.sees(node, driver::without({"a", "b", "c"}, node));
  for (const auto* node : {"a", "b", "c"}) next.up(node);
  next.answer_views();
  next.pass(19s);
  ASSERT_EQ(next.shown().incidents->size(), 1U);
  EXPECT_FALSE(next.shown().incidents->front().closed_at);
  next.pass(10s);
  ASSERT_EQ(next.shown().incidents->size(), 1U);
  EXPECT_TRUE(next.shown().incidents->front().closed_at);
  EXPECT_EQ(next.shown().incidents->front().id, remembered.front().id);
}

TEST_F(Incidents, OutliveARestart) {
  meshed({"a", "b", "c"});
  part("a", "b");
  live(20s);
  const auto remembered = list();
  const auto totals = d.shown().totals;

  driver next(observing());
  next.core.restore(remembered, totals, {});
  EXPECT_EQ(next.shown().incidents->size(), 1U);
  EXPECT_EQ(next.shown().totals.detected[1], 1U);
  // It goes on, and is not counted again.
  next.list({"a", "b", "c"});
  next.sees("a", {"c"});
  next.sees("b", {"c"});
  next.sees("c", {"a", "b"});
  for (const auto* node : {"a", "b", "c"}) next.up(node);
  next.answer_views();
  next.pass(60s);
  ASSERT_EQ(next.shown().incidents->size(), 1U);
  EXPECT_FALSE(next.shown().incidents->front().closed_at);
  next.sees("a", {"b", "c"});
  next.sees("b", {"a", "c"});
  next.pass(20s);
  ASSERT_EQ(next.shown().incidents->size(), 1U);
  EXPECT_TRUE(next.shown().incidents->front().closed_at);
  EXPECT_EQ(next.shown().totals.detected[1], 1U);
  EXPECT_EQ(next.shown().totals.healed[1], 1U);
}

TEST_F(Incidents, OnlyTheLastHundredAreKept) {
  meshed({"a", "b", "c"});
  for (int i = 0; i < 103; ++i) {
    part("a", "b");
    live(7s);
    join("a", "b");
    live(7s);
  }
  EXPECT_EQ(list().size(), 100U);
  EXPECT_EQ(list().front().id, 103U);
  EXPECT_EQ(d.shown().totals.detected[1], 103U);
}

}  // namespace
}  // namespace test
}  // namespace rollcall::membership
