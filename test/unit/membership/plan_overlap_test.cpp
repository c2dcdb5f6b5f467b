// The plan where overlapping partitions are prevented: nothing is joined that could tear what is whole.
#include <fmt/format.h>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

settings careful() {
  settings s;
  s.probe = true;
  return s;
}

struct Overlap : testing::Test {
  driver d{careful()};
  std::set<std::pair<std::string, std::string>> blocked;  // from, to: a path that does not work
  path_probe why_blocked = path_probe::timeout;
  std::size_t path_probes = 0;

  Overlap() {
    d.usual.otp_release = "25";
    d.usual.prevent_overlapping_partitions = true;
    d.usual.connect_all = true;
  }
  void block(const std::string& a, const std::string& b) { blocked.insert({a, b}), blocked.insert({b, a}); }
  // Probes are answered at once, links always well.
  void answer_probes() {
    for (bool again = true; again;) {
      again = false;
      for (const auto& p : d.take<action::probe_path>()) {
        ++path_probes;
        const bool works = !blocked.contains({std::string(p.on.alive()), std::string(p.to.alive())});
        d.step({fact::path_probed{p.id, works ? path_probe::reachable : why_blocked}});
        again = true;
      }
      for (const auto& l : d.take<action::probe_links>()) {
        d.step({fact::links_probed{l.id, std::vector(l.to.size(), link_probe::answered)}});
        again = true;
      }
    }
  }
  void live(milliseconds span) {
    for (auto left = span; left > 0ms; left -= 500ms) {
      d.pass(500ms);
      answer_probes();
      d.answer_views();
    }
  }
  // At once, and what they are asked is answered at once.
  void come(const names& fresh, names listed) {
    d.list(std::move(listed));
    for (const auto& name : fresh) {
      d.sees(name, {});
      d.up(name);
    }
    d.answer_views();
    for (auto probes = d.take<action::probe_path>(); !probes.empty(); probes = d.take<action::probe_path>()) {
      std::vector<any_fact> answers;
      for (const auto& p : probes) {
        const bool works = !blocked.contains({std::string(p.on.alive()), std::string(p.to.alive())});
        answers.push_back(fact::path_probed{p.id, works ? path_probe::reachable : why_blocked});
      }
      d.step(std::move(answers));
    }
  }
  void newcomer(const std::string& name, names listed) {
    d.list(std::move(listed));
    d.sees(name, {});
    d.up(name);
    d.answer_views();
    answer_probes();
  }
  // Unlinked nodes become a mesh in one burst.
  void form(const names& all) {
    d.list(all);
    for (const auto& node : all) d.sees(node, {});
    for (const auto& node : all) d.up(node);
    d.answer_views();
    EXPECT_EQ(d.connects().size(), all.size() * (all.size() - 1) / 2);
    for (const auto& node : all) d.sees(node, d.without(all, node));
    d.answer_all(connect_outcome::connected);
    live(10s);
  }
  // The link between a and b closes, and the others drop a for it.
  void a_breaks_with_b_of_four() {
    d.sees("a", {});
    for (const auto* other : {"b", "c", "d"}) d.sees(other, d.without({"b", "c", "d"}, other));
    d.step({fact::peer_changed{full("a"), full("b"), false, "connection_closed"},
            fact::peer_changed{full("b"), full("a"), false, "connection_closed"},
            fact::peer_changed{full("c"), full("a"), false, "disconnect"},
            fact::peer_changed{full("a"), full("c"), false, "connection_closed"},
            fact::peer_changed{full("d"), full("a"), false, "disconnect"},
            fact::peer_changed{full("a"), full("d"), false, "connection_closed"}});
  }
};

TEST_F(Overlap, ColdFormationIsOneBurstWithoutProbes) {
  d.list({"a", "b", "c"});
  for (const auto* node : {"a", "b", "c"}) {
    d.sees(node, {});
    d.up(node);
  }
  d.answer_views();
  EXPECT_EQ(d.connects().size(), 3U);
  EXPECT_TRUE(d.take<action::probe_path>().empty());
}

TEST_F(Overlap, ANewcomerIsProbedFirstAndAskedForInOneBurst) {
  d.mesh({"a", "b", "c"});
  live(5s);
  newcomer("n", {"a", "b", "c", "n"});
  EXPECT_EQ(d.connects(), (names{"n>a", "n>b", "n>c"}));
  EXPECT_GE(path_probes, 3U);
}

// The larger group refuses it; the smaller one is of its kind.
TEST_F(Overlap, ANewcomerJoinsThoseThatItsReleaseCanBeLinkedTo) {
  d.usual.otp_release = "27";
  d.mesh({"a", "b", "c"});
  auto old = d.usual;
  old.otp_release = "23";
  old.prevent_overlapping_partitions.reset();
  const auto comes = [&](const std::string& node, const names& seen) {
    d.settings_of.insert_or_assign(full(node), old);
    d.sees(node, seen);
    d.step({fact::link_up{full(node), 1, true, true}});
    d.answer_views();
  };
  d.list({"a", "b", "c", "o", "p", "q"});
  comes("o", {"p"});
  comes("p", {"o"});
  live(10s);
  EXPECT_TRUE(d.connects().empty());
  EXPECT_TRUE(d.shown().quarantine.empty()) << "nothing is wrong between the two";
  comes("q", {});
  live(10s);
  EXPECT_EQ(d.connects(), (names{"q>o", "q>p"}));
}

TEST_F(Overlap, NamesThatResolveLateAreAskedForWhereTheyResolve) {
  d.mesh({"a", "b", "c"});
  live(5s);
  why_blocked = path_probe::unresolved;
  for (const auto* member : {"a", "b", "c"}) blocked.insert({member, "n"});
  newcomer("n", {"a", "b", "c", "n"});
  EXPECT_EQ(d.connects(), (names{"n>a", "n>b", "n>c"})) << "on the side whose probe worked";
}

TEST_F(Overlap, ANewcomerThatCannotReachOneMemberWaitsAndIsLeftOut) {
  d.mesh({"a", "b", "c"});
  live(5s);
  block("n", "b");
  newcomer("n", {"a", "b", "c", "n"});
  live(20s);
  EXPECT_TRUE(d.connects().empty());
  EXPECT_TRUE(d.shown().quarantine.empty()) << "names may be on their way";
  for (int i = 0; i < 20 && d.shown().quarantine.empty(); ++i) live(1s);
  EXPECT_TRUE(d.connects().empty());
  ASSERT_EQ(d.shown().quarantine.size(), 1U);
  EXPECT_EQ(d.shown().quarantine[0].node, full("n"));
  EXPECT_EQ(d.shown().quarantine[0].cannot_reach, full(names{"b"}));
  EXPECT_FALSE(d.raised(condition::quarantine)) << "it may be over in a moment";
  live(11s);
  EXPECT_TRUE(d.raised(condition::quarantine));
  EXPECT_EQ(d.shown().links[static_cast<std::size_t>(pair_state::quarantined)], 1U);
  blocked.clear();
  live(40s);
  EXPECT_EQ(d.connects(), (names{"n>a", "n>b", "n>c"}));
}

// Each is named to the other by `global` as soon as both are in.
TEST_F(Overlap, TwoNewcomersAreProbedWithEachOther) {
  d.mesh({"a", "b"});
  live(5s);
  why_blocked = path_probe::unresolved;
  blocked.insert({"n", "m"});  // the name of m has not come to n's name server yet
  come({"m", "n"}, {"a", "b", "m", "n"});
  EXPECT_EQ(d.connects(), (names{"m>a", "m>b", "m>n", "n>a", "n>b"})) << "on the side whose probe worked";
}

TEST_F(Overlap, OfTwoNewcomersThatCannotBeLinkedOneEnters) {
  d.mesh({"a", "b"});
  live(5s);
  block("m", "n");
  come({"m", "n"}, {"a", "b", "m", "n"});
  EXPECT_EQ(d.connects(), (names{"m>a", "m>b"}));
  d.sees("a", {"b", "m"});
  d.sees("b", {"a", "m"});
  d.sees("m", {"a", "b"});
  for (const auto* node : {"a", "b", "m"}) d.step({fact::view{full(node), d.automatic.at(full(node)), 1ms}});
  live(10s);
  EXPECT_EQ(d.connects(), names{});
  EXPECT_TRUE(d.shown().quarantine.empty())
      << "names may be on their way" << (d.shown().quarantine.empty() ? "" : d.shown().quarantine[0].text)
      << (int)d.shown().members.size();
  blocked.clear();
  live(10s);
  EXPECT_EQ(d.connects(), (names{"n>a", "n>b", "n>m"}));
}

TEST_F(Overlap, OneThatWaitsHoldsUpNobodyElse) {
  d.mesh({"a", "b"});
  live(5s);
  block("n", "b");
  d.list({"a", "b", "m", "n"});
  for (const auto* fresh : {"m", "n"}) {
    d.sees(fresh, {});
    d.up(fresh);
  }
  d.answer_views();
  answer_probes();
  live(3s);
  EXPECT_EQ(d.connects(), (names{"m>a", "m>b"}));
}

TEST_F(Overlap, WhatIsBeingTornIsLeftAlone) {
  d.mesh({"a", "b", "c"});
  live(5s);
  d.step({fact::peer_changed{full("a"), full("b"), false, "connection_closed"},
          fact::peer_changed{full("b"), full("a"), false, "connection_closed"}});
  d.sees("a", {"c"});
  d.sees("b", {"c"});
  answer_probes();
  EXPECT_TRUE(d.connects().empty());
  live(1s);
  EXPECT_TRUE(d.connects().empty());
  live(4s);
  EXPECT_EQ(d.connects().size(), 1U) << "a path works: it is asked for, once it is quiet";
}

// Five and one, as a pair of six leaves them.
TEST_F(Overlap, TheLargerSetStaysAndThePairIsProbedEverMoreRarely) {
  d.mesh({"a", "b", "c", "d", "e", "f"});
  live(5s);
  block("a", "f");
  std::vector<any_fact> lost;
  for (const auto* other : {"a", "b", "c", "d", "e"}) {
    lost.emplace_back(fact::peer_changed{full(other), full("f"), false, "disconnect"});
    lost.emplace_back(fact::peer_changed{full("f"), full(other), false, "disconnect"});
    auto rest = names{"a", "b", "c", "d", "e"};
    std::erase(rest, other);
    d.sees(other, rest);
  }
  d.sees("f", {});
  d.step(lost);
  live(20s);
  EXPECT_TRUE(d.connects().empty());
  ASSERT_EQ(d.shown().quarantine.size(), 1U);
  EXPECT_EQ(d.shown().quarantine[0].node, full("f"));
  live(60s);
  const auto before = path_probes;
  live(120s);
  EXPECT_LE(path_probes - before, 440U) << "a canary each 300 ms, and the pair itself ever more rarely";
  EXPECT_GE(path_probes - before, 200U);
  EXPECT_TRUE(d.connects().empty());
  blocked.clear();
  live(40s);
  EXPECT_EQ(d.connects().size(), 5U) << "in one burst";
}

// A ring: each reaches the one before it and the one after it, and all have lost each other. Joined to both,
// it would introduce the two to each other.
TEST_F(Overlap, OfManyGroupsNoneIsJoinedThatWasNotCompared) {
  names all;
  for (int i = 0; i < 40; ++i) all.push_back(fmt::format("n{:02}", i));
  d.mesh(all);
  live(5s);
  const auto beside = [](std::size_t i, std::size_t j) { return j - i == 1 || j - i == 39; };
  std::set<std::string> beside_each_other;
  std::vector<any_fact> lost;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      lost.emplace_back(fact::peer_changed{full(all[i]), full(all[j]), false, "net_tick_timeout"});
      lost.emplace_back(fact::peer_changed{full(all[j]), full(all[i]), false, "net_tick_timeout"});
      if (beside(i, j)) {
        beside_each_other.insert({all[i] + ">" + all[j], all[j] + ">" + all[i]});
      } else {
        block(all[i], all[j]);
      }
    }
    d.sees(all[i], {});
  }
  d.step(lost);
  auto asked = d.connects();
  for (int i = 0; i < 20 && asked.empty(); ++i) {
    live(500ms);
    asked = d.connects();
  }
  std::map<std::string, std::size_t> joins;
  for (const auto& pair : asked) {
    EXPECT_TRUE(beside_each_other.contains(pair)) << pair;
    ++joins[pair.substr(0, 3)];
    ++joins[pair.substr(4)];
  }
  EXPECT_GE(joins.size(), 10U);
  for (const auto& [name, times] : joins) EXPECT_EQ(times, 1U) << name;
}

TEST_F(Overlap, ReconnectProbesAtOnceAndStillProvesFirst) {
  d.mesh({"a", "b"});
  live(5s);
  block("n", "b");
  newcomer("n", {"a", "b", "n"});
  live(100s);
  ASSERT_EQ(d.shown().quarantine.size(), 1U);
  const auto before = path_probes;
  d.step({fact::round_requested{}});
  answer_probes();
  EXPECT_GT(path_probes, before);
  EXPECT_TRUE(d.connects().empty());
}

// Somebody still believes in a link to the run before: the new run has none, and is no part of his group.
TEST_F(Overlap, ALinkToTheRunBeforeIsNoLink) {
  d.mesh({"a", "b", "c"});
  live(5s);
  d.down("c");
  d.sees("b", {"a"});
  d.step({fact::peer_changed{full("b"), full("c"), false, "connection_closed"}});
  d.sees("c", {});
  d.up("c", 2);  // a holds on to the link until its next tick
  d.answer_views();
  EXPECT_EQ(d.of("c").state, member_state::joining);
  EXPECT_EQ(d.shown().partitions.size(), 1U);
  live(10s);
  EXPECT_EQ(d.connects(), (names{"c>a"})) << "on the side that knows of no link, and by itself";
  d.sees("a", {"b", "c"});
  d.sees("c", {"a"});
  d.answer_all(connect_outcome::connected);
  live(5s);
  EXPECT_EQ(d.connects(), (names{"c>b"}));
}

// a drops its half of the link for the new one, and tells all that it is linked to: they would drop b.
TEST_F(Overlap, AHalfLinkIsReplacedBeforeAnythingElseIsAskedFor) {
  d.mesh({"a", "b", "c", "d"});
  live(5s);
  std::vector<any_fact> lost;
  for (const auto* other : {"b", "c", "d"}) {
    lost.emplace_back(fact::peer_changed{full(other), full("a"), false, "disconnect"});
    if (other != std::string("b"))
      lost.emplace_back(fact::peer_changed{full("a"), full(other), false, "connection_closed"});
  }
  d.sees("a", {"b"});
  d.sees("b", {"c", "d"});
  d.sees("c", {"b", "d"});
  d.sees("d", {"b", "c"});
  d.step(lost);
  names asked;
  for (int i = 0; i < 40 && asked.empty(); ++i) {
    live(500ms);
    asked = d.connects();
  }
  EXPECT_EQ(asked, (names{"b>a"}));
}

// As after any other join.
TEST_F(Overlap, ALinkThatBreaksSoonAfterTheFormationIsHeldBack) {
  form({"a", "b", "c", "d"});
  a_breaks_with_b_of_four();
  live(20s);
  EXPECT_TRUE(d.connects().empty());
  ASSERT_EQ(d.shown().quarantine.size(), 1U);
  EXPECT_NE(d.shown().quarantine[0].text.find("breaks again soon"), std::string::npos);
  live(20s);
  EXPECT_FALSE(d.connects().empty()) << "for 30 s";
}

// The group waits for a link that broke and came back by itself. That does not concern one that has none to
// lose, also when it was asked for alone, in vain.
TEST_F(Overlap, OneThatWasAskedForAloneInVainIsStillANewcomer) {
  const names all{"a", "b", "c", "d", "f"}, rest{"a", "b", "c", "d"};
  form(all);
  d.sees("f", {});
  std::vector<any_fact> lost{fact::peer_changed{full("d"), full("f"), false, "connection_closed"},
                             fact::peer_changed{full("f"), full("d"), false, "connection_closed"}};
  for (const auto& node : rest) {
    d.sees(node, d.without(rest, node));
    if (node == "d") continue;
    lost.emplace_back(fact::peer_changed{full(node), full("f"), false, "disconnect"});
    lost.emplace_back(fact::peer_changed{full("f"), full(node), false, "connection_closed"});
  }
  d.step(lost);
  live(5s);
  EXPECT_EQ(d.connects(), names{}) << "held back";
  a_breaks_with_b_of_four();
  d.sees("a", {"b"});
  d.sees("b", {"a", "c", "d"});
  d.step({fact::peer_changed{full("a"), full("b"), true, ""},
          fact::peer_changed{full("b"), full("a"), true, ""}});
  live(2s);
  EXPECT_EQ(d.connects(), names{}) << "held back, too";
  d.down("f");
  d.up("f", 2);
  d.answer_views();
  const auto next = [&] {
    names asked;
    for (int i = 0; i < 30 && asked.empty(); ++i) {
      live(500ms);
      asked = d.connects();
    }
    return asked;
  };
  const auto first = next();
  ASSERT_EQ(first.size(), 1U) << "alone, since what broke is known";
  EXPECT_NE(first[0].find('f'), std::string::npos) << first[0];
  d.answer_all(connect_outcome::failed);
  const auto again = next();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_NE(again[0].find('f'), std::string::npos) << again[0];
}

// A node that is stopping is still introduced to each one that joins.
TEST_F(Overlap, NobodyIsJoinedToOneThatLeavesAndThatItsLinkBreaksWith) {
  d.mesh({"a", "b", "c", "d"});
  live(5s);
  a_breaks_with_b_of_four();
  live(5s);
  EXPECT_EQ(d.connects().size(), 1U) << "by itself first";
  const names all{"a", "b", "c", "d"};
  for (const auto& node : all) d.sees(node, d.without(all, node));
  d.answer_all(connect_outcome::connected);
  live(500ms);
  a_breaks_with_b_of_four();
  live(5s);
  ASSERT_TRUE(d.connects().empty()) << "it broke again";
  d.step({fact::stopping{full("b")}});
  live(10s);
  EXPECT_TRUE(d.connects().empty()) << "c and d would introduce it to b";
  d.sees("c", {"d"});
  d.sees("d", {"c"});
  d.down("b");
  d.step({fact::peer_changed{full("c"), full("b"), false, "connection_closed"},
          fact::peer_changed{full("d"), full("b"), false, "connection_closed"}});
  live(5s);
  EXPECT_EQ(d.connects().size(), 2U);
}

// One end was told to give up a link of which the other end heard nothing any more. That link broke, and not
// the one over which somebody was told of it.
TEST_F(Overlap, WhatIsTornInACutIsNotHeldBack) {
  d.mesh({"a", "b", "c"});
  live(5s);
  newcomer("m", {"a", "b", "c", "m"});
  live(2s);
  ASSERT_EQ(d.connects().size(), 3U);
  const names all{"a", "b", "c", "m"};
  for (const auto& node : all) d.sees(node, d.without(all, node));
  d.answer_all(connect_outcome::connected);
  live(10s);
  d.sees("a", {});
  d.sees("b", {"c", "m"});
  d.sees("c", {"b", "m"});
  d.sees("m", {"b", "c"});
  d.step({fact::peer_changed{full("a"), full("c"), false, "disconnect"},
          fact::peer_changed{full("c"), full("a"), false, "net_tick_timeout"}});
  d.pass(100ms);
  d.step({fact::peer_changed{full("m"), full("a"), false, "disconnect"},
          fact::peer_changed{full("a"), full("m"), false, "connection_closed"},
          fact::peer_changed{full("b"), full("a"), false, "disconnect"},
          fact::peer_changed{full("a"), full("b"), false, "connection_closed"}});
  live(10s);
  EXPECT_EQ(d.connects().size(), 3U);
}

struct ApartOverOnePair : Overlap {
  // a, b, c, d and x, y were cut from each other, and are joined again but for a and x.
  void apart() {
    d.mesh({"a", "b", "c", "d", "x", "y"});
    live(5s);
    std::vector<any_fact> lost;
    for (const auto* one : {"a", "b", "c", "d"}) {
      for (const auto* other : {"x", "y"}) {
        lost.emplace_back(fact::peer_changed{full(one), full(other), false, "net_tick_timeout"});
        lost.emplace_back(fact::peer_changed{full(other), full(one), false, "net_tick_timeout"});
      }
      d.sees(one, driver::without({"a", "b", "c", "d"}, one));
    }
    d.sees("x", {"y"});
    d.sees("y", {"x"});
    block("a", "x");
    d.step(lost);
  }
};

TEST_F(ApartOverOnePair, TheOddOneIsTakenOutOfItsGroupOnce) {
  apart();
  live(8s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty()) << "it may be over soon";
  live(10s);
  const auto told = d.take<action::leave_mesh>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].node, full("x"));
  EXPECT_TRUE(told[0].peers.empty()) << "no link of its is cut from outside";
  d.sees("x", {});
  d.sees("y", {});
  d.step({fact::peer_changed{full("x"), full("y"), false, "disconnect"},
          fact::peer_changed{full("y"), full("x"), false, "connection_closed"}});
  live(1s);
  EXPECT_EQ(d.connects(), (names{"y>a"})) << "its link was the first to go: it is tried alone";
  d.sees("y", {"a", "b", "c", "d"});
  for (const auto* one : {"a", "b", "c", "d"}) {
    auto seen = driver::without({"a", "b", "c", "d", "y"}, one);
    d.sees(one, seen);
    d.step({fact::peer_changed{full("y"), full(one), true, ""},
            fact::peer_changed{full(one), full("y"), true, ""}});
  }
  d.answer_all(connect_outcome::connected);
  live(2s);
  ASSERT_EQ(d.shown().partitions.size(), 2U);
  EXPECT_EQ(d.shown().partitions[0].size(), 5U);
  const auto& incidents = *d.shown().incidents;
  ASSERT_EQ(incidents.size(), 1U);
  EXPECT_TRUE(std::ranges::any_of(incidents[0].actions, [](const incident_act& act) {
    return act.text.find("x@host.example is told to leave its group") != std::string::npos;
  }));
  live(120s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
}

TEST_F(ApartOverOnePair, NobodyIsTakenOutThatCannotOrWhileAnotherPairIsInTheWay) {
  d.usual.otp_release = "24";
  apart();
  live(60s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty()) << "global:disconnect/0 came with OTP 25";
}

TEST_F(ApartOverOnePair, NobodyIsTakenOutWhereItGainsNothing) {
  block("b", "y");  // without x, y and b are in the way
  apart();
  live(60s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
}

// Only we do not reach c: the newcomer would throw it out of a healthy mesh.
TEST_F(Overlap, ANewcomerWaitsForAMemberThatOnlyWeDoNotReach) {
  d.mesh({"a", "b", "c"});
  live(5s);
  d.down("c", reason::tick_timeout);  // the others still see it
  block("n", "c");
  newcomer("n", {"a", "b", "c", "n"});
  live(20s);
  EXPECT_TRUE(d.connects().empty());
  live(15s);
  EXPECT_EQ(d.connects(), (names{"n>a", "n>b"})) << "after --introduce-timeout nobody waits";
}

TEST_F(Overlap, ANewcomerThatReachesAMemberWhichWeDoNotReachJoins) {
  d.mesh({"a", "b", "c"});
  live(5s);
  d.down("c", reason::tick_timeout);
  newcomer("n", {"a", "b", "c", "n"});
  live(10s);
  EXPECT_EQ(d.connects(), (names{"n>a", "n>b"}));
}

TEST_F(Overlap, ANewcomerDoesNotWaitForAMemberThatIsDead) {
  d.mesh({"a", "b", "c"});
  live(5s);
  d.down("c", reason::tick_timeout);  // its machine is lost: the others still list it
  for (const auto* other : {"a", "b", "n"}) block(other, "c");
  newcomer("n", {"a", "b", "c", "n"});
  live(10s);
  EXPECT_EQ(d.connects(), (names{"n>a", "n>b"}));
}

TEST_F(Overlap, WhereNobodyPreventsThemEverythingMissingIsAskedForUnprobed) {
  d.usual.prevent_overlapping_partitions = false;
  d.mesh({"a", "b", "c"});
  live(5s);
  d.take<action::probe_path>();
  path_probes = 0;
  newcomer("n", {"a", "b", "c", "n"});
  EXPECT_EQ(d.connects().size(), 3U);
  EXPECT_EQ(path_probes, 0U);
}

}  // namespace
}  // namespace rollcall::membership::test
