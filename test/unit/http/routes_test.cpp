// Each route, what it refuses, and that what is written row by row equals the document it stands for.
#include "http/routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "http/json.hpp"
#include "http/page.hpp"
#include "membership/report.hpp"
#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::http {
namespace {

using boost::json::value;
using testing::HasSubstr;
using testing::Not;

content troubled(std::string* failure = nullptr) {
  content from;
  from.snapshot = [of = std::make_shared<const membership::snapshot>(test::troubled_cluster())] {
    return of;
  };
  from.metrics = [] { return std::string("up 1\n"); };
  from.ready = [] { return readiness{true, "rounds are working"}; };
  from.version = "0.1.0";
  if (failure) from.failed = [failure](std::string what) { *failure = std::move(what); };
  return from;
}

std::string body_of(answer made) {
  if (!made.next) return made.body;
  std::string out;
  while (made.next(out)) {
  }
  return out;
}

value json_at(std::string_view target, unsigned expected_status = 200) {
  auto made = respond(troubled(), "GET", target);
  EXPECT_EQ(made.status, expected_status) << target;
  EXPECT_EQ(made.content_type, "application/json") << target;
  boost::system::error_code error;
  auto parsed = boost::json::parse(body_of(std::move(made)), error);
  EXPECT_FALSE(error) << target << ": " << error.message();
  return parsed;
}

TEST(Routes, AnswersMetricsHealthAndReadiness) {
  auto from = troubled();
  auto made = respond(from, "GET", "/metrics");
  EXPECT_EQ(made.body, "up 1\n");
  EXPECT_EQ(made.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(respond(from, "GET", "/healthz").status, 200U);
  EXPECT_EQ(respond(from, "GET", "/readyz").body, "rounds are working\n");
  from.ready = [] { return readiness{false, "a newer Rollcall took over this name"}; };
  made = respond(from, "GET", "/readyz");
  EXPECT_EQ(made.status, 503U);
  EXPECT_EQ(made.body, "a newer Rollcall took over this name\n");
}

TEST(Routes, GivesTheDocumentsOfTheReport) {
  namespace report = membership::report;
  const auto of = test::troubled_cluster();
  struct row {
    std::string_view target;
    report::document expected;
  };
  for (const auto& [target, expected] : {
           row{"/api/v1/status", report::status(of)},
           row{"/api/v1/members", report::members(of)},
           row{"/api/v1/members?state=down", report::members(of, membership::member_state::down)},
           row{"/api/v1/members/a@h", report::member(of, "a@h")},
           row{"/api/v1/members/a%40h", report::member(of, "a@h")},
           row{"/api/v1/nodes", report::nodes(of)},
           row{"/api/v1/nodes?state=left", report::nodes(of, membership::member_state::left)},
           row{"/api/v1/partitions", report::partitions(of)},
           row{"/api/v1/links", report::links(of)},
           row{"/api/v1/missing_links", report::missing_links(of)},
           row{"/api/v1/discovery", report::discovery(of)},
           row{"/api/v1/events", report::events(of, 256)},
           row{"/api/v1/events?last=1", report::events(of, 1)},
           row{"/api/v1/events?last=0", report::events(of, 0)},
       }) {
    EXPECT_EQ(json_at(target), boost::json::parse(render(expected))) << target;
  }
  EXPECT_EQ(json_at("/api/v1/version"), value("0.1.0"));
}

TEST(Routes, FiltersLinksByState) {
  const auto missing = json_at("/api/v1/links?state=missing");
  EXPECT_EQ(missing, boost::json::parse(R"([{"a":"a@h","b":"c@h","state":"missing"}])"));
}

TEST(Routes, ShowsEachView) {
  EXPECT_EQ(json_at("/api/v1/views"), boost::json::parse(R"([
      {"node":"a@h","sees":["b@h"]}, {"node":"b@h","sees":["a@h","c@h"]},
      {"node":"c@h","sees":["b@h"]}, {"node":"d@h","sees":null}])"));
}

TEST(Routes, WritesEmptyListsForAnEmptyCluster) {
  auto from = troubled();
  from.snapshot = [] { return std::make_shared<const membership::snapshot>(); };
  for (const std::string_view target :
       {"/api/v1/links", "/api/v1/views", "/api/v1/members", "/api/v1/partitions"}) {
    EXPECT_EQ(body_of(respond(from, "GET", target)), "[]\n") << target;
  }
}

TEST(Routes, RefusesWhatIsNotThere) {
  struct row {
    std::string_view method, target;
    unsigned status;
    std::string_view part;
  };
  for (const auto& [method, target, status, part] : {
           row{"GET", "/nothing", 404, "\"/api/v1/members/{node}\""},
           row{"GET", "/metrics/", 404, "no such path"},
           row{"GET", "//metrics", 404, "no such path"},
           row{"GET", "/api/v1/members/", 404, "no such path"},
           row{"GET", "/api/v1/members/a@h/b", 404, "no such path"},
           row{"GET", "/../../etc/passwd", 404, "no such path"},
           row{"GET", "/api/v1/members/%2e%2e%2fx", 404, "../x"},
           row{"GET", "/api/v1/members/z@h", 404, "no such member"},
           row{"GET", "/api/v1/members/%3Cscript%3E", 404, "no such member"},
           row{"GET", "/api/v1/members?state=odd", 400, "joining, up, suspect"},
           row{"GET", "/api/v1/members?state=", 400, "state must be"},
           row{"GET", "/api/v1/nodes?state=UP", 400, "state must be"},
           row{"GET", "/api/v1/links?state=up", 400, "one_way"},
           row{"GET", "/api/v1/events?last=-1", 400, "last must be a number"},
           row{"GET", "/api/v1/events?last=1x", 400, "last must be a number"},
           row{"GET", "/api/v1/events?last=99999999999999999999", 400, "last must be a number"},
           row{"GET", "/%zz", 400, "cannot be read"},
           row{"GET", "*", 400, "cannot be read"},
           row{"POST", "/api/v1/members", 405, "only GET and HEAD"},
           row{"DELETE", "/nothing", 405, "only GET and HEAD"},
           row{"OPTIONS", "*", 405, "only GET and HEAD"},
       }) {
    const auto made = respond(troubled(), method, target);
    EXPECT_EQ(made.status, status) << method << ' ' << target;
    EXPECT_THAT(made.body, HasSubstr(std::string(part))) << method << ' ' << target;
    EXPECT_EQ(made.content_type, "application/json") << method << ' ' << target;
  }
  EXPECT_EQ(respond(troubled(), "POST", "/").fields.at(0).second, "GET, HEAD");
}

TEST(Routes, TellsWhatContentThrewAndAnswers500) {
  std::string failure;
  auto from = troubled(&failure);
  from.metrics = []() -> std::string { throw std::runtime_error("out of ink"); };
  EXPECT_EQ(respond(from, "GET", "/metrics").status, 500U);
  EXPECT_EQ(failure, "GET /metrics: out of ink");
}

TEST(Page, NeedsNothingFromElsewhereAndCarriesItsPolicy) {
  const auto shown = render_page("0123abcd", "0.1.0");
  EXPECT_THAT(shown.html, HasSubstr("<script nonce=\"0123abcd\">"));
  EXPECT_THAT(shown.html, HasSubstr("<style nonce=\"0123abcd\">"));
  EXPECT_THAT(shown.html, HasSubstr(">0.1.0<"));
  EXPECT_THAT(shown.html, Not(HasSubstr("{{")));
  EXPECT_THAT(shown.html, Not(HasSubstr("innerHTML")));
  EXPECT_THAT(shown.html, Not(HasSubstr("style=\"")));
  EXPECT_THAT(shown.html, Not(HasSubstr("https://")));
  EXPECT_THAT(shown.content_security_policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(shown.content_security_policy, HasSubstr("script-src 'nonce-0123abcd'"));
  EXPECT_NE(fresh_nonce(), fresh_nonce());
  EXPECT_EQ(fresh_nonce().size(), 32U);
}

}  // namespace
}  // namespace rollcall::http
