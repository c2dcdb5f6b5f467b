// Tests that pass, fail, are skipped, or cannot be set up, for suite_test.cpp to run.
#include <gtest/gtest.h>

#include <stdexcept>

namespace {

TEST(Sample, Passes) {}
TEST(Sample, Fails) {
  FAIL();
}
TEST(Sample, IsSkipped) {
  GTEST_SKIP() << "what it needs is not here";
}

struct SetUpThrows : ::testing::Test {
  static void SetUpTestSuite() { throw std::runtime_error("no node"); }
};
TEST_F(SetUpThrows, NeverRuns) {}

struct SetUpFails : ::testing::Test {
  static void SetUpTestSuite() { FAIL(); }
};
TEST_F(SetUpFails, NeverRuns) {}

struct SetUpSkips : ::testing::Test {
  static void SetUpTestSuite() { GTEST_SKIP() << "what it needs is not here"; }
};
TEST_F(SetUpSkips, NeverRuns) {}

struct ConstructorThrows : ::testing::Test {
  ConstructorThrows() { throw std::runtime_error("no node"); }
};
TEST_F(ConstructorThrows, NeverRuns) {}

}  // namespace
