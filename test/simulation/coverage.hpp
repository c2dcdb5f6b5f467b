// How often what was reached: fault kinds and pairs of them, member states, decisions of the plan, incidents.
// What a whole run did not reach, it did not look at.
#pragma once

#include <array>
#include <map>
#include <string>

#include "test/simulation/faults.hpp"

namespace rollcall::simulation {

// What a request, or a state of affairs that is shown, says of the plan. Told from outside: from the model's
// own picture of both ends at that moment.
enum class decision {
  forms_a_mesh,         // neither had ever been linked
  joins_groups,         // both have links, and no way from one to the other
  repairs_inside,       // in one group, and neither sees the other
  repairs_one_way,      // one sees the other
  introduces_newcomer,  // one had never been linked
  tries_a_loner,        // one was linked, and has no link any more
  asks_the_other_side,  // of a pair that was asked for from its other end
  asks_again,           // of a pair whose request failed
  holds_a_newcomer,     // linked to us, and joining for longer than an interval
  leaves_one_out,       // a member in quarantine, with its sentence
  holds_a_pair_back,
  suspects_a_link,
  moves_the_odd_one,
  introduces_several,  // in one step
};
inline constexpr std::size_t decision_count = 14;
std::string_view to_string(decision);
// Kinds of which one draws what stands in one direction only.
inline constexpr std::array door_kinds{fault_kind::mapper_blocked, fault_kind::silent_door,
                                       fault_kind::closing_door};

struct coverage {
  std::uint64_t histories = 0, steps = 0, actions = 0;
  std::array<std::uint64_t, fault_kind_count> kinds{};
  std::array<std::array<std::uint64_t, fault_kind_count>, fault_kind_count> pairs{};  // the lower one first
  std::array<std::uint64_t, door_kinds.size()> one_sided{};
  std::array<std::uint64_t, membership::member_state_count> states{};
  std::array<std::uint64_t, decision_count> decisions{};
  std::array<std::array<std::uint64_t, membership::incident_end_count>, membership::incident_type_count>
      incidents{};
  std::array<std::uint64_t, membership::connect_outcome_count> outcomes{};
  std::uint64_t tears = 0;

  void add(const coverage&);
  // One line of numbers, and back.
  std::string packed() const;
  static coverage unpacked(const std::string&);
  // For people. `gaps` gets a sentence for each thing that was never reached and could have been.
  std::string table(std::vector<std::string>& gaps) const;
};

// Kinds that cannot bite at once in one mesh, and why.
struct excluded_pair {
  fault_kind one, other;
  const char* reason;
};
const std::vector<excluded_pair>& excluded_pairs();

}  // namespace rollcall::simulation
