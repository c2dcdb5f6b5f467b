// What readers see: pairs, partitions, counts, conditions, events and the documents made of them.
#include "membership/snapshot.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <ctime>

#include "membership/partitions.hpp"
#include "membership/report.hpp"
#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Snapshot, PairsAreWhatTwoViewsSay) {
  driver d;
  d.mesh({"a", "b", "c", "d"});
  d.view("a", {"b", "c"});
  d.view("b", {"a"});
  d.view("c", {});
  d.down("d");
  const auto& s = d.shown();
  EXPECT_EQ(s.pair(0, 1), pair_state::connected);
  EXPECT_EQ(s.pair(0, 2), pair_state::one_way);
  EXPECT_EQ(s.pair(2, 0), pair_state::one_way);
  EXPECT_EQ(s.pair(1, 2), pair_state::missing);
  EXPECT_EQ(s.pair(0, 3), pair_state::unknown);
  EXPECT_EQ(s.sees(0, 1), true);
  EXPECT_EQ(s.sees(2, 0), false);
  EXPECT_EQ(s.sees(3, 0), std::nullopt);
  EXPECT_EQ(s.sees(0, 0), std::nullopt);
  EXPECT_EQ(s.sees(0, 99), std::nullopt);
  EXPECT_EQ(s.links_missing, 1U);
  EXPECT_THAT(s.links, ElementsAre(1, 1, 1, 0, 0, 3));
  EXPECT_EQ(d.of("b").links_missing, 1U);
  EXPECT_EQ(d.of("a").visible_peers, 2U);
}

TEST(Snapshot, PartitionsAreJoinedByOneWayPairsLargestFirst) {
  driver d;
  d.mesh({"a", "b", "c", "d", "e"});
  d.view("a", {});
  d.view("b", {"c", "d"});
  d.view("c", {});
  d.view("d", {});
  d.view("e", {"a"});
  const auto& s = d.shown();
  ASSERT_EQ(s.partitions.size(), 2U);
  EXPECT_EQ(s.partitions[0], full(names{"b", "c", "d"}));
  EXPECT_EQ(s.partitions[1], full(names{"a", "e"}));
  EXPECT_EQ(d.of("e").partition, 1U);
}

TEST(Snapshot, FindsMembersByName) {
  driver d;
  d.mesh({"b", "a"});
  EXPECT_NE(d.shown().find("a@host.example"), nullptr);
  EXPECT_EQ(d.shown().find("c@host.example"), nullptr);
  EXPECT_EQ(d.shown().find(""), nullptr);
  EXPECT_EQ(snapshot{}.find("a@b"), nullptr);
  EXPECT_EQ(d.shown().members.front().name, full("a"));
}

TEST(Snapshot, IsKeptUntilSomethingChanges) {
  driver d;
  d.mesh({"a", "b"});
  const auto before = d.core.snapshot();
  d.now += 1ms;
  EXPECT_FALSE(d.step().changed);
  EXPECT_EQ(d.core.snapshot(), before);
  d.down("a");
  EXPECT_NE(d.core.snapshot(), before);
  EXPECT_GT(d.core.snapshot()->version, before->version);
  EXPECT_EQ(before->find("a@host.example")->state, member_state::up) << "who holds one keeps it as it was";
}

// In calm most of what comes are views that say what the last ones said.
TEST(Snapshot, AViewThatTellsNothingNewIsShownWithTheNextRound) {
  driver d;
  d.mesh({"a", "b"});
  d.silent("a");
  const auto told = [&](const names& seen) {
    d.now += 1ms;
    return d.step({fact::view{full("a"), full(seen), 7ms}}).changed;
  };
  EXPECT_FALSE(told({"b"}));
  EXPECT_EQ(d.of("a").round_trip, 1ms);
  d.pass(d.options.interval);
  EXPECT_EQ(d.of("a").round_trip, 7ms);
  EXPECT_TRUE(told({"b", "stranger"}));
  EXPECT_FALSE(told({"b", "stranger"}));
  EXPECT_TRUE(told({"b"}));
  EXPECT_TRUE(told({}));
  EXPECT_TRUE(told({})) << "a pair is broken: what is told again may be what an incident waits for";
}

TEST(Snapshot, EventsAreNumberedAndBounded) {
  driver d(settings{.max_events = 4});
  d.mesh({"a", "b"});
  for (int i = 0; i < 5; ++i) {
    d.down("b");
    d.up("b");
    d.view("b", {"a"});
  }
  const auto& events = d.shown().events;
  ASSERT_EQ(events.size(), 4U);
  for (std::size_t i = 1; i < events.size(); ++i) EXPECT_EQ(events[i].id, events[i - 1].id + 1);
  EXPECT_EQ(events.back().type, event_type::member_up);
  EXPECT_EQ(events.back().text, "b@host.example is up again");
  EXPECT_EQ(events.back().at, d.at().wall);
}

TEST(Events, SayWhatHappenedAndWhy) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b", reason::tick_timeout);
  ASSERT_EQ(d.events.size(), 1U);
  EXPECT_EQ(d.events[0].text, "b@host.example is suspect: tick_timeout (lost)");
  EXPECT_EQ(d.events[0].why, reason::tick_timeout);
  d.fail("b", reason::timeout);
  d.pass(2min);
  ASSERT_EQ(d.events.size(), 2U) << "each change once";
  EXPECT_EQ(d.events[1].type, event_type::member_down);
}

TEST(Events, DiscoverySaysWhoIsNewAndGone) {
  driver d;
  d.list({"a", "b"});
  d.list({"b", "c"});
  d.list({"c", "b"});
  ASSERT_EQ(d.count(event_type::discovery_changed), 2U);
  EXPECT_EQ(d.events.back().text, "discovery lists 2 nodes, new: c@host.example, gone: a@host.example");
}

TEST(Conditions, MembersMissingAfterTwoIntervalsNamesWho) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.down("b");
  d.fail("b", reason::refused);
  d.pass(9s);
  EXPECT_FALSE(d.raised(condition::members_missing));
  d.pass(2s);
  EXPECT_EQ(d.text_of(condition::members_missing),
            "1 of 3 expected members is missing: b@host.example (refused)");
  EXPECT_EQ(d.shown().overall, health::warning);
}

TEST(Conditions, EverybodyDeadIsAnErrorAndNotAWarning) {
  driver d;
  d.mesh({"a", "b"});
  for (const auto* node : {"a", "b"}) {
    d.down(node);
    d.fail(node, reason::refused);
  }
  d.pass(11s);
  EXPECT_TRUE(d.raised(condition::members_missing));
  EXPECT_EQ(d.shown().overall, health::error);
}

TEST(Conditions, ARefusedCookieNamesWhoAndWhenItIsTriedAgain) {
  driver d;
  d.list({"a"});
  d.fail("a", reason::cookie);
  EXPECT_EQ(d.text_of(condition::cookie_refused),
            "our cookie is refused by a@host.example; it is tried again when the cookie file changes, and "
            "every 300 s");
}

TEST(Conditions, ExpectKnowsOfMoreThanDiscovery) {
  driver d(settings{.expect = 4});
  d.mesh({"a", "b"});
  d.pass(11s);
  EXPECT_EQ(d.shown().expected, 4U);
  EXPECT_EQ(d.text_of(condition::members_missing),
            "2 of 4 expected members are missing: no source lists the others");
}

TEST(Conditions, NothingDiscoveredIsAnError) {
  driver d;
  d.list({}, {source("srv:a@b", query_outcome::empty, driver::epoch)});
  EXPECT_TRUE(d.raised(condition::nothing_discovered));
  EXPECT_EQ(d.shown().overall, health::error);
}

TEST(Conditions, DiscoveryIsStaleAfterAMinuteWithoutAGoodAnswer) {
  driver d;
  d.list({"a"}, {source("srv:x@y", query_outcome::ok, driver::epoch)});
  d.sees("a", {});
  d.up("a");
  d.answer_views();
  for (int i = 0; i < 11; ++i) {
    auto failed = source("srv:x@y", query_outcome::servfail, driver::epoch);
    failed.detail = "no server answered";
    d.list({"a"}, {failed});
    d.pass(5s);
  }
  EXPECT_FALSE(d.raised(condition::discovery_stale));
  d.pass(6s);
  EXPECT_THAT(d.text_of(condition::discovery_stale), HasSubstr("srv:x@y gave no good answer for"));
  EXPECT_THAT(d.text_of(condition::discovery_stale), HasSubstr("(no server answered)"));
  EXPECT_EQ(d.of("a").state, member_state::up);
  d.list({"a"}, {source("srv:x@y", query_outcome::ok, driver::epoch + 70s)});
  EXPECT_FALSE(d.raised(condition::discovery_stale));
}

TEST(Conditions, AThirdSilentAtOnceIsAPossibleSplit) {
  driver d;
  d.mesh({"a", "b", "c", "d", "e", "f"});
  for (const auto* node : {"e", "f"}) {
    d.down(node, reason::tick_timeout);
    d.fail(node, reason::timeout);
  }
  EXPECT_FALSE(d.raised(condition::possible_split)) << "all others may be silent in a moment: isolated";
  d.pass(1s);
  EXPECT_TRUE(d.raised(condition::possible_split));
  for (const auto* node : {"a", "b", "c", "d"}) d.sees(node, driver::without({"a", "b", "c", "d"}, node));
  d.pass(2min);
  EXPECT_EQ(d.of("e").state, member_state::down);
  EXPECT_TRUE(d.raised(condition::possible_split)) << "for as long as they are listed";
  EXPECT_EQ(d.shown().partitions.size(), 1U) << "what is not reached is no partition";
  d.list({"a", "b", "c", "d"});
  d.pass(6s);
  EXPECT_FALSE(d.raised(condition::possible_split));
}

TEST(Conditions, RefusedOrASingleSilentOneIsNoPossibleSplit) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.down("c", reason::tick_timeout);
  d.fail("c", reason::timeout);
  EXPECT_FALSE(d.raised(condition::possible_split));
  d.down("b");
  d.fail("b", reason::refused);
  EXPECT_FALSE(d.raised(condition::possible_split));
}

TEST(Conditions, NetsplitMustLastTwoIntervals) {
  driver d(settings{.heal = heal_mode::off});
  d.mesh({"a", "b", "c"});
  d.sees("a", {});
  d.sees("b", {"c"});
  d.sees("c", {"b"});
  d.pass(9s);
  EXPECT_FALSE(d.raised(condition::netsplit));
  d.pass(6s);
  EXPECT_EQ(d.text_of(condition::netsplit), "2 partitions: b@host.example with 1 other, a@host.example");
  EXPECT_EQ(d.shown().conditions.front().how_bad, severity::error) << "worst first";
  EXPECT_EQ(d.shown().overall, health::error);
}

TEST(Conditions, DifferingSettingsAreDriftAndDifferingReleasesAreNot) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::settings{full("a"), "25", true, true, std::nullopt, 60s, 7s},
          fact::settings{full("b"), "27", true, true, std::nullopt, 60s, 7s}});
  EXPECT_FALSE(d.raised(condition::config_drift));
  d.step({fact::settings{full("b"), "27", false, true, std::nullopt, 60s, 7s}});
  EXPECT_EQ(d.text_of(condition::config_drift),
            "members differ in their settings: prevent_overlapping_partitions is false on 1, true on 1");
}

TEST(Conditions, NamesAreBounded) {
  driver d;
  names nodes;
  for (int i = 0; i < 9; ++i) nodes.push_back("n" + std::to_string(i));
  d.list(nodes);
  for (const auto& node : nodes) d.fail(node, reason::refused);
  d.pass(11s);
  EXPECT_THAT(d.text_of(condition::members_missing), HasSubstr("n4@host.example (refused) and 4 more"));
}

// Documents

const report::document& at(const report::document& object, std::string_view key) {
  for (const auto& [name, value] : std::get<report::object>(object.value)) {
    if (name == key) return value;
  }
  throw std::out_of_range(std::string(key));
}
std::vector<std::string> keys(const report::document& object) {
  std::vector<std::string> all;
  for (const auto& [name, value] : std::get<report::object>(object.value)) all.push_back(name);
  return all;
}
std::string symbol(const report::document& d) {
  return std::get<report::symbol>(d.value).text;
}
std::int64_t number(const report::document& d) {
  return std::get<std::int64_t>(d.value);
}
bool is_nil(const report::document& d) {
  return std::holds_alternative<report::nil>(d.value);
}
const report::array& items(const report::document& d) {
  return std::get<report::array>(d.value);
}

TEST(Report, MembersHaveThePromisedKeys) {
  driver d;
  d.usual.otp_release.clear();
  d.mesh({"a", "b"});
  d.list({"a", "b", "c"});
  d.fail("c", reason::refused);
  const auto all = report::members(d.shown());
  ASSERT_EQ(items(all).size(), 3U);
  EXPECT_THAT(keys(items(all)[0]),
              ElementsAre("node", "state", "reason", "since_at", "listed", "visible", "missing", "partition",
                          "creation", "otp_release", "kept_out", "machine", "zone"));
  const auto& a = items(all)[0];
  EXPECT_EQ(symbol(at(a, "node")), "a@host.example");
  EXPECT_EQ(symbol(at(a, "state")), "up");
  EXPECT_TRUE(is_nil(at(a, "reason")));
  EXPECT_TRUE(is_nil(at(a, "otp_release")));
  EXPECT_EQ(number(at(a, "visible")), 1);
  EXPECT_EQ(number(at(a, "partition")), 0);
  EXPECT_EQ(number(at(a, "creation")), 1);
  EXPECT_GT(number(at(a, "since_at")), since_epoch(driver::epoch));
  const auto& c = items(all)[2];
  EXPECT_EQ(symbol(at(c, "reason")), "refused");
  EXPECT_TRUE(is_nil(at(c, "partition")));
  EXPECT_TRUE(is_nil(at(c, "creation")));
  EXPECT_EQ(items(report::members(d.shown(), member_state::joining)).size(), 1U);
  EXPECT_EQ(symbol(at(report::member(d.shown(), "b@host.example"), "state")), "up");
  EXPECT_TRUE(is_nil(report::member(d.shown(), "x@y")));
  EXPECT_EQ(items(report::nodes(d.shown())).size(), 2U);
}

TEST(Report, StatusNamesWhatIsWrong) {
  driver d(settings{.heal = heal_mode::off});
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.sees("b", {});
  d.pass(16s);
  const auto status = report::status(d.shown());
  EXPECT_EQ(symbol(at(status, "health")), "error");
  EXPECT_EQ(number(at(status, "expected")), 2);
  EXPECT_EQ(number(at(status, "up")), 2);
  EXPECT_EQ(number(at(status, "partitions")), 2);
  EXPECT_EQ(number(at(status, "links_missing")), 1);
  EXPECT_TRUE(std::get<bool>(at(status, "netsplit").value));
  EXPECT_EQ(number(at(at(status, "members"), "up")), 2);
  EXPECT_EQ(keys(at(status, "members")).size(), 6U);
  ASSERT_EQ(items(at(status, "details")).size(), 2U);
  EXPECT_THAT(keys(items(at(status, "details"))[0]), ElementsAre("name", "severity", "text"));
  const auto missing = report::missing_links(d.shown());
  ASSERT_EQ(items(missing).size(), 1U);
  const auto& pair = std::get<report::tuple>(items(missing)[0].value).items;
  ASSERT_EQ(pair.size(), 2U);
  EXPECT_EQ(symbol(pair[1]), "b@host.example");
  const auto links = report::links(d.shown());
  ASSERT_EQ(items(links).size(), 1U);
  EXPECT_EQ(symbol(at(items(links)[0], "state")), "missing");
  EXPECT_EQ(items(report::partitions(d.shown())).size(), 2U);
}

TEST(Report, DiscoveryAndEvents) {
  driver d;
  d.list({"a"}, {source("srv:x@y", query_outcome::servfail, {})});
  const auto sources = report::discovery(d.shown());
  ASSERT_EQ(items(sources).size(), 1U);
  EXPECT_EQ(symbol(at(items(sources)[0], "outcome")), "servfail");
  EXPECT_TRUE(is_nil(at(items(sources)[0], "detail")));
  EXPECT_TRUE(is_nil(at(items(sources)[0], "last_success_at")));
  d.list({"a", "b"});
  EXPECT_EQ(items(report::events(d.shown(), 100)).size(), 2U);
  const auto last = report::events(d.shown(), 1);
  ASSERT_EQ(items(last).size(), 1U);
  EXPECT_THAT(keys(items(last)[0]), ElementsAre("id", "at", "type", "node", "reason", "netsplit", "text"));
  EXPECT_EQ(number(at(items(last)[0], "id")), 2);
}

// "listed+ dns+ port_mapper- tcp? ...": + taken, - stuck there, ? not known.
std::string way(const report::document& why) {
  std::string text;
  for (const auto& step : items(at(why, "steps"))) {
    const auto ok = at(step, "ok");
    text += symbol(at(step, "step")) + (is_nil(ok) ? "? " : std::get<bool>(ok.value) ? "+ " : "- ");
  }
  return text;
}

TEST(Report, WhyIsNilForNobody) {
  driver d;
  d.list({"a"});
  EXPECT_TRUE(is_nil(report::why(d.shown(), "z@host.example")));
}

TEST(Report, WhyOfAMemberInTheMesh) {
  driver d;
  d.mesh({"a", "b"});
  const auto why = report::why(d.shown(), "a@host.example");
  EXPECT_TRUE(is_nil(at(why, "stuck_at")));
  EXPECT_EQ(way(why), "listed+ dns+ port_mapper+ tcp+ handshake+ cookie+ name+ call+ view+ mesh+ ");
  d.list({"b"});
  EXPECT_THAT(way(report::why(d.shown(), "a@host.example")), testing::StartsWith("listed- dns+ "));
}

TEST(Report, WhyNamesTheStepADialFailedAt) {
  struct row {
    reason failed;
    dial_step at;
    std::string step;
  };
  const row rows[] = {
      {reason::dns, dial_step::dns, "dns"},
      {reason::timeout, dial_step::dns, "dns"},
      {reason::epmd, dial_step::port_mapper, "port_mapper"},
      {reason::timeout, dial_step::port_mapper, "port_mapper"},
      {reason::refused, dial_step::tcp, "tcp"},
      {reason::timeout, dial_step::tcp, "tcp"},
      {reason::tls, dial_step::handshake, "tls"},
      {reason::handshake, dial_step::handshake, "handshake"},
      {reason::timeout, dial_step::handshake, "handshake"},
      {reason::cookie, dial_step::handshake, "cookie"},
      {reason::name_mismatch, dial_step::handshake, "name"},
      {reason::incompatible, dial_step::handshake, "handshake"},
  };
  for (const auto& [failed, where, step] : rows) {
    driver d;
    d.list({"a"});
    d.fail("a", failed, {}, where);
    const auto why = report::why(d.shown(), "a@host.example");
    EXPECT_EQ(symbol(at(why, "stuck_at")), step) << to_string(failed);
    EXPECT_EQ(symbol(at(why, "reason")), to_string(failed));
    EXPECT_THAT(way(why), testing::HasSubstr(step + "- "));
    EXPECT_THAT(way(why), testing::StartsWith("listed+ "));
  }
}

// A cluster without TLS has no step of it.
TEST(Report, WhyHasTheStepOfTlsWhereItIsSpoken) {
  driver d;
  d.mesh({"a", "b"});
  EXPECT_THAT(way(report::why(d.shown(), "a@host.example")), testing::HasSubstr("tcp+ handshake+ "));
  auto secured = d.shown();
  secured.certificate.emplace();
  EXPECT_THAT(way(report::why(secured, "a@host.example")), testing::HasSubstr("tcp+ tls+ handshake+ "));
}

// Its link was lost, and nothing was tried since.
TEST(Report, WhyDoesNotClaimWhatWasNotTried) {
  driver d;
  d.mesh({"a", "b"});
  d.down("a");
  EXPECT_THAT(way(report::why(d.shown(), "a@host.example")),
              testing::StartsWith("listed+ dns? port_mapper? tcp- "));
  d.fail("a", reason::refused);
  EXPECT_THAT(way(report::why(d.shown(), "a@host.example")),
              testing::StartsWith("listed+ dns+ port_mapper+ tcp- "));
}

TEST(Report, WhyNamesWhomAMemberIsNotConnectedTo) {
  driver d(settings{.heal = heal_mode::off});
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.sees("b", {});
  d.pass(16s);
  const auto why = report::why(d.shown(), "a@host.example");
  EXPECT_EQ(symbol(at(why, "stuck_at")), "mesh");
  EXPECT_THAT(std::get<report::text>(at(why, "text").value).utf8, testing::HasSubstr("b@host.example"));
}

TEST(Report, WhyOfANodeThatNobodyLists) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {"b", "x"});
  d.sees("b", {"a", "x"});
  d.pass(16s);
  const auto why = report::why(d.shown(), "x@host.example");
  EXPECT_EQ(symbol(at(why, "stuck_at")), "listed");
}

TEST(Cluster, FollowsOneBeforeItInTheSameProcess) {
  driver d;
  d.mesh({"a", "b"});
  const auto last = d.core.snapshot();
  cluster next(d.options);
  next.follow(*last, false);
  const auto first = next.snapshot();
  EXPECT_GT(first->version, last->version);
  EXPECT_TRUE(first->starting);
  EXPECT_TRUE(first->members.empty());
  ASSERT_FALSE(last->events.empty());
  EXPECT_EQ(first->events.size(), last->events.size());
  const std::vector<any_fact> listed{fact::listed{full(names{"c"}), {}}};
  const auto out = next.step(listed, d.at());
  EXPECT_GT(next.snapshot()->version, first->version);
  for (const auto& e : out.events) EXPECT_GT(e.id, last->events.back().id);
}

TEST(Cluster, StandingByKnowsNothingAndEndsWhatItSawOpen) {
  driver d(settings{.heal = heal_mode::off});
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.sees("b", {});
  d.pass(60s);
  const auto last = d.core.snapshot();
  ASSERT_EQ(last->incidents->size(), 1U);
  ASSERT_EQ(last->incidents->front().ended, incident_end::open);
  cluster next(d.options);
  next.follow(*last, true);
  const auto shown = next.snapshot();
  EXPECT_TRUE(shown->standing_by);
  EXPECT_FALSE(shown->starting);
  EXPECT_EQ(shown->overall, health::warning);
  EXPECT_TRUE(shown->members.empty());
  ASSERT_EQ(shown->incidents->size(), 1U);
  EXPECT_EQ(shown->incidents->front().ended, incident_end::unwatched);
  EXPECT_TRUE(shown->incidents->front().closed_at);
  EXPECT_EQ(shown->totals.healed, last->totals.healed) << "it was not seen to heal";
  // At work again: what it did not watch stays what it is.
  cluster again(d.options);
  again.follow(*shown, false);
  again.step({}, d.at());
  ASSERT_EQ(again.snapshot()->incidents->size(), 1U);
  EXPECT_EQ(again.snapshot()->incidents->front().ended, incident_end::unwatched);
  EXPECT_FALSE(again.snapshot()->standing_by);
}

// Both are shown for as long as the program runs, and are renewed while another one is at work, too.
TEST(Cluster, CertificatesStayKnownWhileItStandsByAndAfterIt) {
  driver d;
  const auto now = d.at().wall;
  const auto of_http = fact::certificate::of::http;
  d.step({fact::certificate{now, now + 1h}});
  d.step({fact::certificate{now, now + 2h, of_http}});
  cluster standing(d.options);
  standing.follow(*d.core.snapshot(), true);
  ASSERT_TRUE(standing.snapshot()->certificate && standing.snapshot()->http_certificate);
  EXPECT_EQ(standing.snapshot()->certificate->ends, now + 1h);
  const auto version = standing.snapshot()->version;
  standing.show(fact::certificate{now, now + 48h, of_http});
  EXPECT_EQ(standing.snapshot()->http_certificate->ends, now + 48h);
  EXPECT_GT(standing.snapshot()->version, version);
  EXPECT_TRUE(standing.snapshot()->standing_by);
  cluster at_work(d.options);
  at_work.follow(*standing.snapshot(), false);
  const std::vector<any_fact> listed{fact::listed{full(names{"a"}), {}}};
  at_work.step(listed, d.at());
  ASSERT_TRUE(at_work.snapshot()->certificate && at_work.snapshot()->http_certificate);
  EXPECT_EQ(at_work.snapshot()->certificate->ends, now + 1h);
  EXPECT_EQ(at_work.snapshot()->http_certificate->ends, now + 48h);
}

TEST(Report, AnEmptySnapshotIsAnswered) {
  const snapshot empty;
  EXPECT_EQ(items(report::members(empty)).size(), 0U);
  EXPECT_EQ(symbol(at(report::status(empty), "health")), "ok");
  EXPECT_EQ(items(report::links(empty)).size(), 0U);
}

TEST(ViewMatrix, KeepsItsTransposeThroughReordering) {
  view_matrix m;
  const std::vector<std::size_t> start(70, member_table::none);
  m.reorder(start);
  m.set(0, 69);
  m.set(3, 5);
  std::vector<std::size_t> next{69, member_table::none, 0, 5};  // the rest is gone
  m.reorder(next);
  EXPECT_TRUE(m.sees(2, 0));
  EXPECT_FALSE(m.sees(0, 2));
  EXPECT_EQ(m.seen_by(0)[0], word{1} << 2U);
  EXPECT_EQ(m.seen_by(3)[0], 0U);
  m.clear(2);
  EXPECT_EQ(m.seen_by(0)[0], 0U);
}

TEST(Speed, AThousandMembersAreQuick) {
  driver d;
  names nodes;
  for (int i = 0; i < 1'000; ++i) nodes.push_back("n" + std::to_string(10'000 + i));
  const auto all = full(nodes);
  std::vector<any_fact> facts{fact::listed{all, {}}};
  for (const auto& node : all) facts.push_back(fact::link_up{node, 1, true});
  for (const auto& node : all) facts.push_back(fact::view{node, all, 1ms});
  d.step(std::move(facts));
  ASSERT_EQ(d.shown().links_missing, 0U);
  ASSERT_EQ(d.shown().up, 1'000U);
  const std::vector<any_fact> one{fact::view{all[500], all, 1ms}};
  const auto before = std::clock();  // of the processor: what else the machine does is no matter
  constexpr int rounds = 20;
  for (int i = 0; i < rounds; ++i) {
    d.now += 1ms;
    d.core.step(one, d.at());
  }
  const auto each = std::chrono::microseconds(1'000'000L * (std::clock() - before) / CLOCKS_PER_SEC / rounds);
  RecordProperty("microseconds", static_cast<int>(each / 1us));
  std::cout << "a step with one view of 1000 names: " << each / 1us << " us\n";
  EXPECT_LT(each, 200ms) << "a bound that even an unoptimised, sanitised build keeps";
}

}  // namespace
}  // namespace rollcall::membership::test
