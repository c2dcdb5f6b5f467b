// Real nodes, cut from each other by packet filters: what is seen, what it is called, what broke first, that
// one cause is one incident, that it heals by itself, and what was never lost meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/cluster.hpp"

namespace rollcall::test {
namespace {

TEST(Netsplit, HalvesAreSeenBeforeTheNodesNoticeAndHealByThemselves) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(6);
  ASSERT_TRUE(c.formed());
  const indices some{0, 1, 2}, others{3, 4, 5};
  const auto before = c.rounds();
  c.between(some, others, true);
  ASSERT_TRUE(c.opens("full"));
  EXPECT_LE(c.rounds() - before, 4) << "three intervals, and the one that was under way";
  EXPECT_EQ(c.groups(), (std::set<group>{c.names(some), c.names(others)}));
  EXPECT_EQ(text(c.incident().at("cause").at("reason")), "probe");
  const auto [a, b] = c.cause();
  EXPECT_TRUE(a < 3 && b >= 3 && b < 6) << a << " - " << b;
  EXPECT_EQ(c.rollcall.metric("erlang_cluster_netsplit_active", {{"type", "full"}}), 1);
  EXPECT_EQ(c.rollcall.partitions().size(), 2U);

  // The nodes' own word, later: every link between the halves, and none inside them.
  const auto lost = [&] {
    const auto all = c.downs();
    return std::ranges::all_of(all, [](int n) { return n == 3; });
  };
  ASSERT_TRUE(eventually(lost, 60s, "every node has lost the other half"));
  ASSERT_TRUE(c.wait_rounds(3));
  EXPECT_TRUE(c.meshed(some) && c.meshed(others));
  c.between(some, others, false);
  ASSERT_TRUE(c.heals());
  EXPECT_TRUE(lost()) << "joined without losing anybody";
  ASSERT_EQ(c.incidents().size(), 1U);
  EXPECT_EQ(text(c.incident().at("ended")), "healed");
  EXPECT_EQ(c.rollcall.metric("erlang_cluster_netsplits_detected_total", {{"type", "full"}}), 1);
  EXPECT_EQ(c.rollcall.metric("erlang_cluster_netsplits_healed_total", {{"type", "full"}}), 1);
}

// The case that a loop which connects whatever is missing makes worse for as long as it lasts.
TEST(Netsplit, OnePairOfSixLeavesFiveInPeace) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(6);
  ASSERT_TRUE(c.formed());
  const auto before = c.rounds();
  c.between({0}, {1}, true);
  ASSERT_TRUE(c.opens("partial"));
  EXPECT_LE(c.rounds() - before, 4);
  EXPECT_EQ(c.cause(), std::pair(std::size_t{0}, std::size_t{1}));
  EXPECT_TRUE(eventually([&] { return text(c.incident().at("cause").at("path")) == "timeout"; }, 60s,
                         "a probe of the path is known, too"));

  // Their ticks run out, what prevents overlapping partitions tears, and five find together.
  const auto settled = [&] {
    const auto parts = c.rollcall.partitions();
    return c.type() == "full" && parts.size() == 2 && parts[0].size() == 5 && c.rollcall.links_missing() == 5;
  };
  ASSERT_TRUE(eventually(settled, 90s, "five and one"));
  ASSERT_TRUE(c.wait_rounds(12)) << "longer than a tick time of either end";
  ASSERT_TRUE(settled());
  const auto quiet = c.downs();
  ASSERT_TRUE(c.wait_rounds(20));
  EXPECT_EQ(c.downs(), quiet) << "not one nodedown while it stays broken";
  const auto left_out = c.incident().at("left_out").as_array();
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_THAT(text(left_out[0]), testing::AnyOf(c.nodes.name(0), c.nodes.name(1)));
  EXPECT_THAT(json::serialize(c.rollcall.json("/api/v1/status").at("quarantine")),
              testing::HasSubstr("no path to"));

  c.between({0}, {1}, false);
  ASSERT_TRUE(c.heals());
  EXPECT_EQ(c.downs(), quiet) << "nor when it came back";
  EXPECT_EQ(c.incidents().size(), 1U);
  EXPECT_EQ(c.cause(), std::pair(std::size_t{0}, std::size_t{1}));
}

TEST(Netsplit, OneNodeAlone) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(5);
  ASSERT_TRUE(c.formed());
  const indices rest{1, 2, 3, 4};
  const auto before = c.rounds();
  c.between({0}, rest, true);
  ASSERT_TRUE(c.opens("full"));
  EXPECT_LE(c.rounds() - before, 4);
  EXPECT_EQ(c.groups(), (std::set<group>{c.names({0}), c.names(rest)}));
  EXPECT_EQ(c.cause().first, 0U);
  const auto gate = c.rollcall.get("/api/v1/ready/" + c.nodes.name(0));
  EXPECT_EQ(gate.status, 503U) << gate.body;
  EXPECT_EQ(c.rollcall.get("/api/v1/ready/" + c.nodes.name(1)).status, 200U);
  EXPECT_EQ(c.rollcall.get("/api/v1/ready/" + c.nodes.name(1) + "?strict=1").status, 503U);
  ASSERT_TRUE(eventually([&] { return c.downs()[0] == 4; }, 60s, "it has lost all"));
  c.between({0}, rest, false);
  ASSERT_TRUE(c.heals());
  EXPECT_TRUE(c.meshed(rest));
  for (const auto i : rest) EXPECT_EQ(c.downs()[i], 1) << c.nodes.name(i);
  EXPECT_EQ(c.incidents().size(), 1U);
}

TEST(Netsplit, ThreeWays) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(6);
  ASSERT_TRUE(c.formed());
  const indices one{0, 1}, two{2, 3}, three{4, 5};
  c.between(one, two, true);
  c.between(one, three, true);
  c.between(two, three, true);
  ASSERT_TRUE(c.opens("full"));
  ASSERT_TRUE(eventually([&] { return c.groups().size() == 3; }, 30s, "three groups"));
  EXPECT_EQ(c.groups(), (std::set<group>{c.names(one), c.names(two), c.names(three)}));
  ASSERT_TRUE(eventually(
      [&] {
        const auto all = c.downs();
        return std::ranges::all_of(all, [](int n) { return n == 4; });
      },
      60s, "everybody has lost the other four"));
  c.between(one, two, false);
  c.between(one, three, false);
  c.between(two, three, false);
  ASSERT_TRUE(c.heals());
  for (const auto n : c.downs()) EXPECT_EQ(n, 4);
  EXPECT_EQ(c.incidents().size(), 1U);
}

TEST(Netsplit, PacketsLostInOneDirectionAreAPartialOne) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(4, {"-kernel", "net_ticktime", "8", "-kernel", "prevent_overlapping_partitions", "false"});
  ASSERT_TRUE(c.formed());
  c.nodes.net().mute(c.nodes.hostname(0), c.nodes.hostname(1));
  ASSERT_TRUE(c.opens("partial"));
  EXPECT_EQ(c.cause(), std::pair(std::size_t{0}, std::size_t{1}));
  ASSERT_TRUE(eventually([&] { return c.downs()[0] == 1 && c.downs()[1] == 1; }, 60s, "both have noticed"));
  ASSERT_TRUE(c.wait_rounds(3));
  EXPECT_EQ(c.type(), "partial");
  EXPECT_EQ(c.rollcall.partitions().size(), 1U);
  c.nodes.net().heal(c.nodes.hostname(0), c.nodes.hostname(1));
  ASSERT_TRUE(c.heals());
  EXPECT_EQ(c.downs()[2] + c.downs()[3], 0);
  EXPECT_EQ(c.incidents().size(), 1U);
}

TEST(Netsplit, ALinkThatOnlyOneEndBelievesInIsAsymmetric) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(3, {"-kernel", "net_ticktime", "24", "-kernel", "prevent_overlapping_partitions", "false"});
  ASSERT_TRUE(c.formed());
  const auto a = c.nodes.hostname(0), b = c.nodes.hostname(1);
  c.nodes.net().lose_closings(a, b);
  EXPECT_EQ(c.nodes.node(0).eval("erlang:disconnect_node('" + c.nodes.name(1) + "')"), "true");
  ASSERT_TRUE(c.opens("asymmetric"));
  EXPECT_EQ(c.cause(), std::pair(std::size_t{0}, std::size_t{1}));
  EXPECT_EQ(c.rollcall.metric("erlang_cluster_links", {{"state", "one_way"}}), 1);
  EXPECT_EQ(c.rollcall.partitions().size(), 1U);
  EXPECT_EQ(c.downs()[1], 0) << "it knows of nothing";
  c.nodes.net().heal(a, b);
  ASSERT_TRUE(c.heals());
  EXPECT_EQ(c.incidents().size(), 1U);
  EXPECT_EQ(c.downs()[2], 0);
}

// Most splits: we are on one of the sides, and see the others fall silent.
void inside(const indices& with_us, const indices& cut_off) {
  cluster c(with_us.size() + cut_off.size());
  ASSERT_TRUE(c.formed());
  c.between(with_us, cut_off, true);
  c.observer(cut_off, true);
  ASSERT_TRUE(eventually([&] { return c.raised("possible_split"); }, 90s, "a possible split"));
  EXPECT_TRUE(c.incidents().empty()) << "dead or cut off: nobody can tell from here";
  EXPECT_EQ(c.rollcall.partitions().size(), 1U) << "what cannot be reached is no partition";
  const auto lost = [&] {
    const auto all = c.downs();
    return std::ranges::all_of(with_us,
                               [&](std::size_t i) { return all[i] == static_cast<int>(cut_off.size()); });
  };
  ASSERT_TRUE(eventually(lost, 60s, "who is with us has lost the others"));
  ASSERT_TRUE(c.wait_rounds(3));
  for (const auto i : cut_off) EXPECT_EQ(c.rollcall.get("/api/v1/ready/" + c.nodes.name(i)).status, 200U);
  c.between(with_us, cut_off, false);
  c.observer(cut_off, false);
  ASSERT_TRUE(eventually([&] { return c.closed(); }, 120s, "recorded, and over"));
  ASSERT_TRUE(eventually([&] { return c.rollcall.whole(c.nodes.size()); }, 60s, "whole again"));
  ASSERT_EQ(c.incidents().size(), 1U);
  EXPECT_EQ(c.type(), "full");
  EXPECT_EQ(c.groups(), (std::set<group>{c.names(with_us), c.names(cut_off)}));
  const auto [a, b] = c.cause();
  const auto side = [&](std::size_t i) { return std::ranges::find(with_us, i) != with_us.end(); };
  EXPECT_NE(side(a), side(b));
  EXPECT_TRUE(lost());
}

TEST(Netsplit, RollcallInsideTheSmallerHalf) {
  ROLLCALL_NEEDS_NETWORK();
  inside({0, 1}, {2, 3, 4, 5});
}

TEST(Netsplit, RollcallInsideTheLargerHalf) {
  ROLLCALL_NEEDS_NETWORK();
  inside({0, 1, 2, 3}, {4, 5});
}

TEST(Netsplit, OnlyTheObserverIsCutFromHalf) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(6);
  ASSERT_TRUE(c.formed());
  c.observer({0, 1, 2}, true);
  ASSERT_TRUE(eventually([&] { return c.rollcall.state(c.nodes.name(0)) == "suspect"; }, 60s, "suspect"));
  ASSERT_TRUE(c.wait_rounds(20)) << "more than a tick time";
  EXPECT_TRUE(c.incidents().empty());
  EXPECT_EQ(c.rollcall.state(c.nodes.name(0)), "suspect") << "the others still see it";
  c.observer({0, 1, 2}, false);
  ASSERT_TRUE(eventually([&] { return c.rollcall.whole(6); }, 90s, "whole"));
  ASSERT_TRUE(c.wait_rounds(5));
  EXPECT_TRUE(c.incidents().empty());
  for (const auto n : c.downs()) EXPECT_EQ(n, 0);
}

TEST(Netsplit, APairThatComesAndGoes) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(4);
  ASSERT_TRUE(c.formed());
  for (int round = 0; round < 2; ++round) {
    c.between({0}, {1}, true);
    ASSERT_TRUE(eventually([&] { return c.open(); }, 60s, "open"));
    ASSERT_TRUE(eventually([&] { return c.type() == "full"; }, 60s, "torn"));
    c.between({0}, {1}, false);
    ASSERT_TRUE(c.heals(240s)) << "the pause grows each time";
  }
  EXPECT_EQ(c.incidents().size(), 2U) << "one each time";
  const auto all = c.incidents();
  for (const auto& one : all) {
    EXPECT_EQ(one.at("cause").at("reason"), "probe");
  }
}

TEST(Netsplit, AFrozenNodeIsOneSuspectAndNoSplit) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(5, {});
  ASSERT_TRUE(c.formed());
  c.nodes.node(2).freeze();
  ASSERT_TRUE(eventually([&] { return c.rollcall.state(c.nodes.name(2)) == "suspect"; }, 60s, "suspect"));
  EXPECT_EQ(c.rollcall.metric("erlang_cluster_members", {{"state", "suspect"}}), 1);
  EXPECT_EQ(c.rollcall.links_missing(), 0U);
  ASSERT_TRUE(c.wait_rounds(5));
  c.nodes.node(2).thaw();
  ASSERT_TRUE(eventually([&] { return c.rollcall.whole(5); }, 60s, "whole"));
  ASSERT_TRUE(c.wait_rounds(3));
  EXPECT_TRUE(c.incidents().empty());
  for (const auto n : c.downs()) EXPECT_EQ(n, 0);
}

TEST(Netsplit, HalvesOfTwentyAreOneIncident) {
  ROLLCALL_NEEDS_NETWORK();
  cluster c(20);
  ASSERT_TRUE(c.formed());
  indices some, others;
  for (std::size_t i = 0; i < 20; ++i) (i % 2 == 0 ? some : others).push_back(i);
  c.between(some, others, true);
  ASSERT_TRUE(c.opens("full", 120s));
  ASSERT_TRUE(eventually([&] { return c.groups().size() == 2; }, 30s, "two groups"));
  EXPECT_EQ(c.groups(), (std::set<group>{c.names(some), c.names(others)}));
  c.between(some, others, false);
  ASSERT_TRUE(c.heals(180s));
  EXPECT_EQ(c.incidents().size(), 1U);
}

// One after the other: under its old name with a new address, or under the name of its new address.
class RollingRestart : public testing::TestWithParam<bool> {};

TEST_P(RollingRestart, IsNoNetsplitAndDisturbsNobody) {
  ROLLCALL_NEEDS_NETWORK();
  const bool dashed = GetParam();
  cluster c(4, {"-kernel", "net_ticktime", "8"}, {}, dashed);
  ASSERT_TRUE(c.formed());
  std::vector<int> expected(4, 0);
  for (std::size_t i = 0; i < 4; ++i) {
    c.nodes.bring_back(i);
    c.nodes.node(i).ready();
    c.nodes.node(i).watch();
    expected[i] = 0;
    for (std::size_t j = 0; j < 4; ++j) expected[j] += j == i ? 0 : 1;
    const auto restarted = [&] {
      return c.rollcall.metric("erlang_cluster_member_restarts_total", {{"member", c.nodes.name(i)}}) == 1;
    };
    if (!dashed) {
      ASSERT_TRUE(eventually(restarted, 60s, "seen as restarted"));
    }
    ASSERT_TRUE(eventually([&] { return c.rollcall.state(c.nodes.name(i)) == "up"; }, 60s, "up"));
    ASSERT_TRUE(eventually([&] { return c.rollcall.whole(4); }, 60s, "whole"));
    EXPECT_EQ(c.downs(), expected) << "nobody lost anybody but the one that was restarted";
  }
  EXPECT_TRUE(c.incidents().empty()) << json::serialize(c.incidents());
}

INSTANTIATE_TEST_SUITE_P(Names, RollingRestart, testing::Bool(),
                         [](const auto& row) { return row.param ? "Deployment" : "StatefulSet"; });

// What the simulation's model says of a hard cut, and of a loop that connects whatever is missing, on real
// nodes and without Rollcall: see Model in test/simulation/mesh_test.cpp.
TEST(Netsplit, RealNodesDoWhatTheModelDoes) {
  ROLLCALL_NEEDS_NETWORK();
  pods nodes({.count = 6, .arguments = {"-kernel", "net_ticktime", "8"}});
  const auto connect_missing = [&] {
    for (std::size_t a = 0; a < 6; ++a) {
      for (std::size_t b = 0; b < 6; ++b) {
        if (a != b)
          nodes.node(a).eval("spawn(fun() -> net_kernel:connect_node('" + nodes.name(b) + "') end), ok");
      }
    }
  };
  const auto sees = [&](std::size_t i) { return nodes.node(i).nodes().size(); };
  connect_missing();
  ASSERT_TRUE(eventually(
      [&] {
        for (std::size_t i = 0; i < 6; ++i) {
          if (sees(i) != 5) return false;
        }
        return true;
      },
      60s, "six are one"));
  for (std::size_t i = 0; i < 6; ++i) nodes.node(i).watch();
  nodes.net().cut(nodes.hostname(0), nodes.hostname(1));
  nodes.node(0).eval("erlang:disconnect_node('" + nodes.name(1) + "')");
  nodes.node(1).eval("erlang:disconnect_node('" + nodes.name(0) + "')");
  // Both ends, or the one that the other has told of first.
  EXPECT_TRUE(eventually(
      [&] {
        return std::min(sees(0), sees(1)) == 0 && sees(2) >= 3 && sees(2) == sees(5) && sees(3) == sees(4);
      },
      30s, "who lost somebody is out, and the four are whole"));
  const auto downs = [&] {
    int sum = 0;
    for (std::size_t i = 0; i < 6; ++i) sum += nodes.node(i).downs();
    return sum;
  };
  // It never ends by itself.
  for (int round = 0; round < 2; ++round) {
    const auto before = downs();
    EXPECT_TRUE(eventually(
        [&] {
          connect_missing();
          return downs() > before;
        },
        60s, "healthy links are torn again"));
  }
}

}  // namespace
}  // namespace rollcall::test
