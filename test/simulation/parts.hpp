// The parts of a run. Each prints what it found, and answers whether all was as it should be.
#pragma once

#include "test/simulation/named.hpp"
#include "test/simulation/runner.hpp"

namespace rollcall::simulation {

inline constexpr std::uint64_t fixed_histories = 10'000;  // seeds 1, 2, ...

// Those of `list` in turn; `only`: this one, with its diary. `small`: those that are quick under a sanitizer.
// `kept` gets the names of those in which all was right.
bool play_named(const std::vector<named_history>& list, const char* only, bool small, unsigned jobs,
                std::set<std::string>* kept = nullptr);
// Fixed seeds: the first `count`, and of large meshes ten of 200 nodes and two of 1,000. `unclean` gets the
// seeds that broke a rule.
bool play_fixed(std::uint64_t count, bool large, unsigned jobs, bool each_told,
                std::set<std::uint64_t>& unclean);
// These seeds, the last one excluded; `nodes`: 0 where the seed decides.
bool play_between(std::uint64_t from, std::uint64_t to, std::size_t nodes, unsigned jobs);
// New seeds until the time is up.
bool play_on(milliseconds real_time, unsigned jobs);
// Each rule of the plan taken away in turn; to notice it are seeds that are not `unclean`, and named
// histories that are `clean`.
bool play_mutants(unsigned jobs, const std::set<std::uint64_t>& unclean, const std::set<std::string>& clean);
// Which of these seeds notice that this rule is taken away.
bool play_without(const std::string& rule, std::uint64_t from, std::uint64_t to);

}  // namespace rollcall::simulation
