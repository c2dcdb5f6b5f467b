// docs/configuration.md names every option as it is: flag, variable, default.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "app/options.hpp"

namespace rollcall::app {
namespace {

std::string documentation() {
  std::ifstream file(std::string(ROLLCALL_SOURCE_DIR) + "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The row of the option's table: | `--flag PLACEHOLDER` | `VARIABLE` | meaning | allowed | default |
std::string row_of(const std::string& text, std::string_view flag) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| `--" + std::string(flag) + "`") ||
        line.starts_with("| `--" + std::string(flag) + " ")) {
      return line;
    }
  }
  return {};
}

TEST(Documentation, HasARowForEveryOption) {
  const auto text = documentation();
  ASSERT_FALSE(text.empty());
  for (const auto& o : options()) {
    const auto row = row_of(text, o.flag);
    EXPECT_FALSE(row.empty()) << "no row for --" << o.flag;
    EXPECT_THAT(row, testing::HasSubstr("`" + o.variable() + "`"));
    EXPECT_THAT(row, testing::HasSubstr(o.allowed));
    EXPECT_THAT(row, testing::HasSubstr(o.standard.empty() ? "| `" + default_text(o) + "` |" : "|"));
    // A choice's values stand in the table with an escaped bar, or Markdown would see a column.
    auto placeholder = o.placeholder;
    for (std::size_t bar = placeholder.find('|'); bar != std::string::npos;
         bar = placeholder.find('|', bar + 2)) {
      placeholder.insert(bar, 1, '\\');
    }
    EXPECT_THAT(row, testing::HasSubstr(placeholder));
  }
}

TEST(Documentation, NamesNoOptionThatDoesNotExist) {
  std::set<std::string> known;
  for (const auto& o : options()) known.insert(std::string(o.flag));
  for (const auto& a : actions()) known.insert(std::string(a.flag));
  const auto text = documentation();
  const std::regex flag("^\\| `(?:-[a-zA-Z], )?--([a-z-]+)");
  std::istringstream lines(text);
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_search(line, match, flag)) continue;
    ++rows;
    EXPECT_TRUE(known.contains(match[1])) << line;
  }
  EXPECT_EQ(rows, known.size());
}

}  // namespace
}  // namespace rollcall::app
