// One link over a pair of connected sockets: what ends it, and what does not.
#include "cnode/link.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <stdexcept>
#include <thread>

#include "cnode/byte_reader.hpp"
#include "cnode/flags.hpp"

namespace rollcall::cnode {
namespace {

using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

constexpr auto enough = 60s;

// A link to the other end of a connection. Without flags: no distribution headers, no fragments.
std::unique_ptr<link> linked(asio::io_context& io, tcp::socket& theirs) {
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  tcp::socket connected(io);
  connected.connect(acceptor.local_endpoint());
  theirs = acceptor.accept();
  cnode::peer peer{.name = *node_name::parse("peer@127.0.0.1"), .remote = acceptor.local_endpoint()};
  return std::make_unique<link>(stream(std::move(connected)), std::move(peer), 60s, 1U << 20,
                                std::make_shared<memory_budget>(64U << 20));
}

struct Link : testing::Test {
  asio::io_context io;
  tcp::socket theirs{io};
  std::unique_ptr<link> ours;
  std::optional<link::closing> ended;
  std::exception_ptr thrown;

  void connect() { ours = linked(io, theirs); }

  void run(link::receive_function receive) {
    asio::co_spawn(io, ours->run(std::move(receive), [](link&) {}),
                   [this](std::exception_ptr failed, link::closing why) {
                     thrown = failed;
                     ended = std::move(why);
                   });
  }

  bool until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + enough;
    while (!holds() && std::chrono::steady_clock::now() < end) io.run_one_for(1s);
    return holds();
  }
};

const pid us{"ours@127.0.0.1", 1, 0, 1}, them{"peer@127.0.0.1", 2, 0, 1};

TEST_F(Link, ALoopThatThrowsClosesItWithWhatWasThrown) {
  connect();
  run([](link&, const message&) { throw std::runtime_error("an accident"); });
  asio::write(theirs, asio::buffer(encode_message(control::link{them, us})));
  ASSERT_TRUE(until([&] { return ended || thrown; })) << "deaf, and open";
  EXPECT_FALSE(thrown) << "what goes wrong on one link does not leave it";
  EXPECT_EQ(ended->code, error::closed);
  EXPECT_EQ(ended->detail, "the link to peer@127.0.0.1 failed here: an accident");
}

TEST_F(Link, WhatIsSentToUsIsTakenByItsBytesAndCheckedAllTheSame) {
  connect();
  const auto one = term_writer().integer(1).bytes(), two = term_writer().integer(2).bytes();
  const auto sent = [](const pid& to, byte_view payload) {
    return encode_message(control::send{to}, payload);
  };
  constexpr std::size_t length = 4;
  const auto front = sent(us, one).substr(length, sent(us, one).size() - length - one.size());
  std::vector<byte_string> taken, received;
  asio::co_spawn(io,
                 ours->run([&](link&, const message& m) { received.emplace_back(m.payload); }, [](link&) {},
                           {std::make_shared<const byte_string>(front),
                            [&](link&, byte_view payload) {
                              taken.emplace_back(payload);
                              return payload == one;
                            }}),
                 [this](const std::exception_ptr&, link::closing why) { ended = std::move(why); });
  const pid other{us.node, us.id + 1, us.serial, us.creation};
  asio::write(theirs, asio::buffer(sent(us, one) + sent(us, two) + sent(other, one)));
  ASSERT_TRUE(until([&] { return received.size() == 2; }));
  EXPECT_EQ(taken, (std::vector<byte_string>{one, two}));
  EXPECT_EQ(received, (std::vector<byte_string>{two, one})) << "what nobody took, and what is not ours";
  EXPECT_FALSE(ended);
  // An atom of five characters that has three.
  asio::write(theirs, asio::buffer(sent(us,
                                        "\x77\x05"
                                        "abc")));
  ASSERT_TRUE(until([&] { return ended.has_value(); }));
  EXPECT_EQ(ended->code, error::truncated);
  EXPECT_EQ(taken.size(), 2U);
}

// What is sent in one turn of the loop, and the next turn.
struct LinkAtOnce : Link {
  static byte_string numbered(std::uint8_t number, std::size_t size = 1) {
    return encode_message(control::send{them},
                          term_writer().binary(byte_string(size, static_cast<char>(number))).view());
  }
  void next_turn() {
    reading_turns::of(io.get_executor()).used({}, io.get_executor());
    io.poll();
  }
  byte_string come() {
    byte_string bytes(theirs.available(), 0);
    asio::read(theirs, asio::buffer(bytes));
    return bytes;
  }
};

TEST_F(LinkAtOnce, AMessageDoesNotWaitForTheWriteLoopAndThoseAfterItShareAWrite) {
  connect();
  run([](link&, const message&) {});
  next_turn();
  for (std::uint8_t turn = 0; turn < 3; ++turn) {
    ours->send(numbered(1));
    EXPECT_EQ(come(), numbered(1)) << "before anything else of the loop ran";
    ours->send(numbered(2));
    ours->send(numbered(3));
    EXPECT_EQ(come(), "");
    next_turn();
    EXPECT_EQ(come(), numbered(2) + numbered(3));
  }
}

TEST_F(LinkAtOnce, WhatThePeerDoesNotTakeIsSentLaterAndInItsOrder) {
  constexpr std::size_t messages = 200, size = 4'000;
  constexpr int least_room = 4096;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  acceptor.set_option(asio::socket_base::receive_buffer_size(least_room));
  tcp::socket connected(io, tcp::v4());
  connected.set_option(asio::socket_base::send_buffer_size(least_room));
  connected.connect(acceptor.local_endpoint());
  theirs = acceptor.accept();
  cnode::peer peer{.name = *node_name::parse("peer@127.0.0.1"), .remote = acceptor.local_endpoint()};
  ours = std::make_unique<link>(stream(std::move(connected)), std::move(peer), 60s, 1U << 20,
                                std::make_shared<memory_budget>(64U << 20));
  run([](link&, const message&) {});
  byte_string sent, taken;
  for (std::size_t i = 0; i < messages; ++i) {
    const auto next = numbered(static_cast<std::uint8_t>(i), size);
    ours->send(next);
    sent += next;
    next_turn();
  }
  ASSERT_GT(ours->waiting(), 0U) << "the connection took all of it, and nothing is shown here";
  ASSERT_TRUE(until([&] {
    taken += come();
    asio::post(io, [] {});
    return taken.size() >= sent.size();
  }));
  EXPECT_EQ(taken, sent);
  EXPECT_EQ(ours->waiting(), 0U);
}

// The elements of a list, each a piece, and its end.
std::shared_ptr<const long_value> ones(std::size_t pieces, std::size_t& ends_made) {
  auto made = std::make_shared<long_value>();
  made->pieces = pieces;
  made->append = [pieces, &ends_made](std::size_t piece, std::span<const byte_string>, byte_string& to) {
    if (piece + 1 == pieces) ++ends_made;
    to.append(piece + 1 < pieces ? byte_string("\x61\x01", 2) : byte_string("\x6a", 1));
  };
  return made;
}

// What else the loop has to do.
void count_turns(asio::io_context& io, std::size_t& turn) {
  ++turn;
  asio::post(io, [&] { count_turns(io, turn); });
}

TEST_F(Link, LongAnswersOverManyLinksShareATurnOfTheLoop) {
  constexpr std::size_t links = 8, pieces = 3;
  std::size_t turn = 0, ended_lists = 0;
  std::map<std::size_t, std::size_t> made;  // pieces, by turn; each takes as long as all links may
  const auto value = std::make_shared<long_value>();
  value->pieces = pieces;
  value->append = [&](std::size_t piece, std::span<const byte_string>, byte_string& to) {
    const auto end = std::chrono::steady_clock::now() + reading_turns::longest;
    while (std::chrono::steady_clock::now() < end) continue;
    ++made[turn];
    if (piece + 1 == pieces) ++ended_lists;
    to.append(piece + 1 < pieces ? byte_string("\x61\x01", 2) : byte_string("\x6a", 1));
  };
  byte_string head("\x6c", 1);
  put_number(head, pieces - 1, 4);
  std::vector<tcp::socket> others;
  std::vector<std::unique_ptr<link>> asked;
  for (std::size_t i = 0; i < links; ++i) {
    asked.push_back(linked(io, others.emplace_back(io)));
    asio::co_spawn(io, asked.back()->run([](link&, const message&) {}, [](link&) {}), asio::detached);
    asked.back()->answer({encode_control(control::send{them}, reason_place::in_control), head, value});
  }
  count_turns(io, turn);
  // Each list is made twice: its size is counted first.
  ASSERT_TRUE(until([&] { return ended_lists == 2 * links; }));
  const auto most = std::max_element(made.begin(), made.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  EXPECT_LE(most->second, 2U) << "of " << links << " links";
}

// What else the loop has to do takes longer than the time between two ticks, and comes before a tick is
// looked at.
void busy(asio::steady_timer& timer) {
  timer.expires_at(asio::steady_timer::time_point::min());
  timer.async_wait([&timer](boost::system::error_code) {
    std::this_thread::sleep_for(60ms);
    busy(timer);
  });
}

TEST_F(Link, TicksThatAreDueWithinALongFrameWaitForItsEndAndDoNotSpin) {
  constexpr std::size_t pieces = 6;
  connect();
  run([](link&, const message&) {});
  ours->peer_tick_time(200ms);  // a tick is due every 50 ms
  asio::steady_timer beside(io);
  busy(beside);
  byte_string head("\x6c", 1);
  put_number(head, pieces - 1, 4);
  std::size_t ends_made = 0, most = 0;  // the end is made twice: its size is counted first
  ours->answer(
      {encode_control(control::send{them}, reason_place::in_control), head, ones(pieces, ends_made)});
  ASSERT_TRUE(until([&] {
    most = std::max(most, ours->waiting());
    return ended || (ends_made == 2 && ours->waiting() == 0);
  }));
  EXPECT_FALSE(ended) << ended->detail;
  EXPECT_LT(most, 1'000U) << "ticks piled up behind the frame";
}

}  // namespace
}  // namespace rollcall::cnode
