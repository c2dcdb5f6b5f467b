// A test that did not run is no test that passed: what CTest makes of each way not to run, with CI=true and
// without; and what .ci/run makes of CTest's table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "test/support/files.hpp"
#include "test/support/process.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;
using testing::Not;

struct way {
  std::string name;     // of a test of sample.cpp
  std::string at_home;  // the word in CTest's table
  std::string in_ci;
};

void PrintTo(const way& one, std::ostream* out) {
  *out << one.name;
}

// CTest's exit code, with the word it has for the test.
std::pair<int, std::string> what_ctest_says(const std::string& program, const std::string& filter,
                                            bool in_ci) {
  temporary_directory folder;
  folder.write("CTestTestfile.cmake",
               "add_test(sample \"" + program + "\" \"--gtest_filter=" + filter +
                   "\")\nset_tests_properties(sample PROPERTIES " ROLLCALL_WHAT_IS_SKIPPED ")\n");
  const auto done = run({.arguments = {"ctest", "--test-dir", folder.path().string()},
                         .environment = {{"CI", in_ci ? "true" : ""}},
                         .network_namespace = {}});
  for (const std::string word : {"Passed", "Skipped", "Failed"}) {
    if (done.output.find(word + "  ") != std::string::npos) return {done.exit_code, word};
  }
  return {done.exit_code, done.output + done.errors};
}

class Suite : public ::testing::TestWithParam<way> {};

TEST_P(Suite, SaysWhatDidNotRun) {
  const auto& [name, at_home, in_ci] = GetParam();
  EXPECT_EQ(what_ctest_says(ROLLCALL_SUITE_SAMPLE, name, false),
            std::pair(at_home == "Failed" ? 8 : 0, at_home));
  EXPECT_EQ(what_ctest_says(ROLLCALL_SUITE_SAMPLE, name, true), std::pair(in_ci == "Failed" ? 8 : 0, in_ci));
}

INSTANTIATE_TEST_SUITE_P(Ways, Suite,
                         ::testing::Values(way{"Sample.Passes", "Passed", "Passed"},
                                           way{"Sample.Fails", "Failed", "Failed"},
                                           way{"Sample.IsSkipped", "Skipped", "Failed"},
                                           way{"SetUpThrows.NeverRuns", "Failed", "Failed"},
                                           way{"SetUpFails.NeverRuns", "Failed", "Failed"},
                                           way{"SetUpSkips.NeverRuns", "Skipped", "Failed"},
                                           way{"ConstructorThrows.NeverRuns", "Failed", "Failed"},
                                           way{"Sample.Passes:Sample.IsSkipped", "Skipped", "Failed"},
                                           way{"Sample.IsSkipped:Sample.Fails", "Failed", "Failed"},
                                           way{"Sample.WasRenamed", "Failed", "Failed"}),
                         [](const auto& each) { return std::to_string(each.index); });

TEST(SuiteProgram, WithoutATestIsAFailureAlsoWhenItIsAskedForItsTests) {
  EXPECT_EQ(what_ctest_says(ROLLCALL_SUITE_EMPTY, "*", false), std::pair(8, std::string("Failed")));
  EXPECT_EQ(run({.arguments = {ROLLCALL_SUITE_EMPTY, "--gtest_list_tests"},
                 .environment = {},
                 .network_namespace = {}})
                .exit_code,
            1);
}

// .ci/run with a `dev` that prints what CTest would.
finished ci_run(const std::string& table, int exit_code, const std::string& seconds = "") {
  temporary_directory folder;
  namespace fs = std::filesystem;
  fs::create_directory(folder.path() / ".ci");
  fs::copy(ROLLCALL_SOURCE_DIR "/.ci/run", folder.path() / ".ci/run");
  const auto dev = folder.write(
      "dev", "#!/bin/sh\n[ \"$CI\" = true ] || exit 3\n[ \"$1\" = test ] || exit 0\ncat <<'TEXT'\n" + table +
                 "TEXT\nexit " + std::to_string(exit_code) + "\n");
  fs::permissions(dev, fs::perms::owner_all);
  return run({.arguments = {(folder.path() / ".ci/run").string()},
              .environment = {{"CI", ""}, {"ROLLCALL_CI_SECONDS", seconds}},
              .network_namespace = {}});
}

const std::string one_of_two =
    "1/2 Test #1: Sample.Passes ...................   Passed    0.51 sec\n"
    "2/2 Test #2: Sample.IsSkipped ................***Skipped   0.01 sec\n\n"
    "100% tests passed, 0 tests failed out of 2\n";

TEST(Ci, PassesWhenEveryTestRan) {
  const auto done = ci_run(
      "1/1 Test #1: Sample.Passes ...   Passed    0.51 sec\n100% tests passed, 0 tests failed out of 1\n", 0);
  EXPECT_EQ(done.exit_code, 0) << done.output << done.errors;
  EXPECT_THAT(done.output, HasSubstr("0.51 s  Sample.Passes\n"));
  EXPECT_THAT(done.output, testing::EndsWith("\n100% tests passed, 0 tests failed out of 1\n"));
}

// A slow machine must not make a failure of tests that pass, up to what is waited for at all.
TEST(Ci, SaysLoudlyThatARunTookTooLongAndFailsOnlyWhenItTookMuchTooLong) {
  const std::string passed =
      "1/1 Test #1: Sample.Passes ...   Passed    0.51 sec\n100% tests passed, 0 tests failed out of 1\n";
  struct length {
    int minutes, exit_code;
    bool loud;
  };
  for (const auto& [minutes, exit_code, loud] :
       {length{65, 0, false}, length{66, 0, true}, length{85, 0, true}, length{86, 1, true}}) {
    const auto done = ci_run(passed, 0, std::to_string(minutes * 60));
    EXPECT_EQ(done.exit_code, exit_code) << done.output << done.errors;
    EXPECT_THAT(done.output, testing::ContainsRegex("the run took " + std::to_string(minutes) +
                                                    " minutes.* and [0-9]+ of CPU\n"));
    EXPECT_EQ(done.output.find("TOO LONG") != std::string::npos, loud) << done.output;
  }
  // Time does not make a success of tests that fail.
  EXPECT_EQ(ci_run(passed, 8, "4200").exit_code, 8);
}

TEST(Ci, FailsWhenATestDidNotRunThoughNoneFailed) {
  const auto skipped = ci_run(one_of_two, 0);
  EXPECT_EQ(skipped.exit_code, 1) << skipped.output;
  EXPECT_THAT(skipped.output, HasSubstr("did not run: Sample.IsSkipped\n"));
  const auto disabled = ci_run(
      "1/1 Test #1: Sample.Off ...***Not Run (Disabled)   0.00 sec\n100% tests passed, 0 tests failed out of "
      "1\n",
      0);
  EXPECT_EQ(disabled.exit_code, 1) << disabled.output;
}

TEST(Ci, FailsWhenTheTestsDoOrNoneIsThere) {
  EXPECT_EQ(
      ci_run("1/1 Test #1: Sample.Fails ...***Failed    0.51 sec\n0% tests passed, 1 tests failed out of 1\n",
             8)
          .exit_code,
      8);
  EXPECT_EQ(ci_run("No tests were found!!!\n", 0).exit_code, 1);
}

}  // namespace
}  // namespace rollcall::test
