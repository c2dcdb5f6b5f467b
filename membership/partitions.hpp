// Groups of members that are linked among each other, from what their views say.
#pragma once

#include <optional>
#include <vector>

#include "membership/compatible.hpp"
#include "membership/member_table.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

// Ranks, ascending; the largest group first, among equals the one with the lowest rank. Only members in the
// mesh (up, with a fresh view). One view that says yes joins a pair. What --mesh=base keeps apart has its own
// groups. So have short and long names, which can never connect: the largest of each stand together as one,
// since nothing is missing between them.
std::vector<std::vector<std::size_t>> find_partitions(const member_table&, const view_matrix&);

// Those of the views without the suspected pairs, found when one of them or who is in the mesh has changed.
class followed_partitions {
 public:
  const std::vector<std::vector<std::size_t>>& follow(const member_table&, const view_matrix& views,
                                                      const view_matrix& suspected);
  const std::vector<std::vector<std::size_t>>& last() const noexcept { return found_; }

 private:
  std::optional<link_basis> found_of_;
  std::vector<std::vector<std::size_t>> found_;
};

}  // namespace rollcall::membership
