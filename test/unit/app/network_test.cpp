// The configuration as the modules take it, and the environment variable that Erlang nodes share with us.
#include "app/network.hpp"

#include <gtest/gtest.h>

#include "app/passer_by.hpp"

namespace rollcall::app {
namespace {

configuration loaded(std::vector<std::string> arguments) {
  return std::get<configuration>(load(arguments, {}));
}

TEST(PortMapperPort, IsWhatErlangNodesRead) {
  EXPECT_EQ(port_mapper_port({}), 4369);
  EXPECT_EQ(port_mapper_port({{"ERL_EPMD_PORT", ""}}), 4369);
  EXPECT_EQ(port_mapper_port({{"ERL_EPMD_PORT", "65535"}}), 65535);
}

TEST(PortMapperPort, NamesTheVariableAndTheValueThatIsNone) {
  for (const std::string value : {"0", "65536", "-1", "4369x", " 4369", "epmd", "99999999999999999999"}) {
    try {
      port_mapper_port({{"ERL_EPMD_PORT", value}});
      ADD_FAILURE() << value << " was taken";
    } catch (const configuration_error& e) {
      EXPECT_EQ(std::string(e.what()),
                "ERL_EPMD_PORT is \"" + value + "\": a port is a number from 1 to 65535");
    }
  }
}

TEST(RosterOptions, HaveTheServicesOfKubernetesAndWhereItsServerIs) {
  const auto c = std::get<configuration>(
      load(std::vector<std::string>{"--kubernetes", "app@app", "--kubernetes", "*@jobs.batch", "--name",
                                    "r@h.example"},
           {{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "6443"}}));
  const auto options = roster_options(c);
  ASSERT_TRUE(options.kubernetes);
  EXPECT_EQ(options.kubernetes->authority(), "[fd00::1]:6443");
  ASSERT_EQ(options.sources.size(), 2U);
  EXPECT_EQ(discovery::label(options.sources[0]), "kubernetes:app@app");
  EXPECT_EQ(discovery::label(options.sources[1]), "kubernetes:*@jobs.batch");
  EXPECT_FALSE(roster_options(loaded({"--srv", "a@b", "--name", "r@h.example"})).kubernetes);
}

discovery::entry listed(std::string_view name) {
  return {.name = node_name::parse(name).value(), .host = {}, .address = {}, .port = {}};
}

TEST(TargetOf, TakesTheHostFromTheNameUnlessDiscoveryKnowsIt) {
  const auto c = loaded({"run", "--node", "a@h.example", "--name", "rollcall@r.example"});
  auto entry = listed("a@h.example");
  EXPECT_EQ(target_of(entry, c).host, "h.example");
  EXPECT_EQ(target_of(entry, c).alive, "a");
  EXPECT_EQ(target_of(entry, c).name, entry.name);
  EXPECT_FALSE(target_of(entry, c).port);
  entry.host = "10.0.0.7";
  EXPECT_EQ(target_of(entry, c).host, "10.0.0.7");
}

TEST(TargetOf, AFixedPortWinsOverTheOneDiscoveryKnows) {
  auto entry = listed("a@h.example");
  entry.port = 1;
  const auto c =
      loaded({"run", "--node", "a@h.example", "--name", "rollcall@r.example", "--peer-port", "4370"});
  EXPECT_EQ(target_of(entry, c).port, 4370);
}

TEST(RosterOptions, WeAreNobodysMember) {
  const auto c =
      loaded({"run", "--node", "a@h.example", "--name", "rollcall@r.example", "--ignore", "debug*"});
  EXPECT_EQ(roster_options(c).ignore, (std::vector<std::string>{"debug*", "rollcall@r.example"}));
}

TEST(PasserBy, HasANameOfItsOwnAndTakesNoPart) {
  const auto asked = loaded({"check", "--node", "a@h.example", "--name", "rollcall@r.example"});
  const auto name = node_name::parse("rollcall-check-1@r.example").value();
  const auto one = passer_by(asked, name);
  EXPECT_EQ(one.name, name);
  EXPECT_EQ(one.epmd, epmd_mode::none);
  EXPECT_EQ(one.heal, heal_mode::off);
  EXPECT_EQ(one.dist_port, 0);
}

}  // namespace
}  // namespace rollcall::app
