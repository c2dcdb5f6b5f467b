// What is told of the mesh rests on what its nodes said, and on nothing older: losses, cuts that are told
// afterwards, and an alarm that is never without its incident.
#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

settings watching() {
  settings s;
  s.watch = true;
  s.heal = heal_mode::off;
  return s;
}

struct Record : testing::Test {
  driver d{watching()};
  names all{"a", "b", "c", "d", "e"};

  void meshed() {
    d.mesh(all);
    for (const auto& node : all) d.step({fact::watching{full(node), true}});
    d.answer_views();
    d.events.clear();
  }
  void lose(std::string_view from, std::string_view to) {
    d.step({fact::peer_changed{full(from), full(to), false, "connection_closed"}});
    std::erase(d.automatic[full(from)], full(to));
  }
  void live(milliseconds span, const names& who) {
    for (auto left = span; left > 0ms; left -= 1s) {
      for (const auto& node : who) d.step({fact::heard{full(node), 1ms, true}});
      d.pass(1s);
    }
  }
  // They are silent to us for half a minute, and back as they were.
  void away(
      const names& silent, const names& rest, const std::function<void()>& meanwhile = [] {}) {
    std::map<std::string, std::vector<node_name>> views;
    for (const auto& node : silent) {
      views[node] = d.automatic[full(node)];
      d.silent(node);
      d.down(node, reason::tick_timeout);
    }
    meanwhile();
    live(30s, rest);
    for (const auto& node : silent) {
      d.automatic[full(node)] = views[node];
      d.up(node, restarted.contains(node) ? 2 : 1);
    }
    d.answer_views();
    live(2s, all);
  }
  std::size_t incidents() { return d.shown().incidents->size(); }
  std::set<std::string> restarted;
};

TEST_F(Record, WhatWasReportedWhileAViewWasAskedForIsNotLostForAnOlderAnswer) {
  meshed();
  d.automatic[full("a")] = full(names{"b", "e"});
  lose("a", "c");
  lose("a", "d");
  for (int round = 0; round < 8; ++round) live(5s, all);
  d.take_views();
  d.step({fact::watching{full("a"), false}});
  ASSERT_EQ(d.take_views(), full(names{"a"}));
  for (const auto* peer : {"c", "d"}) d.step({fact::peer_changed{full("a"), full(peer), true, ""}});
  d.step({fact::view{full("a"), full(names{"b", "e"}), 1ms}});  // it looked before that
  d.sees("a", {"b", "c", "d", "e"});
  d.step({fact::watching{full("a"), true}});
  d.answer_views();
  live(12s, all);
  const auto before = incidents();
  away({"c", "d"}, {"a", "b", "e"});
  EXPECT_EQ(incidents(), before) << "nobody but us lost the two";
}

TEST_F(Record, WhoLosesALinkToTheRunBeforeIsNoWitnessOfACut) {
  meshed();
  restarted = {"c", "d"};
  for (const auto* node : {"c", "d"}) {
    d.down(node);
    d.sees(node, driver::without({"c", "d"}, node));
    d.up(node, 2);
  }
  d.answer_views();
  away({"c", "d"}, {"a", "b", "e"}, [&] {
    for (const auto* with_us : {"a", "b", "e"}) {
      lose(with_us, "c");
      lose(with_us, "d");
    }
  });
  EXPECT_EQ(incidents(), 0U);
}

TEST_F(Record, WhomMostOfThoseWeReachedStillHeldWasNotCutOff) {
  meshed();
  away({"c", "d"}, {"a", "b", "e"}, [&] {
    lose("a", "c");
    lose("a", "d");
  });
  EXPECT_EQ(incidents(), 0U);
}

TEST_F(Record, WhomMostOfThoseWeReachedHadLostWas) {
  meshed();
  away({"c", "d"}, {"a", "b", "e"}, [&] {
    for (const auto* with_us : {"a", "b"}) {
      lose(with_us, "c");
      lose(with_us, "d");
    }
  });
  ASSERT_EQ(incidents(), 1U);
  EXPECT_EQ(d.shown().incidents->front().type, incident_type::full);
}

// c and d were restarted while we reached neither them nor b, which the others held all along.
TEST_F(Record, WhoComesBackAndWasLostByNobodyIsNoSignThatOthersWereCutOff) {
  meshed();
  away({"b"}, {"a", "e"}, [&] {
    for (const auto* gone : {"c", "d"}) {
      d.silent(gone);
      d.down(gone, reason::tick_timeout);
      for (const auto* with_us : {"a", "e"}) lose(with_us, gone);
    }
  });
  EXPECT_EQ(incidents(), 0U);
}

TEST_F(Record, TheAlarmIsNeverWithoutAnIncident) {
  d.list(all);
  for (const auto* node : {"a", "b", "c"}) d.sees(node, driver::without({"a", "b", "c"}, node));
  d.sees("d", {"e"});
  d.sees("e", {"d"});
  for (const auto& node : all) d.up(node);
  d.answer_views();
  const auto until = d.now + 60s;
  bool raised = false;
  while (d.now < until) {
    d.pass(100ms);
    const bool open = std::ranges::any_of(*d.shown().incidents, [](const auto& i) { return !i.closed_at; });
    ASSERT_TRUE(open || !d.raised(condition::netsplit)) << (until - d.now).count() << " ms before the end";
    raised |= d.raised(condition::netsplit);
    if (raised && until - d.now < 20s) {  // whole again
      for (const auto& node : all) d.sees(node, driver::without(all, node));
    }
  }
  EXPECT_TRUE(raised);
  EXPECT_FALSE(d.raised(condition::netsplit));
  EXPECT_TRUE(d.shown().incidents->front().closed_at);
}

TEST_F(Record, AStatusIsNoWordAboutLinksWhereViewsArePolled) {
  driver polled(settings{.heal = heal_mode::off});
  polled.mesh({"a", "b", "c"});
  polled.silent("b");  // its views do not come any more; it is well otherwise
  polled.sees("a", {"c"});
  for (int second = 0; second < 14; ++second) {
    for (const auto* node : {"a", "b", "c"}) polled.step({fact::heard{full(node), 1ms}});
    polled.pass(1s);
  }
  EXPECT_EQ(polled.of("b").state, member_state::up);
  EXPECT_TRUE(polled.shown().incidents->empty()) << "b may have lost a, too, and may have it back";
}

TEST_F(Record, APairSeenBrokenAfterARestartClosesLikeAnyOther) {
  meshed();
  lose("a", "b");
  lose("b", "a");
  live(20s, all);
  auto options = watching();
  options.probe = true;
  driver next(options);
  next.core.restore(*d.shown().incidents, d.shown().totals, {});
  next.list(all);
  for (const auto& node : all) next.sees(node, driver::without(all, node));
  next.sees("a", {"c", "d", "e"});
  next.sees("b", {"c", "d", "e"});
  for (const auto& node : all) next.up(node);
  next.answer_views();
  next.pass(2s);
  next.sees("a", driver::without(all, "a"));
  next.sees("b", driver::without(all, "b"));
  next.pass(12s);
  ASSERT_EQ(next.shown().incidents->size(), 1U);
  EXPECT_TRUE(next.shown().incidents->front().closed_at) << "sooner than four intervals after the restart";
}

}  // namespace
}  // namespace rollcall::membership::test
