// A shell of a cluster with Rollcall: what is typed there, each in a process of its own with a limit of ten
// seconds.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <span>
#include <string>

#include "test/support/headerless.hpp"
#include "test/support/loopback.hpp"

namespace rollcall::test {

struct question {
  const char* name;
  const char* code;    // R (in Elixir: r) is Rollcall's node
  const char* answer;  // as the shell prints it
  int since = 23;      // the first and the last OTP it is asked on
  int until = 99;
};

// A node and its manner of asking.
class shell {
 public:
  shell(beam& node, std::string rollcall) : node_(node), rollcall_(std::move(rollcall)) {}

  // What comes, as ~0tp or inspect/1 write it. `{Class, Reason}` for what is raised; "hangs" after ten
  // seconds;
  // `{Answer, left, Messages}` when more than the answer came.
  std::string erlang(const std::string& code);
  std::string elixir(const std::string& code);
  // The same about another node than Rollcall's.
  std::string erlang(const std::string& code, const std::string& about);

  int otp();

 private:
  beam& node_;
  std::string rollcall_;
};

// Two members, Rollcall, and a shell that is no member and has Elixir: its node dials Rollcall's.
class shell_cluster {
 public:
  explicit shell_cluster(std::vector<std::string> rollcall_arguments = {}, bool with_elixir = true,
                         wire spoken = wire::headers);

  testing::AssertionResult whole();
  // Every link of every node there is as it was to be.
  testing::AssertionResult is_over(wire);
  void ask(std::span<const question> questions, bool in_elixir);

  loopback nodes;
  rollcall_program program;
  beam& node;
  shell at;
};

// Tests of a shell that are asked both over links with distribution headers and over links without; a cluster
// for each, which all tests of a program share.
class over_both : public testing::TestWithParam<wire> {
 protected:
  static void TearDownTestSuite() { clusters.clear(); }
  void start(std::vector<std::string> rollcall_arguments, bool with_elixir);
  void TearDown() override { EXPECT_TRUE(cluster == nullptr || cluster->is_over(GetParam())); }

  static inline std::map<wire, std::unique_ptr<shell_cluster>> clusters;
  shell_cluster* cluster = nullptr;
};

}  // namespace rollcall::test
