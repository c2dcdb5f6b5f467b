// Rules of the plan taken away, one at a time: each must be noticed within its number of seeds.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <span>

#include "membership/mutation.hpp"
#include "test/simulation/jail.hpp"
#include "test/simulation/parts.hpp"

namespace rollcall::simulation {

namespace {

using membership::rule_taken;

constexpr unsigned one_at_most = 300;  // seconds, on a busy machine

// Where it was noticed last, which is played first; a rule that is noticed at all is seldom noticed elsewhere
// only.
struct noticed_in {
  const char* history = nullptr;
  std::uint64_t seed = 0;
  constexpr noticed_in() = default;
  constexpr noticed_in(const char* named) : history(named) {}
  constexpr noticed_in(int number) : seed(static_cast<std::uint64_t>(number)) {}
};

struct mutant {
  rule_taken what;
  const char* name;
  // Named histories come first; then so many seeds that keep every rule with the plan as it is.
  std::uint64_t within;
  noticed_in last;
};

#define TAKEN(name, within, last) \
  { rule_taken::name, #name, within, last }

constexpr mutant mutants[] = {
    TAKEN(misses_are_confirmed, 60, "a_dark_pair_and_a_frozen_node"),
    TAKEN(misses_are_noticed, 60, "a_node_cut_off_and_then_from_the_observer"),
    TAKEN(losses_are_waited_for, 60, "a_newcomer_while_a_machine_is_lost"),
    TAKEN(what_is_torn_has_one_cause, 60, "a_tear_goes_on_after_the_incident_opened"),
    TAKEN(incidents_close, 60, "an_observer_restarted_in_a_cut"),
    TAKEN(who_is_gone_is_not_waited_for, 60, 5),
    TAKEN(openings_are_told, 60, "an_unbroken_cut_is_told_once"),
    TAKEN(groups_are_of_the_worst_moment, 60, "a_half_that_dies_while_it_is_cut_off"),
    TAKEN(dialled_once, 60, 1),
    TAKEN(views_asked_for_once, 60, 1),
    TAKEN(dials_pause, 60, 20),
    TAKEN(asked_once, 60, 2),
    TAKEN(paths_are_proven, 60, "a_pair_that_refuses_the_handshake"),
    TAKEN(only_who_is_up_is_asked, 100, 57),
    TAKEN(newcomers_are_introduced, 60, "a_newcomer_while_a_machine_is_lost"),
    TAKEN(groups_are_joined, 60, "a_pair_that_refuses_the_handshake"),
    TAKEN(missing_links_are_repaired, 60, 16),
    TAKEN(overlap_is_prevented, 60, "a_pair_that_refuses_the_handshake"),
    TAKEN(what_fails_is_held_back, 60, 11),
    TAKEN(repairs_are_looked_for, 60, "a_cut_soon_after_the_mesh_formed"),
    TAKEN(refusals_are_tried, 60, "two_groups_that_refuse_each_other"),
    TAKEN(probes_pause, 60, "four_and_two_where_five_can_be_joined"),
    TAKEN(only_fresh_views_count, 60, "a_node_cut_off_and_then_from_the_observer"),
    TAKEN(wakes_in_the_future, 60, 1),
};

#undef TAKEN

#ifdef ROLLCALL_MUTANTS

struct witnesses {
  std::vector<const named_history*> named;
  std::vector<std::uint64_t> seeds;
};

// What was noticed first in this, empty when nothing was.
std::string seen_without(const mutant& m, const std::function<std::string()>& look) {
  return in_jail(
      [&] {
        membership::rule_left_out = m.what;
        return look();
      },
      one_at_most);
}

std::string seen_in(const mutant& m, const named_history& history) {
  const auto said = seen_without(m, history.play);
  return said.empty() ? said : fmt::format("{}: {}", history.name, said.substr(0, said.find('\n')));
}

std::string seen_in(const mutant& m, std::uint64_t seed, std::uint64_t tried) {
  const auto said = seen_without(m, [&]() -> std::string {
    const auto result = play(seed, false);
    return result.wrong ? fmt::format("{}: {}", to_string(result.wrong->broken), result.wrong->what) : "";
  });
  return said.empty() ? said : fmt::format("seed {} ({} of {}): {}", seed, tried, m.within, said);
}

// The first thing that was noticed, in what, and after how many seeds; empty when nothing was.
std::string noticed(const mutant& m, const witnesses& by) {
  const auto seeds = std::span(by.seeds).first(std::min<std::size_t>(m.within, by.seeds.size()));
  std::string said;
  for (const auto* history : by.named) {
    if (m.last.history != nullptr && std::strcmp(history->name, m.last.history) == 0)
      said = seen_in(m, *history);
  }
  const auto last = std::ranges::find(seeds, m.last.seed);
  if (last != seeds.end()) said = seen_in(m, *last, static_cast<std::uint64_t>(last - seeds.begin()) + 1);
  for (std::size_t i = 0; said.empty() && i < by.named.size(); ++i) said = seen_in(m, *by.named[i]);
  for (std::size_t i = 0; said.empty() && i < seeds.size(); ++i) said = seen_in(m, seeds[i], i + 1);
  return said;
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

bool play_mutants(unsigned jobs, const std::set<std::uint64_t>& unclean, const std::set<std::string>& clean) {
#ifndef ROLLCALL_MUTANTS
  static_cast<void>(jobs);
  static_cast<void>(unclean);
  static_cast<void>(clean);
  fmt::print("rules are taken away in the build `simulation` only; here are {} of them\n",
             std::size(mutants));
  return true;
#else
  witnesses by;
  for (std::uint64_t seed = 1; by.seeds.size() < 200; ++seed) {
    if (!unclean.contains(seed)) by.seeds.push_back(seed);
  }
  for (const auto& history : named_histories()) {
    if (!history.large && clean.contains(history.name)) by.named.push_back(&history);
  }
  std::mutex mutex;
  std::size_t count = 0;
  share_out(std::size(mutants), jobs, [&](std::size_t i) {
    const auto& m = mutants[i];
    const auto said = noticed(m, by);
    const std::lock_guard lock(mutex);
    count += said.empty() ? 0 : 1;
    fmt::print("{} without {}: {}\n", said.empty() ? "FAIL" : "noticed", m.name,
               said.empty() ? fmt::format("nothing in {} seeds", m.within) : said);
    std::fflush(stdout);
  });
  fmt::print("{} of {} rules are missed when they are taken away\n", count, std::size(mutants));
  return count == std::size(mutants);
#endif
}

}  // namespace rollcall::simulation
