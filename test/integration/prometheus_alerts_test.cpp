// The alerts: valid, firing when they should, silent through what is no alarm, the same for the operator, and
// made of metrics and flags that exist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

#include "test/support/files.hpp"
#include "test/support/rollcall_program.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;

std::string source(const std::string& path) {
  const auto text = read_file(std::string(ROLLCALL_SOURCE_DIR) + "/" + path);
  if (text.empty()) throw std::runtime_error(path + " is missing");
  return text;
}

finished promtool(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "promtool");
  process_options options;
  options.arguments = std::move(arguments);
  return run(std::move(options));
}

std::set<std::string> words(const std::string& text, const std::string& pattern) {
  std::set<std::string> found;
  const std::regex matcher(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), matcher), end; at != end; ++at)
    found.insert(at->str());
  return found;
}

TEST(Alerts, FireWhenTheyShouldAndOnlyThen) {
  const auto folder = std::string(ROLLCALL_SOURCE_DIR) + "/deploy/alerts/";
  const auto checked = promtool({"check", "rules", folder + "rollcall.rules.yaml"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  const auto tested = promtool({"test", "rules", folder + "rollcall.test.yaml"});
  EXPECT_EQ(tested.exit_code, 0) << tested.output << tested.errors;
  const auto tests = source("deploy/alerts/rollcall.test.yaml");
  for (const auto& alert : words(source("deploy/alerts/rollcall.rules.yaml"), "alert: [A-Za-z]+")) {
    const auto name = alert.substr(7);
    EXPECT_THAT(tests, HasSubstr("alertname: " + name + "\n        exp_alerts:\n"))
        << "nothing makes it fire";
  }
}

TEST(Alerts, AreTheSameForTheOperator) {
  std::istringstream rules(source("deploy/alerts/rollcall.rules.yaml"));
  std::string expected;
  bool begun = false;
  for (std::string line; std::getline(rules, line);) {
    begun |= line == "groups:";
    if (begun) expected += "  " + line + "\n";
  }
  const auto given = source("deploy/overlays/operator/prometheusrule.yaml");
  const auto spec = given.find("spec:\n");
  ASSERT_NE(spec, std::string::npos);
  EXPECT_EQ(given.substr(spec + 6), expected);
}

TEST(Alerts, HaveARunbookSectionEach) {
  const auto runbook = source("docs/runbook.md");
  for (const auto& alert : words(source("deploy/alerts/rollcall.rules.yaml"), "alert: [A-Za-z]+")) {
    EXPECT_THAT(runbook, HasSubstr("\n## " + alert.substr(7) + "\n"));
  }
}

TEST(Alerts, AndDashboardUseMetricsThatExist) {
  const auto documented = source("docs/metrics.md");
  auto used = words(source("deploy/alerts/rollcall.rules.yaml"), "(erlang_cluster|rollcall)_[a-z_]+");
  used.merge(words(source("deploy/grafana/rollcall.json"), "(erlang_cluster|rollcall)_[a-z_]+"));
  EXPECT_GT(used.size(), 25U);
  for (auto name : used) {
    if (name.ends_with("_bucket")) name.resize(name.size() - 7);
    const auto prefix =
        name.starts_with("erlang_cluster_") ? std::string("erlang_cluster_") : std::string("rollcall_");
    EXPECT_THAT(documented, HasSubstr("`" + name.substr(prefix.size()) + "`")) << name;
  }
}

TEST(Manifests, UseSettingsThatExist) {
  const auto help = run_rollcall({"run", "--help"}).output;
  for (const auto* file :
       {"deploy/base/deployment.yaml", "deploy/base/kustomization.yaml", "docs/operations.md",
        "docs/from-libcluster.md", "deploy/systemd/rollcall.service"}) {
    const auto text = source(file);
    for (const auto& variable : words(text, "ROLLCALL_[A-Z_]+")) {
      auto flag = "--" + variable.substr(9);
      for (auto& c : flag) c = c == '_' ? '-' : static_cast<char>(std::tolower(c));
      EXPECT_THAT(help, HasSubstr(flag)) << variable << " in " << file;
    }
    for (const auto& flag : words(text, "`--[a-z-]+|run --[a-z-]+")) {
      EXPECT_THAT(help, HasSubstr(flag.substr(flag.find("--")))) << file;
    }
  }
}

}  // namespace
}  // namespace rollcall::test
