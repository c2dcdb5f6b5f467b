// Slices never change together: what their endpoints are meanwhile.
#include "discovery/endpoint_set.hpp"

#include <gmock/gmock.h>

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EndpointSet : public ::testing::Test {
 protected:
  static endpoint at(const std::string& address, const std::string& uid = {}, bool terminating = false) {
    endpoint one;
    one.address = boost::asio::ip::make_address(address);
    one.uid = uid.empty() ? "uid-" + address : uid;
    one.terminating = terminating;
    return one;
  }
  std::vector<std::string> listed() const {
    std::vector<std::string> all;
    for (const auto& each : set.endpoints()) all.push_back(each.address.to_string());
    std::ranges::sort(all);
    return all;
  }
  endpoint_set set;
  endpoint_set::time_point now{1h};
};

TEST_F(EndpointSet, AnEndpointBetweenTwoSlicesIsNeverGone) {
  set.replace({{"a", {at("10.0.0.1"), at("10.0.0.2")}}}, now);
  set.change({"a", {at("10.0.0.1")}}, now + 1ms);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1", "10.0.0.2"));
  set.change({"b", {at("10.0.0.2")}}, now + 14ms);
  EXPECT_EQ(set.settle(now + 10s), std::nullopt);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST_F(EndpointSet, OneInTwoSlicesIsOneAndTheLaterWordCounts) {
  set.replace({{"a", {at("10.0.0.1")}}}, now);
  set.change({"b", {at("10.0.0.1", {}, true)}}, now);
  ASSERT_EQ(set.endpoints().size(), 1U);
  EXPECT_TRUE(set.endpoints()[0].terminating);
  set.change({"a", {at("10.0.0.1")}}, now);
  EXPECT_FALSE(set.endpoints()[0].terminating);
}

TEST_F(EndpointSet, GoneAfterFiveSecondsInNoSlice) {
  set.replace({{"a", {at("10.0.0.1"), at("10.0.0.2")}}}, now);
  set.change({"a", {at("10.0.0.1")}}, now);
  EXPECT_EQ(set.settle(now + 4'999ms), now + 5s);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_EQ(set.settle(now + 5s), std::nullopt);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1"));
}

TEST_F(EndpointSet, GoneAtOnceWhenItWasTerminating) {
  set.replace({{"a", {at("10.0.0.1"), at("10.0.0.2", {}, true)}}}, now);
  set.change({"a", {at("10.0.0.1")}}, now);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1"));
}

// Measured: a Service deleted and made again is empty after 60 ms and back after 1.1 s.
TEST_F(EndpointSet, AServiceMadeAgainLosesNobody) {
  set.replace({{"a", {at("10.0.0.1"), at("10.0.0.2")}}}, now);
  set.remove("a", now + 60ms);
  EXPECT_FALSE(set.has_slices());
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1", "10.0.0.2"));
  set.change({"b", {at("10.0.0.1"), at("10.0.0.2")}}, now + 1'100ms);
  EXPECT_EQ(set.settle(now + 20s), std::nullopt);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST_F(EndpointSet, ANewListReplacesByTheSameRule) {
  set.replace({{"a", {at("10.0.0.1")}}, {"b", {at("10.0.0.2")}}}, now);
  set.replace({{"c", {at("10.0.0.3")}}}, now);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1", "10.0.0.2", "10.0.0.3"));
  set.settle(now + 5s);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.3"));
}

TEST_F(EndpointSet, APodAtANewAddressIsTheSamePodAndTwoFamiliesAreTwoEndpoints) {
  set.replace({{"a", {at("10.0.0.1", "u")}}, {"b", {at("fd00::1", "u")}}}, now);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.1", "fd00::1"));
  set.change({"a", {at("10.0.0.9", "u")}}, now);
  EXPECT_THAT(listed(), ElementsAre("10.0.0.9", "fd00::1"));
}

TEST_F(EndpointSet, WhatItHoldsIsBounded) {
  std::vector<endpoint> many(1'000, at("10.0.0.1"));
  for (int i = 0; i < 100; ++i) set.change({"s" + std::to_string(i), many}, now);
  EXPECT_LE(set.held(), 2 * max_endpoints);
}

}  // namespace
}  // namespace rollcall::discovery
