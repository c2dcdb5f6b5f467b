// Every pod of deploy/ is admitted by a namespace that enforces the Pod Security Standard `restricted`, and
// the rules that say so refuse what the standard refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/pod_security.hpp"

#include "test/support/deploy.hpp"

namespace rollcall::test {
namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Its pods, however they are made: {metadata, spec} of each.
json::array pods(const json::array& objects) {
  json::array all;
  for (const auto& object : objects) {
    if (object.at("kind") == "Pod") all.push_back(object);
    if (const auto made = at(object, "/spec/template/spec/containers"); made.is_array())
      all.push_back(at(object, "/spec/template"));
  }
  return all;
}

TEST(PodSecurity, ExamplesAreAdmittedUnderRestricted) {
  std::size_t count = 0;
  for (const auto& file : examples()) {
    for (const auto& pod : pods(yaml_documents(read_file(file)))) {
      ++count;
      EXPECT_THAT(refused_by_restricted(pod), IsEmpty()) << file;
    }
  }
  EXPECT_GE(count, 3U);
}

TEST(PodSecurity, EveryRollcallIsAdmittedUnderRestricted) {
  ROLLCALL_NEEDS_TOOLS();
  for (const auto& folder : installations()) {
    const auto found = pods(rendered(folder));
    EXPECT_EQ(found.size(), 1U) << folder;
    for (const auto& pod : found) EXPECT_THAT(refused_by_restricted(pod), IsEmpty()) << folder;
  }
  const auto chart = helm("image.tag=1.2.3");
  ASSERT_EQ(chart.exit_code, 0) << chart.errors;
  const auto found = pods(yaml_documents(chart.output));
  EXPECT_FALSE(found.empty());
  for (const auto& pod : found) EXPECT_THAT(refused_by_restricted(pod), IsEmpty());
}

// Puts a value where a JSON pointer leads, whose last step may be new.
void put(json::value& into, const std::string& pointer, const json::value& value) {
  const auto last = pointer.rfind('/');
  auto& parent = into.at_pointer(pointer.substr(0, last));
  auto key = pointer.substr(last + 1);
  if (const auto escaped = key.find("~1"); escaped != std::string::npos) key.replace(escaped, 2, "/");
  if (parent.is_array()) {
    parent.get_array().at(std::stoul(key)) = value;
  } else {
    parent.as_object()[key] = value;
  }
}

// A pod that is admitted; each row puts one thing into it, or takes one away (null).
struct rule {
  const char* name;
  const char* pointer;
  json::value value;
  const char* refused;  // empty: still admitted
};

void PrintTo(const rule& row, std::ostream* out) {
  *out << row.name;
}

class RestrictedRule : public testing::TestWithParam<rule> {};

TEST_P(RestrictedRule, IsKept) {
  auto pod = json::parse(R"({"metadata": {"annotations": {}}, "spec": {
    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}, "sysctls": [{"name": "net.ipv4.tcp_syncookies"}]},
    "initContainers": [{"name": "first", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
    "containers": [{"name": "app", "ports": [{"containerPort": 80}],
      "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
      "livenessProbe": {"httpGet": {"port": 80}}, "lifecycle": {"preStop": {"tcpSocket": {"port": 80}}}}],
    "volumes": [{"name": "v", "emptyDir": {}}]}})");
  ASSERT_THAT(refused_by_restricted(pod), IsEmpty());
  const auto& row = GetParam();
  put(pod, row.pointer, row.value);
  const auto refused = refused_by_restricted(pod);
  if (*row.refused == '\0') {
    EXPECT_THAT(refused, IsEmpty());
  } else {
    EXPECT_THAT(refused, AllOf(Not(IsEmpty()), Each(HasSubstr(row.refused))));
  }
}

#define POD "/spec/securityContext"
#define APP "/spec/containers/0"
#define FIRST "/spec/initContainers/0"

INSTANTIATE_TEST_SUITE_P(
    PodSecurity, RestrictedRule,
    testing::Values(
        rule{"HostNetwork", "/spec/hostNetwork", true, "hostNetwork"},
        rule{"HostPid", "/spec/hostPID", true, "hostPID"}, rule{"HostIpc", "/spec/hostIPC", true, "hostIPC"},
        rule{"HostIpcFalse", "/spec/hostIPC", false, ""},
        rule{"HostProcess", POD "/windowsOptions", {{"hostProcess", true}}, "hostProcess"},
        rule{"HostProcessOfContainer",
             APP "/securityContext/windowsOptions",
             {{"hostProcess", true}},
             "hostProcess"},
        rule{"Privileged", APP "/securityContext/privileged", true, "privileged"},
        rule{"AddedCapability", APP "/securityContext/capabilities/add", json::array{"SYS_PTRACE"},
             "adds a capability"},
        rule{"AddedBaselineCapability", APP "/securityContext/capabilities/add", json::array{"CHOWN"},
             "adds a capability"},
        rule{"AddedLowPorts", APP "/securityContext/capabilities/add", json::array{"NET_BIND_SERVICE"}, ""},
        rule{"CapabilitiesKept", APP "/securityContext/capabilities", nullptr, "does not drop ALL"},
        rule{"OneCapabilityDropped", APP "/securityContext/capabilities/drop", json::array{"CHOWN"},
             "does not drop ALL"},
        rule{"CapabilitiesKeptByInit", FIRST "/securityContext/capabilities", nullptr, "does not drop ALL"},
        rule{"HostPath", "/spec/volumes/0/hostPath", {{"path", "/"}}, "hostPath"},
        rule{"Nfs", "/spec/volumes/0/nfs", {{"server", "a"}, {"path", "/"}}, "nfs"},
        rule{
            "Claim", "/spec/volumes/0", {{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "a"}}}}, ""},
        rule{"HostPort", APP "/ports/0/hostPort", 80, "hostPort"},
        rule{"HostPortZero", APP "/ports/0/hostPort", 0, ""},
        rule{"HostOfProbe", APP "/livenessProbe/httpGet/host", "10.0.0.1", "host of a probe"},
        rule{"HostOfHook", APP "/lifecycle/preStop/tcpSocket/host", "10.0.0.1", "host of a probe"},
        rule{"AppArmorOff", APP "/securityContext/appArmorProfile", {{"type", "Unconfined"}}, "AppArmor"},
        rule{"AppArmorOffByAnnotation",
             "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1app", "unconfined",
             "AppArmor"},
        rule{"AppArmorOwn", POD "/appArmorProfile", {{"type", "Localhost"}}, ""},
        rule{"SeLinuxType", POD "/seLinuxOptions", {{"type", "spc_t"}}, "SELinux type"},
        rule{"SeLinuxUser", POD "/seLinuxOptions", {{"user", "system_u"}}, "SELinux user"},
        rule{"SeLinuxRole", APP "/securityContext/seLinuxOptions", {{"role", "system_r"}}, "SELinux role"},
        rule{"SeLinuxLevel", POD "/seLinuxOptions", {{"level", "s0:c1"}}, ""},
        rule{"ProcMount", APP "/securityContext/procMount", "Unmasked", "procMount"},
        rule{"Sysctl", POD "/sysctls/0/name", "kernel.msgmax", "sysctl kernel.msgmax"},
        rule{"Escalation", APP "/securityContext/allowPrivilegeEscalation", true, "allowPrivilegeEscalation"},
        rule{"EscalationUnsaid", APP "/securityContext/allowPrivilegeEscalation", nullptr,
             "allowPrivilegeEscalation"},
        rule{"NonRootUnsaidByPod", POD "/runAsNonRoot", nullptr, "runAsNonRoot"},
        rule{"RootAllowedByContainer", APP "/securityContext/runAsNonRoot", false, "runAsNonRoot"},
        rule{"Root", POD "/runAsUser", 0, "runAsUser 0"}, rule{"User", POD "/runAsUser", 65532, ""},
        rule{"RootInContainer", APP "/securityContext/runAsUser", 0, "runAsUser 0"},
        rule{"SeccompUnconfined",
             APP "/securityContext/seccompProfile",
             {{"type", "Unconfined"}},
             "seccomp profile"},
        rule{"SeccompUnsaid", POD "/seccompProfile", nullptr, "no seccomp profile"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace rollcall::test
