// In which part of a split cluster a node is: only what is proven closes a gate.
#include "membership/verdict.hpp"

#include <gtest/gtest.h>

namespace rollcall::membership {
namespace {

node_name n(const std::string& alive) {
  return node_name::parse(alive + "@h.example").value();
}

snapshot parted(const std::vector<std::vector<std::string>>& parts, std::size_t expected) {
  snapshot s;
  s.starting = false;
  s.expected = expected;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& part = s.partitions.emplace_back();
    for (const auto& name : parts[i]) {
      part.push_back(n(name));
      places[name] = i;
    }
  }
  for (const auto& [name, place] : places) {
    auto& m = s.members.emplace_back(member{.name = n(name)});
    m.state = member_state::up;
    m.listed = true;
    m.partition = place;
    ++s.up;
  }
  return s;
}

struct row {
  const char* name;
  std::vector<std::vector<std::string>> parts;
  std::size_t expected;
  verdict says;
};
struct Verdicts : testing::TestWithParam<row> {};

TEST_P(Verdicts, OfNodeA) {
  const auto s = parted(GetParam().parts, GetParam().expected);
  EXPECT_EQ(to_string(judge(s, "a@h.example").verdict), to_string(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, Verdicts,
    testing::Values(row{"whole", {{"a", "b", "c"}}, 3, verdict::majority},
                    row{"larger", {{"a", "b"}, {"c"}}, 3, verdict::majority},
                    row{"smaller", {{"b", "c"}, {"a"}}, 3, verdict::minority},
                    row{"tie", {{"a", "b"}, {"c", "d"}}, 4, verdict::tie},
                    row{"smaller_than_a_tie", {{"b", "c"}, {"d", "e"}, {"a"}}, 5, verdict::minority},
                    row{"largest_of_few_that_are_reached", {{"a", "b"}, {"c"}}, 6, verdict::unknown},
                    row{"the_others_are_silent", {{"a", "b"}}, 6, verdict::unknown},
                    row{"alone_and_expected", {{"a"}}, 1, verdict::majority}),
    [](const auto& r) { return r.param.name; });

TEST(Verdict, IsUnknownWhileNothingCanBeProven) {
  auto s = parted({{"b", "c"}, {"a"}}, 3);
  EXPECT_EQ(judge(s, "nobody@h.example").verdict, verdict::unknown);
  s.starting = true;
  EXPECT_EQ(judge(s, "a@h.example").verdict, verdict::unknown);
  s.starting = false;
  s.isolated = true;
  EXPECT_EQ(judge(s, "a@h.example").verdict, verdict::unknown);
}

TEST(Verdict, WholeIsUpAndLinkedToAllThatAreUpAndStaying) {
  auto s = parted({{"a", "b"}}, 3);
  s.at = wall_time(milliseconds(1'000'000));
  auto& b = s.members[1];
  b.since = wall_time(milliseconds(990'000));
  EXPECT_TRUE(judge(s, "a@h.example").whole) << "one that is expected and not there is not waited for";
  s.members[0].links_missing = b.links_missing = 1;
  EXPECT_FALSE(judge(s, "a@h.example").whole);
  b.restarts = 1;
  EXPECT_FALSE(judge(s, "a@h.example").whole) << "anybody may be restarted once";
  b.restarts = 2;
  EXPECT_TRUE(judge(s, "a@h.example").whole) << "it falls over again and again";
  b.since = wall_time(milliseconds(900'000));
  EXPECT_FALSE(judge(s, "a@h.example").whole) << "not any more";
  b.kept_out = true;
  EXPECT_TRUE(judge(s, "a@h.example").whole);
  b.kept_out = false;
  b.state = member_state::leaving;
  EXPECT_TRUE(judge(s, "a@h.example").whole);
  s.members[0].state = member_state::joining;
  EXPECT_FALSE(judge(s, "a@h.example").whole);
}

}  // namespace
}  // namespace rollcall::membership
