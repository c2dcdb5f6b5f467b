#include "http/target.hpp"

#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

using segments = std::vector<std::string>;

TEST(Target, TakesPathsApart) {
  struct row {
    std::string_view name, text;
    segments expected;
  };
  for (const auto& [name, text, expected] : {
           row{"root", "/", {}},
           row{"root and query", "/?a=b", {}},
           row{"two segments", "/api/v1", {"api", "v1"}},
           row{"trailing slash", "/api/", {"api", ""}},
           row{"double slash", "//api", {"", "api"}},
           row{"escaped at sign", "/members/app%4010.0.0.1", {"members", "app@10.0.0.1"}},
           row{"plain at sign", "/members/app@10.0.0.1", {"members", "app@10.0.0.1"}},
           row{"escaped slash stays inside", "/members/a%2Fb", {"members", "a/b"}},
           row{"decoded once", "/%2541", {"%41"}},
           row{"dots are names", "/../..%2f", {"..", "../"}},
           row{"plus is itself in a path", "/a+b", {"a+b"}},
           row{"absolute form", "http://host:1/metrics?x", {"metrics"}},
           row{"absolute form without a path", "http://host", {}},
           row{"fragment", "/metrics#top", {"metrics"}},
       }) {
    const auto parsed = target::parse(text);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(parsed->segments, expected) << name;
  }
}

TEST(Target, RefusesWhatIsNoTarget) {
  for (const std::string_view text : {"", "*", "metrics", "host:80", "/%", "/%4", "/%4g", "/%zz", "/%00",
                                      "/?a=%", "/?%00=1", "ftp://host/"}) {
    EXPECT_FALSE(target::parse(text)) << text;
  }
}

TEST(Target, FindsParameters) {
  const auto parsed = target::parse("/x?state=up&state=down&empty&a+b=c%20d+e&&=z");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->parameter("state"), "up");
  EXPECT_EQ(parsed->parameter("empty"), "");
  EXPECT_EQ(parsed->parameter("a b"), "c d e");
  EXPECT_FALSE(parsed->parameter("absent"));
}

}  // namespace
}  // namespace rollcall::http
