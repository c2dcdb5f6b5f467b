// `rollcall check` and `rollcall doctor` on real nodes: what they find, the exit code, and that nobody
// notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <sstream>
#include <utility>

#include "test/support/cluster.hpp"
#include "test/support/dns_server.hpp"
#include "test/support/loopback.hpp"
#include "test/support/scripted_peer.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

finished look(const std::string& command, std::uint16_t epmd_port, const std::vector<std::string>& more,
              const std::string& cookie = "chocolate") {
  temporary_directory files;
  std::vector<std::string> arguments{command,
                                     "--name",
                                     "rollcall@127.0.0.1",
                                     "--connect-timeout",
                                     "2s",
                                     "--cookie-file",
                                     files.write("cookie", cookie, 0400)};
  if (command == "doctor") arguments.emplace_back("--all");
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_rollcall(std::move(arguments), {{"ERL_EPMD_PORT", std::to_string(epmd_port)}});
}

std::vector<std::string> as_flags(const std::vector<std::string>& names) {
  std::vector<std::string> flags;
  for (const auto& name : names) flags.insert(flags.end(), {"--node", name});
  return flags;
}

std::string told(const finished& ended) {
  return ended.output + ended.errors;
}

void connect(loopback& cluster) {
  ASSERT_EQ(cluster.node(0).eval("net_kernel:connect_node('" + cluster.node(1).name() + "')"), "true");
  ASSERT_TRUE(eventually([&] { return cluster.meshed(); }, 30s, "the two see each other"));
}

TEST(Check, WholeIsZero) {
  loopback cluster({"a", "b"});
  connect(cluster);
  const auto ended = look("check", cluster.mapper().port(), as_flags(cluster.names()));
  EXPECT_EQ(ended.exit_code, 0) << told(ended);
  EXPECT_THAT(ended.output, AllOf(HasSubstr("a@127.0.0.1"), HasSubstr("whole: 2 members")));
}

// Every name a node ever saw stays in its atom table. Of the eight names that these commands share, others
// that run meanwhile may hold some.
TEST(Check, AndDoctorLeaveNoMoreThanEightNamesHoweverOftenTheyRun) {
  loopback cluster({"a", "b"});
  connect(cluster);
  const auto atoms = [&] { return std::stoi(cluster.node(0).eval("erlang:system_info(atom_count)")); };
  const auto both = [&] {
    for (const auto* command : {"check", "doctor"}) {
      const auto ended = look(command, cluster.mapper().port(), as_flags(cluster.names()));
      EXPECT_EQ(ended.exit_code, 0) << told(ended);
    }
  };
  atoms();
  both();
  const auto before = atoms();
  for (int run = 0; run < 6; ++run) both();
  EXPECT_LE(atoms() - before, 7);
}

TEST(Check, NotWholeIsOneAndStaysSo) {
  loopback cluster({"a", "b"});
  const auto ended = look("check", cluster.mapper().port(), as_flags(cluster.names()));
  EXPECT_EQ(ended.exit_code, 1) << told(ended);
  EXPECT_THAT(ended.output, HasSubstr("not whole: 2 of 2 members up, partitions: 2, missing links: 1"));
  EXPECT_TRUE(cluster.node(0).nodes().empty()) << "check asked the nodes to connect";
}

TEST(Check, AMemberThatIsNotThereIsOneAndNamed) {
  loopback cluster({"a"});
  const auto ended = look("check", cluster.mapper().port(), as_flags({"a@127.0.0.1", "ghost@127.0.0.1"}));
  EXPECT_EQ(ended.exit_code, 1) << told(ended);
  EXPECT_THAT(ended.output, AllOf(HasSubstr("ghost@127.0.0.1"), HasSubstr("not_registered")));
}

TEST(Check, NobodyReachedIsTwo) {
  const epmd mapper;
  const auto ended = look("check", mapper.port(), as_flags({"ghost@127.0.0.1"}));
  EXPECT_EQ(ended.exit_code, 2) << told(ended);
  EXPECT_THAT(ended.output, HasSubstr("could not tell"));
}

// Silently, and long before a tick time is over: every node still lists every other.
class LinksThatCarryNothing : public testing::TestWithParam<bool> {};

TEST_P(LinksThatCarryNothing, AreFoundByCheckAndDoctor) {
  ROLLCALL_NEEDS_NETWORK();
  pods nodes({.count = 4, .arguments = {"-kernel", "net_ticktime", "600"}});
  temporary_directory files;
  const auto cookie = files.write("cookie", "chocolate", 0400);
  const auto& where = nodes.net().at("rollcall");
  const auto look_from_there = [&](const std::string& command) {
    return run_rollcall(
        {command, "--srv", nodes.srv_source(), "--name", "guest@" + where.address, "--cookie-file", cookie},
        {}, where.network_namespace);
  };
  {
    // Ended before the cut: a running one would have told of it.
    auto rollcall = nodes.rollcall();
    ASSERT_TRUE(eventually([&] { return rollcall.whole(4); }, 90s, "the mesh is whole"));
    rollcall.terminate();
  }
  for (const auto* command : {"check", "doctor"}) {
    const auto ended = look_from_there(command);
    EXPECT_EQ(ended.exit_code, 0) << told(ended);
  }
  const bool one_way = GetParam();
  if (one_way) {
    nodes.net().mute(nodes.hostname(0), nodes.hostname(1));
  } else {
    nodes.net().cut({nodes.hostname(0)}, {nodes.hostname(1), nodes.hostname(2)});
  }
  const auto check = look_from_there("check");
  EXPECT_EQ(check.exit_code, 1) << told(check);
  EXPECT_THAT(check.output, AllOf(HasSubstr("not whole: 4 of 4 members up; they list each other"),
                                  HasSubstr(nodes.name(0) + " lists " + nodes.name(1) +
                                            ", and nothing it sends there arrives")));
  const auto doctor = look_from_there("doctor");
  EXPECT_EQ(doctor.exit_code, 1) << told(doctor);
  EXPECT_THAT(doctor.output,
              AllOf(HasSubstr("\nlinks-dead ("), HasSubstr(nodes.name(0) + " lists " + nodes.name(1))));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(nodes.node(i).nodes().size(), 3U) << "nobody has noticed yet";
}

INSTANTIATE_TEST_SUITE_P(Cuts, LinksThatCarryNothing, testing::Bool(),
                         [](const auto& one) { return one.param ? "OneWay" : "BothWays"; });

TEST(Check, AndDoctorWaitUntilItIsWhole) {
  loopback cluster({"a", "b"});
  for (const auto* command : {"check", "doctor"}) {
    const auto in_vain = look(command, cluster.mapper().port(), [&] {
      auto flags = as_flags(cluster.names());
      flags.insert(flags.end(), {"--wait", "1s"});
      return flags;
    }());
    EXPECT_EQ(in_vain.exit_code, 1) << told(in_vain);
  }
  for (const auto* command : {"check", "doctor"}) {
    cluster.node(0).eval("erlang:disconnect_node('" + cluster.node(1).name() + "')");
    cluster.node(0).eval("spawn(fun() -> timer:sleep(3000), net_kernel:connect_node('" +
                         cluster.node(1).name() + "') end)");
    auto flags = as_flags(cluster.names());
    flags.insert(flags.end(), {"--wait", "2m"});
    const auto ended = look(command, cluster.mapper().port(), flags);
    EXPECT_EQ(ended.exit_code, 0) << told(ended);
  }
}

// With --local both look at every name the port mapper has, and a running Rollcall is one of them.
class BesideARunningRollcall : public testing::TestWithParam<std::string> {};

TEST_P(BesideARunningRollcall, CountsOnlyMembersAndLeavesItsLinksAlone) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return cluster.mapper().knows("rollcall"); }, 30s, "registered"));
  cluster.node(0).watch();
  const auto lines = rollcall.log_size();
  temporary_directory files;
  const auto ended = run_rollcall({GetParam(), "--local", "--name", "other@127.0.0.1", "--connect-timeout",
                                   "2s", "--cookie-file", files.write("cookie", "chocolate", 0400)},
                                  {{"ERL_EPMD_PORT", std::to_string(cluster.mapper().port())}});
  EXPECT_EQ(ended.exit_code, 0) << told(ended);
  EXPECT_THAT(ended.output,
              AllOf(HasSubstr("a@127.0.0.1"), HasSubstr("b@127.0.0.1"), Not(HasSubstr("FAILED"))));
  EXPECT_TRUE(
      eventually([&] { return rollcall.metric("rollcall_links") == 2; }, 30s, "its links are its own"));
  EXPECT_TRUE(rollcall.whole(2));
  EXPECT_EQ(cluster.node(0).downs(), 0);
  EXPECT_EQ(rollcall.log_size(), lines) << testing::PrintToString(rollcall.log());
}

INSTANTIATE_TEST_SUITE_P(Commands, BesideARunningRollcall, testing::Values("check", "doctor"),
                         [](const auto& one) { return one.param; });

// The line of `step` in what doctor says of `node`; empty when that step was not reached.
std::string step_of(const std::string& output, const std::string& node, const std::string& step) {
  std::istringstream lines(output);
  bool here = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(' ')) here = line == node;
    if (here && line.starts_with("  " + step + " ")) return line;
  }
  return {};
}

TEST(Doctor, NothingWrongIsZero) {
  loopback cluster({"a", "b"});
  connect(cluster);
  const auto ended = look("doctor", cluster.mapper().port(), as_flags(cluster.names()));
  EXPECT_EQ(ended.exit_code, 0) << told(ended);
  for (const auto* step : {"dns", "port mapper", "tcp", "handshake", "cookie", "name", "call", "view"})
    EXPECT_THAT(step_of(ended.output, "a@127.0.0.1", step), HasSubstr(" ok ")) << ended.output;
}

TEST(Doctor, TwoThatDoNotSeeEachOtherAreOne) {
  loopback cluster({"a", "b"});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags(cluster.names()));
  EXPECT_EQ(ended.exit_code, 1) << told(ended);
  EXPECT_THAT(ended.output,
              AllOf(HasSubstr("\nlinks-missing (2)\n"), HasSubstr("a@127.0.0.1 does not see b@127.0.0.1")));
  EXPECT_TRUE(cluster.node(0).nodes().empty());
}

// One bad node beside a good one: the step that failed, what it says, and no step after it.
void expect_stuck(const finished& ended, const std::string& node, const std::string& step,
                  const std::string& words) {
  EXPECT_EQ(ended.exit_code, 1) << told(ended);
  EXPECT_THAT(step_of(ended.output, node, step), AllOf(HasSubstr("FAILED"), HasSubstr(words)))
      << ended.output;
  EXPECT_EQ(step_of(ended.output, node, "view"), "") << ended.output;
  EXPECT_THAT(step_of(ended.output, "a@127.0.0.1", "view"), HasSubstr(" ok ")) << ended.output;
}

TEST(Doctor, NamesDns) {
  loopback cluster({"a"});
  const faulty_dns_server names(nullptr, dns_fault::nxdomain);
  const std::string lost = "lost@no-such-host.example.org";
  const auto ended = look("doctor", cluster.mapper().port(),
                          {"--node", "a@127.0.0.1", "--node", lost, "--dns-server", names.endpoint_text()});
  expect_stuck(ended, lost, "dns", "NXDOMAIN");
}

TEST(Doctor, NamesThePortMapper) {
  loopback cluster({"a"});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "ghost@127.0.0.1"}));
  expect_stuck(ended, "ghost@127.0.0.1", "port mapper", "no node named \"ghost\"");
}

// Each likely mistake with the line that is to be changed.
TEST(Doctor, NamesWhatThePortMapperHasInstead) {
  loopback cluster({"a", "app-01HX"});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "app@127.0.0.1"}));
  expect_stuck(ended, "app@127.0.0.1", "port mapper", "a pattern finds it: 'app-*@...'");
}

TEST(Doctor, NamesBothLinesForAShortName) {
  loopback cluster({"a"});
  cluster.add({.name = "short@localhost", .short_name = true});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "short@127.0.0.1"}));
  expect_stuck(ended, "short@127.0.0.1", "name",
               "RELEASE_DISTRIBUTION=name and RELEASE_NODE=short@127.0.0.1");
}

TEST(Doctor, SaysWhatADotOrCaseMakesOfAName) {
  loopback cluster({"a", "App"});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "app@127.0.0.1"}));
  expect_stuck(ended, "app@127.0.0.1", "port mapper", "names differ by case");
}

TEST(Doctor, NamesTcp) {
  loopback cluster({"a"});
  const registration registered(cluster.mapper().port(), "closed", free_port());
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "closed@127.0.0.1"}));
  expect_stuck(ended, "closed@127.0.0.1", "tcp", "nothing listens");
}

TEST(Doctor, NamesTheHandshake) {
  loopback cluster({"a"});
  const fake_node silent("fake@127.0.0.1", "chocolate", misbehaviour::silent);
  const registration registered(cluster.mapper().port(), "fake", silent.port());
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "fake@127.0.0.1"}));
  expect_stuck(ended, "fake@127.0.0.1", "handshake", "fake@127.0.0.1");
}

TEST(Doctor, NamesTheCookie) {
  loopback cluster({"a"});
  const auto& bad = cluster.add({.name = "bad@127.0.0.1", .cookie = "vanilla"});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags(cluster.names()));
  expect_stuck(ended, bad.name(), "cookie", "cookie");
  EXPECT_THAT(told(ended), Not(HasSubstr("chocolate")));
}

TEST(Doctor, NamesTheName) {
  loopback cluster({"a"});
  const beam odd({.name = "odd@127.0.0.1", .epmd_port = cluster.mapper().port()});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "odd@127.0.0.2"}));
  expect_stuck(ended, "odd@127.0.0.2", "name", odd.name());
}

// Both ways, until either side ends.
void hand_on(const socket& from, const socket& to) {
  const auto pass = [](const socket& here, const socket& there) {
    std::array<char, 4096> bytes;
    const auto count = ::recv(here.descriptor(), bytes.data(), bytes.size(), 0);
    return count > 0 && there.send({bytes.data(), static_cast<std::size_t>(count)});
  };
  std::array<::pollfd, 2> ends{{{from.descriptor(), POLLIN, 0}, {to.descriptor(), POLLIN, 0}}};
  while (::poll(ends.data(), ends.size(), -1) > 0) {
    if (ends[0].revents != 0 && !pass(from, to)) return;
    if (ends[1].revents != 0 && !pass(to, from)) return;
  }
}

// Two handshakes under one name meet in a node that is listed twice, and it ends either of them.
TEST(Doctor, AsksOnceMoreWhereAnotherNameOfTheNodeWasInTheWay) {
  loopback cluster;
  cluster.add({.name = "a@127.0.0.1", .arguments = {"-kernel", "inet_dist_use_interface", "{127,0,0,1}"}});
  const auto port = static_cast<std::uint16_t>(
      std::stoul(cluster.node(0).eval("element(2, erl_epmd:port_please(\"a\", {127,0,0,1}))")));
  bool first = true;
  const scripted_peer other_way(
      [&](const socket& connection, const std::stop_token&) {
        if (std::exchange(first, false)) {
          connection.receive(2);
        } else {
          hand_on(connection, connect_tcp("127.0.0.1", port));
        }
      },
      "127.0.0.2", {}, port);
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "a@127.0.0.2"}));
  EXPECT_EQ(ended.exit_code, 0) << told(ended);
  EXPECT_EQ(other_way.connections(), 2);
  EXPECT_THAT(ended.output, HasSubstr("another name of a@127.0.0.1"));
}

// What speaks there first says what it is; the protocol of a node waits for us.
TEST(Doctor, NamesTls) {
  loopback cluster({"a"});
  const scripted_peer tls([](socket& connection, const std::stop_token& stop) {
    connection.receive(2);
    connection.send(std::string("\x15\x03\x03\x00\x02\x02\x0a", 7));
    while (!stop.stop_requested()) std::this_thread::sleep_for(20ms);
  });
  const registration registered(cluster.mapper().port(), "tls", tls.port());
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "tls@127.0.0.1"}));
  expect_stuck(ended, "tls@127.0.0.1", "tls", "the node is started with -proto_dist inet_tls");
}

TEST(Doctor, NamesHttp) {
  loopback cluster({"a"});
  const auto other = cluster.rollcall();  // its page
  const registration registered(cluster.mapper().port(), "web", other.http_port());
  const auto ended = look("doctor", cluster.mapper().port(), as_flags({"a@127.0.0.1", "web@127.0.0.1"}));
  expect_stuck(ended, "web@127.0.0.1", "handshake", "HTTP: this is no distribution port");
}

// Read from a file by a program that takes all of it.
TEST(Doctor, ProvesACookieThatEndsInANewlineOnTheNodes) {
  loopback cluster({"a"});
  const auto& bad = cluster.add({.name = "bad@127.0.0.1", .cookie = "chocolate\n"});
  const auto ended = look("doctor", cluster.mapper().port(), as_flags(cluster.names()));
  expect_stuck(ended, bad.name(), "cookie", "takes ours with a newline at its end");
  EXPECT_THAT(step_of(ended.output, bad.name(), "cookie"), HasSubstr("printf %s")) << ended.output;
  EXPECT_THAT(told(ended), Not(HasSubstr("chocolate")));
  EXPECT_TRUE(
      eventually([&] { return cluster.node(1).eval("nodes(hidden)") == "[]"; }, 30s, "no link is left"));
}

TEST(Check, AndTheServiceSayThatListedNodesAreHidden) {
  loopback cluster;
  cluster.add({.name = "shell-1@127.0.0.1", .hidden = true});
  cluster.add({.name = "shell-2@127.0.0.1", .hidden = true});
  const auto rollcall = cluster.rollcall();
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.get("/api/v1/status")
                   .body.find(
                       "2 listed nodes are hidden and no members: shell-1@127.0.0.1, shell-2@127.0.0.1") !=
               std::string::npos;
      },
      60s, "the service says so"));
  const auto ended = look("check", cluster.mapper().port(), as_flags(cluster.names()));
  EXPECT_EQ(ended.exit_code, 2) << told(ended);
  EXPECT_THAT(ended.output, HasSubstr("2 listed nodes are hidden and no members")) << told(ended);
}

TEST(Doctor, NobodyAnswersIsTwo) {
  const epmd mapper;
  const auto ended = look("doctor", mapper.port(), as_flags({"ghost@127.0.0.1"}));
  EXPECT_EQ(ended.exit_code, 2) << told(ended);
}

// All that refuse the cookie have answered: that is no doubt about the network.
TEST(Doctor, AndCheckKnowThatARefusalIsProven) {
  loopback cluster({"a", "b"});
  for (const auto* command : {"check", "doctor"}) {
    const auto ended = look(command, cluster.mapper().port(), as_flags(cluster.names()), "vanilla");
    EXPECT_EQ(ended.exit_code, 1) << told(ended);
    EXPECT_THAT(ended.output,
                AllOf(HasSubstr("\nnode-cookie (2)\n"), HasSubstr("/runbook#rollcallcookierefused")));
  }
}

TEST(Doctor, NamesTheHealthyInOneLineAndWritesABundleWithoutTheCookie) {
  loopback cluster({"a", "b"});
  connect(cluster);
  temporary_directory files;
  const auto bundle = (files.path() / "bundle.txt").string();
  auto arguments = as_flags(cluster.names());
  arguments.insert(arguments.begin(), {"doctor", "--name", "rollcall@127.0.0.1", "--bundle", bundle,
                                       "--cookie-file", files.write("cookie", "chocolate", 0400)});
  const auto ended = run_rollcall(arguments, {{"ERL_EPMD_PORT", std::to_string(cluster.mapper().port())}});
  EXPECT_EQ(ended.exit_code, 0) << told(ended);
  EXPECT_THAT(ended.output, testing::StartsWith("all 2 nodes are well\n"));
  EXPECT_THAT(ended.output, HasSubstr("a@127.0.0.1 b@127.0.0.1\n"));
  EXPECT_THAT(ended.output, Not(HasSubstr("handshake")));
  const auto written = read_file(bundle);
  EXPECT_THAT(written, AllOf(HasSubstr("==== configuration\n"), HasSubstr("\"verdict\":\"well\""),
                             HasSubstr("==== /readyz"), Not(HasSubstr("chocolate"))));
  EXPECT_EQ(std::filesystem::status(bundle).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(Doctor, RefusesAPortMapperPortThatIsNone) {
  const auto ended = run_rollcall({"doctor", "--node", "a@127.0.0.1"},
                                  {{"ERL_EPMD_PORT", "4369x"}, {"ROLLCALL_COOKIE", "chocolate"}});
  EXPECT_EQ(ended.exit_code, 2) << told(ended);
  EXPECT_THAT(ended.errors, AllOf(HasSubstr("ERL_EPMD_PORT"), HasSubstr("4369x"), HasSubstr("1 to 65535")));
}

}  // namespace
}  // namespace rollcall::test
