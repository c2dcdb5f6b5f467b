// The limit of open files is raised at the start, and who has used them all up is told so.
#include "app/descriptors.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace rollcall::app {
namespace {

class Descriptors : public testing::Test {
 protected:
  Descriptors() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  ~Descriptors() override { ::setrlimit(RLIMIT_NOFILE, &before_); }
  void soft_limit(rlim_t files) const {
    rlimit lower = before_;
    lower.rlim_cur = files;
    ::setrlimit(RLIMIT_NOFILE, &lower);
  }
  rlimit before_{};
};

TEST_F(Descriptors, TheSoftLimitIsRaisedToTheHardOne) {
  ASSERT_GT(before_.rlim_max, 200U);
  soft_limit(200);
  const auto raised = raise_descriptor_limit();
  EXPECT_EQ(raised.before, 200U);
  EXPECT_EQ(raised.now, before_.rlim_max);
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  EXPECT_EQ(now.rlim_cur, now.rlim_max);
  const auto again = raise_descriptor_limit();
  EXPECT_EQ(again.before, again.now);
}

// Nothing is expected meanwhile: the sanitizer needs a pipe to look at an object.
TEST_F(Descriptors, ThatAreUsedUpAreSaidToBe) {
  const bool at_first = out_of_descriptors();
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  soft_limit(static_cast<rlim_t>(next));
  const bool then = out_of_descriptors();
  const auto text = out_of_descriptors_text();
  ::setrlimit(RLIMIT_NOFILE, &before_);
  EXPECT_FALSE(at_first);
  EXPECT_TRUE(then);
  EXPECT_EQ(text, "all " + std::to_string(next) +
                      " file descriptors of this process are in use (ulimit -n, LimitNOFILE=)");
  EXPECT_FALSE(out_of_descriptors());
}

}  // namespace
}  // namespace rollcall::app
