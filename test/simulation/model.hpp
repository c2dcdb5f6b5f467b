// Holds the model of nodes to what was measured on real ones (README.md).
#pragma once

#include "test/simulation/named.hpp"

namespace rollcall::simulation {

const std::vector<named_history>& measured_behaviour();

}  // namespace rollcall::simulation
