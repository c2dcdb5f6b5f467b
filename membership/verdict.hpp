// Which part of a split cluster a node is in, for start-up gates: from the snapshot alone.
#pragma once

#include <string>

#include "membership/snapshot.hpp"

namespace rollcall::membership {

enum class verdict { majority, minority, tie, unknown };
std::string_view to_string(verdict) noexcept;

struct judgement {
  membership::verdict verdict = membership::verdict::unknown;
  std::size_t partition_size = 0;  // of the node's own partition; 0: in none
  std::size_t expected = 0;
  bool whole = false;  // up, and linked to all that are up and staying
  std::string text;    // a sentence: why
};

// `minority` only when it is proven: there is a larger partition. `unknown` for a node nobody knows, while
// starting or isolated, and when the others are silent.
judgement judge(const snapshot&, std::string_view node);

}  // namespace rollcall::membership
