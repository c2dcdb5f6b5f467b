// A watch of EndpointSlices against a scripted API server: everything that goes wrong, one test each.
#include "discovery/slice_watch.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "test/unit/discovery/scripted_api.hpp"

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using testing::api_call;
using testing::api_response;
using testing::bookmark_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::line_json;
using testing::list_json;
using testing::pod;
using testing::scripted_api;
using testing::slice_json;
using ::testing::UnorderedElementsAre;

class SliceWatch : public ::testing::Test {
 protected:
  SliceWatch() {
    api.answer = [this](const api_call& call) {
      if (call.watch()) return on_watch ? on_watch(call) : scripted_api::watching();
      return on_list ? on_list(call) : scripted_api::json(200, list_json(version, slices));
    };
  }
  ~SliceWatch() override {
    if (one) one->stop();
    context.poll();
  }

  void start(slice_watch::options chosen = {}) {
    if (chosen.service.empty()) chosen.service = "app";
    one = std::make_shared<slice_watch>(
        context, where,
        [](std::string) -> asio::awaitable<api_addresses> {
          api_addresses found;
          found.addresses.push_back(asio::ip::address_v4::loopback());
          co_return found;
        },
        std::move(chosen), [this] { ++changes; });
    one->start();
  }
  void start(api_limits limits, milliseconds silence = watch_plan::silence) {
    start(slice_watch::options{.service = "app", .name_space = {}, .silence = silence, .limits = limits});
  }

  void until(const std::function<bool()>& seen, milliseconds limit = 20s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    context.restart();
    while (!seen()) {
      if (context.run_one_until(end) == 0 && !seen()) {
        FAIL() << "not seen within the limit; "
               << (one && one->problem() ? one->problem()->text : std::string("no problem is told"));
      }
    }
  }
  void until_watched() {
    until([this] { return api.watched(); });
  }
  // Lets what is under way come in.
  void run_for(milliseconds span) {
    context.restart();
    context.run_for(span);
  }
  std::vector<std::string> addresses() const {
    std::vector<std::string> all;
    for (const auto& each : one->endpoints()) all.push_back(each.address.to_string());
    return all;
  }
  std::uint64_t lists(list_reason why) const { return one->figures().lists[static_cast<std::size_t>(why)]; }
  std::string problem() const { return one->problem() ? one->problem()->text : std::string(); }
  void until_problem(std::string_view part) {
    until([&] { return problem().find(part) != std::string::npos; });
  }

  asio::io_context context;
  scripted_api api{context};
  api_server where = api.server();
  std::string version = "100";
  std::vector<std::string> slices{slice_json("app-1", "90", {{"10.0.0.1", "a"}, {"10.0.0.2", "b"}})};
  std::function<api_response(const api_call&)> on_list, on_watch;
  std::shared_ptr<slice_watch> one;
  int changes = 0;
};

TEST_F(SliceWatch, ListsAndWatchesOnOneConnection) {
  start();
  until_watched();
  EXPECT_THAT(addresses(), ElementsAre("10.0.0.1", "10.0.0.2"));
  ASSERT_EQ(api.calls.size(), 2U);
  EXPECT_EQ(api.calls[0].target,
            "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
            "?labelSelector=kubernetes.io%2Fservice-name%3Dapp&resourceVersion=0");
  EXPECT_EQ(api.calls[0].token, "first-token");
  EXPECT_EQ(api.calls[1].parameter("resourceVersion"), "100");
  EXPECT_EQ(api.calls[1].parameter("allowWatchBookmarks"), "true");
  const auto timeout = std::stoi(api.calls[1].parameter("timeoutSeconds"));
  EXPECT_GE(timeout, 300);
  EXPECT_LE(timeout, 600);
  EXPECT_EQ(api.connections, 1U);
  EXPECT_EQ(lists(list_reason::start), 1U);
}

TEST_F(SliceWatch, FollowsWhatIsAddedChangedAndDeleted) {
  start();
  until_watched();
  const auto before = changes;
  api.push(line_json(
      "MODIFIED", slice_json("app-1", "101",
                             {{"10.0.0.1", "a"},
                              {.address = "10.0.0.2", .name = "b", .ready = false, .terminating = true}})));
  api.push(line_json("ADDED", slice_json("app-2", "102", {{"10.0.0.3", "c"}})));
  until([&] { return addresses().size() == 3; });
  EXPECT_TRUE(one->endpoints()[1].terminating);
  EXPECT_GE(changes, before + 2);
  api.push(line_json("MODIFIED", slice_json("app-1", "103", {{"10.0.0.1", "a"}})));
  until([&] { return addresses() == std::vector<std::string>{"10.0.0.1", "10.0.0.3"}; });
}

TEST_F(SliceWatch, SplitsAtNewlinesWhereverTheChunksEnd) {
  start();
  until_watched();
  const auto text = line_json("ADDED", slice_json("app-2", "102", {{"10.0.0.3", "c"}})) + "\n" +
                    line_json("ADDED", slice_json("app-3", "103", {{"10.0.0.4", "d"}})) + "\n";
  for (std::size_t at = 0; at < text.size(); at += 7) {
    api.stream(scripted_api::chunk(text.substr(at, 7)));
    run_for(1ms);
  }
  until([&] { return addresses().size() == 4; });
}

TEST_F(SliceWatch, GoesOnFromTheLastVersionAfterAnOrderlyEndWithoutAList) {
  start();
  until_watched();
  api.push(bookmark_json("140"));
  api.end();
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(api.calls.back().parameter("resourceVersion"), "140");
  EXPECT_EQ(api.lists(), 1U);
  EXPECT_EQ(api.connections, 1U);
  EXPECT_EQ(problem(), "");
}

TEST_F(SliceWatch, AWatchThatBreaksOffGoesOnFromItsVersionOnANewConnection) {
  start();
  until_watched();
  const auto listed = one->figures().last_line;
  api.push(bookmark_json("140"));
  until([&] { return one->figures().last_line != listed; });
  api.cut();
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(api.calls.back().parameter("resourceVersion"), "140");
  EXPECT_EQ(api.lists(), 1U);
  EXPECT_EQ(api.connections, 2U);
}

TEST_F(SliceWatch, WatchesThatEndAtOnceAreAFaultAndListedAfterAFew) {
  on_watch = [](const api_call&) {
    auto made = scripted_api::watching();
    made.bytes += "0\r\n\r\n";
    made.after = api_response::then::next;
    return made;
  };
  start();
  until_problem("ends each watch at once");
  until([&] { return lists(list_reason::error) == 1; });
  EXPECT_EQ(api.watches(), 3U);
  EXPECT_EQ(addresses().size(), 2U);
}

// A watch from a version that the server has not reached answers 200 and stays deaf (etcd restored).
TEST_F(SliceWatch, ADeafWatchEndsInAListWithoutAVersionAndALowerOneIsRight) {
  start({}, 300ms);
  until_watched();
  version = "40";
  slices = {slice_json("app-1", "30", {{"10.0.0.9", "z"}})};
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(api.calls[2].parameter("resourceVersion"), "-");
  EXPECT_EQ(api.calls[3].parameter("resourceVersion"), "40");
  EXPECT_EQ(lists(list_reason::silent), 1U);
  EXPECT_EQ(problem(), "") << "silence is no fault by itself";
  api.push(line_json("MODIFIED", slice_json("app-1", "41", {{"10.0.0.9", "z"}, {"10.0.0.8", "y"}})));
  until([&] { return addresses().size() == 4; });
}

TEST_F(SliceWatch, BookmarksKeepAWatch) {
  start({}, 600ms);
  until_watched();
  for (int i = 0; i < 8; ++i) {
    run_for(200ms);
    ASSERT_TRUE(api.watched());
    api.push(bookmark_json("14" + std::to_string(i)));
  }
  run_for(50ms);
  EXPECT_EQ(api.lists(), 1U);
}

TEST_F(SliceWatch, GoneInTheStreamAndAsAStatusAreListedAtOnceFromTheLastVersion) {
  start();
  until_watched();
  api.push(bookmark_json("140"));
  api.push(line_json("ERROR", scripted_api::status(410, "Expired", "too old resource version: 140 (900)")));
  version = "900";
  until([&] { return api.lists() == 2; });
  EXPECT_EQ(api.calls.back().parameter("resourceVersion"), "140");
  EXPECT_EQ(addresses().size(), 2U) << "the old set stands until the list is there";
  bool first = true;
  on_watch = [&](const api_call&) {
    if (std::exchange(first, false))
      return scripted_api::json(410, scripted_api::status(410, "Gone", "too old"));
    return scripted_api::watching();
  };
  until([&] { return api.lists() == 3 && api.watched(); });
  EXPECT_EQ(lists(list_reason::gone), 2U);
  EXPECT_EQ(problem(), "");
}

TEST_F(SliceWatch, GoneAgainAndAgainIsListedWithPauses) {
  on_watch = [](const api_call&) {
    return scripted_api::json(410, scripted_api::status(410, "Gone", "too old"));
  };
  start();
  run_for(2s);
  EXPECT_LE(api.lists(), 5U);
}

TEST_F(SliceWatch, AVersionTheServerHasNotReachedIsListedWithoutOne) {
  start();
  until_watched();
  on_list = [&](const api_call& call) {
    if (call.parameter("resourceVersion") != "-")
      return scripted_api::json(
          504, scripted_api::status(504, "Timeout", "Too large resource version: 100, current: 40"));
    return scripted_api::json(200, list_json("40", slices));
  };
  api.push(line_json("ERROR", scripted_api::status(410, "Expired", "too old")));
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(api.calls.back().parameter("resourceVersion"), "40");
}

TEST_F(SliceWatch, ForbiddenNamesVerbAndResourceAndTakesNobodyAway) {
  const auto said = std::string(
      "endpointslices.discovery.k8s.io is forbidden: User 'system:serviceaccount:shop:rollcall' cannot list "
      "resource 'endpointslices' in API group 'discovery.k8s.io' in the namespace 'shop'");
  on_list = [&](const api_call&) {
    return scripted_api::json(403, scripted_api::status(403, "Forbidden", said));
  };
  start();
  until_problem("403");
  EXPECT_THAT(problem(), HasSubstr("cannot list resource"));
  EXPECT_THAT(
      problem(),
      HasSubstr("a Role in namespace shop that allows list and watch on endpointslices of discovery.k8s.io"));
  EXPECT_FALSE(one->listed());
  // A starting server does so for some moments; then it is over.
  on_list = {};
  until([&] { return one->listed(); });
  EXPECT_EQ(problem(), "");
}

TEST_F(SliceWatch, ForbiddenOnTheWatchAloneIsAFaultWhileItLasts) {
  on_watch = [&](const api_call&) {
    return scripted_api::json(403, scripted_api::status(403, "Forbidden", "cannot watch resource"));
  };
  start();
  until_problem("answers the watch of EndpointSlices with 403");
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(api.lists(), 1U);
  EXPECT_EQ(addresses().size(), 2U);
  on_watch = {};
  until([&] { return api.watched(); });
  until([&] { return problem().empty(); });
}

TEST_F(SliceWatch, AnUnauthorizedRequestIsMadeOnceMoreWithTheTokenReadAgain) {
  on_list = [&](const api_call& call) {
    if (call.token == "second-token") return scripted_api::json(200, list_json(version, slices));
    api.write_token("second-token");
    return scripted_api::json(401, scripted_api::status(401, "Unauthorized", "Unauthorized"));
  };
  start();
  until_watched();
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(api.calls[1].token, "second-token");
  EXPECT_LT(one->figures().lists[0], 2U);
}

TEST_F(SliceWatch, UnauthorizedForGoodIsSaidWithPausesAndWithoutTheToken) {
  on_list = [&](const api_call&) {
    return scripted_api::json(401, scripted_api::status(401, "Unauthorized", "Unauthorized"));
  };
  start();
  until_problem("the service account's token is not accepted");
  run_for(500ms);
  EXPECT_EQ(api.calls.size(), 2U);
  EXPECT_THAT(problem(), Not(HasSubstr("first-token")));
}

TEST_F(SliceWatch, TooManyRequestsInPlainTextWaitsAsLongAsItIsTold) {
  std::optional<std::chrono::steady_clock::time_point> refused, again;
  on_list = [&](const api_call&) {
    if (!refused) {
      refused = std::chrono::steady_clock::now();
      return scripted_api::json(429, "Too many requests, please try again later.\n", "Retry-After: 3\r\n");
    }
    again = std::chrono::steady_clock::now();
    return scripted_api::json(200, list_json(version, slices));
  };
  start();
  until_problem("429");
  EXPECT_THAT(problem(), HasSubstr("Too many requests, please try again later."));
  until_watched();
  EXPECT_GE(*again - *refused, 3s);
}

TEST_F(SliceWatch, AServerThatNeverShakesHandsIsGivenUp) {
  api.shakes_hands = false;
  start({.tls = 200ms});
  until_problem("does not complete a TLS handshake");
  EXPECT_TRUE(one->problem()->timed_out);
  api.shakes_hands = true;
  until_watched();
}

TEST_F(SliceWatch, APausedServerIsGivenUpAtEveryStep) {
  const auto head = std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  for (const auto& part : {std::string(), head.substr(0, 20), head, head + "{"}) {
    on_list = [&](const api_call&) { return api_response{part, api_response::then::nothing}; };
    start({.head = 150ms, .answer = 150ms});
    until([&] { return one->problem().has_value(); });
    EXPECT_TRUE(one->problem()->timed_out) << part;
    one->stop();
  }
}

TEST_F(SliceWatch, AnAnswerCutAnywhereIsAFault) {
  const auto whole = scripted_api::json(200, list_json(version, slices)).bytes;
  for (std::size_t at = 0; at < whole.size(); at += 29) {
    on_list = [&](const api_call&) { return api_response{whole.substr(0, at), api_response::then::close}; };
    start();
    until([&] { return one->problem().has_value(); });
    EXPECT_FALSE(one->listed()) << at;
    one->stop();
  }
}

TEST_F(SliceWatch, AServerThatIsAwayChangesNobodyAndIsFoundAgain) {
  start();
  until_watched();
  api.restart(false);
  until_problem("cannot be reached");
  EXPECT_THAT(addresses(), ElementsAre("10.0.0.1", "10.0.0.2"));
  api.restart(true);
  until_watched();
  until([&] { return problem().empty(); });
}

TEST_F(SliceWatch, AKeptConnectionThatTheServerClosedIsReplaced) {
  bool first = true;
  on_watch = [&](const api_call&) {
    if (!std::exchange(first, false)) return scripted_api::watching();
    auto made = scripted_api::watching({bookmark_json("140")});
    made.bytes += "0\r\n\r\n";
    made.after = api_response::then::close;
    return made;
  };
  start();
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(api.connections, 2U);
}

TEST_F(SliceWatch, AStrangersCertificateIsRefusedBeforeTheTokenIsShown) {
  std::ofstream(api.server().folder + "/ca.crt") << scripted_api::another_certificate();
  start();
  until_problem("does not complete a TLS handshake");
  EXPECT_TRUE(api.calls.empty());
}

TEST_F(SliceWatch, ACertificateForAnotherNameIsRefusedAndOneForTheNameIsTaken) {
  where.host = "wrong.test";
  start();
  until_problem("does not complete a TLS handshake");
  EXPECT_TRUE(api.calls.empty());
  one->stop();
  where.host = "api.test";
  start();
  until_watched();
}

TEST_F(SliceWatch, WithoutATokenNothingIsAskedAndTheFileIsNamed) {
  std::filesystem::remove(api.server().folder + "/token");
  start();
  until_problem("/token cannot be read");
  EXPECT_THAT(problem(), HasSubstr("automountServiceAccountToken: true"));
  EXPECT_TRUE(api.calls.empty());
}

TEST_F(SliceWatch, LinesThatCannotBeReadAreListedAfterAPause) {
  for (const auto& line : {std::string("nonsense"), std::string("{\"type\":\"ADDED\",\"object\":{}}"),
                           std::string(40, '[') + std::string(40, ']')}) {
    start();
    until_watched();
    api.push(line);
    until_problem("cannot be read");
    until([&] { return lists(list_reason::error) == 1 && api.watched(); });
    one->stop();
    api.cut();
    until([&] { return !api.watched(); });
  }
}

TEST_F(SliceWatch, ALineWithoutAnEndIsCutOff) {
  start();
  until_watched();
  const std::string part(64U << 10, 'x');
  for (std::size_t sent = 0; sent <= max_watch_line_bytes && api.watched(); sent += part.size()) {
    api.stream(scripted_api::chunk(part));
    run_for(5ms);
  }
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(addresses().size(), 2U);
}

TEST_F(SliceWatch, AListThatIsTooLargeIsRefusedByItsHead) {
  on_list = [&](const api_call&) {
    return api_response{fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", max_list_bytes + 1),
                        api_response::then::nothing};
  };
  start();
  until_problem("is not understood");
}

TEST_F(SliceWatch, ANewListTakesAwayWhoIsInNoSliceForFiveSeconds) {
  start();
  until_watched();
  slices = {slice_json("app-1", "95", {{"10.0.0.1", "a"}})};
  api.push(line_json("ERROR", scripted_api::status(410, "Expired", "too old")));
  until([&] { return api.watches() == 2; });
  EXPECT_EQ(addresses().size(), 2U);
  const auto begun = std::chrono::steady_clock::now();
  until([&] { return addresses().size() == 1; });
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 4s);
}

}  // namespace
}  // namespace rollcall::discovery
