// Nodes that are lost, replaced, flapping, cut off from some, and what comes into the mesh meanwhile.
#include <gmock/gmock.h>

#include <csignal>

#include <fmt/format.h>

#include "test/integration/healing.hpp"
#include "test/support/dial_loop.hpp"
#include "test/support/lasting_faults.hpp"

namespace rollcall::test::healing {
namespace {

// Its process is gone, and under its name, at its address, listens what is no node.
void replaced(findings& found, misbehaviour what) {
  scene c(found);
  found.must("a mesh", c.formed());
  const auto others = c.all_but({4});
  const auto& where = c.nodes.host_of(4);
  const auto since = now();
  c.nodes.node(4).kill();
  auto listener =
      std::make_unique<fake_node>(c.nodes.name(4), "chocolate", what, where.address, where.network_namespace);
  // The port mapper holds the name until it has noticed.
  std::unique_ptr<registration> registered;
  found.must("registered", eventually(
                               [&] {
                                 try {
                                   registered = std::make_unique<registration>(
                                       std::uint16_t{4369}, "app", listener->port(), where.network_namespace);
                                   return true;
                                 } catch (const std::runtime_error&) {
                                   return false;
                                 }
                               },
                               20s, "registered"));
  std::this_thread::sleep_until(since + 60s);
  const auto lost = c.lost(since, others);
  const auto torn = tears(since, lost);
  found.note(fmt::format("{} downs in 60 s: {}", lost.size(), torn.text()));
  found.claim("the others lose nobody else",
              std::ranges::all_of(lost, [](const loss& l) { return l.by == 4; }), torn.text());
  found.claim("the others are one", c.meshed(others));
  found.claim("no partition, no incident", c.rollcall.partitions().size() == 1 && c.incidents().empty(),
              c.shown());
  const auto state = c.rollcall.state(c.nodes.name(4));
  found.claim("it is down", state == "down", state);
  registered.reset();
  listener.reset();
  const auto back = now();
  found.must("the name is free", eventually([&] { return !c.nodes.mapper(4).knows("app"); }, 20s, "free"));
  c.nodes.node(4).restart();
  const auto up = now();
  found.claim("whole with the real one",
              eventually([&] { return c.rollcall.whole(5); }, 60s, "whole", 200ms));
  found.note(fmt::format("whole {:.1f} s after the real one ran", seconds(now() - up)));
  found.claim("which costs no link", c.lost(back, others).empty(), tears(back, c.lost(back, others)).text());
}

}  // namespace

SIDE_BY_SIDE(AListenerThatClosesInANodesPlace) {
  replaced(found, misbehaviour::closes_at_once);
}

SIDE_BY_SIDE(AListenerThatStaysSilentInANodesPlace) {
  replaced(found, misbehaviour::silent);
}

namespace {

constexpr auto flapping = 90s;

// Node 0 is cut off for 6 s and joined for 6 s, and so on; how many links were lost, and in which moments.
moments flap(scene& on) {
  const auto since = now();
  for (int turn = 0; now() - since < flapping; ++turn) {
    on.nodes.net().cut_for("web-0", {"web-1", "web-2", "web-3", "web-4", "web-5"}, 6s);
    std::this_thread::sleep_until(since + (turn + 1) * 12s);
  }
  return tears(since, on.lost(since, on.all()));
}

int links(const moments& torn, double from, double to) {
  int sum = 0;
  for (const auto& [at, count] : torn.each) sum += at >= from && at < to ? count : 0;
  return sum;
}

// How long, in ms, each node heard nothing from one of its peers, at the longest of that time.
std::vector<int> longest_pauses(scene& of, std::chrono::seconds time) {
  for (const auto i : of.all()) {
    of.nodes.node(i).eval(
        "register(pauses, spawn(fun() -> Read = fun() -> [{N, C} || {N, P} <- erlang:system_info(dist_ctrl), "
        "is_port(P), lists:member(N, nodes()), {ok, [{recv_cnt, C}]} <- [inet:getstat(P, [recv_cnt])]] end, "
        "(fun Loop(Before, Longest) -> Now = erlang:monotonic_time(millisecond), "
        "Next = maps:from_list([{N, case Before of #{N := {C, At}} -> {C, At}; _ -> {C, Now} end} "
        "|| {N, C} <- Read()]), "
        "Longer = lists:max([Longest | [Now - At || {_, At} <- maps:values(Next)]]), "
        "receive {tell, To} -> unregister(pauses), To ! {longest, Longer} "
        "after 20 -> Loop(Next, Longer) end end)(#{}, 0) "
        "end)), ok");
  }
  std::this_thread::sleep_for(time);
  std::vector<int> longest;
  for (const auto i : of.all()) {
    longest.push_back(std::stoi(
        of.nodes.node(i).eval("pauses ! {tell, self()}, receive {longest, L} -> L after 5000 -> 99999 end")));
  }
  return longest;
}

}  // namespace

// A node that was probed over a link, or anything else that is sent now and then, makes it leave out a tick.
SIDE_BY_SIDE(NodesTickLinksThatAreProbed) {
  scene c(found, {.nodes = 3, .interval = "5s"});
  found.must("a mesh", c.formed());
  // Their tick times have to be known first.
  const auto often = [](const std::vector<int>& pauses) {
    return std::ranges::all_of(pauses, [](int ms) { return ms > 0 && ms < 2'500; });
  };
  found.must("ticks come", eventually([&] { return often(longest_pauses(c, 4s)); }, 60s, "ticks"));
  const auto longest = longest_pauses(c, 30s);
  const auto text = fmt::format("{} ms", fmt::join(longest, ", "));
  found.note("the longest silence that each hears from another: " + text);
  found.claim("no link is silent for longer than with ticks alone", often(longest), text);
}

// Beside it the same cluster with a loop that connects whatever is missing, at the same time on the same
// machine; and one whose nodes say nothing to each other, so that a link carries ticks and probes alone.
SIDE_BY_SIDE(ANodeThatFlaps) {
  scene c(found, {.nodes = 6});
  scene silent(found, {.nodes = 6});
  scene loop(found, {.nodes = 6});
  found.must("a mesh", c.formed());
  found.must("a silent one", silent.formed());
  found.must("another", loop.formed());
  loop.rollcall.terminate();
  start_dial_loop(loop.nodes);
  for (auto* each : {&c, &loop}) start_talking(each->nodes);
  moments theirs, in_silence;
  std::thread beside([&] { theirs = flap(loop); }), as_well([&] { in_silence = flap(silent); });
  const auto ours = flap(c);
  beside.join();
  as_well.join();
  const auto end = now();
  const int our_sum = links(ours, 0, 1e9), their_sum = links(theirs, 0, 1e9),
            silent_sum = links(in_silence, 0, 1e9);
  found.note(fmt::format("{} downs in {} s ({}), {} where nodes are silent ({}); with a loop {} ({})",
                         our_sum, flapping.count(), ours.text(), silent_sum, in_silence.text(), their_sum,
                         theirs.text()));
  found.claim("the darkness breaks links where nobody helps", their_sum > 0, theirs.text());
  found.claim("no more downs than with a loop that dials, but for one node's",
              our_sum <= std::max(their_sum, 10), fmt::format("{} to {}", our_sum, their_sum));
  found.claim("also where nodes are silent", silent_sum <= std::max(their_sum, 10),
              fmt::format("{} to {}", silent_sum, their_sum));
  // One darkness breaks a node's links, and what prevent_overlapping_partitions makes of that: one tear.
  found.claim("rarer each time", ours.after(45) <= std::max<std::size_t>(ours.count() - ours.after(45), 1),
              ours.text());
  double took = 0;
  found.claim("whole when it is over", c.whole_after(end, 120s, took));
  found.note(fmt::format("whole {} after the last joining", time(took)));
}

namespace {

// A sixth node is started and listed while something else is wrong.
void newcomer(findings& found, scene& c, const indices& asked, const std::string& gate_never = "503") {
  const auto before = now();
  const auto index = c.nodes.add();
  c.nodes.node(index).ready();
  c.nodes.node(index).watch();
  const auto listed = now();
  c.nodes.publish();
  bool refused = false, split = false;
  auto with = asked;
  with.push_back(index);
  const auto in = eventually(
      [&] {
        refused = refused ||
                  std::to_string(c.rollcall.get("/api/v1/ready/" + c.nodes.name(index)).status) == gate_never;
        split = split || c.raised("netsplit");
        return c.meshed(with) && c.rollcall.state(c.nodes.name(index)) == "up";
      },
      60s, "in the mesh", 200ms);
  const auto took = seconds(now() - listed);
  found.note(fmt::format("in the mesh {:.1f} s after it was listed", took));
  found.claim("it joins", in);
  // Two intervals, and their fivefold room.
  found.claim("within two intervals", took <= 20, fmt::format("{:.1f} s", took));
  found.claim("its start-up gate never says no", !refused);
  found.claim("no netsplit is raised", !split && c.incidents().empty(), c.shown());
  const auto lost = c.lost(before, asked);
  const auto among = [&](const loss& l) { return std::ranges::find(asked, l.by) != asked.end(); };
  found.claim("sound nodes lose nobody", std::ranges::none_of(lost, among), tears(before, lost).text());
}

}  // namespace

SIDE_BY_SIDE(ANewcomerWhileAMachineIsLost) {
  scene c(found);
  found.must("a mesh", c.formed());
  c.nodes.net().darken("web-4");
  std::this_thread::sleep_for(3s);
  newcomer(found, c, {0, 1, 2, 3});
}

SIDE_BY_SIDE(ANewcomerWhileOneNodeIsOutOfOurReach) {
  scene c(found);
  found.must("a mesh", c.formed());
  c.observer({4}, true);
  found.must("suspect",
             eventually([&] { return c.rollcall.state(c.nodes.name(4)) == "suspect"; }, 60s, "suspect"));
  newcomer(found, c, {0, 1, 2, 3, 4});
}

SIDE_BY_SIDE(ANewcomerWhileAPairFlaps) {
  scene c(found);
  found.must("a mesh", c.formed());
  std::jthread flaps([&](const std::stop_token& stop) {
    for (bool cut = true; !stop.stop_requested(); cut = !cut) {
      c.between({0}, {1}, cut);
      for (int i = 0; i < 60 && !stop.stop_requested(); ++i) std::this_thread::sleep_for(100ms);
    }
  });
  std::this_thread::sleep_for(20s);
  const auto index = c.nodes.add();
  c.nodes.node(index).ready();
  const auto listed = now();
  c.nodes.publish();
  const auto in = eventually(
      [&] {
        return c.meshed({2, 3, 4, index});
      },
      90s, "with the three sound ones", 200ms);
  const auto took = seconds(now() - listed);
  found.note(fmt::format("with the sound ones {:.1f} s after it was listed", took));
  found.claim("it joins the sound ones", in);
  found.claim("within two intervals", took <= 20, fmt::format("{:.1f} s", took));
}

namespace {

// Node 0 is cut from the other eight, then it is lost to Rollcall, too: by a second cut, or since it freezes.
void two_faults(findings& found, bool freeze) {
  scene c(found, {.nodes = 9, .arguments = {}});  // 60 s of tick time: its links stand, and are doubted
  found.must("a mesh", c.formed());
  const auto others = c.all_but({0});
  const auto since = now();
  c.between({0}, others, true);
  std::this_thread::sleep_for(10s);
  freeze ? c.nodes.node(0).freeze() : c.observer({0}, true);
  std::this_thread::sleep_for(15s);
  found.must("Rollcall runs on", testing::AssertionResult(c.rollcall.running_process().running()));
  const auto state = c.rollcall.state(c.nodes.name(0));
  found.claim("it is suspect", state == "suspect", state);
  found.claim("one incident", c.incidents().size() == 1, c.shown());
  found.claim("one alone and eight", c.groups() == std::set<group>{c.names({0}), c.names(others)}, c.shown());
  freeze ? c.nodes.node(0).thaw() : c.observer({0}, false);
  c.between({0}, others, false);
  found.claim("whole when both are over",
              eventually([&] { return c.rollcall.whole(9); }, 60s, "whole", 200ms));
  found.claim("still one incident, closed",
              eventually([&] { return c.incidents().size() == 1 && c.closed(); }, 30s, "closed"));
  const auto lost = c.lost(since, others);
  found.claim("the eight never lose each other",
              std::ranges::all_of(lost, [](const loss& l) { return l.by == 0; }), tears(since, lost).text());
}

}  // namespace

SIDE_BY_SIDE(ANodeCutFromAllAndThenFromUs) {
  two_faults(found, false);
}

SIDE_BY_SIDE(ANodeCutFromAllAndThenFrozen) {
  two_faults(found, true);
}

// Five can be one, and one is out: not four and two.
SIDE_BY_SIDE(ANodeCutFromSomeOfTheOthers) {
  scene c(found, {.nodes = 6});
  found.must("a mesh", c.formed());
  const auto since = now();
  const auto fault = cut_from_some();
  fault.begin(c.nodes);
  std::this_thread::sleep_until(since + 90s);
  const auto torn = tears(since, c.lost(since, c.all()));
  found.note(fmt::format("{} downs in 90 s: {}", c.lost(since, c.all()).size(), torn.text()));
  found.claim("five meshed and one left out", c.all_but_one_meshed());
  found.claim("it is the one that was cut", c.nodes.node(0).nodes().empty() && c.meshed({1, 2, 3, 4, 5}),
              testing::PrintToString(c.rollcall.partitions()));
  found.claim("at most three tears after the first", torn.count() <= 4, torn.text());
  found.claim("one incident", c.incidents().size() == 1, c.shown());
  const auto repaired = now();
  fault.end(c.nodes);
  double took = 0;
  found.claim("whole soon after the repair", c.whole_after(repaired, 20s, took));
  found.note(fmt::format("whole {} after the repair", time(took)));
  const auto late = tears(repaired, c.lost(repaired, c.all()));
  found.claim("the repair costs no link", late.count() == 0, late.text());
}

}  // namespace rollcall::test::healing
