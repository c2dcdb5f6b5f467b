// Claims of the healing scenarios that the program does not keep yet, as "Scenario: claim". The test says so
// for each, and fails when one begins to hold, so that its line is taken out.
#pragma once

#include <set>
#include <string>

namespace rollcall::test::healing {

inline const std::set<std::string> not_yet_true{};

inline const std::set<std::string> now_and_then{
    // Not proven in every run: when the pair is tried, what `global` links by itself breaks with it.
    "LargePacketsLostBetweenTwo: at most three tears after the first",
    "LargePacketsLostBetweenTwo: ever rarer",
    "LargePacketsLostBetweenTwo: four meshed and one left out",
    "LargePacketsLostBetweenTwo: an incident for each tear at most",
    "LargePacketsLostBetweenTwo: says what fails",
    "LargePacketsLostBetweenTwo: opened, changed, closed",
    // On an overloaded machine the dials of `global` may come before those of the node that can.
    "PortMapperOfANodeBlockedForTheOthers: whole",
    // Held in some runs, and not in others. On an overloaded machine requests fail, and what failed is held
    // back for 30 s.
    "HalvesOfTwentyCutForAMinute: whole at once",
};

}  // namespace rollcall::test::healing
