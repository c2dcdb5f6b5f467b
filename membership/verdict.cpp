#include "membership/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::membership {

std::string_view to_string(verdict value) noexcept {
  switch (value) {
    case verdict::majority:
      return "majority";
    case verdict::minority:
      return "minority";
    case verdict::tie:
      return "tie";
    case verdict::unknown:
      return "unknown";
  }
  return "unknown";
}

judgement judge(const snapshot& s, std::string_view node) {
  judgement j;
  j.expected = s.expected;
  if (s.standing_by) {
    j.text = "this Rollcall stands by: another one of its name is at work";
    return j;
  }
  const auto* m = s.find(node);
  if (m == nullptr) {
    j.text = fmt::format("no member is called {}", node);
    return j;
  }
  if (s.starting || s.isolated) {
    j.text = s.starting ? "Rollcall is starting: it has not dialled every listed node yet"
                        : "Rollcall reaches nobody: it may be cut off itself";
    return j;
  }
  if (!m->partition) {
    j.text = m->state == member_state::joining && m->fresh_view
                 ? fmt::format("{} is joining: {}", node, m->detail)
                 : fmt::format("{} is {}: in no partition that Rollcall sees", node, to_string(m->state));
    return j;
  }
  j.partition_size = s.partitions[*m->partition].size();
  j.whole = m->state == member_state::up && m->links_missing == 0 && s.up >= s.expected &&
            std::ranges::all_of(s.members, [](const member& other) {
              return !other.listed || other.kept_out || other.state == member_state::up ||
                     other.state == member_state::leaving || other.state == member_state::left;
            });
  std::size_t largest = 0, of_that_size = 0;
  for (const auto& part : s.partitions) {
    if (part.size() > largest) {
      largest = part.size();
      of_that_size = 0;
    }
    of_that_size += part.size() == largest ? 1 : 0;
  }
  const auto of =
      fmt::format("{} is in a partition of {} of {} expected members", node, j.partition_size, j.expected);
  if (j.partition_size < largest) {
    j.verdict = verdict::minority;
    j.text = fmt::format("{}; there is one of {}", of, largest);
  } else if (2 * j.partition_size > j.expected) {
    j.verdict = verdict::majority;
    j.text = of;
  } else if (of_that_size > 1) {
    j.verdict = verdict::tie;
    j.text = fmt::format("{}; {} are equally large", of, of_that_size);
  } else {
    j.text = of + "; nothing is known of the others";
  }
  return j;
}

}  // namespace rollcall::membership
