// Events on pods, against a scripted API server: what they say, how many there are, and that none comes
// twice.
#include "app/pod_events.hpp"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include "test/unit/discovery/scripted_api.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using discovery::testing::api_call;
using discovery::testing::scripted_api;
using ::testing::HasSubstr;

class PodEvents : public ::testing::Test {
 protected:
  PodEvents() {
    api.answer = [this](const api_call& call) {
      if (refuse) return scripted_api::json(*refuse, scripted_api::status(*refuse, "No", "not you"));
      return scripted_api::json(201, call.body);
    };
    split.id = 3;
    split.opened_at = membership::wall_time(milliseconds(1'700'000'000'123));
  }
  ~PodEvents() override {
    one->stop();
    context.restart();
    context.poll();
  }
  void until(const std::function<bool()>& seen) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    context.restart();
    while (!seen()) ASSERT_FALSE(context.run_one_until(end) == 0 && !seen()) << "not seen; log: " << text;
  }
  void settle() {
    context.restart();
    context.run_for(100ms);
  }

  asio::io_context context;
  scripted_api api{context};
  std::string text;
  log lines{log_level::info, log_format::text,
            [this](std::string_view line) { text += std::string(line) + '\n'; }};
  std::optional<unsigned> refuse;
  membership::incident split;
  std::shared_ptr<pod_events> one = std::make_shared<pod_events>(
      context, lines, api.server(),
      [](std::string) -> asio::awaitable<discovery::api_addresses> { co_return discovery::api_addresses{}; },
      "rollcall@h.example");
};

TEST_F(PodEvents, ANetsplitIsToldOnThePodsWhenItOpensAndWhenItCloses) {
  one->opened(split, "netsplit 3 (full): 2 partitions",
              {{"app-1", "shop", "uid-1"}, {"app-2", "batch", "uid-2"}});
  until([&] { return api.calls.size() == 2; });
  EXPECT_EQ(api.calls[0].method, "POST");
  EXPECT_EQ(api.calls[1].target, "/apis/events.k8s.io/v1/namespaces/batch/events");
  const auto told = json::parse(api.calls[0].body);
  EXPECT_EQ(told.at("metadata").at("name"), "app-1.netsplit-3-18bcfe5687b-opened");
  EXPECT_EQ(told.at("eventTime"), "2023-11-14T22:13:20.123000Z");
  EXPECT_EQ(told.at("type"), "Warning");
  EXPECT_EQ(told.at("reason"), "NetsplitOpened");
  EXPECT_EQ(told.at("note"), "netsplit 3 (full): 2 partitions");
  EXPECT_EQ(told.at("regarding").at("uid"), "uid-1");
  EXPECT_EQ(told.at("reportingInstance"), "rollcall@h.example");
  split.closed_at = split.opened_at + 60s;
  one->closed(split, "netsplit 3 is over", {});
  until([&] { return api.calls.size() == 4; });
  const auto over = json::parse(api.calls[2].body);
  EXPECT_EQ(over.at("type"), "Normal");
  EXPECT_EQ(over.at("reason"), "NetsplitClosed");
  EXPECT_EQ(over.at("regarding").at("name"), "app-1");
}

TEST_F(PodEvents, NothingIsToldTwiceAndTooManyPodsAreLeftOut) {
  std::vector<pod_events::pod> pods;
  for (int i = 0; i < 50; ++i) pods.push_back({"app-" + std::to_string(i), "shop", "u"});
  one->opened(split, "x", pods);
  one->opened(split, "x", pods);
  until([&] { return api.calls.size() == pod_events::max_pods; });
  settle();
  EXPECT_EQ(api.calls.size(), pod_events::max_pods);
}

TEST_F(PodEvents, OneThatIsThereAlreadyIsNoFault) {
  refuse = 409;
  one->opened(split, "x", {{"app-1", "shop", "u"}});
  until([&] { return api.calls.size() == 1; });
  settle();
  EXPECT_EQ(api.calls.size(), 1U);
  EXPECT_EQ(text, "");
}

TEST_F(PodEvents, WithoutTheRightItIsSaidOnceAndNotTriedAgain) {
  refuse = 403;
  one->opened(split, "x", {{"app-1", "shop", "u"}, {"app-2", "shop", "u"}});
  until([&] { return api.calls.size() == 2; });
  settle();
  EXPECT_EQ(api.calls.size(), 2U);
  const auto said = text;
  EXPECT_THAT(said,
              HasSubstr("403: not you; needed is a Role in namespace shop that allows create on events"));
  EXPECT_EQ(std::ranges::count(said, '\n'), 1);
}

TEST_F(PodEvents, AServerThatIsBusyIsTriedThreeTimes) {
  refuse = 503;
  one->opened(split, "x", {{"app-1", "shop", "u"}});
  until([&] { return api.calls.size() == 3; });
  settle();
  EXPECT_EQ(api.calls.size(), 3U);
}

TEST_F(PodEvents, ALongNoteIsCut) {
  const auto made = json::parse(pod_event({std::string(253, 'p'), "shop", "u"}, split, true,
                                          std::string(5'000, 'x'), std::string(300, 'i'), split.opened_at));
  EXPECT_EQ(made.at("note").as_string().size(), pod_events::max_note);
  EXPECT_LE(made.at("metadata").at("name").as_string().size(), 253U);
  EXPECT_LE(made.at("reportingInstance").as_string().size(), 128U);
}

}  // namespace
}  // namespace rollcall::app
