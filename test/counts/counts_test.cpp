// What the core costs as counts, which are the same on a busy machine: steps, facts, questions and
// allocations of a quiet minute, of a cut and its repair, of half of the nodes gone and back. Measured by
// bench_core; the bounds leave a tenth.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bench/core/allocations.hpp"
#include "bench/core/played_cluster.hpp"
#include "membership/prober.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::membership::snapshot;
using namespace std::chrono_literals;

constexpr milliseconds rest = 20ms, interval = 5s;

bool whole(const snapshot& now, std::size_t size) {
  return now.up == size && now.partitions.size() == 1 && now.links_missing == 0;
}
bool open(const snapshot& now, std::size_t /*size*/) {
  return std::ranges::any_of(*now.incidents, [](const auto& i) { return !i.closed_at; });
}
bool over(const snapshot& now, std::size_t size) {
  return !open(now, size);
}

struct Counts : testing::Test {
  void settle(played_cluster& core) {
    ASSERT_LT(core.until(60s, whole), 60s);
    core.pass(30s);
    core.take();
  }
  // The second half of those that run stops; what follows from it takes `since`.
  void lose_half(played_cluster& core, milliseconds since) {
    settle(core);
    for (auto node = first_of_half(core); node < core.size(); ++node) core.stop(node);
    core.pass(since);
  }
  static mesh::index first_of_half(const played_cluster& core) {
    return static_cast<mesh::index>(core.size() / 2);
  }
};

TEST_F(Counts, AQuietMinute) {
  for (const std::size_t size : {20U, 200U, 1'000U}) {
    played_cluster core(size, true, rest);
    settle(core);
    core.pass(60s);
    const auto s = core.take();
    EXPECT_LE(s.steps, 26U) << size;
    EXPECT_EQ(s.connects_asked + s.paths_asked, 0U) << size;
    EXPECT_LE(s.views_asked, 2 * size) << size;
    EXPECT_EQ(s.statuses_asked, 0U) << size << ": all have answered a probe";
    if (size <= rollcall::membership::prober::in_turn_up_to) {
      EXPECT_LE(s.facts, 15 * size) << size << ": twelve answers to probes, two views";
      EXPECT_LE(s.allocations, 320 * size) << size;
    } else {
      EXPECT_LE(s.facts, 7 * size / 2) << size << ": one of eleven probes, and two views each";
      EXPECT_LE(s.probes_asked, 11 * size) << size;
      EXPECT_LE(s.allocations, 33 * size) << size;
    }
  }
}

// A thousand views of a thousand names are not on their way at the same time.
TEST_F(Counts, WatchedNodesConfirmTheirViewsInTurnAndSendNoNames) {
  constexpr std::size_t size = 200, rounds = 6;
  played_cluster core(size, true, rest);
  settle(core);
  std::size_t all = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    core.pass(interval);
    const auto asked = core.take();
    EXPECT_LE(asked.confirmations_asked, (size + rounds - 1) / rounds) << round;
    EXPECT_EQ(asked.views_asked, 0U) << round;
    all += asked.confirmations_asked;
  }
  EXPECT_EQ(all, size);
}

TEST_F(Counts, ASilentCutIsToldAndOverWithinTwoIntervals) {
  for (const std::size_t size : {20U, 200U, 1'000U}) {
    played_cluster core(size, true, rest);
    settle(core);
    core.nodes().cut(static_cast<mesh::index>(size / 2));
    EXPECT_LE(core.until(60s, open), 2 * interval) << size;
    core.pass(20s);
    core.take();
    core.nodes().repair();
    EXPECT_LE(core.until(60s, over), interval + 2s) << size << ": it is whole for an interval";
    EXPECT_TRUE(whole(core.shown(), size)) << size;
    EXPECT_LE(core.take().probes_asked, 20 * size) << size;
  }
}

// What is said of those that a cut leaves out is written when it changes, not in each of the steps.
TEST_F(Counts, ACutThatLastsIsToldOnce) {
  constexpr std::size_t size = 300;
  played_cluster core(size, true, rest);
  settle(core);
  core.nodes().cut(static_cast<mesh::index>(size / 2));
  ASSERT_LE(core.until(60s, open), 2 * interval);
  core.take();
  core.pass(15s);
  const auto s = core.take();
  EXPECT_LE(s.steps, 470U);
  EXPECT_LE(s.allocations, 3'400 * size);
}

// What many members see alike and no source lists is copied once, not once for each of them.
TEST(CountsOfUnlisted, AStepCopiesEachNameOnce) {
  namespace fact = rollcall::membership::fact;
  const auto named = [](std::size_t i) {
    return *rollcall::node_name::parse("n@host-" + std::to_string(1'000 + i) + ".cluster.example");
  };
  constexpr std::size_t listed = 60, unlisted = 500;
  std::vector<rollcall::node_name> members, all;
  for (std::size_t i = 0; i < listed + unlisted; ++i) {
    all.push_back(named(i));
    if (i < listed) members.push_back(named(i));
  }
  const auto at = [](std::chrono::milliseconds passed) {
    return rollcall::membership::moment{rollcall::membership::steady_time(passed),
                                        rollcall::membership::wall_time(passed)};
  };
  rollcall::membership::cluster core{rollcall::membership::settings{}};
  std::vector<rollcall::membership::any_fact> facts{fact::listed{members, {}}};
  for (const auto& name : members) facts.emplace_back(fact::link_up{name, 1, true});
  core.step(facts, at(1s));
  facts.clear();
  for (const auto& name : members) facts.emplace_back(fact::view{name, all, 1ms});
  core.step(facts, at(2s));
  ASSERT_EQ(core.snapshot()->unlisted.size(), unlisted);
  const auto before = allocations();
  core.step(std::vector<rollcall::membership::any_fact>{fact::view{members[0], all, 1ms}}, at(3s));
  EXPECT_LE(allocations() - before, 10 * (listed + unlisted));
}

// Names that are no members are parsed when they come, not in each view that holds them still. A copy of each
// is what the member holds.
TEST(CountsOfUnlisted, TheSameViewAgainIsNotReadNameByName) {
  namespace fact = rollcall::membership::fact;
  const auto named = [](std::string_view alive) {
    return *rollcall::node_name::parse(fmt::format("{}@host-with-a-name.cluster.example", alive));
  };
  constexpr std::size_t strangers = 16;
  rollcall::name_list seen;
  for (std::size_t i = 0; i < strangers; ++i) seen.add(named(fmt::format("stranger{}", i)).text());
  rollcall::membership::cluster core{rollcall::membership::settings{}};
  std::chrono::seconds passed{0};
  const auto tell = [&](rollcall::membership::any_fact fact) {
    ++passed;
    const auto before = allocations();
    core.take(std::vector{std::move(fact)},
              {rollcall::membership::steady_time(passed), rollcall::membership::wall_time(passed)});
    return allocations() - before;
  };
  tell(fact::listed{{named("member")}, {}});
  tell(fact::link_up{named("member"), 1, true});
  const auto first = tell(fact::view{named("member"), seen, 1ms});
  const auto second = tell(fact::view{named("member"), seen, 1ms});
  EXPECT_LE(second + strangers, first);
}

// Views of a large cluster come a few at a time, all through a round.
TEST(CountsOfViews, ThatTellNothingNewAreShownOnceARound) {
  namespace membership = rollcall::membership;
  namespace fact = membership::fact;
  std::vector<rollcall::node_name> nodes;
  for (std::size_t i = 0; i < 40; ++i) nodes.push_back(*rollcall::node_name::parse(fmt::format("n@h{}", i)));
  membership::settings options;
  options.heal = membership::heal_mode::off;
  membership::cluster core{options};
  milliseconds passed{0};
  const auto tell = [&](membership::any_fact fact) {
    passed += 100ms;
    return core.step(std::vector{std::move(fact)},
                     {membership::steady_time(passed), membership::wall_time(passed)});
  };
  const auto tell_view = [&](std::size_t i) {
    auto seen = nodes;
    std::erase(seen, nodes[i % nodes.size()]);
    return tell(fact::view{nodes[i % nodes.size()], seen, 1ms}).changed ? 1U : 0U;
  };
  tell(fact::listed{nodes, {}});
  for (const auto& node : nodes) tell(fact::link_up{node, 1, true});
  for (std::size_t i = 0; i < 2 * nodes.size(); ++i) tell_view(i);
  ASSERT_TRUE(whole(*core.snapshot(), nodes.size()));
  std::size_t drawn = 0;
  for (std::size_t i = 0; i < 600; ++i) drawn += tell_view(i);
  EXPECT_LE(drawn, 13U) << "a minute has twelve rounds";
}

// Probes and requests grow with the nodes that come, not with the pairs they make.
TEST_F(Counts, ManyThatComeAtOnceAreIntroducedByASample) {
  constexpr std::size_t size = 300;
  played_cluster core(size, true, rest);
  lose_half(core, 20s);
  core.take();
  for (auto node = first_of_half(core); node < size; ++node) core.start(node);
  EXPECT_LE(core.until(60s, whole), interval);
  const auto s = core.take();
  EXPECT_LE(s.paths_asked, 50 * size);
  EXPECT_LE(s.connects_asked, 20 * size);
  EXPECT_LE(s.views_asked, 6 * size);
}

// What waits in the one thread that reads keeps newcomers out as long as it takes to be read; answers to
// probes that nobody needs wait there, too.
TEST_F(Counts, ManyThatComeWhileOthersAreLinkedAskNoMore) {
  constexpr std::size_t size = 400;
  constexpr mesh::index few = 10;
  played_cluster core(size, true, rest);
  lose_half(core, 20s);
  core.take();
  core.read_in_turn(true);
  for (auto node = first_of_half(core); node < size; node += few) {
    for (mesh::index each = node; each < node + few; ++each) core.start(each);
    core.pass(40ms);
  }
  EXPECT_LE(core.until(60s, whole), interval);
  const auto s = core.take();
  EXPECT_LE(s.paths_asked, 40 * size);
  EXPECT_LE(s.connects_asked, 25 * size);
  EXPECT_LE(s.views_asked, 4 * size);
}

TEST_F(Counts, HalfGoneIsOneStepAndNoQuestion) {
  constexpr std::size_t size = 200;
  played_cluster core(size, true, rest);
  lose_half(core, 1s);
  const auto s = core.take();
  EXPECT_EQ(core.shown().up, size / 2);
  EXPECT_LE(s.steps, 8U);
  EXPECT_EQ(s.views_asked, 0U) << "the watchers have told";
}

}  // namespace
