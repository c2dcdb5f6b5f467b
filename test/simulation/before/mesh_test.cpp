// Histories of cut, healed and benign meshes under prevent_overlapping_partitions; and the model's own rules
// against what was measured on real nodes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "test/simulation/before/mesh.hpp"

namespace rollcall::simulation {
namespace {

// ROLLCALL_SEEDS=n plays more of them.
std::uint64_t seeds_each() {
  const auto* given = std::getenv("ROLLCALL_SEEDS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 200;
}

class Meshes : public testing::TestWithParam<script> {};

TEST_P(Meshes, KeepEveryRule) {
  for (std::uint64_t seed = 0; seed < seeds_each(); ++seed) {
    mesh m(seed, GetParam(), flaw::none);
    const auto rule = m.run();
    ASSERT_TRUE(rule.empty()) << "seed " << seed << ": " << rule << "\n" << m.diary();
  }
}

INSTANTIATE_TEST_SUITE_P(Scripts, Meshes,
                         testing::Values(script::pair, script::halves, script::alone, script::three_way,
                                         script::flapping, script::late_names, script::barred, script::benign,
                                         script::observer, script::everything),
                         [](const auto& row) { return std::string(to_string(row.param)); });

// ROLLCALL_SCRIPT=n ROLLCALL_SEED=n ./simulation --gtest_filter='Meshes.OneSeed' plays one and tells it.
TEST(Meshes, OneSeed) {
  const auto* seed = std::getenv("ROLLCALL_SEED");
  const auto* which = std::getenv("ROLLCALL_SCRIPT");
  const int number = which != nullptr ? std::atoi(which) : 0;
  mesh m(seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1, static_cast<script>(number % script_count),
         flaw::none);
  const auto rule = m.run();
  if (seed != nullptr) std::cout << m.diary();
  EXPECT_EQ(rule, "");
}

struct broken_mesh {
  const char* name;
  script where;
  flaw how;
  const char* says;
};
class Flaws : public testing::TestWithParam<broken_mesh> {};

TEST_P(Flaws, AreCaughtWithinAFewSeeds) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    mesh m(seed, GetParam().where, GetParam().how);
    if (m.run().find(GetParam().says) != std::string::npos) return;
  }
  FAIL() << "no rule noticed";
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Flaws,
    testing::Values(broken_mesh{"ConnectsWhateverIsMissing", script::pair, flaw::connects_whatever_is_missing,
                                "was lost because of what we asked for"},
                    broken_mesh{"BelievesEveryPath", script::pair, flaw::skips_quarantine,
                                "was lost because of what we asked for"}),
    [](const auto& row) { return row.param.name; });

// ---- the model's rules are those of real nodes (docs/membership.md has the measurements)

using sizes = std::vector<std::size_t>;
sizes sizes_of(const mesh& m) {
  sizes found;
  for (const auto& group : m.groups()) found.push_back(group.size());
  return found;
}

TEST(Model, APairCutHardLeavesThreeGroupsOfFour) {
  mesh m(mesh::bare{}, 4, 1);
  m.cut_hard(0, 1);
  m.pass(milliseconds(5'000));
  EXPECT_EQ(sizes_of(m), (sizes{2, 1, 1}));
}

TEST(Model, ADarkPairOfSixThatOneEndNoticesFirstLeavesOneOut) {
  std::size_t one_out = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    mesh m(mesh::bare{}, 6, seed);
    m.dark(0, 1);
    m.pass(milliseconds(20'000));
    const auto found = sizes_of(m);
    EXPECT_TRUE(found == (sizes{5, 1}) || found == (sizes{4, 1, 1})) << seed;
    one_out += found == sizes{5, 1} ? 1 : 0;
  }
  EXPECT_GT(one_out, 0U);
}

TEST(Model, ConnectingWhateverIsMissingFlapsForEver) {
  mesh m(mesh::bare{}, 6, 3);
  m.dark(0, 1);
  const auto connect_all = [&] {
    for (std::size_t a = 0; a < 6; ++a) {
      for (std::size_t b = 0; b < 6; ++b) {
        if (a != b && !m.view(a).contains(b)) m.connect_now(a, b);
      }
    }
  };
  for (int i = 0; i < 12; ++i) {
    connect_all();
    m.pass(milliseconds(5'000));
  }
  const auto before = m.nodedowns();
  for (int i = 0; i < 12; ++i) {
    connect_all();
    m.pass(milliseconds(5'000));
  }
  EXPECT_GT(m.nodedowns() - before, 10U) << "in a minute, as on real nodes (72 there)";
}

TEST(Model, FiveLeftAloneStayWhole) {
  mesh m(mesh::bare{}, 6, 3);
  m.dark(0, 1);
  m.pass(milliseconds(30'000));
  const auto before = m.nodedowns();
  m.pass(milliseconds(60'000));
  EXPECT_EQ(m.nodedowns(), before);
}

TEST(Model, AfterTheRepairOneConnectJoinsAll) {
  mesh m(mesh::bare{}, 6, 3);
  m.dark(0, 1);
  m.pass(milliseconds(30'000));
  m.light(0, 1);
  m.pass(milliseconds(5'000));
  const auto parts = m.groups();
  ASSERT_GE(parts.size(), 2U);
  for (std::size_t i = 1; i < parts.size(); ++i) m.connect_now(parts[0].front(), parts[i].front());
  m.pass(milliseconds(5'000));
  EXPECT_EQ(sizes_of(m), (sizes{6}));
}

TEST(Model, ANewcomerThatCannotReachOneMemberThrowsItOut) {
  mesh m(mesh::bare{}, 5, 4);
  const auto fresh = m.boot_another();
  m.dark(fresh, 2);
  for (std::size_t i = 0; i < 5; ++i) m.connect_now(fresh, i);
  m.pass(milliseconds(20'000));
  EXPECT_GT(m.nodedowns(), 0U);
  EXPECT_NE(sizes_of(m).front(), 6U);
}

}  // namespace
}  // namespace rollcall::simulation
