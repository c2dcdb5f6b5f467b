// What a source knows beside names: who is leaving, which is never a failure, and where members run.
#include "membership/places.hpp"

#include <gmock/gmock.h>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Listed, each where it runs.
class Placed : public ::testing::Test {
 protected:
  void list(const names& nodes, const names& leaving = {}) {
    fact::listed listed{full(nodes), {}, {}, {}};
    for (const auto& node : nodes) {
      const bool second = node >= "c";
      listed.placed[full(node)] = {second ? "node-2" : "node-1", second ? "zone-2" : "zone-1",
                                   std::ranges::find(leaving, node) != leaving.end()};
    }
    d.step({std::move(listed)});
  }
  void mesh(const names& nodes) {
    d.mesh(nodes);
    list(nodes);
    d.events.clear();
    d.actions.clear();
  }
  driver d;
};

TEST_F(Placed, MembersHaveTheirMachineAndZone) {
  mesh({"a", "c"});
  EXPECT_EQ(d.of("a").machine, "node-1");
  EXPECT_EQ(d.of("c").zone, "zone-2");
}

TEST_F(Placed, TerminatingIsLeavingAtOnceAndNeverAFailureHoweverLongItTakes) {
  mesh({"a", "b", "c"});
  list({"a", "b", "c"}, {"c"});
  EXPECT_EQ(d.of("c").state, member_state::leaving);
  EXPECT_EQ(d.of("c").why, reason::stopping);
  EXPECT_TRUE(d.of("c").linked) << "its link is kept";
  EXPECT_EQ(d.count(event_type::member_leaving), 1U);
  EXPECT_EQ(d.shown().expected, 2U) << "nobody waits for it";
  d.sees("a", {"b"});
  d.sees("b", {"a"});
  d.down("c");
  d.actions.clear();
  d.pass(20min);
  EXPECT_EQ(d.of("c").state, member_state::leaving);
  EXPECT_TRUE(d.dialled().empty());
  EXPECT_FALSE(d.raised(condition::members_missing));
  list({"a", "b"});
  d.pass(31s);
  EXPECT_EQ(d.of("c").state, member_state::left);
  EXPECT_EQ(d.of("c").leaves, 1U);
  EXPECT_EQ(d.of("c").failures, 0U);
  EXPECT_EQ(d.count(event_type::member_suspect), 0U);
  EXPECT_EQ(d.count(event_type::netsplit_opened), 0U);
}

TEST_F(Placed, ItMayCloseItsLinkBeforeTheAnnouncementComes) {
  mesh({"a", "b", "c"});
  d.down("c");
  EXPECT_EQ(d.of("c").state, member_state::suspect);
  list({"a", "b", "c"}, {"c"});
  EXPECT_EQ(d.of("c").state, member_state::leaving);
  list({"a", "b"});
  d.pass(31s);
  EXPECT_EQ(d.of("c").failures, 0U);
}

// A machine lost: its pods are called terminating minutes after they have failed.
TEST_F(Placed, WhoIsDownAlreadyStaysDown) {
  mesh({"a", "b", "c"});
  d.sees("a", {"b"});
  d.sees("b", {"a"});
  d.down("c", reason::tick_timeout);
  d.fail("c", reason::timeout);
  d.pass(2min);
  ASSERT_EQ(d.of("c").state, member_state::down);
  list({"a", "b", "c"}, {"c"});
  EXPECT_EQ(d.of("c").state, member_state::down);
  EXPECT_EQ(d.of("c").failures, 1U);
}

TEST_F(Placed, OneThatWasNeverLinkedIsLeavingAndForgottenWithItsListing) {
  list({"a", "c"}, {"c"});
  EXPECT_EQ(d.of("c").state, member_state::leaving);
  EXPECT_EQ(d.dialled(), names{"a"});
  d.up("a");
  d.view("a", {});
  d.pass(10s);
  EXPECT_FALSE(d.shown().starting) << "nobody waits for its first dial";
  list({"a"});
  d.pass(1s);
  EXPECT_FALSE(d.known("c"));
}

TEST_F(Placed, ThePodOfAStatefulSetComesBackUnderItsNameAsARestart) {
  mesh({"a", "b", "c"});
  list({"a", "b", "c"}, {"c"});
  d.down("c");
  d.pass(5s);
  list({"a", "b", "c"});
  EXPECT_EQ(d.dialled(), names{"c"}) << "the new pod is dialled at once";
  d.up("c", 2);
  d.view("c", {"a", "b"});
  EXPECT_EQ(d.of("c").state, member_state::up);
  EXPECT_EQ(d.of("c").restarts, 1U);
  EXPECT_EQ(d.of("c").leaves, 0U);
  EXPECT_EQ(d.of("c").failures, 0U);
}

TEST_F(Placed, MissingOnesOnOneMachineAreSaidToBe) {
  mesh({"a", "b", "c", "d"});
  d.sees("a", {"b"});
  d.sees("b", {"a"});
  for (const auto* each : {"c", "d"}) {
    d.down(each, reason::tick_timeout);
    d.fail(each, reason::timeout);
  }
  d.pass(15s);
  EXPECT_THAT(d.text_of(condition::possible_split), HasSubstr("; all 2 on node-2 (zone-2)"));
  EXPECT_THAT(d.text_of(condition::members_missing), HasSubstr("; all 2 on node-2 (zone-2)"));
}

TEST_F(Placed, ASplitAlongAZoneIsNamed) {
  mesh({"a", "a1", "b", "c", "d"});
  for (const auto* each : {"a", "a1", "b"}) {
    d.sees(each, driver::without({"a", "a1", "b"}, each));
    d.view(each, driver::without({"a", "a1", "b"}, each));
  }
  for (const auto* each : {"c", "d"}) {
    d.sees(each, driver::without({"c", "d"}, each));
    d.view(each, driver::without({"c", "d"}, each));
  }
  d.pass(15s);
  ASSERT_FALSE(d.shown().incidents->empty());
  std::string opened;
  for (const auto& e : d.events) {
    if (e.type == event_type::netsplit_opened) opened = e.text;
  }
  EXPECT_THAT(opened, HasSubstr("; all 2 on node-2 (zone-2)"));
  const auto& acts = d.shown().incidents->front().actions;
  EXPECT_TRUE(std::ranges::any_of(acts, [](const auto& a) {
    return a.text == "those it cuts off run apart from the others: all 2 on node-2 (zone-2)";
  }));
}

TEST(Places, AreNamedOnlyWhereALossRunsAlongThem) {
  const whereabouts a1{"m1", "z1"}, b1{"m2", "z1"}, c2{"m3", "z2"}, nowhere{};
  struct row {
    std::vector<whereabouts> these, others;
    std::string said;
  };
  for (const auto& [these, others, said] : {
           row{{a1, a1}, {b1, c2}, "all 2 on m1 (z1)"},
           row{{a1, b1}, {c2}, "all 2 in z1"},
           row{{a1, a1}, {a1, c2}, ""},  // others run there, too
           row{{a1, a1}, {b1, a1}, ""},
           row{{a1, c2}, {b1}, ""},
           row{{a1}, {c2}, ""},    // one is always on one machine
           row{{a1, a1}, {}, ""},  // all of them, and nobody else
           row{{nowhere, nowhere}, {a1}, ""},
           row{{{"m1", ""}, {"m1", ""}}, {c2}, "all 2 on m1"},
       }) {
    EXPECT_EQ(common_place(these, others), said);
  }
}

}  // namespace
}  // namespace rollcall::membership::test
