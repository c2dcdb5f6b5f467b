// The last day as text: comes back as it was, fits, and is read with suspicion.
#include "app/history_text.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::app {
namespace {

using membership::history;
using membership::milliseconds;
using testing::HasSubstr;

constexpr membership::wall_time start{milliseconds(1'700'000'000'000)};

// Each turn another member is down, and says so.
history day(int turns, std::size_t members) {
  history kept;
  for (int turn = 0; turn < turns; ++turn) {
    auto now = test::whole_cluster(members);
    now.at = start + milliseconds(10'000) * turn;
    auto& one = now.members[static_cast<std::size_t>(turn) % members];
    one.state = membership::member_state::down;
    one.partition.reset();
    one.base = "a";
    membership::event e;
    e.id = static_cast<std::uint64_t>(turn) + 1;
    e.at = now.at;
    e.type = membership::event_type::member_down;
    e.text = "a member is \"down\"";
    now.events = {e};
    kept.note(now);
  }
  return kept;
}

TEST(HistoryText, ComesBackAsItWas) {
  const auto text = to_json(day(3, 5));
  history back;
  back.restore(history_from_json(text));
  EXPECT_EQ(to_json(back), text);
  ASSERT_EQ(back.frames().size(), 3U);
  const auto& second = back.frames()[1];
  EXPECT_EQ(second.members[1].state, membership::member_state::down);
  EXPECT_TRUE(second.members[1].apart);
  EXPECT_FALSE(second.members[1].partition);
  EXPECT_EQ(second.members[0].partition, 0U);
  EXPECT_EQ(back.name(second.members[1].name), "a0001@h");
  EXPECT_EQ(back.marks().back().text, "a member is \"down\"");
}

TEST(HistoryText, IsEmptyBeforeAnythingWasNoted) {
  EXPECT_EQ(to_json(history()), "");
}

TEST(HistoryText, FitsAtAThousandMembersThatNeverRest) {
  const auto all = day(600, 1'000);
  const auto text = to_json(all);
  EXPECT_LE(text.size(), max_history_text);
  EXPECT_EQ(history_from_json(text).frames.size(), all.frames().size()) << "all of it";
  const auto small = to_json(all, 100'000);
  EXPECT_LE(small.size(), 100'000U);
  const auto some = history_from_json(small);
  EXPECT_GE(some.frames.size(), 2U);
  EXPECT_EQ(some.frames.back().at, all.frames().back().at) << "the cluster as it is now";
  EXPECT_GT(some.marks.size(), 100U);
  EXPECT_EQ(to_json(all, 100), "");
}

struct damage {
  const char* name;
  const char *what, *to, *says;
};
struct DamagedHistory : testing::TestWithParam<damage> {};

TEST_P(DamagedHistory, IsRefusedWithTheReason) {
  auto text = to_json(day(2, 2));
  const std::string what = GetParam().what;
  const auto at = text.find(what);
  ASSERT_NE(at, std::string::npos) << text;
  text.replace(at, what.size(), GetParam().to);
  try {
    history_from_json(text);
    FAIL() << text;
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr(GetParam().says));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, DamagedHistory,
    testing::Values(damage{"Newer", "\"format\":1", "\"format\":2", "its format is 2"},
                    damage{"NameOutOfReach", "\"members\":[0,1]", "\"members\":[0,2]", "less than 2"},
                    damage{"FewerPartitions", "\"partitions\":[null,0]", "\"partitions\":[0]", "2 of them"},
                    damage{"FewerStates", "\"Du\"", "\"D\"", "2 letters"},
                    damage{"NoSuchState", "\"Du\"", "\"Dx\"", "\"states\" is not made of its letters"},
                    damage{"AStateThatIsNeverDrawn", "\"Du\"", "\"D-\"", "\"states\" is not"},
                    damage{"AnOddPair", "\"pairs\":[]", "\"pairs\":[1]", "\"pairs\" is not pairs"},
                    damage{"APairWithoutItsKind", "\"pairs\":[]", "\"pairs\":[0,1]", "1 letters"},
                    damage{"NoSuchKind", "\"own\"", "\"odd\"", "\"kind\" is not"},
                    damage{"BackInTime", "\"first\":1700000000000", "\"first\":1700000020000",
                           "later than first"},
                    damage{"NoNames", "\"names\"", "\"other\"", "\"names\" is missing"},
                    damage{"Deep", "\"names\":[", "\"names\":[[[[[[[[[[[[[[[[[[", "levels"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace rollcall::app
