// What is kept until its basis changes is what would be found again: counts of pairs and partitions, in
// histories drawn at random.
#include <gtest/gtest.h>

#include <random>

#include "membership/partitions.hpp"
#include "membership/picture.hpp"
#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

struct changing_mesh {
  explicit changing_mesh(std::uint64_t seed) : draws(seed) {
    for (int i = 0; i < 70; ++i) add();
    settle();
  }

  std::size_t any(std::size_t below) { return draws() % below; }
  void add() {
    auto& m = members.add(n("n" + std::to_string(next_name++) + (any(9) == 0 ? "@short" : "@h.example")));
    m.mesh = members.mesh(m.kind, {});
    m.state = member_state::up;
    m.fresh = m.linked = m.has_view = true;
  }
  void settle() {
    const auto previous = members.settle();
    views.reorder(previous);
    suspected.reorder(previous);
  }
  void change_links(std::size_t a, std::size_t b) {
    switch (any(5)) {
      case 0:
        views.unset(a, b);
        break;
      case 1:
        suspected.set(a, b);
        suspected.set(b, a);
        break;
      case 2:
        suspected.unset(a, b);
        suspected.unset(b, a);
        break;
      case 3: {
        rank_set all(members.size());
        for (std::size_t rank = 0; rank < members.size(); ++rank) {
          if (any(8) != 0) all.insert(rank);
        }
        views.replace(a, all);
        break;
      }
      default:
        views.set(a, b);
        views.set(b, a);
    }
  }
  void change_member(member_record& m) {
    switch (any(6)) {
      case 0:
        m.fresh = !m.fresh;
        break;
      case 1:
        m.state = m.state == member_state::up ? member_state::suspect : member_state::up;
        break;
      case 2:
        m.state = m.state == member_state::up ? member_state::left : member_state::up;
        break;
      case 3:
        m.old_protocol = !m.old_protocol;
        break;
      case 4:
        m.otp_release = any(2) == 0 ? "23" : "26";
        break;
      default:
        m.mesh = members.mesh(m.kind, m.base = any(2) == 0 ? "" : "base");
    }
  }
  void change() {
    const auto a = any(members.size()), b = any(members.size());
    const auto which = any(20);
    if (which == 0) {
      members.remove(members[a]);
      add();
      settle();
    } else if (which < 6) {
      change_member(members[a]);
    } else if (which < 16) {
      change_links(a, b);
    }  // else nothing
  }

  std::mt19937_64 draws;
  int next_name = 1'000;
  member_table members;
  view_matrix views, suspected;
};

void expect_the_same(const snapshot& kept, const snapshot& counted) {
  EXPECT_EQ(kept.links, counted.links);
  EXPECT_EQ(kept.links_missing, counted.links_missing);
  ASSERT_EQ(kept.members.size(), counted.members.size());
  for (std::size_t rank = 0; rank < kept.members.size(); ++rank) {
    EXPECT_EQ(kept.members[rank].links_missing, counted.members[rank].links_missing) << rank;
    EXPECT_EQ(kept.members[rank].visible_peers, counted.members[rank].visible_peers) << rank;
  }
}

TEST(Reuse, CountsAndPartitionsAreThoseThatWouldBeFound) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    changing_mesh mesh(seed);
    picture drawn;
    followed_partitions partitions;
    for (int i = 0; i < 600 && !testing::Test::HasFailure(); ++i) {
      mesh.change();
      const auto& followed = partitions.follow(mesh.members, mesh.views, mesh.suspected);
      EXPECT_EQ(followed, find_partitions(mesh.members, mesh.views.without(mesh.suspected))) << seed << i;
      expect_the_same(drawn.draw(mesh.members, mesh.views, mesh.suspected, {}, followed),
                      picture().draw(mesh.members, mesh.views, mesh.suspected, {}, followed));
    }
  }
}

TEST(Reuse, WhatHasNotChangedIsNotLookedForAgain) {
  changing_mesh mesh(4);
  followed_partitions partitions;
  const auto follow = [&] { return partitions.follow(mesh.members, mesh.views, mesh.suspected).data(); };
  mesh.views.set(1, 2);
  const auto* const first = follow();
  mesh.views.set(1, 2);
  mesh.members[3].round_trip = 5ms;
  EXPECT_EQ(follow(), first);
  mesh.views.unset(1, 2);
  EXPECT_NE(follow(), first);
}

TEST(Reuse, AMatrixKnowsWhenItChanges) {
  changing_mesh mesh(4);
  for (int i = 0; i < 2'000; ++i) {
    const auto before = mesh.views.bits();
    const auto generation = mesh.views.generation();
    mesh.change();
    EXPECT_EQ(mesh.views.any(), std::ranges::any_of(mesh.views.bits(), [](word w) { return w != 0; }));
    EXPECT_TRUE(mesh.views.bits() == before || mesh.views.generation() != generation);
    const auto rest = mesh.views.without(mesh.suspected);
    EXPECT_EQ(rest.any(), std::ranges::any_of(rest.bits(), [](word w) { return w != 0; }));
  }
  for (std::size_t rank = 0; rank < mesh.members.size(); ++rank) mesh.views.clear(rank);
  EXPECT_FALSE(mesh.views.any());
  const auto empty = mesh.views.generation();
  mesh.add();
  mesh.settle();
  EXPECT_NE(mesh.views.generation(), empty) << "its ranks are others";
}

}  // namespace
}  // namespace rollcall::membership::test
