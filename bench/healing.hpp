// Two parts of bench_netsplit: from a repair to a whole mesh, and the links that a lasting fault costs.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace rollcall::bench {

struct repair_row {
  std::size_t nodes;
  std::chrono::seconds cut;  // and until every node has noticed
  int times;                 // each on a fresh mesh
};

// Halves, cut and joined: with Rollcall, and with a loop on every node that dials what it misses each 5 s.
void repairs(const std::vector<repair_row>&);

// nodedown events a minute of each lasting fault: with Rollcall, with that loop, and with nobody; three
// meshes at the same time.
void lasting(std::chrono::seconds span);

// The same of paths that go dark and light in turns, faster and slower than the nodes notice.
void flapping(std::chrono::seconds span);

}  // namespace rollcall::bench
