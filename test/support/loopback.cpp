// Nodes behind one port mapper on loopback.
#include "test/support/loopback.hpp"

#include <algorithm>

namespace rollcall::test {

loopback::loopback(const std::vector<std::string>& alive, std::vector<std::string> arguments) {
  for (const auto& one : alive) {
    nodes_.emplace_back(beam_options{.name = one + "@127.0.0.1",
                                     .epmd_port = mapper_.port(),
                                     .network_namespace = {},
                                     .arguments = arguments,
                                     .environment = {}},
                        false);
  }
  for (auto& node : nodes_) node.ready();
}

beam& loopback::add(beam_options options) {
  options.epmd_port = mapper_.port();
  return nodes_.emplace_back(std::move(options));
}

std::vector<std::string> loopback::names() const {
  std::vector<std::string> result;
  for (const auto& node : nodes_) result.push_back(node.name());
  return result;
}

rollcall_program loopback::rollcall(const std::vector<std::string>& others, std::vector<std::string> more,
                                    std::map<std::string, std::string> environment) {
  std::vector<std::string> arguments;
  for (const auto& name : names()) arguments.insert(arguments.end(), {"--node", name});
  for (const auto& name : others) arguments.insert(arguments.end(), {"--node", name});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return rollcall_program({.arguments = std::move(arguments),
                           .environment = std::move(environment),
                           .epmd_port = mapper_.port(),
                           .network_namespace = {},
                           .name = "rollcall@127.0.0.1"});
}

testing::AssertionResult loopback::meshed() {
  for (auto& node : nodes_) {
    if (!node.running()) continue;
    const auto seen = node.nodes();
    for (auto& other : nodes_) {
      if (&other == &node || !other.running()) continue;
      if (std::find(seen.begin(), seen.end(), other.name()) == seen.end()) {
        return testing::AssertionFailure() << node.name() << " does not see " << other.name();
      }
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace rollcall::test
