// The manual page and the completions have every command and option; a real bash completes with its one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>

#include "app/options.hpp"

namespace rollcall::app {
namespace {

using testing::HasSubstr;

std::string output_of(const std::string& command) {
  std::string out;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"),
                                                   ::pclose);  // NOLINT: no input from elsewhere
  std::array<char, 512> part{};
  while (pipe && std::fgets(part.data(), part.size(), pipe.get()) != nullptr) out += part.data();
  return out;
}

// What bash offers for the last word.
std::string completed(const std::string& words) {
  const auto file = testing::TempDir() + "rollcall-completion-" + std::to_string(::getpid());
  std::ofstream(file) << completion_script("bash") << "\nCOMP_WORDS=(" << words
                      << ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_rollcall\necho \"${COMPREPLY[@]}\"\n";
  auto out = output_of("bash " + file);
  std::remove(file.c_str());
  return out;
}

TEST(Completion, OfARealBash) {
  EXPECT_EQ(completed("rollcall net"), "netsplits\n");
  EXPECT_EQ(completed("rollcall members --sta"), "--state\n");
  EXPECT_EQ(completed("rollcall members --state s"), "suspect\n");
  EXPECT_EQ(completed("rollcall completion f"), "fish\n");
  EXPECT_EQ(completed("rollcall run --heal p"), "plan\n");
  EXPECT_EQ(completed("rollcall members --srv"), "\n") << "no option of that command";
}

TEST(Completion, EveryShellKnowsEveryCommandAndOption) {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell);
    for (const auto& c : commands()) EXPECT_THAT(script, HasSubstr(std::string(c.name))) << shell;
    for (const auto& o : options())
      EXPECT_THAT(script, HasSubstr((shell == std::string("fish") ? "-l " : "--") + std::string(o.flag)))
          << shell;
  }
  EXPECT_THROW(completion_script("tcsh"), configuration_error);
}

TEST(Manual, HasEveryCommandOptionAndExitCode) {
  const auto page = manual_page();
  const auto bold = [](std::string text) {
    std::string out;
    for (const char c : text) out += c == '-' ? std::string("\\-") : std::string(1, c);
    return "\n.B " + out;
  };
  for (const auto& c : commands()) EXPECT_THAT(page, HasSubstr(bold(std::string(c.name))));
  for (const auto& o : options()) EXPECT_THAT(page, HasSubstr(bold("--" + std::string(o.flag))));
  for (const auto& row : exit_codes({})) EXPECT_THAT(page, HasSubstr(bold(std::string(row.who))));
  EXPECT_THAT(page, testing::StartsWith(".TH ROLLCALL 1 "));
}

TEST(Manual, IsAskedForAsACommand) {
  for (const auto& arguments : {std::vector<std::string>{"man"}, {"completion", "bash"}}) {
    const auto loaded = load(arguments, {});
    ASSERT_TRUE(std::holds_alternative<early_exit>(loaded));
    EXPECT_FALSE(std::get<early_exit>(loaded).output.empty());
  }
  const auto refused = [](std::vector<std::string> arguments) { load(arguments, {}); };
  EXPECT_THAT([&] { refused({"completion"}); },
              testing::ThrowsMessage<configuration_error>(
                  "`rollcall completion` needs an argument: rollcall completion bash|zsh|fish"));
  EXPECT_THAT([&] { refused({"why"}); }, testing::ThrowsMessage<configuration_error>(
                                             "`rollcall why` needs an argument: rollcall why NODE"));
  EXPECT_THAT(
      [&] {
        refused({"members", "a@h", "b@h"});
      },
      testing::ThrowsMessage<configuration_error>(
          "'b@h' is one argument too many: `rollcall members` takes one"));
  const auto one = load(std::vector<std::string>{"members", "a@h", "--state", "down"}, {});
  EXPECT_EQ(std::get<configuration>(one).subject, "a@h");
  EXPECT_EQ(std::get<configuration>(one).state, "down");
}

}  // namespace
}  // namespace rollcall::app
