// main() of every test program: a run that tested nothing, or less than it was asked to, never passes for one
// that did.
//   0   all that was asked for ran and passed
//   77  something was skipped, and nothing failed (ctest shows it as skipped)
//   1   a failure; no test at all; with CI=true also a skipped one
// GoogleTest's own main() ends with 0 when nothing ran, and marks the tests of a suite that could not be set
// up as skipped.
#include <gmock/gmock.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

namespace {

constexpr int skipped = 77;  // test/CMakeLists.txt, SKIP_RETURN_CODE

// GoogleTest's own count leaves out the tests of a suite that was skipped as a whole.
class skips : public ::testing::EmptyTestEventListener {
 public:
  int count() const noexcept { return count_; }

 private:
  void OnTestPartResult(const ::testing::TestPartResult& part) override { count_ += part.skipped() ? 1 : 0; }

  int count_ = 0;
};

int verdict(const ::testing::UnitTest& run, int skipped_count) {
  if (run.Failed()) return 1;
  if (run.test_to_run_count() == 0) {
    std::cerr << "no test was run: " << run.total_test_count() << " in this program, none of that name\n";
    return 1;
  }
  if (skipped_count == 0) return 0;
  const char* in_ci = std::getenv("CI");
  if (in_ci == nullptr || std::string_view(in_ci) != "true") return skipped;
  std::cerr << "in CI, and " << skipped_count << " skips\n";
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  ::testing::InitGoogleMock(&count, arguments);
  const auto& run = *::testing::UnitTest::GetInstance();
  if (run.total_test_count() == 0) {
    std::cerr << "a test program without a test\n";
    return 1;
  }
  auto* seen = new skips;  // GoogleTest owns it, and keeps it until the program ends
  ::testing::UnitTest::GetInstance()->listeners().Append(seen);
  const int failed = RUN_ALL_TESTS();
  if (::testing::GTEST_FLAG(list_tests)) return failed;
  return failed != 0 ? failed : verdict(run, seen->count());
}
