// The handshake as an exchange of frames, both roles. The frames of the node that is dialled were captured
// from OTP 25 (cookie "secret"); each exchange is also run with every frame cut at every byte, and out of
// turn.
#include "cnode/handshake.hpp"

#include <gtest/gtest.h>

#include <set>

#include "cnode/flags.hpp"
#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode {
namespace {

using test::hex;
using verdict = accepting_handshake::verdict;

constexpr std::uint32_t our_challenge = 0x01020304;
const std::string g_text = hex("67403132372e302e302e31");  // g@127.0.0.1
const std::string their_challenge = hex("4e 0000000d07df7fbd 5a7ca310 6b02c883 000b") + g_text;
const std::string our_reply = hex("72 01020304 d8b053f7570f6269b0a33da3f2610ae8");
const std::string their_ack = hex("61 24d92202cd3724fb37808c885f4e2298");
const std::string their_name = hex("4e 0000000d07df7fbd 6b02c883 000b") + g_text;
const std::string their_old_name = hex("6e 0005 07df7fbd") + g_text;
const std::string their_complement = hex("63 0000000d 6b02c883");
const std::string their_reply = hex("72 5a7ca310") + their_ack.substr(1);  // the digest of our challenge
const std::string our_ack = hex("61 d8b053f7570f6269b0a33da3f2610ae8");    // the digest of 5a7ca310

node_name named(std::string_view text) {
  return node_name::parse(text).value();
}

identity self() {
  return {named("peer@127.0.0.1"), flags::ours, 0x11223344};
}

initiating_handshake dialling(std::optional<node_name> expected = named("g@127.0.0.1"),
                              std::string cookie = "secret") {
  return {self(), std::move(expected), std::move(cookie), challenge(our_challenge)};
}

accepting_handshake accepting(std::vector<std::string> cookies = {"secret"}) {
  return {self(), std::move(cookies), challenge(our_challenge)};
}

TEST(ChallengeDigest, IsMd5OfCookieAndDecimalChallenge) {
  const auto digest = challenge_digest("secret", our_challenge);
  EXPECT_EQ(std::string(digest.data(), digest.size()), their_ack.substr(1));
  // The challenge is unsigned: MD5("cookie4294967295").
  EXPECT_NE(challenge_digest("cookie", 0xffffffff), challenge_digest("cookie-", 1));
}

TEST(InitiatingHandshake, OpensWithNameFlagsAndCreation) {
  EXPECT_EQ(dialling().opening(), hex("4e 0000000d07c72fbc 11223344 000e") + "peer@127.0.0.1");
}

TEST(InitiatingHandshake, FinishesAsWithARealNode) {
  auto handshake = dialling();
  const auto after_status = handshake.receive("sok").value();
  EXPECT_TRUE(after_status.send.empty());
  EXPECT_FALSE(handshake.peer().has_value());
  const auto after_challenge = handshake.receive(their_challenge).value();
  EXPECT_EQ(after_challenge.send, std::vector<byte_string>{our_reply});
  EXPECT_FALSE(after_challenge.finished);
  EXPECT_TRUE(handshake.awaiting_ack());
  const auto after_ack = handshake.receive(their_ack).value();
  EXPECT_TRUE(after_ack.finished);
  EXPECT_TRUE(after_ack.send.empty());
  EXPECT_FALSE(handshake.awaiting_ack());
  ASSERT_TRUE(handshake.peer().has_value());
  EXPECT_EQ(handshake.peer()->name.text(), "g@127.0.0.1");
  EXPECT_EQ(handshake.peer()->creation, 0x6b02c883U);
  EXPECT_EQ(handshake.peer()->flags, 0x0000000d07df7fbdU);
  EXPECT_EQ(handshake.receive(their_ack).error(), error::unexpected_message);
}

struct status_row {
  const char* status;
  std::optional<error> expected;
  std::vector<byte_string> sent;
};

TEST(InitiatingHandshake, TakesEachStatusForWhatItIs) {
  const status_row rows[] = {
      {"sok", std::nullopt, {}},
      {"sok_simultaneous", std::nullopt, {}},
      {"salive", std::nullopt, {"strue"}},
      {"snok", error::lost_simultaneous, {}},
      {"snot_allowed", error::not_allowed, {}},
      {"snamed:", error::unexpected_message, {}},
      {"s", error::unexpected_message, {}},
      {"sokay", error::unexpected_message, {}},
  };
  for (const auto& row : rows) {
    auto handshake = dialling();
    const auto step = handshake.receive(row.status);
    if (row.expected) {
      ASSERT_FALSE(step.has_value()) << row.status;
      EXPECT_EQ(step.error(), *row.expected) << row.status;
      EXPECT_EQ(handshake.receive(their_challenge).error(), error::unexpected_message) << row.status;
    } else {
      ASSERT_TRUE(step.has_value()) << row.status;
      EXPECT_EQ(step->send, row.sent) << row.status;
      EXPECT_TRUE(handshake.receive(their_challenge).has_value()) << row.status;
    }
  }
}

TEST(InitiatingHandshake, GivesWayToALinkUnderItsNameWhenToldTo) {
  initiating_handshake handshake(self(), named("g@127.0.0.1"), "secret", challenge(our_challenge), false);
  EXPECT_FALSE(handshake.gave_way());
  const auto step = handshake.receive("salive");
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->send, std::vector<byte_string>{"sfalse"});
  EXPECT_TRUE(handshake.gave_way());
  EXPECT_EQ(handshake.receive(their_challenge).error(), error::unexpected_message);
}

TEST(InitiatingHandshake, TellsAnotherNameFromAnotherCookie) {
  auto other_name = dialling(named("x@127.0.0.1"));
  ASSERT_TRUE(other_name.receive("sok").has_value());
  EXPECT_EQ(other_name.receive(their_challenge).error(), error::name_mismatch);
  ASSERT_TRUE(other_name.peer().has_value());
  EXPECT_EQ(other_name.peer()->name.text(), "g@127.0.0.1");

  auto anyone = dialling(std::nullopt);
  ASSERT_TRUE(anyone.receive("sok").has_value());
  ASSERT_TRUE(anyone.receive(their_challenge).has_value());
  EXPECT_EQ(anyone.peer()->name.text(), "g@127.0.0.1");

  const identity twin{*node_name::parse("g@127.0.0.1"), flags::ours, 7};
  initiating_handshake of_our_name(twin, std::nullopt, "chocolate", challenge(1));
  ASSERT_TRUE(of_our_name.receive("sok").has_value());
  EXPECT_EQ(of_our_name.receive(their_challenge).error(), error::not_allowed);

  auto other_cookie = dialling(named("g@127.0.0.1"), "wrong");
  ASSERT_TRUE(other_cookie.receive("sok").has_value());
  ASSERT_TRUE(other_cookie.receive(their_challenge).has_value());
  EXPECT_EQ(other_cookie.receive(their_ack).error(), error::cookie_refused);
}

TEST(InitiatingHandshake, RefusesANodeWithoutTheMandatoryCapabilities) {
  struct flag_row {
    const char* name;
    std::string flags;
    bool accepted;
  };
  const flag_row rows[] = {
      {"OTP 25", hex("0000000d07df7fbd"), true},
      {"the digest stands for the mandatory ones", hex("0000000004000000"), true},
      {"exactly the mandatory ones", hex("0000000001070f94"), true},
      {"without BIG_CREATION", hex("0000000001030f94"), false},
      {"without HANDSHAKE_23", hex("0000000000070f94"), false},
      {"none", hex("0000000000000000"), false},
  };
  for (const auto& row : rows) {
    auto handshake = dialling();
    ASSERT_TRUE(handshake.receive("sok").has_value());
    const auto step = handshake.receive(hex("4e") + row.flags + hex("5a7ca310 6b02c883 000b") + g_text);
    EXPECT_EQ(step.has_value(), row.accepted) << row.name;
    if (!row.accepted) {
      EXPECT_EQ(step.error(), error::incompatible) << row.name;
    }
    EXPECT_TRUE(handshake.peer().has_value()) << row.name;
  }
  auto old = dialling();
  ASSERT_TRUE(old.receive("sok").has_value());
  EXPECT_EQ(old.receive(hex("6e 0005 00007499 5a7ca310") + g_text).error(), error::incompatible);
}

TEST(InitiatingHandshake, IgnoresWhatFollowsTheNameAndNothingElse) {
  auto handshake = dialling();
  ASSERT_TRUE(handshake.receive("sok").has_value());
  ASSERT_TRUE(handshake.receive(their_challenge + "of a later version").has_value());
  EXPECT_EQ(handshake.receive(their_ack + "x").error(), error::trailing_bytes);
}

TEST(InitiatingHandshake, RefusesNamesThatAreNone) {
  const std::string bad = hex("4e 0000000d07df7fbd 5a7ca310 6b02c883 0003") + "a b";
  auto handshake = dialling();
  ASSERT_TRUE(handshake.receive("sok").has_value());
  EXPECT_EQ(handshake.receive(bad).error(), error::name_mismatch);
  auto anyone = dialling(std::nullopt);
  ASSERT_TRUE(anyone.receive("sok").has_value());
  EXPECT_EQ(anyone.receive(bad).error(), error::unexpected_message);
}

TEST(InitiatingHandshake, LongestNamesPassInFull) {
  const auto longest = named("a@" + std::string(253, 'h'));
  initiating_handshake handshake({longest, flags::ours, 1}, longest, "c", challenge(1));
  EXPECT_EQ(handshake.opening().size(), 1 + 8 + 4 + 2 + 255U);
  ASSERT_TRUE(handshake.receive("sok").has_value());
  EXPECT_TRUE(
      handshake.receive(hex("4e 0000000d07df7fbd 5a7ca310 6b02c883 00ff") + longest.text()).has_value());
}

TEST(InitiatingHandshake, FailsAtEveryStepWhenItIsCutOrOutOfTurn) {
  const std::vector<std::string> script = {"sok", their_challenge, their_ack};
  const std::string others[] = {"sok", their_challenge,        their_ack, "",
                                "x",   std::string(3000, 'N'), our_reply};
  for (std::size_t at = 0; at < script.size(); ++at) {
    const auto up_to_here = [&] {
      auto handshake = dialling();
      for (std::size_t i = 0; i < at; ++i) EXPECT_TRUE(handshake.receive(script[i]).has_value());
      return handshake;
    };
    for (std::size_t size = 0; size < script[at].size(); ++size) {
      auto handshake = up_to_here();
      const auto step = handshake.receive(byte_view(script[at]).substr(0, size));
      ASSERT_FALSE(step.has_value()) << "frame " << at << " cut to " << size;
      EXPECT_FALSE(handshake.awaiting_ack());
      EXPECT_EQ(handshake.receive(script[at]).error(), error::unexpected_message) << "after a failure";
    }
    for (const auto& other : others) {
      if (other == script[at]) continue;
      auto handshake = up_to_here();
      ASSERT_FALSE(handshake.receive(other).has_value()) << "frame " << at << " replaced by " << other;
    }
  }
}

TEST(AcceptingHandshake, LetsANodeIn) {
  auto handshake = accepting();
  EXPECT_TRUE(handshake.receive(their_name).value().send.empty());
  ASSERT_TRUE(handshake.peer().has_value());
  EXPECT_EQ(handshake.peer()->name.text(), "g@127.0.0.1");
  EXPECT_EQ(handshake.peer()->creation, 0x6b02c883U);
  EXPECT_FALSE(handshake.wants_name());
  const auto answer = handshake.answer_name(verdict::ok);
  ASSERT_EQ(answer.send.size(), 2U);
  EXPECT_EQ(answer.send[0], "sok");
  EXPECT_EQ(answer.send[1], hex("4e 0000000d07c72fbc 01020304 11223344 000e") + "peer@127.0.0.1");
  const auto last = handshake.receive(their_reply).value();
  EXPECT_TRUE(last.finished);
  EXPECT_EQ(last.send, std::vector<byte_string>{our_ack});
  EXPECT_EQ(handshake.matched_cookie(), 0U);
}

TEST(AcceptingHandshake, EndsInEachVerdict) {
  struct verdict_row {
    verdict decision;
    const char* status;
    bool goes_on;
  };
  const verdict_row rows[] = {
      {verdict::ok, "sok", true},
      {verdict::ok_simultaneous, "sok_simultaneous", true},
      {verdict::nok, "snok", false},
      {verdict::not_allowed, "snot_allowed", false},
  };
  for (const auto& row : rows) {
    auto handshake = accepting();
    ASSERT_TRUE(handshake.receive(their_name).has_value());
    const auto answer = handshake.answer_name(row.decision);
    EXPECT_EQ(answer.send.size(), row.goes_on ? 2U : 1U) << row.status;
    EXPECT_EQ(answer.send[0], row.status);
    EXPECT_EQ(handshake.receive(their_reply).has_value(), row.goes_on) << row.status;
  }
}

TEST(AcceptingHandshake, AsksANodeItIsLinkedToWhetherItKnowsBetter) {
  auto yes = accepting();
  ASSERT_TRUE(yes.receive(their_name).has_value());
  EXPECT_EQ(yes.answer_name(verdict::alive).send, std::vector<byte_string>{"salive"});
  const auto challenge = yes.receive("strue").value();
  ASSERT_EQ(challenge.send.size(), 1U);
  EXPECT_EQ(challenge.send[0][0], 'N');
  EXPECT_TRUE(yes.receive(their_reply).value().finished);

  auto no = accepting();
  ASSERT_TRUE(no.receive(their_name).has_value());
  no.answer_name(verdict::alive);
  EXPECT_EQ(no.receive("sfalse").error(), error::alive_refused);

  auto neither = accepting();
  ASSERT_TRUE(neither.receive(their_name).has_value());
  neither.answer_name(verdict::alive);
  EXPECT_EQ(neither.receive("smaybe").error(), error::unexpected_message);
}

TEST(AcceptingHandshake, OpensToAnyOfItsCookies) {
  for (const auto& [cookies, matched] : {std::pair{std::vector<std::string>{"new", "secret"}, 1U},
                                         std::pair{std::vector<std::string>{"secret", "new"}, 0U}}) {
    auto handshake = accepting(cookies);
    ASSERT_TRUE(handshake.receive(their_name).has_value());
    handshake.answer_name(verdict::ok);
    EXPECT_TRUE(handshake.receive(their_reply).value().finished);
    EXPECT_EQ(handshake.matched_cookie(), matched);
  }
  for (const auto& cookies : {std::vector<std::string>{"wrong"}, std::vector<std::string>{}}) {
    auto handshake = accepting(cookies);
    ASSERT_TRUE(handshake.receive(their_name).has_value());
    handshake.answer_name(verdict::ok);
    EXPECT_EQ(handshake.receive(their_reply).error(), error::cookie_refused);
    EXPECT_EQ(handshake.receive(their_reply).error(), error::unexpected_message) << "one guess a connection";
  }
}

TEST(AcceptingHandshake, GivesANameToANodeThatAsksForOne) {
  auto handshake = accepting();
  ASSERT_TRUE(handshake.receive(hex("4e 0000000f07df7fbd 00000000 0009") + "127.0.0.1").has_value());
  EXPECT_TRUE(handshake.wants_name());
  EXPECT_EQ(handshake.proposed_host(), "127.0.0.1");
  EXPECT_FALSE(handshake.peer().has_value());
  const auto answer = handshake.answer_name(verdict::ok, named("x9@127.0.0.1"));
  ASSERT_EQ(answer.send.size(), 2U);
  EXPECT_EQ(answer.send[0], "snamed:" + hex("000c") + "x9@127.0.0.1" + hex("01020304"));
  // NAME_ME is answered in kind: without it OTP 25 gives up with {badmatch,static}.
  EXPECT_EQ(answer.send[1].substr(0, 9), hex("4e 0000000f07c72fbc"));
  EXPECT_EQ(handshake.proposed_host(), "x9@127.0.0.1");
  ASSERT_TRUE(handshake.peer().has_value());
  EXPECT_EQ(handshake.peer()->name.text(), "x9@127.0.0.1");
  EXPECT_EQ(handshake.peer()->creation, our_challenge);
  EXPECT_TRUE(handshake.receive(their_reply).value().finished);
}

TEST(AcceptingHandshake, UnderstandsTheOldNameMessageAndItsComplement) {
  auto handshake = accepting();
  ASSERT_TRUE(handshake.receive(their_old_name).has_value());
  EXPECT_EQ(handshake.peer()->name.text(), "g@127.0.0.1");
  const auto answer = handshake.answer_name(verdict::ok);
  ASSERT_EQ(answer.send.size(), 2U);
  EXPECT_EQ(answer.send[1][0], 'N');
  EXPECT_TRUE(handshake.receive(their_complement).value().send.empty());
  EXPECT_EQ(handshake.peer()->flags, 0x0000000d07df7fbdU);
  EXPECT_EQ(handshake.peer()->creation, 0x6b02c883U);
  EXPECT_TRUE(handshake.receive(their_reply).value().finished);

  auto without_complement = accepting();
  ASSERT_TRUE(without_complement.receive(their_old_name).has_value());
  without_complement.answer_name(verdict::ok);
  EXPECT_EQ(without_complement.receive(their_reply).error(), error::unexpected_message);

  auto old_node = accepting();
  EXPECT_EQ(old_node.receive(hex("6e 0005 00007499") + g_text).error(), error::incompatible);
  EXPECT_TRUE(old_node.peer().has_value());
}

TEST(AcceptingHandshake, FailsAtEveryStepWhenItIsCutOrOutOfTurn) {
  const std::vector<std::vector<std::string>> scripts = {{their_name, their_reply},
                                                         {their_old_name, their_complement, their_reply}};
  const std::string others[] = {
      their_name, their_old_name,         their_complement, their_reply, "strue", "",
      "x",        std::string(3000, 'N'), their_ack};
  for (const auto& script : scripts) {
    for (std::size_t at = 0; at < script.size(); ++at) {
      const auto up_to_here = [&] {
        auto handshake = accepting();
        for (std::size_t i = 0; i < at; ++i) {
          EXPECT_TRUE(handshake.receive(script[i]).has_value());
          if (i == 0) handshake.answer_name(verdict::ok);
        }
        return handshake;
      };
      for (std::size_t size = 0; size < script[at].size(); ++size) {
        // The old message's name goes on to the end of the frame: what is left of it may still be a name.
        if (script[at] == their_old_name && size >= 1 + 2 + 4 + 3) continue;
        auto handshake = up_to_here();
        EXPECT_FALSE(handshake.receive(byte_view(script[at]).substr(0, size)).has_value())
            << "frame " << at << " cut to " << size;
      }
      for (const auto& other : others) {
        if (other == script[at] || (at == 0 && (other == their_name || other == their_old_name))) continue;
        auto handshake = up_to_here();
        EXPECT_FALSE(handshake.receive(other).has_value()) << "frame " << at << " replaced by " << other;
      }
    }
  }
}

TEST(AcceptingHandshake, NothingIsDueBeforeTheVerdict) {
  auto handshake = accepting();
  EXPECT_THROW(handshake.answer_name(verdict::ok), std::logic_error);
  ASSERT_TRUE(handshake.receive(their_name).has_value());
  EXPECT_EQ(handshake.receive(their_reply).error(), error::unexpected_message);
}

TEST(Handshake, BothRolesAgreeWithEachOther) {
  initiating_handshake dialler({named("a@h.x"), flags::ours, 9}, named("b@h.x"), "c00kie",
                               challenge(0xfffffffe));
  accepting_handshake listener({named("b@h.x"), flags::ours, 10}, {"c00kie"}, challenge(0));
  ASSERT_TRUE(listener.receive(dialler.opening()).has_value());
  const auto answer = listener.answer_name(verdict::ok);
  ASSERT_TRUE(dialler.receive(answer.send[0]).has_value());
  const auto reply = dialler.receive(answer.send[1]).value();
  const auto ack = listener.receive(reply.send[0]).value();
  EXPECT_TRUE(ack.finished);
  EXPECT_TRUE(dialler.receive(ack.send[0]).value().finished);
  EXPECT_EQ(listener.peer()->creation, 9U);
  EXPECT_EQ(dialler.peer()->creation, 10U);
}

}  // namespace
}  // namespace rollcall::cnode
