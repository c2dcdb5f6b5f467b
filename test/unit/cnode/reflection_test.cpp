// Peers that do not know the cookie and have this node answer its own challenges: on one, two and three
// connections, in either direction, at once and late. None of them gets a link, nor the digest it is after.
#include <gtest/gtest.h>

#include <future>

#include "cnode/node.hpp"
#include "test/unit/cnode/node_under_test.hpp"
#include "test/unit/cnode/stranger.hpp"

namespace rollcall::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using cnode::direction;
using cnode::error;

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

std::uint32_t number_at(const std::string& frame, std::size_t at) {
  std::uint32_t value = 0;
  for (const unsigned char byte : frame.substr(at, 4)) value = value << 8U | byte;
  return value;
}

// N flags:8 challenge:4 creation:4 length:2 name
std::string challenge_frame(const std::string& name, std::uint32_t challenge) {
  return "N" + big_endian(cnode::flags::plain, 8) + big_endian(challenge, 4) + big_endian(99, 4) +
         big_endian(name.size(), 2) + name;
}
std::uint32_t challenge_in(const std::string& frame) {
  EXPECT_EQ(frame.substr(0, 1), "N");
  return number_at(frame, 9);
}
// r challenge:4 digest:16
std::string reply_frame(std::uint32_t challenge, const std::string& digest) {
  return "r" + big_endian(challenge, 4) + digest;
}
std::uint32_t challenge_in_reply(const std::string& frame) {
  EXPECT_EQ(frame.substr(0, 1), "r");
  return number_at(frame, 1);
}
std::string digest_of(std::uint32_t challenge, const std::string& cookie = "chocolate") {
  const auto digest = cnode::challenge_digest(cookie, challenge);
  return {digest.data(), digest.size()};
}

class Reflection : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(ours.start()); }

  // Dials in under that name: the connection, and the challenge it was sent.
  struct dialled_in {
    dialled_in(const std::string& name, std::uint16_t port) : connection(port) {
      connection.send(stranger::as(name).opening());
      status = connection.receive();
      challenge = challenge_in(connection.receive());
    }
    stranger connection;
    std::string status;
    std::uint32_t challenge = 0;
  };
  // Is dialled by us, and answers with that challenge. `reply` is what we sent then, empty when nothing.
  struct was_dialled {
    was_dialled(tcp::acceptor& listener, const std::string& name, std::uint32_t challenge)
        : connection(listener) {
      connection.receive();
      connection.send("sok");
      connection.send(challenge_frame(name, challenge));
      reply = connection.receive();
    }
    stranger connection;
    std::string reply;
  };

  std::future<cnode::outcome<cnode::peer>> dial(const std::string& name,
                                                std::chrono::milliseconds limit = 5s) {
    return std::async(std::launch::async,
                      [this, name, limit] { return ours.dial(name, port_of_rogue(), limit); });
  }
  std::uint16_t port_of_rogue() const { return listener.local_endpoint().port(); }
  static void expect_reflected(std::future<cnode::outcome<cnode::peer>>& dialled) {
    const auto ended = dialled.get();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, error::reflected) << ended.error().detail;
    EXPECT_NE(ended.error().detail.find("does not know the cookie"), std::string::npos)
        << ended.error().detail;
  }
  void nobody_is_linked() {
    EXPECT_TRUE(ours.peers().empty());
    EXPECT_TRUE(ours.seen.ups().empty());
  }

  io_thread thread;
  node_under_test ours{thread, "ours@127.0.0.1"};
  asio::io_context io;
  tcp::acceptor listener{io, {asio::ip::address_v4::loopback(), 0}};
};

TEST_F(Reflection, OnOneConnectionThatItDialled) {
  dialled_in rogue("rogue@127.0.0.1", ours.port());
  rogue.connection.send(reply_frame(rogue.challenge, digest_of(rogue.challenge, "vanilla")));
  EXPECT_EQ(rogue.connection.receive(), "") << "no digest of our own challenge";
  EXPECT_TRUE(
      until([&] { return ours.seen.has_handshake(direction::incoming, error::reflected); }, 5s, "told"));
  nobody_is_linked();
}

TEST_F(Reflection, OnOneConnectionThatWeDialled) {
  auto dialled = dial("rogue@127.0.0.1");
  was_dialled rogue(listener, "rogue@127.0.0.1", 12'345);
  ASSERT_EQ(rogue.reply.size(), 21U);
  rogue.connection.send("a" + rogue.reply.substr(5));  // our digest of its challenge
  const auto ended = dialled.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, error::cookie_refused);
  nobody_is_linked();
}

// It dials us and is dialled by us; under another name, or under the one we dial.
class ReflectionBothWays : public Reflection, public testing::WithParamInterface<const char*> {};

TEST_P(ReflectionBothWays, OnTwoConnections) {
  dialled_in first(GetParam(), ours.port());
  auto dialled = dial("rogue@127.0.0.1");
  was_dialled second(listener, "rogue@127.0.0.1", first.challenge);
  EXPECT_EQ(second.reply, "") << "no digest";
  expect_reflected(dialled);
  first.connection.send(
      reply_frame(1, second.reply.size() == 21 ? second.reply.substr(5) : std::string(16, 'x')));
  EXPECT_EQ(first.connection.receive(), "");
  nobody_is_linked();
}

TEST_P(ReflectionBothWays, OnTwoConnectionsTheOtherWayRound) {
  auto dialled = dial("rogue@127.0.0.1");
  was_dialled first(listener, "rogue@127.0.0.1", 12'345);
  const auto ours_on_first = challenge_in_reply(first.reply);
  dialled_in second("second@127.0.0.1", ours.port());
  // Even with the digest that a real node, asked meanwhile, was made to give.
  second.connection.send(reply_frame(ours_on_first, digest_of(second.challenge)));
  EXPECT_EQ(second.connection.receive(), "") << "no digest of the first one's challenge";
  EXPECT_TRUE(
      until([&] { return ours.seen.has_handshake(direction::incoming, error::reflected); }, 5s, "told"));
  first.connection.send("a" + std::string(16, 'x'));
  EXPECT_FALSE(dialled.get());
  nobody_is_linked();
}

TEST_P(ReflectionBothWays, AfterTheFirstConnectionHasEnded) {
  std::uint32_t challenge = 0;
  {
    dialled_in first(GetParam(), ours.port());
    challenge = first.challenge;
  }
  ASSERT_TRUE(until([&] { return !ours.seen.handshakes().empty(); }, 5s, "the first is over"));
  auto dialled = dial("rogue@127.0.0.1");
  was_dialled second(listener, "rogue@127.0.0.1", challenge);
  EXPECT_EQ(second.reply, "");
  expect_reflected(dialled);
  nobody_is_linked();
}
INSTANTIATE_TEST_SUITE_P(All, ReflectionBothWays, testing::Values("another@127.0.0.1", "rogue@127.0.0.1"),
                         [](const auto& row) {
                           return std::string(row.param).starts_with("rogue") ? "UnderOneName"
                                                                              : "UnderTwoNames";
                         });

TEST_F(Reflection, OnTwoConnectionsThatWeDialled) {
  auto one = dial("one@127.0.0.1");
  was_dialled first(listener, "one@127.0.0.1", 12'345);
  auto two = dial("two@127.0.0.1");
  was_dialled second(listener, "two@127.0.0.1", challenge_in_reply(first.reply));
  EXPECT_EQ(second.reply, "");
  expect_reflected(two);
  first.connection.send("a" + std::string(16, 'x'));
  EXPECT_FALSE(one.get());
  nobody_is_linked();
}

TEST_F(Reflection, OnThreeConnections) {
  auto one = dial("one@127.0.0.1");
  was_dialled first(listener, "one@127.0.0.1", 12'345);
  dialled_in second("second@127.0.0.1", ours.port());
  for (const auto challenge : {second.challenge, challenge_in_reply(first.reply)}) {
    auto three = dial("three@127.0.0.1");
    was_dialled third(listener, "three@127.0.0.1", challenge);
    EXPECT_EQ(third.reply, "");
    expect_reflected(three);
  }
  first.connection.send("a" + std::string(16, 'x'));
  EXPECT_FALSE(one.get());
  nobody_is_linked();
}

TEST_F(Reflection, ByAPeerThatAnswersLate) {
  auto first_dial = dial("one@127.0.0.1", 200ms);
  was_dialled first(listener, "one@127.0.0.1", 12'345);
  EXPECT_FALSE(first_dial.get()) << "given up before it answers";
  auto second_dial = dial("one@127.0.0.1");
  was_dialled second(listener, "one@127.0.0.1", challenge_in_reply(first.reply));
  EXPECT_EQ(second.reply, "");
  expect_reflected(second_dial);
  nobody_is_linked();
}

// Two nodes of one program with one cookie: what rollcall asks with while another holds its name.
TEST_F(Reflection, BetweenTwoNodesOfOneProgram) {
  node_under_test asks(thread, "asks@127.0.0.1");
  asks.options.challenges = ours.options.challenges;
  ASSERT_TRUE(asks.start());
  dialled_in first("rogue@127.0.0.1", ours.port());
  auto dialled =
      std::async(std::launch::async, [&] { return asks.dial("rogue@127.0.0.1", port_of_rogue()); });
  was_dialled second(listener, "rogue@127.0.0.1", first.challenge);
  EXPECT_EQ(second.reply, "");
  expect_reflected(dialled);
  EXPECT_TRUE(asks.peers().empty());
  nobody_is_linked();
}

TEST_F(Reflection, WhoKnowsTheCookieLinksAllTheSame) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  for (int round = 0; round < 20; ++round) {
    auto there = std::async(std::launch::async, [&] { return ours.dial("other@127.0.0.1", other.port()); });
    auto back = std::async(std::launch::async, [&] { return other.dial("ours@127.0.0.1", ours.port()); });
    EXPECT_TRUE(there.get());
    EXPECT_TRUE(back.get());
    thread.on([&] { (*ours).hang_up(*node_name::parse("other@127.0.0.1")); });
    ASSERT_TRUE(until([&] { return ours.peers().empty() && other.peers().empty(); }, 5s, "apart"));
  }
  EXPECT_FALSE(ours.seen.has_handshake(direction::incoming, error::reflected));
  EXPECT_FALSE(ours.seen.has_handshake(direction::outgoing, error::reflected));
}

}  // namespace
}  // namespace rollcall::test
