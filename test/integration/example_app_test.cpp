// The example app (deploy/examples/app) as its manifests deploy it: its real release, in pods made of
// namespaces, with the service's zone and Rollcall beside it. Asked is what a person would look at: the page
// of every pod.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

#include "test/support/dns_server.hpp"
#include "test/support/manifest.hpp"
#include "test/support/network.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string examples = std::string(ROLLCALL_SOURCE_DIR) + "/deploy/examples/";
const std::string secret = "TOPSECRETCOOKIE";

// `mix release` of the example, as its Dockerfile does it, into a folder of the test's own.
const std::string& release() {
  static const temporary_directory files;
  static const std::string built = [] {
    const auto path = (files.path() / "app").string();
    const auto made = run({.arguments = {"sh", "-c", "cd \"$0\" && exec mix release --quiet --path \"$1\"",
                                         examples + "app", path},
                           .environment = {{"MIX_ENV", "prod"},
                                           {"MIX_BUILD_PATH", (files.path() / "build").string()},
                                           {"HOME", files.path().string()},
                                           {"LANG", "C.UTF-8"}},
                           .network_namespace = {}},
                          180s);
    if (made.exit_code != 0) throw std::runtime_error("mix release: " + made.output + made.errors);
    return path;
  }();
  return built;
}

// Pages

struct page {
  int status = 0;
  std::string host{}, node{};
  std::set<std::string> others{};
};

// A machine that is too busy to answer in time has not said anything wrong: it is asked again.
page read_page(const std::string& network_namespace) {
  http_answer answer;
  for (int tries = 0; tries < 3 && answer.status == 0; ++tries) {
    answer = http_get("127.0.0.1", 4000, "/", network_namespace, patient(5s));
  }
  page result{.status = answer.status};
  std::smatch found;
  if (std::regex_search(answer.body, found, std::regex("<h1>(.*?)</h1>"))) result.host = found[1];
  if (std::regex_search(answer.body, found, std::regex("This is <b>(.*?)</b>, connected to (\\d+):")))
    result.node = found[1];
  const std::regex item("<li>(.*?)</li>");
  for (std::sregex_iterator at(answer.body.begin(), answer.body.end(), item), end; at != end; ++at) {
    result.others.insert((*at)[1]);
  }
  return result;
}

// A container: hostname, process ids, /run and /proc of its own; what is in it goes when it does.
class container {
 public:
  container(const host& where, const std::string& hostname, std::map<std::string, std::string> environment)
      : namespace_(where.network_namespace), environment_(std::move(environment)) {
    const auto cookie = files_.write("cookie", secret + "\n");
    environment_.insert({{"RELEASE_COOKIE", ""},
                         {"LANG", "C.UTF-8"},
                         {"ERL_CRASH_DUMP_BYTES", "0"},
                         {"ERL_FLAGS", "+S 1 +SDio 1 +A 1"},
                         // A silent cut is noticed within 8 to 13 s, not within 45 to 75.
                         {"ERL_ZFLAGS", "-kernel net_ticktime 10"}});
    process_.emplace(process_options{
        .arguments =
            {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "sh", "-ec",
             "mount -t tmpfs tmpfs /run; mkdir -p /run/app /run/secrets/erlang;"
             "install -m 0440 \"$1\" /run/secrets/erlang/cookie; hostname \"$2\"; exec \"$0/bin/app\" start",
             release(), cookie, hostname},
        .environment = environment_,
        .network_namespace = namespace_});
  }

  // Of the container's first process, as this machine counts; absent before there is one, and after.
  std::optional<pid_t> init() const {
    const auto id = std::to_string(process_->id());
    const auto children = read_file("/proc/" + id + "/task/" + id + "/children");
    return children.empty() ? std::nullopt : std::optional<pid_t>(std::stoi(children));
  }
  // `kubectl exec`
  finished exec(std::vector<std::string> arguments, milliseconds limit = 30s) {
    const auto first = init();
    if (!first)
      throw std::runtime_error("the container is not there: " + process_->output() + process_->errors());
    std::vector<std::string> all{"nsenter", "--target", std::to_string(*first), "--all", "--"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run({.arguments = std::move(all), .environment = environment_, .network_namespace = {}}, limit);
  }
  // SIGTERM, as the kubelet sends it, and the end.
  testing::AssertionResult terminate() {
    if (const auto first = init()) kill(*first, SIGTERM);
    return process_->wait(30s) ? testing::AssertionSuccess() : testing::AssertionFailure() << log();
  }
  std::string log() const { return process_->output() + process_->errors(); }
  // Every `lost NODE` of its log, in order.
  std::vector<std::string> lost() const {
    std::vector<std::string> names;
    const auto text = log();
    const std::regex line("lost (app@\\S+)");
    for (std::sregex_iterator at(text.begin(), text.end(), line), end; at != end; ++at)
      names.push_back((*at)[1]);
    return names;
  }

 private:
  temporary_directory files_;
  std::string namespace_;
  std::map<std::string, std::string> environment_;
  std::optional<process> process_;
};

// The cluster

enum class workload { statefulset, deployment };

class example {
 public:
  explicit example(workload kind, std::vector<std::string> rollcall_flags = {})
      : kind_(kind),
        manifest_(read_file(examples + (kind == workload::statefulset ? "statefulset" : "deployment") +
                            "/app.yaml")),
        rollcall_flags_(std::move(rollcall_flags)) {
    const auto& names = net_.add("dns");
    net_.resolv_conf("nameserver " + names.address +
                     "\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 "
                     "timeout:1 attempts:2\n");
    dns_.emplace(dns_server_options{
        .address = names.address, .port = 53, .network_namespace = names.network_namespace});
    const auto& observer = net_.add("rollcall");
    dns_->publish_service("rollcall.default", {.ports = {{.name = "http", .port = 14369}},
                                               .pods = {{.hostname = "", .address = observer.address}}});
  }

  // As deploy/base has it, but for how often it looks and where the state is kept.
  void start_rollcall() {
    std::vector<std::string> flags{"--srv", "app@_dist._tcp.app", "--epmd", "serve", "--dist-port", "9100",
                                   // A busy machine is not a broken link.
                                   "--probe-timeout", "1s"};
    flags.insert(flags.end(), rollcall_flags_.begin(), rollcall_flags_.end());
    const auto& where = net_.at("rollcall");
    rollcall_.emplace(rollcall_options{.arguments = std::move(flags),
                                       .cookie = secret,
                                       .environment = {{"POD_IP", where.address}},
                                       .network_namespace = where.network_namespace,
                                       .interval = "1s",
                                       .http_for_all = true});
  }
  void stop_rollcall() { rollcall_.reset(); }
  rollcall_program& rollcall() { return *rollcall_; }

  std::size_t size() const { return pods_.size(); }
  container& pod(std::size_t index) { return *pods_.at(index).running; }
  const host& host_of(std::size_t index) const { return net_.at(pods_.at(index).host); }
  const std::string& hostname(std::size_t index) const { return pods_.at(index).hostname; }
  std::string name(std::size_t index) const {
    return "app@" + dns_->host("app.default", kind_ == workload::statefulset
                                                  ? hostname(index)
                                                  : dashed(host_of(index).address));
  }
  std::set<std::string> names(const std::vector<std::size_t>& of) const {
    std::set<std::string> all;
    for (const auto i : of) all.insert(name(i));
    return all;
  }
  network& net() { return net_; }

  // `kubectl scale --replicas=N`: new pods start at once, and each passes its start-up probe; those that go
  // get their SIGTERM and stay in DNS until they are gone.
  void scale(std::size_t wanted) {
    const auto before = pods_.size();
    while (pods_.size() < wanted) add();
    publish();
    for (std::size_t i = before; i < pods_.size(); ++i) run(i);
    for (std::size_t i = before; i < pods_.size(); ++i) EXPECT_TRUE(started(i));
    while (pods_.size() > wanted) {
      EXPECT_TRUE(pods_.back().running->terminate());
      pods_.pop_back();
      publish();
    }
  }

  // Whether each pod's page shows the host's name, the node's, and all others of the group it is in.
  testing::AssertionResult pages_show(const std::vector<std::vector<std::size_t>>& groups) {
    for (const auto& group : groups) {
      for (const auto i : group) {
        auto others = names(group);
        others.erase(name(i));
        const auto seen = read_page(host_of(i).network_namespace);
        if (seen.status == 200 && seen.host == hostname(i) && seen.node == name(i) && seen.others == others)
          continue;
        auto failure = testing::AssertionFailure();
        failure << "the page of " << name(i) << " on " << hostname(i) << ": status " << seen.status
                << ", host " << seen.host << ", node " << seen.node << ", connected to "
                << ::testing::PrintToString(seen.others);
        return failure;
      }
    }
    return testing::AssertionSuccess();
  }
  std::vector<std::size_t> everybody() const {
    std::vector<std::size_t> all(pods_.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    return all;
  }
  testing::AssertionResult pages_are_right() { return pages_show({everybody()}); }
  std::vector<std::size_t> lost() const {
    std::vector<std::size_t> counts;
    for (const auto& one : pods_) counts.push_back(one.running->lost().size());
    return counts;
  }
  double rounds() const { return rollcall_->metric("rollcall_round_duration_seconds_count").value_or(0); }
  testing::AssertionResult wait_rounds(int span) {
    const auto until = rounds() + span;
    return eventually([&] { return rounds() >= until; }, milliseconds(span * 10'000), "rounds go by");
  }
  // The readiness probe of the manifest, from the kubelet's side.
  bool ready(std::size_t index) const {
    return http_get("127.0.0.1", 4000, "/", host_of(index).network_namespace, patient(1s)).status == 200;
  }

 private:
  struct pod_of_it {
    std::string host, hostname;
    std::unique_ptr<container> running{};
  };

  void add() {
    const auto number = std::to_string(made_++);
    const auto& where = net_.add("pod-" + number);
    pods_.push_back({.host = "pod-" + number,
                     .hostname = kind_ == workload::statefulset ? "app-" + std::to_string(pods_.size())
                                                                : "app-6b7f9c-x" + number});
    // What the kubelet writes into /etc/hosts: with the full name when the pod has a subdomain, a
    // StatefulSet's service.
    const auto full =
        kind_ == workload::statefulset ? dns_->host("app.default", hostname(pods_.size() - 1)) + " " : "";
    std::ofstream("/etc/netns/" + where.network_namespace + "/hosts")
        << "127.0.0.1 localhost\n"
        << where.address << " " << full << hostname(pods_.size() - 1) << "\n";
  }
  void publish() {
    headless_service service;
    for (const auto& port : blocks(blocks(manifest_, "ports").at(0), "- name")) {
      service.ports.push_back({.name = value_of(port, "name"),
                               .port = static_cast<std::uint16_t>(std::stoi(value_of(port, "port")))});
    }
    service.publish_not_ready = value_of(manifest_, "publishNotReadyAddresses") == "true";
    for (std::size_t i = 0; i < pods_.size(); ++i) {
      service.pods.push_back(
          {.hostname = kind_ == workload::statefulset ? hostname(i) : "", .address = host_of(i).address});
    }
    dns_->publish_service("app.default", service);
  }
  void run(std::size_t index) {
    auto environment = environment_of(
        manifest_, {{"metadata.namespace", "default"}, {"status.podIP", host_of(index).address}});
    pods_.at(index).running =
        std::make_unique<container>(host_of(index), hostname(index), std::move(environment));
  }
  // The start-up probe, as the kubelet runs it: again and again, and as often as failureThreshold says it may
  // fail.
  testing::AssertionResult started(std::size_t index) {
    const auto probe = blocks(manifest_, "startupProbe").at(0);
    auto command = value_of(probe, "command");
    EXPECT_EQ(command, "[/app/bin/gate]");
    command = release() + "/bin/gate";
    auto& one = pod(index);
    const auto booted = eventually([&] { return one.init().has_value(); }, 30s, "the container starts");
    if (!booted) return booted;
    for (int failures = 0; failures < std::stoi(value_of(probe, "failureThreshold")); ++failures) {
      if (one.exec({command}, milliseconds(1000 * std::stoi(value_of(probe, "timeoutSeconds")))).exit_code ==
          0) {
        return testing::AssertionSuccess();
      }
    }
    return testing::AssertionFailure() << "the kubelet ends the container: " << one.log();
  }

  workload kind_;
  std::string manifest_;
  std::vector<std::string> rollcall_flags_;
  network net_;
  std::optional<dns_server> dns_;
  std::optional<rollcall_program> rollcall_;
  std::vector<pod_of_it> pods_;
  int made_ = 0;
};

constexpr milliseconds limit{90'000};

void three_five_cut_healed_two(workload kind, std::vector<std::string> rollcall_flags) {
  example app(kind, std::move(rollcall_flags));
  app.start_rollcall();

  app.scale(3);
  ASSERT_TRUE(eventually([&] { return app.pages_are_right(); }, limit, "the pages of three"));
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_THAT(app.pod(i).log(), HasSubstr("gate: open: Rollcall lets " + app.name(i) + " start"));

  app.scale(5);
  ASSERT_TRUE(eventually([&] { return app.pages_are_right(); }, limit, "the pages of five"));
  ASSERT_TRUE(app.wait_rounds(3));
  EXPECT_THAT(app.lost(), ::testing::Each(0U)) << "nobody lost anybody while it grew";

  // The cookie is in no argument list of the pod and in no environment.
  const auto found =
      app.pod(0).exec({"sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"});
  EXPECT_THAT(found.output, HasSubstr("beam")) << "the VM is among those looked at";
  EXPECT_THAT(found.output, Not(HasSubstr(secret)));
  EXPECT_EQ(app.pod(0).exec({"stat", "-c", "%a", "/run/app/.erlang.cookie"}).output, "400\n");

  // One pair cannot reach each other: four that all can stay one cluster, and one of the two is left out.
  // Whoever is in the larger part has it on its page, and stays there for as long as this lasts.
  app.net().cut("pod-0", "pod-1");
  // Both ends notice, one up to half a tick time after the other, and the nodes drop a node that another has
  // lost: what counts is what it comes to once both have, seen at two looks three rounds apart between which
  // nobody was lost.
  const auto has_lost = [&](std::size_t node, std::size_t other) {
    const auto lost = app.pod(node).lost();
    return std::ranges::find(lost, app.name(other)) != lost.end();
  };
  ASSERT_TRUE(eventually([&] { return has_lost(0, 1) && has_lost(1, 0); }, limit, "both ends have noticed"));
  std::size_t alone = 9;
  const auto left_out = [&] {
    for (const std::size_t out : {0, 1}) {
      auto others = app.everybody();
      std::erase(others, out);
      if (app.pages_show({others, {out}})) return out;
    }
    return std::size_t{9};
  };
  ASSERT_TRUE(eventually(
      [&] {
        const auto lost = app.lost();
        alone = left_out();
        if (alone == 9) return app.pages_show({{1, 2, 3, 4}, {0}});
        if (const auto waited = app.wait_rounds(3); !waited) return waited;
        if (left_out() == alone && app.lost() == lost) return testing::AssertionSuccess();
        return testing::AssertionFailure() << "it is not settled";
      },
      limit, "four, and one that is left out"));
  auto rest = app.everybody();
  std::erase(rest, alone);
  EXPECT_EQ(app.rollcall().metric("erlang_cluster_partitions"), 2);
  const auto after_cut = app.lost();
  for (int round = 0; round < 8; ++round) {
    ASSERT_TRUE(app.wait_rounds(1));
    EXPECT_TRUE(app.pages_show({rest, {alone}}));
  }
  EXPECT_EQ(app.lost(), after_cut) << "nobody flaps while the pair is cut";

  app.net().heal("pod-0", "pod-1");
  ASSERT_TRUE(eventually([&] { return app.pages_are_right(); }, limit, "the pages of five again"));
  ASSERT_TRUE(app.wait_rounds(3));
  EXPECT_TRUE(app.pages_are_right());
  EXPECT_EQ(app.lost(), after_cut) << "nobody is lost by healing";

  const auto leaving = app.names({2, 3, 4});
  const std::vector<std::vector<std::string>> before{app.pod(0).lost(), app.pod(1).lost()};
  app.scale(2);
  ASSERT_TRUE(eventually([&] { return app.pages_are_right(); }, limit, "the pages of two"));
  ASSERT_TRUE(app.wait_rounds(3));
  EXPECT_TRUE(app.pages_are_right());
  for (std::size_t i = 0; i < 2; ++i) {
    auto gone = app.pod(i).lost();
    gone.erase(gone.begin(), gone.begin() + static_cast<std::ptrdiff_t>(before[i].size()));
    EXPECT_THAT(gone, ::testing::UnorderedElementsAreArray(leaving))
        << "those that left, once each, and nobody else";
  }
  EXPECT_TRUE(eventually([&] { return app.rollcall().up() == 2 && app.rollcall().links_missing() == 0; },
                         limit, "two are whole"));
  EXPECT_EQ(app.rollcall().metric("erlang_cluster_partitions"), 1);
}

TEST(ExampleApp, AsAStatefulSetItsPagesAreRightAfterEachStep) {
  ROLLCALL_NEEDS_NETWORK();
  three_five_cut_healed_two(workload::statefulset, {});
}

TEST(ExampleApp, AsADeploymentItsPagesAreRightAfterEachStep) {
  ROLLCALL_NEEDS_NETWORK();
  three_five_cut_healed_two(workload::deployment, {"--peer-port", "srv"});
}

// Ten minutes are sixty readiness probes of each pod, at the ten seconds a readinessProbe has when it says
// nothing; they are asked one after the other here.
TEST(ExampleApp, RollcallAwayForTenMinutesMakesNoPodUnready) {
  ROLLCALL_NEEDS_NETWORK();
  example app(workload::deployment, {"--peer-port", "9100"});
  app.start_rollcall();
  app.scale(2);
  ASSERT_TRUE(eventually([&] { return app.pages_are_right(); }, limit, "the pages of two"));

  app.stop_rollcall();
  for (int probe = 0; probe < 30; ++probe) {
    for (std::size_t i = 0; i < app.size(); ++i) EXPECT_TRUE(app.ready(i)) << "probe " << probe;
  }
  // A new pod starts, too: the gate says so at once. It stays alone until Rollcall is back.
  app.scale(3);
  EXPECT_THAT(app.pod(2).log(), HasSubstr("gate: open: no answer from http://rollcall:14369"));
  ASSERT_TRUE(eventually([&] { return app.ready(2); }, limit, "its page is served"));
  for (int probe = 30; probe < 60; ++probe) {
    for (std::size_t i = 0; i < app.size(); ++i) EXPECT_TRUE(app.ready(i)) << "probe " << probe;
  }
  EXPECT_TRUE(app.pages_show({{0, 1}, {2}})) << "who was connected still is";
  EXPECT_THAT(app.lost(), ::testing::Each(0U));

  app.start_rollcall();
  EXPECT_TRUE(eventually([&] { return app.pages_are_right(); }, limit, "all three, when it is back"));
  EXPECT_THAT(app.lost(), ::testing::Each(0U));
}

}  // namespace
}  // namespace rollcall::test
