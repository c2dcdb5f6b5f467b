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

// What Helm's own manners add, and what names a ConfigMap after its content, taken out.
void take_out_manners(json::value& value) {
  static const std::set<std::string_view> of_helm{"helm.sh/chart", "app.kubernetes.io/version",
                                                  "app.kubernetes.io/managed-by", "checksum/config",
                                                  "imagePullPolicy"};
  if (value.is_array()) {
    for (auto& one : value.get_array()) take_out_manners(one);
  }
  if (!value.is_object()) return;
  auto& object = value.get_object();
  for (const auto key : of_helm) object.erase(key);
  for (auto& entry : object) take_out_manners(entry.value());
  if (const auto* annotations = object.if_contains("annotations");
      annotations != nullptr && *annotations == json::object())
    object.erase("annotations");
}

std::map<std::string, json::value> by_name(const std::string& output) {
  const auto text = std::regex_replace(output, std::regex("rollcall-[a-z0-9]{10}\\b(?!-)"), "rollcall");
  std::map<std::string, json::value> all;
  for (auto& one : yaml_documents(text)) {
    if (at(one, "/metadata/annotations/helm.sh~1hook") == "test") continue;
    take_out_manners(one);
    all[string(one.at("kind")) + " " + string(one.at("metadata").at("name"))] = one;
  }
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
           row{"deploy/overlays/endpointslices", "config.ROLLCALL_KUBERNETES=app@app"},
           row{"deploy/overlays/tls", "tls.secretName=rollcall-tls"},
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

TEST(Chart, GivesWhatTheComponentOfHttpsGives) {
  ROLLCALL_NEEDS_TOOLS();
  const temporary_directory folder;
  const auto values = folder.write("values.yaml", R"(
http: {tls: {secretName: rollcall-http-tls}}
labels: {release: kube-prometheus-stack}
alerts: {enabled: true}
monitoring: {tlsConfig: {ca: {secret: {name: rollcall-http-tls, key: ca.crt}}, serverName: rollcall}}
)");
  for (const auto& [type, resource] : {std::pair{"service", "operator"}, std::pair{"pod", "operator-pods"}}) {
    SCOPED_TRACE(resource);
    const auto made = helm("monitoring.type=" + std::string(type), {"--values", values});
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    const auto own = kustomize_own("resources: [../deploy/overlays/" + std::string(resource) +
                                   "]\ncomponents: [../deploy/overlays/https]\n");
    ASSERT_EQ(own.exit_code, 0) << own.errors;
    auto chart = by_name(made.output), overlay = by_name(own.output);
    EXPECT_EQ(chart.size(), overlay.size());
    for (auto& [name, object] : overlay) {
      if (name == "Deployment rollcall") {
        // Only the overlay cannot know that nobody reads it.
        auto& metadata = object.at_pointer("/spec/template/metadata").as_object();
        EXPECT_EQ(metadata.at("annotations"), (json::object{{"prometheus.io/scheme", "https"}}));
        metadata.erase("annotations");
      }
      EXPECT_EQ(chart[name], object) << name;
    }
  }
}

// Probes have no password and know no CA: kubelet asks over HTTPS and checks nothing.
TEST(Chart, ServesHttpsWithPasswordsFromTwoSecrets) {
  ROLLCALL_NEEDS_TOOLS();
  const temporary_directory folder;
  const auto values = folder.write("values.yaml", R"(
http: {tls: {secretName: web}, auth: {secretName: readers, key: htpasswd}}
monitoring: {type: service, tlsConfig: {serverName: roll}, basicAuth: {username: {name: scraper, key: u}}}
)");
  const auto made = helm("", {"--values", values});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const auto objects = yaml_documents(made.output);
  EXPECT_EQ(complaints(objects), "");
  for (const auto* probe : {"/startupProbe", "/livenessProbe", "/readinessProbe"}) {
    EXPECT_EQ(at(container(objects), std::string(probe) + "/httpGet/scheme"), "HTTPS");
  }
  const auto endpoint = at(the(objects, "ServiceMonitor"), "/spec/endpoints/0");
  EXPECT_EQ(at(endpoint, "/scheme"), "https");
  EXPECT_EQ(at(endpoint, "/tlsConfig/serverName"), "roll");
  EXPECT_EQ(at(endpoint, "/basicAuth/username/name"), "scraper");
  const auto data = at(the(objects, "ConfigMap"), "/data");
  const auto pod = at(the(objects, "Deployment"), "/spec/template/spec");
  EXPECT_EQ(at(pod, "/volumes/2/secret/secretName"), "web");
  EXPECT_EQ(at(pod, "/volumes/3/secret/items/0/key"), "htpasswd");
  EXPECT_EQ(string(at(data, "/ROLLCALL_HTTP_TLS_KEY")),
            string(at(container(objects), "/volumeMounts/2/mountPath")) + "/tls.key");
  EXPECT_EQ(string(at(data, "/ROLLCALL_HTTP_AUTH_FILE")),
            string(at(container(objects), "/volumeMounts/3/mountPath")) + "/" +
                string(at(pod, "/volumes/3/secret/items/0/path")));
}

TEST(Chart, ServicesOfOtherNamespacesHaveTheirRolesThere) {
  ROLLCALL_NEEDS_TOOLS();
  const auto made = helm("config.ROLLCALL_KUBERNETES=app@app\\,app-*@jobs.batch\\,rabbit@mq.batch");
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  std::multiset<std::string> roles;
  for (const auto& one : yaml_documents(made.output)) {
    if (string(one.at("kind")) != "Role" && string(one.at("kind")) != "RoleBinding") continue;
    const auto* where = one.at("metadata").as_object().if_contains("namespace");
    roles.insert(string(one.at("kind")) + " " + (where != nullptr ? string(*where) : "own"));
    if (string(one.at("kind")) == "RoleBinding" && where != nullptr) {
      EXPECT_EQ(at(one, "/subjects/0/namespace"), "default") << "the account is of our own namespace";
    }
  }
  EXPECT_THAT(roles, testing::ElementsAre("Role batch", "Role own", "RoleBinding batch", "RoleBinding own"));
}

// Not a link: tools that copy a chart drop links, or write them as text, and then nobody is alerted.
TEST(Chart, CarriesTheAlertsAsAFileOfItsOwn) {
  const auto file = repository / "deploy/chart/rollcall/rollcall.rules.yaml";
  EXPECT_FALSE(fs::is_symlink(file));
  EXPECT_EQ(read_file(file), source("deploy/alerts/rollcall.rules.yaml")) << "copy it to the chart";
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
  EXPECT_THAT(made.output, HasSubstr("runbook_url: https://rollcall.example/runbook#rollcallnetsplit"));
  EXPECT_EQ(environment(objects)["ROLLCALL_SRV"], "app@_dist._tcp.app");
}

// The links of the alerts: what is set, else the page behind the Ingress, else none.
TEST(Chart, AlertsLeadToTheRunbookThatIsServed) {
  ROLLCALL_NEEDS_TOOLS();
  const std::string host =
      ",ingress.enabled=true,ingress.hosts[0].host=roll.example,"
      "ingress.hosts[0].paths[0].path=/,ingress.hosts[0].paths[0].pathType=Prefix";
  for (const auto* monitoring : {"service", "annotations"}) {
    const auto alerts = std::string("alerts.enabled=true,monitoring.type=") + monitoring;
    for (const auto& [more, url] : std::map<std::string, std::string>{
             {"", ""},
             {",alerts.runbook=https://wiki.example/r", "https://wiki.example/r"},
             {host, "http://roll.example/runbook"},
             {host + ",ingress.tls[0].secretName=t", "https://roll.example/runbook"},
         }) {
      const auto made = helm(alerts + more);
      ASSERT_EQ(made.exit_code, 0) << made.errors;
      const auto links = std::string("runbook_url: ");
      if (url.empty()) {
        EXPECT_THAT(made.output, Not(HasSubstr(links)));
      } else {
        EXPECT_THAT(made.output, HasSubstr(links + url + "#rollcallnetsplit\n"));
      }
    }
  }
}

// What people set in other charts, all at once.
constexpr auto everything = R"(
fullnameOverride: roll
clusterDomain: corp.example
image: {repository: r.example/rollcall, tag: 20251125, pullPolicy: Always}
imagePullSecrets: [{name: registry}]
config: {ROLLCALL_SRV: web@web.shop, ROLLCALL_EXPECT: 3, ROLLCALL_NODE: [a@h.example, b@h.example], ROLLCALL_LOG_FORMAT: text,
  ROLLCALL_MAX_LINK_SERIES: 1000000}
cookie: {secretName: shop, key: erl}
existingClaim: rollcall
extraEnv: [{name: ROLLCALL_INTERVAL, value: 2s}, {name: ROLLCALL_EXPECT, value: "4"}, {name: NAMESPACE, value: mine}]
serviceAccount: {create: true, annotations: {a.example/role: r}}
labels: {team: a}
podLabels: {tier: b}
podAnnotations: {note: c}
nodeSelector: {kubernetes.io/os: linux, kubernetes.io/arch: arm64}
tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}]
priorityClassName: high
terminationGracePeriodSeconds: 9
volumes: [{name: more, emptyDir: {}}]
volumeMounts: [{name: more, mountPath: /more}]
service: {annotations: {d: e}, labels: {f: g}}
ingress: {enabled: true, className: nginx, hosts: [{host: roll.example, paths: [{path: /, pathType: Prefix}]}], tls: [{hosts: [roll.example], secretName: t}]}
networkPolicy: {distributionFrom: [{namespaceSelector: {matchLabels: {a: b}}}], httpFrom: [{namespaceSelector: {matchLabels: {c: d}}}]}
monitoring: {type: pod, interval: 30s}
alerts: {enabled: true, runbook: "https://wiki.example/r"}
)";

TEST(Chart, IsValidWhateverIsSet) {
  ROLLCALL_NEEDS_TOOLS();
  const auto linted =
      command({deploy_tools / "helm", "lint", "--strict", repository / "deploy/chart/rollcall"});
  EXPECT_EQ(linted.exit_code, 0) << linted.output << linted.errors;
  const temporary_directory folder;
  const auto made = helm("", {"--values", folder.write("values.yaml", everything)});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const auto objects = yaml_documents(made.output);
  EXPECT_EQ(complaints(objects), "");
  const auto image = container(objects);
  EXPECT_EQ(at(image, "/image"), "r.example/rollcall:20251125");
  EXPECT_EQ(at(image, "/imagePullPolicy"), "Always");
  EXPECT_EQ(at(image, "/volumeMounts/2/mountPath"), "/more");
  EXPECT_THAT(made.output, HasSubstr("runbook_url: https://wiki.example/r#rollcallnetsplit"));
  auto given = environment(objects);
  EXPECT_EQ(given["ROLLCALL_MAX_LINK_SERIES"], "1000000");
  EXPECT_EQ(given["NAMESPACE"], "mine");
  const auto effective = run_rollcall({"run", "--check-config"}, given);
  EXPECT_EQ(effective.exit_code, 0) << effective.errors;
  EXPECT_EQ(effective.errors, "");
  for (const auto* line : {"name = \"rollcall@roll.mine.svc.corp.example\"", "srv = [\"web@web.shop\"]",
                           "node = [\"a@h.example\", \"b@h.example\"]", "expect = 4", "interval = \"2s\"",
                           "log-format = \"text\""}) {
    EXPECT_THAT(effective.output, HasSubstr(line));
  }
  const json::value deployment = the(objects, "Deployment");
  EXPECT_EQ(at(deployment, "/spec/strategy"), (json::value{{"type", "Recreate"}}))
      << "two pods cannot share a claim";
  EXPECT_EQ(at(deployment, "/spec/template/metadata/labels/tier"), "b");
  EXPECT_EQ(at(deployment, "/spec/template/metadata/annotations/note"), "c");
  EXPECT_EQ(at(deployment, "/metadata/labels/team"), "a");
  const auto pod = at(deployment, "/spec/template/spec");
  EXPECT_EQ(at(pod, "/volumes/1/persistentVolumeClaim/claimName"), "rollcall");
  EXPECT_EQ(at(pod, "/imagePullSecrets/0/name"), "registry");
  EXPECT_EQ(at(pod, "/serviceAccountName"), "roll");
  EXPECT_EQ(at(pod, "/nodeSelector/kubernetes.io~1arch"), "arm64");
  EXPECT_EQ(at(pod, "/tolerations/0/key"), "dedicated");
  EXPECT_TRUE(at(pod, "/affinity/nodeAffinity").is_object());
  EXPECT_EQ(at(pod, "/topologySpreadConstraints/0/maxSkew"), 1);
  EXPECT_EQ(at(pod, "/priorityClassName"), "high");
  EXPECT_EQ(at(pod, "/terminationGracePeriodSeconds"), 9);
  const json::value policy = the(objects, "NetworkPolicy");
  EXPECT_TRUE(at(policy, "/spec/ingress/0/from/1/namespaceSelector").is_object());
  EXPECT_TRUE(at(policy, "/spec/ingress/1/from/1/namespaceSelector").is_object());
  EXPECT_EQ(at(the(objects, "Ingress"), "/spec/rules/0/http/paths/0/backend/service/name"), "roll");
  EXPECT_EQ(at(the(objects, "Service"), "/metadata/annotations/d"), "e");
}

TEST(Chart, RefusesWhatItDoesNotKnow) {
  ROLLCALL_NEEDS_TOOLS();
  struct row {
    std::string settings, complaint;
  };
  for (const auto& [settings, complaint] : {
           row{"confg.ROLLCALL_SRV=a@b", "'confg' not allowed"},
           row{"image.tga=1", "'tga' not allowed"},
           row{"replicaCount=2", "'replicaCount' not allowed"},
           row{"config.ROLLCALL_NAME=a@b", "ROLLCALL_NAME"},
           row{"config.ROLLCALL_COOKIE=secret", "ROLLCALL_COOKIE"},
           row{"config.rollcall_srv=a@b", "rollcall_srv"},
           row{"image.digest=latest", "/image/digest"},
           row{"monitoring.type=telepathy", "'none', 'service', 'pod', 'annotations'"},
           row{"fullnameOverride=Roll_Call", "/fullnameOverride"},
           row{"networkPolicy.enabled=2", "/networkPolicy/enabled"},
       }) {
    SCOPED_TRACE(settings);
    const auto made = helm(settings);
    EXPECT_NE(made.exit_code, 0);
    EXPECT_THAT(made.errors, HasSubstr(complaint));
  }
}

TEST(Chart, IsCalledAfterItsRelease) {
  ROLLCALL_NEEDS_TOOLS();
  const auto release = [](const std::string& name) {
    const auto made = command({deploy_tools / "helm", "template", name, repository / "deploy/chart/rollcall",
                               "--set", "monitoring.type=service,alerts.enabled=true"});
    EXPECT_EQ(made.exit_code, 0) << made.errors;
    return yaml_documents(made.output);
  };
  const auto shop = release("shop"), web = release("rollcall-web");
  EXPECT_EQ(at(the(shop, "Service"), "/metadata/name"), "shop-rollcall");
  EXPECT_EQ(at(the(web, "Service"), "/metadata/name"), "rollcall-web");
  EXPECT_EQ(environment(web)["ROLLCALL_NAME"], "rollcall@rollcall-web.shop.svc.cluster.local");
  const std::map<std::string, std::string> selectors{{"Service", "/spec/selector"},
                                                     {"Deployment", "/spec/selector/matchLabels"},
                                                     {"NetworkPolicy", "/spec/podSelector/matchLabels"},
                                                     {"ServiceMonitor", "/spec/selector/matchLabels"}};
  for (const auto& [kind, pointer] : selectors) {
    EXPECT_FALSE(
        selects(at(the(shop, kind), pointer), at(the(web, "Deployment"), "/spec/template/metadata/labels")));
  }
  // 53 characters are what Helm allows a release; names end at 63.
  for (const auto& object : release(std::string(53, 'x')))
    EXPECT_LE(string(at(object, "/metadata/name")).size(), 63U) << object.at("kind");
}

TEST(Chart, LeavesUsersAndGroupsToOpenShift) {
  ROLLCALL_NEEDS_TOOLS();
  const auto made = helm("", {"--api-versions", "security.openshift.io/v1/SecurityContextConstraints"});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  EXPECT_THAT(made.output, Not(HasSubstr("65532")));
  EXPECT_EQ(
      at(the(yaml_documents(made.output), "Deployment"), "/spec/template/spec/securityContext/runAsNonRoot"),
      true);
}

TEST(Chart, RestartsForAChangedOptionUnderAnUnchangedName) {
  ROLLCALL_NEEDS_TOOLS();
  const auto before = yaml_documents(helm("config.ROLLCALL_EXPECT=3").output);
  const auto after = yaml_documents(helm("config.ROLLCALL_EXPECT=4").output);
  EXPECT_EQ(at(the(before, "ConfigMap"), "/metadata/name"), at(the(after, "ConfigMap"), "/metadata/name"));
  const auto* checksum = "/spec/template/metadata/annotations/checksum~1config";
  EXPECT_NE(at(the(before, "Deployment"), checksum), at(the(after, "Deployment"), checksum));
}

// README.md: a row for every value, made of values.schema.json and values.yaml.
void rows(const json::object& properties, const json::value& values, const std::string& prefix,
          std::string& table) {
  for (const auto& [key, property] : properties) {
    if (key == "global") continue;
    const auto& value = values.at(key);
    if (const auto* inner = property.as_object().if_contains("properties")) {
      rows(inner->as_object(), value, prefix + std::string(key) + ".", table);
      continue;
    }
    table += "| `" + prefix + std::string(key) + "` | " + string(property.at("description")) + " |";
    table += value == "" ? " |\n" : " `" + string(value) + "` |\n";
  }
}

TEST(Chart, ExplainsEveryValue) {
  const auto schema = json::parse(source("deploy/chart/rollcall/values.schema.json"));
  const auto values = yaml_documents(source("deploy/chart/rollcall/values.yaml")).at(0);
  std::string table;
  rows(schema.at("properties").as_object(), values, "", table);
  EXPECT_THAT(source("deploy/chart/rollcall/README.md"), HasSubstr("|---|---|---|\n" + table));
  for (const auto& [key, value] : values.as_object())
    EXPECT_TRUE(schema.at("properties").as_object().contains(key)) << key << " is in no schema";
}

}  // namespace
}  // namespace rollcall::test
