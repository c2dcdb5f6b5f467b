// A real server on a port of its own, and clients that are slow, greedy, rude, or gone.
#include "http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
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
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A socket whose reads end after five seconds at the latest: no test waits for ever.
class client {
 public:
  explicit client(const tcp::endpoint& at, const char* from = "127.0.0.1") : socket_(io_) {
    socket_.open(at.protocol());
    socket_.bind({asio::ip::make_address(from), 0});
    socket_.connect(at);
    const timeval limit{5, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }

  void send(std::string_view bytes) {
    error_code ignored;
    asio::write(socket_, asio::buffer(bytes), ignored);
  }
  void half_close() { socket_.shutdown(tcp::socket::shutdown_send); }
  void get(std::string_view target) { send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n"); }

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

class Server : public testing::Test {
 protected:
  void serve(options given = {}, std::string metrics = "up 1\n") {
    given.listen = {asio::ip::make_address("127.0.0.1"), 0};
    content from;
    from.snapshot = [this] { return now_; };
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
  std::uint64_t last_event_ = now_->events.empty() ? 0 : now_->events.back().id;
};

TEST_F(Server, AnswersOnTheSameConnectionAgain) {
  serve();
  client one(at_);
  for (int turn = 0; turn < 3; ++turn) {
    one.get("/metrics");
    EXPECT_THAT(one.answer(),
                AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Connection: keep-alive\r\n"),
                      HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
                      HasSubstr("Content-Length: 5\r\n"), HasSubstr("\r\n\r\nup 1\n")));
  }
}

TEST_F(Server, SendsTheFieldsThatKeepABrowserSafe) {
  serve();
  client one(at_);
  one.get("/api/v1/status");
  EXPECT_THAT(
      one.answer(),
      AllOf(HasSubstr("X-Content-Type-Options: nosniff\r\n"), HasSubstr("Cache-Control: no-store\r\n"),
            HasSubstr("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n")));
  one.get("/");
  const auto page = one.answer();
  EXPECT_THAT(page, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: text/html; charset=utf-8\r\n"),
                          HasSubstr("script-src 'nonce-"), HasSubstr("</html>")));
  const auto nonce = page.substr(page.find("'nonce-") + 7, 32);
  EXPECT_THAT(page, HasSubstr("<script nonce=\"" + nonce + "\">"));
}

TEST_F(Server, AnswersPipelinedRequestsInOrder) {
  serve();
  client one(at_);
  one.send(
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(one.answer(), HasSubstr("alive\n"));
  EXPECT_THAT(one.answer(), HasSubstr("rounds are working\n"));
  EXPECT_THAT(one.answer(), StartsWith("HTTP/1.1 404"));
}

TEST_F(Server, ReadsARequestThatComesByteByByte) {
  serve();
  client one(at_);
  for (const char byte : std::string_view("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")) one.send({&byte, 1});
  EXPECT_THAT(one.answer(), HasSubstr("alive\n"));
}

TEST_F(Server, AnswersHeadWithTheLengthAndNoBody) {
  serve();
  client one(at_);
  one.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(one.answer(true), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 5\r\n")));
  one.send("HEAD /api/v1/links HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(one.answer(true), HasSubstr("Transfer-Encoding: chunked\r\n"));
  one.get("/healthz");
  EXPECT_THAT(one.answer(), HasSubstr("alive\n"));
}

TEST_F(Server, ClosesWhenAsked) {
  serve();
  client one(at_);
  one.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(one.rest(),
              AllOf(HasSubstr("Connection: close\r\n"), HasSubstr("alive\n"), Not(HasSubstr("still open"))));
  client old(at_);
  old.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.rest(), AllOf(HasSubstr("alive\n"), Not(HasSubstr("still open"))));
}

TEST_F(Server, WritesLinksInChunksOrUntilClose) {
  serve();
  client one(at_);
  one.send("GET /api/v1/links?state=missing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(
      one.rest(),
      HasSubstr("\r\n\r\n2a\r\n[{\"a\":\"a@h\",\"b\":\"c@h\",\"state\":\"missing\"}]\n\r\n0\r\n\r\n"));
  client old(at_);
  old.send("GET /api/v1/links?state=missing HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.rest(), AllOf(HasSubstr("\r\n\r\n[{\"a\":\"a@h\",\"b\":\"c@h\",\"state\":\"missing\"}]\n"),
                                Not(HasSubstr("chunked"))));
}

TEST_F(Server, RefusesWhatItCannotReadAndCloses) {
  serve({.listen = {}, .max_request_bytes = 1'024});
  const std::string long_text(5'000, 'a');
  struct row {
    std::string_view name;
    std::string request;
    std::string_view status;
  };
  for (const auto& [name, request, status] : {
           row{"no HTTP", "hello\r\n\r\n", "HTTP/1.1 400"},
           row{"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), "HTTP/1.1 400"},
           row{"no Host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
           row{"bad field", "GET / HTTP/1.1\r\nHost: x\r\nbad field\r\n\r\n", "HTTP/1.1 400"},
           row{"two lengths", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
               "HTTP/1.1 400"},
           row{"length and chunks",
               "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
               "HTTP/1.1 400"},
           row{"long target", "GET /" + long_text + " HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 414"},
           row{"long header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + long_text + "\r\n\r\n", "HTTP/1.1 431"},
           row{"long body announced", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n",
               "HTTP/1.1 413"},
           row{"huge body announced",
               "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n", "HTTP/1.1 4"},
           row{"long body in chunks",
               "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + long_text +
                   "\r\n0\r\n\r\n",
               "HTTP/1.1 413"},
           row{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505"},
       }) {
    client one(at_);
    one.send(request);
    EXPECT_THAT(one.rest(), AllOf(StartsWith(std::string(status)), HasSubstr("Connection: close\r\n"),
                                  HasSubstr("{\"error\":"), Not(HasSubstr("still open"))))
        << name;
  }
}

TEST_F(Server, RefusesMethodsThatChangeThingsAndGoesOn) {
  serve();
  client one(at_);
  one.send("POST /api/v1/members HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_THAT(one.answer(), AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD\r\n")));
  one.get("/healthz");
  EXPECT_THAT(one.answer(), HasSubstr("alive\n"));
}

TEST_F(Server, AnswersWhoAsksBeforeSendingABody) {
  serve();
  client one(at_);
  one.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(one.rest(), AllOf(StartsWith("HTTP/1.1 405"), Not(HasSubstr("still open"))));
}

TEST_F(Server, Answers408ToAClientThatNeverEndsItsRequest) {
  serve({.listen = {}, .request_limit = 100ms});
  client one(at_);
  one.send("GET /metrics HTTP/1.1\r\nHost:");
  EXPECT_THAT(one.rest(), AllOf(StartsWith("HTTP/1.1 408"), Not(HasSubstr("still open"))));
}

// Each byte comes in time, the request does not.
TEST_F(Server, GivesARequestItsLimitAndNotEachByte) {
  serve({.listen = {}, .request_limit = 200ms});
  client one(at_);
  std::string all;
  const auto until = std::chrono::steady_clock::now() + 5s;
  one.send("GET /metrics HTTP/1.1\r\nX: ");
  one.socket().non_blocking(true);
  error_code error;
  std::array<char, 512> bytes{};
  while (std::chrono::steady_clock::now() < until && error != asio::error::eof) {
    one.send("a");
    std::this_thread::sleep_for(10ms);
    const auto count = one.socket().read_some(asio::buffer(bytes), error);
    all.append(bytes.data(), count);
    if (error && error != asio::error::would_block) break;
  }
  EXPECT_THAT(all, StartsWith("HTTP/1.1 408"));
  EXPECT_LT(std::chrono::steady_clock::now(), until);
}

TEST_F(Server, ClosesSilentConnections) {
  serve({.listen = {}, .request_limit = 100ms, .idle_limit = 100ms});
  client silent(at_);
  EXPECT_EQ(silent.rest(), "");
  client idle(at_);
  idle.get("/healthz");
  EXPECT_THAT(idle.rest(), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("still open"))));
}

TEST_F(Server, GivesUpOnAClientThatDoesNotRead) {
  serve({.listen = {}, .max_connections = 1, .request_limit = 200ms}, std::string(64U << 20, 'x'));
  client greedy(at_);
  greedy.get("/metrics");
  // There is room for the next only once the first was given up.
  const auto until = std::chrono::steady_clock::now() + 5s;
  bool served = false;
  while (!served && std::chrono::steady_clock::now() < until) {
    client next(at_);
    next.get("/healthz");
    served = next.answer().starts_with("HTTP/1.1 200");
  }
  EXPECT_TRUE(served);
  EXPECT_EQ(scrapes_, 1);
}

TEST_F(Server, ClosesTheOldestIdleConnectionForANewOne) {
  serve({.listen = {}, .max_connections = 2});
  client first(at_), second(at_);
  for (auto* each : {&first, &second}) {
    each->get("/healthz");
    EXPECT_THAT(each->answer(), HasSubstr("alive\n"));
  }
  client third(at_);
  third.get("/healthz");
  EXPECT_THAT(third.answer(), HasSubstr("alive\n"));
  EXPECT_EQ(first.rest(), "");
  second.get("/healthz");
  EXPECT_THAT(second.answer(), HasSubstr("alive\n"));
}

TEST_F(Server, TurnsAwayWhomItHasNoRoomFor) {
  serve({.listen = {}, .max_connections = 1}, std::string(64U << 20, 'x'));
  client busy(at_);
  busy.get("/metrics");
  // Until its request was read it is the newcomer who gets the room.
  const auto until = std::chrono::steady_clock::now() + 5s;
  std::string answer;
  while (!answer.starts_with("HTTP/1.1 503") && std::chrono::steady_clock::now() < until) {
    client next(at_);
    answer = next.rest();
  }
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("too many connections")));
}

TEST_F(Server, ARequestThatDoesNotEndKeepsNobodyOut) {
  serve({.listen = {}, .max_connections = 1});
  client slow(at_);
  slow.send("GET /healthz HTTP/1.1\r\n");
  client next(at_);
  next.get("/healthz");
  EXPECT_THAT(next.answer(), HasSubstr("alive\n"));
  EXPECT_EQ(slow.rest(), "");
}

TEST_F(Server, RefusesChunkExtensionsAndTrailersWithoutEnd) {
  serve();
  const std::string_view head = "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view endless : {"1;", "0\r\nX: "}) {
    client greedy(at_);
    greedy.send(head);
    greedy.send(endless);
    greedy.send(std::string(64U << 10, 'a'));
    EXPECT_THAT(greedy.answer(), StartsWith("HTTP/1.1 413")) << endless;
    EXPECT_EQ(greedy.rest(), "");
  }
}

TEST_F(Server, OutlivesClientsThatGoAwayAtAnyPoint) {
  serve({}, std::string(8U << 20, 'x'));
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    client gone(at_);
    gone.send(std::string_view(request).substr(0, cut));
    if (cut % 2 == 0) gone.socket().set_option(tcp::socket::linger(true, 0));  // a reset instead of an end
  }
  client half(at_);
  half.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  half.half_close();
  EXPECT_THAT(half.rest(), HasSubstr("alive\n"));
}

TEST_F(Server, StopsAtOnceWithRequestsUnderWay) {
  serve({}, std::string(64U << 20, 'x'));
  client idle(at_), partial(at_), greedy(at_);
  partial.send("GET /");
  greedy.get("/metrics");
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (scrapes_ == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  on_thread([this] { server_->stop(); });
  EXPECT_EQ(idle.rest(), "");
  EXPECT_THROW(client{at_}, boost::system::system_error);
}

TEST_F(Server, StreamsEventsAsTheyHappen) {
  serve();
  client one(at_);
  const auto head = open_stream(one);
  EXPECT_THAT(head,
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"),
                    HasSubstr("Transfer-Encoding: chunked\r\n"), HasSubstr("Connection: close\r\n"),
                    HasSubstr("Cache-Control: no-store\r\n"), HasSubstr("\r\n\r\nd\r\nretry: 2000\n\n")));
  for (int i = 0; i < 3; ++i) {
    happen(1);
    EXPECT_THAT(one.until("\n\n\r\n"), HasSubstr("\r\nid: " + std::to_string(last_event_) + "\nevent: "));
  }
}

TEST_F(Server, StreamsGoOnAfterTheLastEventAClientHas) {
  serve();
  happen(3);
  client one(at_);
  open_stream(one, "Last-Event-ID: " + std::to_string(last_event_ - 1) + "\r\n");
  const auto event = one.until("\n\n\r\n");
  EXPECT_THAT(event, HasSubstr("id: " + std::to_string(last_event_) + "\n"));
  EXPECT_THAT(event, Not(HasSubstr("missed")));
}

TEST_F(Server, AStreamOfHttp10HasNoChunksAndHeadHasNoBody) {
  serve();
  client old(at_);
  const auto head = open_stream(old, "", "1.0");
  EXPECT_THAT(head, AllOf(Not(HasSubstr("Transfer-Encoding")), HasSubstr("Connection: close\r\n"),
                          HasSubstr("\r\n\r\nretry: 2000\n\n")));
  happen(1);
  EXPECT_THAT(old.until("\n\n"), StartsWith("id: " + std::to_string(last_event_) + "\n"));

  client asking(at_);
  asking.send("HEAD /api/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(asking.answer(true),
              AllOf(HasSubstr("text/event-stream"), HasSubstr("Transfer-Encoding: chunked\r\n")));
  asking.get("/healthz");
  EXPECT_THAT(asking.answer(), StartsWith("HTTP/1.1 200 OK")) << "no byte of a body stood between";
}

TEST_F(Server, AStreamOnWhichNothingHappensShowsThatItIsThere) {
  options given;
  given.heartbeat = 200ms;
  serve(given);
  client one(at_);
  open_stream(one);
  EXPECT_NE(one.until(": nothing new\n\n"), "");
  EXPECT_NE(one.until(": nothing new\n\n"), "");
}

TEST_F(Server, OneStreamMoreThanThereMayBeTakesThePlaceOfTheOldest) {
  options given;
  given.max_streams = 2;
  serve(given);
  client first(at_), second(at_), third(at_);
  for (auto* each : {&first, &second, &third}) EXPECT_THAT(open_stream(*each), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(first.rest(), Not(HasSubstr("still open")));
  happen(1);
  for (auto* each : {&second, &third})
    EXPECT_THAT(each->until("\n\n\r\n"), HasSubstr("id: " + std::to_string(last_event_) + "\n"));
  // It comes back for what it lacks.
  client again(at_);
  EXPECT_NE(open_stream(again, "Last-Event-ID: " + std::to_string(last_event_ - 1) + "\r\n"), "");
  EXPECT_THAT(again.until("\n\n\r\n"), HasSubstr("id: " + std::to_string(last_event_) + "\n"));
}

TEST_F(Server, WhoOpensAllStreamsPushesOutItsOwn) {
  options given;
  given.max_streams = 4;
  serve(given);
  client quiet(at_, "127.0.0.2");
  open_stream(quiet);
  std::list<client> greedy;
  for (int i = 0; i < 12; ++i) open_stream(greedy.emplace_back(at_));
  client newcomer(at_, "127.0.0.3");
  EXPECT_THAT(open_stream(newcomer), StartsWith("HTTP/1.1 200 "));
  happen(1);
  for (auto* each : {&quiet, &newcomer, &greedy.back()})
    EXPECT_THAT(each->until("\n\n\r\n"), HasSubstr("id: " + std::to_string(last_event_) + "\n"));
}

TEST_F(Server, AStreamGoesWithItsClient) {
  serve({.listen = {}, .max_connections = 1});
  auto gone = std::make_unique<client>(at_);
  open_stream(*gone);
  {
    client next(at_);
    EXPECT_THAT(next.rest(), HasSubstr("too many connections")) << "nobody makes a stream make room";
  }
  gone.reset();
  EXPECT_TRUE(somebody_is_let_in());  // without a heartbeat
}

TEST_F(Server, AClientOfAStreamThatDoesNotReadIsDropped) {
  serve({.listen = {}, .max_connections = 1, .request_limit = 300ms});
  client lazy(at_);
  open_stream(lazy);
  EXPECT_TRUE(somebody_is_let_in([this] { happen(10, 100'000); }));  // until all buffers on the way are full
}

TEST_F(Server, ASlowClientOfAStreamIsToldWhatItMissed) {
  options given;
  given.request_limit = 20s;
  serve(given);
  client slow(at_);
  open_stream(slow);
  for (int i = 0; i < 300; ++i) happen(10, 100'000);  // 300 MB, of which the server keeps nothing for it
  EXPECT_NE(slow.until("event: missed\n"), "");
  EXPECT_THAT(slow.until("\n\n"), HasSubstr("\"count\":"));
}

TEST_F(Server, AClientOfAStreamThatKeepsTalkingIsDropped) {
  serve();
  client chatty(at_);
  open_stream(chatty);
  chatty.send(std::string(1U << 20, 'x'));
  EXPECT_THAT(chatty.rest(), Not(HasSubstr("still open")));
}

TEST_F(Server, StopsAtOnceWithStreamsOpen) {
  serve();
  client one(at_);
  open_stream(one);
  on_thread([this] { server_->stop(); });
  EXPECT_THAT(one.rest(), Not(HasSubstr("still open")));
}

TEST_F(Server, SaysWhyItCannotListen) {
  serve();
  asio::io_context other;
  server second(other, {.listen = at_}, {});
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), asio::error::address_in_use);
}

}  // namespace
}  // namespace rollcall::http
