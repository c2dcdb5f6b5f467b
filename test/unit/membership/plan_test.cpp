// The first plan: who is asked to connect to which node, when, and when not.
#include <set>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

// Everybody listed, linked and telling of nobody.
void lone(driver& d, const names& nodes) {
  d.list(nodes);
  for (const auto& node : nodes) d.up(node);
  for (const auto& node : nodes) d.view(node, {});
}

std::string pair_of(const action::connect& request) {
  auto a = request.on.text(), b = request.to.text();
  return a < b ? a + " " + b : b + " " + a;
}

TEST(Formation, LonersAreMeshedInOneBurstTheMomentTheLastViewIsIn) {
  driver d;
  const names nodes{"a", "b", "c", "d", "e"};
  d.list(nodes);
  for (const auto& node : nodes) d.up(node);
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) d.view(nodes[i], {});
  EXPECT_EQ(d.connects(), names{}) << "one is still to come";
  d.view("e", {});
  const auto asked = d.connects();
  EXPECT_EQ(asked.size(), 10U);
  std::set<std::string> pairs;
  for (const auto& request : d.taken) pairs.insert(pair_of(request));
  EXPECT_EQ(pairs.size(), 10U);
}

TEST(Formation, TheWorkIsSharedAmongTheLoners) {
  driver d;
  names nodes;
  for (int i = 0; i < 20; ++i) nodes.push_back("n" + std::to_string(100 + i));
  lone(d, nodes);
  std::map<std::string, int> load;
  for (const auto& request : d.take<action::connect>()) ++load[request.on.text()];
  EXPECT_EQ(load.size(), 20U);
  for (const auto& [node, count] : load) {
    EXPECT_GE(count, 9) << node;
    EXPECT_LE(count, 10) << node;
  }
}

TEST(Formation, NodesThatCannotBeDialledAreNotWaitedFor) {
  driver d;
  d.list({"a", "b", "c"});
  d.up("a");
  d.up("b");
  d.view("a", {});
  d.view("b", {});
  d.fail("c", reason::refused);
  EXPECT_EQ(d.connects().size(), 1U);
}

TEST(Formation, ADialUnderWayIsWaitedForFor300MillisecondsAfterTheLastArrival) {
  driver d;
  d.list({"a", "b", "dark"});
  d.up("a");
  d.up("b");
  d.view("a", {});
  d.view("b", {});
  EXPECT_EQ(d.connects(), names{});
  EXPECT_EQ(d.wake, d.now + 300ms);
  d.pass(299ms);
  EXPECT_EQ(d.connects(), names{});
  d.pass(1ms);
  EXPECT_EQ(d.connects().size(), 1U);
}

TEST(Formation, SettlingIsBoundedWhenNodesKeepArriving) {
  driver d;
  names nodes;
  for (int i = 0; i < 20; ++i) nodes.push_back("n" + std::to_string(10 + i));
  d.list(nodes);
  milliseconds first{0};
  for (const auto& node : nodes) {
    d.up(node);
    d.view(node, {});
    if (!d.connects().empty()) break;
    d.pass(200ms);
    first += 200ms;
  }
  EXPECT_EQ(first, 1'000ms);
}

TEST(Plan, ALaterPairIsAskedOnTheNodeThatEnteredDiscoveryLaterInOneBurst) {
  driver d;
  d.mesh({"m", "n", "o"});
  d.list({"m", "n", "o", "a"});
  d.up("a");
  EXPECT_EQ(d.connects(), names{});
  d.view("a", {});
  EXPECT_EQ(d.connects(), (names{"a>m", "a>n", "a>o"}));
  EXPECT_EQ(d.taken.front().limit, 10s);
}

TEST(Plan, TheGreaterNameIsAskedWhenBothEnteredTogether) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.view("a", {"c"});
  EXPECT_EQ(d.connects(), names{}) << "one view still says yes";
  d.view("b", {"c"});
  EXPECT_EQ(d.connects(), names{"b>a"});
}

TEST(Plan, ARestartedNodeEntersDiscoveryAnew) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.down("a");
  d.view("b", {"c"});
  d.view("c", {"b"});
  d.up("a", 2);
  d.view("a", {});
  EXPECT_EQ(d.connects(), (names{"a>b", "a>c"}));
}

TEST(Plan, TheLimitIsTheAskedNodesSetuptimeAndThreeSeconds) {
  driver d;
  d.mesh({"a"});
  d.list({"a", "b"});
  d.up("b");
  d.step({fact::settings{full("b"), "25", true, true, std::nullopt, 60s, 20s}});
  d.view("b", {});
  ASSERT_EQ(d.connects(), names{"b>a"});
  EXPECT_EQ(d.taken.front().limit, 23s);
}

TEST(Plan, NoSecondRequestWhileTheFirstIsUnanswered) {
  driver d;
  d.mesh({"a"});
  d.list({"a", "b"});
  d.sees("b", {});
  d.sees("a", {});
  d.up("b");
  d.answer_views();
  ASSERT_EQ(d.connects(), names{"b>a"});
  const auto unanswered = d.taken;
  d.pass(1h);
  d.step({fact::round_requested{}});
  EXPECT_EQ(d.connects(), names{});
  d.answer(unanswered.front(), connect_outcome::timeout);
  d.answer_views();
  EXPECT_EQ(d.connects(), names{"a>b"});
}

TEST(Plan, AfterAnAnswerBothViewsAreAskedAndNothingIsPlannedBeforeTheyAreIn) {
  driver d;
  d.mesh({"a"});
  d.list({"a", "b"});
  d.up("b");
  d.take_views();
  d.view("b", {});
  ASSERT_EQ(d.connects(), names{"b>a"});
  d.silent("a");
  d.take_views();
  d.answer_all(connect_outcome::connected);
  EXPECT_EQ(d.take_views().size(), 2U);
  d.view("b", {"a"});
  EXPECT_EQ(d.shown().pair(0, 1), pair_state::one_way);
  d.view("a", {"b"});
  EXPECT_EQ(d.shown().pair(0, 1), pair_state::connected);
  EXPECT_EQ(d.connects(), names{});
  EXPECT_EQ(d.shown().connect_requests.at(connect_outcome::connected), 1U);
}

TEST(Plan, AViewAskedForBeforeTheAnswerProvesNothing) {
  driver d;
  d.mesh({"a"});
  d.silent("a");
  d.list({"a", "b"});
  d.up("b");
  d.take_views();
  d.view("b", {});
  ASSERT_EQ(d.connects(), names{"b>a"});
  d.pass(5s);  // a round: both are asked, and answer only after the result
  d.take_views();
  d.answer_all(connect_outcome::failed);
  d.view("a", {});
  d.view("b", {});
  EXPECT_EQ(d.connects(), names{});
  EXPECT_EQ(d.take_views().size(), 2U);
  d.view("a", {});
  d.view("b", {});
  EXPECT_EQ(d.connects(), names{"a>b"});
}

TEST(Plan, FailingBurstsBackOffPerAskingNodeUpToAMinute) {
  driver d;
  d.mesh({"a", "b"});
  d.sees("a", {});
  d.sees("b", {});
  std::vector<milliseconds> asked;
  for (int second = 0; second < 1'200; ++second) {
    d.pass(1s);
    if (!d.connects().empty()) asked.push_back(d.now);
    d.answer_all(connect_outcome::failed);
    d.answer_views();
  }
  ASSERT_GE(asked.size(), 20U) << "it is kept at";
  ASSERT_LE(asked.size(), 50U) << "but not hammered";
  EXPECT_LE(asked[1] - asked[0], 2s) << "the other side is tried at once";
  const auto last = asked.back() - asked[asked.size() - 3];
  EXPECT_GE(last, 59s);
  EXPECT_LE(last, 75s);
}

TEST(Plan, APairOfShortAndLongNamesIsNeverAskedFor) {
  driver d;
  d.list({"a@one.example", "b@two.example", "c@short", "d@short"});
  for (const auto* node : {"a@one.example", "b@two.example", "c@short", "d@short"}) d.up(node);
  for (const auto* node : {"a@one.example", "b@two.example", "c@short", "d@short"}) d.view(node, {});
  const auto asked = d.take<action::connect>();
  ASSERT_EQ(asked.size(), 2U);
  for (const auto& request : asked) EXPECT_EQ(request.on.kind(), request.to.kind());
  const auto& s = d.shown();
  EXPECT_EQ(s.links_missing, 2U);
  EXPECT_EQ(s.links[static_cast<std::size_t>(pair_state::unknown)], 4U);
  EXPECT_EQ(s.pair(0, 2), pair_state::unknown);
  EXPECT_TRUE(d.raised(condition::config_drift));
}

TEST(Plan, TwoWholeMeshesOfDifferentKindsAreOnePartition) {
  driver d;
  d.mesh({"a@one.example", "c@short"});
  d.view("a@one.example", {});
  d.view("c@short", {});
  EXPECT_EQ(d.shown().partitions.size(), 1U);
  d.list({"a@one.example", "b@two.example", "c@short"});
  d.up("b@two.example");
  d.view("b@two.example", {});
  EXPECT_EQ(d.shown().partitions.size(), 2U);
}

TEST(Plan, LeavingAndSuspectNodesAreNeverAsked) {
  driver d;
  d.mesh({"a", "b", "c"});
  d.step({fact::stopping{full("b")}});
  d.silent("c");
  d.pass(16s);
  ASSERT_EQ(d.of("b").state, member_state::leaving);
  ASSERT_EQ(d.of("c").state, member_state::suspect);
  d.sees("a", {});
  d.sees("b", {});
  d.pass(1min);
  EXPECT_EQ(d.connects(), names{});
  EXPECT_EQ(d.shown().links_missing, 0U);
}

TEST(Plan, HealOffObservesOnly) {
  driver d(settings{.heal = heal_mode::off});
  lone(d, {"a", "b"});
  d.sees("a", {});
  d.sees("b", {});
  d.pass(1min);
  EXPECT_EQ(d.connects(), names{});
  EXPECT_EQ(d.shown().links_missing, 1U);
  EXPECT_TRUE(d.raised(condition::links_missing));
  EXPECT_TRUE(d.raised(condition::netsplit));
}

TEST(Plan, RequestsUnderWayAreBoundedAndBurstsStayWhole) {
  driver d;
  names nodes;
  for (int i = 0; i < 300; ++i) nodes.push_back("n" + std::to_string(1000 + i));
  std::vector<any_fact> facts{fact::listed{full(nodes), {}}};
  for (const auto& node : nodes) facts.push_back(fact::link_up{full(node), 1, true});
  for (const auto& node : nodes) facts.push_back(fact::view{full(node), {}, 1ms});
  d.step(std::move(facts));
  const auto first = d.take<action::connect>();
  EXPECT_LE(first.size(), 20'000U);
  EXPECT_GE(first.size(), 19'000U);
}

TEST(Plan, DiscoveryFailuresTouchNothing) {
  driver d;
  d.mesh({"a", "b"});
  for (int i = 0; i < 100; ++i) {
    d.list({"a", "b"}, {source("srv:x@y", query_outcome::timeout, driver::epoch)});
    d.pass(5s);
  }
  EXPECT_TRUE(d.actions.empty() || d.take<action::dial>().empty());
  EXPECT_TRUE(d.take<action::hang_up>().empty());
  EXPECT_TRUE(d.raised(condition::discovery_stale));
  EXPECT_EQ(d.shown().up, 2U);
  EXPECT_EQ(d.events.size(), 0U);
}

TEST(PlanOnly, TellsWhomItWouldAskAndAsksNobody) {
  settings s;
  s.heal = heal_mode::plan;
  driver d(s);
  d.mesh({"a", "b", "c"});
  d.sees("a", {"b"});
  d.sees("c", {"b"});
  d.pass(10s);
  EXPECT_TRUE(d.connects().empty());
  ASSERT_EQ(d.shown().would_ask.size(), 1U);
  EXPECT_EQ(d.shown().heal, heal_mode::plan);
  d.sees("a", {"b", "c"});
  d.sees("c", {"a", "b"});
  d.pass(10s);
  EXPECT_TRUE(d.shown().would_ask.empty());
}

}  // namespace
}  // namespace rollcall::membership::test
