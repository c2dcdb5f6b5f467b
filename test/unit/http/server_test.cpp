// Clients that are slow, greedy, rude, or gone.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>

#include "test/unit/http/server_under_test.hpp"

namespace rollcall::http {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Server : public server_under_test {};

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
                          HasSubstr("script-src 'self'"), HasSubstr("</html>")));
  one.get("/page/page.js");
  EXPECT_THAT(one.answer(),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: text/javascript; charset=utf-8\r\n"),
                    HasSubstr("X-Content-Type-Options: nosniff\r\n")));
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
           row{"two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400"},
           row{"the same Host twice", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "HTTP/1.1 400"},
           row{"two Hosts of HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400"},
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
                                  HasSubstr("{\"error\":"), Not(HasSubstr("still open")),
                                  Not(HasSubstr(".hpp")), Not(HasSubstr(".ipp")), Not(HasSubstr("/usr/"))))
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
  const auto until = std::chrono::steady_clock::now() + 30s;
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
  serve({.listen = {}, .request_limit = 200ms}, std::string(64U << 20, 'x'));
  client greedy(at_);
  greedy.get("/metrics");
  EXPECT_TRUE(comes_true([this] { return scrapes_ == 1; }));
  EXPECT_TRUE(comes_true([this] { return open_connections() == 0; }));
  EXPECT_EQ(scrapes_, 1);
}

// Half a million pairs, of which a client takes a little at a time: in all for longer than one piece may
// take.
TEST_F(Server, ALongAnswerThatIsTakenHasAsLongAsItNeeds) {
  serve({.listen = {}, .request_limit = 2s});
  have_members(1'000);
  client steady(at_);
  steady.send("GET /api/v1/links HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto begun = std::chrono::steady_clock::now();
  std::string piece(64U << 10, ' '), end;
  std::size_t all = 0;
  error_code over;
  while (!over) {
    const auto count = steady.socket().read_some(asio::buffer(piece), over);
    all += count;
    end = (end + piece.substr(0, count)).substr(end.size() + count > 9 ? end.size() + count - 9 : 0);
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_GT(std::chrono::steady_clock::now() - begun, 2s) << "it had to be told apart from a short one";
  EXPECT_EQ(over, asio::error::eof);
  EXPECT_GT(all, 20U << 20);
  EXPECT_THAT(end, testing::EndsWith("]\n\r\n0\r\n\r\n"));
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

TEST_F(Server, AnAnswerThatIsNotReadMakesRoom) {
  serve({.listen = {}, .max_connections = 1}, std::string(64U << 20, 'x'));
  client busy(at_);
  busy.get("/metrics");
  EXPECT_TRUE(comes_true([this] { return scrapes_ == 1; }));
  client next(at_);
  next.get("/healthz");
  EXPECT_THAT(next.answer(), HasSubstr("alive\n"));
}

// Otherwise a flood that never reads would push out a probe of the same address between its connecting and
// its asking.
TEST_F(Server, AnAnswerThatIsNotReadGoesBeforeAConnectionThatHasAskedNothingYet) {
  serve({.listen = {}, .max_connections = 2}, std::string(64U << 20, 'x'));
  client busy(at_);
  busy.get("/metrics");
  ASSERT_TRUE(comes_true([this] { return scrapes_ == 1; }));
  client quiet(at_);
  ASSERT_TRUE(comes_true([this] { return open_connections() == 2; }));
  client next(at_);
  next.get("/healthz");
  EXPECT_THAT(next.answer(), HasSubstr("alive\n"));
  quiet.get("/healthz");
  EXPECT_THAT(quiet.answer(), HasSubstr("alive\n"));
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

// Of this thread alone, from now on: socket(AF_INET6) fails as on a kernel without IPv6.
void take_ipv6_away() {
  std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{program.size(), program.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

// [::] is what the image listens on.
TEST_F(Server, ListensOnEveryIpv4AddressWhereTheKernelHasNoIpv6) {
  std::thread([] {
    take_ipv6_away();
    asio::io_context io;
    server every(io, {.listen = {asio::ip::make_address("::"), 0}}, {});
    ASSERT_TRUE(every.start());
    EXPECT_EQ(every.endpoint().address(), asio::ip::make_address("0.0.0.0"));
    tcp::socket to(io);
    error_code refused;
    to.connect({asio::ip::make_address("127.0.0.1"), every.endpoint().port()}, refused);
    EXPECT_FALSE(refused);
    server one(io, {.listen = {asio::ip::make_address("::1"), 0}}, {});
    const auto started = one.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error(), asio::error::address_family_not_supported);
    every.stop();
  }).join();
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
