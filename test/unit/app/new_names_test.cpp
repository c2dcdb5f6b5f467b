// When the name of a new node counts as known: looked up again and again, with answers made by hand.
#include "app/new_names.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;
using cnode::atom;
using cnode::list;
using cnode::term;
using cnode::tuple;
using membership::path_probe;

term address(int last) {
  return tuple{{std::int64_t{10}, std::int64_t{0}, std::int64_t{0}, std::int64_t{last}}};
}
term found(std::vector<term> addresses) {
  return tuple{{atom{"ok"}, list{std::move(addresses), nullptr}}};
}
const term unknown = tuple{{atom{"error"}, atom{"nxdomain"}}};

struct NewNames : testing::Test {
  test::io_thread thread;
  new_names::time_point now{1h};
  std::deque<term> answers;  // then as the last one
  bool silent = false;
  std::vector<std::string> asked;
  new_names names{[this](node_name on, std::string module, std::string function, cnode::byte_string,
                         milliseconds limit) { return answer(on, module + ":" + function, limit); },
                  [this] { return now; }};

  asio::awaitable<cnode::call_result<term>> answer(node_name on, std::string what, milliseconds limit) {
    asked.push_back(std::string(on.alive()) + " " + what);
    if (silent) {
      now += limit;
      co_return cnode::call_failure{cnode::call_failure_kind::timed_out, "no answer"};
    }
    auto said = answers.front();
    if (answers.size() > 1) answers.pop_front();
    co_return said;
  }

  static node_name name(const std::string& text) { return node_name::parse(text).value(); }
  const node_name old = name("old@a.example"), fresh = name("fresh@b.example");

  path_probe look_up(const node_name& whose) {
    asked.clear();
    return thread.run(names.look_up(old, whose, false, 60s, 1s));
  }
};

TEST_F(NewNames, OneIsKnownAfterEightAnswersThatAreAlike) {
  names.seen(fresh, 1);
  answers = {found({address(1), address(2)}), found({address(2), address(1)})};
  EXPECT_EQ(look_up(fresh), path_probe::reachable);
  EXPECT_EQ(asked, std::vector<std::string>(8, "old inet:getaddrs"));
  answers = {unknown};
  EXPECT_EQ(look_up(fresh), path_probe::reachable);
  EXPECT_TRUE(asked.empty()) << "it is known";
}

TEST_F(NewNames, OneThatANameServerDoesNotKnowIsLookedUpLater) {
  names.seen(fresh, 1);
  answers = {found({address(1)}), found({address(1)}), unknown, found({address(1)})};
  EXPECT_EQ(look_up(fresh), path_probe::unresolved);
  EXPECT_EQ(asked.size(), 3U);
  now += 1999ms;
  EXPECT_EQ(look_up(fresh), path_probe::unresolved);
  EXPECT_TRUE(asked.empty());
  now += 1ms;
  EXPECT_EQ(look_up(fresh), path_probe::reachable);
  EXPECT_EQ(asked.size(), 8U) << "from the beginning";
}

// A pod of a StatefulSet keeps its name: the server that is behind has the address of the one before.
TEST_F(NewNames, OneWithTwoAddressesInTurnIsNotKnown) {
  names.seen(fresh, 1);
  answers = {found({address(1)}), found({address(2)})};
  EXPECT_EQ(look_up(fresh), path_probe::unresolved);
  EXPECT_EQ(asked.size(), 2U);
}

TEST_F(NewNames, NobodyWaitsForEver) {
  names.seen(fresh, 1);
  answers = {unknown};
  EXPECT_EQ(look_up(fresh), path_probe::unresolved);
  now += 60s;
  EXPECT_EQ(look_up(fresh), path_probe::reachable);
  EXPECT_TRUE(asked.empty());
  names.seen(fresh, 1);
  EXPECT_EQ(look_up(fresh), path_probe::reachable);
  names.seen(fresh, 2);
  EXPECT_EQ(look_up(fresh), path_probe::unresolved) << "another run";
}

TEST_F(NewNames, SlowAnswersAreNoWordAndCount) {
  names.seen(fresh, 1);
  answers = {found({address(1)})};
  silent = true;
  EXPECT_EQ(look_up(fresh), path_probe::no_word);
  EXPECT_EQ(asked.size(), 1U);
  silent = false;
  EXPECT_EQ(look_up(fresh), path_probe::reachable);
}

TEST_F(NewNames, AnAddressIsNotLookedUpNorWhoWasNeverLinked) {
  const auto numbered = name("fresh@10.0.0.1");
  names.seen(numbered, 1);
  EXPECT_EQ(look_up(numbered), path_probe::reachable);
  EXPECT_EQ(look_up(fresh), path_probe::reachable);
  EXPECT_TRUE(asked.empty());
}

}  // namespace
}  // namespace rollcall::app
