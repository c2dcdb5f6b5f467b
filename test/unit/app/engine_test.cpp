// The engine's life: what it waits for when it goes, together with the io_context, without having been
// stopped (an exception on its way to main). With sanitizers these tests say more than they expect.
#include "app/engine.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/udp.hpp>

namespace rollcall::app {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr std::chrono::seconds patience{30};

configuration loaded(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"run", "--name", "rollcall@127.0.0.1", "--epmd", "none"});
  return std::get<configuration>(load(arguments, {{"ROLLCALL_COOKIE", "chocolate"}}));
}

// An engine that is thrown away, before its io_context, once `reached` is set.
struct short_life {
  explicit short_life(std::vector<std::string> arguments) : c(loaded(std::move(arguments))) {}

  void until(const bool& reached) {
    engine cluster(io, c, env, cookie_jar(c, env), lines, exporter);
    asio::co_spawn(io, cluster.start(), asio::detached);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!reached && std::chrono::steady_clock::now() < deadline) io.run_one_until(deadline);
    EXPECT_TRUE(reached);
    while (io.poll_one() > 0) {
    }
  }

  configuration c;
  environment env{{"ROLLCALL_COOKIE", "chocolate"}};
  asio::io_context io{1};
  log lines{log_level::error, log_format::text};
  metrics::exporter exporter{{.version = "test", .revision = {}, .sources = source_labels(c)}};
};

TEST(Engine, GoesWhileADialWaits) {
  short_life life({"--node", "mute@127.0.0.1", "--peer-port", "1", "--connect-timeout", "5m"});
  tcp::acceptor listener(life.io, {asio::ip::address_v4::loopback(), 0});
  life.c.fixed_peer_port = listener.local_endpoint().port();
  tcp::socket accepted(life.io);  // never says a word
  bool reached = false;
  listener.async_accept(accepted, [&](boost::system::error_code) { reached = true; });
  life.until(reached);
}

TEST(Engine, GoesWhileALookupWaits) {
  short_life life({"--srv", "app@app.default.svc.cluster.local", "--dns-timeout", "1m"});
  udp::socket silent(life.io, {asio::ip::address_v4::loopback(), 0});
  life.c.dns_server = host_port{"127.0.0.1", silent.local_endpoint().port()};
  bool reached = false;
  std::array<char, 512> question{};
  silent.async_receive(asio::buffer(question),
                       [&](boost::system::error_code, std::size_t) { reached = true; });
  life.until(reached);
}

}  // namespace
}  // namespace rollcall::app
