// What --mesh=base keeps apart: each is a cluster of its own, in partitions, incidents, conditions and
// answers.
#include <gmock/gmock.h>

#include "membership/report.hpp"
#include "membership/verdict.hpp"
#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Nodes are called BASE@N.example, as "hx1" and "hy2" are here: release hx, machine 1.
std::string named(std::string_view shorthand) {
  return std::string(shorthand.substr(0, 2)) + "@m" + std::string(shorthand.substr(2)) + ".example";
}

struct KeptApart : testing::Test {
  driver d{[] {
    settings s;
    s.heal = heal_mode::off;
    s.watch = true;
    return s;
  }()};
  std::vector<std::string> present;

  void list(const names& shorthands) {
    fact::listed listed;
    for (const auto& each : shorthands) {
      listed.nodes.push_back(n(named(each)));
      listed.bases.emplace(listed.nodes.back(), each.substr(0, 2));
    }
    d.step({std::move(listed)});
  }
  // Everybody of a release sees all of that release and nobody else.
  void see(const names& shorthands) {
    for (const auto& one : shorthands) {
      names seen;
      for (const auto& other : shorthands) {
        if (one != other && one.substr(0, 2) == other.substr(0, 2)) seen.push_back(named(other));
      }
      d.sees(named(one), seen);
    }
  }
  void start(const names& shorthands) {
    list(shorthands);
    see(shorthands);
    for (const auto& each : shorthands) d.up(named(each));
    for (const auto& each : shorthands) d.step({fact::watching{n(named(each)), true}});
    d.answer_views();
    live(shorthands, 6s);
    d.events.clear();
  }
  // Those named show a sign of life.
  void live(const names& shorthands, milliseconds span) {
    for (auto left = span; left > 0ms; left -= 1s) {
      for (const auto& each : shorthands) d.step({fact::heard{n(named(each)), 1ms, true}});
      d.pass(1s);
    }
  }
  void part(const std::string& a, const std::string& b) {
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      d.step({fact::peer_changed{n(named(from)), n(named(to)), false, "connection_closed"}});
      std::erase(d.automatic[n(named(from))], n(named(to)));
    }
  }
  const std::vector<incident>& incidents() { return *d.shown().incidents; }
  bool alarmed() {
    return d.raised(condition::netsplit) || d.raised(condition::possible_split) ||
           d.raised(condition::isolated) || d.raised(condition::links_missing) ||
           d.raised(condition::config_drift);
  }
};

const report::array& items(const report::document& of) {
  return std::get<report::array>(of.value);
}
const report::document& at(const report::document& of, std::string_view key) {
  for (const auto& [name, value] : std::get<report::object>(of.value)) {
    if (name == key) return value;
  }
  throw std::runtime_error("no " + std::string(key));
}
std::string words(const report::document& of) {
  return std::get<report::text>(of.value).utf8;
}
std::int64_t number(const report::document& of) {
  return std::get<std::int64_t>(of.value);
}

const names both{"hx1", "hx2", "hx3", "hy4", "hy5"};

TEST_F(KeptApart, TwoReleasesAreTwoWholeClusters) {
  start(both);
  EXPECT_FALSE(alarmed());
  EXPECT_EQ(d.shown().most_partitions(), 1U);
  EXPECT_EQ(d.shown().partitions.size(), 2U);
  EXPECT_EQ(d.shown().links_missing, 0U);
  EXPECT_TRUE(d.take<action::connect>().empty());
  const auto status = report::status(d.shown());
  EXPECT_EQ(number(at(status, "partitions")), 1);
  const auto& meshes = items(at(status, "meshes"));
  ASSERT_EQ(meshes.size(), 2U);
  EXPECT_EQ(words(at(meshes[0], "mesh")), "hx");
  EXPECT_EQ(number(at(meshes[0], "up")), 3);
  EXPECT_EQ(number(at(meshes[0], "partitions")), 1);
  EXPECT_EQ(words(at(meshes[1], "mesh")), "hy");
  const auto partitions = report::partitions(d.shown());
  ASSERT_EQ(items(partitions).size(), 2U);
  EXPECT_EQ(words(at(items(partitions)[0], "mesh")), "hx");
  EXPECT_EQ(items(at(items(partitions)[0], "nodes")).size(), 3U);
}

TEST_F(KeptApart, TheNumberOfPartitionsIsThatOfTheWorst) {
  start(both);
  part("hx1", "hx3");
  part("hx2", "hx3");
  part("hy4", "hy5");
  live(both, 12s);
  EXPECT_EQ(d.shown().partitions.size(), 4U);
  EXPECT_EQ(d.shown().most_partitions(), 2U);
  EXPECT_THAT(d.text_of(condition::netsplit), HasSubstr("2 partitions of hx: hx@m1.example with 1 other"));
  EXPECT_THAT(d.text_of(condition::netsplit), HasSubstr("2 partitions of hy: "));
}

TEST_F(KeptApart, EachHasItsOwnIncidents) {
  start(both);
  part("hx1", "hx3");
  part("hx2", "hx3");
  live(both, 12s);
  ASSERT_EQ(incidents().size(), 1U);
  ASSERT_EQ(incidents()[0].groups.size(), 2U) << "the other release is no part of it";
  for (const auto& group : incidents()[0].groups) {
    for (const auto& name : group) EXPECT_EQ(name.alive(), "hx");
  }
  EXPECT_THAT(d.text_of(condition::netsplit), Not(HasSubstr("hy")));
  part("hy4", "hy5");
  live(both, 12s);
  ASSERT_EQ(incidents().size(), 2U);
  for (const auto& group : incidents()[0].groups) {
    for (const auto& name : group) EXPECT_EQ(name.alive(), "hy");
  }
}

TEST_F(KeptApart, ADeployFromOneReleaseToTheNextIsNoIncident) {
  names now{"hx1", "hx2", "hx3"};
  start(now);
  bool any = false;
  for (int i = 1; i <= 3; ++i) {
    const auto comes = "hy" + std::to_string(i + 3), goes = "hx" + std::to_string(i);
    now.push_back(comes);
    list(now);
    see(now);
    d.up(named(comes));
    d.answer_views();
    live(now, 8s);
    any |= alarmed();
    d.step({fact::stopping{n(named(goes))}});
    std::erase(now, goes);
    for (const auto& each : now) {
      if (each.starts_with("hx"))
        d.step({fact::peer_changed{n(named(each)), n(named(goes)), false, "connection_closed"}});
    }
    d.down(named(goes));
    see(now);
    live(now, 3s);
    list(now);
    live(now, 8s);
    any |= alarmed();
  }
  live(now, 60s);
  EXPECT_FALSE(any || alarmed());
  EXPECT_TRUE(incidents().empty());
  EXPECT_EQ(d.count(event_type::netsplit_opened), 0U);
  for (const auto& m : d.shown().members) EXPECT_EQ(m.failures, 0U) << m.name.text();
  EXPECT_EQ(d.shown().up, 3U);
  EXPECT_EQ(d.shown().most_partitions(), 1U);
}

TEST_F(KeptApart, AllOfASmallOneSilentIsAPossibleSplitBesideALargeOne) {
  names all;
  for (int i = 10; i < 30; ++i) all.push_back("hx" + std::to_string(i));
  const names large = all;
  for (const auto* each : {"hy1", "hy2", "hy3"}) all.emplace_back(each);
  start(all);
  for (const auto* each : {"hy1", "hy2", "hy3"}) d.down(named(each), reason::tick_timeout);
  for (const auto* each : {"hy1", "hy2", "hy3"}) d.fail(named(each), reason::timeout);
  live(large, 3s);
  EXPECT_TRUE(d.raised(condition::possible_split)) << "three of three, though only three of 23";
}

TEST_F(KeptApart, AStartUpGateLooksAtTheNodesOwnReleaseOnly) {
  start(both);
  const auto found = judge(d.shown(), named("hy4"));
  EXPECT_EQ(found.verdict, verdict::majority) << found.text;
  EXPECT_EQ(found.expected, 2U);
  EXPECT_TRUE(found.whole);
}

TEST_F(KeptApart, AnotherReleaseMayBeSetUpOtherwise) {
  for (const auto* each : {"hy4", "hy5"}) {
    auto other = d.usual;
    other.net_ticktime = 30s;
    d.settings_of.insert_or_assign(n(named(each)), other);
  }
  start(both);
  live(both, 6s);
  EXPECT_FALSE(d.raised(condition::config_drift)) << d.text_of(condition::config_drift);
}

}  // namespace
}  // namespace rollcall::membership::test
