// deploy/: what Kustomize makes of it, held against the API's schemas, against itself, and against the
// program: every object is one that Kubernetes knows, ports and labels agree, and the program accepts what
// its container is given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
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

TEST(Manifests, AreInTodaysKustomizeSyntax) {
  ROLLCALL_NEEDS_TOOLS();
  EXPECT_GE(folders().size(), 6U);
  for (const auto& folder : folders()) {
    const auto made = kustomize(folder);
    EXPECT_EQ(made.exit_code, 0) << folder;
    EXPECT_EQ(made.errors, "") << folder << ": what is deprecated is warned of";
    EXPECT_THAT(made.output, HasSubstr("kind: ")) << folder;
  }
}

TEST(Manifests, AreWhatTheApiKnows) {
  ROLLCALL_NEEDS_TOOLS();
  for (const auto& folder : folders()) EXPECT_EQ(complaints(rendered(folder)), "") << folder;
  EXPECT_GE(examples().size(), 2U);
  for (const auto& file : examples()) EXPECT_EQ(complaints(yaml_documents(read_file(file))), "") << file;
}

TEST(Manifests, ThatAreWrongAreNotWhatTheApiKnows) {
  ROLLCALL_NEEDS_TOOLS();
  struct row {
    std::string was, becomes, complaint;
  };
  const auto good = json::serialize(rendered("deploy/overlays/operator"));
  for (const auto& [was, becomes, complaint] : {
           row{"\"tolerationSeconds\"", "\"tolerationSecond\"", "/tolerationSecond is no property"},
           row{"\"runAsNonRoot\"", "\"runAsNotRoot\"", "/runAsNotRoot is no property"},
           row{"\"clusterIP\"", "\"clusterIp\"", "/spec/clusterIp is no property"},
           row{"\"RollingUpdate\"", "\"Replace\"", "strategy/type must be equal to one of"},
           row{"\"replicas\":1", "\"replicas\":\"1\"", "replicas must be integer"},
           row{"\"for\":\"1m\"", "\"for\":\"1 minute\"", "rules/0/for must match pattern"},
           row{"\"keep_firing_for\"", "\"keepFiringFor\"", "/keepFiringFor is no property"},
           row{"\"interval\":\"15s\"", "\"intervall\":\"15s\"", "/intervall is no property"},
           row{"\"podSelector\":{", "\"podSelectors\":{", "/podSelectors is no property"},
           row{"\"kind\":\"NetworkPolicy\"", "\"kind\":\"NetworkPolice\"", "no schema for"},
       }) {
    auto bad = good;
    const auto found = bad.find(was);
    ASSERT_NE(found, std::string::npos) << was;
    bad.replace(found, was.size(), becomes);
    EXPECT_THAT(complaints(json::parse(bad).as_array()), HasSubstr(complaint));
  }
}

TEST(Manifests, RunOneRollcallThatMayDoLittle) {
  ROLLCALL_NEEDS_TOOLS();
  for (const auto& folder : installations()) {
    SCOPED_TRACE(folder);
    const auto objects = rendered(folder);
    const json::value deployment = the(objects, "Deployment");
    EXPECT_EQ(at(deployment, "/spec/replicas"), 1);
    EXPECT_EQ(
        at(deployment, "/spec/strategy"),
        (json::value{{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", 1}, {"maxUnavailable", 0}}}}))
        << "the old one watches until the new one works";
    const auto pod = at(deployment, "/spec/template/spec");
    EXPECT_EQ(at(pod, "/automountServiceAccountToken"), false);
    EXPECT_EQ(at(pod, "/enableServiceLinks"), false) << "ROLLCALL_SERVICE_HOST would be an option";
    EXPECT_EQ(at(pod, "/securityContext/runAsNonRoot"), true);
    EXPECT_EQ(at(pod, "/securityContext/runAsUser"), 65532);
    EXPECT_EQ(at(pod, "/securityContext/fsGroup"), 65532) << "reads the Secret by its group";
    EXPECT_EQ(at(pod, "/securityContext/seccompProfile/type"), "RuntimeDefault");
    const auto image = container(objects);
    EXPECT_EQ(at(image, "/securityContext/readOnlyRootFilesystem"), true);
    EXPECT_EQ(at(image, "/securityContext/allowPrivilegeEscalation"), false);
    EXPECT_EQ(at(image, "/securityContext/capabilities/drop"), (json::array{"ALL"}));
    EXPECT_EQ(at(image, "/terminationMessagePolicy"), "FallbackToLogsOnError");
    EXPECT_EQ(at(pod, "/nodeSelector"), (json::value{{"kubernetes.io/os", "linux"}}));
    EXPECT_TRUE(at(image, "/resources/limits/memory").is_string());
    EXPECT_THAT(string(at(image, "/resources/limits/cpu")), HasSubstr("absent")) << "throttled, it sees late";
    std::set<std::string> tolerated;
    for (const auto& one : array(pod, "/tolerations")) {
      EXPECT_EQ(one.at("tolerationSeconds"), 30);
      EXPECT_EQ(one.at("effect"), "NoExecute");
      tolerated.insert(string(one.at("key")));
    }
    EXPECT_EQ(tolerated,
              (std::set<std::string>{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}));
    // The cookie: a file that its group may read, where the program looks for it, and nowhere else.
    const auto given = environment(objects);
    std::map<std::string, json::value> volumes;
    for (const auto& one : array(pod, "/volumes")) volumes[string(one.at("name"))] = one;
    std::set<std::string> files, writable;
    for (const auto& one : array(image, "/volumeMounts")) {
      const auto& volume = volumes.at(string(one.at("name")));
      const auto path = string(one.at("mountPath"));
      if (volume.as_object().contains("secret")) {
        EXPECT_EQ(at(volume, "/secret/defaultMode"), 0440);
        EXPECT_EQ(at(one, "/readOnly"), true);
        for (const auto& item : array(volume, "/secret/items"))
          files.insert(path + "/" + string(item.at("path")));
      } else {
        writable.insert(path);
      }
    }
    EXPECT_EQ(files, std::set<std::string>{given.at("ROLLCALL_COOKIE_FILE")});
    EXPECT_EQ(writable, std::set<std::string>{given.at("ROLLCALL_STATE_DIR")});
    EXPECT_FALSE(given.contains("ROLLCALL_COOKIE"));
  }
}

TEST(Manifests, AgreeOnPortsAndLabels) {
  ROLLCALL_NEEDS_TOOLS();
  for (const auto& folder : installations()) {
    SCOPED_TRACE(folder);
    const auto objects = rendered(folder);
    const auto image = container(objects);
    const auto given = environment(objects);
    std::map<std::string, std::string> ports, served;
    for (const auto& one : array(image, "/ports"))
      ports[string(one.at("name"))] = string(one.at("containerPort"));
    EXPECT_EQ(ports,
              (std::map<std::string, std::string>{
                  {"epmd", "4369"},
                  {"dist", given.at("ROLLCALL_DIST_PORT")},
                  {"http", given.at("ROLLCALL_HTTP").substr(given.at("ROLLCALL_HTTP").rfind(':') + 1)}}));
    const json::value service = the(objects, "Service");
    EXPECT_EQ(at(service, "/spec/clusterIP"), "None");
    EXPECT_EQ(at(service, "/spec/publishNotReadyAddresses"), true);
    for (const auto& one : array(service, "/spec/ports")) {
      EXPECT_EQ(one.at("name"), one.at("targetPort"));
      served[string(one.at("name"))] = string(one.at("port"));
    }
    EXPECT_EQ(served, ports) << "a headless service forwards nothing: its ports are the pod's";
    EXPECT_EQ(given.at("ROLLCALL_NAME"),
              "rollcall@" + string(at(service, "/metadata/name")) + ".shop.svc.cluster.local");

    const json::value policy = the(objects, "NetworkPolicy");
    std::set<std::string> open;
    for (const auto& rule : array(policy, "/spec/ingress")) {
      EXPECT_FALSE(rule.at("from").as_array().empty());
      const bool distribution = at(rule, "/from/0/podSelector").is_object();
      for (const auto& one : rule.at("ports").as_array()) {
        EXPECT_TRUE(one.at("port").is_int64()) << "a name is looked up at the wrong end by some";
        EXPECT_TRUE(distribution || string(one.at("port")) == ports.at("http"))
            << "a stranger may read metrics, no more";
        open.insert(string(one.at("port")));
      }
    }
    std::set<std::string> numbers;
    for (const auto& [name, number] : ports) numbers.insert(number);
    EXPECT_EQ(open, numbers);
    EXPECT_EQ(at(policy, "/spec/policyTypes"), (json::array{"Ingress"}));

    const json::value deployment = the(objects, "Deployment");
    const auto labels = at(deployment, "/spec/template/metadata/labels");
    EXPECT_TRUE(selects(at(deployment, "/spec/selector/matchLabels"), labels));
    EXPECT_TRUE(selects(at(service, "/spec/selector"), labels));
    EXPECT_TRUE(selects(at(policy, "/spec/podSelector/matchLabels"), labels));
    if (const auto* monitor = find(objects, "ServiceMonitor")) {
      EXPECT_TRUE(selects(at(*monitor, "/spec/selector/matchLabels"), at(service, "/metadata/labels")));
      EXPECT_TRUE(served.contains(string(at(*monitor, "/spec/endpoints/0/port"))));
    }
    if (const auto* monitor = find(objects, "PodMonitor")) {
      EXPECT_TRUE(selects(at(*monitor, "/spec/selector/matchLabels"), labels));
      EXPECT_TRUE(ports.contains(string(at(*monitor, "/spec/podMetricsEndpoints/0/port"))));
    }
    // A change of the ConfigMap is a change of its name, and so restarts the pod.
    const auto name = string(at(config_map(objects), "/metadata/name"));
    EXPECT_TRUE(std::regex_match(name, std::regex("rollcall-[a-z0-9]{10}"))) << name;
    EXPECT_EQ(at(image, "/envFrom/0/configMapRef/name"), json::value(name));
  }
  // The nodes that may come in are labelled so.
  const json::value policy = the(rendered("deploy/base"), "NetworkPolicy");
  for (const auto& [folder, kind] : {std::pair("statefulset", "StatefulSet"),
                                     {"hosts", "StatefulSet"},
                                     {"tls", "StatefulSet"},
                                     {"deployment", "Deployment"},
                                     {"clustered", "Deployment"}}) {
    SCOPED_TRACE(folder);
    std::size_t found = 0;
    for (const auto& object : rendered("deploy/examples/" + std::string(folder))) {
      if (object.at("kind") != kind || at(object, "/metadata/name") != "app") continue;
      ++found;
      EXPECT_TRUE(selects(at(policy, "/spec/ingress/0/from/0/podSelector/matchLabels"),
                          at(object, "/spec/template/metadata/labels")));
    }
    EXPECT_EQ(found, 1U);
  }
}

// Every object inside `value` under a key of that name, wherever it stands.
void each_under(const json::value& value, const std::string& key,
                const std::function<void(const json::value&)>& visit) {
  if (value.is_array()) {
    for (const auto& one : value.get_array()) each_under(one, key, visit);
  }
  if (!value.is_object()) return;
  for (const auto& [its_key, inner] : value.get_object()) {
    if (its_key == key) visit(inner);
    each_under(inner, key, visit);
  }
}

// What a server fills in by itself is written down: else apply, then apply --server-side, is a conflict, and
// every apply says that it changed something.
void say_what_the_server_would(const json::array& objects) {
  for (const auto& object : objects) {
    each_under(object, "fieldRef", [](const json::value& one) { EXPECT_EQ(at(one, "/apiVersion"), "v1"); });
    each_under(object, "ports", [](const json::value& ports) {
      for (const auto& one : ports.as_array()) EXPECT_EQ(at(one, "/protocol"), "TCP") << one;
    });
  }
}

TEST(Manifests, SayWhatTheServerWouldFillIn) {
  ROLLCALL_NEEDS_TOOLS();
  for (const auto& folder : installations()) {
    SCOPED_TRACE(folder);
    say_what_the_server_would(rendered(folder));
  }
  for (const auto& file : examples()) {
    SCOPED_TRACE(file);
    say_what_the_server_would(yaml_documents(read_file(file)));
  }
  const auto chart = helm("networkPolicy.enabled=true");
  ASSERT_EQ(chart.exit_code, 0) << chart.errors;
  say_what_the_server_would(yaml_documents(chart.output));
}

// A folder of one's own over a copy of deploy/, with these lines in its kustomization.
json::array overlaid(const std::string& lines, const std::string& resource = "overlays/operator-pods") {
  const auto made = kustomize_own("resources: [../deploy/" + resource + "]\n" + lines);
  if (made.exit_code != 0) throw std::runtime_error(made.errors);
  EXPECT_EQ(made.errors, "");
  return yaml_documents(made.output);
}

TEST(Manifests, KeepTheNodesNameTrueBehindAPrefix) {
  ROLLCALL_NEEDS_TOOLS();
  const auto objects = overlaid("namePrefix: a-\n");
  EXPECT_EQ(at(the(objects, "Service"), "/metadata/name"), "a-rollcall");
  EXPECT_EQ(environment(objects)["ROLLCALL_NAME"], "rollcall@a-rollcall.shop.svc.cluster.local");
}

TEST(Manifests, TakeAnotherClusterDomainAsALineOfTheConfigMap) {
  ROLLCALL_NEEDS_TOOLS();
  const auto objects = overlaid(
      "configMapGenerator:\n  - name: rollcall\n    behavior: merge\n    literals: "
      "[CLUSTER_DOMAIN=corp.example, ROLLCALL_LOG_FORMAT=text]\n");
  const auto effective = run_rollcall({"run", "--check-config"}, environment(objects));
  EXPECT_EQ(effective.exit_code, 0) << effective.errors;
  EXPECT_THAT(effective.output, HasSubstr("name = \"rollcall@rollcall.shop.svc.corp.example\""));
  EXPECT_THAT(effective.output, HasSubstr("log-format = \"text\""))
      << "the ConfigMap is where options are set";
}

// As deploy/base/kustomization.yaml says it is done.
TEST(Manifests, OfTwoInOneNamespaceEachSelectsItsOwnPods) {
  ROLLCALL_NEEDS_TOOLS();
  std::smatch shown;
  const auto text = source("deploy/base/kustomization.yaml");
  ASSERT_TRUE(std::regex_search(text, shown, std::regex("#   (namePrefix: .*)\n#   (labels: .*)\n")));
  const auto second = overlaid(shown[1].str() + "\n" + shown[2].str() + "\n");
  const auto first = rendered("deploy/overlays/operator-pods");
  const std::map<std::string, std::string> selectors{{"Service", "/spec/selector"},
                                                     {"Deployment", "/spec/selector/matchLabels"},
                                                     {"NetworkPolicy", "/spec/podSelector/matchLabels"},
                                                     {"PodMonitor", "/spec/selector/matchLabels"}};
  for (const auto& [kind, pointer] : selectors) {
    SCOPED_TRACE(kind);
    for (const auto* from : {&first, &second}) {
      for (const auto* pods : {&first, &second}) {
        const auto labels = at(the(*pods, "Deployment"), "/spec/template/metadata/labels");
        EXPECT_EQ(static_cast<bool>(selects(at(the(*from, kind), pointer), labels)), from == pods);
      }
    }
    EXPECT_NE(at(the(first, kind), "/metadata/name"), at(the(second, kind), "/metadata/name"));
  }
}

TEST(Manifests, MonitorsOnceAndInTheOverlaysOwnWay) {
  ROLLCALL_NEEDS_TOOLS();
  struct row {
    std::string folder;
    std::set<std::string> kinds;
    bool annotated;
  };
  const std::set<std::string> base{"ConfigMap", "Deployment", "NetworkPolicy", "Service"};
  const auto with = [&](std::set<std::string> more) {
    more.insert(base.begin(), base.end());
    return more;
  };
  for (const auto& [folder, kinds, annotated] : {
           row{"deploy/base", base, false},
           row{"deploy/overlays/annotations", base, true},
           row{"deploy/overlays/operator", with({"ServiceMonitor", "PrometheusRule"}), false},
           row{"deploy/overlays/operator-pods", with({"PodMonitor", "PrometheusRule"}), false},
           row{"deploy/overlays/endpointslices", with({"ServiceAccount", "Role", "RoleBinding"}), false},
           row{"deploy/overlays/tls", base, false},
       }) {
    SCOPED_TRACE(folder);
    const auto objects = rendered(folder);
    std::set<std::string> found;
    for (const auto& one : objects) found.insert(string(one.at("kind")));
    EXPECT_EQ(found, kinds);
    const auto annotations = at(the(objects, "Deployment"), "/spec/template/metadata/annotations");
    EXPECT_EQ(annotations.is_object(), annotated);
    if (annotated) {
      EXPECT_EQ(string(annotations.at("prometheus.io/port")),
                string(at(container(objects), "/ports/2/containerPort")));
    }
    if (const auto* alerts = find(objects, "PrometheusRule")) {
      EXPECT_EQ(array(*alerts, "/spec/groups/0/rules").size(), 16U);
    }
  }
}

TEST(Manifests, TlsReadsTheSecretThatCertManagerWrites) {
  ROLLCALL_NEEDS_TOOLS();
  const auto objects = rendered("deploy/overlays/tls");
  const auto data = at(the(objects, "ConfigMap"), "/data");
  const auto mount = at(container(objects), "/volumeMounts/2");
  const auto volume = at(the(objects, "Deployment"), "/spec/template/spec/volumes/2");
  EXPECT_EQ(at(mount, "/name"), at(volume, "/name"));
  EXPECT_EQ(at(volume, "/secret/secretName"), "rollcall-tls");
  const auto folder = string(at(mount, "/mountPath"));
  EXPECT_EQ(at(data, "/ROLLCALL_TLS"), "on");
  EXPECT_EQ(string(at(data, "/ROLLCALL_TLS_CERT")), folder + "/tls.crt");
  EXPECT_EQ(string(at(data, "/ROLLCALL_TLS_KEY")), folder + "/tls.key");
  EXPECT_EQ(string(at(data, "/ROLLCALL_TLS_CA")), folder + "/ca.crt");
}

// Probes know no CA: kubelet asks over HTTPS and checks nothing. Prometheus takes the CA from the Secret.
TEST(Manifests, HttpsIsAddedToEachInstallation) {
  ROLLCALL_NEEDS_TOOLS();
  std::size_t monitors = 0;
  for (const auto* resource : {"base", "overlays/annotations", "overlays/endpointslices", "overlays/operator",
                               "overlays/operator-pods", "overlays/tls"}) {
    SCOPED_TRACE(resource);
    const auto objects = overlaid("components: [../deploy/overlays/https]\n", resource);
    EXPECT_EQ(complaints(objects), "");
    const auto pod = the(objects, "Deployment");
    for (const auto* probe : {"/startupProbe", "/livenessProbe", "/readinessProbe"})
      EXPECT_EQ(at(container(objects), std::string(probe) + "/httpGet/scheme"), "HTTPS");
    EXPECT_EQ(at(pod, "/spec/template/metadata/annotations/prometheus.io~1scheme"), "https");
    EXPECT_EQ(at(the(objects, "Service"), "/spec/ports/2/appProtocol"), "https");
    const auto data = config_map(objects).at("data");
    const auto mounts = array(container(objects), "/volumeMounts");
    const auto mount = mounts.back(), volume = array(pod, "/spec/template/spec/volumes").back();
    EXPECT_EQ(at(mount, "/name"), at(volume, "/name"));
    EXPECT_EQ(at(volume, "/secret/secretName"), "rollcall-http-tls");
    const auto where = string(at(mount, "/mountPath"));
    EXPECT_EQ(string(at(data, "/ROLLCALL_HTTP_TLS_CERT")), where + "/tls.crt");
    EXPECT_EQ(string(at(data, "/ROLLCALL_HTTP_TLS_KEY")), where + "/tls.key");
    for (const auto& [kind, endpoints] : {std::pair{"ServiceMonitor", "/spec/endpoints"},
                                          std::pair{"PodMonitor", "/spec/podMetricsEndpoints"}}) {
      const auto* const monitor = find(objects, kind);
      if (monitor == nullptr) continue;
      ++monitors;
      EXPECT_EQ(at(*monitor, std::string(endpoints) + "/0/scheme"), "https");
      EXPECT_EQ(at(*monitor, std::string(endpoints) + "/0/tlsConfig/ca/secret/name"), "rollcall-http-tls");
      EXPECT_EQ(at(*monitor, std::string(endpoints) + "/0/tlsConfig/serverName"), "rollcall");
    }
  }
  EXPECT_EQ(monitors, 2U);
}

TEST(Manifests, TheApiSourceAsksForTwoVerbsOnOneResource) {
  ROLLCALL_NEEDS_TOOLS();
  const auto objects = rendered("deploy/overlays/endpointslices");
  EXPECT_EQ(
      json::serialize(at(the(objects, "Role"), "/rules")),
      R"([{"apiGroups":["discovery.k8s.io"],"resources":["endpointslices"],"verbs":["list","watch"]}])");
  const auto pod = at(the(objects, "Deployment"), "/spec/template/spec");
  EXPECT_EQ(at(pod, "/serviceAccountName"), "rollcall");
  EXPECT_EQ(at(pod, "/automountServiceAccountToken"), true);
  EXPECT_EQ(at(the(objects, "ServiceAccount"), "/automountServiceAccountToken"), false);
  EXPECT_EQ(at(the(objects, "RoleBinding"), "/subjects/0/name"), "rollcall");
  const auto data = at(the(objects, "ConfigMap"), "/data");
  EXPECT_EQ(at(data, "/ROLLCALL_KUBERNETES"), "app@app");
  EXPECT_FALSE(data.as_object().contains("ROLLCALL_SRV"));
  for (const auto& one : rendered("deploy/base")) {
    EXPECT_NE(string(one.at("kind")), "Role") << "without the API as a source there are no rights at all";
  }
}

// The record and the Events are added to it, each with what it needs and no more.
TEST(Manifests, RecordAndEventsHaveRightsOfTheirOwn) {
  ROLLCALL_NEEDS_TOOLS();
  const temporary_directory folder;
  fs::copy(repository / "deploy", folder.path() / "deploy",
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  fs::create_directory(folder.path() / "all");
  folder.write("all/kustomization.yaml",
               "resources: [../deploy/overlays/endpointslices]\ncomponents: "
               "[../deploy/overlays/kubernetes-record, ../deploy/overlays/kubernetes-events]\n");
  const auto made =
      command({(deploy_tools / "kubectl").string(), "kustomize", (folder.path() / "all").string()});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  std::map<std::string, std::string> rules;
  for (const auto& one : yaml_documents(made.output)) {
    if (string(one.at("kind")) == "Role")
      rules[string(at(one, "/metadata/name"))] = json::serialize(at(one, "/rules"));
    if (string(one.at("kind")) == "ConfigMap" && at(one, "/metadata/name") == "rollcall-record") {
      EXPECT_FALSE(one.as_object().contains("data")) << "applied again it would take the record away";
    }
  }
  EXPECT_EQ(
      rules["rollcall-record"],
      R"([{"apiGroups":[""],"resourceNames":["rollcall-record"],"resources":["configmaps"],"verbs":["get","update"]}])");
  EXPECT_EQ(rules["rollcall-events"],
            R"([{"apiGroups":["events.k8s.io"],"resources":["events"],"verbs":["create"]}])");
  EXPECT_EQ(rules.size(), 3U);
}

TEST(Manifests, AlertsLeadToTheRunbookThatOnePlaceNames) {
  ROLLCALL_NEEDS_TOOLS();
  const temporary_directory folder;
  fs::copy(repository / "deploy", folder.path() / "deploy",
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const std::string file = "deploy/overlays/runbook/kustomization.yaml";
  auto text = read_file(folder.path() / file);
  const std::string was = "runbook: docs/runbook.md";
  ASSERT_NE(text.find(was), std::string::npos);
  text.replace(text.find(was), was.size(), "runbook: https://rollcall.example/runbook");
  folder.write(file, text);
  fs::create_directory(folder.path() / "shop");
  folder.write("shop/kustomization.yaml",
               "resources: [../deploy/overlays/operator-pods]\ncomponents: [../deploy/overlays/runbook]\n");
  const auto made =
      command({(deploy_tools / "kubectl").string(), "kustomize", (folder.path() / "shop").string()});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const auto objects = yaml_documents(made.output);
  const auto with_links = array(the(objects, "PrometheusRule"), "/spec/groups/0/rules");
  EXPECT_EQ(with_links.size(), 16U);
  for (const auto& rule : with_links) {
    auto section = string(at(rule, "/alert"));
    for (auto& c : section) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(string(at(rule, "/annotations/runbook_url")), "https://rollcall.example/runbook#" + section);
  }
}

// The folder of one's own that docs/operations.md shows, on top of a copy of deploy/.
TEST(Manifests, TakeWhatIsYoursFromAFolderOfYourOwn) {
  ROLLCALL_NEEDS_TOOLS();
  const temporary_directory folder;
  fs::copy(repository / "deploy", folder.path() / "deploy",
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const auto document = source("docs/operations.md");
  const std::string head = "# rollcall-shop/kustomization.yaml\n";
  const auto begin = document.find(head);
  ASSERT_NE(begin, std::string::npos);
  fs::create_directory(folder.path() / "rollcall-shop");
  folder.write("rollcall-shop/kustomization.yaml",
               document.substr(begin, document.find("```", begin) - begin));
  const auto made =
      command({(deploy_tools / "kubectl").string(), "kustomize", (folder.path() / "rollcall-shop").string()});
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  EXPECT_EQ(made.errors, "");
  const auto objects = yaml_documents(made.output);
  EXPECT_EQ(complaints(objects), "");
  for (const auto& one : objects) EXPECT_EQ(at(one, "/metadata/namespace"), "shop");
  EXPECT_EQ(at(container(objects), "/image"), "registry.example/rollcall:0.1.0");
  const auto effective = run_rollcall({"run", "--check-config"}, environment(objects));
  EXPECT_EQ(effective.exit_code, 0) << effective.errors;
  EXPECT_THAT(effective.output, HasSubstr("srv = [\"web@_dist._tcp.web\"]"));
  EXPECT_THAT(effective.output, HasSubstr("expect = 3"));
  // Its hash is another one, and the pod asks for that.
  EXPECT_NE(at(config_map(objects), "/metadata/name"),
            at(config_map(rendered("deploy/overlays/operator")), "/metadata/name"));
  EXPECT_EQ(at(container(objects), "/envFrom/0/configMapRef/name"),
            at(config_map(objects), "/metadata/name"));
}

TEST(Manifests, PlainAlertsAreTheFileItself) {
  ROLLCALL_NEEDS_TOOLS();
  for (const auto& object : rendered("deploy/overlays/annotations")) {
    if (object.at("metadata").at("name") != "rollcall-alerts") continue;
    EXPECT_EQ(string(object.at("data").at("rollcall.rules.yaml")),
              source("deploy/alerts/rollcall.rules.yaml"));
    return;
  }
  FAIL() << "no ConfigMap rollcall-alerts";
}

TEST(Manifests, ContainersSettingsAreAccepted) {
  ROLLCALL_NEEDS_TOOLS();
  for (const auto& folder : installations()) {
    SCOPED_TRACE(folder);
    const auto objects = rendered(folder);
    std::vector<std::string> arguments;
    for (const auto& one : array(container(objects), "/args")) arguments.push_back(string(one));
    EXPECT_EQ(arguments, std::vector<std::string>{"run"});
    arguments.emplace_back("--check-config");
    const auto effective = run_rollcall(arguments, environment(objects));
    EXPECT_EQ(effective.exit_code, 0) << effective.errors;
    EXPECT_EQ(effective.errors, "") << "an unknown variable is warned of";
    for (const auto* line :
         {"srv = [\"app@_dist._tcp.app\"]", "name = \"rollcall@rollcall.shop.svc.cluster.local\"",
          "cookie-file = \"/etc/rollcall/cookie\"", "dist-port = 9100", "epmd = \"serve\"",
          "http = \"[::]:14369\"", "state-dir = \"/var/lib/rollcall\"", "log-format = \"json\"",
          "local = false"}) {
      EXPECT_THAT(effective.output, HasSubstr(line));
    }
  }
}

TEST(Manifests, ProbesAndMonitorsAskPathsThatExist) {
  ROLLCALL_NEEDS_TOOLS();
  const rollcall_program running({.arguments = {"--node", "nobody@127.0.0.1", "--epmd", "none"},
                                  .epmd_port = free_port(),
                                  .name = "rollcall@127.0.0.1"});
  EXPECT_EQ(running.get("/no/such/path").status, 404);
  std::set<std::string> paths;
  for (const auto& folder : installations()) {
    const auto objects = rendered(folder);
    const auto image = container(objects);
    for (const auto* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
      EXPECT_EQ(at(image, "/" + std::string(probe) + "/httpGet/port"), "http");
      paths.insert(string(at(image, "/" + std::string(probe) + "/httpGet/path")));
    }
    if (const auto* one = find(objects, "ServiceMonitor"))
      paths.insert(string(at(*one, "/spec/endpoints/0/path")));
    if (const auto* one = find(objects, "PodMonitor"))
      paths.insert(string(at(*one, "/spec/podMetricsEndpoints/0/path")));
    const auto annotated = at(the(objects, "Deployment"), "/spec/template/metadata/annotations");
    if (annotated.is_object()) paths.insert(string(annotated.at("prometheus.io/path")));
    EXPECT_EQ(at(image, "/livenessProbe/httpGet/path"), "/healthz");
    EXPECT_EQ(at(image, "/readinessProbe/httpGet/path"), "/readyz");
  }
  EXPECT_EQ(paths, (std::set<std::string>{"/healthz", "/metrics", "/readyz"}));
  for (const auto& path : paths) EXPECT_NE(running.get(path).status, 404) << path;
}

TEST(Manifests, AndDocumentsUseSettingsAndCommandsThatExist) {
  std::string help;
  for (const auto* of : {"run", "check", "doctor", "members"}) help += run_rollcall({of, "--help"}).output;
  const auto commands = run_rollcall({"--help"}).output;
  std::vector<fs::path> files{repository / "docs/operations.md", repository / "docs/runbook.md",
                              repository / "docs/from-libcluster.md", repository / "README.md"};
  for (const auto& entry : fs::recursive_directory_iterator(repository / "deploy")) {
    // The demo is this repository's own script, with variables of its own.
    if (entry.is_regular_file() && entry.path().parent_path().filename() != "demo")
      files.push_back(entry.path());
  }
  const auto of_dev = words(source("dev"), "ROLLCALL_[A-Z][A-Z_]+");  // of building, not of the program
  std::size_t variables = 0;
  for (const auto& file : files) {
    const auto text = read_file(file);
    for (const auto& variable : words(text, "ROLLCALL_[A-Z][A-Z_]+")) {
      // These have no flag: a secret is no argument.
      if (variable == "ROLLCALL_COOKIE" || variable == "ROLLCALL_URL_AUTH" || of_dev.contains(variable))
        continue;
      auto flag = "--" + variable.substr(9);
      for (auto& c : flag) c = c == '_' ? '-' : static_cast<char>(std::tolower(c));
      EXPECT_THAT(help, HasSubstr(flag + " ")) << variable << " in " << file;
      ++variables;
    }
    for (const auto& flag : words(text, "`--[a-z-]+|rollcall run --[a-z-]+"))
      EXPECT_THAT(help, HasSubstr(flag.substr(flag.find("--")))) << file;
    for (const auto& asked : words(text, "`rollcall [a-z]+"))
      EXPECT_THAT(commands, HasSubstr("\n  " + asked.substr(10) + " ")) << asked << " in " << file;
  }
  EXPECT_GT(variables, 10U);
}

TEST(SystemdUnit, IsValidAndItsSettingsAreAccepted) {
  const auto unit = source("deploy/systemd/rollcall.service");
  const temporary_directory folder;
  // What systemd puts there: the configuration, the credential, the state.
  const auto configuration = folder.write("rollcall.toml", "node = [\"app@10.0.0.1\"]\n");
  std::smatch start;
  ASSERT_TRUE(std::regex_search(unit, start, std::regex("ExecStart=/usr/local/bin/rollcall (.*)\n")));
  std::istringstream words_of(start[1].str());
  std::vector<std::string> arguments;
  for (std::string word; words_of >> word;) {
    word = std::regex_replace(word, std::regex("%S"), "/var/lib");
    arguments.push_back(word == "/etc/rollcall/rollcall.toml" ? configuration : word);
  }
  arguments.emplace_back("--check-config");
  std::smatch cookie;
  ASSERT_TRUE(std::regex_search(unit, cookie, std::regex("Environment=ROLLCALL_COOKIE_FILE=%d/(.*)\n")));
  EXPECT_THAT(unit, HasSubstr("LoadCredential=" + cookie[1].str() + ":"));
  const auto effective =
      run_rollcall(arguments, {{"ROLLCALL_COOKIE_FILE", "/run/credentials/" + cookie[1].str()}});
  EXPECT_EQ(effective.exit_code, 0) << effective.errors;
  EXPECT_EQ(effective.errors, "");
  EXPECT_THAT(effective.output, HasSubstr("state-dir = \"/var/lib/rollcall\""));

  if (command({"sh", "-c", "command -v systemd-analyze"}).exit_code != 0) {
    GTEST_SKIP() << "no systemd-analyze here: the unit's own syntax was not looked at";
  }
  const auto here = folder.write(
      "rollcall.service", std::regex_replace(unit, std::regex("/usr/local/bin/rollcall"), ROLLCALL_PROGRAM));
  const auto verified = command({"systemd-analyze", "verify", "--man=no", here});
  EXPECT_EQ(verified.exit_code, 0);
  EXPECT_EQ(verified.output + verified.errors, "");
}

}  // namespace
}  // namespace rollcall::test
