#include "test/support/pod_security.hpp"

#include <set>

namespace rollcall::test {

namespace {

namespace json = boost::json;
using words = std::set<std::string_view>;

const json::value* find(const json::value& in, std::string_view pointer) {
  boost::system::error_code failure;
  const auto* found = in.find_pointer(pointer, failure);
  return found == nullptr || found->is_null() ? nullptr : found;
}

bool is(const json::value& in, std::string_view pointer, const json::value& wanted) {
  const auto* found = find(in, pointer);
  return found != nullptr && *found == wanted;
}

std::string_view text(const json::value& in, std::string_view pointer) {
  const auto* found = find(in, pointer);
  return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : "";
}

const json::array& list(const json::value& in, std::string_view pointer) {
  static const json::array none;
  const auto* found = find(in, pointer);
  return found != nullptr && found->is_array() ? found->get_array() : none;
}

class review {
 public:
  explicit review(const json::value& pod) : pod_(pod), spec_(pod.at("spec")) {}

  std::vector<std::string> run() {
    host_namespaces();
    volumes();
    sysctls();
    app_armor_annotations();
    security_context(spec_, "pod");
    for (const auto* kind : {"/initContainers", "/containers", "/ephemeralContainers"}) {
      for (const auto& one : list(spec_, kind)) container(one);
    }
    return std::move(refused_);
  }

 private:
  void refuse(const std::string& where, const std::string& what) { refused_.push_back(where + ": " + what); }

  void host_namespaces() {
    for (const auto* name : {"hostNetwork", "hostPID", "hostIPC"}) {
      if (is(spec_, "/" + std::string(name), true)) refuse("pod", name);
    }
  }

  void volumes() {
    static const words allowed{"name",      "configMap", "csi",    "downwardAPI",          "emptyDir",
                               "ephemeral", "projected", "secret", "persistentVolumeClaim"};
    for (const auto& one : list(spec_, "/volumes")) {
      for (const auto& [key, value] : one.as_object()) {
        if (!allowed.contains(key)) refuse("volume " + std::string(text(one, "/name")), key);
      }
    }
  }

  void sysctls() {
    static const words safe{
        "kernel.shm_rmid_forced",       "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",      "net.ipv4.ping_group_range",    "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",  "net.ipv4.tcp_fin_timeout",     "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes"};
    for (const auto& one : list(spec_, "/securityContext/sysctls")) {
      if (!safe.contains(text(one, "/name"))) refuse("pod", "sysctl " + std::string(text(one, "/name")));
    }
  }

  void app_armor_annotations() {
    const auto* annotations = find(pod_, "/metadata/annotations");
    if (annotations == nullptr) return;
    for (const auto& [key, value] : annotations->as_object()) {
      if (!key.starts_with("container.apparmor.security.beta.kubernetes.io/")) continue;
      const auto profile = std::string_view(value.as_string());
      if (profile != "runtime/default" && !profile.starts_with("localhost/"))
        refuse("pod", "AppArmor " + std::string(profile));
    }
  }

  // What pod and container may both say.
  void security_context(const json::value& of, const std::string& where) {
    static const words types{"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"};
    static const words profiles{"", "RuntimeDefault", "Localhost"};
    if (!types.contains(text(of, "/securityContext/seLinuxOptions/type"))) refuse(where, "SELinux type");
    if (!text(of, "/securityContext/seLinuxOptions/user").empty()) refuse(where, "SELinux user");
    if (!text(of, "/securityContext/seLinuxOptions/role").empty()) refuse(where, "SELinux role");
    if (!profiles.contains(text(of, "/securityContext/appArmorProfile/type"))) refuse(where, "AppArmor");
    if (!profiles.contains(text(of, "/securityContext/seccompProfile/type")))
      refuse(where, "seccomp profile");
    if (is(of, "/securityContext/windowsOptions/hostProcess", true)) refuse(where, "hostProcess");
    if (is(of, "/securityContext/runAsUser", 0)) refuse(where, "runAsUser 0");
  }

  void container(const json::value& one) {
    const auto where = "container " + std::string(text(one, "/name"));
    security_context(one, where);
    if (is(one, "/securityContext/privileged", true)) refuse(where, "privileged");
    if (!is(one, "/securityContext/allowPrivilegeEscalation", false))
      refuse(where, "allowPrivilegeEscalation is not false");
    if (const auto mount = text(one, "/securityContext/procMount"); !mount.empty() && mount != "Default")
      refuse(where, "procMount");
    capabilities(one, where);
    // Either the container says it, or the pod does and the container does not contradict.
    const auto* user = find(one, "/securityContext/runAsNonRoot");
    if (user != nullptr ? *user != true : !is(spec_, "/securityContext/runAsNonRoot", true))
      refuse(where, "runAsNonRoot is not true");
    if (text(one, "/securityContext/seccompProfile/type").empty() &&
        text(spec_, "/securityContext/seccompProfile/type").empty())
      refuse(where, "no seccomp profile");
    for (const auto& port : list(one, "/ports")) {
      if (const auto* host = find(port, "/hostPort"); host != nullptr && *host != 0)
        refuse(where, "hostPort");
    }
    hosts(one, where);
  }

  void capabilities(const json::value& one, const std::string& where) {
    bool all = false;
    for (const auto& dropped : list(one, "/securityContext/capabilities/drop")) all = all || dropped == "ALL";
    if (!all) refuse(where, "does not drop ALL capabilities");
    for (const auto& added : list(one, "/securityContext/capabilities/add")) {
      if (added != "NET_BIND_SERVICE") refuse(where, "adds a capability");
    }
  }

  // Since 1.34: kubelet asks the pod itself, and no other host for it.
  void hosts(const json::value& one, const std::string& where) {
    for (const auto* hook : {"/livenessProbe", "/readinessProbe", "/startupProbe", "/lifecycle/postStart",
                             "/lifecycle/preStop"}) {
      for (const auto* how : {"/httpGet/host", "/tcpSocket/host"}) {
        if (!text(one, std::string(hook) + how).empty()) refuse(where, "host of a probe or hook");
      }
    }
  }

  const json::value& pod_;
  const json::value& spec_;
  std::vector<std::string> refused_;
};

}  // namespace

std::vector<std::string> refused_by_restricted(const json::value& pod) {
  return review(pod).run();
}

}  // namespace rollcall::test
