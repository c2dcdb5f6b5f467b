// The alerts: valid, firing when they should, silent through what is no alarm, made from the mixin for every
// way to install them, and of metrics that exist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "test/support/process.hpp"
#include "test/support/sources.hpp"
#include "test/support/wait.hpp"
#include "test/support/yaml.hpp"

namespace rollcall::test {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using names = std::set<std::string>;

constexpr auto rules_file = "deploy/alerts/rollcall.rules.yaml";
constexpr auto tests_file = "deploy/alerts/rollcall.test.yaml";

std::string string(const json::value& v) {
  return std::string(v.as_string());
}

json::array rules() {
  return yaml_documents(source(rules_file)).at(0).at("groups").at(0).at("rules").as_array();
}

finished promtool(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "promtool");
  process_options options;
  options.arguments = std::move(arguments);
  return run(std::move(options), 180s);
}

// What a test of promtool's says fired from its start on: its last question, by alert.
names fired(const json::value& test) {
  const auto& last = test.at("promql_expr_test").as_array().back();
  if (string(last.at("expr")) != R"(count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[1d])))")
    throw std::runtime_error("does not end with all that fired");
  names all;
  static const std::regex alert(R"re(\{alertname="(\w+)"\})re");
  for (const auto& sample : last.at("exp_samples").as_array()) {
    std::smatch found;
    const auto labels = string(sample.at("labels"));
    if (!std::regex_match(labels, found, alert)) throw std::runtime_error(labels);
    all.insert(found[1]);
  }
  return all;
}

std::map<std::string, names> fired_by_test() {
  std::map<std::string, names> all;
  const auto file = yaml_documents(source(tests_file));
  for (const auto& test : file.at(0).at("tests").as_array()) all[string(test.at("name"))] = fired(test);
  return all;
}

// The table at the head of the runbook: what happens, and which alerts that is.
std::map<std::string, names> table() {
  std::map<std::string, names> rows;
  std::istringstream lines(source("docs/runbook.md"));
  std::string line;
  while (std::getline(lines, line) && !line.starts_with("|---")) {
  }
  const auto cell = [](std::string text) {
    text.erase(0, text.find_first_not_of(' '));
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  while (std::getline(lines, line) && line.starts_with("|")) {
    std::istringstream row(line.substr(1));
    std::string event, reported, alerts;
    std::getline(row, event, '|');
    std::getline(row, reported, '|');
    std::getline(row, alerts, '|');
    auto& expected = rows[cell(event)];
    std::istringstream each(alerts);
    for (std::string alert; each >> alert;) {
      if (alert != "none") expected.insert(alert);
    }
  }
  return rows;
}

TEST(Alerts, FireWhenTheyShouldAndOnlyThen) {
  const auto checked = promtool({"check", "rules", repository / rules_file});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  const auto tested = promtool({"test", "rules", repository / tests_file});
  EXPECT_EQ(tested.exit_code, 0) << tested.output << tested.errors;
}

TEST(Alerts, EachIsMadeToFire) {
  names made;
  for (const auto& [test, alerts] : fired_by_test()) made.insert(alerts.begin(), alerts.end());
  for (const auto& rule : rules()) EXPECT_TRUE(made.contains(string(rule.at("alert")))) << rule.at("alert");
}

TEST(Alerts, EveryRowOfTheRunbooksTableIsATestThatSaysTheSame) {
  const auto rows = table();
  const auto tests = fired_by_test();
  EXPECT_GT(rows.size(), 15U);
  for (const auto& [event, alerts] : rows) {
    const auto found = tests.find(event);
    ASSERT_NE(found, tests.end()) << "no test for: " << event;
    EXPECT_EQ(found->second, alerts) << event;
  }
}

TEST(Alerts, WakeSomebodyForFiveThings) {
  std::map<std::string, std::string> critical;
  for (const auto& rule : rules()) {
    const auto severity = string(rule.at("labels").at("severity"));
    EXPECT_TRUE(severity == "critical" || severity == "warning" || severity == "info") << severity;
    if (severity == "critical") critical[string(rule.at("alert"))] = string(rule.at("for"));
  }
  const std::map<std::string, std::string> expected{{"RollcallNetsplit", "1m"},
                                                    {"RollcallPossibleSplit", "2m"},
                                                    {"RollcallNothingDiscovered", "5m"},
                                                    {"RollcallAbsent", "5m"},
                                                    {"RollcallStandby", "2m"}};
  EXPECT_EQ(critical, expected);
}

TEST(Alerts, NameTheNamespaceAndTheFirstStep) {
  for (const auto& rule : rules()) {
    const auto& annotations = rule.at("annotations");
    EXPECT_THAT(string(annotations.at("summary")), HasSubstr("{{ with $labels.namespace }} in {{ . }}"));
    EXPECT_THAT(string(annotations.at("description")), HasSubstr("First step: ")) << rule.at("alert");
    EXPECT_FALSE(annotations.as_object().contains("runbook_url")) << "leads nowhere: nobody said where to";
  }
}

// At once, too, only when that is said.
TEST(Alerts, SayHowLongTheyWait) {
  for (const auto& rule : rules()) {
    const auto* wait = rule.as_object().if_contains("for");
    ASSERT_NE(wait, nullptr) << rule.at("alert");
    EXPECT_NE(string(*wait), "") << rule.at("alert");
  }
}

finished jsonnet(std::vector<std::string> arguments) {
  process_options options;
  options.arguments = {"jsonnet", "--string"};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  return run(std::move(options), 60s);
}

// ./dev mixin makes them.
TEST(Mixin, GivesTheFilesOfTheRepository) {
  const temporary_directory made;
  for (const auto* folder : {"alerts", "chart/rollcall", "overlays/operator", "overlays/runbook", "grafana"})
    std::filesystem::create_directories(made.path() / folder);
  const auto done = jsonnet({"--multi", made.path(), repository / "deploy/mixin/files.jsonnet"});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  int files = 0;
  for (const auto* file :
       {"alerts/rollcall.rules.yaml", "chart/rollcall/rollcall.rules.yaml",
        "overlays/operator/prometheusrule.yaml", "overlays/runbook/links.yaml", "grafana/rollcall.json"}) {
    EXPECT_TRUE(read_file(made.path() / file) == source("deploy/" + std::string(file)))
        << file << " differs from deploy/mixin: ./dev mixin";
    EXPECT_THAT(done.output, HasSubstr(file));
    ++files;
  }
  EXPECT_EQ(std::count(done.output.begin(), done.output.end(), '\n'), files) << done.output;
}

TEST(Mixin, GivesTheOperatorTheSameRules) {
  const auto resource = yaml_documents(source("deploy/overlays/operator/prometheusrule.yaml")).at(0);
  EXPECT_EQ(resource.at("spec"), yaml_documents(source(rules_file)).at(0));
}

TEST(Mixin, LeadsToTheSectionsOfARunbookWhoseAddressIsSet) {
  const auto done = jsonnet({"--exec", "std.manifestJson(((import '" +
                                           (repository / "deploy/mixin/mixin.libsonnet").string() +
                                           "') + {_config+:: {runbookURL: 'https://r.example/runbook'}}"
                                           ").prometheusAlerts)"});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  const auto runbook = source("docs/runbook.md");
  std::size_t seen = 0;
  const auto made = json::parse(done.output);
  for (const auto& rule : made.at("groups").at(0).at("rules").as_array()) {
    const auto name = string(rule.at("alert"));
    EXPECT_THAT(runbook, HasSubstr("\n## " + name + "\n"));
    auto anchor = name;
    for (auto& c : anchor) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(string(rule.at("annotations").at("runbook_url")), "https://r.example/runbook#" + anchor);
    ++seen;
  }
  EXPECT_EQ(seen, rules().size());
}

TEST(Alerts, AndDashboardUseMetricsThatExist) {
  const auto documented = source("docs/metrics.md");
  names used;
  static const std::regex metric("(erlang_cluster|rollcall)_[a-z_]+");
  for (const auto* file : {rules_file, tests_file, "deploy/grafana/rollcall.json"}) {
    const auto text = source(file);
    for (std::sregex_iterator at(text.begin(), text.end(), metric), end; at != end; ++at)
      used.insert(at->str());
  }
  EXPECT_GT(used.size(), 25U);
  for (auto name : used) {
    if (name.ends_with("_bucket")) name.resize(name.size() - 7);
    const auto prefix =
        name.starts_with("erlang_cluster_") ? std::string("erlang_cluster_") : std::string("rollcall_");
    EXPECT_THAT(documented, HasSubstr("`" + name.substr(prefix.size()) + "`")) << name;
  }
}

}  // namespace
}  // namespace rollcall::test
