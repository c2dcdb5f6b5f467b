// Other Rollcalls, found through a member that says what a test wants.
#include "app/other_rollcalls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const node_name member = *node_name::parse("m@h"), other = *node_name::parse("other@h"),
                gone = *node_name::parse("gone@h");

class OtherRollcalls : public testing::Test {
 protected:
  // What the member answers, by the text of what it is asked; anything else fails at once.
  asio::awaitable<cnode::call_result<cnode::term>> call(std::string module, std::string function,
                                                        cnode::byte_string arguments) {
    const auto given = cnode::decode_term(arguments);
    asked.push_back(module + ":" + function + " " + (given ? cnode::to_string(*given, 400) : "?"));
    for (const auto& [text, answer] : answers) {
      if (asked.back().find(text) != std::string::npos) co_return answer;
    }
    co_return cnode::call_failure{cnode::call_failure_kind::raised, "error:undef"};
  }
  void has_a_rollcall(std::uint32_t creation = 7) {
    answers.clear();
    answers.emplace_back("erlang:nodes", list({"shell@h", "other@h", "own@h"}));
    answers.emplace_back("[other@h,erlang,whereis,[rollcall]",
                         cnode::term{cnode::pid{"other@h", 1, 0, creation}});
    answers.emplace_back("[other@h,rollcall,version,[]", cnode::term{cnode::binary{"0.1.0"}});
  }
  static cnode::term list(const std::vector<std::string>& names) {
    cnode::list made;
    for (const auto& each : names) made.items.push_back(cnode::term{cnode::atom{each}});
    return cnode::term{std::move(made)};
  }
  void look() {
    others.look(std::make_shared<int>());
    io.restart();
    io.run();
  }
  void pass_on(other_rollcalls::order what) {
    others.pass_on(std::make_shared<int>(), what, gone);
    io.restart();
    io.run();
  }
  std::size_t times(const std::string& text) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        asked, [&](const std::string& each) { return each.find(text) != std::string::npos; }));
  }

  asio::io_context io;
  configuration config = [] {
    configuration made;
    made.name = *node_name::parse("own@h");
    made.interval = 0ms;
    return made;
  }();
  std::vector<std::string> lines;
  log told{log_level::info, log_format::text, [this](std::string_view line) { lines.emplace_back(line); }};
  std::vector<std::pair<std::string, cnode::term>> answers;
  std::vector<std::string> asked;
  std::set<node_name> orders;
  milliseconds pause{0};
  other_rollcalls others{
      io,
      config,
      told,
      {.call = [this](const node_name&, std::string m, std::string f, cnode::byte_string a,
                      milliseconds) { return call(std::move(m), std::move(f), std::move(a)); },
       .linked = [](std::size_t) { return std::optional(member); },
       .orders_to_leave = [this]() -> const std::set<node_name>& { return orders; },
       .stopping = [] { return false; },
       .pause = pause}};
};

TEST_F(OtherRollcalls, AreThoseHiddenPeersThatSayTheyAreOne) {
  EXPECT_EQ(others.text(), "");
  has_a_rollcall();
  look();
  EXPECT_THAT(others.names(), ElementsAre(other));
  EXPECT_THAT(others.text(), HasSubstr("other@h"));
  EXPECT_EQ(times("[own@h"), 0U);
  look();
  EXPECT_EQ(lines.size(), 1U) << "told once";
  // Missed once or twice by a member, then gone.
  answers.clear();
  answers.emplace_back("erlang:nodes", list({"shell@h"}));
  look();
  look();
  EXPECT_THAT(others.names(), ElementsAre(other));
  look();
  EXPECT_THAT(others.names(), IsEmpty());
  EXPECT_EQ(lines.size(), 2U);
}

TEST_F(OtherRollcalls, ACommandThatLooksOnIsNone) {
  answers.emplace_back("erlang:nodes",
                       list({"rollcall-check-1@h", "rollcall-check-8@other", "rollcall-check-9@h"}));
  look();
  EXPECT_EQ(times("rollcall-check-1@h"), 0U);
  EXPECT_EQ(times("rollcall-check-8@other"), 0U);
  EXPECT_EQ(times("rollcall-check-9@h"), 1U);
}

TEST_F(OtherRollcalls, AreToldWhatWeAreToldAndWhatHoldsWhenTheyStart) {
  has_a_rollcall();
  answers.emplace_back("[other@h,rollcall,", cnode::term{cnode::atom{"ok"}});
  look();
  pass_on(other_rollcalls::order::leave);
  EXPECT_EQ(times("[other@h,rollcall,leave,[gone@h]"), 1U);
  pass_on(other_rollcalls::order::rejoin);
  EXPECT_EQ(times("[other@h,rollcall,rejoin,[gone@h]"), 1U);
  orders.insert(gone);
  look();
  EXPECT_EQ(times("rollcall,leave"), 1U) << "the same run was told already";
  has_a_rollcall(8);
  answers.emplace_back("[other@h,rollcall,", cnode::term{cnode::atom{"ok"}});
  look();
  EXPECT_EQ(times("rollcall,leave"), 2U) << "another run knows nothing";
  EXPECT_EQ(lines.size(), 1U);
}

TEST_F(OtherRollcalls, ThatCannotBeToldAreNamed) {
  has_a_rollcall();
  look();
  pass_on(other_rollcalls::order::leave);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines.back(), HasSubstr("other@h"));
  EXPECT_THAT(lines.back(), HasSubstr("gone@h"));
}

// A member that says what it likes.
TEST_F(OtherRollcalls, OfALyingMemberAreBounded) {
  std::vector<std::string> many;
  for (int i = 0; i < 1'000; ++i) many.push_back("n" + std::to_string(i) + "@h");
  answers.emplace_back("erlang:nodes", list(many));
  look();
  EXPECT_EQ(asked.size(), 17U);
  EXPECT_THAT(others.names(), IsEmpty());
  // Somebody else's process, and what is none.
  answers.emplace_back("[n1@h,erlang,whereis", cnode::term{cnode::pid{"m@h", 1, 0, 1}});
  answers.emplace_back("[n2@h,erlang,whereis", cnode::term{cnode::atom{"undefined"}});
  answers.emplace_back("[n3@h,erlang,whereis", cnode::term{cnode::pid{"n3@h", 1, 0, 1}});
  look();
  EXPECT_THAT(others.names(), IsEmpty());
  EXPECT_THAT(lines, IsEmpty());
}

class OtherRollcallsPaused : public OtherRollcalls {
 protected:
  OtherRollcallsPaused() { config.interval = 1h; }
};

TEST_F(OtherRollcallsPaused, AreLookedForWithAPauseWhateverFails) {
  for (int i = 0; i < 1'000; ++i) look();
  EXPECT_EQ(asked.size(), 1U);
}

}  // namespace
}  // namespace rollcall::app
