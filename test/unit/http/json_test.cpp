// Documents as JSON, and text that no decent node would send.
#include "http/json.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>

namespace rollcall::http {
namespace {

namespace report = membership::report;

TEST(Json, WritesEveryKindOfValue) {
  const report::document all{report::object{
      {"nil", {report::nil{}}},
      {"yes", {true}},
      {"no", {false}},
      {"count", {std::int64_t{-12}}},
      {"share", {0.25}},
      {"endless", {std::numeric_limits<double>::infinity()}},
      {"state", {report::symbol{"up"}}},
      {"text", {report::text{"says \"no\""}}},
      {"list", {report::array{{std::int64_t{1}}, {report::nil{}}, {report::array{}}, {report::object{}}}}},
  }};
  EXPECT_EQ(render(all),
            R"({"nil":null,"yes":true,"no":false,"count":-12,"share":0.25,"endless":null,"state":"up",)"
            R"("text":"says \"no\"","list":[1,null,[],{}]})");
}

TEST(Json, EscapesAndRepairsStrings) {
  struct row {
    std::string_view name, text, expected;
  };
  for (const auto& [name, text, expected] : {
           row{"empty", "", R"("")"},
           row{"backslash and quote", R"(\")", R"("\\\"")"},
           row{"control characters", std::string_view("\0\t\n\x1f\x7f", 5),
               R"("\u0000\u0009\n\u001f\u007f")"},
           row{"two, three and four bytes", "\u00e9\u20ac\U0001F600", "\"\u00e9\u20ac\U0001F600\""},
           row{"lone continuation", "a\x80z", "\"a\uFFFDz\""},
           row{"overlong", "\xC0\xAF", "\"\uFFFD\uFFFD\""},
           row{"surrogate", "\xED\xA0\x80", "\"\uFFFD\uFFFD\uFFFD\""},
           row{"above the last", "\xF4\x90\x80\x80", "\"\uFFFD\uFFFD\uFFFD\uFFFD\""},
           row{"cut short", "\xE2\x82", "\"\uFFFD\uFFFD\""},
           row{"markup", "</script>", R"("</script>")"},
       }) {
    std::string out;
    append_string(out, text);
    EXPECT_EQ(out, expected) << name;
    boost::system::error_code error;
    boost::json::parse(out, error);
    EXPECT_FALSE(error) << name << ": " << error.message();
  }
}

}  // namespace
}  // namespace rollcall::http
