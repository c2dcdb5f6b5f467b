// What is read of EndpointSlices, and what of them is refused before it is decoded.
#include "discovery/endpoint_slice.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "discovery/json_bounds.hpp"
#include "test/unit/discovery/scripted_api.hpp"

namespace rollcall::discovery {
namespace {

using ::testing::HasSubstr;
using testing::line_json;
using testing::list_json;
using ::testing::SizeIs;
using testing::slice_json;

TEST(EndpointSlice, IsReadWithEverythingItSays) {
  std::string problem;
  const auto list = read_list(list_json("4711", {slice_json("app-x", "12",
                                                            {{.address = "10.1.2.3",
                                                              .name = "app-0",
                                                              .machine = "node-2",
                                                              .zone = "zone-2",
                                                              .ready = false,
                                                              .terminating = true,
                                                              .serving = true,
                                                              .hostname = "app-0",
                                                              .uid = "u-1"}})}),
                              problem);
  ASSERT_TRUE(list) << problem;
  EXPECT_EQ(list->version, "4711");
  ASSERT_THAT(list->slices, SizeIs(1));
  EXPECT_EQ(list->slices[0].name, "app-x");
  ASSERT_THAT(list->slices[0].endpoints, SizeIs(1));
  const auto& one = list->slices[0].endpoints[0];
  EXPECT_EQ(one.address.to_string(), "10.1.2.3");
  EXPECT_EQ(one.uid, "u-1");
  EXPECT_EQ(one.pod, "app-0");
  EXPECT_EQ(one.machine, "node-2");
  EXPECT_EQ(one.zone, "zone-2");
  EXPECT_FALSE(one.ready);
  EXPECT_TRUE(one.serving);
  EXPECT_TRUE(one.terminating);
}

// "endpoints":null, "ports":null, conditions {}, no zone, no nodeName, no targetRef: all of it is seen.
TEST(EndpointSlice, WhatIsAbsentHasItsDefault) {
  std::string problem;
  const auto line = read_watch_line(
      R"({"type":"ADDED","object":{"metadata":{"name":"s","resourceVersion":"5"},"addressType":"IPv6",)"
      R"("endpoints":[{"addresses":["fd00::5"],"conditions":{}},{"addresses":["fd00::6"],"conditions":{"ready":false}},)"
      R"({"addresses":[]},{"addresses":["no address"]},{}],"ports":null}})",
      problem);
  ASSERT_TRUE(line) << problem;
  ASSERT_THAT(line->slice.endpoints, SizeIs(2));
  EXPECT_TRUE(line->slice.endpoints[0].ready);
  EXPECT_TRUE(line->slice.endpoints[0].serving);
  EXPECT_FALSE(line->slice.endpoints[0].terminating);
  EXPECT_FALSE(line->slice.endpoints[1].serving);
  EXPECT_EQ(line->slice.endpoints[0].machine, "");
}

TEST(EndpointSlice, FqdnSlicesAndEmptyOnesHaveNobody) {
  std::string problem;
  const auto list = read_list(
      R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"f"},"addressType":"FQDN",)"
      R"("endpoints":[{"addresses":["10.0.0.1"]}]},{"metadata":{"name":"e"},"addressType":"IPv4","endpoints":null}]})",
      problem);
  ASSERT_TRUE(list) << problem;
  ASSERT_THAT(list->slices, SizeIs(2));
  EXPECT_THAT(list->slices[0].endpoints, SizeIs(0));
  EXPECT_THAT(list->slices[1].endpoints, SizeIs(0));
}

TEST(EndpointSlice, LinesOfAWatch) {
  std::string problem;
  auto line = read_watch_line(line_json("DELETED", slice_json("s", "77", {})), problem);
  ASSERT_TRUE(line) << problem;
  EXPECT_EQ(line->what, watch_line::kind::deleted);
  EXPECT_EQ(line->slice.name, "s");
  line = read_watch_line(testing::bookmark_json("78"), problem);
  ASSERT_TRUE(line) << problem;
  EXPECT_EQ(line->what, watch_line::kind::bookmark);
  EXPECT_EQ(line->version, "78");
  line = read_watch_line(
      line_json("ERROR", testing::scripted_api::status(410, "Expired", "too old resource version: 1 (2)")),
      problem);
  ASSERT_TRUE(line) << problem;
  EXPECT_EQ(line->what, watch_line::kind::error);
  EXPECT_EQ(line->status.code, 410U);
  EXPECT_EQ(line->status.message, "too old resource version: 1 (2)");
}

TEST(EndpointSlice, WhatIsNotUnderstoodIsRefused) {
  struct row {
    const char* text;
    const char* why;
  };
  std::string problem;
  for (const auto& [text, why] :
       {row{"", "not JSON"}, row{"[]", "no list"}, row{"{\"items\":[]}", "no list"},
        row{"{\"metadata\":{\"resourceVersion\":\"a b\\r\\nX: y\"},\"items\":[]}", "no list"},
        row{"{\"metadata\":{\"resourceVersion\":7},\"items\":[]}", "no list"},
        row{"{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":{}}", "no list"}}) {
    EXPECT_FALSE(read_list(text, problem)) << text;
    EXPECT_THAT(problem, HasSubstr(why)) << text;
  }
  for (const auto& [text, why] :
       {row{"null", "no object"}, row{"{\"type\":\"ADDED\"}", "no object"},
        row{"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\"}}}", "no version"},
        row{"{\"type\":\"NEW\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}", "type"},
        row{"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}", "no name"}}) {
    EXPECT_FALSE(read_watch_line(text, problem)) << text;
    EXPECT_THAT(problem, HasSubstr(why)) << text;
  }
}

TEST(EndpointSlice, BoundsAreCountedBeforeAnythingIsDecoded) {
  const json_bounds bounds{.max_bytes = 100, .max_depth = 3, .max_values = 10};
  EXPECT_EQ(beyond("[[[1,2]]]", bounds), "");
  EXPECT_THAT(beyond("[[[[1]]]]", bounds), HasSubstr("nested deeper than 3"));
  EXPECT_THAT(beyond("[1,2,3,4,5,6,7,8,9,10]", bounds), HasSubstr("more than 10 values"));
  EXPECT_THAT(beyond(std::string(101, ' '), bounds), HasSubstr("longer than 100"));
  EXPECT_EQ(beyond(R"("[[[[,,,,,,,,,,,\"[[[[")", bounds), "") << "what stands in a text does not count";
  std::string problem;
  std::string zeros = "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[0";
  while (zeros.size() < 4U << 20) zeros += ",0";
  EXPECT_FALSE(read_list(zeros + "]}", problem));
  EXPECT_THAT(problem, HasSubstr("values"));
  EXPECT_FALSE(read_list(std::string(max_list_bytes + 1, ' '), problem));
  EXPECT_THAT(problem, HasSubstr("longer"));
}

TEST(EndpointSlice, AStatusIsCutAndPrintable) {
  const auto said = read_status(std::string("Too many\r\n\x1b[31mrequests ") + std::string(2'000, 'x'));
  EXPECT_EQ(said.code, 0U);
  EXPECT_LE(said.message.size(), 300U);
  EXPECT_EQ(said.message.find('\x1b'), std::string::npos);
  EXPECT_EQ(said.message.find('\n'), std::string::npos);
}

TEST(EndpointSlice, IsCalledWhatDnsCallsIt) {
  endpoint one;
  one.address = boost::asio::ip::make_address("10.244.1.7");
  EXPECT_EQ(dns_host_of(one, "app.shop.svc.cluster.local"), "10-244-1-7.app.shop.svc.cluster.local");
  one.address = boost::asio::ip::make_address("fd00:10::7");
  EXPECT_EQ(dns_host_of(one, "app.shop.svc.cluster.local"), "fd00-10--7.app.shop.svc.cluster.local");
  one.hostname = "app-0";
  EXPECT_EQ(dns_host_of(one, "app.shop.svc.cluster.local"), "app-0.app.shop.svc.cluster.local");
}

}  // namespace
}  // namespace rollcall::discovery
