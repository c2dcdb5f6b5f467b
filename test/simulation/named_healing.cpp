// Named histories: what is asked of nodes, and when.
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "test/simulation/expectations.hpp"
#include "test/simulation/named_parts.hpp"

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr milliseconds second{1'000}, minute{60'000};
constexpr milliseconds two_intervals{10'000};

// A lasting fault: at most three tears in its first two minutes, then at most one in five minutes.
void expect_few_tears(world& w, expectations& right, milliseconds begun) {
  w.run_until(begun + 2 * minute);
  right.at_most<std::size_t>(w.tears_since(begun), 3, "tears in the first two minutes");
  w.run_until(begun + 7 * minute);
  right.at_most<std::size_t>(w.tears_since(begun + 2 * minute), 1, "tears in the five minutes after");
}

std::string quarantine_text(const world& w) {
  std::string text;
  for (const auto& q : w.us.snapshot()->quarantine) text += q.text + "\n";
  return text;
}

void connect_missing(world& w, place i) {
  for (place other = 0; other < w.mesh.size(); ++other) {
    if (other != i && w.mesh.present(i) && !w.mesh.sees(i, other))
      w.mesh.connect(i, other, cause::ours(), [](bool) {});
  }
  w.time.in(5 * second, [&w, i] { connect_missing(w, i); });
}

struct leave_counter : action_counter {
  explicit leave_counter(std::size_t& count) : left(count) {}
  void stepped(const membership::step_result& result) override {
    for (const auto& any : result.actions) left += std::holds_alternative<action::leave_mesh>(any) ? 1 : 0;
  }
  std::size_t& left;
};

}  // namespace

void connect_everything_from_every_node(world& w) {
  w.us.stop();
  for (place i = 0; i < w.mesh.size(); ++i) {
    w.time.in(w.time.weather.between(0, 5'000), [&w, i] { connect_missing(w, i); });
  }
}

std::string a_pair_that_refuses_the_handshake() {
  world w({.seed = 3, .nodes = 5, .observer = usual()});
  expectations right(w);
  w.run_until(20 * second);
  w.put(1, 2, obstacle::refused_handshake);
  w.mesh.disconnect(1, 2);
  expect_few_tears(w, right, 20 * second);
  right.equal<std::size_t>(w.mesh.groups().front().size(), 4, "nodes in the largest group");
  const auto text = quarantine_text(w);
  right.is_true(text.find("handshake") != std::string::npos,
                "the quarantine says that the handshake fails; it says: " + text);
  w.take(1, 2, obstacle::refused_handshake);
  right.is_true(w.run_until_true([&] { return w.whole(); }, two_intervals),
                "whole within two intervals once they agree again");
  return right.verdict();
}

namespace {

// Four and five, each with a cookie that the other ones do not take.
void refuse_each_other(world& w) {
  w.run_until(20 * second);
  w.put_between({0, 1, 2, 3}, {4, 5, 6, 7, 8}, obstacle::refused_handshake);
  for (place i = 0; i < 4; ++i) w.mesh.leave(i);
}

}  // namespace

std::string two_groups_that_refuse_each_other() {
  world w({.seed = 15, .nodes = 9, .observer = usual()});
  expectations right(w);
  refuse_each_other(w);
  w.run_for(minute);
  const auto begun = w.time.now();
  const auto downs = w.mesh.nodedowns();
  action_counter counted;
  w.seen_by = &counted;
  w.run_for(42 * minute);
  right.equal<std::size_t>(w.mesh.groups().size(), 2, "groups");
  right.equal<std::size_t>(w.mesh.nodedowns() - downs, 0, "nodedowns");
  right.equal<std::size_t>(w.tears_since(begun), 0, "tears");
  // Each one that is refused is an error in the log of a node.
  right.at_most<std::size_t>(counted.handshakes, 42 * 60 / 6, "handshakes in 42 minutes");
  w.take_between({0, 1, 2, 3}, {4, 5, 6, 7, 8}, obstacle::refused_handshake);
  right.is_true(w.run_until_true([&] { return w.whole(); }, two_intervals),
                "whole within two intervals once the cookies agree");
  w.run_for(minute);
  right.equal<std::size_t>(w.tears_since(begun), 0, "tears in the end");
  return right.verdict();
}

// The nodes of one group take the others' cookie one by one: linked to the others and to its own group, a
// node that has it would be torn out of both.
std::string cookies_that_agree_one_node_after_the_other() {
  world w({.seed = 16, .nodes = 9, .observer = usual()});
  expectations right(w);
  refuse_each_other(w);
  w.run_for(10 * minute);
  const auto begun = w.time.now();
  for (place i = 0; i < 4; ++i) {
    w.take_between({i}, {4, 5, 6, 7, 8}, obstacle::refused_handshake);
    if (i < 3) w.run_for(minute);
  }
  right.is_true(w.run_until_true([&] { return w.whole(); }, two_intervals),
                "whole within two intervals of the last one");
  w.run_for(minute);
  right.equal<std::size_t>(w.tears_since(begun), 0, "tears");
  return right.verdict();
}

std::string a_port_mapper_blocked_for_all() {
  world w({.seed = 4, .nodes = 5, .observer = usual()});
  expectations right(w);
  w.run_until(20 * second);
  for (place i = 1; i < 5; ++i) w.put_one_way(i, 0, obstacle::mapper);
  w.mesh.leave(0);
  const auto begun = w.time.now();
  // A request that hangs takes net_setuptime.
  right.is_true(w.run_until_true([&] { return w.whole(); }, two_intervals + 7 * second),
                "whole within two intervals and a request that hangs, from the side that can");
  right.at_most<std::size_t>(w.tears_since(begun), 0, "tears");
  return right.verdict();
}

std::string a_port_mapper_blocked_between_two() {
  world w({.seed = 5, .nodes = 5, .observer = usual()});
  expectations right(w);
  w.run_until(20 * second);
  w.put(1, 2, obstacle::mapper);
  w.mesh.disconnect(1, 2);
  expect_few_tears(w, right, 20 * second);
  right.equal<std::size_t>(w.mesh.groups().front().size(), 4, "nodes in the largest group");
  w.take(1, 2, obstacle::mapper);
  right.is_true(w.run_until_true([&] { return w.whole(); }, two_intervals),
                "whole within two intervals once it answers");
  return right.verdict();
}

namespace {

// A new node beside whatever `breaks` does ten seconds before.
std::string joins_beside(std::uint64_t seed, bool netsplit_allowed, void (*breaks)(world&)) {
  world w({.seed = seed, .nodes = 6, .observer = usual()});
  expectations right(w);
  w.run_until(20 * second);
  breaks(w);
  w.run_for(10 * second);
  const auto fresh = w.add(true);
  w.boot(fresh);
  const auto begun = w.time.now();
  std::vector<place> sound;
  for (place i = 1; i < 6; ++i) {
    if (w.mesh.sound(fresh, i)) sound.push_back(i);
  }
  // It is listed by the next lookup.
  right.is_true(w.run_until_true([&] { return w.linked_to_all(fresh, sound); }, two_intervals + 5 * second),
                "the new node is in within two intervals of its listing");
  w.run_for(2 * minute);
  right.at_most<std::size_t>(w.tears_since(begun), 0, "tears");
  if (!netsplit_allowed) right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 0, "incidents");
  return right.verdict();
}

}  // namespace

std::string a_newcomer_while_a_machine_is_lost() {
  return joins_beside(6, false, [](world& w) { w.die(0, true); });
}

std::string a_newcomer_while_a_pair_flaps() {
  return joins_beside(7, true, [](world& w) {
    for (int i = 0; i < 20; ++i) {
      w.time.in(i * 12 * second, [&w] { w.put(0, 1, obstacle::drop); });
      w.time.in(i * 12 * second + 6 * second, [&w] { w.take(0, 1, obstacle::drop); });
    }
  });
}

std::string a_newcomer_while_only_the_observer_cannot_reach_a_member() {
  return joins_beside(8, false, [](world& w) { w.put(observer, 0, obstacle::drop); });
}

namespace {

struct flapped {
  std::uint64_t first, second;  // nodedowns of both halves of the time
};

flapped flap(world& w, const std::vector<place>& from, milliseconds period, std::size_t times) {
  w.run_until(20 * second);
  std::array<std::uint64_t, 2> halves{};
  auto before = w.mesh.nodedowns();
  for (std::size_t i = 0; i < times; ++i) {
    w.put_between({0}, from, obstacle::drop);
    w.run_for(period);
    w.take_between({0}, from, obstacle::drop);
    w.run_for(period);
    halves.at(2 * i / times) += w.mesh.nodedowns() - std::exchange(before, w.mesh.nodedowns());
  }
  return {halves[0], halves[1]};
}

}  // namespace

// A node, and a pair, dark and light in turns: also so slowly that all links come up and outlive two ticks.
std::string what_flaps_at_any_rhythm() {
  std::string wrong;
  for (const std::vector<place>& from : {std::vector<place>{1, 2, 3, 4, 5}, {1}}) {
    for (const int period : {6, 9, 12, 15, 20, 30}) {
      const world_options options{
          .seed = 9, .nodes = 6, .observer = usual(), .kernel = {.ticktime = 8 * second}};
      world loop(options), w(options);
      connect_everything_from_every_node(loop);
      const std::size_t times = 8;
      const auto ours = flap(w, from, period * second, times),
                 theirs = flap(loop, from, period * second, times);
      const bool bit = period < 9 || theirs.second > 0;
      if (bit && 2 * ours.second <= ours.first && ours.first + ours.second <= theirs.first + theirs.second)
        continue;
      wrong += fmt::format(
          "{} dark paths, {} s: {} nodedowns in the first half and {} in the second, {} and {} beside a loop "
          "on every node\n",
          from.size(), period, ours.first, ours.second, theirs.first, theirs.second);
    }
  }
  return wrong;
}

namespace {

std::string repaired_at_once(std::size_t nodes, milliseconds cut_for) {
  std::vector<milliseconds> took;
  std::string slowest;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    world w({.seed = seed, .nodes = nodes, .observer = usual(), .kernel = {.ticktime = milliseconds(8'000)}});
    w.run_until(20 * second);
    std::vector<place> half;
    for (place i = 0; i < nodes / 2; ++i) half.push_back(i);
    w.put_between(half, w.others(half), obstacle::drop);
    w.run_for(cut_for);
    if (w.whole()) return "the cut was never noticed\n" + w.diary();
    w.take_between(half, w.others(half), obstacle::drop);
    const auto begun = w.time.now();
    w.run_until_true([&] { return w.whole(); }, minute);
    took.push_back(w.time.now() - begun);
    if (took.back() == *std::ranges::max_element(took)) slowest = w.diary();
  }
  std::ranges::sort(took);
  if (took[5] <= second && took.back() <= 2 * second) return "";
  return fmt::format(
      "{} nodes cut for {} s: whole after {} ms (median of ten), {} ms (the worst); 1000 and 2000 are "
      "right\n{}",
      nodes, cut_for / second, took[5].count(), took.back().count(), slowest);
}

}  // namespace

std::string halves_of_ten_joined() {
  return repaired_at_once(10, minute);
}
std::string halves_of_twenty_joined() {
  return repaired_at_once(20, minute);
}
std::string halves_of_six_joined_after_an_hour() {
  return repaired_at_once(6, 60 * minute);
}

// A mesh that Rollcall formed, and that is cut before its links are old, and once more ten seconds after it
// was joined: those are cuts, and no flapping.
std::string a_cut_soon_after_the_mesh_formed() {
  std::vector<milliseconds> first, second_time;
  std::string slowest;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    world w({.seed = seed, .nodes = 6, .observer = usual(), .meshed = false});
    if (!w.run_until_true([&] { return w.whole(); }, minute)) return "never formed\n" + w.diary();
    w.run_for(static_cast<int>(seed - 1) * (static_cast<int>(seed - 1) * second));
    for (auto* took : {&first, &second_time}) {
      w.put_between({0, 1}, {2, 3, 4, 5}, obstacle::drop);
      w.run_for(minute + minute / 2);
      if (w.whole()) return "the cut was never noticed\n" + w.diary();
      w.take_between({0, 1}, {2, 3, 4, 5}, obstacle::drop);
      const auto begun = w.time.now();
      w.run_until_true([&] { return w.whole(); }, 10 * minute);
      took->push_back(w.time.now() - begun);
      if (took->back() == *std::ranges::max_element(*took)) slowest = w.diary();
      w.run_for(10 * second);
      if (!w.whole()) return "did not stay whole\n" + w.diary();
    }
    if (!w.tears().empty()) return "tears\n" + w.diary();
  }
  const auto worst = *std::ranges::max_element(first), again = *std::ranges::max_element(second_time);
  if (worst <= 2 * second && again <= 2 * second) return "";
  return fmt::format("whole {} ms after the first cut, and {} ms after a second, at worst of ten\n{}",
                     worst.count(), again.count(), slowest);
}

// Each cut but the first breaks links that are younger than two ticks.
std::string three_cuts_a_minute_apart() {
  milliseconds worst{0};
  std::string slowest;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    world w({.seed = seed, .nodes = 6, .observer = usual()});
    w.run_until(20 * second);
    for (int cut = 0; cut < 3; ++cut) {
      w.put_between({0, 1, 2}, {3, 4, 5}, obstacle::drop);
      w.run_for(minute + minute / 2);
      if (w.whole()) return "the cut was never noticed\n" + w.diary();
      w.take_between({0, 1, 2}, {3, 4, 5}, obstacle::drop);
      const auto begun = w.time.now();
      w.run_until_true([&] { return w.whole(); }, 10 * minute);
      if (w.time.now() - begun > worst) slowest = w.diary();
      worst = std::max(worst, w.time.now() - begun);
      w.run_for(minute);
    }
    if (!w.tears().empty()) return "tears\n" + w.diary();
  }
  if (worst <= 2 * second) return "";
  return fmt::format("whole {} ms after a repair, at worst of thirty\n{}", worst.count(), slowest);
}

// Joined again but for one pair between the two sides: five can be linked where four and two stand.
std::string four_and_two_where_five_can_be_joined() {
  world w({.seed = 14, .nodes = 6, .observer = usual(), .kernel = {.ticktime = 8 * second}});
  expectations right(w);
  w.run_until(20 * second);
  w.put_between({0, 1, 2, 3}, {4, 5}, obstacle::drop);
  w.run_for(30 * second);
  w.put(0, 4, obstacle::drop, 1);
  w.take_between({0, 1, 2, 3}, {4, 5}, obstacle::drop);
  std::size_t moved = 0;
  leave_counter counted(moved);
  w.seen_by = &counted;
  right.is_true(w.run_until_true([&] { return w.mesh.groups().front().size() == 5; }, 20 * second),
                "five are linked within two intervals, and the time to move one");
  w.run_for(5 * minute);
  right.equal<std::size_t>(w.mesh.groups().front().size(), 5, "nodes in the largest group in the end");
  right.equal<std::size_t>(moved, 1, "nodes that were told to leave their group");
  bool told = false;
  for (const auto& i : *w.us.snapshot()->incidents) {
    for (const auto& act : i.actions) told |= act.text.find("leave its group") != std::string::npos;
  }
  right.is_true(told, "the incident lists it");
  w.take(0, 4, obstacle::drop, 1);
  right.is_true(w.run_until_true([&] { return w.whole(); }, two_intervals), "whole after the repair");
  right.at_most<std::size_t>(w.tears_since(20 * second), 0, "tears");
  return right.verdict();
}

std::string a_delisted_node_only_the_observer_cannot_reach() {
  auto how = usual();
  how.prune_after = 30 * second;
  world w({.seed = 10, .nodes = 5, .observer = how});
  expectations right(w);
  w.run_until(20 * second);
  w.put(observer, 0, obstacle::drop);
  w.run_for(5 * second);
  w.names.listed.erase(0);
  w.run_for(3 * minute);
  w.take(observer, 0, obstacle::drop);
  w.run_for(2 * minute);
  right.is_true(w.linked_to_all(0, w.others({0})), "a node that all others see stays in the mesh");
  return right.verdict();
}

std::string an_asked_node_without_local_ports() {
  world w({.seed = 11, .nodes = 4, .observer = usual(), .kernel = {.ticktime = 8 * second}});
  expectations right(w);
  w.run_until(20 * second);
  w.put_one_way(observer, 0, obstacle::no_ports);
  w.put_between({0}, {1, 2, 3}, obstacle::drop);
  w.run_for(30 * second);
  action_counter counted;
  w.seen_by = &counted;
  w.run_for(20 * second);
  right.at_most<std::size_t>(counted.path_probes, 800, "path probes in 20 s");
  w.take_between({0}, {1, 2, 3}, obstacle::drop);
  right.is_true(w.run_until_true([&] { return w.whole(); }, two_intervals),
                "whole by probes from the other side");
  return right.verdict();
}

std::string releases_that_refuse_each_other() {
  auto how = usual();
  world w({.seed = 12, .nodes = 3, .observer = how, .kernel = {.release = 27}, .meshed = false});
  expectations right(w);
  for (int i = 0; i < 3; ++i) w.boot(w.add(true, {.prevent_overlapping = false, .release = 23}));
  w.run_until(70 * second);
  std::size_t between = 0;
  for (const auto& c : w.us.connects())
    between += w.mesh[c.on].kernel.release != w.mesh[c.to].kernel.release ? 1 : 0;
  // Releases are known from the handshakes before anybody is asked.
  right.at_most<std::size_t>(between, 0, "requests between releases that refuse each other");
  right.equal<std::size_t>(w.us.snapshot()->links_missing, 0, "links missing");
  const auto groups = w.mesh.groups();
  right.is_true(groups.size() == 2 && groups[0].size() == 3 && groups[1].size() == 3,
                "each release has its mesh");
  right.equal<std::size_t>(w.us.snapshot()->incidents->size(), 0, "incidents");
  right.equal<std::size_t>(w.us.snapshot()->quarantine.size(), 0, "who is left out");
  // One that was restarted belongs to its own mesh, though the other one is as large.
  w.die(4, false);
  w.run_for(milliseconds(2'000));
  w.boot(4);
  right.is_true(w.run_until_true(
                    [&] {
                      return w.linked_to_all(4, {3, 5});
                    },
                    milliseconds(15'000)),
                "an old release that was restarted is linked to those of its kind");
  return right.verdict();
}

std::string a_thousand_unlinked_nodes() {
  world w({.seed = 13,
           .nodes = 1'000,
           .newcomers = 0,
           .observer = usual(),
           .meshed = false,
           .keeps_diary = false});
  expectations right(w);
  action_counter counted;
  w.seen_by = &counted;
  const bool whole = w.run_until_true([&] { return w.mesh.degree(0) == 999 && w.whole(); }, minute);
  right.is_true(whole, "1,000 unlinked nodes are whole within 60 s");
  right.at_most<std::size_t>(counted.path_probes, 100'000, "path probes");
  return right.verdict();
}

}  // namespace rollcall::simulation
