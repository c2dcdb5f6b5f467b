// A shell of a cluster with Rollcall: what is typed there, each in a process of its own with a limit of ten
// seconds.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>

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
  explicit shell_cluster(std::vector<std::string> rollcall_arguments = {}, bool with_elixir = true);

  testing::AssertionResult whole();
  void ask(std::span<const question> questions, bool in_elixir);

  loopback nodes;
  rollcall_program program;
  beam& node;
  shell at;
};

}  // namespace rollcall::test
