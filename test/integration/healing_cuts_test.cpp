// Cuts that end, Rollcall restarted within one, and commands that come too late.
#include <gmock/gmock.h>

#include <fmt/format.h>

#include "test/integration/healing.hpp"

namespace rollcall::test::healing {

// At the default interval: what a user sees of the commonest cut.
SIDE_BY_SIDE(HalvesOfTwentyCutForAMinute) {
  scene c(found, {.nodes = 20, .interval = "5s"});
  found.must("a mesh", c.formed());
  indices some, others;
  for (std::size_t i = 0; i < 20; ++i) (i < 10 ? some : others).push_back(i);
  const auto since = now();
  c.between(some, others, true);
  std::this_thread::sleep_until(since + 60s);
  found.claim("one incident, full", c.incidents().size() == 1 && c.type() == "full", c.shown());
  found.claim("its groups are the halves", c.groups() == std::set<group>{c.names(some), c.names(others)},
              c.shown());
  const auto repaired = now();
  c.between(some, others, false);
  double took = 0;
  found.claim("whole", c.whole_after(repaired, 60s, took));
  found.note(fmt::format("whole {} after the repair", time(took)));
  // 2 s are the worst of ten that ./dev bench netsplit measures, with five times their room.
  found.claim("whole at once", took <= 10, fmt::format("{:.1f} s", took));
  found.claim("the incident is closed", eventually([&] { return c.closed(); }, 60s, "closed", 200ms));
  const auto closed = seconds(now() - repaired);
  found.note(fmt::format("closed {:.1f} s after the repair", closed));
  found.claim("closed within two intervals", closed <= 50, fmt::format("{:.1f} s", closed));
  const auto lost = c.lost(since, c.all());
  found.claim("200 downs: each lost the other half once", lost.size() == 200, fmt::format("{}", lost.size()));
  found.claim("opened, changed, closed",
              testing::Matches(testing::MatchesRegex("opened( changed)* closed"))(c.story()), c.story());
}

// One incident, under its own number, open until the cut ends: though the nodes still list each other, since
// their ticks have not run out.
SIDE_BY_SIDE(RollcallRestartedInTheMiddleOfACut) {
  const temporary_directory folder;
  scene c(found, {.nodes = 6, .flags = {"--state-dir", folder.path().string()}, .arguments = {}});
  found.must("a mesh", c.formed());
  const indices some{0, 1, 2}, others{3, 4, 5};
  c.between(some, others, true);
  found.must("an incident", c.opens("full"));
  const auto before = c.incident();
  std::this_thread::sleep_for(3s);
  found.keep_log(c.rollcall.log());
  c.rollcall.terminate();
  c.rollcall = c.nodes.rollcall({"--state-dir", folder.path().string()}, "2s");
  bool healed = false, second = false;
  const auto until = now() + 30s;
  while (now() < until) {
    const auto all = c.incidents();
    second = second || all.size() != 1;
    healed = healed || c.closed();
    std::this_thread::sleep_for(300ms);
  }
  found.claim("it stays open", !healed, c.shown());
  found.claim("there is no second one", !second, c.shown());
  found.claim("it is the same",
              !c.incidents().empty() && c.incident().at("id") == before.at("id") &&
                  c.incident().at("opened_at") == before.at("opened_at"),
              c.shown());
  c.between(some, others, false);
  found.claim("closed when whole",
              eventually([&] { return c.closed() && c.rollcall.whole(6); }, 60s, "over", 200ms));
  found.claim("healed", c.closed() && text(c.incident().at("ended")) == "healed", c.shown());
  found.claim("still one", c.incidents().size() == 1, c.shown());
}

// Every member sees it, only Rollcall does not, and no source lists it: it is not Rollcall's to throw out.
// What was sent to it meanwhile arrives when the path is back.
SIDE_BY_SIDE(NotPrunedWhileAMemberSeesIt) {
  scene c(found, {.nodes = 4, .flags = {"--prune-after", "4s"}, .arguments = {}});
  found.must("a mesh", c.formed());
  const auto since = now();
  c.observer({3}, true);
  c.nodes.list(3, false);
  std::this_thread::sleep_for(20s);
  c.nodes.list(3, true);
  std::this_thread::sleep_for(5s);
  c.observer({3}, false);
  std::this_thread::sleep_for(30s);
  const auto torn = tears(since, c.lost(since, c.all()));
  found.note(fmt::format("{} downs: {}", c.lost(since, c.all()).size(), torn.text()));
  found.claim("nobody loses it", torn.count() == 0, torn.text());
  found.claim("whole", eventually([&] { return c.rollcall.whole(4); }, 60s, "whole", 200ms));
}

// It is told to leave while it cannot hear, and let in again before it wakes: what it finds in its socket is
// past.
SIDE_BY_SIDE(ALateCommandIsNotCarriedOut) {
  scene c(found, {.nodes = 4, .arguments = {}});
  found.must("a mesh", c.formed());
  const auto since = now();
  c.nodes.node(3).freeze();
  c.call(0, "leave, ['" + c.nodes.name(3) + "']");
  std::this_thread::sleep_for(10s);
  c.call(0, "rejoin, ['" + c.nodes.name(3) + "']");
  std::this_thread::sleep_for(10s);
  c.nodes.node(3).thaw();
  std::this_thread::sleep_for(10s);
  const auto torn = tears(since, c.lost(since, c.all()));
  found.note(fmt::format("{} downs after it woke: {}", c.lost(since, c.all()).size(), torn.text()));
  found.claim("nobody loses it", torn.count() == 0, torn.text());
  found.claim("whole", eventually([&] { return c.rollcall.whole(4); }, 60s, "whole", 200ms));
}

// Cut from all and from Rollcall, it ran on by itself: no incident, but a word.
SIDE_BY_SIDE(AMemberThatWasAwayAndRanOn) {
  scene c(found, {.nodes = 3});
  found.must("a mesh", c.formed());
  // In this order: else Rollcall may see the others' cut first, and that is a netsplit.
  c.observer({2}, true);
  c.between({2}, {0, 1}, true);
  found.must("down",
             eventually([&] { return c.rollcall.state(c.nodes.name(2)) == "down"; }, 90s, "down", 200ms));
  c.between({2}, {0, 1}, false);
  c.observer({2}, false);
  found.claim("whole", eventually([&] { return c.rollcall.whole(3); }, 90s, "whole", 200ms));
  const auto told = [&] {
    int count = 0;
    const auto events = c.rollcall.json("/api/v1/events");
    for (const auto& one : events.as_array()) count += text(one.at("type")) == "member_returned" ? 1 : 0;
    return count;
  };
  found.claim("it is told once that it was away", eventually([&] { return told() == 1; }, 20s, "told"));
  found.claim("no incident", c.incidents().empty(), c.shown());
}

}  // namespace rollcall::test::healing
