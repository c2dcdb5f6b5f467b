// deploy/chart/rollcall: what Helm makes of it is what Kustomize makes of deploy/base and the overlays, for
// every value that people set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "test/support/deploy.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using testing::HasSubstr;

// Names of objects as comparable text: the hash behind a ConfigMap's name is one of another kind in the
// chart.
std::map<std::string, json::value> by_name(const std::string& output) {
  const auto text = std::regex_replace(output, std::regex("rollcall-[a-z0-9]{10}\\b(?!-)"), "rollcall-HASH");
  std::map<std::string, json::value> all;
  for (const auto& one : yaml_documents(text))
    all[string(one.at("kind")) + " " + string(one.at("metadata").at("name"))] = one;
  return all;
}

TEST(Chart, GivesWhatKustomizeGives) {
  ROLLCALL_NEEDS_TOOLS();
  struct row {
    std::string folder, settings;
  };
  for (const auto& [folder, settings] : {
           row{"deploy/base", "monitoring.type=none"},  // the default
           row{"deploy/overlays/annotations", "monitoring.type=annotations,alerts.enabled=true"},
           row{"deploy/overlays/operator",
               "monitoring.type=service,alerts.enabled=true,labels.release=kube-prometheus-stack"},
           row{"deploy/overlays/operator-pods",
               "monitoring.type=pod,alerts.enabled=true,labels.release=kube-prometheus-stack"},
       }) {
    SCOPED_TRACE(folder);
    const auto made = helm(settings);
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    const auto chart = by_name(made.output);
    const auto overlay = by_name(kustomize(folder).output);
    for (const auto& [name, object] : overlay) {
      const auto same = chart.find(name);
      ASSERT_NE(same, chart.end()) << name;
      EXPECT_EQ(same->second, object) << name;
    }
    EXPECT_EQ(chart.size(), overlay.size());
  }
}

// The command that docs/operations.md shows, as it stands there.
TEST(Chart, AsItIsInstalledHasMonitorAndAlerts) {
  ROLLCALL_NEEDS_TOOLS();
  const auto document = source("docs/operations.md");
  const std::string head = "\nhelm install ";
  const auto begin = document.find(head);
  ASSERT_NE(begin, std::string::npos);
  std::string settings;
  const auto shown = document.substr(begin, document.find("```", begin) - begin);
  static const std::regex set("--set ([^ \\\\\n]+)");
  for (std::sregex_iterator each(shown.begin(), shown.end(), set), end; each != end; ++each)
    settings += (settings.empty() ? "" : ",") + (*each)[1].str();
  const auto made = helm(settings);
  ASSERT_EQ(made.exit_code, 0) << settings << "\n" << made.errors;
  const auto objects = yaml_documents(made.output);
  EXPECT_EQ(complaints(objects), "");
  EXPECT_EQ(at(container(objects), "/image"), "registry.example/rollcall:0.1.0");
  for (const auto* kind : {"ServiceMonitor", "PrometheusRule"})
    EXPECT_EQ(at(the(objects, kind), "/metadata/labels/release"), "kube-prometheus-stack") << kind;
  EXPECT_THAT(made.output, HasSubstr("runbook_url: https://wiki.example/rollcall/runbook#rollcallnetsplit"));
  EXPECT_EQ(environment(objects)["ROLLCALL_SRV"], "app@_dist._tcp.app");
}

TEST(Chart, IsValidWhateverIsSet) {
  ROLLCALL_NEEDS_TOOLS();
  const auto linted =
      command({deploy_tools / "helm", "lint", "--strict", repository / "deploy/chart/rollcall"});
  EXPECT_EQ(linted.exit_code, 0) << linted.output << linted.errors;
  const auto made = helm(
      "name=roll,clusterDomain=corp.example,image.repository=r.example/rollcall,image.tag=1.2.3,"
      "config.ROLLCALL_SRV=web@web.shop,config.ROLLCALL_EXPECT=3,cookie.secretName=shop,cookie.key=erl,"
      "existingClaim=rollcall,extraEnv[0].name=ROLLCALL_INTERVAL,extraEnv[0].value=2s,labels.team=a,"
      "networkPolicy.enabled=false,monitoring.type=pod,alerts.enabled=true,alerts.runbook=https://"
      "wiki.example/r");
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const auto objects = yaml_documents(made.output);
  EXPECT_EQ(complaints(objects), "");
  EXPECT_EQ(find(objects, "NetworkPolicy"), nullptr);
  const auto image = container(objects);
  EXPECT_EQ(at(image, "/image"), "r.example/rollcall:1.2.3");
  EXPECT_THAT(made.output, HasSubstr("runbook_url: https://wiki.example/r#rollcallnetsplit"));
  EXPECT_THAT(made.output, testing::Not(HasSubstr("docs/runbook.md#")));
  const auto effective = run_rollcall({"run", "--check-config"}, environment(objects));
  EXPECT_EQ(effective.exit_code, 0) << effective.errors;
  for (const auto* line : {"name = \"rollcall@roll.shop.svc.corp.example\"", "srv = [\"web@web.shop\"]",
                           "expect = 3", "interval = \"2s\""}) {
    EXPECT_THAT(effective.output, HasSubstr(line));
  }
  EXPECT_EQ(at(the(objects, "Deployment"), "/spec/template/spec/volumes/1/persistentVolumeClaim/claimName"),
            "rollcall");
  const auto refused = helm("monitoring.type=telepathy");
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.errors, HasSubstr("none, service, pod or annotations"));
}

}  // namespace
}  // namespace rollcall::test
