// The read-only HTTP side: /metrics, /healthz, /readyz, /api/v1/..., the page. Boost.Beast, one coroutine a
// connection (session.hpp); what clients share is in connections.hpp. Memory, with the limits below: 8 MiB of
// answers, 256 connections of 24 KiB each for a request and its reader (6 MiB), and 256 of 80 KiB in the
// system (20 MiB): 34 MiB.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "membership/history.hpp"
#include "membership/snapshot.hpp"
#include "metrics/exporter.hpp"
#include "tls/context.hpp"

namespace rollcall::http {

namespace asio = boost::asio;

class passwords;

struct readiness {
  bool ready = false;
  std::string why;  // one sentence, in the body
};

// Where answers come from; called on the io_context's thread.
struct content {
  std::function<membership::snapshot_ptr()> snapshot;
  std::function<std::string()> metrics;
  std::function<readiness()> ready;
  std::function<const membership::history&()> history;
  std::string version;
  std::function<void(std::string)> failed{};  // optional: told what went wrong where nobody else hears of it
  // Optional: told which client gets less because it wanted too much; a line is not repeated soon.
  std::function<void(std::string)> noticed{};
  // Optional: other Rollcalls on the same nodes.
  std::function<std::vector<node_name>()> others{};
};

struct options {
  asio::ip::tcp::endpoint listen;
  std::size_t max_connections = 256;  // the client that has most makes room
  // To read a request; to write an answer, or each piece of one that is written as it is made.
  std::chrono::milliseconds request_limit{10'000};
  std::chrono::milliseconds idle_limit{120'000};  // between two requests of a connection kept alive
  std::size_t max_request_bytes = 16U << 10;
  // Of answers that clients have not taken yet. What the system holds of each comes on top: socket_buffer.
  std::size_t max_unsent = 8U << 20, max_unsent_of_client = 6U << 20;
  // Of events; no other connection makes them make room. For one more the oldest goes, of the address that
  // has most: clients come back by themselves, and where they were.
  std::size_t max_streams = 32;
  std::chrono::milliseconds heartbeat{15'000};  // of a stream on which nothing else was written
  // Absent: plain HTTP; everything is open to all. Called for each connection, each request: what they give
  // may change, and is never null.
  std::function<std::shared_ptr<const rollcall::tls::context>()> tls{};
  std::function<std::shared_ptr<const http::passwords>()> passwords{};
};

// The most that the system keeps of what one connection sends, and receives (Linux doubles what is asked
// for).
constexpr int socket_send_buffer = 32 << 10, socket_receive_buffer = 8 << 10;

class server {
 public:
  server(asio::io_context&, options, content);
  ~server();
  boost::system::result<void> start();  // the bind error, told with the address by the caller
  void stop();
  asio::ip::tcp::endpoint endpoint() const;  // once started; the port when 0 was asked for
  std::size_t open_connections() const;

 private:
  struct implementation;
  std::shared_ptr<implementation> implementation_;
};

}  // namespace rollcall::http
