// Who of two under one name goes on.
#include "app/succession.hpp"

#include <gtest/gtest.h>

namespace rollcall::app {
namespace {

using verdict = succession::verdict;

const node_name a = *node_name::parse("a@h"), b = *node_name::parse("b@h");
const peer_address us{"{10,0,0,1}", 40'000};

holder held_by(std::optional<peer_address> of_name, peer_address asker = {"{10,0,0,1}", 41'000}) {
  return {std::move(of_name), std::move(asker)};
}

TEST(Succession, WhoStartsTakesWhatAPredecessorLeft) {
  succession s;
  EXPECT_TRUE(s.may_take_over(a));
  s.linked(a, us.port);
  EXPECT_FALSE(s.may_take_over(a)) << "the one that is there now came after us";
  EXPECT_TRUE(s.may_take_over(b));
}

TEST(Succession, AnotherMachineHoldsOurName) {
  succession s;
  s.linked(a, us.port);
  EXPECT_EQ(s.judge(a, held_by(peer_address{"{10,0,0,2}", us.port}), {}), verdict::superseded);
  EXPECT_FALSE(s.may_take_over(a));
}

TEST(Succession, AnotherProgramOfThisMachineHoldsOurName) {
  succession s;
  s.linked(a, us.port);
  EXPECT_EQ(s.judge(a, held_by(peer_address{us.host, 40'001}), {}), verdict::superseded);
}

// A member that lies could make us stand by, which is the end of all healing.
TEST(Succession, OneNodesWordAgainstMostOthersIsNotBelieved) {
  succession s;
  s.linked(a, us.port);
  const auto told = held_by(peer_address{"{10,0,0,2}", us.port});
  EXPECT_EQ(s.judge(a, told, {.others = 3, .linked = 2}), verdict::unbelieved);
  EXPECT_EQ(s.judge(a, told, {.others = 1, .linked = 1}), verdict::unbelieved);
  EXPECT_EQ(s.judge(a, told, {.others = 4, .linked = 2}), verdict::superseded);
  EXPECT_EQ(s.judge(a, told, {.others = 3, .linked = 0}), verdict::superseded);
  EXPECT_FALSE(s.may_take_over(a));
}

TEST(Succession, AnOldConnectionOfOursIsReplaced) {
  succession s;
  s.linked(a, us.port);
  EXPECT_EQ(s.judge(a, held_by(us), {}), verdict::ours);
  EXPECT_TRUE(s.may_take_over(a));
  s.linked(a, 40'002);
  EXPECT_FALSE(s.may_take_over(a)) << "once";
}

TEST(Succession, WhoHoldsNothingAnyMoreIsDialledAgain) {
  succession s;
  s.linked(a, us.port);
  EXPECT_EQ(s.judge(a, held_by(std::nullopt), {}), verdict::ours);
}

TEST(Succession, ForgetsNodesThatAreNoneAnyMore) {
  succession s;
  s.linked(a, us.port);
  s.keep([](const node_name& n) { return n != a; });
  EXPECT_TRUE(s.may_take_over(a));
}

TEST(Inquiry, ReadsWhatANodeSaysOfAPeersAddress) {
  using cnode::atom;
  using cnode::tuple;
  const cnode::term at(tuple{
      {tuple{{std::int64_t{10}, std::int64_t{0}, std::int64_t{0}, std::int64_t{1}}}, std::int64_t{40'000}}});
  const cnode::term found(
      tuple{{atom{"ok"}, tuple{{atom{"net_address"}, at, cnode::binary{"h"}, atom{"tcp"}, atom{"inet"}}}}});
  EXPECT_EQ(address_in(found), us);
  EXPECT_EQ(address_in(tuple{{atom{"error"}, atom{"bad_node"}}}), std::nullopt);
  EXPECT_EQ(address_in(tuple{{atom{"ok"}, tuple{{atom{"net_address"}, atom{"undefined"}}}}}), std::nullopt);
  EXPECT_EQ(address_in(atom{"ok"}), std::nullopt);
}

}  // namespace
}  // namespace rollcall::app
