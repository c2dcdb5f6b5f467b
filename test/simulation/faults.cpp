#include "test/simulation/faults.hpp"

#include <algorithm>

namespace rollcall::simulation {

namespace {

constexpr std::array<fault_traits, fault_kind_count> traits{{
    {"dark_pair", false, true, 3, true},
    {"halves", false, true, 3, true},
    {"three_way", false, true, 3, true},
    {"ring", false, true, 3, true},
    {"one_way_loss", false, true, 3, true},
    {"node_dark", false, true, 3, true},
    {"refused_handshake", false, true, 3, true},
    {"mapper_blocked", false, true, 3, true},
    {"silent_door", false, true, 3, true},
    {"closing_door", false, true, 3, true},
    {"breaks_under_traffic", false, true, 3, true},
    {"large_packets_lost", false, true, 3, true},
    {"flapping", false, true, 3, true},
    {"slow_node", false, true, 1, true},
    {"frozen_node", true, false, 1, true},
    {"machine_lost", true, false, 1, true},
    {"node_restarted", true, false, 0, true},
    {"newcomer", true, false, 0, true},
    {"rolling_restart", true, false, 0, true},
    {"drain", true, false, 0, true},
    {"late_dns", true, false, 1, true},
    {"dns_away", true, false, 0, true},
    {"dns_cached", true, false, 0, true},
    {"long_stop", true, false, 0, true},
    {"machine_cut", false, true, 3, true},
    {"observer_cut", true, false, 1, true},
    {"observer_slow", true, false, 1, true},
    {"observer_restarted", true, false, 1, true},
    {"without_word", true, false, 1, true},
    {"late_answers", true, false, 1, true},
    {"mixed_settings", false, false, 3, true},
    {"incompatible_releases", false, false, 1, true},
    {"troubled_watcher", true, false, 0, true},
    {"observer_stalled", true, false, 1, true},
}};

}  // namespace

const fault_traits& traits_of(fault_kind kind) {
  return traits[static_cast<std::size_t>(kind)];
}

std::pair<place, place> drawing::two() {
  const auto a = one();
  const auto b = static_cast<place>((a + 1 + luck.draw(nodes - 1)) % nodes);
  return {a, b};
}

std::vector<place> drawing::some(std::size_t count) {
  std::vector<place> all(nodes);
  for (place i = 0; i < nodes; ++i) all[i] = i;
  luck.shuffle(all);
  all.resize(std::min(count, nodes));
  std::ranges::sort(all);
  return all;
}

fault draw_fault(fault_kind kind, drawing& from, fault_id id) {
  fault f{.kind = kind, .id = id, .begin = {}, .end = {}};
  // Short, middling and long ones alike.
  switch (from.luck.draw(4)) {
    case 0:
      f.length = from.luck.between(1'000, 12'000);
      break;
    case 1:
      f.length = from.luck.between(12'000, 40'000);
      break;
    default:
      f.length = from.luck.between(40'000, 150'000);
  }
  if (from.luck.one_in(4)) {
    f.times = 2 + static_cast<unsigned>(from.luck.draw(3));
    f.length /= 2;
    f.pause = from.luck.between(1'000, 30'000);
  }
  draw_link_fault(f, from);
  draw_node_fault(f, from);
  draw_observer_fault(f, from);
  return f;
}

}  // namespace rollcall::simulation
