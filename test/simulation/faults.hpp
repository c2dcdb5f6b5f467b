// What breaks: each fault has a kind, an onset, a length and a repetition, and knows how to begin and how to
// end. Drawn before the history begins, from dice of its own, so that the plan that is played against cannot
// change what breaks. A fault counts as reached when it bit: a packet was lost, a request refused, an answer
// late.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "test/simulation/world.hpp"

namespace rollcall::simulation {

enum class fault_kind {
  dark_pair,
  halves,
  three_way,
  ring,
  one_way_loss,
  node_dark,
  refused_handshake,
  mapper_blocked,
  silent_door,
  closing_door,
  breaks_under_traffic,
  large_packets_lost,
  flapping,
  slow_node,
  frozen_node,
  machine_lost,
  node_restarted,
  newcomer,
  rolling_restart,
  drain,
  late_dns,
  dns_away,
  dns_cached,
  long_stop,
  machine_cut,
  observer_cut,
  observer_slow,
  observer_restarted,
  without_word,
  late_answers,
  mixed_settings,
  incompatible_releases,
  troubled_watcher,
  observer_stalled,
};
inline constexpr std::size_t fault_kind_count = 34;
// These are drawn together; the others come beside them, by dice of their own.
inline constexpr std::size_t drawn_kind_count = 32;

struct fault_traits {
  std::string_view name;
  bool benign;           // raises nothing
  bool cuts;             // opens an incident when it lasts
  unsigned first_tears;  // allowed in its first two minutes
  bool for_its_length;   // begins, lasts and ends; the others only happen
};
const fault_traits& traits_of(fault_kind);

struct fault {
  fault_kind kind{};
  fault_id id = no_fault;
  milliseconds onset{0}, length{0}, pause{0};
  unsigned times = 1;
  bool one_sided = false;  // a door that some meet, and that lets its own node out
  std::function<void(world&)> begin, end;
  // Before the world is made: what nodes are.
  std::function<void(world_options&)> prepare{};

  // What came of it.
  bool active = false;
  milliseconds began{-1}, ended{-1}, last_bit{-1};
  std::size_t bites = 0;
  milliseconds last_end() const { return onset + static_cast<int>(times) * (length + pause); }
};

// Who may be struck.
struct drawing {
  dice& luck;
  std::size_t nodes;
  bool long_ticks;
  bool benign;  // short of what others would notice

  place one() { return static_cast<place>(luck.draw(nodes)); }
  std::pair<place, place> two();
  std::vector<place> some(std::size_t count);
  std::vector<place> part() { return some(1 + luck.draw(nodes - 1)); }
};

// A fault of this kind; the caller gives it its id and onset. Needs two nodes at least.
fault draw_fault(fault_kind, drawing&, fault_id);

// By subject.
void draw_link_fault(fault&, drawing&);
void draw_node_fault(fault&, drawing&);
void draw_observer_fault(fault&, drawing&);

}  // namespace rollcall::simulation
