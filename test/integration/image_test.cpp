// The image, as `./dev image` makes it: built, unpacked, and started by a real container runtime (runc) the
// way deploy/base/deployment.yaml has it: its variables, its user, no capabilities, nothing writable but the
// state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>

#include "test/support/beam.hpp"
#include "test/support/files.hpp"
#include "test/support/network.hpp"
#include "test/support/pods.hpp"
#include "test/support/process.hpp"
#include "test/support/socket.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::uintmax_t max_image_bytes = 30'000'000;
constexpr std::string_view source = ROLLCALL_SOURCE_DIR;
constexpr std::string_view runtime_state = "/run/rollcall-test-runc";
constexpr const char* program = "/usr/local/bin/rollcall";

// The archive unpacked: its configuration, and its layers one over the other.
class image {
 public:
  explicit image(const std::string& archive) {
    const auto folder = files_.path().string();
    run_or_throw({"tar", "-xf", archive, "-C", folder});
    const auto manifest = json::parse(read_file(files_.path() / "manifest.json")).at(0);
    configuration_ = json::parse(read_file(files_.path() / manifest.at("Config").as_string().c_str()));
    fs::create_directory(root());
    for (const auto& layer : manifest.at("Layers").as_array()) {
      run_or_throw({"tar", "-xpf", folder + "/" + layer.as_string().c_str(), "--numeric-owner", "-C",
                    root().string()});
    }
  }
  fs::path root() const { return files_.path() / "root"; }
  // Of the image's configuration: what a runtime starts it with.
  const json::value& says(std::string_view what) const { return configuration_.at("config").at(what); }
  std::string label(const std::string& name) const {
    return says("Labels").at("org.opencontainers.image." + name).as_string().c_str();
  }

 private:
  temporary_directory files_;
  json::value configuration_;
};

std::vector<std::string> texts(const json::value& list) {
  std::vector<std::string> result;
  for (const auto& one : list.as_array()) result.emplace_back(one.as_string());
  return result;
}

json::array array_of(const std::vector<std::string>& list) {
  return json::array(list.begin(), list.end());
}

finished command(std::vector<std::string> arguments, milliseconds limit = std::chrono::seconds(60)) {
  return run({.arguments = std::move(arguments), .environment = {}, .network_namespace = {}}, limit);
}

struct mount {
  std::string from, onto;
  bool writable = false;
};

struct container_options {
  std::vector<std::string> arguments{};  // instead of the image's CMD when there are any
  std::map<std::string, std::string> environment{};
  std::string network_namespace{};
  std::vector<mount> mounts{};
};

// A container of the image: its own process, mount, IPC and host name namespaces, the network namespace it is
// given, root read-only, every capability dropped, no new privileges.
class container {
 public:
  container(const image& of, const container_options& options)
      : name_("rct" + std::to_string(getpid()) + "-" + std::to_string(++count_)) {
    const std::string user(of.says("User").as_string());
    const auto colon = user.find(':');
    std::vector<std::string> arguments = texts(of.says("Entrypoint"));
    const auto more = options.arguments.empty() ? texts(of.says("Cmd")) : options.arguments;
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto environment = texts(of.says("Env"));
    for (const auto& [name, value] : options.environment) {
      std::erase_if(environment, [&](const auto& entry) { return entry.starts_with(name + "="); });
      environment.push_back(name + "=" + value);
    }
    json::array mounts;
    mounts.push_back(json::object{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}});
    mounts.push_back(json::object{{"destination", "/dev"},
                                  {"type", "tmpfs"},
                                  {"source", "tmpfs"},
                                  {"options", array_of({"nosuid", "mode=755", "size=65536k"})}});
    for (const auto& one : options.mounts) {
      mounts.push_back(json::object{{"destination", one.onto},
                                    {"type", "bind"},
                                    {"source", one.from},
                                    {"options", array_of({"rbind", one.writable ? "rw" : "ro"})}});
    }
    const json::array none;
    const json::object all_dropped{{"bounding", none},
                                   {"effective", none},
                                   {"permitted", none},
                                   {"inheritable", none},
                                   {"ambient", none}};
    json::array namespaces;
    for (const auto* type : {"pid", "mount", "ipc", "uts"})
      namespaces.push_back(json::object{{"type", type}});
    namespaces.push_back(
        json::object{{"type", "network"}, {"path", "/run/netns/" + options.network_namespace}});
    json::object first;
    first["terminal"] = false;
    first["user"] =
        json::object{{"uid", std::stoi(user.substr(0, colon))}, {"gid", std::stoi(user.substr(colon + 1))}};
    first["args"] = array_of(arguments);
    first["env"] = array_of(environment);
    first["cwd"] = "/";
    first["capabilities"] = all_dropped;
    first["noNewPrivileges"] = true;
    json::object specification;
    specification["ociVersion"] = "1.0.2";
    specification["process"] = first;
    specification["root"] = json::object{{"path", of.root().string()}, {"readonly", true}};
    specification["mounts"] = mounts;
    specification["linux"] = json::object{{"namespaces", namespaces}};
    files_.write("config.json", json::serialize(specification));
    runtime_.emplace(process_options{.arguments = runtime({"run", "--pid-file", pid_file().string(),
                                                           "--bundle", files_.path().string(), name_}),
                                     .environment = {},
                                     .network_namespace = {}});
  }
  ~container() { command(runtime({"delete", "--force", name_})); }
  container(const container&) = delete;
  container& operator=(const container&) = delete;

  // As a runtime's health check or `kubectl exec` starts a program beside the first one.
  finished exec(std::vector<std::string> arguments) const {
    auto all = runtime({"exec", name_});
    all.insert(all.end(), arguments.begin(), arguments.end());
    return command(std::move(all));
  }
  void signal(const std::string& which) const { run_or_throw(runtime({"kill", name_, which})); }
  // Of its first process, as this machine numbers it.
  std::string status() const { return read_file("/proc/" + trimmed(read_file(pid_file())) + "/status"); }
  std::string mounts() const { return read_file("/proc/" + trimmed(read_file(pid_file())) + "/mountinfo"); }
  process& whole() { return *runtime_; }

  // Containers outlive a test that is killed.
  static void sweep_leftovers() {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(runtime_state, none)) {
      const auto name = entry.path().filename().string();
      const auto maker = name.starts_with("rct") ? std::atoi(name.c_str() + 3) : 0;
      if (maker > 0 && ::kill(maker, 0) != 0) command(runtime({"delete", "--force", name}));
    }
  }

 private:
  static std::vector<std::string> runtime(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"runc", "--root", std::string(runtime_state)});
    return arguments;
  }
  static std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  fs::path pid_file() const { return files_.path() / "pid"; }
  static inline int count_ = 0;
  std::string name_;
  temporary_directory files_;
  std::optional<process> runtime_;
};

// The variables of deploy/base as its manifests write them.
std::map<std::string, std::string> deployed_environment() {
  std::map<std::string, std::string> result;
  const auto deployment = read_file(std::string(source) + "/deploy/base/deployment.yaml");
  const std::regex variable("- name: (ROLLCALL_[A-Z_]+)\\s+value: \"?([^\"\\n]*)\"?\\n");
  for (std::sregex_iterator one(deployment.begin(), deployment.end(), variable), end; one != end; ++one) {
    auto value = std::string((*one)[2]);
    for (const auto& [name, its] :
         {std::pair("NAMESPACE", "default"), {"SERVICE", "rollcall"}, {"CLUSTER_DOMAIN", "cluster.local"}})
      value = std::regex_replace(value, std::regex("\\$\\(" + std::string(name) + "\\)"), its);
    result[(*one)[1]] = value;
  }
  const auto kustomization = read_file(std::string(source) + "/deploy/base/kustomization.yaml");
  const std::regex literal("- (ROLLCALL_[A-Z_]+)=(.*)\\n");
  for (std::sregex_iterator one(kustomization.begin(), kustomization.end(), literal), end; one != end;
       ++one) {
    result[(*one)[1]] = (*one)[2];
  }
  return result;
}

// Builds it, once for all.
class Image : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (network::unavailable()) return;
    container::sweep_leftovers();
    // An archive that is there already, instead of one that is built now.
    const char* given = std::getenv("ROLLCALL_IMAGE_ARCHIVE");
    if (given == nullptr) {
      const auto built = command({"nice", std::string(source) + "/dev", "image"}, std::chrono::minutes(40));
      ASSERT_EQ(built.exit_code, 0) << built.errors << built.output;
      std::cout << built.output;
    }
    image_ =
        std::make_unique<image>(given != nullptr ? given : std::string(source) + "/build/image/rollcall.tar");
  }
  static void TearDownTestSuite() { image_.reset(); }
  void SetUp() override {
    ROLLCALL_NEEDS_NETWORK();
    ASSERT_NE(image_, nullptr) << "it was not built";
  }
  static image& built() { return *image_; }

 private:
  static inline std::unique_ptr<image> image_;
};

TEST_F(Image, IsSmallAndHoldsNothingElseToRun) {
  std::uintmax_t bytes = 0;
  std::vector<std::string> programs, others;
  for (const auto& entry : fs::recursive_directory_iterator(built().root())) {
    const auto path = entry.path().lexically_relative(built().root()).string();
    const auto status = entry.symlink_status();
    const auto mode = status.permissions();
    EXPECT_EQ(mode & (fs::perms::set_uid | fs::perms::set_gid | fs::perms::others_write), fs::perms::none)
        << path;
    if (fs::is_directory(status)) continue;
    ASSERT_TRUE(fs::is_regular_file(status)) << path;
    bytes += entry.file_size();
    if ((mode & fs::perms::others_exec) == fs::perms::none) continue;
    if (path.find(".so") == std::string::npos) {
      programs.push_back(path);
    } else if (!path.starts_with("lib")) {
      others.push_back(path);
    }
  }
  EXPECT_LT(bytes, max_image_bytes);
  EXPECT_GT(bytes, 1'000'000U) << "the archive was not unpacked";
  EXPECT_THAT(programs,
              testing::ElementsAre("usr/local/bin/rollcall"));  // no shell, no package manager, no epmd
  EXPECT_THAT(others, testing::IsEmpty());
}

TEST_F(Image, NamesTheVersionOfEveryLibraryInIt) {
  std::size_t libraries = 0;
  for (const auto* folder : {"lib", "lib64"}) {
    for (const auto& entry : fs::recursive_directory_iterator(built().root() / folder)) {
      if (entry.is_regular_file()) ++libraries;
    }
  }
  EXPECT_GT(libraries, 5U);
  std::vector<std::string> packages;
  for (const auto& entry : fs::directory_iterator(built().root() / "var/lib/dpkg/status.d")) {
    const auto text = read_file(entry.path());
    packages.push_back(entry.path().filename());
    EXPECT_THAT(text, HasSubstr("Package: " + packages.back() + "\n"));
    EXPECT_THAT(text, HasSubstr("\nVersion: "));
  }
  // libc6 has three of them: the C library, the one of mathematics, and the loader; libssl3 has two.
  EXPECT_EQ(packages.size() + 3, libraries) << testing::PrintToString(packages);
}

TEST_F(Image, SaysWhoItIsAndHowItIsStarted) {
  EXPECT_EQ(built().says("User").as_string(), "65532:65532");
  EXPECT_THAT(texts(built().says("Entrypoint")), testing::ElementsAre(program));
  EXPECT_THAT(texts(built().says("Cmd")), testing::ElementsAre("run"));
  EXPECT_THAT(texts(built().says("Env")),
              testing::IsSupersetOf({"HOME=/nonexistent", "ROLLCALL_HTTP=[::]:14369"}));
  std::vector<std::string> ports;
  for (const auto& port : built().says("ExposedPorts").as_object()) ports.emplace_back(port.key());
  EXPECT_THAT(ports, UnorderedElementsAre("14369/tcp", "4369/tcp", "9100/tcp"));
  EXPECT_THAT(texts(built().says("Healthcheck").at("Test")),
              testing::ElementsAre("CMD", program, "healthcheck"));
  EXPECT_EQ(built().label("title"), "rollcall");
  EXPECT_FALSE(built().label("description").empty());
  EXPECT_TRUE(
      std::regex_match(built().label("created"), std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ")))
      << built().label("created");
}

// What the manifest asks of the platform is what the container below is given.
TEST_F(Image, IsWhatTheDeploymentAsksFor) {
  const auto deployment = read_file(std::string(source) + "/deploy/base/deployment.yaml");
  for (const auto* line :
       {"runAsUser: 65532\n", "runAsGroup: 65532\n", "fsGroup: 65532\n", "args: [run]\n",
        "readOnlyRootFilesystem: true\n", "allowPrivilegeEscalation: false\n", "drop: [ALL]\n",
        "defaultMode: 0440\n", "mountPath: /etc/rollcall\n", "mountPath: /var/lib/rollcall\n"}) {
    EXPECT_THAT(deployment, HasSubstr(line));
  }
}

TEST_F(Image, RunsAsTheDeploymentHasIt) {
  pods cluster({.count = 3});
  const auto& here = cluster.net().at("rollcall");
  cluster.dns().extra_records("rollcall.default.svc A " + here.address + "\n");
  // As in a container whose network has no IPv6: [::] is to serve IPv4 all the same.
  run_or_throw(
      {"ip", "netns", "exec", here.network_namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"});

  temporary_directory secret, state;
  const auto cookie = secret.write("cookie", "chocolate\n", 0440);
  ASSERT_EQ(chown(cookie.c_str(), 0, 65532), 0);
  fs::permissions(secret.path(), fs::perms(0755));
  ASSERT_EQ(chown(state.path().c_str(), 0, 65532), 0);
  fs::permissions(state.path(), fs::perms(0770));
  auto environment = deployed_environment();
  ASSERT_EQ(environment["ROLLCALL_NAME"], "rollcall@rollcall.default.svc.cluster.local");
  ASSERT_EQ(environment["ROLLCALL_DIST_PORT"], "9100");
  ASSERT_EQ(environment["ROLLCALL_EPMD"], "serve");
  ASSERT_EQ(environment["ROLLCALL_COOKIE_FILE"], "/etc/rollcall/cookie");
  ASSERT_EQ(environment["ROLLCALL_STATE_DIR"], "/var/lib/rollcall");
  ASSERT_FALSE(environment["ROLLCALL_SRV"].empty());
  environment["POD_IP"] = here.address;
  const container_options options{
      .arguments = {"run"},
      .environment = environment,
      .network_namespace = here.network_namespace,
      .mounts = {{secret.path().string(), "/etc/rollcall"},
                 {state.path().string(), "/var/lib/rollcall", true},
                 {"/etc/netns/" + here.network_namespace + "/resolv.conf", "/etc/resolv.conf"},
                 {"/etc/hosts", "/etc/hosts"}}};
  container running(built(), options);
  const auto get = [&](const std::string& path) {
    return http_get("127.0.0.1", 14369, path, here.network_namespace);
  };

  // Its own command tells: health is ok, all three are up.
  ASSERT_TRUE(eventually(
      [&] {
        const auto status = running.exec({program, "status", "--json"});
        return status.exit_code == 0 && status.output.find("\"up\":3,") != std::string::npos
                   ? testing::AssertionSuccess()
                   : testing::AssertionFailure()
                         << status.output << status.errors << running.whole().errors();
      },
      120s, "three pods are up"));
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_THAT(get("/metrics").body, HasSubstr("revision=\"" + built().label("revision") + "\""));
  EXPECT_THAT(get("/metrics").body, HasSubstr("version=\"" + built().label("version") + "\""));

  // What it may do here: nothing.
  const auto status = running.status();
  EXPECT_THAT(status, HasSubstr("\nUid:\t65532\t65532\t65532\t65532\n"));
  EXPECT_THAT(status, HasSubstr("\nGid:\t65532\t65532\t65532\t65532\n"));
  for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_THAT(status, HasSubstr("\n" + std::string(set) + ":\t0000000000000000\n"));
  }
  EXPECT_THAT(status, HasSubstr("\nNoNewPrivs:\t1\n"));
  EXPECT_TRUE(std::regex_search(running.mounts(), std::regex(" / / ro|/root / ro"))) << running.mounts();

  // The port mapper it is itself, and the port it names: a pod finds it by the name people guess.
  const auto own = "'" + environment["ROLLCALL_NAME"] + "'";
  EXPECT_EQ(cluster.node(0).eval("erl_epmd:names(\"rollcall.default.svc.cluster.local\")"),
            "{ok,[{\"rollcall\",9100}]}");
  EXPECT_EQ(cluster.node(0).eval("length(rpc:call(" + own + ", rollcall, nodes, []))"), "3");

  // The health check: of a program that answers, of one that hangs, and of one that is gone.
  const auto check = texts(built().says("Healthcheck").at("Test"));
  const std::vector<std::string> command(check.begin() + 1, check.end());
  EXPECT_TRUE(eventually([&] { return running.exec(command).output == "alive\n"; }, 60s, "it is alive"));
  running.signal("STOP");
  const auto hanging = running.exec(command);
  EXPECT_EQ(hanging.exit_code, 1);
  EXPECT_THAT(hanging.errors, HasSubstr("no answer within 5s"));
  running.signal("CONT");
  EXPECT_TRUE(eventually([&] { return running.exec(command).exit_code == 0; }, 30s, "it answers again"));
  running.signal("TERM");
  ASSERT_TRUE(running.whole().wait(30s)) << running.whole().errors();
  EXPECT_EQ(running.whole().exit_code(), 0) << running.whole().errors();
  EXPECT_THAT(running.whole().errors(), testing::Not(HasSubstr("chocolate")));
  EXPECT_FALSE(read_file(state.path() / "incidents.json").empty())
      << "nothing was written to the state directory";
  container after(built(), {.arguments = {"healthcheck"},
                            .environment = environment,
                            .network_namespace = here.network_namespace});
  ASSERT_TRUE(after.whole().wait(30s));
  EXPECT_EQ(after.whole().exit_code(), 1);
  EXPECT_THAT(after.whole().errors(), HasSubstr("Connection refused"));
}

TEST_F(Image, WithoutACookieItSaysWhatToGive) {
  network net;
  container alone(built(), {.arguments = {"run", "--node", "a@10.77.0.9"},
                            .network_namespace = net.add("alone").network_namespace});
  ASSERT_TRUE(alone.whole().wait(30s));
  EXPECT_EQ(alone.whole().exit_code(), 2);
  EXPECT_THAT(alone.whole().errors(),
              HasSubstr("cookie file /nonexistent/.erlang.cookie does not exist and cannot be created"));
  EXPECT_THAT(alone.whole().errors(),
              HasSubstr("give --cookie-file, or set ROLLCALL_COOKIE or ROLLCALL_COOKIE_FILE"));
}

TEST_F(Image, ItsVersionIsTheProgramsOwn) {
  network net;
  container version(built(),
                    {.arguments = {"--version"}, .network_namespace = net.add("alone").network_namespace});
  ASSERT_TRUE(version.whole().wait(30s));
  EXPECT_EQ(version.whole().output(), "rollcall " + built().label("version") + "\n");
}

}  // namespace
}  // namespace rollcall::test
