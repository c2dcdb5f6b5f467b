// Rules of the plan taken away, one at a time: each must be noticed within its number of seeds.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

#include "membership/mutation.hpp"
#include "test/simulation/jail.hpp"
#include "test/simulation/parts.hpp"

namespace rollcall::simulation {

namespace {

using membership::rule_taken;

constexpr std::size_t least_noticed = 20;
constexpr unsigned one_at_most = 300;  // seconds, on a busy machine

struct mutant {
  rule_taken what;
  const char* name;
  // Named histories come first; then so many seeds that keep every rule with the plan as it is.
  std::uint64_t within;
  const char* not_noticed = nullptr;  // why, when nothing notices it
};

#define TAKEN(name, within) \
  { rule_taken::name, #name, within }

#define NOT_NOTICED(name, reason) \
  { rule_taken::name, #name, 60, reason }

constexpr mutant mutants[] = {
    TAKEN(misses_are_confirmed, 60),
    TAKEN(misses_are_noticed, 60),
    TAKEN(losses_are_waited_for, 60),
    NOT_NOTICED(what_is_torn_has_one_cause,
                "no history tears a pair whose both ends lost the same third node"),
    TAKEN(incidents_close, 60),
    TAKEN(who_is_gone_is_not_waited_for, 60),
    TAKEN(openings_are_told, 60),
    TAKEN(groups_are_of_the_worst_moment, 60),
    TAKEN(dialled_once, 60),
    TAKEN(views_asked_for_once, 60),
    TAKEN(dials_pause, 60),
    TAKEN(asked_once, 60),
    TAKEN(paths_are_proven, 60),
    TAKEN(only_who_is_up_is_asked, 100),
    TAKEN(newcomers_are_introduced, 60),
    TAKEN(groups_are_joined, 60),
    TAKEN(missing_links_are_repaired, 60),
    TAKEN(overlap_is_prevented, 60),
    TAKEN(what_fails_is_held_back, 60),
    TAKEN(repairs_are_looked_for, 60),
    TAKEN(refusals_are_tried, 60),
    TAKEN(probes_pause, 60),
    TAKEN(only_fresh_views_count, 60),
    TAKEN(wakes_in_the_future, 60),
};

#undef TAKEN
#undef NOT_NOTICED

#ifdef ROLLCALL_MUTANTS

// Those that are right with the plan as it is, and quick.
std::vector<const named_history*> clean_histories() {
  std::vector<const named_history*> clean;
  for (const auto& history : named_histories()) {
    if (!history.large && in_jail(history.play, one_at_most).empty()) clean.push_back(&history);
  }
  return clean;
}

// The first thing that was noticed, in what, and after how many seeds; empty when nothing was.
std::string noticed(const mutant& m, const std::vector<const named_history*>& named,
                    const std::vector<std::uint64_t>& seeds) {
  const auto without_it = [&](const std::function<std::string()>& look) {
    return in_jail(
        [&] {
          membership::rule_left_out = m.what;
          return look();
        },
        one_at_most);
  };
  for (const auto* history : named) {
    const auto said = without_it(history->play);
    if (!said.empty()) return fmt::format("{}: {}", history->name, said.substr(0, said.find('\n')));
  }
  for (std::uint64_t tried = 0; tried < std::min<std::uint64_t>(m.within, seeds.size()); ++tried) {
    const auto said = without_it([&]() -> std::string {
      const auto result = play(seeds[tried], false);
      return result.wrong ? fmt::format("{}: {}", to_string(result.wrong->broken), result.wrong->what) : "";
    });
    if (!said.empty()) return fmt::format("seed {} ({} of {}): {}", seeds[tried], tried + 1, m.within, said);
  }
  return "";
}

#endif

}  // namespace

bool play_without(const std::string& rule, std::uint64_t from, std::uint64_t to) {
  const auto found = std::ranges::find_if(mutants, [&](const mutant& m) { return rule == m.name; });
  if (found == std::end(mutants)) {
    for (const auto& m : mutants) fmt::print("{}\n", m.name);
    return false;
  }
#ifdef ROLLCALL_MUTANTS
  const auto verdict = [](std::uint64_t seed) {
    const auto result = play(seed, false);
    return result.wrong
               ? fmt::format("{}: {}\n  {}", to_string(result.wrong->broken), result.wrong->what, result.plan)
               : "";
  };
  for (const auto& history : named_histories()) {
    if (history.large) continue;
    const auto said = in_jail(
        [&] {
          membership::rule_left_out = found->what;
          return history.play();
        },
        one_at_most);
    if (!said.empty()) fmt::print("{}: {}\n", history.name, said.substr(0, said.find('\n')));
    std::fflush(stdout);
  }
  for (auto seed = from; seed < to; ++seed) {
    const auto said = in_jail(
        [&] {
          membership::rule_left_out = found->what;
          return verdict(seed);
        },
        one_at_most);
    if (said.empty()) continue;
    const bool clean = in_jail([&] { return verdict(seed); }, one_at_most).empty();
    fmt::print("seed {}{}: {}\n", seed, clean ? "" : ", which breaks a rule anyway", said);
    std::fflush(stdout);
  }
#else
  static_cast<void>(from);
  static_cast<void>(to);
#endif
  return true;
}

bool play_mutants(unsigned jobs, const std::set<std::uint64_t>& unclean) {
#ifndef ROLLCALL_MUTANTS
  static_cast<void>(jobs);
  static_cast<void>(unclean);
  fmt::print("rules are taken away in the build `simulation` only; here are {} of them\n",
             std::size(mutants));
  return true;
#else
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 1; seeds.size() < 200; ++seed) {
    if (!unclean.contains(seed)) seeds.push_back(seed);
  }
  const auto named = clean_histories();
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> right{true};
  std::size_t count = 0;
  const auto worker = [&] {
    for (auto i = next++; i < std::size(mutants); i = next++) {
      const auto said = noticed(mutants[i], named, seeds);
      const std::lock_guard lock(mutex);
      const auto& m = mutants[i];
      count += said.empty() ? 0 : 1;
      if (said.empty() && m.not_noticed == nullptr) right = false;
      const auto* verdict = !said.empty() ? "noticed" : m.not_noticed == nullptr ? "FAIL" : "NOT NOTICED";
      fmt::print("{} without {}: {}\n", verdict, m.name,
                 !said.empty()              ? said
                 : m.not_noticed != nullptr ? m.not_noticed
                                            : fmt::format("nothing in {} seeds", m.within));
      std::fflush(stdout);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(jobs, 1U); ++i) threads.emplace_back(worker);
  for (auto& thread : threads) thread.join();
  fmt::print("{} of {} rules are missed when they are taken away; {} must be\n", count, std::size(mutants),
             least_noticed);
  return right && count >= least_noticed;
#endif
}

}  // namespace rollcall::simulation
