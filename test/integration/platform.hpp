// A name server with Kubernetes' search list and nodes on this machine's loopback: a platform for what needs
// no network.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "test/support/dns_server.hpp"
#include "test/support/loopback.hpp"

namespace rollcall::test {

inline const std::string kubernetes_search = "default.svc.cluster.local svc.cluster.local cluster.local";

// What `rollcall check` says with these options.
inline finished check(std::vector<std::string> options, std::map<std::string, std::string> environment,
                      const std::string& network_namespace, const std::string& name) {
  temporary_directory files;
  options.insert(options.begin(), "check");
  options.insert(options.end(), {"--name", name, "--cookie-file", files.write("cookie", "chocolate", 0400)});
  return run_rollcall(std::move(options), std::move(environment), network_namespace);
}

struct platform {
  finished check(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--dns-server", dns.endpoint_text()});
    return test::check(
        std::move(arguments),
        {{"LOCALDOMAIN", kubernetes_search}, {"ERL_EPMD_PORT", std::to_string(nodes.mapper().port())}}, {},
        "rollcall@127.0.0.1");
  }
  rollcall_program rollcall(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--dns-server", dns.endpoint_text()});
    return rollcall_program({.arguments = std::move(arguments),
                             .environment = {{"LOCALDOMAIN", kubernetes_search}},
                             .epmd_port = nodes.mapper().port(),
                             .network_namespace = {},
                             .name = "rollcall@127.0.0.1",
                             .interval = "300ms"});
  }
  beam& add(const std::string& name, const std::string& inetrc = {}) {
    std::map<std::string, std::string> environment;
    if (!inetrc.empty()) environment["ERL_INETRC"] = inetrc;
    return nodes.add({.name = name, .network_namespace = {}, .arguments = {}, .environment = environment});
  }

  dns_server dns;
  loopback nodes;
};

}  // namespace rollcall::test
