// Orders to leave outlive everything but rejoin/1; what could not be read is not written over.
#include "app/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "test/support/files.hpp"
#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

node_name n(const char* text) {
  return node_name::parse(text).value();
}

class Record : public testing::Test {
 protected:
  std::shared_ptr<record> open() {
    return std::make_shared<record>(io_, lines_, (folder_.path() / "state").string());
  }
  std::vector<node_name> written() {
    auto found = state_file((folder_.path() / "state").string()).read().found;
    return found ? found->kept_out : std::vector<node_name>();
  }

  boost::asio::io_context io_;
  std::vector<std::string> logged_;
  log lines_{log_level::info, log_format::text,
             [this](std::string_view line) { logged_.emplace_back(line); }};
  test::temporary_directory folder_;
};

// Each run reads what the one before wrote, and knows no member at all.
TEST_F(Record, AnOrderToLeaveOutlivesRunsInWhichNobodyListsTheNode) {
  {
    const auto first = open();
    EXPECT_FALSE(first->read());
    first->told_to_leave(n("a@h"));
    first->told_to_leave(n("b@h"));
    first->flush();
  }
  membership::snapshot nobody_listed;
  nobody_listed.incidents = std::make_shared<const std::vector<membership::incident>>(1);
  for (int run = 0; run < 3; ++run) {
    const auto next = open();
    ASSERT_TRUE(next->read());
    EXPECT_THAT(next->orders_to_leave(), ElementsAre(n("a@h"), n("b@h")));
    next->keep(nobody_listed);
    nobody_listed.incidents = std::make_shared<const std::vector<membership::incident>>(2);
    next->keep(nobody_listed);
    next->flush();
    EXPECT_THAT(written(), ElementsAre(n("a@h"), n("b@h"))) << "written, and not poorer, in run " << run;
  }
  const auto last = open();
  last->read();
  last->told_to_rejoin(n("a@h"));
  last->flush();
  EXPECT_THAT(written(), ElementsAre(n("b@h")));
}

TEST_F(Record, IsWrittenAMomentAfterAChangeAndOnlyThen) {
  const auto one = open();
  one->told_to_rejoin(n("a@h"));
  EXPECT_EQ(io_.run(), 0U) << "nothing has changed";
  one->told_to_leave(n("a@h"));
  one->told_to_leave(n("a@h"));
  io_.restart();
  EXPECT_EQ(io_.run(), 1U);
  EXPECT_THAT(written(), ElementsAre(n("a@h")));
}

TEST_F(Record, WithoutAFolderItIsKeptInMemory) {
  const auto one = std::make_shared<record>(io_, lines_, "");
  EXPECT_FALSE(one->read());
  one->told_to_leave(n("a@h"));
  EXPECT_THAT(one->orders_to_leave(), ElementsAre(n("a@h")));
  EXPECT_EQ(io_.run(), 0U);
}

// Written a minute after a change, and when it ends.
TEST_F(Record, TheLastDayGoesOnInTheNextRun) {
  auto now = test::whole_cluster(3);
  membership::history day;
  {
    const auto first = open();
    first->read();
    EXPECT_FALSE(first->earlier_day());
    first->follow(day);
    day.note(now);
    first->keep(now);
    io_.run_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "state" / "history.json")) << "not at once";
    day.note_stop(now.at);
    first->flush();
  }
  const auto next = open();
  next->read();
  const auto earlier = next->earlier_day();
  ASSERT_TRUE(earlier);
  EXPECT_EQ(earlier->since, now.at);
  EXPECT_EQ(earlier->marks.size(), 2U) << "started, stopped";
  EXPECT_EQ(earlier->frames.size(), 1U);
  EXPECT_FALSE(next->earlier_day()) << "once";
}

TEST_F(Record, ALastDayThatCannotBeReadIsSetAside) {
  std::filesystem::create_directories(folder_.path() / "state");
  std::ofstream(folder_.path() / "state" / "history.json") << "{}";
  const auto one = open();
  EXPECT_FALSE(one->read());
  EXPECT_FALSE(one->earlier_day());
  EXPECT_THAT(logged_, ElementsAre(HasSubstr("history.json.damaged-1")));
}

// A folder stands where the file should: it can be neither read nor, since another stands in its way, set
// aside.
TEST_F(Record, WhatCannotBeReadIsNotWrittenOver) {
  const auto at = folder_.path() / "state" / "incidents.json";
  std::filesystem::create_directories(at);
  for (int number = 1; number < 100; ++number)
    std::ofstream(at.string() + ".damaged-" + std::to_string(number)) << "x";
  const auto one = open();
  EXPECT_FALSE(one->read());
  one->told_to_leave(n("a@h"));
  one->flush();
  EXPECT_TRUE(std::filesystem::is_directory(at));
  one->told_to_leave(n("b@h"));
  one->flush();
  EXPECT_THAT(logged_, ElementsAre(HasSubstr("could not be set aside"), HasSubstr("is not written over")));
}

}  // namespace
}  // namespace rollcall::app
