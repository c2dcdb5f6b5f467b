// The record of incidents in a ConfigMap, against a scripted API server: it outlives the pod, fits, and is
// never written over what could not be read.
#include "app/config_map.hpp"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "test/unit/discovery/scripted_api.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using discovery::testing::api_call;
using discovery::testing::api_response;
using discovery::testing::scripted_api;
using ::testing::HasSubstr;

remembered_state with_incidents(
    std::size_t count, membership::wall_time last = membership::wall_time(milliseconds(1'700'000'000'000))) {
  remembered_state state;
  for (std::size_t i = count; i > 0; --i) {
    membership::incident one;
    one.id = i;
    one.opened_at = last - milliseconds(1'000 * (count - i));
    one.closed_at = one.opened_at + milliseconds(500);
    one.ended = membership::incident_end::healed;
    one.left_out = {node_name::parse("c@host.example").value()};
    state.incidents.push_back(std::move(one));
  }
  state.totals.last_end = last;
  return state;
}

class ConfigMap : public ::testing::Test {
 protected:
  ConfigMap() {
    api.answer = [this](const api_call& call) {
      if (refuse) return scripted_api::json(*refuse, scripted_api::status(*refuse, "No", "not you"));
      if (call.method == "PUT") {
        const auto sent = json::parse(call.body);
        if (sent.at("metadata").at("resourceVersion") != object.at("metadata").at("resourceVersion"))
          return scripted_api::json(409, scripted_api::status(409, "Conflict", "modified"));
        object = sent;
        object.at("metadata").as_object()["resourceVersion"] = std::to_string(++version);
      }
      return scripted_api::json(200, json::serialize(object));
    };
    make();
  }
  ~ConfigMap() override {
    one->stop();
    context.restart();
    context.poll();
  }
  void make() {
    one = std::make_shared<config_map>(
        context, lines, api.server(),
        [](std::string) -> asio::awaitable<discovery::api_addresses> {
          co_return discovery::api_addresses{};
        },
        "record", [this] { return at_work; });
  }
  std::optional<remembered_state> read() {
    std::optional<remembered_state> found;
    bool done = false;
    asio::co_spawn(context, one->read(), [&](const std::exception_ptr&, std::optional<remembered_state> got) {
      found = std::move(got);
      done = true;
    });
    until([&] { return done; });
    return found;
  }
  void until(const std::function<bool()>& seen) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    context.restart();
    while (!seen()) ASSERT_FALSE(context.run_one_until(end) == 0 && !seen()) << "not seen; log: " << text;
  }
  std::size_t puts() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(api.calls, [](const auto& each) { return each.method == "PUT"; }));
  }
  std::string kept() const { return std::string(object.at("data").at(config_map::key).as_string()); }

  asio::io_context context;
  scripted_api api{context};
  std::string text;
  log lines{log_level::info, log_format::text,
            [this](std::string_view line) { text += std::string(line) + '\n'; }};
  int version = 7;
  json::value object = json::parse(
      R"({"kind":"ConfigMap","metadata":{"name":"record","resourceVersion":"7","labels":{"a":"b"},"managedFields":[{}]}})");
  std::optional<unsigned> refuse;
  bool at_work = true;
  std::shared_ptr<config_map> one;
};

TEST_F(ConfigMap, OutlivesThePodAndLeavesTheRestOfTheObjectAsItIs) {
  EXPECT_EQ(read(), std::nullopt);
  EXPECT_EQ(api.calls[0].target, "/api/v1/namespaces/shop/configmaps/record");
  one->write(with_incidents(3));
  until([&] { return version == 8; });
  EXPECT_EQ(object.at("metadata").at("labels").at("a"), "b");
  EXPECT_FALSE(object.at("metadata").as_object().contains("managedFields"));
  make();
  const auto found = read();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->incidents.size(), 3U);
  EXPECT_EQ(found->incidents[0].id, 3U);
}

TEST_F(ConfigMap, TheLastDayGetsWhatIncidentsLeave) {
  read();
  EXPECT_EQ(one->history(), "");
  std::size_t room = 0;
  one->keeps_history([&](std::size_t most) {
    room = most;
    return std::string("a day");
  });
  one->write(with_incidents(3));
  until([&] { return version == 8; });
  EXPECT_EQ(room + kept().size(), config_map::max_text);
  make();
  EXPECT_TRUE(read());
  EXPECT_EQ(one->history(), "a day");
  one->keeps_history([](std::size_t) { return std::string(); });
  one->write(with_incidents(3));
  until([&] { return version == 9; });
  EXPECT_FALSE(object.at("data").as_object().contains(config_map::history_key)) << "none that fits";
}

TEST_F(ConfigMap, ManyChangesAreFewWrites) {
  read();
  for (std::size_t i = 1; i <= 50; ++i) one->write(with_incidents(i));
  until([&] { return puts() == 1; });
  one->write(with_incidents(60));
  one->write(with_incidents(61));
  context.restart();
  context.run_for(500ms);
  EXPECT_EQ(puts(), 1U) << "not before the pause is over";
  until([&] { return puts() == 2; });
  EXPECT_EQ(from_json(kept()).incidents.size(), 61U);
}

TEST_F(ConfigMap, WhatWaitsIsWrittenAtTheEnd) {
  read();
  one->write(with_incidents(1));
  until([&] { return puts() == 1; });
  one->write(with_incidents(2));
  bool done = false;
  asio::co_spawn(context, one->flush(2'000ms), [&](const std::exception_ptr&) { done = true; });
  until([&] { return done; });
  EXPECT_EQ(from_json(kept()).incidents.size(), 2U);
}

TEST_F(ConfigMap, AnotherOnesWriteIsReadAgainFirst) {
  read();
  object.at("metadata").as_object()["resourceVersion"] = "99";
  object.at("metadata").as_object()["labels"] = json::object{{"a", "new"}};
  version = 99;
  one->write(with_incidents(2));
  until([&] { return version == 100; });
  EXPECT_EQ(object.at("metadata").at("labels").at("a"), "new");
}

TEST_F(ConfigMap, ARecordThatIsAnothersIsNotWritten) {
  read();
  at_work = false;
  one->write(with_incidents(2));
  context.restart();
  context.run_for(300ms);
  EXPECT_EQ(puts(), 0U);
}

TEST_F(ConfigMap, IsNotWrittenBeforeItWasRead) {
  refuse = 403;
  one->write(with_incidents(1));
  until([&] { return !text.empty(); });
  EXPECT_EQ(puts(), 0U);
  EXPECT_THAT(text, HasSubstr("answers the get of the ConfigMap record with 403: not you"));
  EXPECT_THAT(text, HasSubstr("a Role in namespace shop that allows get and update on this one name"));
  refuse.reset();
  until([&] { return puts() == 1; });
}

TEST_F(ConfigMap, AServerThatRefusesAtOnceIsNotAskedAllTheTime) {
  refuse = 503;
  one->write(with_incidents(1));
  context.restart();
  context.run_for(2'500ms);
  const auto asked = api.calls.size();
  EXPECT_GE(asked, 1U);
  EXPECT_LE(asked, 2U) << "the pause is seconds";
  for (std::size_t i = 2; i <= 50; ++i) one->write(with_incidents(i));
  context.restart();
  context.run_for(500ms);
  EXPECT_LE(api.calls.size(), asked + 1) << "what else is to be written does not end the pause";
}

// An upgrade that was rolled back: the newer version's record is not lost.
TEST_F(ConfigMap, WhatItHoldsThatCannotBeReadIsSetAsideAndSaidSo) {
  const std::string theirs = R"({"format": 2, "of": "a newer version"})";
  object.as_object()["data"] = json::object{{config_map::key, theirs}};
  EXPECT_EQ(read(), std::nullopt);
  EXPECT_THAT(text, HasSubstr("its format is 2, this program reads 1"));
  EXPECT_THAT(text, HasSubstr("set aside in it, as incidents.json.set-aside"));
  one->write(with_incidents(1));
  until([&] { return version == 8; });
  EXPECT_EQ(object.at("data").at(config_map::aside_key).as_string(), theirs);
  EXPECT_EQ(from_json(object.at("data").at(config_map::key).as_string()).incidents.size(), 1U);
}

// While both versions run, the newer one writes on; what it wrote last is what is set aside.
TEST_F(ConfigMap, WhatIsSetAsideHasTheLastThatTheNewerVersionWrote) {
  object.as_object()["data"] = json::object{{config_map::key, R"({"format": 2, "incidents": 1})"}};
  EXPECT_EQ(read(), std::nullopt);
  const std::string last = R"({"format": 2, "incidents": 2})";
  object.at("data").as_object()[config_map::key] = last;
  object.at("metadata").as_object()["resourceVersion"] = std::to_string(version = 9);
  one->write(with_incidents(1));
  until([&] { return version == 10; });
  EXPECT_EQ(object.at("data").at(config_map::aside_key).as_string(), last);
  EXPECT_EQ(from_json(kept()).incidents.size(), 1U);
  // What it wrote itself is not what it sets aside.
  object.at("metadata").as_object()["resourceVersion"] = std::to_string(version = 11);
  one->write(with_incidents(2));
  until([&] { return version == 12; });
  EXPECT_EQ(object.at("data").at(config_map::aside_key).as_string(), last);
}

// The API server was away while it started: the incidents of before are not replaced by its first one.
TEST_F(ConfigMap, WhatWasNotReadAtTheStartIsSetAside) {
  const auto before = to_json(with_incidents(3));
  object.as_object()["data"] = json::object{{config_map::key, before}};
  one->write(with_incidents(1));
  until([&] { return version == 8; });
  EXPECT_EQ(object.at("data").at(config_map::aside_key).as_string(), before);
  EXPECT_EQ(from_json(kept()).incidents.size(), 1U);
  EXPECT_THAT(text, HasSubstr("was not read at the start, and will be set aside in it"));
}

TEST_F(ConfigMap, WhatIsNoRecordAndTooLargeToBeKeptIsReplaced) {
  object.as_object()["data"] = json::object{{config_map::key, std::string(config_map::max_aside + 1, 'x')}};
  EXPECT_EQ(read(), std::nullopt);
  EXPECT_THAT(text, HasSubstr("will be replaced"));
  one->write(with_incidents(1));
  until([&] { return version == 8; });
  EXPECT_EQ(object.at("data").as_object().if_contains(config_map::aside_key), nullptr);
}

TEST(ConfigMapRecord, TheOldestIncidentsGoUntilItFits) {
  const auto whole = to_json(with_incidents(200));
  const auto text = within(with_incidents(200), whole.size() / 2);
  EXPECT_LE(text.size(), whole.size() / 2);
  const auto left = from_json(text);
  ASSERT_FALSE(left.incidents.empty());
  EXPECT_EQ(left.incidents[0].id, 200U) << "the newest stay";
  EXPECT_EQ(left.totals.last_end, with_incidents(200).totals.last_end);
}

TEST(ConfigMapRecord, TheOneWithTheLaterIncidentIsTaken) {
  const membership::wall_time early(milliseconds(1'000'000)), late(milliseconds(2'000'000));
  EXPECT_EQ(newer(with_incidents(1, early), with_incidents(2, late))->incidents.size(), 2U);
  EXPECT_EQ(newer(with_incidents(1, late), with_incidents(2, early))->incidents.size(), 1U);
  EXPECT_EQ(newer(std::nullopt, with_incidents(2, early))->incidents.size(), 2U);
  EXPECT_EQ(newer(with_incidents(1, early), std::nullopt)->incidents.size(), 1U);
  EXPECT_EQ(newer(std::nullopt, std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace rollcall::app
