// Probes of links, in virtual time: everybody is probed in turn, at a cost that does not grow, and what is
// dark is found within three intervals at any size.
#include "membership/prober.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "test/unit/membership/some_up.hpp"

namespace rollcall::membership::test {
namespace {

// Members that are all linked to each other in their views, and a network between them that need not carry
// it.
struct field : some_up {
  explicit field(std::size_t count) : some_up(count) {
    options.probe = true;
    rank_set all(count);
    for (std::size_t i = 0; i < count; ++i) all.insert(i);
    probes.reorder(previous);
    for (std::size_t i = 0; i < count; ++i) {
      auto row = all;
      row.erase(i);
      views.replace(i, row);
    }
  }

  step_context context() { return some_up::context(probes.suspected()); }
  bool carries(std::size_t a, std::size_t b) const { return !dark || !dark(a, b); }

  // Answers what is asked after its time, until `until`.
  void run(steady_time until) {
    while (now < until) {
      deadline wake(now, now + options.interval);
      std::vector<any_action> actions;
      probes.plan(context(), paths, wake, actions);
      for (const auto& any : actions) {
        if (const auto* p = std::get_if<action::probe_path>(&any)) {
          const auto a = members.find(p->on)->rank, b = members.find(p->to)->rank;
          ++path_probes;
          pending.emplace(
              now + (carries(a, b) ? 2ms : p->limit),
              fact::path_probed{p->id, carries(a, b) ? path_probe::reachable : path_probe::timeout});
          continue;
        }
        const auto& l = std::get<action::probe_links>(any);
        const auto on = members.find(l.on)->rank;
        ++calls[on];
        std::vector<link_probe> results;
        bool all = true;
        for (const auto& name : l.to) {
          const auto to = members.find(name)->rank;
          ++sent[on];
          ++received[to];
          covered.insert(std::minmax(on, to));
          auto result = link_probe::answered;
          if (frozen.contains(on) || deaf.contains(on)) {
            result = link_probe::no_word;
          } else if (frozen.contains(to) || deaf.contains(to)) {
            result = l.confirm ? link_probe::no_word : link_probe::silent;
          } else if (!carries(on, to)) {
            result = link_probe::silent;
          }
          all &= result == link_probe::answered;
          results.push_back(result);
        }
        pending.emplace(now + (all ? 2ms : l.limit), fact::links_probed{l.id, std::move(results)});
      }
      auto next = std::min(until, wake.next());
      if (!pending.empty()) next = std::min(next, pending.begin()->first);
      now = std::max(next, now + 1ms);
      while (!pending.empty() && pending.begin()->first <= now) {
        const auto told = pending.begin()->second;
        pending.erase(pending.begin());
        if (const auto* l = std::get_if<fact::links_probed>(&told)) probes.probed(*l, context());
        if (const auto* p = std::get_if<fact::path_probed>(&told)) paths.answered(*p, now);
      }
    }
  }
  std::size_t suspected() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      for (const auto w : probes.suspected().sees(i)) sum += static_cast<std::size_t>(std::popcount(w));
    }
    return sum / 2;
  }

  prober probes;
  path_book paths;
  std::function<bool(std::size_t, std::size_t)> dark;
  std::set<std::size_t> frozen, deaf;  // deaf: only our link to it is dark
  std::multimap<steady_time, any_fact> pending;
  std::map<std::size_t, std::size_t> calls, sent, received;
  std::set<std::pair<std::size_t, std::size_t>> covered;
  std::size_t path_probes = 0;
};

TEST(Prober, CoversEveryPairOfFortyWithinTwoIntervals) {
  for (const std::size_t count : {2U, 3U, 6U, 20U, 21U, 39U, 40U}) {
    field f(count);
    f.run(f.now + 2 * f.options.interval - 1ms);
    EXPECT_EQ(f.covered.size(), count * (count - 1) / 2) << count;
  }
}

TEST(Prober, CostsTheSameForEachNodeFromTwentyToTwoHundred) {
  for (const std::size_t count : {20U, 40U, 100U, 200U}) {
    field f(count);
    f.run(f.now + 12 * f.options.interval - 1ms);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_LE(f.calls[i], 12U) << count;
      EXPECT_LE(f.sent[i], 12 * prober::per_node) << count;
      EXPECT_LE(f.received[i], 12 * prober::per_node) << count;
    }
    EXPECT_EQ(f.path_probes, 0U);
  }
}

TEST(Prober, OneCallForTenOfAThousandInQuietAndEachHasAnsweredUs) {
  field f(1'000);
  for (int interval = 0; interval < 12; ++interval) {
    f.calls.clear();
    f.sent.clear();
    f.received.clear();
    f.run(f.now + f.options.interval - 1ms);
    std::size_t calls = 0, probed = 0;
    for (std::size_t i = 0; i < 1'000; ++i) {
      calls += f.calls[i];
      probed += f.received[i];
      EXPECT_EQ(f.calls[i] + f.received[i], 1U) << i;
      EXPECT_LE(f.sent[i], prober::per_node);
    }
    EXPECT_EQ(calls, 91U);
    EXPECT_EQ(probed, 909U);
    auto heard = f.probes.take_heard();
    std::ranges::sort(heard);
    EXPECT_EQ(heard.size(), 1'000U);
    EXPECT_EQ(std::ranges::adjacent_find(heard), heard.end());
    for (const auto& m : f.members.all()) EXPECT_LE(f.now - m->heard_at, f.options.interval);
    f.run(f.now + 1ms);
  }
  EXPECT_GT(f.covered.size(), 10'000U) << "others in each round";
}

// Its reports do not come over that link, and neither do its answers to the probes of others.
TEST(Prober, OneThatOnlyOthersReachHasNotAnsweredUs) {
  for (const std::size_t size : {20U, 1'000U}) {
    field f(size);
    f.deaf = {7};
    const auto began = f.now;
    for (auto& m : f.members.all()) m->heard_at = began;
    for (int interval = 0; interval < 6; ++interval) {
      f.run(f.now + f.options.interval);
      const auto heard = f.probes.take_heard();
      EXPECT_EQ(std::ranges::count(heard, f.members[7].id), 0) << size << ": its status is asked for";
    }
    EXPECT_EQ(f.members[7].heard_at, began) << size;
    EXPECT_EQ(f.suspected(), 0U) << size << ": nothing is learnt about its links";
  }
}

TEST(Prober, NeverAsksForMoreThanItsBoundInAnInterval) {
  field f(prober::in_turn_up_to);
  f.run(f.now + f.options.interval - 1ms);
  std::size_t total = 0;
  for (const auto& [rank, count] : f.sent) total += count;
  EXPECT_LE(total, prober::per_round);
  EXPECT_GE(total, prober::per_round / 2);
}

TEST(Prober, FindsADarkPairWithinThreeIntervals) {
  for (const std::size_t count : {2U, 6U, 20U, 40U}) {
    field f(count);
    f.run(f.now + 2 * f.options.interval + 137ms);
    f.dark = [&](std::size_t a, std::size_t b) {
      return std::minmax(a, b) == std::minmax<std::size_t>(0, count - 1);
    };
    f.run(f.now + 3 * f.options.interval);
    EXPECT_EQ(f.suspected(), 1U) << count;
    EXPECT_TRUE(f.probes.suspected().sees(0, count - 1));
    const auto found = f.probes.take_new();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_GE(f.path_probes, 1U) << "the path beside it";
    f.dark = nullptr;
    f.run(f.now + 2 * f.options.interval);
    EXPECT_EQ(f.suspected(), 0U);
  }
}

TEST(Prober, FindsHalvesWithinThreeIntervalsAtAnySize) {
  for (const std::size_t count : {6U, 20U, 200U, 1'000U}) {
    field f(count);
    f.run(f.now + 2 * f.options.interval + 137ms);
    f.dark = [&](std::size_t a, std::size_t b) {
      return (a * 7919 % count < count / 2) != (b * 7919 % count < count / 2);
    };
    std::size_t cross = 0;
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = 0; b < a; ++b) cross += f.dark(a, b) ? 1 : 0;
    }
    f.run(f.now + 3 * f.options.interval);
    EXPECT_EQ(f.suspected(), cross) << count;
    f.dark = nullptr;
    f.run(f.now + f.options.interval + 2 * f.options.probe_limit);
    EXPECT_EQ(f.suspected(), 0U) << count << ": one that answers has all others asked at once";
  }
}

TEST(Prober, HalvesThatStayCutAreTestedBySomeOfTheirPairs) {
  field f(1'000);
  f.dark = [](std::size_t a, std::size_t b) { return (a < 500) != (b < 500); };
  f.run(f.now + 3 * f.options.interval);
  const auto before = f.covered.size();
  f.run(f.now + 6 * f.options.interval);
  std::size_t across = 0;
  for (const auto& [a, b] : f.covered) across += f.dark(a, b) ? 1 : 0;
  EXPECT_EQ(f.suspected(), 250'000U);
  EXPECT_LE(across, prober::per_round + 6 * prober::per_round / 8)
      << "what is inferred is not tested pair by pair";
  EXPECT_GT(f.covered.size(), before);
}

// Whenever it comes: just after what is suspected was asked again, too; and however many of that are about
// one.
TEST(Prober, WhatIsRepairedIsWholeWithinTwoSecondsAtAnyTime) {
  const auto halves = [](std::size_t a, std::size_t b) { return (a % 2 == 0) != (b % 2 == 0); };
  const auto one_node = [](std::size_t a, std::size_t b) { return a == 3 || b == 3; };
  for (const std::size_t count : {6U, 20U, 1'000U}) {
    for (const auto& dark : {std::function<bool(std::size_t, std::size_t)>(halves), {one_node}}) {
      field f(count);
      for (auto later = 0ms; later < f.options.interval; later += 500ms) {
        f.dark = dark;
        f.run(f.now + 4 * f.options.interval + 500ms);
        ASSERT_GT(f.suspected(), 0U) << count;
        f.dark = nullptr;
        f.run(f.now + 2s);
        EXPECT_EQ(f.suspected(), 0U) << count << " members, " << later.count() << " ms later";
      }
    }
  }
}

TEST(Prober, ACanaryKeepsNobodyFromBeingAskedInTurn) {
  field f(3);
  f.dark = [](std::size_t a, std::size_t b) { return a + b == 1; };
  f.run(f.now + 4 * f.options.interval);
  ASSERT_EQ(f.suspected(), 1U);
  for (int round = 0; round < 6; ++round) {
    f.covered.clear();
    f.run(f.now + f.options.interval);
    EXPECT_EQ(f.covered.size(), 3U) << round << ": the other two pairs are looked at in each";
  }
}

TEST(Prober, FindsOneNodeAloneWithinThreeIntervalsAtAnySize) {
  for (const std::size_t count : {6U, 200U, 1'000U}) {
    field f(count);
    f.run(f.now + 2 * f.options.interval + 137ms);
    f.dark = [](std::size_t a, std::size_t b) { return a == 3 || b == 3; };
    f.run(f.now + 3 * f.options.interval);
    EXPECT_EQ(f.suspected(), count - 1) << count;
  }
}

TEST(Prober, AFrozenNodeIsNoDarkPair) {
  field f(20);
  f.run(f.now + f.options.interval);
  f.frozen = {4};
  f.run(f.now + 6 * f.options.interval);
  EXPECT_EQ(f.suspected(), 0U);
  f.frozen.clear();
  f.run(f.now + 2 * f.options.interval);
  EXPECT_EQ(f.suspected(), 0U);
}

// Its misses are not confirmed, and while one pair is dark they must not be taken for a second cut.
TEST(Prober, AFrozenNodeBesideADarkPairIsNoGroupOfDarkPairs) {
  for (const std::size_t count : {11U, 17U, 24U}) {
    field f(count);
    f.run(f.now + 2 * f.options.interval + 137ms);
    f.dark = [](std::size_t a, std::size_t b) { return std::minmax(a, b) == std::minmax<std::size_t>(0, 1); };
    f.frozen = {5};
    std::size_t most = 0;
    for (const auto end = f.now + 2 * f.options.interval; f.now < end;) {
      f.run(f.now + 50ms);
      most = std::max(most, f.suspected());
    }
    EXPECT_LE(most, 1U) << count;
    f.frozen.clear();
    f.run(f.now + 2 * f.options.interval);
    EXPECT_EQ(f.suspected(), 1U) << count;
  }
}

TEST(Prober, WhatTheViewsGiveUpIsNotSuspectedAnyMore) {
  field f(6);
  f.dark = [](std::size_t a, std::size_t b) { return std::minmax(a, b) == std::minmax<std::size_t>(0, 1); };
  f.run(f.now + 3 * f.options.interval);
  ASSERT_EQ(f.suspected(), 1U);
  f.views.unset(0, 1);
  f.run(f.now + f.options.interval);
  EXPECT_EQ(f.suspected(), 1U) << "one of them still believes in it";
  f.views.unset(1, 0);
  f.run(f.now + f.options.interval);
  EXPECT_EQ(f.suspected(), 0U);
}

TEST(Prober, RequestsThatAreNeverAnsweredAreGivenUp) {
  field f(4);
  deadline wake(f.now, f.now + 5s);
  std::vector<any_action> actions;
  f.probes.plan(f.context(), f.paths, wake, actions);
  ASSERT_FALSE(actions.empty());
  f.now += 11s;
  actions.clear();
  f.probes.plan(f.context(), f.paths, wake, actions);
  EXPECT_FALSE(actions.empty()) << "asked again";
  EXPECT_FALSE(f.probes.probed(fact::links_probed{1, {}}, f.context())) << "and a late answer is nobody's";
}

// A newcomer has no path to it. It is dark to all others, too, since a moment after they probed each other.
TEST(Prober, WhatANewcomerDoesNotReachIsLookedAtOutOfTurnOnceAnInterval) {
  for (const bool doubted : {false, true}) {
    field f(60);
    f.run(f.now + 100ms);
    f.dark = [](std::size_t a, std::size_t b) { return a == 7 || b == 7; };
    const auto before = f.received[7];
    if (doubted) {
      EXPECT_TRUE(f.probes.look_at({f.members[7].id}, f.context()));
      EXPECT_FALSE(f.probes.look_at({f.members[7].id}, f.context()));
    }
    f.run(f.now + 3'000ms);
    EXPECT_EQ(f.suspected(), doubted ? 59U : 0U);
    EXPECT_LE(f.received[7] - before, prober::per_node);
  }
}

// It leaves before its turn comes.
TEST(Prober, WhoIsForgottenIsNotLookedAt) {
  field f(20);
  f.run(f.now + 100ms);
  const auto id = f.members[7].id;
  ASSERT_TRUE(f.probes.look_at({id}, f.context()));
  f.probes.forget(f.members[7]);
  f.members.remove(f.members[7]);
  const auto previous = f.members.settle();
  f.views.reorder(previous);
  f.probes.reorder(previous);
  f.run(f.now + 100ms);
  EXPECT_EQ(f.members.find(id), nullptr);
}

// To those that hold no link to it there is nothing to ask.
TEST(Prober, WhatNobodyHoldsIsNotLookedAt) {
  field f(20);
  f.run(f.now + 100ms);
  for (std::size_t i = 0; i < 20; ++i) {
    rank_set row(20);
    for (std::size_t j = 0; j < 20; ++j) {
      if (i != j && j != 7) row.insert(j);  // it believes, and nobody else does
    }
    f.views.replace(i, row);
  }
  EXPECT_FALSE(f.probes.look_at({f.members[7].id}, f.context()));
}

}  // namespace
}  // namespace rollcall::membership::test
