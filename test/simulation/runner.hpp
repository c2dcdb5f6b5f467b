// Many histories on several cores, each batch in a process of its own, so that a crash is a finding with a
// seed.
#pragma once

#include "test/simulation/history.hpp"

namespace rollcall::simulation {

struct found {
  std::uint64_t seed = 0;
  std::size_t nodes = 0;  // 0: the seed decides
  rule broken{};
  std::string what, plan;
};

struct run_result {
  coverage covered;
  std::vector<found> wrong;  // by seed
};

struct batch {
  std::uint64_t from = 0, to = 0;  // seeds, the last one excluded
  std::size_t nodes = 0;
};

// `told` is called for each finding as it is made, by one thread at a time.
run_result play_all(const std::vector<batch>&, unsigned jobs, const std::function<void(const found&)>& told);
// What is split into batches that take about equally long.
std::vector<batch> batches_of(std::uint64_t from, std::uint64_t to, std::size_t nodes, std::uint64_t each);

}  // namespace rollcall::simulation
