// Each route, what it refuses, and that what is written row by row equals the document it stands for.
#include "http/routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <regex>

#include "http/json.hpp"
#include "http/page.hpp"
#include "http/pieces.hpp"
#include "http/runbook.hpp"
#include "membership/report.hpp"
#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::http {
namespace {

using boost::json::value;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

content troubled(std::string* failure = nullptr) {
  content from;
  from.snapshot = [of = std::make_shared<const membership::snapshot>(test::troubled_cluster())] {
    return of;
  };
  from.metrics = [] { return std::string("up 1\n"); };
  from.ready = [] { return readiness{true, "rounds are working"}; };
  from.history = [of = std::make_shared<membership::history>()]() -> const membership::history& {
    if (!of->since()) of->note(test::troubled_cluster());
    return *of;
  };
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

// Of a cluster that is whole, /api/v1/links?state=missing writes nothing and looks at every pair.
TEST(Routes, RowsWithoutAnElementEndATurnToo) {
  int looked = 0;
  const answer made{.status = 200, .content_type = {}, .body = {}, .fields = {}, .next = [&](std::string&) {
                      return ++looked < 1'000;
                    }};
  std::string out;
  EXPECT_TRUE(append_pieces(made, out, 65'536));
  EXPECT_LE(looked, 100);
  int turns = 1;
  for (; append_pieces(made, out, 65'536); ++turns) {
  }
  EXPECT_EQ(looked, 1'000);
  EXPECT_LT(turns, 50);
  const answer large{
      .status = 200, .content_type = {}, .body = {}, .fields = {}, .next = [&](std::string& to) {
        to.append(50'000, 'x');
        return true;
      }};
  EXPECT_TRUE(append_pieces(large, out, 65'536));
  EXPECT_EQ(out.size(), 100'000U);
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

TEST(Routes, ThePictureHasEveryPairThatIsNotConnectedAndEveryView) {
  const auto of = test::troubled_cluster();
  const auto shown = json_at("/api/v1/picture").as_object();
  ASSERT_EQ(shown.at("members").as_array().size(), of.members.size());
  std::size_t expected = 0;
  for (std::size_t a = 0; a < of.members.size(); ++a) {
    for (auto b = a + 1; b < of.members.size(); ++b) {
      if (of.members[a].state == membership::member_state::left ||
          of.members[b].state == membership::member_state::left)
        continue;
      const auto state = of.pair(a, b);
      expected +=
          state != membership::pair_state::connected && state != membership::pair_state::unknown ? 1 : 0;
    }
  }
  ASSERT_GT(expected, 0U) << "a troubled cluster has such pairs";
  EXPECT_EQ(shown.at("pairs").as_array().size(), expected);
  EXPECT_EQ(shown.at("pairs_omitted").to_number<int>(), 0);
  ASSERT_FALSE(of.unlisted.empty());
  EXPECT_EQ(shown.at("unlisted").as_array().size(), of.unlisted.size());
  EXPECT_EQ(shown.at("unlisted").as_array().front(), value(of.unlisted.front().text()));
  EXPECT_EQ(shown.at("hidden").as_array().size(), of.hidden.size());
  const auto& views = shown.at("views").as_array();
  ASSERT_EQ(views.size(), of.members.size());
  for (std::size_t from = 0; from < of.members.size(); ++from) {
    ASSERT_EQ(views[from].is_null(), !of.members[from].fresh_view);
    if (views[from].is_null()) continue;
    for (std::size_t to = 0; to < of.members.size(); ++to) {
      const auto seen = of.sees(from, to);
      EXPECT_EQ(views[from].as_string().at(to), !seen ? '-' : *seen ? '1' : '0') << from << " of " << to;
    }
  }
}

TEST(Routes, AMomentOfThePastIsAPicture) {
  const auto kept = json_at("/api/v1/history").as_object();
  ASSERT_EQ(kept.at("marks").as_array().front().as_object().at("kind").as_string(), "own");
  const auto at = kept.at("frames").as_array().at(0).to_number<std::int64_t>();
  const auto then = json_at("/api/v1/history/" + std::to_string(at)).as_object();
  EXPECT_TRUE(then.at("views").is_null());
  EXPECT_FALSE(then.at("members").as_array().empty());
  json_at("/api/v1/history/yesterday", 400);
  json_at("/api/v1/why/nobody@here", 404);
  EXPECT_TRUE(json_at("/api/v1/why/" + test::troubled_cluster().members[0].name.text())
                  .as_object()
                  .contains("steps"));
}

TEST(Page, NeedsNothingFromElsewhereAndRunsNothingInline) {
  EXPECT_THAT(render_page("0.1.0"),
              AllOf(HasSubstr(">0.1.0<"), Not(HasSubstr("{{")), Not(HasSubstr("<style"))));
  EXPECT_THAT(page_policy, AllOf(HasSubstr("default-src 'none'"), HasSubstr("script-src 'self';"),
                                 Not(HasSubstr("unsafe"))));
  ASSERT_GE(page_files().size(), 5U);
  for (const auto& file : page_files()) {
    EXPECT_THAT(file.text, Not(HasSubstr("https://"))) << file.name;
    EXPECT_THAT(file.text, Not(HasSubstr("innerHTML"))) << file.name;
    EXPECT_THAT(file.text, Not(HasSubstr("style=\""))) << file.name;
  }
}

TEST(Page, EveryFileThatAFileAsksForIsServed) {
  const std::regex asked("(?:from '\\./|href=\"page/|src=\"page/)([^'\"]+)['\"]");
  std::size_t count = 0;
  for (const auto& file : page_files()) {
    const std::string text(file.text);
    for (std::sregex_iterator each(text.begin(), text.end(), asked), end; each != end; ++each, ++count) {
      const auto target = "/page/" + (*each)[1].str();
      EXPECT_EQ(respond(troubled(), "GET", target).status, 200U) << target << " of " << file.name;
    }
  }
  EXPECT_GE(count, 10U);
  EXPECT_EQ(respond(troubled(), "GET", "/page/page.html").status, 404U) << "the page itself is at /";
  EXPECT_EQ(respond(troubled(), "GET", "/page/..%2frunbook").status, 404U);
}

TEST(Runbook, IsServedWithASectionForEachLink) {
  const auto made = respond(troubled(), "GET", "/runbook");
  EXPECT_EQ(made.status, 200U);
  EXPECT_EQ(made.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(made.body, AllOf(HasSubstr("<h2 id=\"rollcallnetsplit\">RollcallNetsplit</h2>"),
                               HasSubstr("<h2 id=\"rollcallstandby\">"), HasSubstr("</article>"),
                               Not(HasSubstr("\n## ")), Not(HasSubstr("**")), Not(HasSubstr("](")),
                               Not(HasSubstr("<script"))));
  const std::regex link("href=\"#([^\"]+)\"");
  for (std::sregex_iterator each(made.body.begin(), made.body.end(), link), end; each != end; ++each)
    EXPECT_THAT(made.body, HasSubstr("id=\"" + (*each)[1].str() + "\"")) << (*each)[0];
}

TEST(Runbook, HasTheSectionsThatThePageLeadsTo) {
  const auto tables = std::ranges::find(page_files(), "tables.js", &page_file::name);
  ASSERT_NE(tables, page_files().end());
  const std::string text(tables->text);
  const auto begin = text.find("new Set(["), end = text.find("]);", begin);
  ASSERT_NE(end, std::string::npos);
  const auto names = text.substr(begin, end - begin);
  const auto runbook = render_runbook();
  static const std::regex name("'([a-z_]+)'");
  int count = 0;
  for (std::sregex_iterator each(names.begin(), names.end(), name), none; each != none; ++each, ++count) {
    auto section = "id=\"rollcall" + (*each)[1].str() + "\"";
    std::erase(section, '_');
    EXPECT_THAT(runbook, HasSubstr(section));
  }
  EXPECT_GE(count, 10);
}

TEST(Runbook, MarkdownBecomesHtml) {
  struct row {
    const char *markdown, *html;
  };
  for (const auto& [markdown, html] : {
           row{"# A `b`\n", "<h1 id=\"a-b\">A <code>b</code></h1>\n"},
           row{"one\ntwo\n\nthree\n", "<p>one\ntwo</p>\n<p>three</p>\n"},
           row{"1. a\n   b\n2. c\n", "<ol>\n<li>a\nb</li>\n<li>c</li>\n</ol>\n"},
           row{"text:\n- a\n- **b** c\n",
               "<p>text:</p>\n<ul>\n<li>a</li>\n<li><strong>b</strong> c</li>\n</ul>\n"},
           row{"```sh\na <b>\n\nc\n```\n", "<pre tabindex=\"0\"><code>a &lt;b&gt;\n\nc\n</code></pre>\n"},
           row{"| a | |\n|---|---|\n| `x` | y |\n",
               "<div class=\"scroll whole\" tabindex=\"0\" role=\"group\" aria-label=\"table\"><table>\n"
               "<tr><th>a</th><th></th></tr>\n<tr><td><code>x</code></td><td>y</td></tr>\n</table></div>\n"},
           row{"[a](#b), [c](https://d.example/?e=\"), [f](g.md)\n",
               "<p><a href=\"#b\">a</a>, <a href=\"https://d.example/?e=&quot;\">c</a>, f</p>\n"},
           row{"the page *Targets*, 2 * 3, an open ` and [ and **\n",
               "<p>the page <em>Targets</em>, 2 * 3, an open ` and [ and **</p>\n"},
           row{"<script>alert(1)</script>\n", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"},
           row{"", ""},
       })
    EXPECT_EQ(html_of_markdown(markdown), html) << markdown;
}

}  // namespace
}  // namespace rollcall::http
