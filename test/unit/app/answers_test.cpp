// The functions a shell may ask, called as cnode calls them.
#include "app/answers.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace rollcall::app {
namespace {

using cnode::answer_kind;
using cnode::atom;
using cnode::term;

struct Answers : testing::Test {
  Answers() {
    membership::snapshot s;
    s.version = 1;
    membership::member m{.name = node_name::parse("a@h").value()};
    m.state = membership::member_state::up;
    s.members.push_back(m);
    m.name = node_name::parse("b@h").value();
    m.state = membership::member_state::suspect;
    m.why = membership::reason::timeout;
    s.members.push_back(m);
    current = std::make_shared<const membership::snapshot>(std::move(s));
  }

  cnode::answer ask(std::string_view function, std::vector<term> arguments = {},
                    std::string_view module = "rollcall") {
    return functions(cnode::request{caller, module, function, arguments});
  }
  term value(std::string_view function, std::vector<term> arguments = {}) {
    const auto a = ask(function, std::move(arguments));
    EXPECT_EQ(a.kind, answer_kind::value) << function;
    return a.encoded ? cnode::decode_term(*a.encoded).value() : term(atom{"no_answer"});
  }

  const cnode::pid caller{"a@h", 1, 0, 1};
  membership::snapshot_ptr current;
  int rounds = 0, resumed = 0;
  std::chrono::milliseconds paused{0};
  std::vector<cnode::pid> subscribed;
  subscriptions::outcome subscribing = subscriptions::outcome::ok;
  answers functions{"1.2.3",
                    {.snapshot = [this] { return current; },
                     .start_round = [this] { ++rounds; },
                     .pause = [this](std::chrono::milliseconds span) { paused = span; },
                     .resume = [this] { ++resumed; },
                     .configuration =
                         [] {
                           return membership::report::document{membership::report::object{
                               {"interval", membership::report::document{membership::report::text{"5s"}}}}};
                         },
                     .subscribe =
                         [this](const cnode::pid& process) {
                           subscribed.push_back(process);
                           return subscribing;
                         },
                     .unsubscribe = [this](const cnode::pid& process) { std::erase(subscribed, process); }}};
};

TEST_F(Answers, NodesAreTheNamesThatAreUp) {
  EXPECT_EQ(value("nodes"), term(cnode::list{{atom{"a@h"}}, nullptr}));
}

TEST_F(Answers, NodesInAState) {
  EXPECT_EQ(value("nodes", {atom{"suspect"}}), term(cnode::list{{atom{"b@h"}}, nullptr}));
}

TEST_F(Answers, MembersAreMaps) {
  const auto all = value("members");
  const auto* items = all.as<cnode::list>();
  ASSERT_NE(items, nullptr);
  ASSERT_EQ(items->items.size(), 2U);
  EXPECT_NE(items->items[0].as<cnode::map>(), nullptr);
}

TEST_F(Answers, ElixirModuleNameIsTheSame) {
  EXPECT_EQ(ask("nodes", {}, "Elixir.Rollcall").kind, answer_kind::value);
}

TEST_F(Answers, AnotherModuleOrFunctionOrArityIsUndefined) {
  EXPECT_EQ(ask("nodes", {}, "lists").kind, answer_kind::undefined);
  EXPECT_EQ(ask("nodez").kind, answer_kind::undefined);
  EXPECT_EQ(ask("status", {atom{"x"}}).kind, answer_kind::undefined);
}

TEST_F(Answers, WrongArgumentIsAFunctionClause) {
  EXPECT_EQ(ask("nodes", {atom{"sideways"}}).kind, answer_kind::function_clause);
  EXPECT_EQ(ask("members", {std::int64_t{3}}).kind, answer_kind::function_clause);
  EXPECT_EQ(ask("events", {std::int64_t{-1}}).kind, answer_kind::function_clause);
  EXPECT_EQ(ask("member", {cnode::tuple{}}).kind, answer_kind::function_clause);
}

TEST_F(Answers, UnknownMemberIsNil) {
  EXPECT_TRUE(value("member", {atom{"z@h"}}).is_atom("nil"));
}

TEST_F(Answers, MemberByAtomBinaryAndCharlist) {
  cnode::list chars;
  for (const char c : std::string_view("a@h")) chars.items.emplace_back(std::int64_t{c});
  EXPECT_EQ(value("member", {atom{"a@h"}}), value("member", {cnode::binary{"a@h"}}));
  EXPECT_EQ(value("member", {atom{"a@h"}}), value("member", {chars}));
}

void expect_sorted_keys(const term& in) {
  if (const auto* map = in.as<cnode::map>()) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : map->items) {
      keys.push_back(key.as<atom>()->text);
      expect_sorted_keys(value);
    }
    EXPECT_TRUE(std::ranges::is_sorted(keys)) << to_string(in);
  }
  if (const auto* list = in.as<cnode::list>()) std::ranges::for_each(list->items, expect_sorted_keys);
}

// A caller that gets them in another order sorts each map as it decodes it.
TEST_F(Answers, MapsComeWithTheirKeysInOrder) {
  for (const auto* function : {"members", "status", "events", "discovery", "config"})
    expect_sorted_keys(value(function));
  expect_sorted_keys(value("member", {atom{"a@h"}}));
  EXPECT_EQ(value("member", {atom{"a@h"}}).as<cnode::map>()->items.front().first, term(atom{"creation"}));
}

// Whatever changed, the answer made of parts is the one that is made at once.
TEST_F(Answers, MembersAreTheSameHoweverTheyWereMade) {
  const auto whole = [&] {
    cnode::term_writer writer;
    encode(writer, membership::report::members(*current));
    return writer.bytes();
  };
  const auto change = [&](auto how) {
    auto next = *current;
    ++next.version;
    how(next);
    current = std::make_shared<const membership::snapshot>(std::move(next));
    EXPECT_EQ(*ask("members").encoded, whole());
  };
  using membership::snapshot;
  change([](snapshot&) {});
  change([](snapshot& s) { s.members[0].state = membership::member_state::down; });
  change([](snapshot& s) { s.members[1].why = membership::reason::refused; });
  change([](snapshot& s) { s.members[0].since += std::chrono::milliseconds(1); });
  change([](snapshot& s) { s.members[0].listed = !s.members[0].listed; });
  change([](snapshot& s) { ++s.members[1].visible_peers; });
  change([](snapshot& s) { ++s.members[1].links_missing; });
  change([](snapshot& s) { s.members[1].partition = 3; });
  change([](snapshot& s) { s.members[1].creation = 77; });
  change([](snapshot& s) { s.members[1].otp_release = "29"; });
  change([](snapshot& s) { s.members[1].kept_out = true; });
  change([](snapshot& s) { s.members[1].machine = "node-2"; });
  change([](snapshot& s) { s.members[1].zone = "zone-2"; });
  change([](snapshot& s) {
    s.members.insert(s.members.begin(), membership::member{.name = node_name::parse("A@h").value()});
  });
  change([](snapshot& s) { s.members.erase(s.members.begin() + 1); });
  change([](snapshot& s) { s.members.clear(); });
}

TEST_F(Answers, AnUnchangedAnswerIsNotMadeAgain) {
  const auto first = ask("members").encoded;
  auto next = *current;
  ++next.version;
  next.members[0].round_trip = std::chrono::milliseconds(3);
  current = std::make_shared<const membership::snapshot>(std::move(next));
  EXPECT_EQ(ask("members").encoded, first);
}

TEST_F(Answers, WhoDoesNotWaitGetsNothingMade) {
  EXPECT_EQ(functions(cnode::request{caller, "rollcall", "links", {}, false}).encoded, nullptr);
  EXPECT_EQ(functions(cnode::request{caller, "rollcall", "nonesuch", {}, false}).kind,
            answer_kind::undefined);
  functions(cnode::request{caller, "rollcall", "reconnect", {}, false});
  EXPECT_EQ(rounds, 1) << "what acts acts all the same";
}

// 80 members that miss many of each other: 3,160 pairs of all states.
membership::snapshot_ptr many_pairs(std::uint64_t version) {
  constexpr std::size_t count = 80;
  membership::snapshot s;
  s.version = version;
  s.row_words = 2;
  s.view_bits.resize(count * s.row_words);
  for (std::size_t i = 0; i < count; ++i) {
    membership::member m{.name = node_name::parse("n" + std::to_string(i) + "@h").value()};
    m.state = i % 7 == 3 ? membership::member_state::left : membership::member_state::up;
    m.fresh_view = i % 11 != 5;
    m.links_missing = i % 5 == 1 ? 0 : 1;
    s.members.push_back(m);
    for (std::size_t j = 0; j < count; ++j)
      if (i % 3 == j % 3 || i * j % 17 == 2) s.view_bits[i * 2 + j / 64] |= std::uint64_t{1} << (j % 64);
  }
  s.suspected_bits = s.view_bits;
  for (std::size_t i = 0; i < count / 2; ++i) s.suspected_bits[i * 2] &= 0xff00ff00ff00ff00U;
  s.quarantined_pairs = {{1, 2}, {2, 4}, {8, 9}};
  return std::make_shared<const membership::snapshot>(std::move(s));
}

cnode::byte_string whole(const cnode::answer& of) {
  if (of.encoded) return *of.encoded;
  cnode::byte_string all;
  for (std::size_t i = 0; i < of.in_turns->pieces; ++i) {
    const auto before = all.size();
    of.in_turns->append(i, of.in_turns->atoms, all);
    EXPECT_GT(all.size(), before) << "piece " << i;
  }
  return all;
}

TEST_F(Answers, PairsAreTheSameInTurnsAsAtOnce) {
  const auto at_once = [](const membership::report::document& document) {
    cnode::term_writer writer;
    encode(writer, document);
    return writer.bytes();
  };
  const auto judge = [&](bool in_turns) {
    const auto all = ask("links"), missing = ask("missing_links");
    EXPECT_EQ(all.in_turns != nullptr, in_turns);
    EXPECT_EQ(missing.in_turns != nullptr, in_turns);
    EXPECT_EQ(whole(all), at_once(membership::report::links(*current)));
    EXPECT_EQ(whole(missing), at_once(membership::report::missing_links(*current)));
  };
  judge(false);
  current = std::make_shared<const membership::snapshot>();
  judge(false);
  current = many_pairs(5);
  judge(true);
}

TEST_F(Answers, AFewSnapshotsAreKeptByThoseWhoTakeLong) {
  std::vector<cnode::answer> kept;
  for (std::uint64_t version = 2; version < 18; ++version) {
    current = many_pairs(version);
    kept.push_back(ask("links"));
    EXPECT_EQ(ask("links").in_turns, kept.back().in_turns) << "one for all who ask";
  }
  current = many_pairs(20);
  const auto refused = ask("links");
  EXPECT_EQ(refused.kind, answer_kind::error);
  EXPECT_TRUE(cnode::decode_term(*refused.encoded).value().is_atom("system_limit"));
  kept.pop_back();
  EXPECT_EQ(ask("links").kind, answer_kind::value);
}

TEST_F(Answers, EncodedOncePerSnapshot) {
  const auto first = ask("status").encoded;
  EXPECT_EQ(ask("status").encoded, first);
  auto next = *current;
  next.version = 2;
  current = std::make_shared<const membership::snapshot>(std::move(next));
  EXPECT_NE(ask("status").encoded, first);
}

TEST_F(Answers, ManyDifferentQuestionsDoNotGrowTheCache) {
  for (int i = 0; i < 2'000; ++i) ask("member", {cnode::binary{"x" + std::to_string(i) + "@h"}});
  const auto last = ask("member", {cnode::binary{"x1999@h"}}).encoded;
  EXPECT_NE(ask("member", {cnode::binary{"x1999@h"}}).encoded, last) << "beyond the bound nothing is kept";
}

TEST_F(Answers, ReconnectStartsARound) {
  EXPECT_TRUE(value("reconnect").is_atom("ok"));
  EXPECT_EQ(rounds, 1);
}

TEST_F(Answers, PauseTakesSecondsAndResumeEndsIt) {
  EXPECT_TRUE(value("pause", {term(std::int64_t{600})}).is_atom("ok"));
  EXPECT_EQ(paused, std::chrono::minutes(10));
  EXPECT_EQ(ask("pause", {term(std::int64_t{0})}).kind, answer_kind::function_clause);
  EXPECT_EQ(ask("pause", {atom{"long"}}).kind, answer_kind::function_clause);
  EXPECT_EQ(ask("pause", {term(std::int64_t{100'000'000})}).kind, answer_kind::bad_argument);
  EXPECT_TRUE(value("resume").is_atom("ok"));
  EXPECT_EQ(resumed, 1);
}

TEST_F(Answers, VersionAndHelpAreBinaries) {
  EXPECT_EQ(value("version"), term(cnode::binary{"1.2.3"}));
  const auto help = value("help");
  ASSERT_NE(help.as<cnode::binary>(), nullptr);
  for (const auto* function :
       {"members(State)", "why(Node)", "status()", "netsplit(Id)", "subscribe(Pid)", "reconnect()"}) {
    EXPECT_NE(help.as<cnode::binary>()->data.find(function), std::string::npos) << function;
  }
}

TEST_F(Answers, SubscribeTakesAPid) {
  EXPECT_TRUE(value("subscribe", {caller}).is_atom("ok"));
  EXPECT_EQ(subscribed, std::vector<cnode::pid>{caller});
  EXPECT_TRUE(value("unsubscribe", {caller}).is_atom("ok"));
  EXPECT_TRUE(subscribed.empty());
  EXPECT_EQ(ask("subscribe", {atom{"me"}}).kind, answer_kind::function_clause);
  EXPECT_EQ(ask("unsubscribe", {std::int64_t{1}}).kind, answer_kind::function_clause);
  subscribing = subscriptions::outcome::no_connection;
  EXPECT_EQ(cnode::to_string(value("subscribe", {caller})), "{error,noconnection}");
  subscribing = subscriptions::outcome::too_many;
  EXPECT_EQ(cnode::to_string(value("subscribe", {caller})), "{error,system_limit}");
}

TEST_F(Answers, WhyIsTheWayOfANode) {
  EXPECT_TRUE(value("why", {atom{"z@h"}}).is_atom("nil"));
  const auto found = cnode::to_string(value("why", {atom{"b@h"}}), 4'000);
  EXPECT_NE(found.find("stuck_at => tcp"), std::string::npos) << found;
  EXPECT_EQ(ask("why", {cnode::tuple{}}).kind, answer_kind::function_clause);
}

TEST_F(Answers, ConfigIsAMap) {
  EXPECT_EQ(cnode::to_string(value("config")), "#{interval => <<\"5s\">>}");
}

// An answer is kept under its question: what cannot be a name must not be kept.
TEST_F(Answers, ATextThatIsTooLongForANameIsNone) {
  EXPECT_EQ(ask("member", {cnode::binary{std::string(255, 'a')}}).kind, answer_kind::value);
  EXPECT_EQ(ask("member", {cnode::binary{std::string(256, 'a')}}).kind, answer_kind::function_clause);
}

}  // namespace
}  // namespace rollcall::app
