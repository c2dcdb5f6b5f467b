// What proves a link is an outcome. A mesh that prevents overlapping partitions, with pairs that answer TCP
// and cannot link, or link and break: who is asked, where, and how often.
#include "test/unit/membership/evidence.hpp"

namespace rollcall::membership::test {
namespace {

TEST_F(Evidence, ARefusedPairIsTriedWhereItCannotHurt) {
  whole({"a", "b", "c", "d", "e"});
  refused.insert(both("a", "b"));
  tear("a", "b");
  live(120s);
  EXPECT_LE(tears, 2U) << "the first one, and at most one more";
  const auto before = tears;
  live(10min);
  EXPECT_EQ(tears, before);
  EXPECT_TRUE(linked("c", "d") && linked("d", "e") && linked("c", "e"));
  EXPECT_TRUE(linked("b", "c") || linked("a", "c")) << "four are meshed";
  ASSERT_EQ(d.shown().quarantine.size(), 1U);
  EXPECT_NE(sentence().find("handshake"), std::string::npos) << sentence();
  EXPECT_LE(asked_in(60s), 10U);
  refused.clear();
  live(10s);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a << " two intervals after the repair";
  live(10s);
  EXPECT_TRUE(d.shown().quarantine.empty());
}

TEST_F(Evidence, APortMapperBlockedInOneDirectionIsAskedForFromTheOtherSide) {
  whole({"a", "b", "c", "d"});
  tear("a", "b");
  nobody_finds("a");
  live(10s);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 3U) << a;
  EXPECT_EQ(tears, 1U);
}

// Linked to one of them alone it would be dialled by all others, in vain, and be torn out for it.
TEST_F(Evidence, OneThatTheOthersCannotDialAsksForAllAtOnce) {
  whole({"a", "b", "c", "d", "e"});
  dials_hang = true;
  nobody_finds("a");
  leave("a");
  live(30s);
  EXPECT_EQ(tears, 0U);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a;
}

// Which side can dial is known for longer than what was lost of the pair, and of one door for those that
// come.
TEST_F(Evidence, OneThatTheOthersCouldNotDialAsksForAllAtOnceTheNextTimeToo) {
  nobody_could_dial_a();
  asked.clear();
  leave("a");
  live(30s);
  EXPECT_EQ(tears, 0U);
  for (const auto& [at, request] : asked) EXPECT_EQ(request.substr(0, 2), "a>") << "the side that can";
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a;
}

TEST_F(Evidence, OneThatTheOthersCouldNotDialAsksForANewcomerToo) {
  nobody_could_dial_a({"f"});
  asked.clear();
  comes("f");
  d.up("f");
  live(10s);
  has_entered("f", {"a", "b", "c", "d", "e"});
  for (const auto& [at, request] : asked) EXPECT_NE(request, "f>a");
}

// Tried alone, since their link was lost, it is asked where the door is not closed, too.
TEST_F(Evidence, OneThatCannotDialALonerIsNotAskedToTryItAlone) {
  nobody_could_dial_a();
  tear("b", "a");
  asked.clear();
  restart("b");
  live(10s);
  for (const auto& [at, request] : asked) EXPECT_NE(request, "b>a");
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a;
}

// The side that could dial once, and cannot any more, has the other one asked, and then both wait.
TEST_F(Evidence, OneThatCannotBeDialledAnyMoreIsNotAskedForOverAndOver) {
  whole({"a", "b"});
  nobody_finds("b");
  tear("a", "b");
  live(10min);
  ASSERT_TRUE(linked("a", "b"));
  no_mapper.clear();
  refused.insert(both("a", "b"));
  asked_at_most = 100;
  asked.clear();
  tear("a", "b");
  live(10s);
  EXPECT_GE(asked.size(), 2U);
  EXPECT_LE(asked.size(), 6U);
}

// `global` on the others dials it in vain, and all drop it: no link broke, so nobody says which pair it was.
TEST_F(Evidence, OneThatIsDroppedSoonAfterItCameInIsLetInEverMoreRarely) {
  whole({"a", "b", "c", "d", "e"});
  dials_hang = true;
  for (const auto* other : {"c", "d", "e"}) one_way_refused.insert({other, "a"});
  leave("a");
  live(120s);
  EXPECT_LE(tears, 3U);
  EXPECT_GE(tears, 2U) << "it is tried, and again after 30 s";
  for (int window = 0; window < 2; ++window) {
    const auto before = tears;
    live(5min);
    EXPECT_LE(tears - before, 1U) << "window " << window;
  }
}

// What others lost before it was let in has nothing to do with it.
TEST_F(Evidence, OneThatIsDroppedRightAfterAnotherTearIsHeldBackToo) {
  whole({"a", "b", "c", "d", "e"});
  dials_hang = both_fall_out = true;
  dials_take = 100ms;
  for (const auto* other : {"c", "d", "e"}) one_way_refused.insert({other, "a"});
  tear("a", "b");
  live(25s);
  EXPECT_LE(tears, 2U) << "that one, and the first attempt";
  live(95s);
  EXPECT_LE(tears, 4U);
}

// Both believe in their link and answer that they are connected, as often as they are asked.
TEST_F(Evidence, TwoThatBelieveInALinkThatCarriesNothingAreAskedOnceAnInterval) {
  d.usual.net_ticktime = 8s;
  whole({"a", "b"});
  stalled.insert(both("a", "b"));
  asked_at_most = 100;
  live(60s);
  EXPECT_GE(asked.size(), 1U);
  EXPECT_LE(asked.size(), 12U);
}

TEST_F(Evidence, APortMapperBlockedBetweenAPairIsSaid) {
  whole({"a", "b", "c", "d"});
  refused.insert(both("a", "b"));
  no_mapper = {{"a", "b"}, {"b", "a"}};
  tear("a", "b");
  live(60s);
  EXPECT_LE(tears, 2U);
  EXPECT_NE(sentence().find("port mapper"), std::string::npos) << sentence();
}

TEST_F(Evidence, ALinkThatBreaksUnderTrafficIsLetInEverMoreRarely) {
  whole({"a", "b", "c", "d", "e"});
  fragile.insert(both("a", "b"));
  tear("a", "b");
  live(120s);
  EXPECT_LE(tears, 4U) << "the first, and three in two minutes";
  EXPECT_GE(tears, 3U) << "it is tried, and again after 30 s: both ends tell of one break";
  EXPECT_NE(sentence().find("breaks again"), std::string::npos) << sentence();
  for (int window = 0; window < 6; ++window) {
    const auto before = tears;
    live(5min);
    EXPECT_LE(tears - before, 1U) << "window " << window;
  }
}

// Both are let in to the same group, each by itself: `global` links them, and nobody asked for that pair.
// Nobody else loses a link for it, and it stays for more than a round each time.
TEST_F(Evidence, ALinkInsideAGroupThatBreaksAgainIsLetInEverMoreRarely) {
  whole({"a", "b", "c", "d"});
  std::size_t breaks = 0;
  for (const auto until = d.now + 10min; d.now < until; live(100ms)) {
    if (!linked("a", "b")) continue;
    live(6s);
    links["a"].erase("b");
    links["b"].erase("a");
    publish();
    d.step({fact::peer_changed{full("a"), full("b"), false, "connection_closed"},
            fact::peer_changed{full("b"), full("a"), false, "connection_closed"}});
    ++breaks;
  }
  EXPECT_GE(breaks, 3U) << "it is tried again";
  EXPECT_LE(breaks, 5U) << "at once, after 30 s, and after 5 min";
}

// A mesh that was joined lately, so that each loss counts as a break soon after it.
TEST_F(Evidence, ALinkThatIsClosedByHandIsAskedForAgainAfterAnInterval) {
  whole({"a", "b", "c", "d", "e"});
  leave("a");
  live(30s);
  ASSERT_TRUE(linked("a", "b"));
  const auto took = disconnect("a", "b", 60s);
  EXPECT_GE(took, 4s) << "it is no repair";
  EXPECT_LE(took, 7s);
  live(20s);
  EXPECT_GE(disconnect("a", "b", 2min), 2min) << "a second break is held as any other";
}

TEST_F(Evidence, ADoorThatClosesAMomentAfterALinkIsNoHand) {
  whole({"a", "b", "c", "d", "e"});
  leave("a");
  live(5s);
  ASSERT_TRUE(linked("a", "b"));
  EXPECT_GE(disconnect("a", "b", 60s), 28s);
}

TEST_F(Evidence, ALinkThatGlobalMakesAndThatBreaksIsLetInEverMoreRarely) {
  both_fall_out = true;
  whole({"a", "b", "c", "d", "e"});
  fragile.insert(both("a", "b"));
  tear("a", "b");
  live(120s);
  EXPECT_LE(tears, 4U) << "the first, and three in two minutes";
  EXPECT_GE(tears, 2U) << "it is tried";
  EXPECT_NE(sentence().find("breaks again"), std::string::npos) << sentence();
}

// It comes up by itself while it is held back, and would take the others' links with it when it breaks.
TEST_F(Evidence, ALinkThatComesBackByItselfAndBreaksCostsNobodyElsesLinks) {
  one_link_breaks_and_comes_back();
  live(120s);
  EXPECT_LE(sound_tears, 2U) << "the first, and what was joined before it was known";
  EXPECT_TRUE(linked("c", "d") && linked("d", "e") && linked("c", "e"));
  const auto before = sound_tears;
  live(10min);
  EXPECT_LE(sound_tears - before, 2U);
}

// What keeps the two out is said while their link is up, too: else they "may join again" a moment before it
// breaks.
TEST_F(Evidence, ALinkThatIsUpAgainThoughItBreaksKeepsItsSentence) {
  one_link_breaks_and_comes_back();
  live(30s);
  ASSERT_TRUE(linked("a", "b"));
  ASSERT_FALSE(linked("a", "c"));
  EXPECT_NE(sentence().find("breaks again soon; it is up now"), std::string::npos) << sentence();
}

// Dark for 6 s, light for 6 s: joined once it stays light.
TEST_F(Evidence, APathThatFlapsIsJoinedWhenItIsSteady) {
  whole({"a", "b", "c", "d", "e"});
  for (int turn = 0; turn < 10; ++turn) {
    dark.insert(both("a", "b"));
    live(5s);
    if (linked("a", "b")) tear("a", "b");
    live(1s);
    dark.clear();
    live(6s);
  }
  EXPECT_LE(tears, 3U) << "the first, one that may be a cut, and one that shows that it flaps";
  ASSERT_FALSE(d.shown().quarantine.empty());
  for (const auto& q : d.shown().quarantine) EXPECT_EQ(q.text.find("no path"), std::string::npos) << q.text;
  live(40s);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a;
}

TEST_F(Evidence, APathThatIsLightAgainIsJoinedWithinASecond) {
  whole({"a", "b", "c", "d", "e", "f"});
  for (const auto* left : {"a", "b", "c"}) {
    for (const auto* right : {"d", "e", "f"}) dark.insert(both(left, right));
  }
  lose_all(dark);
  live(5min);
  EXPECT_EQ(d.shown().partitions.size(), 2U);
  const auto before = path_probes;
  live(60s);
  EXPECT_LE(path_probes - before, 60U * 10U);
  asked.clear();
  dark.clear();
  live(1s);
  EXPECT_FALSE(asked.empty());
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 5U) << a;
}

// Six that have just formed a mesh, and all that is between three of them and the others.
struct YoungHalves : Evidence {
  std::set<pair_of_names> between;
  void form() {
    nodes = {"a", "b", "c", "d", "e", "f"};
    d.list(nodes);
    publish();
    for (const auto& node : nodes) d.up(node);
    live(50s);
    each_has_links(5);
    for (const auto* left : {"a", "b", "c"}) {
      for (const auto* right : {"d", "e", "f"}) between.insert(both(left, right));
    }
  }
  void each_has_links(std::size_t count) {
    for (const auto& node : nodes) EXPECT_EQ(links[node].size(), count) << node;
  }
};

TEST_F(YoungHalves, APathThatIsFoundDarkAfterItsLinkBrokeExplainsWhy) {
  form();
  dark = between;
  lose_all(dark);
  for (int i = 0; i < 8; ++i) d.pass(50ms);
  live(10s);
  EXPECT_EQ(d.shown().partitions.size(), 2U);
  dark.clear();
  live(1s);
  each_has_links(5);
  EXPECT_EQ(tears, 0U);
}

// No probe was answered when the links broke: what goes dark much later says nothing of why.
TEST_F(YoungHalves, APathThatGoesDarkLongAfterItsLinkBrokeExplainsNothing) {
  form();
  mute.insert(nodes.begin(), nodes.end());
  lose_all(between);
  live(10s);
  dark = between;
  mute.clear();
  live(15s);
  dark.clear();
  live(2s);
  each_has_links(2);
  live(10s);
  each_has_links(5);
}

TEST_F(Evidence, ProbesThatSayNothingAreBoundedAndTheOtherSideIsTried) {
  whole({"a", "b", "c"});
  mute.insert("a");
  tear("a", "b");
  path_probes = 0;
  live(20s);
  EXPECT_LE(path_probes, 100U);
  EXPECT_TRUE(linked("a", "b")) << "b and c have found the path";
}

TEST_F(Evidence, ProbesThatSayNothingFromEitherSideAreBounded) {
  whole({"a", "b", "c"});
  mute = {"a", "b", "c"};
  tear("a", "b");
  path_probes = 0;
  live(20s);
  EXPECT_LE(path_probes, 60U);
  mute.clear();
  live(30s);
  EXPECT_TRUE(linked("a", "b"));
}

TEST_F(Evidence, ANewcomerJoinsWhileAPairElsewhereFlaps) {
  whole({"a", "b", "c", "d", "e"});
  const names listed{"a", "b", "c", "d", "e", "n"};
  nodes = listed;
  links["n"] = {};
  d.list(listed);
  publish();
  d.up("n");
  for (int i = 0; i < 20; ++i) {
    d.step({fact::peer_changed{full("a"), full("b"), i % 2 != 0, "connection_closed"},
            fact::peer_changed{full("b"), full("a"), i % 2 != 0, "connection_closed"}});
    live(500ms);
  }
  EXPECT_FALSE(links["n"].empty()) << "within two intervals";
}

// `global` would name them to each other by it, and what fails between the two is torn on all sides.
TEST_F(Evidence, ANewcomerIsAskedForWithOneOfTwoThatAreKeptApartInItsGroup) {
  failures_tear = false;
  whole({"a", "b", "c", "d", "e"});
  refused.insert(both("a", "b"));
  lose_all({both("a", "b")});
  live(1min);
  ASSERT_TRUE(linked("b", "c"));
  tears = 0;
  asked.clear();
  comes("f");
  d.up("f");
  live(10s);
  EXPECT_EQ(tears, 0U);
  for (const auto* other : {"a", "c", "d", "e"}) EXPECT_TRUE(linked("f", other)) << other;
  EXPECT_FALSE(linked("f", "b"));
  refused.clear();
  live(10s);
  EXPECT_TRUE(linked("a", "b"));
  EXPECT_TRUE(linked("f", "b"));
  EXPECT_EQ(tears, 0U);
}

TEST_F(Evidence, WhatIsPlannedIsToldAndNotAsked) {
  auto s = careful();
  s.heal = heal_mode::plan;
  d.core = cluster(s);
  d.options = s;
  nodes = {"a", "b", "c"};
  d.list(nodes);
  for (const auto& node : nodes) {
    d.sees(node, {});
    d.up(node);
  }
  d.answer_views();
  live(20s);
  EXPECT_TRUE(asked.empty());
}

TEST_F(Evidence, AFormationOfManyTakesSeveralTurnsAndFewProbes) {
  constexpr std::size_t count = 250;  // 31,125 pairs: more than may be under way
  names all;
  for (std::size_t i = 0; i < count; ++i) all.push_back("n" + std::to_string(100 + i));
  nodes = all;
  d.list(all);
  std::vector<any_fact> ups, views;
  for (const auto& node : all) {
    ups.emplace_back(fact::link_up{full(node), 1, true});
    views.emplace_back(fact::view{full(node), {}, 1ms});
    d.sees(node, {});
  }
  d.step(ups);
  d.step(views);
  std::size_t requests = 0, steps = 0;
  constexpr std::size_t pairs = count * (count - 1) / 2;
  for (; steps < 200 && requests < pairs; ++steps) {
    std::vector<any_fact> answers;
    for (const auto& c : d.take<action::connect>()) {
      ++requests;
      answers.emplace_back(fact::connect_result{c.id, connect_outcome::connected, 5ms, ""});
    }
    path_probes += d.take<action::probe_path>().size();
    d.now += 50ms;
    d.step(answers);
  }
  EXPECT_GE(requests, pairs);
  EXPECT_LE(requests, pairs + 2 * count) << "each pair once";
  EXPECT_LE(path_probes, 4 * count);
}

// A restart may have cured it, so it is let in at once; it is no other pair for that.
TEST_F(Evidence, WhatBrokeIsRememberedWhenOneOfTheTwoIsRestarted) {
  whole({"a", "b", "c", "d", "e"});
  fragile.insert(both("a", "b"));
  tear("a", "b");
  live(10s);
  for (const auto* who : {"a", "b"}) {
    restart(who);
    const auto before = tears;
    live(120s);
    EXPECT_EQ(tears - before, 1U) << "at once, and then after five minutes: " << who;
  }
  fragile.clear();
  restart("a");
  live(10s);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a;
}

TEST_F(Evidence, ARequestThatFailedIsTriedAloneWhenOneOfTheTwoIsRestarted) {
  whole({"a", "b", "c", "d", "e"});
  refused.insert(both("a", "b"));
  tear("a", "b");
  live(120s);
  for (const auto* who : {"a", "b", "a"}) {
    const auto before = tears;
    restart(who);
    live(20s);
    EXPECT_EQ(tears, before) << who;
  }
  refused.clear();
  restart("a");
  live(10s);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a;
}

// A request that hangs may still link its two ends. A node that is joined to one of them meanwhile is then
// joined to both.
TEST_F(Evidence, NobodyJoinsTwoThatAreKeptApartByARequestThatHangs) {
  both_fall_out = true;
  whole({"a", "b", "c"});
  fragile.insert(both("a", "c"));
  tear("a", "c");
  for (int i = 0; i < 200 && tears < 2; ++i) live(50ms);
  ASSERT_EQ(tears, 2U) << "let in, and broken again";
  requests_hang = true;
  asked.clear();
  live(9s);
  std::set<pair_of_names> pairs;
  for (const auto& [at, way] : asked) pairs.insert(both(way.substr(0, 1), way.substr(2)));
  EXPECT_EQ(pairs.size(), 1U);
  EXPECT_FALSE(pairs.contains(both("a", "c")));
}

// What stands in its way has not answered us for one and a half intervals, nor does it answer anybody else.
TEST_F(Evidence, ANewcomerDoesNotWaitForAMemberThatFellSilent) {
  whole({"a", "b", "c", "d"});
  comes("n");
  fall_silent("d", {"a", "b", "c", "n"});
  d.up("n");
  live(11s);
  has_entered("n", {"a", "b", "c"});
}

TEST_F(Evidence, ANewcomerWaitsForASilentMemberThatTheOthersReach) {
  whole({"a", "b", "c", "d"});
  comes("n");
  fall_silent("d", {"n"});
  d.up("n");
  live(14s);
  EXPECT_TRUE(links["n"].empty());
}

// What is leaving is introduced until it is gone.
TEST_F(Evidence, ANewcomerWaitsForOneThatIsLeavingAndThatItCannotReach) {
  whole({"a", "b", "c", "d"});
  d.step({fact::stopping{full("d")}});
  refused.insert(both("d", "n"));
  dark.insert(both("d", "n"));
  comes("n");
  d.up("n");
  live(5s);
  EXPECT_EQ(tears, 0U);
  leave("d");
  d.down("d");
  d.silent("d");
  live(10s);
  has_entered("n", {"a", "b", "c"});
}

// It fell silent while it stopped. Nobody reaches it, so that there is nobody to be introduced to.
TEST_F(Evidence, ANewcomerDoesNotWaitForOneThatIsLeavingAndThatNobodyReaches) {
  whole({"a", "b", "c", "d"});
  d.step({fact::stopping{full("d")}});
  fall_silent("d", {"a", "b", "c", "n"});
  comes("n");
  d.up("n");
  live(10s);
  has_entered("n", {"a", "b", "c"});
}

// The others gave their links to it up, and it believes in them for as long as its ticks take: also in one to
// the newcomer's run before.
TEST_F(Evidence, ANewcomerDoesNotWaitForOneThatNobodyHoldsAnyMore) {
  whole({"a", "b", "c", "d"});
  nodes.emplace_back("n");
  std::vector<any_fact> facts;
  for (const auto* other : {"a", "b", "c", "n"}) {
    dark.insert(both(other, "d"));
    links[other].erase("d");
    links["d"].insert(other);
    facts.emplace_back(fact::peer_changed{full(other), full("d"), false, "net_tick_timeout"});
  }
  facts.pop_back();
  refused.insert(both("n", "d"));
  publish();
  d.step(facts);
  d.list(nodes);
  d.up("n");
  live(10s);
  for (const auto* other : {"a", "b", "c"}) EXPECT_TRUE(linked("n", other)) << other;
  for (const auto& [at, way] : asked) EXPECT_NE(way, "n>d");
  EXPECT_EQ(tears, 0U);
}

// Three groups in the dark. A path between two of them is light again: what each of them has with the third
// one is looked at in eight pairs, at once.
TEST_F(Evidence, ACanaryThatGetsThroughProbesEightPairsOfEachNeighbour) {
  const names one{"a1", "a2", "a3", "a4"}, two{"b1", "b2", "b3", "b4"}, three{"c1", "c2", "c3", "c4"};
  names all;
  for (const auto* group : {&one, &two, &three}) all.insert(all.end(), group->begin(), group->end());
  whole(all);
  for (const auto& x : all) {
    for (const auto& y : all) {
      if (x[0] != y[0]) dark.insert(both(x, y));
    }
  }
  lose_all(dark);
  live(60s);
  dark.erase(both("a1", "b1"));
  probed.clear();
  const auto light = [&] {
    return std::ranges::find(probed, both("a1", "b1"), &decltype(probed)::value_type::second);
  };
  for (int i = 0; i < 400 && light() == probed.end(); ++i) live(50ms);
  ASSERT_NE(light(), probed.end());
  const auto since = light()->first;
  live(100ms);
  for (const auto& [from, to] : {std::pair('a', 'c'), std::pair('b', 'c')}) {
    std::set<pair_of_names> beside;
    for (const auto& [at, pair] : probed) {
      if (at > since && at <= since + 60ms && pair.first[0] == from && pair.second[0] == to)
        beside.insert(pair);
    }
    EXPECT_GE(beside.size(), 8U) << from;
  }
}

}  // namespace
}  // namespace rollcall::membership::test
