// One bad member at a time: its state, its reason, its log line, the others untouched, and recovery when the
// fault ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/loopback.hpp"
#include "test/support/pods.hpp"
#include "test/support/scripted_peer.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::SizeIs;

// The two good members are linked, up, and see each other.
testing::AssertionResult good_ones_are_well(loopback& cluster, const rollcall_program& rollcall) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (auto up = rollcall.is(cluster.node(i).name(), "up"); !up) return up;
  }
  const auto seen = cluster.node(0).nodes();
  if (std::find(seen.begin(), seen.end(), cluster.node(1).name()) == seen.end()) {
    return testing::AssertionFailure() << "the two good nodes do not see each other";
  }
  return testing::AssertionSuccess();
}

double rounds(const rollcall_program& rollcall) {
  return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0);
}

// Waits for a few more rounds: time for what must not be repeated to be repeated.
testing::AssertionResult some_rounds_later(const rollcall_program& rollcall, int count = 4) {
  const auto before = rounds(rollcall);
  return eventually([&] { return rounds(rollcall) >= before + count; }, 60s, "more rounds");
}

TEST(MemberFaults, WrongCookie) {
  loopback cluster({"a", "b"});
  auto& bad = cluster.add({.name = "bad@127.0.0.1", .cookie = "vanilla"});
  auto rollcall = cluster.rollcall();
  ASSERT_TRUE(
      eventually([&] { return rollcall.is(bad.name(), "joining", "cookie"); }, 60s, "the reason is told"));
  EXPECT_TRUE(eventually([&] { return good_ones_are_well(cluster, rollcall); }, 30s, "the others are well"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_members_by_problem", {{"reason", "cookie"}}), 1);
  EXPECT_EQ(rollcall.metric("erlang_cluster_health_detail", {{"name", "cookie_refused"}}), 1);
  ASSERT_TRUE(some_rounds_later(rollcall, 6));
  EXPECT_THAT(rollcall.log_with({bad.name(), "cookie"}), SizeIs(1));
  EXPECT_THAT(rollcall.log_with({"chocolate"}), SizeIs(0));
  // Each attempt costs the node an error in its log: it is not hammered.
  EXPECT_LE(rollcall.metric("rollcall_handshakes_total", {{"direction", "outgoing"}, {"outcome", "cookie"}}),
            2);

  bad.eval("erlang:set_cookie(node(), chocolate)");
  rollcall.cookie("chocolate\nvanilla");  // a changed file is a reason to try again at once
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole once the cookie is right"));
}

TEST(MemberFaults, ANodeThatCallsItselfSomethingElse) {
  loopback cluster({"a", "b"});
  beam odd({.name = "odd@127.0.0.1", .epmd_port = cluster.mapper().port()});
  const std::string listed = "odd@127.0.0.2";
  const auto rollcall = cluster.rollcall({listed});
  ASSERT_TRUE(
      eventually([&] { return rollcall.is(listed, "joining", "name_mismatch"); }, 60s, "the reason is told"));
  EXPECT_TRUE(eventually([&] { return good_ones_are_well(cluster, rollcall); }, 30s, "the others are well"));
  EXPECT_TRUE(odd.nodes().empty());
  ASSERT_TRUE(some_rounds_later(rollcall));
  EXPECT_THAT(rollcall.log_with({listed, odd.name()}), SizeIs(1)) << testing::PrintToString(rollcall.log());
  odd.options().name = listed;
  odd.restart();
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole once the name is right"));
}

TEST(MemberFaults, NotRegistered) {
  loopback cluster({"a", "b"});
  const std::string ghost = "ghost@127.0.0.1";
  const auto rollcall = cluster.rollcall({ghost});
  ASSERT_TRUE(
      eventually([&] { return rollcall.is(ghost, "joining", "not_registered"); }, 60s, "the reason is told"));
  EXPECT_TRUE(eventually([&] { return good_ones_are_well(cluster, rollcall); }, 30s, "the others are well"));
  ASSERT_TRUE(some_rounds_later(rollcall));
  EXPECT_THAT(rollcall.log_with({ghost, "not_registered"}), SizeIs(1))
      << testing::PrintToString(rollcall.log());
  cluster.add({.name = ghost});
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole once it runs"));
}

TEST(MemberFaults, RefusedPort) {
  loopback cluster({"a", "b"});
  const std::string closed = "closed@127.0.0.1";
  std::optional<registration> registered(std::in_place, cluster.mapper().port(), "closed", free_port());
  const auto rollcall = cluster.rollcall({closed});
  ASSERT_TRUE(
      eventually([&] { return rollcall.is(closed, "joining", "refused"); }, 60s, "the reason is told"));
  EXPECT_TRUE(eventually([&] { return good_ones_are_well(cluster, rollcall); }, 30s, "the others are well"));
  ASSERT_TRUE(some_rounds_later(rollcall));
  EXPECT_THAT(rollcall.log_with({closed, "refused"}), SizeIs(1)) << testing::PrintToString(rollcall.log());
  registered.reset();
  ASSERT_TRUE(eventually([&] { return !cluster.mapper().knows("closed"); }, 10s, "the name is free"));
  cluster.add({.name = closed});
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole once it runs"));
}

TEST(MemberFaults, PortMapperAwayAndBack) {
  loopback cluster({"a", "b"});
  const std::string ghost = "ghost@127.0.0.1";
  const auto rollcall = cluster.rollcall({ghost}, {"--epmd", "register"});
  ASSERT_TRUE(eventually([&] { return good_ones_are_well(cluster, rollcall); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return cluster.mapper().knows("rollcall"); }, 30s, "registered"));
  cluster.node(0).watch();
  cluster.mapper().stop();
  EXPECT_TRUE(eventually([&] { return rollcall.is(ghost, "joining", "epmd"); }, 60s, "the reason is told"));
  ASSERT_TRUE(some_rounds_later(rollcall));
  EXPECT_THAT(rollcall.log_with({ghost, "reason=epmd"}), SizeIs(1)) << testing::PrintToString(rollcall.log());
  EXPECT_TRUE(good_ones_are_well(cluster, rollcall));
  EXPECT_EQ(cluster.node(0).downs(), 0);

  cluster.mapper().start();
  EXPECT_TRUE(eventually([&] { return cluster.mapper().knows("rollcall"); }, 60s, "registered again"));
  EXPECT_TRUE(eventually([&] { return cluster.mapper().knows("a"); }, 60s, "and the nodes, by themselves"));
  cluster.add({.name = ghost});
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole"));
  EXPECT_EQ(cluster.node(0).downs(), 0);
}

TEST(MemberFaults, AnAddressThatNeverAnswersDelaysNobody) {
  ROLLCALL_NEEDS_NETWORK();
  pods cluster({.count = 3, .arguments = {}});
  cluster.net().darken("web-2");
  // Longer than the test waits for the others: they cannot have waited for it.
  {
    const auto rollcall = cluster.rollcall({"--connect-timeout", "300s"});
    ASSERT_TRUE(eventually([&] { return rollcall.up() == 2 && rollcall.links_missing() == 0; }, 60s,
                           "the others are one"));
    EXPECT_EQ(rollcall.state(cluster.name(2)), "joining");
    EXPECT_EQ(rollcall.reason(cluster.name(2)), "");
  }
  const auto rollcall = cluster.rollcall({"--connect-timeout", "1s"});
  ASSERT_TRUE(eventually([&] { return rollcall.is(cluster.name(2), "joining", "timeout"); }, 60s,
                         "the reason is told"));
  ASSERT_TRUE(some_rounds_later(rollcall));
  EXPECT_THAT(rollcall.log_with({cluster.name(2), "timeout"}), SizeIs(1))
      << testing::PrintToString(rollcall.log());
  EXPECT_THAT(rollcall.partitions(), SizeIs(1));
  cluster.net().lighten("web-2");
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 90s, "whole once it answers"));
}

struct peer_row {
  std::string name;
  misbehaviour what;
  std::vector<std::string> reasons;  // one of them; empty: it may well count as up
};
void PrintTo(const peer_row& row, std::ostream* out) {
  *out << row.name;
}

class BadPeer : public testing::TestWithParam<peer_row> {};

TEST_P(BadPeer, HarmsNobodyElse) {
  loopback cluster({"a", "b"});
  const std::string name = "fake@127.0.0.1";
  auto fake = std::make_unique<fake_node>(name, "chocolate", GetParam().what);
  auto registered = std::make_unique<registration>(cluster.mapper().port(), "fake", fake->port());
  auto rollcall =
      cluster.rollcall({name}, {"--connect-timeout", "1s"}, {{"ASAN_OPTIONS", "quarantine_size_mb=1"}});
  ASSERT_TRUE(eventually([&] { return fake->connections() >= 1; }, 60s, "it was dialled"));
  if (GetParam().reasons.empty()) {
    ASSERT_TRUE(eventually([&] { return fake->completed() >= 1; }, 60s, "the handshake was completed"));
    ASSERT_TRUE(some_rounds_later(rollcall));
  } else {
    ASSERT_TRUE(eventually(
        [&] {
          const auto reason = rollcall.reason(name);
          for (const auto& one : GetParam().reasons) {
            if (reason == one) return testing::AssertionSuccess();
          }
          return testing::AssertionFailure() << "reason " << reason << "\n"
                                             << testing::PrintToString(rollcall.log());
        },
        60s, "the reason is told"));
    EXPECT_NE(rollcall.state(name), "up");
    EXPECT_THAT(rollcall.log_with({name}), testing::Not(SizeIs(0)));
  }
  EXPECT_TRUE(eventually([&] { return good_ones_are_well(cluster, rollcall); }, 30s, "the others are well"));
  // The first rounds allocate what is kept; from then on, nothing more.
  ASSERT_TRUE(some_rounds_later(rollcall));
  const auto memory = rollcall.rss_kib();
  const auto size = rollcall.log_size();
  ASSERT_TRUE(some_rounds_later(rollcall, 8));
  EXPECT_LT(rollcall.rss_kib(), memory + 6 * 1024);
  if (fake->completed() == 0) {
    EXPECT_EQ(rollcall.log_size(), size) << testing::PrintToString(rollcall.log());
  }
  EXPECT_TRUE(good_ones_are_well(cluster, rollcall));

  registered.reset();
  fake.reset();
  ASSERT_TRUE(eventually([&] { return !cluster.mapper().knows("fake"); }, 10s, "the name is free"));
  cluster.add({.name = name});
  // A refused cookie is tried again only when the file changes. A listening peer that closes after our reply,
  // as the silent one does in the end, is a node that refuses it for all that can be seen.
  if (GetParam().what == misbehaviour::wrong_digest ||
      GetParam().what == misbehaviour::silent_after_challenge) {
    rollcall.cookie("chocolate\nvanilla");
  }
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 90s, "a real node under that name is welcome"));
  EXPECT_EQ(rollcall.terminate(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadPeer,
    testing::Values(peer_row{"ClosesAtOnce", misbehaviour::closes_at_once, {"handshake"}},
                    peer_row{"Silent", misbehaviour::silent, {"timeout"}},
                    peer_row{"SilentAfterStatus", misbehaviour::silent_after_status, {"timeout"}},
                    peer_row{"SilentAfterChallenge", misbehaviour::silent_after_challenge, {"timeout"}},
                    peer_row{"SaysNotAllowed", misbehaviour::says_not_allowed, {"handshake"}},
                    peer_row{"HugeHandshakeLength", misbehaviour::huge_handshake_length, {"handshake"}},
                    peer_row{"GarbageStatus", misbehaviour::garbage_status, {"handshake"}},
                    peer_row{"WrongName", misbehaviour::wrong_name, {"name_mismatch"}},
                    peer_row{"WrongDigest", misbehaviour::wrong_digest, {"cookie"}},
                    peer_row{"LacksMandatoryFlags", misbehaviour::lacks_mandatory_flags, {"incompatible"}},
                    peer_row{"ClosesAfterUp", misbehaviour::closes_after_up, {}},
                    peer_row{"HugeFrame", misbehaviour::huge_frame, {}},
                    peer_row{"TruncatedTerm", misbehaviour::truncated_term, {}},
                    peer_row{"DeepTerm", misbehaviour::deep_term, {}},
                    peer_row{"UnknownControl", misbehaviour::unknown_control, {}},
                    peer_row{"NeverReads", misbehaviour::never_reads, {}}),
    [](const auto& one) { return one.param.name; });

TEST(MemberFaults, KilledAndRestartedUnderTheSameName) {
  loopback cluster({"a", "b", "c"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three are one"));
  const auto name = cluster.node(2).name();
  const auto log_before = rollcall.log_size();
  cluster.node(2).kill();
  ASSERT_TRUE(eventually([&] { return rollcall.state(name) == "down"; }, 60s, "down"));
  EXPECT_THAT(rollcall.reason(name), AnyOf("closed", "not_registered", "refused"));
  EXPECT_TRUE(good_ones_are_well(cluster, rollcall));
  EXPECT_THAT(rollcall.partitions(), SizeIs(1));
  // A restart or a delisting within 30 s would explain it; after that it is a failure.
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.metric("erlang_cluster_member_failures_total", {{"member", name}}) == 1;
      },
      90s, "a failure"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_failures_total", {{"member", cluster.node(0).name()}}), 0);
  EXPECT_THAT(rollcall.log_with({name, "event=member_down"}), SizeIs(1))
      << testing::PrintToString(rollcall.log());
  EXPECT_LE(rollcall.log_size(), log_before + 3) << testing::PrintToString(rollcall.log());

  cluster.node(2).restart();
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole again"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_restarts_total", {{"member", name}}), 1);
}

TEST(MemberFaults, RestartedBeforeAnyoneNoticed) {
  loopback cluster({"a", "b", "c"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three are one"));
  const auto name = cluster.node(2).name();
  cluster.node(2).restart();
  EXPECT_TRUE(eventually(
      [&] {
        return rollcall.metric("erlang_cluster_member_restarts_total", {{"member", name}}) == 1;
      },
      60s, "a restart is counted"));
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "whole again"));
}

TEST(MemberFaults, FrozenForLongerThanTheTick) {
  loopback cluster({"a", "b", "c"}, {"-kernel", "net_ticktime", "4"});
  const auto rollcall = cluster.rollcall({}, {"--connect-timeout", "1s"});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three are one"));
  auto& frozen = cluster.node(2);
  frozen.freeze();
  ASSERT_TRUE(eventually(
      [&] {
        const auto state = rollcall.state(frozen.name());
        return state == "suspect" || state == "down";
      },
      60s, "it is noticed"));
  EXPECT_THAT(rollcall.reason(frozen.name()), AnyOf("tick_timeout", "timeout"));
  EXPECT_TRUE(eventually([&] { return rollcall.state(frozen.name()) == "down"; }, 60s, "down"));
  EXPECT_TRUE(eventually([&] { return good_ones_are_well(cluster, rollcall); }, 60s, "the others are well"));
  EXPECT_THAT(rollcall.partitions(), SizeIs(1));
  EXPECT_THAT(rollcall.log_with({frozen.name(), "event=member_down"}), SizeIs(1));
  frozen.thaw();
  EXPECT_TRUE(eventually([&] { return rollcall.whole(3); }, 90s, "whole once it moves again"));
}

TEST(MemberFaults, ADyingMachineIsALostMemberAndNoPartition) {
  ROLLCALL_NEEDS_NETWORK();
  pods cluster({.count = 4, .arguments = {"-kernel", "net_ticktime", "4"}});
  const auto rollcall = cluster.rollcall({"--connect-timeout", "1s"});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(4); }, 60s, "four are one"));
  cluster.net().darken("web-3");
  const auto never_split = [&] { return rollcall.partitions().size() <= 1; };
  bool split = false;
  EXPECT_TRUE(eventually(
      [&] {
        split = split || !never_split();
        return rollcall.state(cluster.name(3)) == "down";
      },
      90s, "down"));
  EXPECT_THAT(rollcall.reason(cluster.name(3)), AnyOf("tick_timeout", "timeout"));
  EXPECT_FALSE(split);
  EXPECT_TRUE(eventually([&] { return rollcall.up() == 3 && rollcall.links_missing() == 0; }, 60s,
                         "the others are one"));
  cluster.net().lighten("web-3");
  cluster.bring_back(3);
  EXPECT_TRUE(eventually([&] { return rollcall.whole(4); }, 90s, "back under a new address"));
  EXPECT_EQ(rollcall.metric("erlang_cluster_member_restarts_total", {{"member", cluster.name(3)}}), 1);
}

}  // namespace
}  // namespace rollcall::test
