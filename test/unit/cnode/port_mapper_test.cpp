// Our own port mapper, asked by our own client and by others that send it rubbish.
#include "cnode/port_mapper.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/asio/write.hpp>

#include "cnode/connection.hpp"
#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using cnode::error;

class PortMapperServer : public testing::Test {
 protected:
  void SetUp() override {
    // Any free port: found by binding, given back, bound again at once. Somebody's outgoing connection may
    // take it in between: then it is another one's turn.
    bool started = false;
    for (int tries = 0; !started && tries < 50; ++tries) {
      tcp::acceptor probe(thread.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
      at = probe.local_endpoint();
      probe.close();
      thread.on([this] { mapper = std::make_unique<cnode::port_mapper>(thread.io, at.port()); });
      started = thread.on([this] { return mapper->start().has_value(); });
    }
    ASSERT_TRUE(started);
  }
  void TearDown() override {
    thread.on([this] { mapper.reset(); });
  }
  // Sends `bytes` and reads until `count` bytes are there or the mapper closes.
  std::string talk(tcp::socket& socket, const std::string& bytes, std::size_t count) {
    boost::system::error_code code;
    asio::write(socket, asio::buffer(bytes), code);
    std::string got;
    std::array<char, 64> chunk{};
    while (got.size() < count) {
      const auto size = socket.read_some(asio::buffer(chunk), code);
      if (code) break;
      got.append(chunk.data(), size);
    }
    return got;
  }
  auto port_of(const std::string& alive) { return thread.run(cnode::ask_port(at, alive, 5s)); }

  io_thread thread;
  asio::io_context blocking;
  tcp::endpoint at;
  std::unique_ptr<cnode::port_mapper> mapper;
};

TEST_F(PortMapperServer, KnowsWhoIsThereForAsLongAsItsConnectionStays) {
  cnode::epmd::registration entry;
  entry.alive = "one";
  entry.port = 4711;
  tcp::socket one(blocking);
  one.connect(at);
  const auto reply = cnode::epmd::decode_alive_reply(talk(one, cnode::epmd::encode_alive(entry), 6));
  ASSERT_TRUE(reply && *reply);
  EXPECT_GT(**reply, 3U);
  ASSERT_TRUE(port_of("one"));
  EXPECT_EQ(*port_of("one"), 4711);
  EXPECT_EQ(port_of("two").error(), error::not_registered);

  thread.on([&] {
    cnode::epmd::registration own;
    own.alive = "roll";
    own.port = 17;
    mapper->put(own);
  });
  const auto names = thread.run(cnode::ask_names(at, 5s));
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, (std::vector<cnode::epmd::name_entry>{{"one", 4711}, {"roll", 17}}));

  tcp::socket twin(blocking);
  twin.connect(at);
  const auto taken = cnode::epmd::decode_alive_reply(talk(twin, cnode::epmd::encode_alive(entry), 6));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error(), error::name_taken);
  EXPECT_TRUE(port_of("one")) << "the refused one's end is not the first one's";

  one.close();
  EXPECT_TRUE(until([&] { return !port_of("one"); }, 5s, "forgotten"));
}

TEST_F(PortMapperServer, ClosesOnRubbishAndServesTheNext) {
  for (const auto& bytes :
       {std::string("\xff\xff", 2), std::string("\0\0", 2), std::string("\0\1k", 3), std::string("\0\2QQ", 4),
        std::string("\0\5x\0\0\0\0", 7), std::string("GET / HTTP/1.1\r\n\r\n")}) {
    tcp::socket rude(blocking);
    rude.connect(at);
    EXPECT_EQ(talk(rude, bytes, 1), "");
  }
  EXPECT_EQ(port_of("one").error(), error::not_registered);
}

TEST_F(PortMapperServer, ConnectionsThatStandStillKeepNobodyOut) {
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  std::vector<tcp::socket> still;
  for (int i = 0; i < 600; ++i) still.emplace_back(blocking).connect(at);
  cnode::epmd::registration entry;
  entry.alive = "late";
  entry.port = 4711;
  tcp::socket late(blocking);
  late.connect(at);
  const auto reply = cnode::epmd::decode_alive_reply(talk(late, cnode::epmd::encode_alive(entry), 6));
  EXPECT_TRUE(reply && *reply);
  // Who is registered stays so.
  for (int i = 0; i < 600; ++i) {
    boost::system::error_code ignored;
    auto& one = still[static_cast<std::size_t>(i)];
    one.close(ignored);
    one.connect(at);
  }
  EXPECT_TRUE(port_of("late"));
}

TEST_F(PortMapperServer, ASecondOneOnThePortIsRefused) {
  const auto started = thread.on([this] {
    cnode::port_mapper second(thread.io, at.port());
    return second.start();
  });
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), asio::error::address_in_use);
}

TEST_F(PortMapperServer, ThatIsAwayOrSilentIsAnErrorOfItsOwn) {
  thread.on([this] { mapper.reset(); });
  EXPECT_EQ(port_of("one").error(), error::refused);
  tcp::acceptor silent(thread.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  EXPECT_EQ(thread.run(cnode::ask_port(silent.local_endpoint(), "one", 100ms)).error(), error::timed_out);
}

}  // namespace
}  // namespace rollcall::test
