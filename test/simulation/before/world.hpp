// A small model of BEAM nodes, their network and their discovery, in virtual time, and membership run against
// it. One seed is one history: what breaks, when, and how long everything takes.
//
// What is modelled: links that drop on both ends, `global` that joins whole groups once one pair connects (no
// prevent_overlapping_partitions yet), crashes and restarts, frozen nodes that others notice after a tick
// time, nodes that stop in order, pods delisted and listed again, DNS outages, nodes dark to us, slow
// answers, late boots.
#pragma once

#include <functional>
#include <map>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "membership/cluster.hpp"

namespace rollcall::simulation {

using membership::milliseconds;

// Ways to break the plan on purpose: the rules must notice each.
enum class mutation {
  none,
  duplicates_requests,
  asks_leaving_nodes,
  dials_twice,
  hangs_up_when_discovery_fails,
  forgets_pairs,
  asks_every_step
};

class world {
 public:
  static constexpr int settle_intervals = 24;

  world(std::uint64_t seed, mutation broken);
  // The whole history; the first broken rule, or empty.
  std::string run();
  // What happened, for the failure message.
  std::string diary() const;

 private:
  struct node {
    node_name name;
    bool running = false, frozen = false, dark = false, stopping = false, listed = false,
         gone_for_good = false;
    std::uint32_t creation = 0;
    std::set<std::size_t> links;
    bool linked_to_us = false;
    std::uint32_t link_number = 0;  // of our link: late answers of an older one are not given
    unsigned restarts = 0;
    milliseconds absent_since{-1}, longest_absence{0};
  };

  std::uint64_t random(std::uint64_t below) { return random_() % below; }
  milliseconds between(int low, int high) {
    return milliseconds(low + static_cast<int>(random(static_cast<std::uint64_t>(high - low + 1))));
  }
  void at(milliseconds when, std::function<void()> what) { queue_.push({when, order_++, std::move(what)}); }
  void in(milliseconds span, std::function<void()> what) { at(now_ + span, std::move(what)); }
  void tell(membership::any_fact fact) { facts_.push_back(std::move(fact)); }
  void note(const std::string& text);
  void broken(const std::string& rule);

  std::size_t add_node(bool listed);
  std::size_t index_of(const node_name&) const;
  bool present(const node& n) const { return n.running && !n.frozen; }
  void absence(node&, bool absent);
  void boot(std::size_t);
  void crash(std::size_t, membership::reason how_we_see_it);
  void freeze(std::size_t, milliseconds span);
  void stop_in_order(std::size_t, bool comes_back);
  void drop_pair(std::size_t, std::size_t);
  bool link(std::size_t, std::size_t);
  void lose_our_link(std::size_t, membership::reason);
  void discover();
  void fault();

  void carry_out(const membership::any_action&);
  void carry_out(const membership::action::dial&);
  void carry_out(const membership::action::hang_up&);
  void carry_out(const membership::action::ask_view&);
  void carry_out(const membership::action::ask_settings&);
  void carry_out(const membership::action::connect&);
  void mutate(std::vector<membership::any_action>&);
  void step();
  void check_actions(const std::vector<membership::any_action>&);
  void check_snapshot(const membership::snapshot&);
  void check_whole(const membership::snapshot&);

  struct event {
    milliseconds when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator>(const event& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  std::mt19937_64 random_;
  mutation mutation_;
  membership::settings settings_;
  membership::cluster cluster_;
  milliseconds now_{0}, wake_{0}, faults_until_{0};
  std::uint64_t order_ = 0;
  std::priority_queue<event, std::vector<event>, std::greater<>> queue_;
  std::vector<node> nodes_;
  std::map<std::string, std::size_t> by_name_;
  std::vector<membership::any_fact> facts_;
  bool dns_away_ = false, slow_ = false;
  milliseconds last_good_{0};
  std::string broken_;
  std::vector<std::string> diary_;

  // The rules' own books: kept from facts and actions alone, never from the planner.
  struct request {
    std::size_t on, to;
  };
  std::map<membership::request_id, request> asked_;
  std::set<std::pair<std::size_t, std::size_t>> pairs_asked_;
  std::set<std::size_t> dialled_, view_asked_;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<milliseconds>> asked_at_;
  std::map<std::string, std::array<std::uint64_t, 4>> counters_;
  std::uint64_t steps_without_time_ = 0;
  milliseconds last_step_{-1};
  std::vector<membership::any_action> remembered_;
};

}  // namespace rollcall::simulation
