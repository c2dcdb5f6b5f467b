#include "test/support/deploy.hpp"

#include <algorithm>
#include <regex>

#include "test/support/wait.hpp"

namespace rollcall::test {

namespace json = boost::json;
namespace fs = std::filesystem;

std::string string(const json::value& v) {
  return v.is_string() ? std::string(v.get_string()) : json::serialize(v);
}

finished command(std::vector<std::string> arguments) {
  process_options options;
  options.arguments = std::move(arguments);
  return run(std::move(options), 120s);
}

finished kustomize(const std::string& folder) {
  return command({(deploy_tools / "kubectl").string(), "kustomize", (repository / folder).string()});
}

finished kustomize_own(const std::string& kustomization) {
  const temporary_directory folder;
  fs::copy(repository / "deploy", folder.path() / "deploy",
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  fs::create_directory(folder.path() / "own");
  folder.write("own/kustomization.yaml",
               "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n" + kustomization);
  return command({(deploy_tools / "kubectl").string(), "kustomize", (folder.path() / "own").string()});
}

json::array rendered(const std::string& folder) {
  const auto made = kustomize(folder);
  if (made.exit_code != 0) throw std::runtime_error(folder + ": " + made.errors);
  return yaml_documents(made.output);
}

// Of helm, with --set SETTINGS.
finished helm(const std::string& settings, const std::vector<std::string>& more) {
  std::vector<std::string> all{deploy_tools / "helm", "template", "rollcall",
                               repository / "deploy/chart/rollcall"};
  if (!settings.empty()) all.insert(all.end(), {"--set", settings});
  all.insert(all.end(), more.begin(), more.end());
  return command(std::move(all));
}

std::vector<std::string> folders() {
  std::vector<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(repository / "deploy")) {
    // A component is added to another folder, and nothing by itself.
    if (entry.path().filename() == "kustomization.yaml" &&
        read_file(entry.path()).find("kind: Component") == std::string::npos)
      all.push_back(fs::relative(entry.path().parent_path(), repository).string());
  }
  std::sort(all.begin(), all.end());
  return all;
}

// Those with a Rollcall in them.
std::vector<std::string> installations() {
  return {"deploy/base", "deploy/overlays/annotations", "deploy/overlays/operator",
          "deploy/overlays/operator-pods"};
}

std::vector<fs::path> examples() {
  std::vector<fs::path> all;
  for (const auto& entry : fs::recursive_directory_iterator(repository / "deploy/examples")) {
    if (entry.path().extension() == ".yaml" && entry.path().filename() != "kustomization.yaml")
      all.push_back(entry.path());
  }
  return all;
}

const json::object* find(const json::array& objects, std::string_view kind) {
  for (const auto& one : objects) {
    if (one.at("kind").as_string() == kind) return &one.get_object();
  }
  return nullptr;
}

const json::object& the(const json::array& objects, std::string_view kind) {
  const auto* found = find(objects, kind);
  if (found == nullptr) throw std::runtime_error("no " + std::string(kind));
  return *found;
}

json::value at(const json::value& v, const std::string& pointer) {
  boost::system::error_code failure;
  const auto* found = v.find_pointer(pointer, failure);
  return found == nullptr ? json::value("absent: " + pointer) : *found;
}

// By value, so that it can be gone through.
json::array array(const json::value& v, const std::string& pointer) {
  const auto found = at(v, pointer);
  if (!found.is_array()) throw std::runtime_error(string(found));
  return found.get_array();
}

json::value container(const json::array& objects) {
  return at(the(objects, "Deployment"), "/spec/template/spec/containers/0");
}

// Every label that `selector` asks for is among `labels`.
testing::AssertionResult selects(const json::value& selector, const json::value& labels) {
  if (!selector.is_object() || selector.get_object().empty()) return testing::AssertionFailure() << selector;
  for (const auto& [key, value] : selector.get_object()) {
    const auto* found = labels.is_object() ? labels.get_object().if_contains(key) : nullptr;
    if (found == nullptr || *found != value)
      return testing::AssertionFailure() << selector << " is not in " << labels;
  }
  return testing::AssertionSuccess();
}

const json::object& config_map(const json::array& objects) {
  const auto wanted = at(container(objects), "/envFrom/0/configMapRef/name");
  for (const auto& one : objects) {
    if (one.at("kind") == "ConfigMap" && one.at("metadata").at("name") == wanted) return one.get_object();
  }
  throw std::runtime_error("no ConfigMap " + string(wanted));
}

std::map<std::string, std::string> environment(const json::array& objects) {
  std::map<std::string, std::string> all{{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}};
  const auto image = container(objects);
  for (const auto& [key, value] : config_map(objects).at("data").as_object())
    all[std::string(key)] = string(value);
  for (const auto& one : array(image, "/env")) {
    const auto name = string(one.at("name"));
    if (const auto* value = one.as_object().if_contains("value")) {
      // Kubernetes' own expansion, of variables that stand before it.
      auto text = string(*value);
      for (const auto& [earlier, its] : all) {
        const auto reference = "$(" + earlier + ")";
        if (const auto found = text.find(reference); found != std::string::npos)
          text.replace(found, reference.size(), its);
      }
      all[name] = text;
    } else {
      const auto field = string(at(one, "/valueFrom/fieldRef/fieldPath"));
      all[name] = field == "metadata.namespace" ? "shop" : field == "status.podIP" ? "10.0.0.7" : "";
      EXPECT_NE(all[name], "") << field;
    }
  }
  return all;
}

std::set<std::string> words(const std::string& text, const std::string& pattern) {
  std::set<std::string> found;
  const std::regex matcher(pattern);
  for (std::sregex_iterator each(text.begin(), text.end(), matcher), end; each != end; ++each)
    found.insert(each->str());
  return found;
}

// What schemas.mjs says of objects: a line for each thing that is wrong.
std::string complaints(const json::array& objects) {
  const temporary_directory folder;
  const auto file = folder.write("objects.json", json::serialize(objects));
  const auto said =
      command({"sh", "-c", "exec node \"$0\" \"$1\" <\"$2\"",
               (repository / "test/manifests/schemas.mjs").string(), deploy_tools.string(), file});
  return said.exit_code == 0 ? said.output : said.output + said.errors + "schemas.mjs failed";
}

}  // namespace rollcall::test
