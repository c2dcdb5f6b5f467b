// The commands that ask: tables from answers, exit codes, and every way in which nobody answers. The server
// is a scripted one on loopback: it sends given bytes to the first connection.
#include "app/client.hpp"

#include "app/http_client.hpp"
#include "test/unit/app/answering_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <sstream>
#include <thread>

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using testing::HasSubstr;
namespace json = boost::json;

class scripted_server {
 public:
  explicit scripted_server(std::string answer, const std::string& address = "127.0.0.1")
      : acceptor_(context_, tcp::endpoint(boost::asio::ip::make_address(address), 0)),
        answer_(std::move(answer)) {
    thread_ = std::thread([this] { serve(); });
  }
  scripted_server(const scripted_server&) = delete;
  scripted_server& operator=(const scripted_server&) = delete;
  ~scripted_server() { join(); }
  std::string url() const {
    const auto e = acceptor_.local_endpoint();
    const auto host = e.address().is_v6() ? "[" + e.address().to_string() + "]" : e.address().to_string();
    return "http://" + host + ":" + std::to_string(e.port());
  }
  std::string request() {
    join();
    return request_;
  }

 private:
  void serve() {
    boost::system::error_code ignored;
    tcp::socket peer(context_);
    acceptor_.accept(peer, ignored);
    boost::asio::read_until(peer, boost::asio::dynamic_buffer(request_), "\r\n\r\n", ignored);
    if (answer_.empty()) {
      // Silence until the client gives up.
      char byte = 0;
      peer.read_some(boost::asio::buffer(&byte, 1), ignored);
    } else {
      boost::asio::write(peer, boost::asio::buffer(answer_), ignored);
    }
  }
  void join() {
    if (!thread_.joinable()) return;
    // Wakes an accept that nobody will satisfy.
    boost::system::error_code ignored;
    tcp::socket waker(context_);
    waker.connect(acceptor_.local_endpoint(), ignored);
    waker.close(ignored);
    thread_.join();
  }
  boost::asio::io_context context_;
  tcp::acceptor acceptor_;
  std::string answer_, request_;
  std::thread thread_;
};

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct asked {
  int code = -1;
  std::string out, complaints;
};
asked ask_for(command what, const std::string& url, bool as_json = false) {
  configuration c;
  c.command = what;
  c.url = url;
  c.json = as_json;
  std::ostringstream out, complaints;
  asked result;
  result.code = ask(c, {}, out, complaints);
  result.out = out.str();
  result.complaints = complaints.str();
  return result;
}

std::string shown(command what, const std::string& text, int expected_code = answered,
                  std::size_t columns = 0, const std::string& subject = {}, const std::string& state = {}) {
  std::ostringstream out;
  configuration c;
  c.command = what;
  c.subject = subject;
  c.state = state;
  EXPECT_EQ(
      show(c, json::parse(text), 1'000'000'000ms, {.columns = columns, .rows = 24, .colour = false}, out),
      expected_code);
  return out.str();
}

std::size_t widest(const std::string& text) {
  std::istringstream lines(text);
  std::size_t most = 0;
  for (std::string line; std::getline(lines, line);) most = std::max(most, line.size());
  return most;
}

TEST(Client, MembersAreATable) {
  EXPECT_EQ(shown(command::members,
                  R"([{"node":"a@h","state":"up","reason":null,"since_at":999880000,"listed":true,"visible":1,
                       "missing":0,"partition":0,"creation":7,"otp_release":"25"},
                      {"node":"long-name@h","state":"suspect","reason":"timeout","since_at":999999500,"listed":false,
                       "visible":0,"missing":0,"partition":null,"creation":null,"otp_release":null}])"),
            "NODE         STATE    REASON   SINCE   LISTED  SEES  MISSING  PARTITION  OTP\n"
            "a@h          up                2m ago  yes     1     0        0          25\n"
            "long-name@h  suspect  timeout  now     no      0     0\n");
  EXPECT_EQ(shown(command::members, "[]"), "no members\n");
}

TEST(Client, StatusNamesHealthAndDetailsAndIsAnExitCode) {
  EXPECT_EQ(shown(command::status,
                  R"({"health":"warning","details":[{"name":"members_missing","severity":"warning",
                       "text":"1 of 3 members is not up: b@h"}],"expected":3,"up":2,
                       "members":{"up":2,"down":1},"unlisted":[],"netsplit":false,"at":999999000})",
                  not_well),
            "health    warning\n"
            "expected  3\n"
            "up        2\n"
            "members   up=2 down=1\n"
            "netsplit  no\n"
            "changed   1s ago\n"
            "\ndetails\n"
            "  warning  members_missing  1 of 3 members is not up: b@h\n");
  EXPECT_EQ(shown(command::status, R"({"health":"ok","details":[]})"), "health  ok\n");
  EXPECT_EQ(shown(command::status, R"({"health":"error"})", not_well), "health  error\n");
}

TEST(Client, PartitionsNetsplitsAndEventsAreTables) {
  EXPECT_EQ(shown(command::partitions, R"([["a@h","b@h"],["c@h"]])"),
            "PARTITION  SIZE  NODES\n"
            "0          2     a@h, b@h\n"
            "1          1     c@h\n");
  EXPECT_EQ(
      shown(command::partitions, R"([{"mesh":"hx","nodes":["hx@a","hx@b"]},{"mesh":null,"nodes":["c@h"]}])"),
      "MESH  PARTITION  SIZE  NODES\n"
      "hx    0          2     hx@a, hx@b\n"
      "      1          1     c@h\n");
  EXPECT_EQ(shown(command::partitions, R"([["app-0@h","app-10@h","app-2@h"]])"),
            "PARTITION  SIZE  NODES\n"
            "0          3     app-0@h, app-2@h, app-10@h\n");
  EXPECT_EQ(shown(command::partitions, "[]"), "no partitions: no member is up\n");
  EXPECT_EQ(shown(command::netsplits,
                  R"([{"id":2,"type":"full","opened_at":999940000,"closed_at":null,"ended":"open",
                                          "groups":[["a@h","d@h","e@h","f@h"],["b@h","c@h"]],"cause":null},
                                         {"id":1,"type":"partial","opened_at":999000000,"closed_at":999012000,"ended":"healed",
                                          "groups":[],"cause":{"from":"a@h","to":"b@h","reason":"probe","path":"timeout"}}])"),
            "2  OPEN  full, opened 1m ago, still open\n"
            "   groups  4: a@h d@h e@h +1 | 2: b@h c@h\n"
            "1  over  partial, opened 16m ago, lasted 12s, healed\n"
            "   first broken pair  a@h - b@h (probe, path: timeout)\n");
  EXPECT_EQ(shown(command::netsplits, "[]"), "no netsplits\n");
  EXPECT_EQ(
      shown(command::events,
            R"([{"id":1,"at":999990000,"type":"member_up","node":"a@h","reason":null,"from":"joining"}])"),
      "ID  WHEN     TYPE       WHAT\n"
      "1   10s ago  member_up  node=a@h from=joining\n");
  const auto* suspect =
      "[{\"id\":2,\"at\":999990000,\"type\":\"member_suspect\",\"node\":\"a@h\",\"reason\":\"closed\","
      "\"text\":\"a@h is suspect: closed (a@h closed the connection)\"}]";
  EXPECT_EQ(shown(command::events, suspect),
            "ID  WHEN     TYPE            WHAT\n"
            "2   10s ago  member_suspect  a@h is suspect: closed (it closed the connection)\n");
  EXPECT_EQ(shown(command::events, "[]"), "no events\n");
}

// What twenty nodes with long names make of each table.
TEST(Client, TablesKeepToEightyColumns) {
  std::string members = "[", groups, events = "[";
  for (int i = 0; i < 20; ++i) {
    const auto name = "\"app@app-" + std::to_string(i) + ".app-headless.production.svc.cluster.local\"";
    const auto comma = i == 0 ? "" : ",";
    members += comma + ("{\"node\":" + name) +
               ",\"state\":\"suspect\",\"reason\":\"not_registered\",\"since_at\":1000000,\"listed\":true,"
               "\"visible\":19,\"missing\":19,\"partition\":0,\"creation\":7,\"otp_release\":\"25\"}";
    groups += comma + name;
    events +=
        comma + ("{\"id\":" + std::to_string(i)) +
        ",\"at\":999990000,\"type\":\"member_suspect\",\"node\":" + name +
        ",\"text\":" + name.substr(0, name.size() - 1) +
        " is suspect: closed (app@app-1.app-headless.production.svc.cluster.local closed the connection)\"}";
  }
  const auto table = shown(command::members, members + "]", answered, 80);
  EXPECT_LE(widest(table), 80U) << table;
  EXPECT_THAT(table, HasSubstr("\nnames end in .app-headless.production.svc.cluster.local\n"));
  EXPECT_LT(table.find("app@app-2 "), table.find("app@app-10 "));
  EXPECT_THAT(table, HasSubstr("not_registered"));
  const auto list = shown(command::events, events + "]", answered, 80);
  EXPECT_LE(widest(list), 80U) << list;
  EXPECT_THAT(list, HasSubstr("app@app-0 is suspect: closed (app@app-1 closed"));
  const auto splits =
      shown(command::netsplits,
            "[{\"id\":1,\"type\":\"full\",\"opened_at\":999940000,\"closed_at\":null,\"ended\":\"open\","
            "\"groups\":[[" +
                groups + "],[\"app@app-99.app-headless.production.svc.cluster.local\"]],\"cause\":null}]",
            answered, 80);
  EXPECT_LE(widest(splits), 80U) << splits;
  EXPECT_THAT(splits, HasSubstr("20: app@app-0 app@app-1 app@app-2 +17 | 1: app@app-99"));
  EXPECT_LE(widest(shown(command::partitions, "[[" + groups + "]]", answered, 80)), 80U);
}

TEST(Client, MembersThatLeftLongAgoAreCountedOnly) {
  const std::string answer =
      R"([{"node":"a@h","state":"up","since_at":1000},{"node":"b@h","state":"left","since_at":999500000},
          {"node":"c@h","state":"left","since_at":1000},{"node":"d@h","state":"left","since_at":1000}])";
  const auto usual = shown(command::members, answer);
  EXPECT_THAT(usual, HasSubstr("\nb@h "));
  EXPECT_THAT(usual, testing::Not(HasSubstr("c@h")));
  EXPECT_THAT(usual, HasSubstr("2 that left more than 10m ago: --state left\n"));
  EXPECT_THAT(shown(command::members, answer, answered, 0, "", "left"), HasSubstr("\nc@h "));
}

TEST(Client, OneMemberAndWhatKeepsItOut) {
  EXPECT_EQ(shown(command::members, R"({"node":"a@h","state":"up","reason":null,"since_at":999880000})",
                  answered, 0, "a@h"),
            "node   a@h\nstate  up\nsince  2m ago\n");
  EXPECT_EQ(
      shown(command::why,
            R"({"node":"a@h","state":"down","reason":"refused","stuck_at":"tcp","text":"nothing listens",
                      "steps":[{"step":"dns","ok":true,"text":null},{"step":"tcp","ok":false,"text":"nothing listens"},
                               {"step":"view","ok":null,"text":null}]})",
            answered, 0, "a@h"),
      "a@h: down\n  dns   ok\n  tcp   FAILED  nothing listens\n  view  -\n");
}

TEST(Client, APauseLiesAheadAndStandingByIsSaid) {
  const auto paused =
      shown(command::status, R"({"health":"warning","details":[],"paused_until_at":1000540000})", not_well);
  EXPECT_THAT(paused, HasSubstr("paused, ends  in 9m\n"));
  EXPECT_THAT(shown(command::status, R"({"health":"warning","details":[],"standing_by":true})", not_well),
              testing::StartsWith("standing by: another rollcall of this name is at work"));
  scripted_server server("HTTP/1.1 200 OK\r\nRollcall-Standing-By: true\r\nContent-Length: 2\r\n\r\n[]");
  const auto empty = ask_for(command::members, server.url());
  EXPECT_EQ(empty.out, "no members\n");
  EXPECT_THAT(empty.complaints, HasSubstr("standing by: another rollcall of this name is at work"));
}

TEST(Client, LinesOfAnAnswerThatGoesOnAreGivenAsTheyCome) {
  scripted_server server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "8\r\nid: 7\nda\r\n9\r\nta: {}\n\n:\r\n2\r\n \n\r\n0\r\n\r\n");
  std::vector<std::string> lines;
  EXPECT_EQ(http_lines(server.url(), "/api/v1/events/stream", "6", 10s,
                       [&](std::string_view line) { lines.emplace_back(line); }),
            200U);
  EXPECT_EQ(lines, (std::vector<std::string>{"id: 7", "data: {}", "", ": "}));
  EXPECT_THAT(server.request(), HasSubstr("\r\nLast-Event-ID: 6\r\n"));
  scripted_server other("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(http_lines(other.url(), "/", "", 10s, [](std::string_view) {}), 503U);
}

TEST(Client, AnEventIsALine) {
  std::ostringstream out;
  show_event(json::parse(R"({"id":3,"at":1000,"type":"member_up","node":"a@h","text":"a@h is up\u001b[2J"})"),
             {}, out);
  EXPECT_THAT(out.str(), testing::MatchesRegex("[0-9][0-9]:[0-9][0-9]:[0-9][0-9] a@h is up.u001b.2J\n"));
}

TEST(Client, WhatIsAskedForFollowsTheCommand) {
  configuration c;
  c.command = command::members;
  EXPECT_EQ(api_path(c), "/api/v1/members");
  c.command = command::events;
  c.last = 7;
  EXPECT_EQ(api_path(c), "/api/v1/events?last=7");
  c.command = command::members;
  c.state = "down";
  EXPECT_EQ(api_path(c), "/api/v1/members?state=down");
  c.command = command::why;
  c.subject = "app@h/../x y";
  EXPECT_EQ(api_path(c), "/api/v1/why/app@h%2F..%2Fx%20y");
}

TEST(Client, AsksOverHttpAndPrintsTheAnswer) {
  scripted_server server(ok(R"([["a@h"]])"));
  const auto result = ask_for(command::partitions, server.url() + "/prefix");
  EXPECT_EQ(result.code, answered);
  EXPECT_EQ(result.out, "PARTITION  SIZE  NODES\n0          1     a@h\n");
  EXPECT_EQ(result.complaints, "");
  const auto request = server.request();
  EXPECT_THAT(request, testing::StartsWith("GET /prefix/api/v1/partitions HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nHost: 127.0.0.1:"));
}

TEST(Client, AMemberIsFoundByTheBeginningOfItsNameOrHost) {
  const std::string whole = "app@app-0.app.shop.svc.cluster.local";
  answering_server server([&](const std::string& path) -> std::optional<std::string> {
    if (path == "/api/v1/members")
      return R"([{"node":"app@app-0.app.shop.svc.cluster.local"},{"node":"one@127.0.0.1"},{"node":"one1@127.0.0.1"}])";
    for (const auto& name : {whole, std::string("one@127.0.0.1")})
      if (path == "/api/v1/why/" + url_encoded(name))
        return R"({"node":")" + name + R"(","state":"up","steps":[]})";
    return std::nullopt;
  });
  server.start();
  for (const auto& [asked, found] : {std::pair<std::string, std::string>{"app-0", whole},
                                     {"app-0.app", whole},
                                     {"one", "one@127.0.0.1"},
                                     {"app", whole}}) {
    configuration c;
    c.command = command::why;
    c.url = server.url();
    c.subject = asked;
    std::ostringstream out, complaints;
    EXPECT_EQ(ask(c, {}, out, complaints), answered) << asked << ": " << complaints.str();
    EXPECT_THAT(out.str(), testing::StartsWith(found + ": up")) << asked;
  }
}

TEST(Client, AsksOverIpv6) {
  scripted_server server(ok("[]"), "::1");
  EXPECT_EQ(ask_for(command::members, server.url()).out, "no members\n");
  EXPECT_THAT(server.request(), HasSubstr("\r\nHost: [::1]:"));
}

TEST(Client, JsonIsWhatTheServerSentAndStatusKeepsItsExitCode) {
  scripted_server whole(ok(R"({"health": "ok"})"));
  const auto good = ask_for(command::status, whole.url(), true);
  EXPECT_EQ(good.code, answered);
  EXPECT_EQ(good.out, "{\"health\":\"ok\"}\n");
  scripted_server broken(ok(R"({"health": "error"})"));
  EXPECT_EQ(ask_for(command::status, broken.url(), true).code, not_well);
}

TEST(Client, HealthcheckIsOneWordAndAsksOnlyWhetherItIsAlive) {
  scripted_server alive(ok("alive\n"));
  const auto good = ask_for(command::healthcheck, alive.url());
  EXPECT_EQ(good.code, answered);
  EXPECT_EQ(good.out, "alive\n");
  EXPECT_EQ(good.complaints, "");
  EXPECT_THAT(alive.request(), testing::StartsWith("GET /healthz HTTP/1.1\r\n"));
}

// Docker reserves every other code.
TEST(Client, HealthcheckIsOneWhateverIsWrong) {
  for (const auto* bytes : {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
                            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "no HTTP\r\n\r\n"}) {
    scripted_server other(bytes);
    const auto result = ask_for(command::healthcheck, other.url());
    EXPECT_EQ(result.code, not_alive) << bytes;
    EXPECT_EQ(result.out, "") << bytes;
    EXPECT_THAT(result.complaints, testing::StartsWith("rollcall: ")) << bytes;
  }
  std::string url;
  {
    scripted_server gone("x");
    url = gone.url();
  }
  EXPECT_EQ(ask_for(command::healthcheck, url).code, not_alive);
}

TEST(Client, NobodyListeningIsASentence) {
  std::string url;
  {
    scripted_server gone("x");
    url = gone.url();
  }
  const auto result = ask_for(command::members, url);
  EXPECT_EQ(result.code, could_not_ask);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.complaints, "rollcall: cannot ask " + url +
                                   ": Connection refused (is rollcall running there? --url says where)\n");
}

TEST(Client, SilenceEndsAtTheLimit) {
  scripted_server silent("");
  EXPECT_THAT([&] { http_get(silent.url(), "/", 50ms); },
              testing::ThrowsMessage<std::runtime_error>("no answer within 50ms"));
}

struct answer_row {
  std::string name, bytes, complaint;
};
std::ostream& operator<<(std::ostream& out, const answer_row& row) {
  return out << row.name;
}
struct BadAnswer : testing::TestWithParam<answer_row> {};

TEST_P(BadAnswer, IsASentenceAndCodeTwo) {
  scripted_server server(GetParam().bytes);
  const auto result = ask_for(command::members, server.url());
  EXPECT_EQ(result.code, could_not_ask);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.complaints, testing::StartsWith("rollcall: "));
  EXPECT_THAT(result.complaints, HasSubstr(GetParam().complaint));
  EXPECT_THAT(result.complaints, testing::Not(HasSubstr(".hpp")))
      << "a library's source is nobody's business";
  EXPECT_THAT(result.complaints, testing::Not(HasSubstr("/usr/")));
}

INSTANTIATE_TEST_SUITE_P(
    Answers, BadAnswer,
    testing::Values(
        answer_row{"not_found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                   "does not know /api/v1/members: it is an older rollcall, or no rollcall"},
        answer_row{"unavailable", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nsor\x1by",
                   "answered /api/v1/members with HTTP status 503: sor\\u001by"},
        answer_row{"not_json", ok("<html>"), "is not rollcall's"},
        answer_row{"other_json", ok("{}"), "is not rollcall's: the answer is not a list"},
        answer_row{"other_elements", ok("[1]"),
                   "is not rollcall's: an element of the answer is not an object"},
        answer_row{"deep_json", ok(std::string(100'000, '[')), "is not rollcall's"},
        answer_row{"not_http", "SSH-2.0-OpenSSH_9\r\n\r\n", "cannot ask"},
        answer_row{"cut_short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", "cannot ask"},
        answer_row{"too_large", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "cannot ask"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace rollcall::app
