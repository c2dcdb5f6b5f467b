// Pairs that answer TCP and cannot link, and pairs that can link one way round only. What a healer that
// trusts a path does to them: it tears the healthy links again and again.
#include <gmock/gmock.h>

#include <fmt/format.h>

#include "test/integration/healing.hpp"
#include "test/support/lasting_faults.hpp"

namespace rollcall::test::healing {
namespace {

// A pair of five, 1 and 2, that cannot link from here on, whatever asks it to.
struct stuck_pair {
  lasting_fault fault;
  testing::Matcher<std::string> said;  // of the sentences why one is left out
  bool shows_its_end = true;           // the repair shows without an attempt to link, or costs no link to try
  bool comes_up = false;               // it does link, for a while: each time it is whole, and breaks
};

// Of others than the pair itself: what it lacks is nobody's doing.
std::vector<loss> of_sound_links(std::vector<loss> all) {
  std::erase_if(all, [](const loss& l) {
    return std::pair(l.of, l.by) == std::pair<std::size_t, std::size_t>(1, 2) ||
           std::pair(l.by, l.of) == std::pair<std::size_t, std::size_t>(1, 2);
  });
  return all;
}

void last_and_end(findings& found, const stuck_pair& pair) {
  scene c(found);
  found.must("a mesh", c.formed());
  const auto sound = c.all_but({1, 2});
  const auto since = now();
  pair.fault.begin(c.nodes);
  std::this_thread::sleep_until(since + 90s);

  const auto torn = tears(since, of_sound_links(c.lost(since, c.all())));
  found.note(fmt::format("{} downs in 90 s, in moments at {}", c.lost(since, c.all()).size(), torn.text()));
  // The first is what prevents overlapping partitions: nobody's doing.
  found.claim("at most three tears after the first", torn.count() <= 4, torn.text());
  found.claim("ever rarer", torn.after(60) <= 1, torn.text());
  found.claim("four meshed and one left out", c.all_but_one_meshed());
  const auto incidents = c.incidents().size();
  found.claim(pair.comes_up ? "an incident for each tear at most" : "one incident",
              incidents >= 1 && incidents <= (pair.comes_up ? torn.count() : 1), c.shown());
  found.claim("says what fails", testing::Matches(pair.said)(c.quarantine()), c.quarantine() + c.shown());

  const auto repaired = now();
  pair.fault.end(c.nodes);
  if (!pair.shows_its_end) c.call(sound.front(), "reconnect, []");
  double took = 0;
  found.claim("whole soon after the repair", c.whole_after(repaired, 20s, took));
  found.note(fmt::format("whole {} after the repair", time(took)));
  const auto late = tears(repaired, c.lost(repaired, c.all()));
  found.claim("the repair costs no link", late.count() == 0, late.text());
  found.claim("the incident is closed", eventually([&] { return c.closed(); }, 20s, "closed", 200ms));
  found.claim("opened, changed, closed",
              testing::Matches(testing::MatchesRegex(pair.comes_up ? "(opened( changed)* closed ?)+"
                                                                   : "opened( changed)* closed"))(c.story()),
              c.story());
}

}  // namespace

SIDE_BY_SIDE(RefusedPair) {
  last_and_end(found, {.fault = refused_pair(), .said = testing::HasSubstr("handshake")});
}

SIDE_BY_SIDE(PortMapperBlockedBetweenTwo) {
  last_and_end(found, {.fault = port_mapper_blocked(), .said = testing::HasSubstr("port mapper")});
}

SIDE_BY_SIDE(AProxyThatClosesBetweenTwo) {
  last_and_end(found, {.fault = proxy_in_the_way(misbehaviour::closes_at_once),
                       .said = testing::HasSubstr("handshake")});
}

SIDE_BY_SIDE(AProxyThatStaysSilentBetweenTwo) {
  last_and_end(found,
               {.fault = proxy_in_the_way(misbehaviour::silent), .said = testing::HasSubstr("handshake")});
}

SIDE_BY_SIDE(LargePacketsLostBetweenTwo) {
  last_and_end(found, {.fault = large_packets_lost(),
                       .said = testing::HasSubstr("breaks"),
                       .shows_its_end = false,
                       .comes_up = true});
}

namespace {

// Node 0 is out of the mesh and only one side can dial: asking the other one heals.
void one_side_dials(findings& found, bool inwards) {
  scene c(found);
  found.must("a mesh", c.formed());
  const auto others = c.all_but({0});
  const auto blocked = [&](bool now_on) {
    for (const auto i : others) {
      const auto from = inwards ? c.nodes.hostname(i) : "web-0", to = inwards ? "web-0" : c.nodes.hostname(i);
      now_on ? c.nodes.net().block(from, to, 4369) : c.nodes.net().open(from, to, 4369);
    }
  };
  blocked(true);
  const auto since = now();
  c.nodes.node(0).eval("global:disconnect()");
  found.must("it is out", eventually([&] { return c.lost(since, others).size() >= 4; }, 20s, "out"));
  double took = 0;
  found.claim("whole", c.whole_after(since, 40s, took));
  found.note(fmt::format("whole after {}", time(took)));
  const auto lost = c.lost(since, others);
  found.claim("no healthy link is lost", std::ranges::none_of(lost, [](const loss& l) { return l.by != 0; }),
              tears(since, lost).text());
  blocked(false);
  found.claim("whole without the block",
              eventually([&] { return c.rollcall.whole(5); }, 60s, "whole", 200ms));
}

}  // namespace

SIDE_BY_SIDE(PortMapperOfANodeBlockedForTheOthers) {
  one_side_dials(found, true);
}

SIDE_BY_SIDE(PortMappersOfTheOthersBlockedForANode) {
  one_side_dials(found, false);
}

}  // namespace rollcall::test::healing
