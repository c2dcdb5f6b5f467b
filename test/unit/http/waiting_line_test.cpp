// Who is answered next, without a socket.
#include "http/waiting_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rollcall::http {
namespace {

using testing::ElementsAre;

client_address address(const char* text) {
  return boost::asio::ip::make_address(text);
}

class WaitingLine : public testing::Test {
 protected:
  std::uint64_t join(const char* from, std::string name, urgency how = urgency::ordinary) {
    return line_.join(address(from), how, [this, name] { answered_.push_back(name); });
  }
  std::vector<std::string> answer(int count) {
    answered_.clear();
    for (int i = 0; i < count; ++i) line_.next();
    return answered_;
  }
  waiting_line line_;
  std::vector<std::string> answered_;
};

TEST_F(WaitingLine, LetsOneClientsRequestsGoInTheirOrder) {
  for (const char* name : {"1", "2", "3"}) join("10.0.0.1", name);
  EXPECT_THAT(answer(4), ElementsAre("1", "2", "3"));
  EXPECT_TRUE(line_.empty());
}

TEST_F(WaitingLine, ClientsTakeTurnsWhateverOneOfThemAsks) {
  for (int i = 0; i < 100; ++i) join("10.0.0.1", "flood");
  EXPECT_THAT(answer(1), ElementsAre("flood"));
  join("10.0.0.2", "b1");
  join("10.0.0.2", "b2");
  join("10.0.0.3", "c1");
  EXPECT_THAT(answer(5), ElementsAre("b1", "c1", "flood", "b2", "flood"));
}

TEST_F(WaitingLine, WhatMonitoringAsksGoesFirstAlsoFromAFloodingAddress) {
  for (int i = 0; i < 100; ++i) join("10.0.0.1", "flood");
  join("10.0.0.1", "healthz", urgency::probe);
  join("10.0.0.2", "metrics", urgency::probe);
  EXPECT_THAT(answer(3), ElementsAre("healthz", "metrics", "flood"));
}

TEST_F(WaitingLine, AFloodOfProbesLeavesTurnsToOthers) {
  for (int i = 0; i < 100; ++i) join("10.0.0.1", "probe", urgency::probe);
  join("10.0.0.2", "page");
  join("10.0.0.2", "status");
  EXPECT_THAT(answer(6), ElementsAre("probe", "probe", "probe", "probe", "page", "probe"));
  EXPECT_THAT(answer(4), ElementsAre("probe", "probe", "probe", "status"));
}

TEST_F(WaitingLine, AFloodOfProbesDoesNotDelayTheProbeOfAnother) {
  for (int i = 0; i < 100; ++i) join("10.0.0.1", "flood", urgency::probe);
  EXPECT_THAT(answer(1), ElementsAre("flood"));
  join("10.0.0.2", "kubelet", urgency::probe);
  EXPECT_THAT(answer(2), ElementsAre("kubelet", "flood"));
}

TEST_F(WaitingLine, OneThatLeavesIsNotAnswered) {
  join("10.0.0.1", "1");
  const auto second = join("10.0.0.1", "2");
  join("10.0.0.1", "3");
  EXPECT_TRUE(line_.leave(address("10.0.0.1"), urgency::ordinary, second));
  EXPECT_FALSE(line_.leave(address("10.0.0.1"), urgency::ordinary, second)) << "only once";
  EXPECT_FALSE(line_.leave(address("10.0.0.9"), urgency::ordinary, second));
  EXPECT_EQ(line_.size(), 2U);
  EXPECT_THAT(answer(3), ElementsAre("1", "3"));
}

TEST_F(WaitingLine, RemembersAsManyClientsAsItHasTo) {
  join("10.9.9.9", "waits", urgency::probe);
  for (int i = 0; i < 10'000; ++i) {
    line_.join(boost::asio::ip::address_v4(static_cast<unsigned>(i)), urgency::ordinary, [] {});
    if (i > 0) line_.next();
  }
  EXPECT_EQ(line_.size(), 2U);
  line_.clear();
  EXPECT_TRUE(line_.empty());
}

TEST(ClientOf, IsAnAddressOrANetworkOfIpv6) {
  EXPECT_EQ(client_of(address("10.0.0.1")), address("10.0.0.1"));
  EXPECT_EQ(client_of(address("::ffff:10.0.0.1")), address("10.0.0.1"));
  EXPECT_EQ(client_of(address("::1")), address("::1"));
  EXPECT_EQ(client_of(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
  EXPECT_EQ(client_of(address("2001:db8:1:2:ffff::")), address("2001:db8:1:2::"));
  EXPECT_NE(client_of(address("2001:db8:1:3::1")), address("2001:db8:1:2::"));
}

TEST(UrgencyOf, IsThatOfMonitoring) {
  for (const auto* probe : {"/healthz", "/readyz", "/metrics", "/metrics?x=1"})
    EXPECT_EQ(urgency_of(probe), urgency::probe) << probe;
  for (const auto* other : {"/", "/healthz/", "/api/v1/status", "/api/v1/links?/metrics", "healthz"})
    EXPECT_EQ(urgency_of(other), urgency::ordinary) << other;
}

}  // namespace
}  // namespace rollcall::http
