// --kubernetes as a source of the roster: who is listed under which name, who is leaving, and what is said.
#include <gmock/gmock.h>

#include "discovery/roster.hpp"
#include "test/unit/discovery/name_server.hpp"
#include "test/unit/discovery/scripted_api.hpp"

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using testing::api_call;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::line_json;
using testing::list_json;
using testing::pod;
using testing::run;
using testing::scripted_api;
using testing::slice_json;

class Kubernetes : public ::testing::Test {
 protected:
  Kubernetes() {
    resolver::options chosen;
    chosen.server = asio::ip::udp::endpoint(asio::ip::address_v4::loopback(), 9);
    chosen.timeout = 100ms;
    chosen.search = std::vector<std::string>{"shop.svc.big.example", "svc.big.example", "big.example"};
    names = std::make_unique<resolver>(context, chosen);
    api.answer = [this](const api_call& call) {
      return call.watch() ? scripted_api::watching() : scripted_api::json(200, list_json("100", slices));
    };
  }
  ~Kubernetes() override {
    one.reset();
    context.poll();
  }
  void start(kubernetes_source source, roster::options options = {}) {
    options.sources = {std::move(source)};
    options.kubernetes = api.server();
    options.news = [this] { ++news; };
    one = std::make_unique<roster>(context, options, *names,
                                   []() -> asio::awaitable<boost::system::result<std::vector<local_entry>>> {
                                     co_return std::vector<local_entry>{};
                                   });
  }
  round refresh() { return run(context, one->refresh()); }
  round after_news() {
    const auto before = news;
    const auto end = std::chrono::steady_clock::now() + 20s;
    context.restart();
    while (news == before && context.run_one_until(end) > 0) {
    }
    EXPECT_GT(news, before);
    return one->review();
  }
  void until_watched() {
    const auto end = std::chrono::steady_clock::now() + 20s;
    context.restart();
    while (!api.watched() && context.run_one_until(end) > 0) {
    }
  }
  static std::vector<std::string> nodes(const round& each) {
    std::vector<std::string> texts;
    for (const auto& node : each.entries) texts.push_back(node.name.text());
    return texts;
  }

  asio::io_context context;
  scripted_api api{context};
  std::unique_ptr<resolver> names;
  std::unique_ptr<roster> one;
  std::vector<std::string> slices{slice_json(
      "app-1", "90", {{"10.0.0.1", "a", "node-1", "zone-1"}, {"10.0.0.2", "b", "node-2", "zone-2"}})};
  int news = 0;
};

TEST_F(Kubernetes, ANodeIsCalledWhatDnsCallsItsEndpointAndDialledAtItsAddress) {
  start({"app", "web", ""});
  const auto seen = refresh();
  EXPECT_THAT(nodes(seen),
              ElementsAre("app@10-0-0-1.web.shop.svc.big.example", "app@10-0-0-2.web.shop.svc.big.example"));
  ASSERT_EQ(seen.entries.size(), 2U);
  EXPECT_EQ(seen.entries[1].address->to_string(), "10.0.0.2");
  ASSERT_TRUE(seen.entries[1].placed);
  EXPECT_EQ(*seen.entries[1].placed, (placement{"b", "shop", "uid-b", "node-2", "zone-2", false}));
  EXPECT_EQ(seen.sources[0].source, "kubernetes:app@web");
  EXPECT_EQ(seen.sources[0].outcome, query_outcome::ok);
  EXPECT_EQ(label(kubernetes_source{"app-*", "web", "prod"}), "kubernetes:app-*@web.prod");
}

TEST_F(Kubernetes, APodOfAStatefulSetHasItsHostname) {
  slices = {slice_json("app-1", "90", {{.address = "10.0.0.1", .name = "web-0", .hostname = "web-0"}})};
  start({"app", "web", "prod"});
  EXPECT_THAT(nodes(refresh()), ElementsAre("app@web-0.web.prod.svc.big.example"));
  EXPECT_THAT(api.calls[0].target, HasSubstr("/namespaces/prod/"));
}

TEST_F(Kubernetes, APatternListsAddressesWhoseNodesTellTheirNames) {
  start({"app-*", "web", ""});
  const auto seen = refresh();
  ASSERT_EQ(seen.entries.size(), 2U);
  EXPECT_EQ(seen.entries[0].pattern, "app-*");
  EXPECT_EQ(shown(seen.entries[0].name), "10.0.0.1");
  EXPECT_EQ(seen.entries[0].placed->machine, "node-1");
}

TEST_F(Kubernetes, TerminatingIsLeavingAtOnceWithoutARound) {
  start({"app", "web", ""});
  refresh();
  until_watched();
  api.push(line_json(
      "MODIFIED", slice_json("app-1", "101",
                             {{"10.0.0.1", "a"},
                              {.address = "10.0.0.2", .name = "b", .ready = false, .terminating = true}})));
  auto seen = after_news();
  ASSERT_EQ(seen.entries.size(), 2U);
  EXPECT_FALSE(seen.entries[0].placed->leaving);
  EXPECT_TRUE(seen.entries[1].placed->leaving);
  api.push(line_json("MODIFIED", slice_json("app-1", "102", {{"10.0.0.1", "a"}})));
  seen = after_news();
  EXPECT_EQ(seen.entries.size(), 1U);
}

// With publishNotReadyAddresses `ready` stays true to the end.
TEST_F(Kubernetes, TerminatingCountsThoughTheServicePublishesWhoIsNotReady) {
  slices = {
      slice_json("app-1", "90", {{.address = "10.0.0.1", .name = "a", .ready = true, .terminating = true}})};
  start({"app", "web", ""});
  EXPECT_TRUE(refresh().entries.at(0).placed->leaving);
}

TEST_F(Kubernetes, WhoIsNotReadyYetIsNotListedAndWhoWasOnceStays) {
  slices = {slice_json(
      "app-1", "90",
      {{"10.0.0.1", "a"}, {.address = "10.0.0.2", .name = "b", .ready = false, .serving = false}})};
  start({"app", "web", ""});
  EXPECT_EQ(refresh().entries.size(), 1U);
  until_watched();
  api.push(line_json("MODIFIED",
                     slice_json("app-1", "101",
                                {{.address = "10.0.0.1", .name = "a", .ready = false, .serving = false},
                                 {"10.0.0.2", "b"}})));
  const auto seen = after_news();
  EXPECT_EQ(seen.entries.size(), 2U) << "a crash keeps its pod: it is listed and away";
}

TEST_F(Kubernetes, NothingIsSaidWithItsReason) {
  slices = {};
  start({"app", "web", ""});
  auto seen = refresh();
  EXPECT_EQ(seen.sources[0].outcome, query_outcome::empty);
  EXPECT_THAT(
      seen.sources[0].detail,
      HasSubstr("service web in namespace shop has no EndpointSlice: is there a service of that name"));
  slices = {
      slice_json("app-1", "90", {{.address = "10.0.0.2", .name = "b", .ready = false, .serving = false}})};
  start({"app", "web", ""});
  seen = refresh();
  EXPECT_THAT(seen.sources[0].detail, HasSubstr("no pod of service web in namespace shop is ready yet: b"));
}

TEST_F(Kubernetes, AllGoneAtOnceIsBelievedOnlyWhenItIsSaidAgain) {
  start({"app", "web", ""});
  refresh();
  until_watched();
  api.push(line_json("MODIFIED", slice_json("app-1", "101",
                                            {{.address = "10.0.0.1", .name = "a", .terminating = true},
                                             {.address = "10.0.0.2", .name = "b", .terminating = true}})));
  after_news();
  api.push(line_json("DELETED", slice_json("app-1", "102", {})));
  EXPECT_EQ(after_news().entries.size(), 2U);
  EXPECT_EQ(refresh().entries.size(), 2U);
  EXPECT_EQ(refresh().entries.size(), 2U);
  EXPECT_EQ(refresh().entries.size(), 0U);
}

TEST_F(Kubernetes, AServerAwayOrDenyingChangesNobody) {
  start({"app", "web", ""});
  refresh();
  until_watched();
  api.answer = [](const api_call&) {
    return scripted_api::json(
        403, scripted_api::status(403, "Forbidden", "cannot list resource 'endpointslices'"));
  };
  api.cut();
  const auto end = std::chrono::steady_clock::now() + 20s;
  round seen;
  do {
    context.restart();
    context.run_for(50ms);
    seen = refresh();
  } while (seen.sources[0].outcome == query_outcome::ok && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(seen.sources[0].outcome, query_outcome::error);
  EXPECT_THAT(seen.sources[0].detail, HasSubstr("cannot list resource"));
  EXPECT_THAT(seen.sources[0].detail, HasSubstr("the last answer (2 nodes) stays in force"));
  EXPECT_EQ(seen.entries.size(), 2U);
}

TEST_F(Kubernetes, ThereIsAnAnswerWithinTwoSecondsThoughTheServerIsSilent) {
  api.shakes_hands = false;
  start({"app", "web", ""});
  const auto begun = std::chrono::steady_clock::now();
  const auto seen = refresh();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  EXPECT_EQ(seen.sources[0].outcome, query_outcome::timeout);
  EXPECT_THAT(seen.sources[0].detail,
              HasSubstr("no answer yet from the Kubernetes API server at 127.0.0.1:"));
}

TEST_F(Kubernetes, OfTwoFamiliesTheOneThatIsAnsweredCounts) {
  slices = {
      slice_json("app-1", "90", {{.address = "10.0.0.1", .name = "a"}, {.address = "10.0.0.2", .name = "b"}}),
      slice_json("app-2", "90", {{.address = "fd00::1", .name = "a"}, {.address = "fd00::2", .name = "b"}})};
  start({"app", "web", ""});
  EXPECT_EQ(refresh().entries.size(), 4U);
  EXPECT_TRUE(one->linked(node_name::parse("app@fd00--1.web.shop.svc.big.example").value()));
  EXPECT_THAT(nodes(one->review()),
              ElementsAre("app@fd00--1.web.shop.svc.big.example", "app@fd00--2.web.shop.svc.big.example"));
  roster::options options;
  options.family = address_family::v4;
  start({"app", "web", ""}, options);
  EXPECT_THAT(nodes(refresh()),
              ElementsAre("app@10-0-0-1.web.shop.svc.big.example", "app@10-0-0-2.web.shop.svc.big.example"));
}

// Names are not known: where one told its name, that address has answered.
TEST_F(Kubernetes, OfTwoFamiliesTheOneInWhichNamesAreToldCounts) {
  slices = {
      slice_json("app-1", "90", {{.address = "10.0.0.1", .name = "a"}, {.address = "10.0.0.2", .name = "b"}}),
      slice_json("app-2", "90", {{.address = "fd00::1", .name = "a"}, {.address = "fd00::2", .name = "b"}})};
  start({"*", "web", ""});
  EXPECT_EQ(refresh().entries.size(), 4U);
  EXPECT_TRUE(one->linked(place_name("10.0.0.2").value()));
  const auto seen = one->review();
  ASSERT_EQ(seen.entries.size(), 2U);
  EXPECT_EQ(seen.entries[0].host, "10.0.0.1");
  EXPECT_EQ(seen.entries[1].host, "10.0.0.2");
}

TEST_F(Kubernetes, TwoAddressesUnderOneNameAreTriedInTurns) {
  slices = {slice_json("app-1", "90", {{.address = "10.0.0.1", .name = "a", .hostname = "a"}}),
            slice_json("app-2", "90", {{.address = "fd00::1", .name = "a", .hostname = "a"}})};
  start({"app", "web", ""});
  const auto first = refresh(), second = refresh();
  ASSERT_EQ(first.entries.size(), 1U);
  EXPECT_NE(first.entries[0].address, second.entries[0].address);
  EXPECT_TRUE(one->linked(second.entries[0].name));
  EXPECT_EQ(refresh().entries[0].address, second.entries[0].address);
  EXPECT_EQ(refresh().entries[0].address, second.entries[0].address);
}

TEST_F(Kubernetes, FiguresAreCountedForMetrics) {
  start({"app", "web", ""});
  ASSERT_TRUE(one->figures());
  EXPECT_FALSE(one->figures()->last_line);
  refresh();
  EXPECT_EQ(one->figures()->lists[0], 1U);
  EXPECT_TRUE(one->figures()->last_line);
}

}  // namespace
}  // namespace rollcall::discovery
