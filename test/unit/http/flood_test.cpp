// Floods: what others ask is answered all the same, and memory and descriptors have an end. Nothing here
// measures time: the server is stopped in the middle of the flood, and what it did in which order is looked
// at.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "test/unit/http/server_under_test.hpp"

namespace rollcall::http {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Connections that send what they are told, and never read: one descriptor each.
class flood {
 public:
  flood(const tcp::endpoint& at, const char* from, std::size_t connections, int receive_buffer = 0) {
    for (std::size_t i = 0; i < connections; ++i) add(at, from, receive_buffer);
  }
  ~flood() {
    for (const int each : sockets_) ::close(each);
  }
  flood(const flood&) = delete;
  flood& operator=(const flood&) = delete;

  void add(const tcp::endpoint& at, const char* from, int receive_buffer = 0) {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(made, 0);
    sockets_.push_back(made);
    if (receive_buffer > 0) ::setsockopt(made, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const tcp::endpoint source(asio::ip::make_address(from), 0);
    ASSERT_EQ(::bind(made, source.data(), static_cast<socklen_t>(source.size())), 0);
    ASSERT_EQ(::connect(made, at.data(), static_cast<socklen_t>(at.size())), 0);
  }
  // By each of them, as far as the system takes it without waiting.
  void send(std::string_view bytes) {
    for (const int each : sockets_) send(each, bytes);
  }
  void send_by_the_last(std::string_view bytes) { send(sockets_.back(), bytes); }

 private:
  static void send(int socket, std::string_view bytes) {
    ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  std::vector<int> sockets_;
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::string request(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

// Each request of the flood asks for the status, and there the server can be stopped, once for each.
class Flood : public server_under_test {
 protected:
  Flood() {
    on_status_ = [this] { pass(); };
  }
  void TearDown() override {
    open_gate();
    server_under_test::TearDown();
  }

  // Waits until the server makes the next answer for the flood, and keeps it there.
  [[nodiscard]] bool stop_at_next() {
    close_gate();
    return is_stopped();
  }
  void close_gate() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    holding_ = false;
    changed_.notify_all();
  }
  [[nodiscard]] bool is_stopped() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [this] { return holding_; });
  }
  void open_gate() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }

 private:
  void pass() {
    std::unique_lock lock(mutex_);
    if (!closed_) return;
    holding_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_ || !holding_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false, holding_ = false;
};

struct asked {
  const char* target;
  const char* from;
};

class ProbesInAFlood : public Flood, public testing::WithParamInterface<asked> {};

// 300 connections, each with 200 requests sent at once, never read: the answer is there while the server is
// held at the next request of the flood.
TEST_P(ProbesInAFlood, AreAnsweredBeforeAnyFurtherRequestOfTheFloodingAddress) {
  serve();
  client kept_alive(at_, "127.0.0.77");
  kept_alive.get("/healthz");
  ASSERT_THAT(kept_alive.answer(), StartsWith("HTTP/1.1 200"));
  flood rude(at_, "127.0.0.66", 300);
  rude.send(repeated(request("/api/v1/status"), 200));
  for (int turn = 0; turn < 20; ++turn) ASSERT_TRUE(stop_at_next()) << "the flood is over too soon";

  client probe(at_, GetParam().from);
  probe.get(GetParam().target);
  kept_alive.get(GetParam().target);
  // On a busy machine the system delivers late: "before" is of what is there.
  ASSERT_TRUE(comes_true([&] { return probe.delivered() && kept_alive.delivered(); }));
  ASSERT_TRUE(stop_at_next());
  EXPECT_THAT(probe.answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(kept_alive.answer(), StartsWith("HTTP/1.1 200"));
}

INSTANTIATE_TEST_SUITE_P(, ProbesInAFlood,
                         testing::Values(asked{"/healthz", "127.0.0.88"}, asked{"/readyz", "127.0.0.88"},
                                         asked{"/metrics", "127.0.0.88"}, asked{"/healthz", "127.0.0.66"},
                                         asked{"/readyz", "127.0.0.66"}, asked{"/metrics", "127.0.0.66"}),
                         [](const auto& row) {
                           const bool same = std::string_view(row.param.from) == "127.0.0.66";
                           return std::string(row.param.target).substr(1) +
                                  (same ? "_of_the_flooding_address" : "_of_another");
                         });

TEST_F(Flood, AThousandConnectionsAtOnceLeaveTheConnectionsOfOthersAlone) {
  serve({.listen = {}, .max_connections = 50});
  client kept_alive(at_, "127.0.0.77");
  kept_alive.get("/healthz");
  ASSERT_THAT(kept_alive.answer(), StartsWith("HTTP/1.1 200"));
  for (int burst = 0; burst < 10; ++burst) {
    flood many(at_, "127.0.0.66", 100);
    many.send("GET /api/v1/");  // a request that does not end
    client other(at_, "127.0.0.88");
    other.get("/healthz");
    EXPECT_THAT(other.answer(), StartsWith("HTTP/1.1 200"));
  }
  kept_alive.get("/healthz");
  EXPECT_THAT(kept_alive.answer(), StartsWith("HTTP/1.1 200"));
  on_thread([this] {
    EXPECT_THAT(noticed_, ElementsAre(HasSubstr("all 50 HTTP connections are taken, 4")));
    EXPECT_THAT(noticed_, ElementsAre(HasSubstr("by 127.0.0.66, which loses some")));
  });
}

// The line of requests has no more places than there are connections.
TEST_F(Flood, ConnectionsThatMadeRoomAreNotAnswered) {
  int answered = 0;
  on_status_ = [&answered] { ++answered; };
  serve({.listen = {}, .max_connections = 10});
  on_thread([&] {
    flood many(at_, "127.0.0.66", 500);
    many.send(request("/api/v1/status"));
  });
  client last(at_, "127.0.0.66");
  last.get("/healthz");
  EXPECT_THAT(last.answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(comes_true([this] { return open_connections() <= 1; }));
  on_thread([&] { EXPECT_LT(answered, 500); });
}

TEST_F(Flood, TheClientThatReadsLeastLosesItsAnswersFirst) {
  const std::size_t size = 400U << 10;
  serve({.listen = {}, .max_unsent = 2U << 20, .max_unsent_of_client = 2U << 20}, std::string(size, 'x'));
  client slow(at_, "127.0.0.77");
  slow.get("/metrics");
  ASSERT_TRUE(comes_true([this] { return scrapes_ == 1; }));
  flood greedy(at_, "127.0.0.66", 0);
  for (int i = 0; i < 40; ++i) {
    greedy.add(at_, "127.0.0.66", 4096);
    greedy.send_by_the_last(request("/metrics"));
    ASSERT_TRUE(comes_true([&] { return scrapes_ == i + 2; }));
  }
  EXPECT_LT(open_connections(), 12U) << "as many as the budget has room for";
  EXPECT_THAT(slow.answer(), testing::EndsWith(std::string(1'000, 'x')));
  slow.patience(2);
  EXPECT_EQ(slow.rest(), "still open");
  on_thread(
      [this] { EXPECT_THAT(noticed_, ElementsAre(HasSubstr("127.0.0.66 does not read its HTTP answers"))); });
}

TEST_F(Flood, OneClientHasABudgetOfItsOwn) {
  serve({.listen = {}, .max_unsent = 64U << 20, .max_unsent_of_client = 1U << 20},
        std::string(400U << 10, 'x'));
  flood greedy(at_, "127.0.0.66", 0);
  for (int i = 0; i < 40; ++i) {
    greedy.add(at_, "127.0.0.66", 4096);
    greedy.send_by_the_last(request("/metrics"));
    ASSERT_TRUE(comes_true([&] { return scrapes_ == i + 1; }));
  }
  EXPECT_LT(open_connections(), 10U);
}

// While requests wait, what takes longest to make is made once.
TEST_F(Flood, MetricsAreMadeOnceForManyThatWait) {
  serve();
  flood rude(at_, "127.0.0.66", 1);
  close_gate();
  rude.send(request("/api/v1/status"));
  ASSERT_TRUE(is_stopped());
  std::list<client> scrapers;
  for (int i = 0; i < 20; ++i) scrapers.emplace_back(at_, "127.0.0.66").get("/metrics");
  open_gate();
  for (auto& each : scrapers) EXPECT_THAT(each.answer(), HasSubstr("up 1\n"));
  EXPECT_LT(scrapes_, 20);
  client alone(at_);
  const int before = scrapes_;
  alone.get("/metrics");
  EXPECT_THAT(alone.answer(), HasSubstr("up 1\n"));
  EXPECT_EQ(scrapes_, before + 1) << "who asks alone is given what is now";
}

// ---- descriptors

// From now on this process can open `spare` more. Meanwhile nothing may be expected: the sanitizer needs a
// pipe to look at an object.
class descriptor_limit {
 public:
  explicit descriptor_limit(int spare) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    std::vector<int> opened;
    for (int i = 0; i < spare; ++i) opened.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    for (const int each : opened) ::close(each);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(*std::ranges::max_element(opened)) + 1;
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  descriptor_limit(const descriptor_limit&) = delete;
  descriptor_limit& operator=(const descriptor_limit&) = delete;

 private:
  rlimit before_{};
};

// Sockets are made before the limit, and connected under it: only the server needs more.
class Descriptors : public server_under_test {
 protected:
  int unconnected() {
    made_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{30, 0};
    ::setsockopt(made_.back(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return made_.back();
  }
  std::string healthz(int by) {
    ::connect(by, at_.data(), static_cast<socklen_t>(at_.size()));
    const auto asking = request("/healthz");
    ::send(by, asking.data(), asking.size(), MSG_NOSIGNAL);
    std::array<char, 1024> bytes{};
    const auto count = ::recv(by, bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }
  void TearDown() override {
    for (const int each : made_) ::close(each);
    server_under_test::TearDown();
  }
  std::vector<int> made_;
};

TEST_F(Descriptors, WithNoneLeftClientsTakeThemFromEachOtherAndOneLineSaysWhy) {
  serve();
  std::vector<int> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(unconnected());
  std::vector<std::string> answers;
  {
    const descriptor_limit three_more(3);
    for (const int each : clients) answers.push_back(healthz(each));
  }
  EXPECT_THAT(answers, testing::Each(HasSubstr("alive\n")));
  on_thread([this] {
    EXPECT_THAT(noticed_, ElementsAre(AllOf(HasSubstr("file descriptors of this process are in use"),
                                            HasSubstr("LimitNOFILE"))));
  });
}

TEST_F(Descriptors, WithNoneAtAllTheOnePutByServes) {
  serve();
  const int first = unconnected();
  std::string answer;
  const int filled = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    const descriptor_limit one_more(1);
    const int last = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    answer = healthz(first);
    ::close(last);
  }
  EXPECT_THAT(answer, HasSubstr("alive\n"));
  ::close(filled);
}

TEST_F(Descriptors, AcceptingThatFailsAtOnceIsTriedAfterAPause) {
  options given;
  given.listen = {asio::ip::make_address("127.0.0.1"), 0};
  given.max_streams = 4;
  content from;
  from.snapshot = [this] { return now_; };
  from.metrics = [] { return std::string(); };
  from.version = "0.1.0";
  from.noticed = [this](std::string line) { noticed_.push_back(std::move(line)); };
  asio::io_context io;
  server one(io, given, from);
  ASSERT_TRUE(one.start());
  at_ = one.endpoint();
  const int streaming = unconnected(), waiting = unconnected();
  std::size_t handled = 0;
  {
    // The descriptor put by goes to an event stream, which makes no room.
    const descriptor_limit one_more(1);
    const int last = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::connect(streaming, at_.data(), static_cast<socklen_t>(at_.size()));
    const auto asking = request("/api/v1/events/stream");
    ::send(streaming, asking.data(), asking.size(), MSG_NOSIGNAL);
    io.run_for(300ms);
    ::connect(waiting, at_.data(), static_cast<socklen_t>(at_.size()));
    const auto until = std::chrono::steady_clock::now() + 1s;
    while (io.run_one_until(until) > 0) ++handled;
    ::close(last);
  }
  EXPECT_LT(handled, 200U) << "ten tries a second, and ten looks of the stream";
  EXPECT_THAT(noticed_, testing::SizeIs(1));
  one.stop();
  io.run();
}

}  // namespace
}  // namespace rollcall::http
