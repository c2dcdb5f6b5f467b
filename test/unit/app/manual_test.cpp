// The manual page and the completions have every command and option; real shells complete with theirs.
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

// What a shell prints that runs `before`, its completion script, and `after`.
std::string ran(const std::string& shell, const std::string& with, const std::string& before,
                const std::string& after) {
  const auto file = testing::TempDir() + "rollcall-completion-" + std::to_string(::getpid());
  std::ofstream(file) << before << '\n' << completion_script(shell) << '\n' << after << '\n';
  auto out = output_of(shell + " " + with + " " + file + " 2>&1");
  std::remove(file.c_str());
  return out;
}

bool installed(const std::string& shell) {
  return !output_of("command -v " + shell).empty();
}

// What bash offers for the last word.
std::string completed(const std::string& words) {
  return ran("bash", "", "",
             "COMP_WORDS=(" + words +
                 ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_rollcall\necho \"${COMPREPLY[@]}\"");
}

// What zsh is given to offer: its completion system works at a prompt only, so what it would be called with
// is printed.
std::string offered_by_zsh(const std::string& words) {
  return ran("zsh", "-f",
             "compdef() { }\ncompset() { }\ncompadd() { print -- ${@:#--} }\n_files() { print files }\n"
             "_describe() { print -- ${${(P)@[-1]}%%:*} }",
             "words=(" + words + ")\nCURRENT=${#words}\n_rollcall");
}

std::string completed_by_fish(const std::string& line) {
  return ran("fish", "--no-config", "", "complete -C " + line + " | string replace -r '\\t.*' ''");
}

TEST(Completion, OfARealBash) {
  EXPECT_EQ(completed("rollcall net"), "netsplits\n");
  EXPECT_EQ(completed("rollcall members --sta"), "--state\n");
  EXPECT_EQ(completed("rollcall members --state s"), "suspect\n");
  EXPECT_EQ(completed("rollcall completion f"), "fish\n");
  EXPECT_EQ(completed("rollcall run --heal p"), "plan\n");
  EXPECT_EQ(completed("rollcall members --srv"), "\n") << "no option of that command";
  EXPECT_EQ(completed("rollcall --url http : //x members --sta"), "--state\n") << "as bash splits an address";
  EXPECT_EQ(completed("rollcall run --heal = p"), "plan\n") << "as bash splits --heal=p";
  EXPECT_EQ(completed("rollcall run --expect ''"), "\n") << "a number nobody can guess";
}

TEST(Completion, OfARealZsh) {
  if (!installed("zsh")) GTEST_SKIP() << "no zsh here";
  EXPECT_THAT(offered_by_zsh("rollcall ''"), HasSubstr("run check doctor members"));
  EXPECT_THAT(
      offered_by_zsh("rollcall members ''"),
      testing::StartsWith("--url --url-ca --url-auth-file --json --state --config --check-config --help"));
  EXPECT_EQ(offered_by_zsh("rollcall members --state ''"), "joining up suspect leaving down left\n");
  EXPECT_EQ(offered_by_zsh("rollcall run --heal=p"), "auto off all plan\n");
  EXPECT_EQ(offered_by_zsh("rollcall run --state-dir ''"), "files\n");
  EXPECT_EQ(offered_by_zsh("rollcall run --expect ''"), "");
}

TEST(Completion, OfARealFish) {
  if (!installed("fish")) GTEST_SKIP() << "no fish here";
  EXPECT_EQ(completed_by_fish("'rollcall net'"), "netsplits\n");
  EXPECT_EQ(completed_by_fish("'rollcall members --sta'"), "--state\n") << "not --state-dir";
  EXPECT_EQ(completed_by_fish("'rollcall members --state '"), "down\njoining\nleaving\nleft\nsuspect\nup\n");
  EXPECT_EQ(completed_by_fish("'rollcall --heal '"), "all\nauto\noff\nplan\n");
  EXPECT_THAT(completed_by_fish("'rollcall run --config /etc/host'"), HasSubstr("/etc/hosts"));
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
