// Rollcall beside clusters of other people's software, as Debian has it: three RabbitMQ brokers, two ejabberd
// nodes. They are listed and up, a cut is told before they notice, no line in their logs is caused by us, and
// what they do about a partition by themselves is not disturbed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include "test/support/epmd.hpp"
#include "test/support/network.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::IsSubsetOf;

std::size_t count(const std::string& text, const std::string& words) {
  std::size_t found = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++found;
  return found;
}

// A node of somebody else's, on a host of its own.
struct neighbour {
  neighbour(network& net, const std::string& alive, std::size_t number)
      : at(net.add(alive + std::to_string(number))),
        name(alive + "@" + at.address),
        mapper(0, at.network_namespace) {}

  std::string log() const { return running->output() + running->errors(); }
  // What a function of it gives, as erl_call (OTP's, a C node) writes it.
  std::string ask(const std::string& call) const {
    return run({.arguments = {"erl_call", "-name", name, "-c", "chocolate", "-a", call},
                .environment = {},
                .network_namespace = at.network_namespace})
        .output;
  }

  const host& at;
  std::string name;
  temporary_directory files;
  epmd mapper;
  std::optional<process> running;
};

class Neighbours : public testing::Test {
 protected:
  void SetUp() override { ROLLCALL_NEEDS_NETWORK(); }

  std::string file(const neighbour& of, const char* name) const { return (of.files.path() / name).string(); }
  void watch(const std::string& heal) {
    const auto& at = net->add("rollcall");
    rollcall_options with{
        .network_namespace = at.network_namespace, .name = "roll@" + at.address, .interval = "1s"};
    with.arguments = {"--heal", heal};
    for (const auto& each : nodes) with.arguments.insert(with.arguments.end(), {"--node", each.name});
    rollcall.emplace(std::move(with));
  }
  std::size_t lines() const {
    std::size_t all = 0;
    for (const auto& each : nodes) all += count(each.log(), "\n");
    return all;
  }
  // Until they have written nothing for three seconds.
  testing::AssertionResult quiet() {
    return eventually(
        [&] {
          const auto before = lines();
          std::this_thread::sleep_for(3s);
          return lines() == before;
        },
        60s, "their logs are quiet");
  }
  // They are members, and find nothing about it worth a line.
  void expect_watched(const std::string& heal) {
    ASSERT_TRUE(quiet());
    const auto before = lines();
    watch(heal);
    ASSERT_TRUE(eventually([&] { return rollcall->whole(nodes.size()); }, 60s, "all are up"));
    EXPECT_TRUE(throughout([&] { return lines() == before; }, 4s, "they write nothing"));
  }
  // The last of them is cut from the others: Rollcall tells before any of them has noticed.
  void cut_the_last(const std::function<bool(const neighbour&)>& noticed) {
    net->cut({nodes.back().at.name}, others());
    ASSERT_TRUE(eventually([&] { return rollcall->json("/api/v1/status").at("netsplit").as_bool(); }, 60s,
                           "the netsplit is told"));
    EXPECT_TRUE(std::ranges::none_of(nodes, noticed)) << "told, but they had noticed";
    ASSERT_TRUE(eventually([&] { return std::ranges::all_of(nodes, noticed); }, 90s, "they notice", 200ms));
  }
  void join_the_last() { net->heal({nodes.back().at.name}, others()); }
  std::vector<std::string> others() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) names.push_back(nodes[i].at.name);
    return names;
  }
  void expect_not_named() const {
    for (const auto& each : nodes) EXPECT_EQ(count(each.log(), "roll@"), 0U) << each.log();
  }

  std::optional<network> net;
  std::deque<neighbour> nodes;
  std::optional<rollcall_program> rollcall;
};

// ---- RabbitMQ

constexpr auto rabbitmq_server = "/usr/lib/rabbitmq/bin/rabbitmq-server";

class RabbitMq : public Neighbours, public testing::WithParamInterface<std::pair<const char*, const char*>> {
 protected:
  void start(const std::string& handling) {
    net.emplace();
    for (std::size_t i = 0; i < 3; ++i) nodes.emplace_back(*net, "rabbit", i);
    for (auto& each : nodes) start(each, handling);
    ASSERT_TRUE(eventually([&] { return whole(); }, 240s, "three brokers are one cluster", 500ms))
        << nodes.front().log();
  }
  void start(neighbour& one, const std::string& handling) const {
    std::string config = "cluster_formation.peer_discovery_backend = classic_config\n";
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      config +=
          "cluster_formation.classic_config.nodes." + std::to_string(i + 1) + " = " + nodes[i].name + "\n";
    }
    config += "cluster_partition_handling = " + handling + "\n";
    one.files.write(".erlang.cookie", "chocolate", 0400);
    const auto in = [&](const char* name) { return file(one, name); };
    // 12 s: they notice a silent cut within 9 to 15.
    one.running.emplace(process_options{
        .arguments = {rabbitmq_server},
        .environment = {{"HOME", one.files.path().string()},
                        {"RABBITMQ_USE_LONGNAME", "true"},
                        {"RABBITMQ_NODENAME", one.name},
                        {"RABBITMQ_MNESIA_BASE", in("mnesia")},
                        {"RABBITMQ_LOG_BASE", one.files.path().string()},
                        {"RABBITMQ_LOGS", "-"},
                        {"RABBITMQ_PID_FILE", in("pid")},
                        {"RABBITMQ_GENERATED_CONFIG_DIR", in("config")},
                        {"RABBITMQ_PLUGINS_EXPAND_DIR", in("plugins")},
                        {"RABBITMQ_FEATURE_FLAGS_FILE", in("feature_flags")},
                        {"RABBITMQ_ENABLED_PLUGINS_FILE", one.files.write("enabled_plugins", "[].")},
                        {"RABBITMQ_CONFIG_FILE", one.files.write("rabbitmq.conf", config)},
                        {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1 -kernel net_ticktime 12"}},
        .network_namespace = one.at.network_namespace});
  }
  // By its own word each broker runs in a cluster with the others.
  bool whole() const {
    return std::ranges::all_of(nodes, [](const neighbour& each) {
      return count(each.log(), "Server startup complete") > 0 &&
             count(each.ask("rabbit_mnesia cluster_nodes [running]"), "'rabbit@") == 3;
    });
  }
  // What they call errors and warnings, without who and when.
  std::set<std::string> complaints(const std::vector<std::size_t>& before) const {
    std::set<std::string> kinds;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      std::istringstream log(nodes[i].log().substr(before[i]));
      for (std::string line; std::getline(log, line);) {
        if (count(line, "[error]") + count(line, "[warning]") == 0) continue;
        const auto text = line.substr(std::min(line.size(), line.find("> ") + 2));
        if (!text.empty()) kinds.insert(text.substr(0, text.find_first_of("'\"(0123456789")));
      }
    }
    return kinds;
  }
};

TEST_P(RabbitMq, HandlesAPartitionByItselfAndIsToldAboutBefore) {
  if (!std::filesystem::exists(rabbitmq_server)) GTEST_SKIP() << "no rabbitmq-server here";
  const auto [handling, heal] = GetParam();
  ASSERT_NO_FATAL_FAILURE(start(handling));
  ASSERT_NO_FATAL_FAILURE(expect_watched(heal));
  std::vector<std::size_t> before;
  for (const auto& each : nodes) before.push_back(each.log().size());
  const auto asked_to_stop = [&](std::size_t i) {
    return count(nodes[i].log(), "RabbitMQ is asked to stop");
  };
  const auto said = [&](const char* words) {
    return std::ranges::any_of(nodes, [&](const neighbour& each) { return count(each.log(), words) > 0; });
  };

  ASSERT_NO_FATAL_FAILURE(
      cut_the_last([](const neighbour& each) { return count(each.log(), "down: net_tick_timeout") > 0; }));
  if (std::string(handling) == "pause_minority") {
    ASSERT_TRUE(eventually([&] { return count(nodes[2].log(), "Successfully stopped RabbitMQ") == 1; }, 60s,
                           "the minority pauses"));
  }
  join_the_last();
  // Brokers that ignore a partition have two databases until somebody restarts one side; linked again, too.
  if (std::string(handling) != "ignore") {
    EXPECT_TRUE(eventually([&] { return whole(); }, 120s, "three brokers are one cluster", 500ms));
  }
  // With nothing to make them dial each other they stay apart.
  if (std::string(heal) != "off" || std::string(handling) != "ignore") {
    EXPECT_TRUE(eventually([&] { return rollcall->whole(3); }, 60s, "all are up"));
    EXPECT_TRUE(eventually([&] { return !rollcall->json("/api/v1/status").at("netsplit").as_bool(); }, 60s,
                           "the netsplit is over"));
  }
  EXPECT_TRUE(quiet());
  const bool heals_itself = std::string(handling) == "autoheal";
  EXPECT_EQ(said("Autoheal decision"), heals_itself);
  EXPECT_EQ(said("Autoheal: we were selected to restart"), heals_itself);
  // Only its own rule stops a broker, once, and never one of the majority; but which one autoheal restarts
  // depends on who is linked first, and so on healing (docs/rabbitmq-ejabberd.md).
  if (!heals_itself || std::string(heal) == "off") {
    EXPECT_EQ(asked_to_stop(0) + asked_to_stop(1), 0U);
    EXPECT_EQ(asked_to_stop(2), std::string(handling) == "ignore" ? 0U : 1U);
  }
  // The same kinds as in a run without Rollcall; how they come back differs from run to run when it heals,
  // too.
  if (std::string(heal) == "off") {
    EXPECT_THAT(complaints(before),
                IsSubsetOf({"** Node ", "** Removing ",
                            "Cluster minority/secondary status detected - awaiting recovery", "Mnesia",
                            "Autoheal: we were selected to restart; winner is "}));
  }
  expect_not_named();
}

INSTANTIATE_TEST_SUITE_P(, RabbitMq,
                         testing::Values(std::pair("pause_minority", "auto"),
                                         std::pair("pause_minority", "off"), std::pair("ignore", "auto"),
                                         std::pair("ignore", "off"), std::pair("autoheal", "auto"),
                                         std::pair("autoheal", "off")),
                         [](const auto& row) {
                           return std::string(row.param.first) + "_heal_" + row.param.second;
                         });

// ---- ejabberd

class Ejabberd : public Neighbours, public testing::WithParamInterface<const char*> {
 protected:
  static std::optional<std::string> ejabberd_libraries() {
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/x86_64-linux-gnu")) {
      if (entry.path().filename().string().starts_with("ejabberd-"))
        return entry.path().parent_path().string();
    }
    return {};
  }
  void start(neighbour& one, const std::string& libraries) const {
    const auto config = one.files.write("ejabberd.yml",
                                        "hosts: [example.test]\n"
                                        "loglevel: info\n"
                                        "net_ticktime: 12\n"
                                        "listen: [{port: 5222, ip: '::', module: ejabberd_c2s}]\n"
                                        "auth_method: [anonymous]\n"
                                        "modules: {mod_ping: {}, mod_roster: {}}\n");
    one.running.emplace(
        process_options{.arguments = {"erl", "-noinput", "-name", one.name, "-setcookie", "chocolate",
                                      "-start_epmd", "false", "+S", "1", "-kernel", "net_ticktime", "12",
                                      "-mnesia", "dir", "\"" + file(one, "mnesia") + "\"", "-s", "ejabberd"},
                        .environment = {{"HOME", one.files.path().string()},
                                        {"ERL_LIBS", libraries},
                                        {"EJABBERD_CONFIG_PATH", config},
                                        {"EJABBERD_LOG_PATH", file(one, "ejabberd.log")}},
                        .network_namespace = one.at.network_namespace});
  }
  static bool alone(const neighbour& one) {
    return count(one.ask("mnesia system_info [running_db_nodes]"), "'ejabberd@") == 1;
  }
  bool whole() const {
    return std::ranges::all_of(nodes, [](const neighbour& each) {
      return count(each.ask("mnesia system_info [running_db_nodes]"), "'ejabberd@") == 2;
    });
  }
};

TEST_P(Ejabberd, IsWatchedAndACutIsToldBefore) {
  const auto libraries = ejabberd_libraries();
  if (!libraries) GTEST_SKIP() << "no ejabberd here";
  net.emplace();
  for (std::size_t i = 0; i < 2; ++i) nodes.emplace_back(*net, "ejabberd", i);
  for (auto& each : nodes) start(each, *libraries);
  ASSERT_TRUE(eventually(
      [&] {
        return std::ranges::all_of(
            nodes, [](const neighbour& n) { return count(n.log(), " is started in the node") == 1; });
      },
      240s, "both run", 200ms))
      << nodes.front().log();
  nodes[1].ask("ejabberd_cluster join ['" + nodes[0].name + "']");
  ASSERT_TRUE(eventually([&] { return whole(); }, 120s, "they are a cluster", 500ms)) << nodes[1].log();
  ASSERT_NO_FATAL_FAILURE(expect_watched(GetParam()));
  ASSERT_NO_FATAL_FAILURE(cut_the_last(alone));
  join_the_last();
  // They look for each other by themselves: with `off` too.
  EXPECT_TRUE(eventually([&] { return rollcall->whole(2); }, 60s, "they are linked"))
      << "by its own word one is linked to " << nodes[0].ask("erlang nodes");
  EXPECT_TRUE(eventually([&] { return !rollcall->json("/api/v1/status").at("netsplit").as_bool(); }, 60s,
                         "the netsplit is over"));
  EXPECT_TRUE(nodes[0].running->running() && nodes[1].running->running());
  expect_not_named();
}

INSTANTIATE_TEST_SUITE_P(, Ejabberd, testing::Values("off", "auto"),
                         [](const auto& row) { return std::string("heal_") + row.param; });

}  // namespace
}  // namespace rollcall::test
