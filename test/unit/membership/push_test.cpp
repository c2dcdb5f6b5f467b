// Nodes that report changes by themselves: what they tell is in the snapshot at once, and is never undone by
// an older answer.
#include "test/unit/membership/pushing.hpp"

namespace rollcall::membership::test {
namespace {

struct Push : testing::Test {
  driver d{pushing()};

  void meshed(const names& nodes) {
    d.mesh(nodes);
    for (const auto& node : nodes) d.step({fact::watching{full(node), true}});
    d.answer_views();
    d.actions.clear();
    d.events.clear();
  }
  void hear_all(const names& nodes) {
    for (const auto& node : nodes) d.step({fact::heard{full(node), milliseconds(1), true}});
  }
  // Until `node` is asked whether it sees what its view named.
  bool wait_for_the_turn_of(std::string_view node) {
    d.automatic.clear();
    const auto asked = [&](const action::confirm_view& one) { return one.node == full(node); };
    for (const auto end = d.now + 7 * d.options.interval; d.now < end;) {
      d.now = std::max(d.wake, d.now + 1ms);
      d.step();
      if (std::ranges::any_of(d.take<action::confirm_view>(), asked)) return true;
    }
    return false;
  }
  void pass_a_round() {
    for (const auto end = d.now + d.options.interval; d.now < end;) {
      d.now = std::max(d.wake, d.now + 1ms);
      d.step();
    }
  }
  // Not at once: while links come and go each answer is followed by another report.
  bool is_asked_again_after_half_an_interval() {
    const auto begin = d.now;
    while (d.now < begin + d.options.interval) {
      if (!d.take<action::ask_view>().empty()) return d.now - begin >= d.options.interval / 2;
      d.now = std::max(d.wake, d.now + 1ms);
      d.step();
    }
    return false;
  }
  void confirms(std::string_view node, const names& seen) {
    d.step({fact::view_confirmed{full(node), name_list(full(seen)).digest(), milliseconds(3)}});
  }
  pair_state pair(std::string_view a, std::string_view b) {
    const auto& s = d.shown();
    std::size_t i = 0, j = 0;
    for (std::size_t rank = 0; rank < s.members.size(); ++rank) {
      if (s.members[rank].name == full(a)) i = rank;
      if (s.members[rank].name == full(b)) j = rank;
    }
    return s.pair(i, j);
  }
};

TEST_F(Push, AWatcherIsAskedForOncePerLink) {
  d.list({"a"});
  d.up("a");
  EXPECT_EQ(d.take<action::watch>().size(), 1U);
  d.sees("a", {});
  d.pass(20s);
  EXPECT_TRUE(d.take<action::watch>().empty());
  d.down("a");
  d.up("a");
  EXPECT_EQ(d.take<action::watch>().size(), 1U);
}

// Its reports say nothing as long as nothing is known that they change.
TEST_F(Push, AFirstViewThatDoesNotComeIsAskedForInEachRound) {
  d.list({"a"});
  d.up("a");
  d.step({fact::watching{full("a"), true}});
  std::size_t asked = 0;
  for (int second = 0; second < 30; ++second) {
    for (const auto& name : d.take_views()) {
      ++asked;
      d.step({fact::view_failed{name, reason::timeout, "no answer"}});
    }
    d.now += 1s;
    d.step();
  }
  EXPECT_GE(asked, 7U);
}

// What came and went before it watched is in no report.
TEST_F(Push, AFirstViewSinceItWatchesThatDoesNotComeIsAskedForInTheNextRound) {
  d.mesh({"a", "b"});
  d.automatic.clear();
  d.actions.clear();
  d.step({fact::watching{full("a"), true}});
  ASSERT_EQ(d.take<action::ask_view>().size(), 1U);
  d.step({fact::view_failed{full("a"), reason::timeout, "no answer"}});
  d.actions.clear();
  pass_a_round();
  const auto asked = d.take<action::ask_view>();
  EXPECT_EQ(std::ranges::count(asked, full("a"), &action::ask_view::node), 1);
}

TEST_F(Push, AWatcherThatEndsAtOnceIsTriedOnceAMinute) {
  d.list({"a"});
  d.up("a");
  d.sees("a", {});
  const auto minutes_end = d.now + 5min;
  std::size_t asked = 0;
  while (d.now < minutes_end) {
    for (const auto& action : d.take<action::watch>()) {
      ++asked;
      d.step({fact::watching{action.node, false}});
    }
    d.pass(1s);
  }
  EXPECT_LE(asked, 6U);
  EXPECT_GE(asked, 5U);
}

// It was asked by a call because no watcher ran yet, not because one owed an answer.
TEST_F(Push, AnAnswerFromBeforeItWatchedMakesItsWatcherOweNothing) {
  d.mesh({"a", "b"});
  pass_a_round();
  ASSERT_FALSE(d.take<action::ask_status>().empty());
  d.now += 1ms;
  for (const auto* node : {"a", "b"}) d.step({fact::watching{full(node), true}});
  d.answer_views();
  d.now += 1ms;
  d.step({fact::heard{full("a"), milliseconds(30)}});
  d.now += 1ms;
  d.answer_views();
  d.step({fact::peer_changed{full("a"), full("b"), false, "connection_closed"}});
  EXPECT_EQ(pair("a", "b"), pair_state::one_way) << "what it tells is believed";
}

TEST_F(Push, NobodyIsAskedForAWatcherWhenViewsArePolled) {
  driver polled;
  polled.mesh({"a", "b"});
  EXPECT_TRUE(polled.take<action::watch>().empty());
}

TEST_F(Push, AChangeIsShownInTheSameStep) {
  meshed({"a", "b"});
  d.step({fact::peer_changed{full("a"), full("b"), false, "net_tick_timeout"}});
  EXPECT_EQ(pair("a", "b"), pair_state::one_way);
  d.step({fact::peer_changed{full("b"), full("a"), false, "net_tick_timeout"}});
  EXPECT_EQ(pair("a", "b"), pair_state::missing);
  d.step({fact::peer_changed{full("a"), full("b"), true, ""},
          fact::peer_changed{full("b"), full("a"), true, ""}});
  EXPECT_EQ(pair("a", "b"), pair_state::connected);
}

TEST_F(Push, AnAnswerUnderWayDoesNotUndoIt) {
  meshed({"a", "b"});
  d.automatic.clear();
  ASSERT_TRUE(wait_for_the_turn_of("a"));
  d.actions.clear();
  d.step({fact::peer_changed{full("a"), full("b"), false, "connection_closed"}});
  d.view("a", {"b"});  // read on the node before it lost b
  EXPECT_FALSE(d.shown().sees(0, 1).value_or(true));
  EXPECT_TRUE(is_asked_again_after_half_an_interval());
}

TEST_F(Push, WhoSeesWhatItSawSendsNoNames) {
  meshed({"a"});
  d.view("a", {});
  d.actions.clear();
  ASSERT_TRUE(wait_for_the_turn_of("a"));
  EXPECT_TRUE(d.take<action::ask_view>().empty());
  confirms("a", {});
  pass_a_round();
  EXPECT_TRUE(d.take<action::ask_view>().empty());
  EXPECT_EQ(d.of("a").round_trip, milliseconds(3)) << "it was taken for an answer";
}

TEST_F(Push, AConfirmationOfAnotherViewIsAskedForInFull) {
  meshed({"a"});
  d.view("a", {});
  ASSERT_TRUE(wait_for_the_turn_of("a"));
  d.actions.clear();
  confirms("a", {"x"});
  EXPECT_EQ(d.take<action::ask_view>().size(), 1U);
}

TEST_F(Push, OneThatDoesNotConfirmIsAskedForItsViewInTheNextRound) {
  meshed({"a"});
  d.view("a", {});
  ASSERT_TRUE(wait_for_the_turn_of("a"));
  d.actions.clear();
  pass_a_round();
  EXPECT_EQ(d.take<action::ask_view>().size(), 1U);
}

TEST_F(Push, AConfirmationUnderWayDoesNotUndoAReport) {
  meshed({"a", "b"});
  ASSERT_TRUE(wait_for_the_turn_of("a"));
  d.actions.clear();
  d.step({fact::peer_changed{full("a"), full("b"), false, "closed"}});
  confirms("a", {"b"});
  EXPECT_FALSE(d.shown().sees(0, 1).value_or(true));
  EXPECT_TRUE(is_asked_again_after_half_an_interval());
}

TEST_F(Push, AConfirmationOfAnEarlierLinkIsNone) {
  meshed({"a", "b"});
  ASSERT_TRUE(wait_for_the_turn_of("a"));
  for (const auto* node : {"a", "b"}) {
    d.down(node);
    d.up(node);
  }
  confirms("a", {"b"});
  confirms("b", {"a"});
  EXPECT_NE(pair("a", "b"), pair_state::connected);
}

// Who watches tells of the new run's link by itself; only one that says nothing of it is asked.
TEST_F(Push, ARestartAsksOnlyThoseThatDidNotTellOfIt) {
  meshed({"a", "b", "c", "d"});
  d.automatic.clear();
  d.step({fact::link_down{full("d"), reason::closed, "closed"},
          fact::peer_changed{full("a"), full("d"), false, "connection_closed"},
          fact::peer_changed{full("b"), full("d"), false, "connection_closed"}});
  d.step({fact::peer_changed{full("a"), full("d"), true, ""}});
  d.actions.clear();
  d.up("d", 2);
  names asked;
  for (const auto& name : d.take_views()) asked.emplace_back(name.alive());
  std::ranges::sort(asked);
  EXPECT_EQ(asked, (names{"c", "d"})) << "c may mean the run before; a has told of this one, b of no link";
  EXPECT_TRUE(d.shown().sees(0, 3).value_or(false));
  EXPECT_FALSE(d.shown().sees(2, 3).value_or(true));
}

TEST_F(Push, WatchedNodesAreAskedForTheirViewEverySixthRoundOnly) {
  meshed({"a"});
  std::size_t asked = 0, status = 0;
  for (int round = 0; round < 12; ++round) {
    d.pass(5s);
    hear_all({"a"});
    status += d.take<action::ask_status>().size();
  }
  // Answered by the driver within pass(): what is counted is how fresh the view is kept by signs of life.
  asked = d.take<action::ask_view>().size();
  EXPECT_EQ(asked, 0U);
  EXPECT_EQ(status, 12U);
  EXPECT_EQ(d.of("a").state, member_state::up);
}

TEST(PushAndProbes, WhoAnswersProbesIsAskedForNoOtherSignOfLife) {
  auto with = pushing();
  with.probe = true;
  driver d(with);
  d.mesh({"a", "b", "c"});
  for (const auto* node : {"a", "b", "c"}) d.step({fact::watching{full(node), true}});
  d.answer_views();
  const auto asked_in_twelve_rounds = [&](link_probe said) {
    d.actions.clear();
    std::size_t asked = 0;
    for (const auto end = d.now + 12 * d.options.interval; d.now < end;) {
      d.pass(100ms);
      for (const auto& l : d.take<action::probe_links>()) {
        d.step({fact::links_probed{l.id, std::vector(l.to.size(), said)}});
      }
      for (const auto& s : d.take<action::ask_status>()) {
        ++asked;
        d.step({fact::heard{s.node, milliseconds(1), true}});
      }
    }
    return asked;
  };
  EXPECT_LE(asked_in_twelve_rounds(link_probe::answered), 3U) << "before the first answer";
  EXPECT_EQ(d.of("a").state, member_state::up);
  EXPECT_GE(asked_in_twelve_rounds(link_probe::no_word), 33U);
}

TEST_F(Push, SignsOfLifeKeepAWatchedMemberUpAndNoOther) {
  meshed({"a", "b"});
  d.automatic.clear();
  d.step({fact::watching{full("b"), false}});
  for (int round = 0; round < 5; ++round) {
    hear_all({"a", "b"});
    d.pass(4s);
  }
  EXPECT_EQ(d.of("a").state, member_state::up);
  EXPECT_EQ(d.of("b").state, member_state::suspect) << "nobody knows which nodes it sees";
}

TEST_F(Push, AWatcherThatEndedIsTriedAgainAfterAMinute) {
  meshed({"a"});
  d.step({fact::watching{full("a"), false}});
  d.pass(50s);
  EXPECT_TRUE(d.take<action::watch>().empty());
  d.pass(15s);
  EXPECT_EQ(d.take<action::watch>().size(), 1U);
}

// The same names twice need no looking up the second time, unless the members have changed meanwhile.
TEST_F(Push, TheSameViewAgainUndoesWhatAWatcherTold) {
  meshed({"a", "b"});
  d.step({fact::peer_changed{full("a"), full("b"), false, "connection_closed"}});
  ASSERT_FALSE(d.shown().sees(0, 1).value_or(true));
  d.view("a", {"b"});
  EXPECT_TRUE(d.shown().sees(0, 1).value_or(false));
}

TEST_F(Push, TheSameViewNamesOthersOnceMembersComeOrGo) {
  meshed({"b", "d"});
  d.view("b", {"d", "c"});
  EXPECT_EQ(d.shown().unlisted.size(), 1U);
  d.list({"a", "b", "c", "d"});
  d.up("a");
  d.up("c");
  d.view("b", {"d", "c"});
  EXPECT_TRUE(d.shown().unlisted.empty());
  EXPECT_EQ(pair("b", "a"), pair_state::unknown) << "a is where b was, and b where d was";
  EXPECT_TRUE(d.shown().sees(1, 2).value_or(false));
  EXPECT_TRUE(d.shown().sees(1, 3).value_or(false));
  EXPECT_FALSE(d.shown().sees(1, 0).value_or(true));
}

TEST_F(Push, StrangersComeAndGo) {
  meshed({"a"});
  d.step({fact::peer_changed{full("a"), full("stranger"), true, ""}});
  ASSERT_EQ(d.shown().unlisted.size(), 1U);
  d.step({fact::peer_changed{full("a"), full("stranger"), false, "connection_closed"}});
  EXPECT_TRUE(d.shown().unlisted.empty());
}

TEST_F(Push, WordsFromALinkThatIsGoneAreNotHeard) {
  meshed({"a", "b"});
  d.down("a");
  d.step({fact::peer_changed{full("a"), full("b"), true, ""}, fact::heard{full("a"), milliseconds(1)},
          fact::watching{full("a"), true}, fact::peer_changed{full("nobody"), full("b"), true, ""}});
  EXPECT_FALSE(d.of("a").fresh_view);
  EXPECT_FALSE(d.of("a").watched);
}

// ---- leave/1, rejoin/1, --prune-after

TEST(Leave, IsToldOnceAndNeverAskedToConnect) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.step({fact::leave{full("c")}});
  const auto told = d.take<action::leave_mesh>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].node, full("c"));
  EXPECT_TRUE(told[0].peers.empty()) << "their settings are not known: they may tear the others apart";
  EXPECT_EQ(d.of("c").state, member_state::leaving);
  EXPECT_EQ(d.count(event_type::member_leaving), 1U);
  d.sees("c", {});
  d.sees("a", {"b"});
  d.sees("b", {"a"});
  d.pass(60s);
  EXPECT_TRUE(d.connects().empty());
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
  EXPECT_EQ(d.of("c").state, member_state::leaving);
  EXPECT_EQ(d.shown().links_missing, 0U);
}

TEST(Leave, IsToldAgainWhenSomebodyConnectedIt) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::leave{full("b")}});
  EXPECT_EQ(d.take<action::leave_mesh>().size(), 1U);
  d.pass(29s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
  d.pass(6s);
  EXPECT_EQ(d.take<action::leave_mesh>().size(), 1U);
}

TEST(Leave, LinksAreCutOneByOneOnlyWhereNobodyPreventsOverlaps) {
  driver d;
  d.usual.prevent_overlapping_partitions = false;
  d.mesh({"a", "b", "c"});
  d.step({fact::leave{full("c")}});
  const auto told = d.take<action::leave_mesh>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].peers, full(names{"a", "b"}));
}

TEST(Leave, OutlivesARestartOfTheNode) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::leave{full("b")}});
  d.sees("a", {});
  d.sees("b", {});
  d.down("b");
  d.up("b", 2);
  d.answer_views();
  d.pass(20s);
  EXPECT_EQ(d.of("b").state, member_state::leaving);
  EXPECT_TRUE(d.connects().empty());
}

TEST(Leave, ANodeThatIsNotListedYetIsKeptOutOnceItComes) {
  driver d;
  d.mesh({"a"});
  d.step({fact::leave{full("b")}});
  d.list({"a", "b"});
  d.sees("b", {});
  d.up("b");
  d.answer_views();
  d.pass(20s);
  EXPECT_TRUE(d.of("b").kept_out);
  EXPECT_TRUE(d.connects().empty());
}

TEST(Rejoin, LetsItInAgain) {
  driver d;
  d.mesh({"a", "b"});
  d.step({fact::leave{full("b")}});
  d.sees("a", {});
  d.sees("b", {});
  d.pass(10s);
  d.actions.clear();
  d.step({fact::rejoin{full("b")}});
  d.pass(10s);
  EXPECT_EQ(d.of("b").state, member_state::up);
  EXPECT_FALSE(d.connects().empty());
  EXPECT_EQ(d.of("b").joins, 0U) << "it never left";
}

settings pruning(bool live) {
  settings s;
  s.prune_after = milliseconds(60'000);
  s.prune_live = live;
  return s;
}

const std::vector<source_report> answered{source("srv", query_outcome::ok, wall_time(milliseconds(1)))};

TEST(Prune, AHealthyUnlistedMemberStays) {
  driver d(pruning(false));
  d.mesh({"a", "b", "c"});
  d.list({"a", "b"}, answered);
  d.pass(300s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
  EXPECT_EQ(d.of("c").state, member_state::up);
}

TEST(Prune, OneThatDoesNotAnswerIsTakenOut) {
  driver d(pruning(false));
  d.mesh({"a", "b", "c"});
  d.list({"a", "b"}, answered);
  d.silent("c");
  d.sees("a", {"b"});
  d.sees("b", {"a"});
  d.pass(50s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty()) << "not yet";
  d.pass(20s);
  EXPECT_EQ(d.take<action::leave_mesh>().size(), 1U);
  EXPECT_TRUE(d.of("c").kept_out);
}

TEST(Prune, LiveTakesHealthyOnesToo) {
  driver d(pruning(true));
  d.mesh({"a", "b", "c"});
  d.list({"a", "b"}, answered);
  d.pass(70s);
  EXPECT_EQ(d.take<action::leave_mesh>().size(), 1U);
  d.list({"a", "b", "c"}, answered);
  EXPECT_FALSE(d.of("c").kept_out) << "listed again: it is let in";
}

struct no_prune {
  const char* name;
  names listed;
  query_outcome outcome;
};
struct Bad : testing::TestWithParam<no_prune> {};
TEST_P(Bad, AnswersTakeNobodyOut) {
  driver d(pruning(true));
  d.mesh({"a", "b", "c", "d"});
  d.list(GetParam().listed, {source("srv", GetParam().outcome, wall_time(milliseconds(1)))});
  d.pass(300s);
  EXPECT_TRUE(d.take<action::leave_mesh>().empty());
}
INSTANTIATE_TEST_SUITE_P(Answers, Bad,
                         testing::Values(no_prune{"failed", {"a", "b", "c"}, query_outcome::servfail},
                                         no_prune{"empty", {}, query_outcome::empty},
                                         no_prune{"halved", {"a", "b"}, query_outcome::ok}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace rollcall::membership::test
