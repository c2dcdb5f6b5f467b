// What named histories share.
#pragma once

#include "test/simulation/world.hpp"

namespace rollcall::simulation {

inline membership::settings usual() {
  membership::settings s;
  s.probe = s.watch = true;
  s.max_events = 16;
  return s;
}

struct action_counter : witness {
  std::size_t path_probes = 0, handshakes = 0, link_probes = 0, connects = 0, all = 0;
  void stepped(const membership::step_result& result) override {
    all += result.actions.size();
    for (const auto& any : result.actions) {
      if (const auto* p = std::get_if<membership::action::probe_path>(&any)) {
        ++(p->port == membership::probed_port::handshake ? handshakes : path_probes);
      }
      link_probes += std::holds_alternative<membership::action::probe_links>(any) ? 1 : 0;
      connects += std::holds_alternative<membership::action::connect>(any) ? 1 : 0;
    }
  }
  void lost(const beam_mesh::loss&, bool) override {}
  void bit(fault_id) override {}
};

// What many clusters do instead: every node connects to whatever it misses, each five seconds; nobody
// observes.
void connect_everything_from_every_node(world&);

std::string a_pair_that_refuses_the_handshake();
std::string two_groups_that_refuse_each_other();
std::string cookies_that_agree_one_node_after_the_other();
std::string a_port_mapper_blocked_for_all();
std::string a_port_mapper_blocked_between_two();
std::string a_newcomer_while_a_machine_is_lost();
std::string a_newcomer_while_a_pair_flaps();
std::string a_newcomer_while_only_the_observer_cannot_reach_a_member();
std::string what_flaps_at_any_rhythm();
std::string halves_of_ten_joined();
std::string halves_of_twenty_joined();
std::string halves_of_six_joined_after_an_hour();
std::string a_cut_soon_after_the_mesh_formed();
std::string three_cuts_a_minute_apart();
std::string four_and_two_where_five_can_be_joined();
std::string a_delisted_node_only_the_observer_cannot_reach();
std::string an_asked_node_without_local_ports();
std::string releases_that_refuse_each_other();
std::string a_thousand_unlinked_nodes();

std::string a_node_cut_off_and_then_from_the_observer();
std::string a_dark_pair_and_a_frozen_node();
std::string a_dark_pair_and_a_frozen_node_of_twenty();
std::string an_observer_restarted_in_a_cut();
std::string an_unbroken_cut_is_told_once();
std::string the_first_of_a_tear_is_whole_again();
std::string a_link_closed_by_hand();
std::string a_tear_goes_on_after_the_incident_opened();
std::string two_frozen_nodes_of_six();
std::string a_half_that_dies_while_it_is_cut_off();
std::string a_newcomer_is_no_part_of_an_incident();
std::string a_machine_with_five_lost_and_back();
std::string one_pod_that_was_away_and_ran_on();

}  // namespace rollcall::simulation
