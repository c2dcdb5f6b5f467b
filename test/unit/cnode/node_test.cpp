// Nodes of ours against each other, and against peers that do the handshake and then send what they like.
#include "cnode/node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <deque>

#include "cnode/control.hpp"
#include "cnode/dialler.hpp"
#include "cnode/flags.hpp"
#include "cnode/message_reader.hpp"
#include "cnode/message_writer.hpp"
#include "test/unit/cnode/node_under_test.hpp"
#include "test/unit/cnode/stranger.hpp"

namespace rollcall::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using cnode::error;

class Node : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(ours.start()); }

  // A peer that linked to us and whose bytes are the test's.
  class peer {
   public:
    peer(io_thread& thread, const std::string& name, std::uint16_t port,
         const std::string& cookie = "chocolate", std::uint64_t announced = cnode::flags::plain)
        : thread_(thread), socket_(thread.io) {
      if (cnode::flags::has(announced, cnode::flags::fragments)) headers_.emplace(true);
      thread_.run(link(name, port, cookie, announced));
    }
    ~peer() { close(); }
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;
    bool linked() const { return linked_; }
    void close() {
      thread_.on([this] {
        boost::system::error_code ignored;
        socket_.close(ignored);
      });
    }
    // False once the connection is gone; not to be called again then (Asio would wait for ever).
    bool write(std::string bytes) { return thread_.run(write_all(std::move(bytes))); }
    // The next message that is no tick; absent when the connection is closed.
    std::optional<cnode::control_message> read() { return thread_.run(read_message()); }
    bool closed() {
      while (read()) {
      }
      return true;
    }
    std::size_t fragments() const { return fragments_; }  // that it has read

   private:
    asio::awaitable<void> link(std::string name, std::uint16_t port, std::string cookie,
                               std::uint64_t announced) {
      const tcp::endpoint at(asio::ip::address_v4::loopback(), port);
      co_await socket_.async_connect(at, cnode::as_result);
      const auto where = node_under_test::at("ours@127.0.0.1", port);
      // Named: GCC 12 copies a braced temporary of a co_await expression byte by byte.
      const cnode::identity self{*node_name::parse(name), announced, 99};
      cnode::stream connected(std::move(socket_));
      const auto other =
          co_await cnode::shake(connected, at, where, self, cookie, cnode::challenges().issue());
      socket_ = std::move(connected.socket());
      socket_.non_blocking(false);
      linked_ = other.has_value();
    }
    asio::awaitable<bool> write_all(std::string bytes) {
      const auto [code, size] = co_await asio::async_write(socket_, asio::buffer(bytes), cnode::as_result);
      co_return !code;
    }
    asio::awaitable<std::optional<cnode::control_message>> read_message() {
      while (true) {
        std::array<std::uint8_t, 4> prefix{};
        const auto [code, size] = co_await asio::async_read(socket_, asio::buffer(prefix), cnode::as_result);
        if (code) co_return std::nullopt;
        const auto length = cnode::frame_length(prefix);
        if (!length) co_return std::nullopt;
        if (*length == 0) continue;
        std::string frame(*length, '\0');
        const auto [failed, got] = co_await asio::async_read(socket_, asio::buffer(frame), cnode::as_result);
        if (failed) co_return std::nullopt;
        auto message = parsed(frame);
        if (!message) co_return std::nullopt;
        if (*message) co_return std::move((*message)->control);
      }
    }
    // Absent: a fragment, and not the last.
    cnode::result<std::optional<cnode::message>> parsed(std::string_view frame) {
      if (headers_) {
        fragments_ += frame.size() > 1 && (frame[1] == 69 || frame[1] == 70) ? 1 : 0;
        return headers_->take(frame, frame.size(), cnode::reasons::decoded);
      }
      auto message = cnode::parse_message(frame);
      if (!message) return message.error();
      return std::optional(*std::move(message));
    }
    io_thread& thread_;
    tcp::socket socket_;
    bool linked_ = false;
    std::optional<cnode::message_reader> headers_;
    std::size_t fragments_ = 0;
  };

  static std::string frame(std::string_view body) {
    std::string out{0, 0, static_cast<char>(body.size() >> 8U), static_cast<char>(body.size() & 0xffU)};
    return out.append(body);
  }
  static cnode::pid pid_of(const std::string& node) { return {node, 7, 0, 99}; }
  static cnode::reference reference_of(const std::string& node) { return {node, 99, {1, 2, 3}, 3}; }

  io_thread thread;
  node_under_test ours{thread, "ours@127.0.0.1"};
};

TEST_F(Node, LinksCallsAndLeaves) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  const auto linked = ours.dial("other@127.0.0.1", other.port());
  ASSERT_TRUE(linked) << linked.error().detail;
  EXPECT_FALSE(linked->visible);
  EXPECT_EQ(linked->creation, thread.on([&] { return (*other).creation(); }));
  // Already linked: at once, from either side, and no second link.
  EXPECT_TRUE(ours.dial("other@127.0.0.1", 1, 1ms));
  ASSERT_TRUE(until([&] { return other.peers().size() == 1; }, 5s, "the other side's link"));
  EXPECT_TRUE(other.dial("ours@127.0.0.1", 1, 1ms));

  const auto value = ours.call("other@127.0.0.1", "rollcall", "members");
  ASSERT_TRUE(value) << value.error().detail;
  EXPECT_EQ(cnode::to_string(*value), "[one,two]");
  const auto raised = other.call("ours@127.0.0.1", "rollcall", "clause", {std::int64_t{1}});
  ASSERT_FALSE(raised);
  EXPECT_EQ(raised.error().detail, "error:function_clause in [{rollcall,clause,[1],[]}]");

  other.stop();
  EXPECT_TRUE(other.seen.has_down("ours@127.0.0.1", error::stopping));
  EXPECT_TRUE(
      until([&] { return ours.seen.has_down("other@127.0.0.1", error::closed); }, 5s, "our link_down"));
  EXPECT_TRUE(ours.peers().empty());
  EXPECT_FALSE(other.dial("ours@127.0.0.1", ours.port()));
}

TEST_F(Node, TwoDialsAtOnceGiveOneLink) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  for (int round = 0; round < 50; ++round) {
    auto theirs = std::async(std::launch::async, [&] { return other.dial("ours@127.0.0.1", ours.port()); });
    const auto mine = ours.dial("other@127.0.0.1", other.port());
    EXPECT_TRUE(mine) << mine.error().detail;
    const auto got = theirs.get();
    EXPECT_TRUE(got) << got.error().detail;
    ASSERT_TRUE(until([&] { return ours.peers().size() == 1 && other.peers().size() == 1; }, 5s, "one link"));
    const auto value = ours.call("other@127.0.0.1", "rollcall", "members");
    ASSERT_TRUE(value) << value.error().detail;
    thread.on([&] { (*ours).hang_up(*node_name::parse("other@127.0.0.1")); });
    ASSERT_TRUE(until([&] { return other.peers().empty(); }, 5s, "no link"));
  }
}

TEST_F(Node, ItsOwnNameIsNotDialled) {
  const auto itself = ours.dial("ours@127.0.0.1", ours.port());
  ASSERT_FALSE(itself);
  EXPECT_EQ(itself.error().code, error::not_allowed);
  // Nor does it get in by what answers there.
  auto nameless = node_under_test::at("ours@127.0.0.1", ours.port());
  nameless.name.reset();
  const auto looped = ours.dial(nameless);
  ASSERT_FALSE(looped);
  EXPECT_EQ(looped.error().code, error::not_allowed) << looped.error().detail;
  EXPECT_TRUE(ours.peers().empty());
}

TEST_F(Node, OneDarkAddressDelaysNobody) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  // Accepts and never answers, as a frozen node does.
  tcp::acceptor silent(thread.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const auto port = silent.local_endpoint().port();
  std::vector<std::future<cnode::outcome<cnode::peer>>> dark;
  for (int i = 0; i < 200; ++i) {
    dark.push_back(std::async(std::launch::async, [&, i] {
      return ours.dial("dark" + std::to_string(i) + "@127.0.0.1", port, 10min);
    }));
  }
  EXPECT_TRUE(ours.dial("other@127.0.0.1", other.port()));
  for (auto& one : dark) EXPECT_EQ(one.wait_for(0s), std::future_status::timeout) << "none has ended";
  const auto late = ours.dial("later@127.0.0.1", port, 300ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, error::timed_out);
  EXPECT_EQ(late.error().step, cnode::dial_step::handshake);
  ours.stop();
  for (auto& one : dark) {
    const auto ended = one.get();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, error::stopping);
  }
}

TEST_F(Node, TriesEveryAddressOfAHost) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  node_under_test resolving(thread, "resolving@127.0.0.1");
  resolving.resolve = [](std::string host) -> asio::awaitable<cnode::resolved> {
    cnode::resolved answer;
    if (host == "a.name") {
      answer.addresses = {asio::ip::make_address("::1"), asio::ip::make_address("127.0.0.1")};
    } else {
      answer.why = "no such name " + host;
    }
    co_return answer;
  };
  ASSERT_TRUE(resolving.start());
  auto where = node_under_test::at("other@127.0.0.1", other.port());
  where.host = "a.name";
  where.address.reset();
  const auto linked = resolving.dial(where);
  EXPECT_TRUE(linked) << linked.error().detail;

  auto unresolved = node_under_test::at("absent@127.0.0.1", other.port());
  unresolved.host = "no.such.name";
  unresolved.address.reset();
  const auto failed = resolving.dial(unresolved);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, error::not_resolved);
  EXPECT_EQ(failed.error().detail, "absent@127.0.0.1: no such name no.such.name");
  EXPECT_EQ(failed.error().step, cnode::dial_step::resolve);
}

TEST_F(Node, ANewerLinkTakesTheOlderOnesPlaceOnlyWithTheCookie) {
  peer first(thread, "twin@127.0.0.1", ours.port());
  ASSERT_TRUE(first.linked());
  peer stranger(thread, "twin@127.0.0.1", ours.port(), "vanilla");
  EXPECT_FALSE(stranger.linked());
  EXPECT_TRUE(ours.seen.downs().empty());
  peer second(thread, "twin@127.0.0.1", ours.port());
  ASSERT_TRUE(second.linked());
  EXPECT_TRUE(first.closed());
  EXPECT_TRUE(
      until([&] { return ours.seen.has_down("twin@127.0.0.1", error::superseded); }, 5s, "superseded"));
  EXPECT_EQ(ours.peers().size(), 1U);
}

TEST_F(Node, AStrangerThatClaimsANameKeepsNobodyFromDiallingIt) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  stranger claims(ours.port());
  claims.send(stranger::as("other@127.0.0.1").opening());
  ASSERT_EQ(claims.receive(), "sok");
  // It stands still, for longer than this dial may take.
  const auto linked = ours.dial("other@127.0.0.1", other.port(), 3s);
  EXPECT_TRUE(linked) << linked.error().detail;
}

TEST_F(Node, AStrangerDoesNotEndTheHandshakeOfWhomItClaimsToBe) {
  stranger real(ours.port());
  auto handshake = stranger::as("real@127.0.0.1");
  real.send(handshake.opening());
  ASSERT_TRUE(handshake.receive(real.receive()));
  stranger claims(ours.port());
  claims.send(handshake.opening());
  ASSERT_EQ(claims.receive(), "sok");
  const auto reply = handshake.receive(real.receive());
  ASSERT_TRUE(reply);
  real.send(reply->send.front());
  EXPECT_TRUE(handshake.receive(real.receive()));
  EXPECT_TRUE(until([&] { return ours.peers().size() == 1; }, 5s, "linked"));
}

TEST_F(Node, HandshakesThatStandStillMakeRoomForOthers) {
  node_under_test strict(thread, "strict@127.0.0.1");
  strict.options.max_incoming_handshakes = 2;
  strict.options.handshake_limit = 60s;
  ASSERT_TRUE(strict.start());
  std::deque<stranger> slow;
  for (int i = 0; i < 5; ++i) slow.emplace_back(strict.port());
  const auto linked = ours.dial("strict@127.0.0.1", strict.port());
  EXPECT_TRUE(linked) << linked.error().detail;
  EXPECT_EQ(slow.front().receive(), "");
}

// Goes as far as our digest and closes the connection; then, or a moment before, the listener as well.
class NodeDials : public Node, public testing::WithParamInterface<bool> {};

TEST_P(NodeDials, APeerThatClosesBeforeItsAckRefusedOurCookieOnlyIfItLives) {
  const bool dies = GetParam();
  asio::io_context io;
  tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), 0});
  const auto port = listener.local_endpoint().port();
  auto dialled = std::async(std::launch::async, [&] { return ours.dial("shy@127.0.0.1", port); });
  {
    stranger shy(listener);
    shy.receive();
    const cnode::identity self{*node_name::parse("shy@127.0.0.1"), cnode::flags::plain, 99};
    cnode::accepting_handshake handshake(self, {"vanilla"}, cnode::challenge(5));
    ASSERT_TRUE(handshake.receive(stranger::as("ours@127.0.0.1").opening()));
    for (const auto& frame : handshake.answer_name(cnode::accepting_handshake::verdict::ok).send)
      shy.send(frame);
    EXPECT_EQ(shy.receive().size(), 21U);
    if (dies) listener.close();
  }
  const auto ended = dialled.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, dies ? error::closed : error::cookie_refused) << ended.error().detail;
  EXPECT_EQ(ended.error().step, cnode::dial_step::handshake);
}
INSTANTIATE_TEST_SUITE_P(All, NodeDials, testing::Bool(), [](const auto& row) {
  return std::string(row.param ? "AndIsGone" : "AndIsStillThere");
});

// Which end of it the message is cut at, and by which side it was dialled.
TEST_F(Node, AHandshakeThatEndsInTheMiddleOfAMessageSaysWhereToLook) {
  asio::io_context io;
  tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), 0});
  const auto port = listener.local_endpoint().port();
  auto dialled = std::async(std::launch::async, [&] { return ours.dial("cut@127.0.0.1", port); });
  {
    stranger cut(listener);
    cut.receive();
    cut.send_half("sok");
  }
  const auto ended = dialled.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, error::truncated);
  EXPECT_THAT(ended.error().detail,
              testing::HasSubstr("in the middle of a message of the handshake; see its log"));

  stranger(ours.port()).send_half(stranger::as("cut@127.0.0.1").opening());
  ASSERT_TRUE(until([&] { return ours.seen.has_handshake(cnode::direction::incoming, error::truncated); }, 5s,
                    "the end of it"));
  EXPECT_THAT(ours.seen.handshakes().back().detail, testing::HasSubstr("see its log"));
}

struct bad_bytes {
  const char* name;
  std::string bytes;
  error expected;
};
void PrintTo(const bad_bytes& row, std::ostream* out) {
  *out << row.name;
}

class NodeHears : public Node, public testing::WithParamInterface<bad_bytes> {};

TEST_P(NodeHears, GarbageAndClosesThatLinkOnly) {
  peer good(thread, "good@127.0.0.1", ours.port());
  peer bad(thread, "bad@127.0.0.1", ours.port());
  ASSERT_TRUE(good.linked() && bad.linked());
  bad.write(GetParam().bytes);
  EXPECT_TRUE(bad.closed());
  EXPECT_TRUE(
      until([&] { return ours.seen.has_down("bad@127.0.0.1", GetParam().expected); }, 5s, "the reason"))
      << (ours.seen.downs().empty() ? "none" : ours.seen.downs().front().code.message());
  EXPECT_EQ(ours.peers(), std::vector<std::string>{"good@127.0.0.1"});
}

std::string with_length(std::string body) {
  std::string out{0, 0, static_cast<char>(body.size() >> 8U), static_cast<char>(body.size() & 0xffU)};
  return out + body;
}

std::string deep_term() {
  std::string nested = "p\x83";
  for (int i = 0; i < 10'000; ++i) nested += "h\x01";
  return with_length(nested + "j");
}

const bad_bytes all_bad_bytes[] = {
    {"FourGibibytes", std::string("\xff\xff\xff\xff", 4), error::frame_too_large},
    {"NotPassThrough", with_length("x"), error::bad_control},
    {"OnlyPassThrough", with_length("p"), error::truncated},
    {"TruncatedTerm", with_length(std::string("p\x83h\x04", 4)), error::truncated},
    {"BinaryPastTheEnd", with_length(std::string("p\x83m\xff\xff\xff\xff", 7)), error::truncated},
    {"DeepTerm", deep_term(), error::too_deep},
    {"NoTuple", with_length("p\x83j"), error::bad_control},
};
INSTANTIATE_TEST_SUITE_P(All, NodeHears, testing::ValuesIn(all_bad_bytes),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(Node, IgnoresAnUnknownControlMessageAndTellsOnce) {
  peer odd(thread, "odd@127.0.0.1", ours.port());
  ASSERT_TRUE(odd.linked());
  const auto unknown = frame(std::string("p\x83h\x02\x61\x63\x61\x00", 8));  // {99, 0}
  odd.write(unknown + unknown + unknown);
  // What follows is served as if nothing had been.
  odd.write(cnode::encode_message(cnode::control::monitor{pid_of("odd@127.0.0.1"), cnode::atom{"nobody"},
                                                          reference_of("odd@127.0.0.1")}));
  const auto answered = odd.read();
  ASSERT_TRUE(answered);
  ASSERT_TRUE(std::holds_alternative<cnode::control::monitor_exit>(*answered));
  EXPECT_TRUE(std::get<cnode::control::monitor_exit>(*answered).reason.is_atom("noproc"));
  EXPECT_EQ(ours.seen.unexpecteds().size(), 1U);
}

// It was not walked through to its end, so that nobody may read it.
TEST_F(Node, GivesNobodyAMessageThatIsNestedTooDeeply) {
  node_under_test reader(thread, "ours@127.0.0.1");
  std::atomic<int> given = 0;
  reader.messages = [&](const node_name&, cnode::byte_view) {
    ++given;
    return true;
  };
  ASSERT_TRUE(reader.start());
  peer odd(thread, "odd@127.0.0.1", reader.port());
  ASSERT_TRUE(odd.linked());
  const cnode::control::send to_us{thread.on([&] { return (*reader).self(); })};
  std::string nested;
  for (int i = 0; i < 1'000; ++i) nested += "h\x01";
  odd.write(cnode::encode_message(to_us, nested + "j"));
  odd.write(cnode::encode_message(to_us, "j"));
  EXPECT_TRUE(until([&] { return given > 0; }, 5s, "the second one"));
  EXPECT_EQ(given, 1);
  EXPECT_EQ(reader.peers(), std::vector<std::string>{"odd@127.0.0.1"});
}

TEST_F(Node, AFrameInSingleBytesIsAFrame) {
  peer slow(thread, "slow@127.0.0.1", ours.port());
  ASSERT_TRUE(slow.linked());
  const auto message = cnode::encode_message(
      cnode::control::unlink_id{77, pid_of("slow@127.0.0.1"), thread.on([&] { return (*ours).self(); })});
  for (const char byte : message) slow.write(std::string(1, byte));
  const auto answered = slow.read();
  ASSERT_TRUE(answered);
  ASSERT_TRUE(std::holds_alternative<cnode::control::unlink_id_ack>(*answered));
  EXPECT_EQ(std::get<cnode::control::unlink_id_ack>(*answered).id, 77U);
}

std::string call_of(const cnode::pid& from, const cnode::reference& id, std::string_view function,
                    std::vector<cnode::term> given = {}) {
  cnode::term_writer arguments;
  arguments.list_header(4).write(id).atom("rollcall").atom(function);
  arguments.write(cnode::list{std::move(given), nullptr}).nil();
  const cnode::control::spawn_request request{id,
                                              from,
                                              from,
                                              cnode::atom{"erpc"},
                                              cnode::atom{"execute_call"},
                                              4,
                                              cnode::list{{cnode::atom{"monitor"}}, nullptr}};
  return cnode::encode_message(request, arguments.view());
}

// Asks for a MiB sixteen times before it reads anything: what it has not taken is not made.
TEST_F(Node, APeerThatDoesNotReadGetsItsAnswersAsFastAsItTakesThem) {
  peer slow(thread, "slow@127.0.0.1", ours.port());
  ASSERT_TRUE(slow.linked());
  const auto me = pid_of("slow@127.0.0.1");
  const auto name = *node_name::parse("slow@127.0.0.1");
  constexpr int calls = 16;
  std::string asked;
  for (int i = 0; i < calls; ++i) asked += call_of(me, reference_of("slow@127.0.0.1"), "large");
  ASSERT_TRUE(slow.write(asked));
  ASSERT_TRUE(
      until([&] { return thread.on([&] { return (*ours).waiting(name); }) > 0; }, 10s, "answers wait"));
  std::size_t most = 0;
  for (int answered = 0; answered < calls;) {
    most = std::max(most, thread.on([&] { return (*ours).waiting(name); }));
    const auto message = slow.read();
    ASSERT_TRUE(message) << answered << " answers came";
    answered += std::holds_alternative<cnode::control::monitor_exit>(*message) ? 1 : 0;
  }
  EXPECT_LE(most, 4U << 20U);
  EXPECT_TRUE(ours.seen.downs().empty());
}

// {atomN, N} for each, however it went out.
void expect_in_turns(const cnode::term& value, std::size_t pieces) {
  const auto* list = value.as<cnode::list>();
  ASSERT_NE(list, nullptr);
  ASSERT_EQ(list->items.size(), pieces * 1'000);
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const cnode::tuple expected{
        {cnode::atom{"atom" + std::to_string(i % 600)}, static_cast<std::int64_t>(i)}};
    ASSERT_EQ(list->items[i], cnode::term(expected)) << i;
  }
}

TEST_F(Node, ALongAnswerGoesOutInFragments) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  ASSERT_TRUE(other.dial("ours@127.0.0.1", ours.port()));
  for (int i = 0; i < 2; ++i) {
    const auto answer = other.call("ours@127.0.0.1", "rollcall", "in_turns", {std::int64_t{20}});
    ASSERT_TRUE(answer) << answer.error().detail;
    expect_in_turns(*answer, 20);
  }
  EXPECT_TRUE(other.call("ours@127.0.0.1", "rollcall", "members")) << "the link is read again";
  EXPECT_LT(thread.on([&] { return (*ours).held(); }), 100'000U);
}

// The end of an erpc call, too: other frames go out between, and none of it stays in our memory.
TEST_F(Node, ALongAnswerGoesOutInFragmentsWithoutTheAtomCache) {
  peer fragments(thread, "fragments@127.0.0.1", ours.port(), "chocolate",
                 cnode::flags::plain | cnode::flags::fragments | cnode::flags::exit_payload);
  ASSERT_TRUE(fragments.linked());
  std::string asked;
  cnode::message_writer(false).append(
      asked, call_of(pid_of("fragments@127.0.0.1"), reference_of("fragments@127.0.0.1"), "in_turns",
                     {std::int64_t{20}}));
  ASSERT_TRUE(fragments.write(asked));
  std::optional<cnode::control_message> message;
  do {
    message = fragments.read();
    ASSERT_TRUE(message);
  } while (!std::holds_alternative<cnode::control::monitor_exit>(*message));
  const auto* answer = std::get<cnode::control::monitor_exit>(*message).reason.as<cnode::tuple>();
  ASSERT_NE(answer, nullptr);
  expect_in_turns(answer->items.at(2), 20);
  EXPECT_EQ(fragments.fragments(), 20U);
}

// One that announced no headers gets a frame, and nothing within it; of what it asks meanwhile nothing is
// read.
TEST_F(Node, ALongAnswerIsOneFrameWhereThereAreNoFragments) {
  peer plain(thread, "plain@127.0.0.1", ours.port());
  ASSERT_TRUE(plain.linked());
  const auto me = pid_of("plain@127.0.0.1");
  constexpr std::int64_t pieces = 60;
  const auto asked = call_of(me, reference_of("plain@127.0.0.1"), "in_turns", {pieces});
  ASSERT_TRUE(plain.write(asked + asked));
  std::size_t reasons = 0, events = 0;
  while (reasons < 2) {
    thread.on([&] { return (*ours).send(me, cnode::term_writer().atom("event").bytes()); });
    const auto message = plain.read();
    ASSERT_TRUE(message) << reasons << " answers came";
    if (const auto* down = std::get_if<cnode::control::monitor_exit>(&*message)) {
      ++reasons;
      const auto* answer = down->reason.as<cnode::tuple>();
      ASSERT_NE(answer, nullptr);
      expect_in_turns(answer->items.at(2), pieces);
    } else if (std::holds_alternative<cnode::control::send>(*message)) {
      ++events;
    }
  }
  EXPECT_GT(events, 0U);
  EXPECT_TRUE(ours.seen.downs().empty());
}

TEST_F(Node, APeerThatTakesNothingForItsTickTimeIsClosed) {
  node_under_test quick(thread, "ours@127.0.0.1");
  quick.options.tick_time = 400ms;
  ASSERT_TRUE(quick.start());
  peer deaf(thread, "deaf@127.0.0.1", quick.port());
  ASSERT_TRUE(deaf.linked());
  std::string asked;
  for (int i = 0; i < 64; ++i) {
    asked += call_of(pid_of("deaf@127.0.0.1"), reference_of("deaf@127.0.0.1"), "large");
  }
  ASSERT_TRUE(deaf.write(asked));
  EXPECT_TRUE(
      until([&] { return quick.seen.has_down("deaf@127.0.0.1", error::tick_timed_out); }, 10s, "closed"));
}

TEST_F(Node, WhatWeSendUnaskedIsBounded) {
  node_under_test small(thread, "ours@127.0.0.1");
  small.options.max_queued_bytes = 3U << 20U;
  ASSERT_TRUE(small.start());
  peer deaf(thread, "deaf@127.0.0.1", small.port());
  ASSERT_TRUE(deaf.linked());
  const auto large = cnode::term_writer().binary(std::string(1U << 20U, 'x')).bytes();
  for (int i = 0; i < 64; ++i) thread.on([&] { return (*small).send(pid_of("deaf@127.0.0.1"), large); });
  EXPECT_TRUE(
      until([&] { return small.seen.has_down("deaf@127.0.0.1", error::queue_full); }, 10s, "queue_full"));
}

// A peer with the cookie may send what it likes; what all of them together have half sent is bounded.
class NodeUnderGreed : public Node {
 protected:
  // Each of twelve links sends 900 kB that have to be kept; 2 MiB may be.
  void send_from_twelve(std::uint64_t announced, const std::string& kept) {
    constexpr std::size_t budget = 2U << 20U;
    node_under_test small(thread, "ours@127.0.0.1");
    small.options.max_held_bytes = budget;
    ASSERT_TRUE(small.start());
    peer honest(thread, "honest@127.0.0.1", small.port());
    ASSERT_TRUE(honest.linked());
    std::deque<peer> greedy;
    for (int i = 0; i < 12; ++i) {
      const auto name = "greedy" + std::to_string(i) + "@127.0.0.1";
      greedy.emplace_back(thread, name, small.port(), "chocolate", announced);
      ASSERT_TRUE(greedy.back().linked());
      greedy.back().write(kept);
      EXPECT_LE(thread.on([&] { return (*small).held(); }), budget);
    }
    EXPECT_TRUE(
        until([&] { return small.seen.downs().size() >= 10; }, 10s, "the worst offenders are closed"));
    for (const auto& down : small.seen.downs()) {
      EXPECT_EQ(down.code, error::memory_exhausted) << down.node << ' ' << down.detail;
      EXPECT_TRUE(down.node.starts_with("greedy")) << down.node;
      EXPECT_NE(down.detail.find(down.node + " held most of it"), std::string::npos) << down.detail;
    }
    ASSERT_TRUE(
        honest.write(call_of(pid_of("honest@127.0.0.1"), reference_of("honest@127.0.0.1"), "members")));
    EXPECT_TRUE(honest.read());
  }
};

TEST_F(NodeUnderGreed, HalfSentFramesOfManyLinksShareOneBudget) {
  send_from_twelve(cnode::flags::plain, std::string{0, 0x10, 0, 0} + std::string(900'000, 'p'));  // of 1 MiB
}

// | 131 | 69 | sequence:8 | number:8 | N = 0 | bytes |
TEST_F(NodeUnderGreed, FragmentsOfManyLinksShareOneBudget) {
  auto first = std::string("\x83\x45") + std::string(15, 0) + '\2' + '\0';
  first[9] = 1;
  first.resize(900'000, 'p');
  const std::string length{0, static_cast<char>(first.size() >> 16U),
                           static_cast<char>(first.size() >> 8U & 0xffU),
                           static_cast<char>(first.size() & 0xffU)};
  send_from_twelve(cnode::flags::ours, length + first);
}

TEST_F(Node, AnswersThatNobodyTakesShareTheBudget) {
  node_under_test small(thread, "ours@127.0.0.1");
  small.options.max_held_bytes = 3U << 20U;
  ASSERT_TRUE(small.start());
  std::deque<peer> deaf;
  for (int i = 0; i < 8; ++i) {
    const auto name = "deaf" + std::to_string(i) + "@127.0.0.1";
    deaf.emplace_back(thread, name, small.port());
    ASSERT_TRUE(deaf.back().linked());
    std::string asked;
    for (int call = 0; call < 64; ++call) asked += call_of(pid_of(name), reference_of(name), "large");
    deaf.back().write(asked);
  }
  EXPECT_TRUE(until(
      [&] {
        return small.seen.has_down("deaf0@127.0.0.1", error::memory_exhausted) ||
               small.seen.downs().size() >= 4;
      },
      20s, "some are closed"));
  EXPECT_LE(thread.on([&] { return (*small).held(); }), 3U << 20U);
}

TEST_F(Node, WhatOneAnswerNeededIsGivenBack) {
  peer large(thread, "large@127.0.0.1", ours.port());
  ASSERT_TRUE(large.linked());
  const auto message =
      cnode::encode_message(cnode::control::reg_send{pid_of("large@127.0.0.1"), cnode::atom{"nobody"}},
                            cnode::term_writer().binary(std::string(1U << 20U, 'x')).bytes());
  ASSERT_TRUE(large.write(message.substr(0, message.size() / 2)));
  EXPECT_TRUE(until([&] { return thread.on([&] { return (*ours).held(); }) > message.size() / 4; }, 10s,
                    "half is held"));
  ASSERT_TRUE(large.write(message.substr(message.size() / 2)));
  EXPECT_TRUE(until([&] { return thread.on([&] { return (*ours).held(); }) < 100; }, 10s,
                    "no more is held than the buffers' own objects"));
}

TEST_F(Node, LinksThatComeInAreCapped) {
  node_under_test strict(thread, "ours@127.0.0.1");
  strict.options.max_incoming_links = 2;
  ASSERT_TRUE(strict.start());
  peer one(thread, "one@127.0.0.1", strict.port()), two(thread, "two@127.0.0.1", strict.port());
  ASSERT_TRUE(one.linked() && two.linked());
  peer three(thread, "three@127.0.0.1", strict.port());
  EXPECT_FALSE(three.linked());
  EXPECT_TRUE(
      until([&] { return strict.seen.has_handshake(cnode::direction::incoming, error::too_many_links); }, 5s,
            "told"));
  peer again(thread, "two@127.0.0.1", strict.port());
  EXPECT_TRUE(again.linked()) << "in the place of its old one";
  node_under_test member(thread, "member@127.0.0.1");
  ASSERT_TRUE(member.start());
  EXPECT_TRUE(strict.dial("member@127.0.0.1", member.port())) << "who is dialled is not counted";
}

// C and Java nodes: what they did not announce breaks their links, or the call that waits there.
class NodeLinksTo : public Node, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(NodeLinksTo, APeerGetsOnlyWhatItAnnounced) {
  peer plain(thread, "plain@127.0.0.1", ours.port(), "chocolate", GetParam());
  ASSERT_TRUE(plain.linked());
  const auto process = pid_of("plain@127.0.0.1");
  const auto monitor = thread.on([&] { return (*ours).monitor(process); });
  ASSERT_TRUE(monitor);
  const auto other = thread.on([&] { return (*ours).monitor(process); });
  thread.on([&] { (*ours).demonitor(*other); });
  const auto answer = ours.call("plain@127.0.0.1", "erlang", "nodes");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, cnode::call_failure_kind::refused);
  EXPECT_NE(answer.error().detail.find("SPAWN"), std::string::npos) << answer.error().detail;
  thread.on([&] { return (*ours).send(process, cnode::term_writer().atom("event").bytes()); });
  const auto first = plain.read();
  ASSERT_TRUE(first);
  EXPECT_TRUE(std::holds_alternative<cnode::control::send>(*first)) << "operation " << first->index();
  plain.close();
  EXPECT_TRUE(until([&] { return ours.seen.gone().size() == 1; }, 5s, "the end of its link is told"));
  EXPECT_EQ(ours.seen.gone().front(), *monitor);
}
// JInterface, and libei (OTP 25 to 29), as they announce themselves.
INSTANTIATE_TEST_SUITE_P(All, NodeLinksTo, testing::Values(0x407070f94ULL, 0x407074f9cULL),
                         [](const auto& row) {
                           return row.param == 0x407070f94ULL ? "Jinterface" : "Libei";
                         });

TEST_F(Node, ACallThatIsTooLargeIsRefusedAndTheNextOneIsServed) {
  peer large(thread, "large@127.0.0.1", ours.port());
  ASSERT_TRUE(large.linked());
  const auto me = pid_of("large@127.0.0.1");
  const auto id = reference_of("large@127.0.0.1");
  const cnode::binary too_large{std::string(cnode::max_frame_size, 'x')};
  ASSERT_TRUE(large.write(call_of(me, id, "echo", {too_large}) + call_of(me, id, "members")));
  const auto refused = large.read();
  ASSERT_TRUE(refused && std::holds_alternative<cnode::control::spawn_reply>(*refused));
  EXPECT_EQ(std::get<cnode::control::spawn_reply>(*refused).outcome,
            (std::variant<cnode::pid, cnode::atom>(cnode::atom{"system_limit"})));
  const auto started = large.read();
  ASSERT_TRUE(started && std::holds_alternative<cnode::control::spawn_reply>(*started));
  EXPECT_TRUE(std::holds_alternative<cnode::pid>(std::get<cnode::control::spawn_reply>(*started).outcome));
}

// {'$gen_call', {Caller, Tag}, Request}
std::string gen_call(const cnode::pid& from, const cnode::term& tag, const cnode::byte_string& request) {
  cnode::term_writer out;
  out.tuple_header(3).atom("$gen_call").tuple_header(2).write(from).write(tag).raw(request);
  return out.bytes();
}

// Too large in bytes, in terms, in depth: by name and by pid.
TEST_F(Node, ACallToAProcessThatIsTooLargeEndsItsMonitorAndNoOther) {
  peer large(thread, "large@127.0.0.1", ours.port());
  ASSERT_TRUE(large.linked());
  const auto me = pid_of("large@127.0.0.1");
  const auto self = thread.on([&] { return (*ours).self(); });
  const cnode::atom to{"rollcall"};
  auto others = reference_of("large@127.0.0.1");
  others.ids[0] = 99;
  ASSERT_TRUE(large.write(cnode::encode_message(cnode::control::monitor{me, to, others})));

  cnode::term_writer many, deep;
  many.list_header(300'000);
  for (int i = 0; i < 300'000; ++i) many.integer(1);
  many.nil();
  for (int i = 0; i < 300; ++i) deep.tuple_header(1);
  deep.nil();
  const auto large_binary = cnode::term_writer().binary(std::string(cnode::max_frame_size, 'x')).bytes();
  for (const auto& request : {large_binary, many.bytes(), deep.bytes()}) {
    for (const bool by_name : {true, false}) {
      SCOPED_TRACE(request.size());
      auto ref = reference_of("large@127.0.0.1");
      const cnode::term tag(cnode::list{{cnode::atom{"alias"}}, std::make_shared<const cnode::term>(ref)});
      const auto monitored = by_name ? cnode::process_id(to) : cnode::process_id(self);
      const auto call = gen_call(me, tag, request);
      ASSERT_TRUE(large.write(cnode::encode_message(cnode::control::monitor{me, monitored, ref}) +
                              (by_name ? cnode::encode_message(cnode::control::reg_send{me, to}, call)
                                       : cnode::encode_message(cnode::control::send{self}, call))));
      const auto down = large.read();
      ASSERT_TRUE(down && std::holds_alternative<cnode::control::monitor_exit>(*down));
      EXPECT_EQ(std::get<cnode::control::monitor_exit>(*down).ref, ref);
      EXPECT_TRUE(std::get<cnode::control::monitor_exit>(*down).reason.is_atom("system_limit"));
    }
  }
  // Served as if nothing had been.
  ASSERT_TRUE(large.write(call_of(me, reference_of("large@127.0.0.1"), "members")));
  const auto next = large.read();
  ASSERT_TRUE(next);
  EXPECT_TRUE(std::holds_alternative<cnode::control::spawn_reply>(*next));
  EXPECT_TRUE(ours.seen.downs().empty());
}

TEST_F(Node, AnAnswerToACallOfOursThatIsTooLargeClosesTheLink) {
  peer large(thread, "large@127.0.0.1", ours.port());
  ASSERT_TRUE(large.linked());
  const auto me = pid_of("large@127.0.0.1");
  const auto us = thread.on([&] { return (*ours).self(); });
  const cnode::term huge(cnode::binary{std::string(cnode::max_frame_size, 'x')});
  large.write(
      cnode::encode_message(cnode::control::monitor_exit{me, us, reference_of("ours@127.0.0.1"), huge}));
  EXPECT_TRUE(
      until([&] { return ours.seen.has_down("large@127.0.0.1", error::frame_too_large); }, 20s, "closed"));
}

// A cast costs its caller nothing: a flood of them is served in turns.
TEST_F(Node, AFloodOfCastsDoesNotKeepOthersWaiting) {
  node_under_test slow(thread, "ours@127.0.0.1");
  std::atomic<int> served{0};
  slow.handler = [&](const cnode::request& asked) {
    EXPECT_FALSE(asked.answer_wanted);
    std::this_thread::sleep_for(1ms);  // what it does takes time
    ++served;
    return cnode::answer{};
  };
  ASSERT_TRUE(slow.start());
  peer flood(thread, "flood@127.0.0.1", slow.port());
  ASSERT_TRUE(flood.linked());
  const auto me = pid_of("flood@127.0.0.1");
  cnode::term_writer arguments;
  arguments.list_header(3).atom("rollcall").atom("anything").nil().nil();
  const cnode::control::spawn_request cast{
      reference_of("flood@127.0.0.1"), me, me,           cnode::atom{"erpc"},
      cnode::atom{"execute_cast"},     3,  cnode::list{}};
  std::string casts;
  for (int i = 0; i < 400; ++i) casts += cnode::encode_message(cast, arguments.view());
  thread.on([&] {});  // idle
  ASSERT_TRUE(flood.write(casts));
  ASSERT_TRUE(until([&] { return served > 0; }, 20s, "the flood is being served"));
  thread.on([&] {});
  EXPECT_LT(served, 400) << "somebody else's turn came before the last of them";
  EXPECT_TRUE(until([&] { return served == 400; }, 60s, "all are served"));
}

TEST_F(Node, AFrameWhoseControlMessageIsTooLargeIsReadPast) {
  peer odd(thread, "odd@127.0.0.1", ours.port());
  ASSERT_TRUE(odd.linked());
  const auto me = pid_of("odd@127.0.0.1");
  const cnode::term huge(cnode::binary{std::string(cnode::max_frame_size, 'x')});
  ASSERT_TRUE(odd.write(cnode::encode_message(cnode::control::exit{me, me, huge}) +
                        call_of(me, reference_of("odd@127.0.0.1"), "members")));
  const auto served = odd.read();
  ASSERT_TRUE(served);
  EXPECT_TRUE(std::holds_alternative<cnode::control::spawn_reply>(*served));
  EXPECT_EQ(ours.seen.unexpecteds().size(), 1U);
}

TEST_F(Node, MonitorsAProcessAndIsToldWhenItOrItsNodeIsGone) {
  peer other(thread, "other@127.0.0.1", ours.port());
  ASSERT_TRUE(other.linked());
  const auto process = pid_of("other@127.0.0.1");
  const auto watch = [&] { return thread.on([&] { return (*ours).monitor(process); }); };
  const auto first = watch();
  ASSERT_TRUE(first);
  const auto asked = other.read();
  ASSERT_TRUE(asked && std::holds_alternative<cnode::control::monitor>(*asked));
  EXPECT_EQ(std::get<cnode::control::monitor>(*asked).ref, *first);
  EXPECT_EQ(std::get<cnode::control::monitor>(*asked).to, cnode::process_id(process));
  const auto us = thread.on([&] { return (*ours).self(); });
  other.write(
      cnode::encode_message(cnode::control::monitor_exit{process, us, *first, cnode::atom{"normal"}}));
  EXPECT_TRUE(until([&] { return ours.seen.gone().size() == 1; }, 5s, "told of the process"));

  const auto given_up = watch();
  thread.on([&] { (*ours).demonitor(*given_up); });
  ASSERT_TRUE(other.read());
  const auto ended = other.read();
  ASSERT_TRUE(ended && std::holds_alternative<cnode::control::demonitor>(*ended));

  const auto last = watch();
  other.close();
  EXPECT_TRUE(until([&] { return ours.seen.gone().size() == 2; }, 5s, "told of the link"));
  EXPECT_EQ(ours.seen.gone(), (std::vector<cnode::reference>{*first, *last}));
  EXPECT_FALSE(watch()) << "there is no link";
}

TEST_F(Node, ALinkUnderOurNameIsReplacedOnlyIfTheDialSaysSo) {
  node_under_test held(thread, "held@127.0.0.1"), twin(thread, "ours@127.0.0.1");
  ASSERT_TRUE(held.start() && twin.start());
  ASSERT_TRUE(twin.dial("held@127.0.0.1", held.port()));
  auto where = node_under_test::at("held@127.0.0.1", held.port());
  where.take_over = false;
  const auto polite = ours.dial(where);
  ASSERT_FALSE(polite);
  EXPECT_EQ(polite.error().code, error::alive_refused) << polite.error().detail;
  EXPECT_NE(polite.error().detail.find("under our own name"), std::string::npos) << polite.error().detail;
  EXPECT_TRUE(twin.seen.downs().empty());
  EXPECT_TRUE(ours.dial("held@127.0.0.1", held.port()));
  EXPECT_TRUE(until([&] { return !twin.seen.downs().empty(); }, 5s, "the twin's link is gone"));
  twin.stop();
  ours.stop();
  ASSERT_TRUE(until([&] { return held.peers().empty(); }, 5s, "nobody is left"));
}

TEST_F(Node, StandingByTakesNoLinksUntilItIsOver) {
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  ASSERT_TRUE(other.dial("ours@127.0.0.1", ours.port()));
  thread.on([&] { (*ours).stand_by(true); });
  EXPECT_TRUE(until([&] { return other.peers().empty(); }, 5s, "the link is closed"));
  const auto refused = other.dial("ours@127.0.0.1", ours.port());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, error::not_allowed);
  thread.on([&] { (*ours).stand_by(false); });
  EXPECT_TRUE(other.dial("ours@127.0.0.1", ours.port()));
}

TEST_F(Node, ASilentPeerIsGivenUp) {
  node_under_test quick(thread, "ours@127.0.0.1");
  quick.options.tick_time = 400ms;
  ASSERT_TRUE(quick.start());
  peer silent(thread, "silent@127.0.0.1", quick.port());
  ASSERT_TRUE(silent.linked());
  EXPECT_TRUE(
      until([&] { return quick.seen.has_down("silent@127.0.0.1", error::tick_timed_out); }, 5s, "given up"));
}

TEST_F(Node, TwoIdleNodesStayLinkedByTicks) {
  node_under_test left(thread, "left@127.0.0.1"), right(thread, "right@127.0.0.1");
  left.options.tick_time = right.options.tick_time = 1'600ms;
  ASSERT_TRUE(left.start() && right.start());
  ASSERT_TRUE(left.dial("right@127.0.0.1", right.port()));
  thread.on([&] {
    (*left).tick_time(*node_name::parse("right@127.0.0.1"), 800ms);
    (*right).tick_time(*node_name::parse("left@127.0.0.1"), 800ms);
  });
  EXPECT_FALSE(
      until([&] { return !left.seen.downs().empty() || !right.seen.downs().empty(); }, 2'500ms, "none"));
}

TEST_F(Node, HandshakesThatStandStillEnd) {
  node_under_test strict(thread, "ours@127.0.0.1");
  strict.options.handshake_limit = 1s;
  strict.options.max_incoming_handshakes = 2;
  ASSERT_TRUE(strict.start());
  const tcp::endpoint at(asio::ip::address_v4::loopback(), strict.port());
  asio::io_context io;
  std::vector<tcp::socket> slow;
  for (int i = 0; i < 6; ++i) slow.emplace_back(io).connect(at);
  for (auto& one : slow) {
    boost::system::error_code code;
    std::array<char, 1> byte{};
    one.read_some(asio::buffer(byte), code);  // blocks until the other side closes
    EXPECT_TRUE(code);
  }
  EXPECT_TRUE(until([&] { return strict.seen.has_handshake(cnode::direction::incoming, error::timed_out); },
                    5s, "told"));
  node_under_test other(thread, "other@127.0.0.1");
  ASSERT_TRUE(other.start());
  EXPECT_TRUE(other.dial("ours@127.0.0.1", strict.port()));
}

TEST_F(Node, MonitorsEndWithDemonitorAndFailingCallsEndTheirOwn) {
  peer one(thread, "one@127.0.0.1", ours.port());
  ASSERT_TRUE(one.linked());
  const auto me = pid_of("one@127.0.0.1");
  const auto ref = reference_of("one@127.0.0.1");
  const cnode::atom rollcall{"rollcall"};
  const auto failing_call = [&] {
    cnode::term_writer out;
    out.tuple_header(3).atom("$gen_call").tuple_header(2).write(me).list_header(1).atom("alias").write(ref);
    out.atom("nonesuch");
    return cnode::encode_message(cnode::control::reg_send{me, rollcall}, out.view());
  };
  one.write(cnode::encode_message(cnode::control::monitor{me, rollcall, ref}) + failing_call());
  auto answered = one.read();
  ASSERT_TRUE(answered);
  ASSERT_TRUE(std::holds_alternative<cnode::control::monitor_exit>(*answered));
  EXPECT_EQ(cnode::to_string(std::get<cnode::control::monitor_exit>(*answered).reason),
            "{undef,[{rollcall,nonesuch,[],[]}]}");
  // Without a monitor nobody is told; what comes next is the answer to what was asked next.
  one.write(
      cnode::encode_message(cnode::control::monitor{me, rollcall, ref}) +
      cnode::encode_message(cnode::control::demonitor{me, rollcall, ref}) + failing_call() +
      cnode::encode_message(cnode::control::unlink_id{5, me, thread.on([&] { return (*ours).self(); })}));
  answered = one.read();
  ASSERT_TRUE(answered);
  EXPECT_TRUE(std::holds_alternative<cnode::control::unlink_id_ack>(*answered));
}

TEST_F(Node, CallsEndWithTheirLink) {
  peer mute(thread, "mute@127.0.0.1", ours.port());
  ASSERT_TRUE(mute.linked());
  ASSERT_TRUE(until([&] { return ours.peers().size() == 1; }, 5s, "the link"));
  auto waiting =
      std::async(std::launch::async, [&] { return ours.call("mute@127.0.0.1", "erlang", "nodes", {}, 30s); });
  const auto asked = mute.read();
  ASSERT_TRUE(asked);
  EXPECT_TRUE(std::holds_alternative<cnode::control::spawn_request>(*asked));
  mute.close();
  const auto ended = waiting.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, cnode::call_failure_kind::link_lost);
}

TEST_F(Node, ARefusedCallEndsAndSoDoesALateOne) {
  peer poor(thread, "poor@127.0.0.1", ours.port());
  ASSERT_TRUE(poor.linked());
  ASSERT_TRUE(until([&] { return ours.peers().size() == 1; }, 5s, "the link"));
  auto waiting =
      std::async(std::launch::async, [&] { return ours.call("poor@127.0.0.1", "erlang", "nodes", {}, 30s); });
  auto asked = poor.read();
  ASSERT_TRUE(asked);
  auto request = std::get<cnode::control::spawn_request>(*asked);
  poor.write(cnode::encode_message(
      cnode::control::spawn_reply{request.id, request.from, 0, cnode::atom{"system_limit"}}));
  auto ended = waiting.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, cnode::call_failure_kind::refused);
  EXPECT_EQ(ended.error().detail, "system_limit");

  waiting = std::async(std::launch::async,
                       [&] { return ours.call("poor@127.0.0.1", "erlang", "nodes", {}, 200ms); });
  asked = poor.read();
  ASSERT_TRUE(asked);
  request = std::get<cnode::control::spawn_request>(*asked);
  const auto runner = pid_of("poor@127.0.0.1");
  poor.write(cnode::encode_message(cnode::control::spawn_reply{request.id, request.from, 2, runner}));
  ended = waiting.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, cnode::call_failure_kind::timed_out);
  const auto demonitor = poor.read();
  ASSERT_TRUE(demonitor);
  EXPECT_TRUE(std::holds_alternative<cnode::control::demonitor>(*demonitor));
  poor.write(cnode::encode_message(
      cnode::control::monitor_exit{runner, request.from, request.id, cnode::atom{"late"}}));
  EXPECT_EQ(ours.peers().size(), 1U);
}

TEST_F(Node, MayGoWithoutHavingStopped) {
  auto brief = std::make_unique<node_under_test>(thread, "brief@127.0.0.1");
  ASSERT_TRUE(brief->start());
  ASSERT_TRUE(brief->dial("ours@127.0.0.1", ours.port()));
  brief.reset();
  EXPECT_TRUE(until([&] { return ours.peers().empty(); }, 5s, "our side sees it"));
}

}  // namespace
}  // namespace rollcall::test
