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
  for (const auto* other : {"b", "c", "d"}) {
    one_way_refused.insert({other, "a"});
    no_mapper.insert({other, "a"});
  }
  live(10s);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 3U) << a;
  EXPECT_EQ(tears, 1U);
}

// Linked to one of them alone it would be dialled by all others, in vain, and be torn out for it.
TEST_F(Evidence, OneThatTheOthersCannotDialAsksForAllAtOnce) {
  whole({"a", "b", "c", "d", "e"});
  dials_hang = true;
  for (const auto* other : {"b", "c", "d", "e"}) {
    one_way_refused.insert({other, "a"});
    no_mapper.insert({other, "a"});
  }
  leave("a");
  live(30s);
  EXPECT_EQ(tears, 0U);
  for (const auto& a : nodes) EXPECT_EQ(links[a].size(), 4U) << a;
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

}  // namespace
}  // namespace rollcall::membership::test
