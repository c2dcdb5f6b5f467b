// The states of a member, and the rows of "what is an alarm and what is not" that one member can play.
#include <gmock/gmock.h>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

TEST(MemberStates, ListedIsJoiningWithTheReasonOfItsLastDial) {
  driver d;
  d.list({"a"});
  EXPECT_EQ(d.of("a").state, member_state::joining);
  EXPECT_EQ(d.of("a").why, reason::none);
  EXPECT_EQ(d.dialled(), names{"a"});
  d.fail("a", reason::refused);
  EXPECT_EQ(d.of("a").state, member_state::joining);
  EXPECT_EQ(d.of("a").why, reason::refused);
}

TEST(MemberStates, UpNeedsAViewAndNotOnlyALink) {
  driver d;
  d.list({"a"});
  d.up("a");
  EXPECT_EQ(d.of("a").state, member_state::joining);
  EXPECT_EQ(d.take_views().size(), 1U);
  d.view("a", {});
  EXPECT_EQ(d.of("a").state, member_state::up);
  EXPECT_EQ(d.of("a").why, reason::none);
}

TEST(MemberStates, ClosedAndRefusedIsSuspectFor15SecondsThenDown) {
  driver d;
  d.mesh({"a", "b"});
  d.down("b");
  d.sees("a", {});
  EXPECT_EQ(d.of("b").state, member_state::suspect);
  EXPECT_EQ(d.of("b").why, reason::closed);
  EXPECT_EQ(d.dialled(), names{"b"});
  d.fail("b", reason::not_registered);
  EXPECT_EQ(d.of("b").why, reason::not_registered);
  d.pass(14'999ms);
  EXPECT_EQ(d.of("b").state, member_state::suspect);
  d.pass(2ms);
  EXPECT_EQ(d.of("b").state, member_state::down);
  EXPECT_EQ(d.of("b").why, reason::not_registered);
  EXPECT_EQ(d.count(event_type::member_down), 1U);
}

TEST(MemberStates, AFailureIsCountedOnceNeitherRestartNorDelistingExplainsIt) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.fail("b", reason::refused);
  d.pass(20s);
  EXPECT_EQ(d.of("b").state, member_state::down);
  EXPECT_EQ(d.of("b").failures, 0U);
  d.pass(11s);
  EXPECT_EQ(d.of("b").failures, 1U);
  d.pass(10min);
  EXPECT_EQ(d.of("b").failures, 1U);
  EXPECT_EQ(d.of("b").leaves, 0U);
}

TEST(MemberStates, AGoodbyeIsNotReplacedByWhatDialsFindLater) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.step({fact::stopping{full("b")}});
  d.down("b");
  d.pass(6min);
  EXPECT_EQ(d.of("b").state, member_state::down);
  d.fail("b", reason::not_registered);
  EXPECT_EQ(d.of("b").why, reason::stopping);
  EXPECT_EQ(d.of("b").failures, 0U);
}

TEST(MemberStates, SomebodyWhoStillSeesItKeepsItSuspect) {
  driver d;
  d.mesh({"a", "b"});
  d.down("b");
  d.fail("b", reason::refused);
  d.pass(5min);
  EXPECT_EQ(d.of("b").state, member_state::suspect);
  d.sees("a", {});
  d.pass(10s);
  EXPECT_EQ(d.of("b").state, member_state::down);
}

TEST(MemberStates, SilentIsDownAfterItsOwnNetTicktime) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::settings{n("b@host.example"), "25", true, true, std::nullopt, 20s, 7s}});
  d.sees("a", {});
  d.down("b", reason::tick_timeout);
  d.fail("b", reason::timeout);
  d.pass(19s);
  EXPECT_EQ(d.of("b").state, member_state::suspect);
  d.pass(2s);
  EXPECT_EQ(d.of("b").state, member_state::down);
  EXPECT_EQ(d.of("b").why, reason::tick_timeout) << "a later dial that times out tells less";
}

TEST(MemberStates, ClosedAndThenSilentIsDownWithTimeoutAfter60Seconds) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.fail("b", reason::timeout);
  d.pass(59s);
  EXPECT_EQ(d.of("b").state, member_state::suspect);
  d.pass(2s);
  EXPECT_EQ(d.of("b").state, member_state::down);
  EXPECT_EQ(d.of("b").why, reason::timeout);
}

TEST(MemberStates, AFrozenNodeIsOneSuspectMemberAndRecovers) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.silent("b");
  d.pass(16s);
  EXPECT_EQ(d.of("b").state, member_state::suspect);
  EXPECT_EQ(d.of("b").why, reason::timeout);
  EXPECT_EQ(d.shown().links_missing, 0U);
  EXPECT_EQ(d.shown().partitions.size(), 1U);
  d.view("b", {"a", "c"});
  EXPECT_EQ(d.of("b").state, member_state::up);
  EXPECT_EQ(d.of("b").failures, 0U);
  EXPECT_EQ(d.of("b").joins, 0U) << "it was found at the start";
}

TEST(MemberStates, ANewCreationIsARestartAndNothingElse) {
  driver d;
  d.mesh({"a", "b"});
  d.down("b");
  d.sees("a", {});
  d.fail("b", reason::refused);
  d.pass(20s);
  ASSERT_EQ(d.of("b").state, member_state::down) << "even when it was called down already";
  d.up("b", 2);
  d.view("b", {});
  EXPECT_EQ(d.of("b").state, member_state::up);
  EXPECT_EQ(d.of("b").restarts, 1U);
  EXPECT_EQ(d.of("b").failures, 0U);
  EXPECT_EQ(d.of("b").leaves, 0U);
  EXPECT_EQ(d.of("b").joins, 0U);
  EXPECT_EQ(d.count(event_type::member_restarted), 1U);
  d.pass(2min);
  EXPECT_EQ(d.of("b").failures, 0U);
}

TEST(MemberStates, TheSameCreationBackFromDownWasAFailure) {
  driver d;
  d.mesh({"a", "b"});
  d.down("b");
  d.sees("a", {});
  d.fail("b", reason::refused);
  d.pass(20s);
  d.up("b", 1);
  d.view("b", {"a"});
  EXPECT_EQ(d.of("b").failures, 1U);
  EXPECT_EQ(d.of("b").restarts, 0U);
}

TEST(MemberStates, AStatefulSetPodRestartedIsRestartsPlusOneAndNothingElse) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::stopping{full("b")}});
  EXPECT_EQ(d.of("b").state, member_state::leaving);
  EXPECT_EQ(d.of("b").why, reason::stopping);
  d.sees("a", {});
  d.down("b");
  d.list({"a"});
  EXPECT_EQ(d.of("b").state, member_state::leaving);
  d.pass(20s);
  EXPECT_EQ(d.of("b").state, member_state::leaving);
  d.list({"a", "b"});
  d.up("b", 2);
  d.view("b", {});
  const auto& b = d.of("b");
  EXPECT_EQ(b.state, member_state::up);
  EXPECT_EQ(b.restarts, 1U);
  EXPECT_EQ(b.joins + b.leaves + b.failures, 0U);
  EXPECT_EQ(d.count(event_type::member_suspect) + d.count(event_type::member_down) +
                d.count(event_type::member_left),
            0U);
}

TEST(MemberStates, ScaleDownIsLeavesPlusOne) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::stopping{full("b")}});
  d.sees("a", {});
  d.down("b");
  d.list({"a"});
  d.pass(29s);
  EXPECT_EQ(d.of("b").state, member_state::leaving);
  d.pass(2s);
  EXPECT_EQ(d.of("b").state, member_state::left);
  EXPECT_EQ(d.of("b").leaves, 1U);
  EXPECT_EQ(d.of("b").failures, 0U);
  EXPECT_FALSE(d.raised(condition::members_missing));
}

struct withdrawal {
  const char* name;
  milliseconds closed, delisted;
};
class ClosedAndDelisted : public testing::TestWithParam<withdrawal> {};

TEST_P(ClosedAndDelisted, Within30SecondsIsLeftAndNoFailure) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  const auto start = d.now;
  for (auto second = 0ms; second <= 120s; second += 1s) {
    if (second == GetParam().closed) d.down("b");
    if (second == GetParam().delisted) d.list({"a"});
    for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::refused);
    d.pass(start + second + 1s - d.now);
  }
  EXPECT_EQ(d.of("b").state, member_state::left);
  EXPECT_EQ(d.of("b").leaves, 1U);
  EXPECT_EQ(d.of("b").failures, 0U);
}

INSTANTIATE_TEST_SUITE_P(Orders, ClosedAndDelisted,
                         testing::Values(withdrawal{"together", 0s, 0s}, withdrawal{"closed_first", 0s, 10s},
                                         withdrawal{"closed_long_before", 0s, 25s},
                                         withdrawal{"delisted_first", 25s, 0s}),
                         [](const auto& row) { return row.param.name; });

TEST(MemberStates, DelistedLongAfterItsDeathWasAFailure) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.fail("b", reason::refused);
  d.pass(60s);
  d.list({"a"});
  d.pass(60s);
  EXPECT_EQ(d.of("b").state, member_state::left);
  EXPECT_EQ(d.of("b").failures, 1U);
  EXPECT_EQ(d.of("b").leaves, 0U) << "one departure is counted once";
}

// A cache goes on listing what has gone: its links were closed by the nodes themselves.
TEST(MemberStates, ClosedByItselfAndStillListedIsNoSilenceAndNoFailure) {
  driver d;
  d.mesh({"a", "b", "c", "d", "e", "f"});
  auto cached = source("srv:app@app", query_outcome::ok, d.at().wall);
  cached.ttl = 30s;
  d.list({"a", "b", "c", "d", "e", "f"}, {cached});
  for (const auto* gone : {"d", "e", "f"}) d.down(gone);
  for (const auto* stays : {"a", "b", "c"}) d.sees(stays, driver::without({"a", "b", "c"}, stays));
  bool alarmed = false;
  for (int second = 0; second < 55; ++second) {
    for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::timeout);
    d.pass(1s);
    alarmed |= d.raised(condition::possible_split) || d.raised(condition::isolated);
  }
  EXPECT_FALSE(alarmed);
  d.list({"a", "b", "c"}, {cached});
  d.pass(60s);
  for (const auto* gone : {"d", "e", "f"}) {
    EXPECT_EQ(d.of(gone).state, member_state::left);
    EXPECT_EQ(d.of(gone).failures, 0U);
    EXPECT_EQ(d.of(gone).leaves, 1U);
  }
}

// What a cache says of itself is what is left of it: 3 s of 30 now, and it went on listing what was gone
// then.
TEST(MemberStates, TheLongestTimeToLiveOfLateIsWhatACacheMayGoOnListing) {
  driver d;
  d.mesh({"a", "b"});
  auto cached = source("srv:app@app", query_outcome::ok, d.at().wall);
  cached.ttl = 30s;
  d.list({"a", "b"}, {cached});
  d.sees("a", {});
  d.down("b");
  for (int second = 0; second < 40; ++second) {
    for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::refused);
    d.pass(1s);
    cached.ttl = std::chrono::seconds(30 - second % 30);
    d.list({"a", "b"}, {cached});
  }
  EXPECT_EQ(d.of("b").failures, 0U);
  d.list({"a"}, {cached});
  d.pass(60s);
  EXPECT_EQ(d.of("b").state, member_state::left);
  EXPECT_EQ(d.of("b").failures, 0U);
  EXPECT_EQ(d.of("b").leaves, 1U);
}

TEST(MemberStates, ListedForAsLongAsItLingersIsNoFailure) {
  driver d(settings{.linger = 2min});
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  for (int second = 0; second < 125; ++second) {
    for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::refused);
    d.pass(1s);
  }
  d.list({"a"});
  d.pass(60s);
  EXPECT_EQ(d.of("b").state, member_state::left);
  EXPECT_EQ(d.of("b").failures, 0U);
  EXPECT_EQ(d.of("b").leaves, 1U);
}

// Scaled to nothing: the name server's word is taken after three rounds, and until then nobody is delisted.
TEST(MemberStates, NoFailureIsCountedWhileANameServerIsNotBelievedYet) {
  driver d(settings{.interval = 15s});
  d.mesh({"a", "b"});
  auto nobody = source("srv:app@app", query_outcome::nxdomain, d.at().wall);
  nobody.records = 2;
  for (const auto* node : {"a", "b"}) {
    d.down(node);
    d.silent(node);
  }
  for (int second = 0; second < 45; ++second) {
    if (second % 15 == 10) d.list({"a", "b"}, {nobody});
    for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::refused);
    d.pass(1s);
  }
  nobody.records = 0;
  d.list({}, {nobody});
  d.pass(90s);
  for (const auto* node : {"a", "b"}) {
    EXPECT_EQ(d.of(node).state, member_state::left);
    EXPECT_EQ(d.of(node).failures, 0U);
  }
}

TEST(MemberStates, ClosedLongAfterItWasDelistedIsLeft) {
  driver d;
  d.mesh({"a", "b"});
  d.list({"a"});
  d.pass(40s);
  d.sees("a", {});
  d.down("b");
  for (int second = 0; second < 90; ++second) {
    for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::timeout);
    d.pass(1s);
  }
  EXPECT_EQ(d.of("b").state, member_state::left);
  EXPECT_EQ(d.of("b").failures, 0U);
}

TEST(MemberStates, GoesDownWithTheReasonOfItsLastDial) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.fail("b", reason::dns);
  d.pass(2min);
  EXPECT_EQ(d.of("b").state, member_state::down);
  EXPECT_EQ(d.of("b").why, reason::dns);
}

TEST(MemberStates, ANewcomerIsJoiningUntilItIsIntroduced) {
  driver d;
  d.mesh({"a", "b"});
  d.list({"a", "b", "c"});
  d.sees("c", {});
  d.up("c", 5);
  d.answer_views();
  d.pass(5s);
  EXPECT_EQ(d.of("c").state, member_state::joining);
  EXPECT_NE(d.of("c").detail, "");
  EXPECT_EQ(d.shown().partitions.size(), 1U);
  EXPECT_EQ(d.shown().links_missing, 0U);
  EXPECT_FALSE(d.connects().empty()) << "it is asked for meanwhile";
  d.sees("c", {"a"});
  d.view("c", {"a"});
  EXPECT_EQ(d.of("c").state, member_state::up);
  EXPECT_EQ(d.of("c").joins, 1U);
}

TEST(MemberStates, ANewcomerThatNobodyIntroducesIsUpAfterItsTime) {
  driver d;
  d.mesh({"a", "b"});
  d.list({"a", "b", "c"});
  d.sees("c", {});
  d.up("c", 5);
  d.answer_views();
  d.pass(29s);
  EXPECT_EQ(d.of("c").state, member_state::joining);
  d.pass(2s);
  EXPECT_EQ(d.of("c").state, member_state::up);
  EXPECT_EQ(d.shown().partitions.size(), 2U);
}

TEST(MemberStates, WithHealingOffALinkedNodeIsUpWithItsFirstView) {
  settings s;
  s.heal = heal_mode::off;
  driver d(s);
  d.mesh({"a", "b"});
  d.list({"a", "b", "c"});
  d.up("c", 5);
  d.view("c", {});
  EXPECT_EQ(d.of("c").state, member_state::up);
}

TEST(MemberStates, UnlistedAndAliveStaysUp) {
  driver d;
  d.mesh({"a", "b"});
  d.list({"a"});
  d.pass(10min);
  EXPECT_EQ(d.of("b").state, member_state::up);
  EXPECT_FALSE(d.of("b").listed);
  EXPECT_EQ(d.shown().listed, 1U);
  EXPECT_EQ(d.shown().overall, health::ok);
  EXPECT_TRUE(d.take<action::hang_up>().empty());
}

TEST(MemberStates, JoiningAndDelistedIsForgotten) {
  driver d;
  d.mesh({"a"});
  d.list({"a", "b"});
  EXPECT_TRUE(d.known("b"));
  d.list({"a"});
  EXPECT_TRUE(d.known("b")) << "its dial is still under way";
  d.fail("b", reason::timeout);
  EXPECT_FALSE(d.known("b"));
  EXPECT_EQ(d.count(event_type::member_left), 0U);
}

TEST(MemberStates, LeftIsReapedAndJoinsAnewWhenListedAgain) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.list({"a"});
  d.pass(31s);
  ASSERT_EQ(d.of("b").state, member_state::left);
  d.list({"a", "b"});
  EXPECT_EQ(d.of("b").state, member_state::joining);
  d.up("b", 7);
  d.view("b", {});
  EXPECT_EQ(d.of("b").joins, 1U);
  EXPECT_EQ(d.of("b").restarts, 0U);
  d.down("b");
  d.list({"a"});
  d.pass(32s);
  ASSERT_EQ(d.of("b").state, member_state::left);
  d.pass(24h);
  EXPECT_FALSE(d.known("b"));
}

TEST(MemberStates, ALeavingNodeThatIsGoneAndStaysListedIsDownAfterFiveMinutesButNoFailure) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::stopping{full("b")}});
  d.sees("a", {});
  d.down("b");
  d.fail("b", reason::timeout);
  d.pass(299s);
  EXPECT_EQ(d.of("b").state, member_state::leaving);
  d.pass(2s);
  EXPECT_EQ(d.of("b").state, member_state::down);
  d.pass(10min);
  EXPECT_EQ(d.of("b").failures, 0U);
}

TEST(MemberStates, ARefusedCookieIsSuspectNotDownAndTriedAgainInFiveMinutesOrWhenTheFileChanges) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.dialled();
  d.fail("b", reason::cookie);
  d.pass(299s);
  EXPECT_EQ(d.of("b").state, member_state::suspect);
  EXPECT_EQ(d.of("b").why, reason::cookie);
  EXPECT_TRUE(d.raised(condition::cookie_refused));
  EXPECT_EQ(d.dialled(), names{});
  d.pass(2s);
  EXPECT_EQ(d.dialled(), names{"b"});
  d.fail("b", reason::cookie);
  d.pass(10s);
  EXPECT_EQ(d.dialled(), names{});
  d.step({fact::cookies_changed{}});
  EXPECT_EQ(d.dialled(), names{"b"});
}

TEST(MemberStates, ListedNodesThatAreHiddenAreSaidToBeSo) {
  driver d;
  d.list({"a", "b"});
  d.up("a", 1, false);
  d.up("b", 1, false);
  d.pass(60s);
  EXPECT_EQ(d.shown().listed, 0U);
  const auto& raised = d.shown().conditions;
  const auto nobody = std::ranges::find(raised, condition::nothing_discovered, &raised_condition::name);
  ASSERT_NE(nobody, raised.end());
  EXPECT_EQ(nobody->text, "2 listed nodes are hidden and no members: a@host.example, b@host.example");
  EXPECT_EQ(std::ranges::count_if(d.events,
                                  [](const event& e) { return e.text.find("hidden") != std::string::npos; }),
            2)
      << "once each";
}

TEST(MemberStates, WhatShowsUpIsDialledAtOnceWhateverThePause) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.dialled();
  d.fail("b", reason::cookie);
  d.pass(5s);
  EXPECT_EQ(d.dialled(), names{});
  d.step({fact::shows_up{full("b")}, fact::shows_up{full("a")}, fact::shows_up{full("nobody")}});
  EXPECT_EQ(d.dialled(), names{"b"}) << "once, and nobody who is linked";
}

TEST(Meshes, NodesOfTwoBasesAreNeverAskedToConnectAndMissNobody) {
  driver d;
  fact::listed listed{full(names{"x1@h.a", "x2@h.a", "y1@h.a", "y2@h.a"}), {}, {}};
  for (const auto& name : listed.nodes) listed.bases.emplace(name, std::string(name.alive().substr(0, 1)));
  d.step({listed});
  // Each deploy is whole by itself.
  d.sees("x1@h.a", {"x2@h.a"});
  d.sees("x2@h.a", {"x1@h.a"});
  d.sees("y1@h.a", {"y2@h.a"});
  d.sees("y2@h.a", {"y1@h.a"});
  for (const auto* name : {"x1@h.a", "x2@h.a", "y1@h.a", "y2@h.a"}) d.up(name);
  d.pass(60s);
  EXPECT_EQ(d.shown().up, 4U);
  EXPECT_EQ(d.shown().partitions.size(), 2U);
  EXPECT_EQ(d.shown().most_partitions(), 1U);
  EXPECT_EQ(d.shown().links_missing, 0U);
  EXPECT_EQ(d.shown().links[static_cast<std::size_t>(pair_state::missing)], 0U);
  EXPECT_EQ(d.take<action::connect>().size(), 0U);
  // A pair of one deploy is asked for as ever.
  d.sees("x1@h.a", {});
  d.sees("x2@h.a", {});
  d.pass(60s);
  const auto asked = d.take<action::connect>();
  ASSERT_FALSE(asked.empty());
  for (const auto& each : asked) EXPECT_EQ(each.on.alive().front(), each.to.alive().front());
  EXPECT_EQ(d.of("x1@h.a").links_missing, 1U);
}

TEST(Starting, NothingIsCountedUntilEveryListedNodeWasDialledOnce) {
  driver d;
  d.list({"a", "b", "c"});
  EXPECT_TRUE(d.shown().starting);
  d.up("a");
  d.view("a", {});
  EXPECT_EQ(d.of("a").state, member_state::up);
  EXPECT_EQ(d.of("a").joins, 0U);
  EXPECT_EQ(d.shown().overall, health::warning);
  d.fail("b", reason::refused);
  EXPECT_TRUE(d.shown().starting);
  d.up("c", 3);
  d.view("c", {"a"});
  EXPECT_FALSE(d.shown().starting);
  d.up("b", 9);
  d.view("b", {"a"});
  EXPECT_EQ(d.of("b").joins, 1U);
  EXPECT_EQ(d.of("c").joins, 0U);
  EXPECT_EQ(d.count(event_type::member_joined), 1U);
}

TEST(Starting, WaitsForDiscoveryAndGivesUpAfterTwoIntervals) {
  driver d;
  d.step();
  EXPECT_TRUE(d.shown().starting);
  d.list({}, {source("srv:a@b", query_outcome::timeout, {})});
  EXPECT_TRUE(d.shown().starting);
  EXPECT_FALSE(d.raised(condition::nothing_discovered));
  d.pass(11s);
  EXPECT_FALSE(d.shown().starting);
  EXPECT_TRUE(d.raised(condition::nothing_discovered));
  EXPECT_TRUE(d.raised(condition::discovery_stale));
}

TEST(Isolated, NobodyReachedIsSaidOnceAndNobodyGoesDown) {
  driver d;
  d.mesh({"a", "b", "c"});
  for (const auto* node : {"a", "b", "c"}) d.down(node, reason::tick_timeout);
  EXPECT_FALSE(d.shown().isolated) << "the redials are not over";
  for (const auto* node : {"a", "b", "c"}) d.fail(node, reason::timeout);
  EXPECT_TRUE(d.shown().isolated);
  EXPECT_TRUE(d.shown().partitions.empty());
  EXPECT_EQ(d.shown().overall, health::error);
  for (int i = 0; i < 200; ++i) {
    d.pass(5s);
    for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::timeout);
  }
  EXPECT_EQ(d.count(event_type::isolated), 1U);
  EXPECT_EQ(d.count(event_type::member_down), 0U);
  d.up("a");
  d.view("a", {"b", "c"});
  EXPECT_FALSE(d.shown().isolated);
  d.sees("a", {});
  d.pass(50s);
  EXPECT_EQ(d.of("b").state, member_state::suspect) << "its time begins when we are back";
  d.pass(30s);
  EXPECT_EQ(d.of("b").state, member_state::down);
}

TEST(Isolated, NamesThatDoNotExistAreNobodyThatShouldAnswer) {
  driver d;
  d.list({"a", "b"});
  for (const auto* node : {"a", "b"}) d.fail_without_name(node);
  d.pass(20s);
  EXPECT_FALSE(d.shown().isolated);
  EXPECT_EQ(d.count(event_type::isolated), 0U);
  EXPECT_TRUE(d.raised(condition::members_missing));
  d.fail("a", reason::timeout);
  EXPECT_TRUE(d.shown().isolated) << "one of them should answer";
}

// Scaled to nothing behind a cache: all closed their links by themselves, and their addresses are dark.
TEST(Isolated, WhoClosedItsLinkByItselfIsNotWaitedForWhileTheListMayBeStale) {
  driver d;
  d.mesh({"a", "b", "c"});
  auto cached = source("srv:app@app", query_outcome::ok, d.at().wall);
  cached.ttl = 30s;
  d.list({"a", "b", "c"}, {cached});
  for (const auto* node : {"a", "b", "c"}) d.down(node);
  const auto dial_for = [&](int seconds) {
    bool isolated = false;
    for (int second = 0; second < seconds; ++second) {
      for (const auto& dial : d.take<action::dial>()) d.fail(dial.node.text(), reason::timeout);
      d.pass(1s);
      isolated |= d.shown().isolated;
    }
    return isolated;
  };
  EXPECT_FALSE(dial_for(44));
  EXPECT_TRUE(dial_for(5)) << "still listed, by answers that are newer: they should answer";
  dial_for(300);
  EXPECT_EQ(d.count(event_type::member_down), 0U) << "and nobody is called down for it";
}

TEST(Isolated, AllRefusedIsTheirDeathNotOurs) {
  driver d;
  d.mesh({"a", "b"});
  for (const auto* node : {"a", "b"}) {
    d.down(node);
    d.fail(node, reason::refused);
  }
  EXPECT_FALSE(d.shown().isolated);
  d.pass(31s);
  EXPECT_EQ(d.of("a").state, member_state::down);
  EXPECT_EQ(d.of("b").state, member_state::down);
}

TEST(Aliases, ANameAnsweredByAMemberIsNoMember) {
  driver d;
  d.mesh({"a", "b"});
  d.list({"a", "b", "other"});
  d.fail("other", reason::name_mismatch, full("a"));
  EXPECT_FALSE(d.known("other"));
  EXPECT_EQ(d.shown().expected, 2U);
  EXPECT_FALSE(d.raised(condition::name_mismatch));
  d.dialled();
  d.pass(59s);
  EXPECT_EQ(d.dialled(), names{});
  d.pass(2s);
  EXPECT_EQ(d.dialled(), names{"other"}) << "DNS may have told a stale address";
  d.up("other", 5);
  d.view("other", {"a"});
  EXPECT_EQ(d.of("other").state, member_state::up);
}

TEST(Aliases, AMemberWhoseHandshakeWasEndedByItsAliasIsDialledAgainAtOnce) {
  driver d;
  d.list({"a", "alias"});
  d.dialled();
  d.fail("a", reason::handshake);
  EXPECT_EQ(d.dialled(), names{});
  d.fail("alias", reason::name_mismatch, full("a"));
  EXPECT_EQ(d.dialled(), names{"a"});
}

TEST(Aliases, AnUnknownNameIsAMismatch) {
  driver d;
  d.mesh({"a"});
  d.list({"a", "b"});
  d.fail("b", reason::name_mismatch, full("x"));
  EXPECT_EQ(d.of("b").state, member_state::joining);
  EXPECT_EQ(d.of("b").why, reason::name_mismatch);
  EXPECT_TRUE(d.raised(condition::name_mismatch));
}

TEST(HiddenNodes, AreNeverMembers) {
  driver d;
  d.mesh({"a"});
  d.up("shell", 4, false);
  EXPECT_FALSE(d.known("shell"));
  d.list({"a", "shell", "late"});
  EXPECT_FALSE(d.known("shell"));
  d.up("late", 4, false);
  EXPECT_FALSE(d.known("late"));
  EXPECT_EQ(d.shown().expected, 1U);
  EXPECT_TRUE(d.take<action::hang_up>().empty());
}

TEST(UnlistedNodes, AreNotWhatIsNoNodesName) {
  driver d;
  d.mesh({"a", "b"});
  fact::view seen{full("a"), {full("b")}, milliseconds(1)};
  for (const auto* text : {"nonode", "", "two@at@signs", "white space@h"}) seen.visible.add(text);
  seen.visible.add("shell@host.example");
  d.step({seen});
  ASSERT_EQ(d.shown().unlisted.size(), 1U);
  EXPECT_EQ(d.shown().unlisted[0].text(), "shell@host.example");
  EXPECT_EQ(d.shown().sees(0, 1), true);
}

TEST(UnlistedNodes, AreReportedAndNeverDialled) {
  driver d;
  d.mesh({"a", "b"});
  d.dialled();
  d.sees("a", {"b", "shell"});
  d.view("a", {"b", "shell"});
  ASSERT_EQ(d.shown().unlisted.size(), 1U);
  EXPECT_EQ(d.shown().unlisted[0].text(), "shell@host.example");
  EXPECT_FALSE(d.raised(condition::unlisted_nodes)) << "the next answer may list it";
  d.pass(10s);
  EXPECT_TRUE(d.raised(condition::unlisted_nodes));
  EXPECT_EQ(d.dialled(), names{});
  d.list({"a", "b", "shell"});
  EXPECT_TRUE(d.shown().unlisted.empty());
  const auto& s = d.shown();
  EXPECT_EQ(s.sees(0, 2), true) << "what a's view said of it is not lost";
}

TEST(UnlistedNodes, ALinkThatWasThereBeforeTheListingIsUsed) {
  driver d;
  d.mesh({"a"});
  d.up("b", 6);
  EXPECT_FALSE(d.known("b"));
  d.list({"a", "b"});
  EXPECT_EQ(d.dialled(), names{});
  EXPECT_EQ(d.take_views().size(), 1U);
  d.view("b", {"a"});
  EXPECT_EQ(d.of("b").state, member_state::up);
}

TEST(Dials, AreMadeEveryIntervalLaterForTheSilentAndNeverTwice) {
  driver d;
  d.mesh({"a"});
  d.dialled();
  d.list({"a", "refused", "silent", "stuck"});
  std::map<std::string, int> dials;
  for (int i = 0; i < 120; ++i) {
    for (const auto& dial : d.take<action::dial>()) {
      const auto name = std::string(dial.node.alive());
      ++dials[name];
      if (name == "refused") d.fail(name, reason::refused);
      if (name == "silent") d.fail(name, reason::timeout);
    }
    d.pass(1s);
  }
  EXPECT_EQ(dials["refused"], 24);
  EXPECT_GE(dials["silent"], 6);
  EXPECT_LE(dials["silent"], 9);
  EXPECT_EQ(dials["stuck"], 1);
}

TEST(Dials, ALostLinkIsDialledAtOnceUnlessItDidNotLast) {
  driver d;
  d.mesh({"a", "b"});
  d.pass(30s);
  d.dialled();
  d.down("b");
  EXPECT_EQ(d.dialled(), names{"b"});
  d.up("b");
  d.down("b");
  EXPECT_EQ(d.dialled(), names{});
  d.pass(5s);
  EXPECT_EQ(d.dialled(), names{"b"});
}

TEST(Dials, OneWhoseLinksAreClosedForTheMemoryTheyHoldIsDialledLaterEachTime) {
  driver d;
  d.mesh({"a", "b"});
  d.pass(30s);
  d.dialled();
  std::vector<std::int64_t> pauses;
  for (int i = 0; i < 10; ++i) {
    d.step({fact::link_down{full("b"), reason::closed, "it held most", true}});
    const auto closed = d.now;
    for (int waited = 0; d.dialled().empty() && waited < 2'000; ++waited) d.pass(1s);
    pauses.push_back((d.now - closed).count() / 1'000);
    EXPECT_THAT(d.of("b").detail, testing::HasSubstr("it held most; dialled again in "));
    d.up("b");
  }
  const auto about = [](int seconds) {
    return testing::AllOf(testing::Ge(seconds), testing::Le(seconds * 6 / 5 + 1));
  };
  EXPECT_THAT(pauses, testing::ElementsAre(about(5), about(10), about(20), about(40), about(80), about(160),
                                           about(320), about(600), about(600), about(600)));
  // Once it has behaved for as long as the longest pause it begins as the first time. A round that a shell
  // orders does not shorten what comes after that.
  d.pass(11min);
  d.step({fact::link_down{full("b"), reason::closed, "it held most", true}});
  EXPECT_EQ(d.dialled(), names{});
  d.pass(7s);
  EXPECT_EQ(d.dialled(), names{"b"});
  d.up("b");
  d.step({fact::link_down{full("b"), reason::closed, "it held most", true}, fact::round_requested{}});
  EXPECT_EQ(d.dialled(), names{});
  d.pass(13s);
  EXPECT_EQ(d.dialled(), names{"b"});
}

TEST(Dials, AFailureAfterTheNodeCameToUsChangesNothing) {
  driver d;
  d.mesh({"a"});
  d.list({"a", "b"});
  d.up("b");
  d.view("b", {"a"});
  d.fail("b", reason::timeout);
  EXPECT_EQ(d.of("b").state, member_state::up);
}

TEST(Rounds, AskEveryLinkedMemberOnceAnIntervalAndNeverTwiceAtOnce) {
  driver d;
  d.mesh({"a", "b"});
  d.silent("b");
  std::size_t asked = 0;
  d.take_views();
  for (int i = 0; i < 30; ++i) {
    d.now += 1s;
    d.step();
    for (const auto& name : d.take_views()) {
      ++asked;
      if (name == full("a")) d.view("a", {"b"});
    }
  }
  EXPECT_EQ(asked, 6U + 1U);
}

TEST(Rounds, ReconnectMakesEverythingDue) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.down("b");
  d.fail("b", reason::timeout);
  d.pass(500ms);
  d.actions.clear();
  d.step({fact::round_requested{}});
  EXPECT_EQ(d.dialled(), names{"b"});
  EXPECT_EQ(d.take_views().size(), 1U);
}

TEST(Settings, AreAskedOncePerCreation) {
  driver d;
  d.list({"a"});
  d.up("a");
  EXPECT_EQ(d.settings_asked, 1U);
  d.sees("a", {});
  d.pass(1min);
  d.down("a");
  d.up("a");
  EXPECT_EQ(d.settings_asked, 1U);
  d.down("a");
  d.up("a", 2);
  EXPECT_EQ(d.settings_asked, 2U);
}

TEST(Settings, AreAskedAgainUntilTheyAreKnown) {
  driver d;
  const auto all = d.usual;
  d.usual.otp_release.clear();
  d.usual.net_ticktime.reset();
  d.list({"a"});
  d.up("a");
  d.sees("a", {});
  d.pass(40s);
  EXPECT_GE(d.settings_asked, 3U);
  EXPECT_LE(d.settings_asked, 5U) << "less and less often";
  d.usual = all;
  d.pass(61s);
  EXPECT_EQ(d.of("a").otp_release, "25");
  const auto asked = d.settings_asked;
  d.pass(5min);
  EXPECT_EQ(d.settings_asked, asked);
}

// What the run before had is no drift.
TEST(Settings, OfTheRunBeforeAreForgotten) {
  driver d;
  auto own = d.usual;
  own.net_ticktime = 20s;
  d.settings_of.emplace(full("b"), own);
  d.mesh({"a", "b"});
  ASSERT_TRUE(d.raised(condition::config_drift));
  d.settings_of.clear();
  d.usual.net_ticktime.reset();  // it does not say
  d.down("b");
  d.up("b", 2);
  d.view("b", {"a"});
  EXPECT_EQ(d.of("b").net_ticktime, std::nullopt);
  EXPECT_FALSE(d.raised(condition::config_drift));
}

// ---- departures

settings pruning() {
  settings s;
  s.prune_after = 10s;
  return s;
}

TEST(Departures, WhatOnlyRollcallLostIsNotPruned) {
  driver d(pruning());
  const auto answer = source("srv:app@app", query_outcome::ok, d.at().wall);
  d.mesh({"a", "b", "c"});
  d.list({"a", "b"}, {answer});
  d.silent("c");  // linked to us, and mute; the others go on seeing it
  d.pass(60s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
  d.sees("a", {"b"});
  d.sees("b", {"a"});
  d.pass(15s);
  EXPECT_EQ(d.take<action::leave_mesh>().size(), 1U);
}

// ---- pause

TEST(Pause, NothingIsAskedOfANodeUntilItIsOver) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.step({fact::pause{60s}});
  EXPECT_TRUE(d.raised(condition::healing_paused));
  EXPECT_EQ(d.shown().paused_until, d.at().wall + 60s);
  d.step({fact::leave{full("c")}});
  d.sees("a", {"c"});
  d.sees("b", {"c"});
  d.pass(30s);
  EXPECT_TRUE(d.connects().empty());
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
  EXPECT_TRUE(d.raised(condition::healing_paused));
  d.pass(31s);
  EXPECT_FALSE(d.raised(condition::healing_paused));
  EXPECT_FALSE(d.connects().empty());
  EXPECT_FALSE(d.take<action::leave_mesh>().empty());
}

TEST(Pause, ResumeEndsItAtOnce) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::pause{1h}});
  d.sees("a", {});
  d.sees("b", {});
  d.pass(20s);
  EXPECT_TRUE(d.connects().empty());
  d.step({fact::resume{}});
  EXPECT_FALSE(d.raised(condition::healing_paused));
  EXPECT_EQ(d.connects().size(), 1U);
}

// ---- our certificate

TEST(Certificate, ItsEndIsSaidInTime) {
  driver d;
  d.mesh({"a", "b"});
  const auto now = d.at().wall;
  const milliseconds day = 24h;
  d.step({fact::certificate{now - 76 * day, now + 14 * day + 1min}});
  EXPECT_EQ(d.shown().certificate->ends, now + 14 * day + 1min);
  EXPECT_FALSE(d.raised(condition::certificate_expiring));
  d.pass(61s);
  EXPECT_TRUE(d.raised(condition::certificate_expiring));
  EXPECT_EQ(d.shown().overall, health::warning);
  // Renewed; one that lives for an hour is warned of ten minutes before its end.
  d.step({fact::certificate{d.at().wall, d.at().wall + 1h}});
  EXPECT_FALSE(d.raised(condition::certificate_expiring));
  d.pass(49min);
  EXPECT_FALSE(d.raised(condition::certificate_expiring));
  d.pass(61s);
  EXPECT_TRUE(d.raised(condition::certificate_expiring));
  EXPECT_EQ(d.shown().overall, health::warning);
  d.pass(10min);
  EXPECT_EQ(d.shown().overall, health::error);
}

TEST(Certificate, TheOneOfHttpsIsAnother) {
  driver d;
  d.mesh({"a", "b"});
  const auto text = [&] {
    for (const auto& one : d.shown().conditions)
      if (one.name == condition::certificate_expiring) return one.text;
    return std::string();
  };
  const auto now = d.at().wall;
  d.step({fact::certificate{now - 24h, now + 24h}});
  d.step({fact::certificate{now - 24h, now + 1h, fact::certificate::of::http}});
  EXPECT_EQ(d.shown().certificate->ends, now + 24h);
  EXPECT_EQ(d.shown().http_certificate->ends, now + 1h);
  EXPECT_THAT(text(), testing::StartsWith("our certificate for HTTPS (--http-tls-cert) ends at "));
  EXPECT_EQ(d.shown().overall, health::warning);
  // Both, and one of them is over: one condition, as bad as the worse of them.
  d.step({fact::certificate{now - 24h, now + 30min}});
  d.pass(30min + 1s);
  EXPECT_THAT(text(), testing::HasSubstr("our certificate for TLS distribution has expired"));
  EXPECT_THAT(text(), testing::HasSubstr("our certificate for HTTPS (--http-tls-cert) ends at "));
  EXPECT_EQ(d.shown().overall, health::error);
  EXPECT_EQ(
      std::ranges::count(d.shown().conditions, condition::certificate_expiring, &raised_condition::name), 1);
  d.step({fact::certificate{d.at().wall, d.at().wall + 24h}});
  EXPECT_THAT(text(), testing::StartsWith("our certificate for HTTPS"));
  d.step({fact::certificate{d.at().wall, d.at().wall + 24h, fact::certificate::of::http}});
  EXPECT_FALSE(d.raised(condition::certificate_expiring));
}

// ---- releases that refuse each other

TEST(Incompatible, ReleasesThatRefuseEachOtherAreMissingNowhereAndNeverAskedFor) {
  driver d;
  auto old = d.usual;
  old.otp_release = "23";
  d.settings_of.emplace(full("a"), old);
  d.usual.otp_release = "27";
  d.list({"a", "b", "c"});
  d.sees("a", {});
  d.sees("b", {"c"});
  d.sees("c", {"b"});
  d.step({fact::link_up{full("a"), 1, true, true}});
  d.up("b");
  d.up("c");
  d.answer_views();
  d.pass(1min);
  EXPECT_EQ(d.shown().links_missing, 0U);
  EXPECT_EQ(d.shown().partitions.size(), 1U);
  EXPECT_EQ(d.shown().pair(0, 1), pair_state::unknown);
  EXPECT_TRUE(d.shown().incidents->empty());
  EXPECT_NE(d.text_of(condition::config_drift).find("refuse each other"), std::string::npos);
}

}  // namespace
}  // namespace rollcall::membership::test
