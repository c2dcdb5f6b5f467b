// Whether a loss or a split runs along machines or zones: where those it concerns are, and nobody else is.
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rollcall::membership {

struct whereabouts {
  std::string_view machine, zone;  // empty: not known
};

// "all 5 on node-2 (zone-2)", "all 5 in zone-2"; empty where it runs along neither, of fewer than two, and
// where there are no others to tell them from.
std::string common_place(const std::vector<whereabouts>& these, const std::vector<whereabouts>& others);

}  // namespace rollcall::membership
