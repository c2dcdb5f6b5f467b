// What every node answers by itself, whatever program it runs: the few functions that ask a node
// about nodes and names. Answers are those of a hidden node (erts, dist.c and erl_bif_info.c).
#pragma once

#include <optional>
#include <vector>

#include "cnode/node.hpp"

namespace rollcall::cnode {

// erlang:node/0, nodes/0, nodes/1, is_alive/0, registered/0, whereis/1, and code:ensure_loaded/1, which loads
// nothing. Absent: it is none of these.
std::optional<answer> built_in(const request&, const node_name& own, const pid& self,
                               const std::vector<node_name>& linked);

}  // namespace rollcall::cnode
