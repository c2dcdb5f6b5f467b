// The exact shape of lines, which levels are written, and that no text can forge or break one.
#include "app/log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/json/parse.hpp>
#include <csignal>

namespace rollcall::app {
namespace {

using testing::ElementsAre;
using testing::MatchesRegex;

struct collected {
  std::vector<std::string> lines;
  log::sink sink() {
    return [this](std::string_view line) { lines.emplace_back(line); };
  }
};

// The time in front is of no interest.
std::string without_time(const std::string& line) {
  return line.substr(line.find(' ') + 1);
}

TEST(Log, TextLineHasTimeLevelMessageAndFields) {
  collected got;
  log lines(log_level::info, log_format::text, got.sink());
  lines.info("member up", {{"node", "a@b"}, {"round_trip", "0.4 ms"}});
  ASSERT_EQ(got.lines.size(), 1U);
  EXPECT_THAT(got.lines.front(),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                           "info  member up node=a@b round_trip=\"0\\.4 ms\""));
}

TEST(Log, TextDoesNotSayAgainWhatTheSentenceSays) {
  collected got;
  log lines(log_level::info, log_format::text, got.sink());
  lines.info("a@b is up", {{"event", "member_up"}, {"node", "a@b"}, {"reason", "closed"}});
  EXPECT_EQ(without_time(got.lines.front()), "info  a@b is up event=member_up reason=closed");
  log all(log_level::info, log_format::json, got.sink());
  all.info("a@b is up", {{"node", "a@b"}});
  EXPECT_THAT(got.lines.back(), testing::HasSubstr(R"("node":"a@b")"));
}

TEST(Log, LevelsBelowTheLeastAreNotWritten) {
  collected got;
  log lines(log_level::warning, log_format::text, got.sink());
  lines.debug("a");
  lines.info("b");
  lines.warning("c");
  lines.error("d");
  std::vector<std::string> texts;
  for (const auto& line : got.lines) texts.push_back(without_time(line));
  EXPECT_THAT(texts, ElementsAre("warning c", "error d"));
  EXPECT_FALSE(lines.enabled(log_level::info));
  EXPECT_TRUE(lines.enabled(log_level::warning));
}

struct field_row {
  std::string name, value, written;
};
struct TextField : testing::TestWithParam<field_row> {};
TEST_P(TextField, IsQuotedOnlyWhereItMustBe) {
  collected got;
  log lines(log_level::info, log_format::text, got.sink());
  lines.info("m", {{"k", GetParam().value}});
  EXPECT_EQ(without_time(got.lines.front()), "info  m k=" + GetParam().written);
}
INSTANTIATE_TEST_SUITE_P(Fields, TextField,
                         testing::Values(field_row{"plain", "a@b", "a@b"},
                                         field_row{"space", "a b", "\"a b\""}, field_row{"empty", "", "\"\""},
                                         field_row{"quote", "a\"b", "\"a\\\"b\""},
                                         field_row{"equals", "a=b", "\"a=b\""},
                                         field_row{"backslash", "a\\b", "\"a\\\\b\""},
                                         field_row{"line_break", "a\nb", "\"a\\nb\""},
                                         field_row{"forged_line", "x\n2026-01-01T00:00:00.000Z error boo",
                                                   "\"x\\n2026-01-01T00:00:00.000Z error boo\""}),
                         [](const auto& row) { return row.param.name; });

TEST(Log, JsonLineIsOneObjectWhateverItHolds) {
  collected got;
  log lines(log_level::debug, log_format::json, got.sink());
  const std::string hostile("q\"\\\n\x1b\x00\xff\xE2\x80\xAE", 10);
  lines.warning("it \"broke\"\n", {{"node", hostile}, {"level", "mine"}});
  ASSERT_EQ(got.lines.size(), 1U);
  EXPECT_EQ(got.lines.front().find('\n'), std::string::npos);
  const auto object = boost::json::parse(got.lines.front()).as_object();
  EXPECT_THAT(std::string(object.at("time").as_string()), MatchesRegex("[-0-9]+T[:0-9]+\\.[0-9]{3}Z"));
  EXPECT_EQ(object.at("level").as_string(), "warning");
  EXPECT_EQ(object.at("message").as_string(), "it \"broke\"\n");
  EXPECT_EQ(object.at("node").as_string(), std::string("q\"\\\n\x1b\x00\xEF\xBF\xBD\xE2\x80\xAE", 12));
  EXPECT_EQ(object.at("level_").as_string(), "mine");
  EXPECT_EQ(object.size(), 5U);
}

TEST(Log, ASinkThatThrowsDoesNotStopTheProgram) {
  log lines(log_level::info, log_format::text, [](std::string_view) { throw std::runtime_error("full"); });
  EXPECT_NO_THROW(lines.info("a"));
}

TEST(Log, WritesWholeLinesToStandardErrorAndSurvivesItsEnd) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const int saved = ::dup(STDERR_FILENO);
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  ASSERT_EQ(::dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
  log lines(log_level::info, log_format::text);
  lines.info("first");
  std::array<char, 256> buffer{};
  const auto count = ::read(ends[0], buffer.data(), buffer.size());
  ::close(ends[0]);
  lines.info("nobody reads this");
  ::close(STDERR_FILENO);
  lines.info("nor this");
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  ::close(ends[1]);
  std::signal(SIGPIPE, old);
  ASSERT_GT(count, 0);
  EXPECT_EQ(without_time(std::string(buffer.data(), static_cast<std::size_t>(count))), "info  first\n");
}

}  // namespace
}  // namespace rollcall::app
