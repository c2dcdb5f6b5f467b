#include "membership/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::membership {
namespace {

// A pod that falls over again and again stays listed, and comes up each time for a moment.
constexpr std::uint64_t falls_over_from = 2;  // restarts and failures
constexpr milliseconds steady_after{60'000};

bool staying(const snapshot& s, const member& m) {
  const bool falling_over = m.restarts + m.failures >= falls_over_from && s.at - m.since < steady_after;
  return m.state == member_state::up && !m.kept_out && !falling_over;
}

// Not those that are expected, or on their way: pods that are started one after the other would each wait for
// the next.
bool linked_to_all_that_stay(const snapshot& s, const member& m) {
  if (m.links_missing == 0) return true;
  const auto own = static_cast<std::size_t>(&m - s.members.data());
  for (std::size_t i = 0; i < s.members.size(); ++i) {
    const auto& other = s.members[i];
    if (i == own || !could_link(m, other) || !staying(s, other)) continue;
    if (s.pair(own, i) != pair_state::connected) return false;
  }
  return true;
}

}  // namespace

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
  // Where deploys are kept apart, each is judged by itself.
  const auto meshes = s.meshes();
  const auto own = std::ranges::find(meshes, m->base, &mesh_summary::base);
  if (own != meshes.end()) j.expected = own->listed;
  j.partition_size = s.partitions[*m->partition].size();
  j.whole = m->state == member_state::up && linked_to_all_that_stay(s, *m);
  std::size_t largest = 0, of_that_size = 0;
  for (std::size_t index = 0; index < s.partitions.size(); ++index) {
    const auto& part = s.partitions[index];
    if (s.base_of_partition(index) != m->base) continue;
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
