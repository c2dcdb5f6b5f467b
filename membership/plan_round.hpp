// What one plan of one kind of name works with, from its first step to its last. Only planner's own files
// include this.
#pragma once

#include "membership/planner.hpp"

namespace rollcall::membership {

struct planner::round {
  round(const step_context& c, path_book& p, deadline& w, std::vector<any_action>& a, burst_map& b,
        rank_set mesh)
      : context(c), paths(p), wake(w), actions(a), bursts(b), links(c, std::move(mesh)) {}

  const step_context& context;
  path_book& paths;
  deadline& wake;
  std::vector<any_action>& actions;
  burst_map& bursts;
  mesh_links links;

  std::vector<rank_group> groups;
  std::vector<std::size_t> group_of;            // by rank
  std::vector<std::uint32_t> ids;               // by rank
  std::vector<rank_set> within;                 // by group, the same ranks; of a group of one none
  std::vector<std::size_t> established, fresh;  // groups, in order; fresh: one new member each
  std::vector<std::size_t> standing;            // of the established, those that are compared
  std::size_t newcomers = 0;                    // fresh ones, and who was one less than an interval ago
  // By group:
  std::vector<std::optional<steady_time>> last_loss;  // with an end in it
  std::vector<bool> torn_inside;                      // that loss may go on: its other end is elsewhere
  std::vector<steady_time> busy_until;                // requests that were just made are waited for
  std::vector<std::vector<std::size_t>> may_link;     // groups that a request may still link it with
  std::vector<bool> waits;                            // not to be joined to another one now
  std::vector<std::vector<std::size_t>> unseen_seen;  // those it holds and we do not reach: ranks
  std::vector<std::vector<std::size_t>> silent;       // those in it that did not answer us of late: ranks
  std::vector<std::vector<std::size_t>> leaving;      // those it holds that are on their way out: ranks
  std::vector<std::size_t> apart;                     // who enters is not linked to them: ranks, sorted
  std::vector<std::size_t> main;                      // positions of the groups that are joined
  bool undecided = false;
  std::map<std::pair<std::size_t, std::size_t>, comparison> compared;  // of established groups

  // With heal_mode::plan nothing is asked, and nothing may be remembered as asked.
  bool asks() const { return context.options.heal != heal_mode::plan; }
  const member_record& at(std::size_t rank) const { return context.members[rank]; }
  const member_record& first_of(std::size_t group) const { return at(groups[group].front()); }
  // One that enters does not wait for what they would say of it.
  bool is_silent(std::size_t rank) const {
    return std::ranges::find(silent[group_of[rank]], rank) != silent[group_of[rank]].end();
  }
  bool stands_apart(std::size_t rank) const { return std::ranges::binary_search(apart, rank); }
  bool alone(std::size_t group) const {
    return groups[group].size() == 1 && !links.has_links(groups[group].front());
  }
  // Requests of its own are about to link it.
  bool on_its_way_in(std::size_t group) const { return alone(group) && busy_until[group] > context.now; }
};

}  // namespace rollcall::membership
