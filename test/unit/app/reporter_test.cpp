// Which change is a line, at which level: an ordinary deploy warns of nothing, and what many did at once is
// one line.
#include "app/reporter.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "cnode/error.hpp"

namespace rollcall::app {
namespace {

using membership::event;
using membership::event_type;
using membership::member_state;
using membership::reason;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

node_name named(const std::string& alive) {
  return *node_name::make(alive, "h.example");
}

event of(event_type type, const std::string& alive, reason why = reason::none, std::string text = {}) {
  event made{};
  made.type = type;
  made.node = named(alive);
  made.why = why;
  made.text = text.empty() ? made.node->text() + " did" : std::move(text);
  return made;
}

membership::snapshot with(const std::string& alive, member_state state, reason why,
                          std::chrono::milliseconds for_so_long) {
  membership::snapshot s{};
  membership::member m{.name = named(alive)};
  m.state = state;
  m.why = why;
  m.detail = m.name.text() + ": " + std::string(to_string(why));
  s.at = membership::wall_time(1'000'000ms);
  m.since = s.at - for_so_long;
  s.members.push_back(std::move(m));
  return s;
}

class Reporter : public testing::Test {
 protected:
  // Level and message.
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& each : written_) all.push_back(each.substr(each.find(' ') + 1));
    return all;
  }
  std::vector<std::string> written_;
  log log_{log_level::info, log_format::text, [this](std::string_view line) { written_.emplace_back(line); }};
  reporter reporter_{log_};
};

TEST_F(Reporter, AnOrdinaryStopAndStartWarnOfNothing) {
  reporter_.happened({of(event_type::member_suspect, "a", reason::closed)});
  reporter_.changed(with("a", member_state::up, reason::none, 0ms),
                    with("a", member_state::suspect, reason::dns, 1s), {});
  reporter_.happened({of(event_type::member_leaving, "b", reason::stopping)});
  reporter_.happened({of(event_type::member_left, "a", reason::closed)});
  reporter_.happened({of(event_type::member_joined, "c")});
  for (const auto why : {reason::dns, reason::not_registered, reason::refused})
    reporter_.changed({}, with("c", member_state::joining, why, 10s), {});
  reporter_.happened({of(event_type::member_up, "c")});
  for (const auto& line : lines()) EXPECT_THAT(line, testing::StartsWith("info "));
  EXPECT_GE(lines().size(), 7U);
}

TEST_F(Reporter, WhatSomebodyMustActOnIsAWarning) {
  reporter_.happened({of(event_type::member_suspect, "a", reason::tick_timeout)});
  reporter_.happened({of(event_type::member_down, "a", reason::closed)});
  reporter_.changed({}, with("b", member_state::joining, reason::cookie, 1s), {});
  ASSERT_EQ(lines().size(), 3U);
  for (const auto& line : lines()) EXPECT_THAT(line, testing::StartsWith("warning "));
}

TEST_F(Reporter, AStartThatDoesNotEndIsAWarningOnce) {
  const auto fresh = with("a", member_state::joining, reason::not_registered, 5s);
  const auto late = with("a", member_state::joining, reason::not_registered, 61s);
  reporter_.changed({}, fresh, {});
  reporter_.changed(fresh, fresh, {});
  reporter_.changed(fresh, late, {});
  reporter_.changed(late, late, {});
  EXPECT_THAT(lines(),
              ElementsAre("info  a@h.example: not_registered state=joining reason=not_registered",
                          "warning a@h.example has been listed for 61 s and does not join: not_registered "
                          "reason=not_registered"));
}

TEST_F(Reporter, WhatManyDidAtOnceIsOneLine) {
  std::vector<event> events;
  for (int i = 0; i < 7; ++i) events.push_back(of(event_type::member_up, "n" + std::to_string(i)));
  events.push_back(of(event_type::member_down, "x", reason::closed));
  reporter_.happened(events);
  EXPECT_THAT(lines(),
              ElementsAre("info  7 members are up: n0@h.example, n1@h.example, n2@h.example and 4 more "
                          "event=member_up count=7",
                          HasSubstr("warning x@h.example did event=member_down")));
  events.resize(4);
  reporter_.happened(events);
  EXPECT_EQ(lines().size(), 6U) << "few are a line each";
}

TEST_F(Reporter, AReasonOfManyIsOneLine) {
  membership::snapshot all = with("n0", member_state::joining, reason::not_registered, 0ms);
  for (int i = 1; i < 6; ++i) {
    all.members.push_back(all.members.front());
    all.members.back().name = named("n" + std::to_string(i));
  }
  reporter_.changed({}, all, {});
  EXPECT_THAT(
      lines(),
      ElementsAre(
          "info  6 members are not up (not_registered): n0@h.example, n1@h.example, n2@h.example and 3 "
          "more; of the first: n0@h.example: not_registered count=6 reason=not_registered"));
}

// Each of these took 6,000 lines in a few seconds, or could have.
TEST_F(Reporter, WhatChangesAllTheTimeDoesNotFillTheLog) {
  const auto refused = with("a", member_state::joining, reason::cookie, 0ms),
             silent = with("a", member_state::joining, reason::incompatible, 0ms);
  auto many_refused = refused, many_silent = silent;
  for (int i = 0; i < 6; ++i) {
    for (auto* all : {&many_refused, &many_silent}) {
      all->members.push_back(all->members.front());
      all->members.back().name = named("n" + std::to_string(i));
    }
  }
  membership::snapshot whole, torn;
  torn.conditions.push_back({.name = membership::condition::links_missing,
                             .how_bad = membership::severity::warning,
                             .text = "1 pair"});
  for (int i = 0; i < 1'000; ++i) {
    reporter_.changed(refused, silent, {});
    reporter_.changed(silent, refused, {});
    reporter_.changed(many_refused, many_silent, {});
    reporter_.changed(many_silent, many_refused, {});
    reporter_.changed(whole, torn, {});
    reporter_.changed(torn, whole, {});
    const auto from = boost::asio::ip::address_v4(0x0a000000U + static_cast<unsigned>(i));
    reporter_.dialled_us({}, from, cnode::make_error_code(cnode::error::cookie_refused), "");
  }
  EXPECT_EQ(lines().size(), 4 * (line_limit::most + 1));
  EXPECT_EQ(std::ranges::count_if(lines(),
                                  [](const auto& line) {
                                    return line.find("nothing more is written of it for a minute") !=
                                           std::string::npos;
                                  }),
            4);
}

TEST_F(Reporter, AnAddressThatTellsNoNameIsSaidWithWhatKeepsItOnce) {
  membership::snapshot before, after;
  before.sources.push_back({.source = "local", .detail = {}, .last_success = {}, .nodes = {}});
  after.sources = before.sources;
  after.sources[0].unnamed.push_back(
      {"localhost", "localhost (bad)", reason::cookie, "it refused our cookie", true});
  for (int i = 0; i < 3; ++i) reporter_.changed(std::exchange(before, after), after, {});
  EXPECT_THAT(lines(), ElementsAre("warning localhost (bad): it refused our cookie reason=cookie"));
}

TEST_F(Reporter, AConditionNamesItsSectionOfTheRunbook) {
  membership::snapshot before, after;
  after.conditions.push_back({.name = membership::condition::possible_split,
                              .how_bad = membership::severity::error,
                              .text = "2 of 4 fell silent"});
  reporter_.changed(before, after, {});
  EXPECT_THAT(lines(), ElementsAre("warning 2 of 4 fell silent condition=possible_split "
                                   "see=/runbook#rollcallpossiblesplit"));
}

TEST_F(Reporter, WhatANetsplitBringsWithItIsNotSaidAgain) {
  membership::snapshot whole, torn;
  for (const auto name : {membership::condition::netsplit, membership::condition::links_missing})
    torn.conditions.push_back(
        {.name = name, .how_bad = membership::severity::warning, .text = "2 partitions"});
  auto opened = of(event_type::netsplit_opened, "a", reason::none, "netsplit 1 (full): 2 partitions");
  auto closed = of(event_type::netsplit_closed, "a", reason::none, "netsplit 1 is over");
  opened.node.reset();
  closed.node.reset();
  reporter_.happened({opened});
  reporter_.changed(whole, torn, {opened});
  reporter_.happened({closed});
  reporter_.changed(torn, whole, {closed});
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("netsplit 1 (full)"), HasSubstr("netsplit 1 is over")));
  reporter_.changed(whole, torn, {});
  EXPECT_EQ(lines().size(), 4U) << "without an incident that was told, a condition is";
}

TEST_F(Reporter, AConnectionThatSaysNothingIsNoWarning) {
  const auto from = boost::asio::ip::address_v4(0x0a000001U);
  reporter_.dialled_us({}, from, cnode::make_error_code(cnode::error::closed), "it closed");
  reporter_.dialled_us({}, from, cnode::make_error_code(cnode::error::cookie_refused), "another cookie");
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_THAT(lines()[0], testing::StartsWith("info  a connection came to nothing from=10.0.0.1"));
  EXPECT_THAT(lines()[1], testing::StartsWith("warning a node that dialled us was turned away"));
}

TEST_F(Reporter, ANameIsSaidOnce) {
  reporter_.happened({of(event_type::member_suspect, "a", reason::closed,
                         "a@h.example is suspect: closed (a@h.example closed the connection)")});
  EXPECT_THAT(lines(), ElementsAre("info  a@h.example is suspect: closed (it closed the connection) "
                                   "event=member_suspect reason=closed"));
}

discovery::round asked_of(std::vector<std::pair<std::string, discovery::query_outcome>> sources) {
  discovery::round made;
  for (auto& [name, outcome] : sources) {
    if (outcome != discovery::query_outcome::ok)
      made.changes.push_back(
          fmt::format("{}: {}: name server 10.0.0.10:53 ...", name, discovery::spoken(outcome)));
    discovery::source_status status;
    status.source = std::move(name);
    status.outcome = outcome;
    made.sources.push_back(std::move(status));
  }
  return made;
}

TEST_F(Reporter, OneNameServerThatFailsIsOneLineForAllItsSources) {
  using enum discovery::query_outcome;
  reporter_.listed(
      asked_of({{"srv:a@a", timeout}, {"srv:b@b", timeout}, {"srv:c@c", ok}, {"srv:d@d", timeout}}));
  EXPECT_THAT(lines(), ElementsAre(AllOf(
                           HasSubstr("warning srv:a@a: no answer: name server 10.0.0.10:53 ...; the "
                                     "same with srv:b@b, srv:d@d"),
                           Not(HasSubstr(" source=")), HasSubstr(" sources=\"srv:a@a, srv:b@b, srv:d@d\""))));
}

// A service that comes after us, or is scaled to nothing, is nothing to act on; a name that is wrong is.
TEST_F(Reporter, ANameThatIsNotThereIsAWarningOnceThatLasts) {
  using enum discovery::query_outcome;
  const std::chrono::steady_clock::time_point begun{};
  auto round = asked_of({{"srv:a@a", nxdomain}, {"srv:b@b", nxdomain}});
  round.sources[0].detail = "there is no such name";
  reporter_.listed(round, begun);
  round.changes.clear();
  for (const auto later : {5s, 59s, 60s, 65s}) reporter_.listed(round, begun + later);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("info  srv:a@a: NXDOMAIN"),
                                   "warning srv:a@a: for 60 s now: there is no such name; the same with "
                                   "srv:b@b see=/runbook#rollcallnothingdiscovered"));
  reporter_.listed(asked_of({{"srv:a@a", ok}, {"srv:b@b", ok}}), begun + 70s);
  reporter_.listed(round, begun + 75s);
  reporter_.listed(round, begun + 100s);
  EXPECT_EQ(lines().size(), 2U) << "it begins again";
}

TEST_F(Reporter, AnOrderlyStopIsOneLine) {
  reporter_.happened({of(event_type::member_leaving, "a", reason::stopping)});
  reporter_.happened({of(event_type::member_left, "a", reason::stopping)});
  reporter_.happened({of(event_type::member_left, "b", reason::closed)});
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("a@h.example did"), HasSubstr("b@h.example did")));
}

TEST_F(Reporter, AFamilyThatIsRefusedIsToldOnceForAllNames) {
  using enum discovery::query_outcome;
  reporter_.listed(asked_of({{"dns:a@a", partial},
                             {"dns:b@b", partial},
                             {"dns:c@c", partial},
                             {"dns:d@d", partial},
                             {"dns:e@e", partial},
                             {"dns:f@f", partial}}));
  EXPECT_THAT(lines(), ElementsAre(AllOf(HasSubstr("info  dns:a@a: part of an answer: "),
                                         HasSubstr("the same with dns:b@b, dns:c@c, dns:d@d and 2 more"))));
}

TEST_F(Reporter, OneSourceThatFailsIsToldAsItIs) {
  using enum discovery::query_outcome;
  auto round = asked_of({{"srv:a@a", servfail}, {"srv:b@b", ok}});
  round.changes.emplace_back("srv:b@b: 3 nodes: b@1, b@2, b@3");
  reporter_.listed(round);
  EXPECT_THAT(lines(),
              ElementsAre(HasSubstr("info  srv:b@b: 3 nodes"),
                          AllOf(HasSubstr("warning srv:a@a: SERVFAIL"), Not(HasSubstr("the same")))));
}

}  // namespace
}  // namespace rollcall::app
