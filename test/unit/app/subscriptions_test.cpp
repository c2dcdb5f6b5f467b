// Events to a subscriber on another node of ours, which says what it likes of its message queue.
#include "app/subscriptions.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::app {
namespace {

using test::node_under_test;
using test::until;
using namespace std::chrono_literals;

class Subscriptions : public testing::Test {
 protected:
  void SetUp() override {
    theirs.handler = [this](const cnode::request& asked) -> cnode::answer {
      if (asked.function != "process_info") return {cnode::answer_kind::undefined, {}};
      ++looks;
      cnode::term_writer out;
      out.tuple_header(2).atom("message_queue_len").integer(queue);
      return {cnode::answer_kind::value, std::make_shared<const cnode::byte_string>(out.bytes())};
    };
    theirs.messages = [this](const node_name&, cnode::byte_view message) {
      const std::lock_guard lock(mutex);
      got.push_back(cnode::to_string(*cnode::decode_term(message), 10'000));
      return true;
    };
    ASSERT_TRUE(ours.start() && theirs.start());
    ASSERT_TRUE(ours.dial("theirs@127.0.0.1", theirs.port()));
    thread.on([this] {
      told.emplace(
          thread.io, [this] { return &*ours; },
          [this](node_name on, std::string module, std::string function, cnode::byte_string arguments,
                 milliseconds limit) {
            if (broken) throw std::logic_error("broken");
            return (*ours).call(std::move(on), std::move(module), std::move(function), std::move(arguments),
                                limit);
          },
          lines);
    });
    subscriber = thread.on([this] { return (*theirs).self(); });
  }
  void TearDown() override {
    ours.stop();
    thread.on([this] { told.reset(); });
  }

  void publish(std::uint64_t first, std::uint64_t last) {
    thread.on([&] {
      for (auto id = first; id <= last; ++id) {
        membership::event e;
        e.id = id;
        e.text = "something happened";
        told->publish(e);
      }
    });
  }
  std::vector<std::string> received() const {
    const std::lock_guard lock(mutex);
    return got;
  }
  std::size_t size() {
    return thread.on([this] { return told->size(); });
  }
  static std::string id(std::uint64_t number) { return "id => " + std::to_string(number) + ","; }

  mutable std::mutex mutex;
  std::vector<std::string> got;
  std::atomic<std::int64_t> queue{0};
  std::atomic<int> looks{0};
  std::atomic<bool> broken{false};
  std::vector<std::string> logged;  // on the thread
  log lines{log_level::info, log_format::text, [this](std::string_view line) { logged.emplace_back(line); }};
  test::io_thread thread;
  node_under_test theirs{thread, "theirs@127.0.0.1"}, ours{thread, "ours@127.0.0.1"};
  std::optional<subscriptions> told;
  cnode::pid subscriber;
};

TEST_F(Subscriptions, ABurstComesWholeAndInOrderAndItsQueueIsLookedAt) {
  ASSERT_EQ(thread.on([&] { return told->add(subscriber); }), subscriptions::outcome::ok);
  publish(1, 300);
  ASSERT_TRUE(until([&] { return received().size() == 300; }, 20s, "all events"));
  const auto all = received();
  for (std::uint64_t i = 1; i <= 300; ++i) {
    EXPECT_NE(all[i - 1].find(id(i)), std::string::npos) << all[i - 1];
    EXPECT_TRUE(all[i - 1].starts_with("{rollcall,'ours@127.0.0.1',#{")) << all[i - 1];
  }
  EXPECT_GE(looks, 3);
}

TEST_F(Subscriptions, AFullQueueIsLeftAloneAndToldWhatItMissed) {
  ASSERT_EQ(thread.on([&] { return told->add(subscriber); }), subscriptions::outcome::ok);
  queue = subscriptions::max_queue_length + 1;
  publish(1, 2'000);
  ASSERT_TRUE(until([&] { return looks >= 1; }, 20s, "the queue is looked at"));
  EXPECT_TRUE(received().empty());
  queue = subscriptions::max_queue_length;
  const auto kept = subscriptions::max_kept_events;
  ASSERT_TRUE(until([&] { return received().size() == kept + 1; }, 30s, "missed, and what was kept"));
  const auto all = received();
  EXPECT_NE(all[0].find("type => missed"), std::string::npos) << all[0];
  EXPECT_NE(all[0].find("count => " + std::to_string(2'000 - kept)), std::string::npos) << all[0];
  EXPECT_NE(all[1].find(id(2'000 - kept + 1)), std::string::npos) << all[1];
  EXPECT_NE(all.back().find(id(2'000)), std::string::npos);
}

TEST_F(Subscriptions, WhatWasPublishedBeforeIsNotTold) {
  publish(1, 5);
  thread.on([&] { told->add(subscriber); });
  publish(6, 6);
  ASSERT_TRUE(until([&] { return received().size() == 1; }, 20s, "one event"));
  EXPECT_NE(received().front().find(id(6)), std::string::npos);
}

TEST_F(Subscriptions, AnExceptionOfALookIsLogged) {
  broken = true;
  thread.on([&] { told->add(subscriber); });
  publish(1, 1);
  ASSERT_TRUE(until([&] { return thread.on([&] { return !logged.empty(); }); }, 20s, "a line"));
  const auto line = thread.on([&] { return logged.front(); });
  EXPECT_NE(line.find("look at a subscriber"), std::string::npos) << line;
  EXPECT_NE(line.find("broken"), std::string::npos) << line;
}

TEST_F(Subscriptions, EndWithTheLink) {
  thread.on([&] { told->add(subscriber); });
  EXPECT_EQ(size(), 1U);
  theirs.stop();
  ASSERT_TRUE(until([&] { return !ours.seen.gone().empty(); }, 10s, "told of the loss"));
  for (const auto& monitor : ours.seen.gone()) thread.on([&] { told->process_gone(monitor); });
  EXPECT_EQ(size(), 0U);
  EXPECT_EQ(thread.on([&] { return told->add(subscriber); }), subscriptions::outcome::no_connection);
}

}  // namespace
}  // namespace rollcall::app
