// How nodes spell their own names where a source calls them otherwise: with capitals, a final dot, or without
// the domain that the search list adds (rabbit@POD.SERVICE.NAMESPACE). What one node does, its siblings are
// expected to do. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "node_name/node_name.hpp"

namespace rollcall::discovery {

class own_spellings {
 public:
  // True: both are one node, and `own` is what it is called from now on.
  bool learn(const node_name& listed, const node_name& own, std::span<const std::string> search);
  // Absent: as it is listed.
  std::optional<node_name> of(const node_name& listed) const;

 private:
  std::map<node_name, node_name> names_;
  std::set<std::pair<std::string, std::string>> habits_;  // the part before the '@', the ending left out
};

}  // namespace rollcall::discovery
