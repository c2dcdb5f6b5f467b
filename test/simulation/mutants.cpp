// Rules of the plan taken away, one at a time: each must be noticed within its number of seeds.
#include <fmt/format.h>

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

constexpr unsigned one_seed_at_most = 300;  // seconds, on a busy machine

struct mutant {
  rule_taken what;
  const char* name;
  std::uint64_t within;  // seeds that keep every rule with the plan as it is
  bool not_yet = false;  // not noticed in so many: other rules stand in for it, or no history is hard enough
};

#define TAKEN(name, within) \
  { rule_taken::name, #name, within }

#define NOT_YET(name) \
  { rule_taken::name, #name, 60, true }

constexpr mutant mutants[] = {
    TAKEN(misses_are_confirmed, 60),
    TAKEN(misses_are_noticed, 60),
    TAKEN(losses_are_waited_for, 60),
    TAKEN(incidents_close, 60),
    TAKEN(openings_are_told, 60),
    TAKEN(dialled_once, 60),
    TAKEN(views_asked_for_once, 60),
    TAKEN(dials_pause, 60),
    TAKEN(paths_are_proven, 60),
    TAKEN(only_who_is_up_is_asked, 60),
    TAKEN(newcomers_are_introduced, 60),
    TAKEN(groups_are_joined, 60),
    TAKEN(missing_links_are_repaired, 60),
    TAKEN(overlap_is_prevented, 60),
    TAKEN(repairs_are_looked_for, 60),
    TAKEN(wakes_in_the_future, 60),
    // Looked for in 60 seeds, and not noticed.
    NOT_YET(who_is_gone_is_not_waited_for),
    NOT_YET(what_is_torn_has_one_cause),
    NOT_YET(groups_are_of_the_worst_moment),
    NOT_YET(asked_once),
    NOT_YET(what_fails_is_held_back),
    NOT_YET(probes_pause),
    NOT_YET(only_fresh_views_count),
};

#undef TAKEN
#undef NOT_YET

#ifdef ROLLCALL_MUTANTS

// What broke first, and after how many seeds; empty when nothing did.
std::string noticed(const mutant& m, const std::vector<std::uint64_t>& seeds) {
  std::uint64_t tried = 0;
  for (const auto seed : seeds) {
    if (tried++ >= m.within) break;
    const auto said = in_jail(
        [&]() -> std::string {
          membership::rule_left_out = m.what;
          const auto result = play(seed, false);
          return result.wrong ? fmt::format("{}: {}", to_string(result.wrong->broken), result.wrong->what)
                              : "";
        },
        one_seed_at_most);
    if (!said.empty()) return fmt::format("seed {} ({} of {}): {}", seed, tried, m.within, said);
  }
  return "";
}

#endif

}  // namespace

bool play_mutants(unsigned jobs, const std::set<std::uint64_t>& unclean) {
#ifndef ROLLCALL_MUTANTS
  static_cast<void>(jobs);
  static_cast<void>(unclean);
  fmt::print("rules are taken away in the build `simulation` only; here are {} of them\n",
             std::size(mutants));
  return true;
#else
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 1; seeds.size() < 100; ++seed) {
    if (!unclean.contains(seed)) seeds.push_back(seed);
  }
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> right{true};
  const auto worker = [&] {
    for (auto i = next++; i < std::size(mutants); i = next++) {
      const auto said = noticed(mutants[i], seeds);
      const std::lock_guard lock(mutex);
      const bool as_listed = said.empty() == mutants[i].not_yet;
      if (!as_listed) right = false;
      const auto* verdict = !as_listed ? "FAIL" : said.empty() ? "NOT YET TRUE" : "noticed";
      fmt::print("{} without {}: {}\n", verdict, mutants[i].name,
                 said.empty() ? fmt::format("nothing noticed in {} seeds", mutants[i].within) : said);
      std::fflush(stdout);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(jobs, 1U); ++i) threads.emplace_back(worker);
  for (auto& thread : threads) thread.join();
  return right;
#endif
}

}  // namespace rollcall::simulation
