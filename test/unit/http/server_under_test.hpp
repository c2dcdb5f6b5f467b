// A real server on a port of its own, in a thread of its own, and a client of it that never waits without
// end.
#pragma once

#include "http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <future>
#include <list>
#include <thread>

#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::http {

using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;

// A socket whose reads end after half a minute at the latest, which a busy machine may need: no test waits
// without end. Only what is to stay open is looked at for less.
class client {
 public:
  explicit client(const tcp::endpoint& at, const char* from = "127.0.0.1") : socket_(io_) {
    socket_.open(at.protocol());
    socket_.bind({asio::ip::make_address(from), 0});
    socket_.connect(at);
    patience(30);
  }
  void patience(int seconds) {
    const timeval limit{seconds, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }

  void send(std::string_view bytes) {
    error_code ignored;
    asio::write(socket_, asio::buffer(bytes), ignored);
  }
  void half_close() { socket_.shutdown(tcp::socket::shutdown_send); }
  void get(std::string_view target) { send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n"); }

  // Whether all that was sent has come to the other end.
  bool delivered() {
    int on_its_way = 0;
    ::ioctl(socket_.native_handle(), SIOCOUTQ, &on_its_way);
    return on_its_way == 0;
  }

  // Head and body of one answer with a Content-Length (or, `head_only`, just the head).
  std::string answer(bool head_only = false) {
    if (!read_until([&] { return held_.find("\r\n\r\n") != std::string::npos; }))
      return std::exchange(held_, {});
    const auto end = held_.find("\r\n\r\n") + 4;
    std::size_t length = 0;
    const auto field = held_.find("Content-Length: ");
    if (!head_only && field < end) length = std::stoul(held_.substr(field + 16));
    read_until([&] { return held_.size() >= end + length; });
    auto whole = held_.substr(0, end + length);
    held_.erase(0, end + length);
    return whole;
  }

  // Everything until the server closes; "still open" when it does not within the limit.
  std::string rest() {
    closed_in_order_ = false;
    read_until([] { return false; });
    return closed_in_order_ ? std::exchange(held_, {}) : held_ + "still open";
  }

  // Up to and with `text`; "" when that does not come.
  std::string until(std::string_view text) {
    if (!read_until([&] { return held_.find(text) != std::string::npos; })) return {};
    const auto end = held_.find(text) + text.size();
    auto found = held_.substr(0, end);
    held_.erase(0, end);
    return found;
  }

  tcp::socket& socket() { return socket_; }

 private:
  template <class Enough>
  bool read_until(Enough enough) {
    std::array<char, 4096> bytes{};
    while (!enough()) {
      const auto count = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), 0);
      if (count <= 0) {
        closed_in_order_ = count == 0;
        return false;
      }
      held_.append(bytes.data(), static_cast<std::size_t>(count));
    }
    return true;
  }

  asio::io_context io_;
  tcp::socket socket_;
  std::string held_;
  bool closed_in_order_ = false;
};

class server_under_test : public testing::Test {
 protected:
  void serve(options given = {}, std::string metrics = "up 1\n") {
    given.listen = {asio::ip::make_address("127.0.0.1"), 0};
    content from;
    from.snapshot = [this] { return now_; };
    // Asked for once for each answer of /api/v1/status.
    from.others = [this] {
      if (on_status_) on_status_();
      return std::vector<node_name>();
    };
    from.noticed = [this](std::string line) { noticed_.push_back(std::move(line)); };
    from.metrics = [this, metrics = std::move(metrics)] {
      ++scrapes_;
      return metrics;
    };
    from.ready = [] { return readiness{true, "rounds are working"}; };
    from.version = "0.1.0";
    server_ = std::make_unique<server>(io_, given, from);
    ASSERT_TRUE(server_->start());
    at_ = server_->endpoint();
    thread_ = std::thread([this] { io_.run(); });
  }

  // `count` events, each of so many bytes.
  void happen(std::size_t count, std::size_t bytes = 10) {
    on_thread([&] {
      auto next = *now_;
      next.events.clear();
      for (std::size_t i = 0; i < count; ++i) {
        membership::event each;
        each.id = ++last_event_;
        each.text = std::string(bytes, 'x');
        next.events.push_back(std::move(each));
      }
      now_ = std::make_shared<const membership::snapshot>(std::move(next));
    });
  }
  // Of which nothing is known but their names.
  void have_members(std::size_t count) {
    on_thread([&] {
      auto next = *now_;
      next.members.clear();
      for (std::size_t i = 0; i < count; ++i)
        next.members.push_back(
            {.name = node_name::parse("node" + std::to_string(i) + "@host.example").value()});
      next.partitions.clear();
      next.quarantined_pairs.clear();
      next.suspected_bits = {};
      next.row_words = (count + 63) / 64;
      next.view_bits.assign(count * next.row_words, 0);
      now_ = std::make_shared<const membership::snapshot>(std::move(next));
    });
  }
  // Within half a minute, which a busy machine may need.
  template <class Condition>
  static bool comes_true(Condition holds) {
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }
  std::size_t open_connections() {
    std::size_t count = 0;
    on_thread([&] { count = server_->open_connections(); });
    return count;
  }
  // Within seconds, `meanwhile` between the tries.
  bool somebody_is_let_in(const std::function<void()>& meanwhile = [] {}) {
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < until) {
      meanwhile();
      client next(at_);
      next.get("/healthz");
      if (next.until("\r\n").starts_with("HTTP/1.1 200")) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  // The head, and a body that begins with `text`.
  static std::string open_stream(client& on, std::string_view fields = {}, std::string_view version = "1.1") {
    on.send("GET /api/v1/events/stream HTTP/" + std::string(version) + "\r\nHost: x\r\n" +
            std::string(fields) + "\r\n");
    return on.until("retry: 2000\n\n");
  }

  // On the server's own thread, where it lives.
  template <class Do>
  void on_thread(Do what) {
    std::promise<void> done;
    asio::post(io_, [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }

  void TearDown() override {
    if (!thread_.joinable()) return;
    on_thread([this] { server_.reset(); });
    // Without the server nothing keeps the loop alive: a session left over would hang here, and the test time
    // out.
    work_.reset();
    thread_.join();
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::unique_ptr<server> server_;
  std::thread thread_;
  tcp::endpoint at_;
  std::atomic<int> scrapes_ = 0;
  membership::snapshot_ptr now_ = std::make_shared<const membership::snapshot>(test::troubled_cluster());
  std::function<void()> on_status_;   // set before serve()
  std::vector<std::string> noticed_;  // looked at on_thread()
  std::uint64_t last_event_ = now_->events.empty() ? 0 : now_->events.back().id;
};

}  // namespace rollcall::http
