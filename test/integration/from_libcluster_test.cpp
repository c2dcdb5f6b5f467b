// docs/from-libcluster.md: its command lines are ones the program takes, its links lead somewhere.
#include <gmock/gmock.h>

#include <filesystem>
#include <regex>
#include <sstream>

#include "test/support/files.hpp"
#include "test/support/rollcall_program.hpp"

namespace rollcall::test {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path docs = std::filesystem::path(ROLLCALL_SOURCE_DIR) / "docs";

TEST(FromLibcluster, CommandLinesAreTaken) {
  std::istringstream lines(read_file(docs / "from-libcluster.md"));
  int seen = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("rollcall run ")) continue;
    ++seen;
    std::istringstream words(line);
    std::vector<std::string> arguments{"--check-config"};
    std::string word;
    words >> word;
    while (words >> word) arguments.push_back(word);
    const auto checked =
        run_rollcall(arguments, {{"ROLLCALL_COOKIE", "chocolate"}, {"KUBERNETES_SERVICE_HOST", "10.0.0.1"}});
    EXPECT_EQ(checked.exit_code, 0) << line << "\n" << checked.errors;
    // Each setting is printed with where it is from.
    EXPECT_THAT(checked.output, HasSubstr("  # " + arguments.at(2) + "\n")) << line;
  }
  EXPECT_GE(seen, 6);
}

TEST(FromLibcluster, LinksLeadSomewhere) {
  const auto text = read_file(docs / "from-libcluster.md");
  const std::regex link("\\]\\(([^)#]+)");
  int seen = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at, ++seen) {
    EXPECT_TRUE(std::filesystem::exists(docs / (*at)[1].str())) << (*at)[1];
  }
  EXPECT_GE(seen, 5);
}

}  // namespace
}  // namespace rollcall::test
