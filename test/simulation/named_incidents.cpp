// Named histories: what is told of netsplits.
#include <algorithm>

#include "test/simulation/expectations.hpp"
#include "test/simulation/named.hpp"
#include "test/simulation/named_parts.hpp"

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr milliseconds second{1'000}, minute{60'000};

std::vector<std::vector<std::string>> names_of(const std::vector<std::vector<node_name>>& groups) {
  std::vector<std::vector<std::string>> found;
  for (const auto& group : groups) {
    auto& names = found.emplace_back();
    for (const auto& name : group) names.push_back(name.text());
    std::ranges::sort(names);
  }
  return found;
}

std::string text_of(const std::vector<std::vector<node_name>>& groups) {
  std::string text;
  for (const auto& names : names_of(groups)) text += fmt::format("[{}]", fmt::join(names, " "));
  return text;
}

std::size_t told(const world& w, event_type type) {
  return static_cast<std::size_t>(std::ranges::count(w.events, type, &event::type));
}

}  // namespace

std::string a_node_cut_off_and_then_from_the_observer() {
  auto how = usual();
  how.interval = 2 * second;
  world w({.seed = 1, .nodes = 9, .observer = how});
  expectations right(w);
  w.run_until(20 * second);
  w.put_between({0}, w.others({0}), obstacle::drop);
  w.run_for(10 * second);
  w.put(observer, 0, obstacle::drop);
  w.run_for(40 * second);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents");
  // Down no sooner than its tick time after it fell silent.
  right.equal(std::string(to_string(w.member(0).state)), std::string("suspect"),
              "the state of the node that is cut off");
  w.run_for(40 * second);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents after a tick time");
  return right.verdict();
}

namespace {

std::string pair_and_frozen(std::size_t nodes, std::uint64_t seed) {
  world w({.seed = seed, .nodes = nodes, .observer = usual()});
  expectations right(w);
  w.run_until(20 * second);
  w.put(0, 1, obstacle::drop);
  w.run_for(15 * second);
  w.freeze(static_cast<place>(nodes - 1));
  w.run_for(6 * second);
  const auto& incidents = *w.us.snapshot()->incidents;
  right.equal<std::size_t>(incidents.size(), 1, "incidents");
  for (const auto& i : incidents) {
    right.is_true(i.type != incident_type::full, "a frozen node does not make the netsplit a full one");
    const auto frozen = w.us.name(static_cast<place>(nodes - 1));
    for (const auto& [a, b] : i.pairs)
      right.is_true(a != frozen && b != frozen, "no pair of the frozen node is broken");
  }
  w.thaw(static_cast<place>(nodes - 1));
  w.run_for(10 * second);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents after it thawed");
  return right.verdict();
}

}  // namespace

std::string a_dark_pair_and_a_frozen_node() {
  return pair_and_frozen(11, 2);
}
std::string a_dark_pair_and_a_frozen_node_of_twenty() {
  return pair_and_frozen(20, 3);
}

std::string an_observer_restarted_in_a_cut() {
  world w({.seed = 4, .nodes = 6, .observer = usual(), .kernel = {.ticktime = 8 * second}});
  expectations right(w);
  w.run_until(20 * second);
  w.put_between({0, 1, 2}, {3, 4, 5}, obstacle::drop);
  w.run_for(minute);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents before");
  w.restart_observer(true);
  w.run_for(minute);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents after the restart");
  for (const auto& i : *w.us.snapshot()->incidents)
    right.is_true(!i.closed_at, "the incident goes on while the cut lasts");
  w.take_between({0, 1, 2}, {3, 4, 5}, obstacle::drop);
  w.run_for(2 * minute);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents in the end");
  for (const auto& i : *w.us.snapshot()->incidents) {
    right.is_true(i.closed_at && i.ended == incident_end::healed, "and is healed after the repair");
  }
  return right.verdict();
}

// Nothing that is said while the cut lasts is untrue: nobody may join again, no netsplit comes and goes.
// The first link lost is back before an incident opens about what was torn for it.
std::string the_first_of_a_tear_is_whole_again() {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto how = usual();
    how.interval = 2 * second;
    world w({.seed = seed, .nodes = 3, .observer = how, .kernel = {.ticktime = 8 * second}});
    expectations right(w);
    w.run_until(20 * second);
    w.mesh.disconnect(0, 2);
    w.run_for(minute);
    for (const auto& i : *w.us.snapshot()->incidents) {
      if (!i.cause) continue;
      const auto first = std::minmax({w.us.at(i.cause->from), w.us.at(i.cause->to)});
      right.is_true(first == std::pair<place, place>(0, 2), "it began between the first and the third");
    }
    if (auto wrong = right.verdict(); !wrong.empty()) return wrong;
  }
  return {};
}

// Nodes that were formed a moment before: the plan links the pair again after an interval.
std::string a_link_closed_by_hand() {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    world w({.seed = seed, .nodes = 4, .observer = usual(), .meshed = false});
    expectations right(w);
    w.run_until(30 * second);
    w.mesh.disconnect(0, 3);
    w.run_for(7 * second);
    right.is_true(w.whole(), "whole after an interval");
    w.run_for(minute);
    right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 0, "incidents");
    if (auto wrong = right.verdict(); !wrong.empty()) return wrong;
  }
  return {};
}

// One that is dark to all but one: the first that it gives up is dropped by that one, too, before the others
// give it up itself. Nobody repairs, so that what was torn stays so.
std::string a_tear_goes_on_after_the_incident_opened() {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    auto how = usual();
    how.interval = 2 * second;
    how.heal = heal_mode::off;
    world w({.seed = seed, .nodes = 6, .observer = how, .kernel = {.ticktime = 8 * second}});
    expectations right(w);
    w.run_until(20 * second);
    w.put_between({0}, {2, 3, 4, 5}, obstacle::drop);
    w.run_for(minute);
    right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents");
    if (auto wrong = right.verdict(); !wrong.empty()) return wrong;
  }
  return {};
}

std::string an_unbroken_cut_is_told_once() {
  world w({.seed = 5, .nodes = 6, .observer = usual(), .kernel = {.ticktime = 8 * second}});
  expectations right(w);
  w.run_until(20 * second);
  w.put(0, 1, obstacle::drop);
  w.run_for(3 * minute);
  for (const auto& i : *w.us.snapshot()->incidents) {
    for (const auto& act : i.actions) {
      right.is_true(act.text.find("may join again") == std::string::npos, "during the cut: " + act.text);
    }
  }
  for (const auto& e : w.events)
    right.is_true(e.text.find("may join again") == std::string::npos, "during the cut: " + e.text);
  right.equal<std::size_t>(told(w, event_type::netsplit_opened), 1, "netsplits told as opened");
  right.equal<std::size_t>(told(w, event_type::netsplit_closed), 0, "netsplits told as closed");
  w.take(0, 1, obstacle::drop);
  w.run_for(minute);
  right.equal<std::size_t>(told(w, event_type::netsplit_closed), 1, "netsplits told as closed in the end");
  return right.verdict();
}

std::string two_frozen_nodes_of_six() {
  world w({.seed = 6, .nodes = 6, .observer = usual()});
  expectations right(w);
  w.run_until(20 * second);
  w.put_between({0, 1}, {2, 3, 4, 5}, obstacle::drop);
  w.run_for(30 * second);
  w.freeze(5);
  w.run_for(10 * second);
  w.thaw(5);
  w.run_for(10 * second);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents");
  for (const auto& i : *w.us.snapshot()->incidents) {
    const auto found = names_of(i.groups);
    right.is_true(found.size() == 2 && found[0].size() == 4 && found[1].size() == 2,
                  "the groups are those of the worst moment, 4 and 2; they are " + text_of(i.groups));
  }
  return right.verdict();
}

// Two of one half die while it is cut off: what was is what the incident tells.
std::string a_half_that_dies_while_it_is_cut_off() {
  world w({.seed = 10, .nodes = 6, .observer = usual(), .kernel = {.ticktime = 8 * second}});
  expectations right(w);
  w.run_until(20 * second);
  w.put_between({0, 1, 2}, {3, 4, 5}, obstacle::drop);
  w.run_for(40 * second);
  w.die(1, false);
  w.die(2, false);
  w.run_for(40 * second);
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 1, "incidents");
  for (const auto& i : *w.us.snapshot()->incidents) {
    const auto found = names_of(i.groups);
    right.is_true(found.size() == 2 && found[0].size() == 3 && found[1].size() == 3,
                  "the groups are those of the worst moment, 3 and 3; they are " + text_of(i.groups));
  }
  return right.verdict();
}

std::string a_newcomer_is_no_part_of_an_incident() {
  world w({.seed = 7, .nodes = 6, .observer = usual(), .kernel = {.ticktime = 8 * second}});
  expectations right(w);
  w.run_until(20 * second);
  w.put_between({0, 1, 2}, {3, 4, 5}, obstacle::drop);
  w.run_for(30 * second);
  const auto fresh = w.add(true);
  w.boot(fresh);
  w.run_for(30 * second);
  for (const auto& i : *w.us.snapshot()->incidents) {
    right.is_true(std::ranges::find(i.left_out, w.us.name(fresh)) == i.left_out.end(),
                  "the new node is not left out");
    for (const auto& [a, b] : i.pairs) {
      right.is_true(a != w.us.name(fresh) && b != w.us.name(fresh), "no pair of the new node is broken");
    }
  }
  return right.verdict();
}

std::string a_machine_with_five_lost_and_back() {
  world w({.seed = 8, .nodes = 8, .observer = usual()});
  expectations right(w);
  const std::vector<place> lost{0, 1, 2, 3, 4}, stay{5, 6, 7};
  w.run_until(20 * second);
  w.put_between(lost, stay, obstacle::drop);
  for (const auto i : lost) w.put(observer, i, obstacle::drop);
  w.run_for(150 * second);
  w.take_between(lost, stay, obstacle::drop);
  for (const auto i : lost) w.take(observer, i, obstacle::drop);
  right.is_true(w.run_until_true([&] { return w.whole(); }, minute), "whole again");
  w.run_for(30 * second);
  const auto& incidents = *w.us.snapshot()->incidents;
  right.equal<std::size_t>(incidents.size(), 1, "incidents");
  if (incidents.size() == 1) {
    const auto& i = incidents.front();
    const auto found = names_of(i.groups);
    right.is_true(found.size() == 2 && found[0].size() == 5 && found[1].size() == 3,
                  "the groups are as they were, 5 and 3; they are " + text_of(i.groups));
    right.is_true(i.closed_at.has_value(), "it is closed once the mesh is whole");
    right.equal(std::string(to_string(i.type)), std::string("full"), "its type");
  }
  return right.verdict();
}

std::string one_pod_that_was_away_and_ran_on() {
  world w({.seed = 9, .nodes = 3, .observer = usual()});
  expectations right(w);
  w.run_until(20 * second);
  w.put_between({0}, {1, 2, observer}, obstacle::drop);
  w.run_for(100 * second);
  w.take_between({0}, {1, 2, observer}, obstacle::drop);
  w.run_for(minute);
  right.is_true(w.whole(), "whole again");
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 0, "incidents");
  std::size_t returned = 0;
  for (const auto& e : w.events) returned += to_string(e.type) == "member_returned" ? 1 : 0;
  right.equal<std::size_t>(returned, 1, "events that say it was away and ran on");
  return right.verdict();
}

#define HISTORY(name) \
  { #name, name }
#define LARGE_HISTORY(name) \
  { #name, name, true }

const std::vector<named_history>& named_histories() {
  static const std::vector<named_history> all{
      HISTORY(a_node_cut_off_and_then_from_the_observer),
      HISTORY(a_dark_pair_and_a_frozen_node),
      HISTORY(a_dark_pair_and_a_frozen_node_of_twenty),
      HISTORY(a_pair_that_refuses_the_handshake),
      HISTORY(two_groups_that_refuse_each_other),
      HISTORY(cookies_that_agree_one_node_after_the_other),
      HISTORY(a_port_mapper_blocked_for_all),
      HISTORY(a_port_mapper_blocked_between_two),
      HISTORY(a_newcomer_while_a_machine_is_lost),
      HISTORY(a_newcomer_while_a_pair_flaps),
      HISTORY(a_newcomer_while_only_the_observer_cannot_reach_a_member),
      HISTORY(what_flaps_at_any_rhythm),
      LARGE_HISTORY(halves_of_ten_joined),
      LARGE_HISTORY(halves_of_twenty_joined),
      LARGE_HISTORY(halves_of_six_joined_after_an_hour),
      HISTORY(a_cut_soon_after_the_mesh_formed),
      HISTORY(three_cuts_a_minute_apart),
      HISTORY(four_and_two_where_five_can_be_joined),
      HISTORY(a_delisted_node_only_the_observer_cannot_reach),
      HISTORY(an_observer_restarted_in_a_cut),
      HISTORY(an_asked_node_without_local_ports),
      HISTORY(an_unbroken_cut_is_told_once),
      HISTORY(the_first_of_a_tear_is_whole_again),
      HISTORY(a_link_closed_by_hand),
      HISTORY(a_tear_goes_on_after_the_incident_opened),
      HISTORY(two_frozen_nodes_of_six),
      HISTORY(a_half_that_dies_while_it_is_cut_off),
      HISTORY(a_newcomer_is_no_part_of_an_incident),
      LARGE_HISTORY(releases_that_refuse_each_other),
      LARGE_HISTORY(a_thousand_unlinked_nodes),
      HISTORY(a_machine_with_five_lost_and_back),
      HISTORY(one_pod_that_was_away_and_ran_on),
  };
  return all;
}

#undef HISTORY
#undef LARGE_HISTORY

}  // namespace rollcall::simulation
