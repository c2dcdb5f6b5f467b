// What outlives a restart: written whole, read with suspicion.
#include "app/state_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "test/support/files.hpp"

namespace rollcall::app {
namespace {

using membership::milliseconds;
using testing::HasSubstr;

node_name n(const char* text) {
  return node_name::parse(text).value();
}

remembered_state sample() {
  membership::incident i;
  i.id = 7;
  i.type = membership::incident_type::full;
  i.counted_as = membership::incident_type::partial;
  i.confirmed = true;
  i.opened_at = membership::wall_time(milliseconds(1'700'000'000'000));
  i.closed_at = membership::wall_time(milliseconds(1'700'000'042'000));
  i.ended = membership::incident_end::healed;
  i.groups = {{n("a@h.example"), n("b@h.example")}, {n("c@h.example")}};
  i.left_out = {n("c@h.example")};
  i.most_broken_pairs = 2;
  i.cause = membership::incident_cause{.from = n("a@h.example"),
                                       .to = n("c@h.example"),
                                       .reason = "net_tick_timeout",
                                       .path = "timeout",
                                       .at = i.opened_at};
  i.actions = {{membership::wall_time(milliseconds(1'700'000'001'000)), "a \"sentence\" with\nwhatever"}};
  i.connects_asked = 2;
  i.connects_succeeded = 1;
  membership::incident open;
  open.id = 8;
  open.opened_at = membership::wall_time(milliseconds(1'700'000'100'000));
  open.pairs = {{n("a@h.example"), n("b@h.example")}};
  open.broken_pairs = open.most_broken_pairs = 1;
  remembered_state state;
  state.incidents = {open, i};
  state.totals.detected = {0, 1, 0};
  state.totals.healed = {0, 1, 0};
  state.totals.duration_buckets.assign(membership::duration_bounds.size(), 1);
  state.totals.duration_sum = 42;
  state.totals.duration_count = 1;
  state.totals.last_start = i.opened_at;
  state.totals.last_end = *i.closed_at;
  state.kept_out = {n("d@h.example")};
  return state;
}

TEST(StateFile, ComesBackAsItWas) {
  const auto text = to_json(sample());
  EXPECT_EQ(to_json(from_json(text)), text);
  const auto back = from_json(text);
  ASSERT_EQ(back.incidents.size(), 2U);
  EXPECT_EQ(back.incidents[1].cause->to, n("c@h.example"));
  EXPECT_EQ(back.incidents[1].groups.size(), 2U);
  EXPECT_FALSE(back.incidents[0].closed_at);
  EXPECT_EQ(back.kept_out, sample().kept_out);
}

TEST(StateFile, OutlivesTheProgram) {
  test::temporary_directory folder;
  state_file first(folder.path().string() + "/deep/er");
  EXPECT_TRUE(first.read().problems.empty()) << "none yet is no problem";
  EXPECT_EQ(first.write(sample()), "");
  auto again = state_file(folder.path().string() + "/deep/er").read();
  ASSERT_TRUE(again.found);
  EXPECT_EQ(to_json(*again.found), to_json(sample()));
  EXPECT_FALSE(std::filesystem::exists(first.path() + ".new"));
}

struct damage {
  const char* name;
  std::string text;
  const char* says;
};
struct Damaged : testing::TestWithParam<damage> {};

TEST_P(Damaged, IsSetAsideWithAWordAndNeverFatal) {
  test::temporary_directory folder;
  state_file file(folder.path().string());
  std::ofstream(file.path()) << GetParam().text;
  const auto read = file.read();
  EXPECT_FALSE(read.found);
  ASSERT_EQ(read.problems.size(), 1U);
  EXPECT_THAT(read.problems[0], HasSubstr(GetParam().says));
  EXPECT_THAT(read.problems[0], HasSubstr("damaged-1"));
  EXPECT_FALSE(std::filesystem::exists(file.path()));
  EXPECT_TRUE(std::filesystem::exists(file.path() + ".damaged-1"));
  EXPECT_EQ(file.write(sample()), "");
  EXPECT_TRUE(file.read().found);
}

std::string changed(const std::string& what, const std::string& to) {
  auto text = to_json(sample());
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("no " + what);
  return text.replace(at, what.size(), to);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Damaged,
    testing::Values(damage{"Empty", "", "not JSON"},
                    damage{"CutShort", to_json(sample()).substr(0, 300), "not JSON"},
                    damage{"Deep", std::string(100'000, '['), "not JSON"},
                    damage{"AList", "[]", "not an object"},
                    damage{"Newer", changed("\"format\":1", "\"format\":2"), "its format is 2"},
                    damage{"NoName", changed("a@h.example", "nobody"), "not a node's name"},
                    damage{"NegativeId", changed("\"id\":8", "\"id\":-8"), "\"id\" is not"},
                    damage{"Type", changed("\"asymmetric\"", "\"strange\""), "\"type\" is not"},
                    damage{"Missing", changed("\"totals\"", "\"other\""), "\"totals\" is missing"},
                    damage{"FarFuture", changed("1700000100000", "99999999999999999"), "opened_at"}),
    [](const auto& row) { return row.param.name; });

TEST(StateFile, SaysWhyItCannotBeWritten) {
  test::temporary_directory folder;
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_NE(state_file(folder.path().string() + "/file").write(sample()), "");
}

TEST(StateFile, OneThatIsTooLargeIsNotRead) {
  test::temporary_directory folder;
  state_file file(folder.path().string());
  std::ofstream(file.path()) << "";
  std::filesystem::resize_file(file.path(), state_file::max_size + 1);
  const auto read = file.read();
  EXPECT_FALSE(read.found);
  EXPECT_THAT(read.problems.at(0), HasSubstr("larger than 16 MiB"));
}

}  // namespace
}  // namespace rollcall::app
