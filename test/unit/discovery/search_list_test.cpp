// Names completed from a search list, host names brought to one form, and the globs of --ignore.
#include "discovery/search_list.hpp"

#include <gmock/gmock.h>

#include "discovery/roster.hpp"

namespace rollcall::discovery {
namespace {

using ::testing::ElementsAre;
using strings = std::vector<std::string>;

const strings kubernetes{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local"};

struct completion {
  std::string name;
  std::string domain;
  strings search;
  strings expected;
};

void PrintTo(const completion& row, std::ostream* out) {
  *out << row.name;
}

class Complete : public ::testing::TestWithParam<completion> {};

TEST_P(Complete, GivesAbsoluteNamesMostLikelyFirst) {
  EXPECT_EQ(complete(GetParam().domain, GetParam().search), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Names, Complete,
    ::testing::Values(
        completion{"Service",
                   "app",
                   kubernetes,
                   {"app.shop.svc.cluster.local.", "app.svc.cluster.local.", "app.cluster.local.", "app."}},
        completion{"ServiceAndNamespace",
                   "app.shop",
                   kubernetes,
                   {"app.shop.svc.cluster.local.", "app.shop.shop.svc.cluster.local.",
                    "app.shop.cluster.local.", "app.shop."}},
        completion{"ServiceNamespaceSvc",
                   "app.shop.svc",
                   kubernetes,
                   {"app.shop.svc.cluster.local.", "app.shop.svc.shop.svc.cluster.local.",
                    "app.shop.svc.svc.cluster.local.", "app.shop.svc."}},
        completion{"WholeName", "app.shop.svc.cluster.local", kubernetes, {"app.shop.svc.cluster.local."}},
        completion{"FinalDotStandsAsItIs", "app.", kubernetes, {"app."}},
        completion{"NamedPortOfAService",
                   "_dist._tcp.app",
                   {"svc.cluster.local"},
                   {"_dist._tcp.app.svc.cluster.local."}},
        completion{"NamedPortOfAWholeName",
                   "_dist._tcp.app.shop.svc.cluster.local",
                   kubernetes,
                   {"_dist._tcp.app.shop.svc.cluster.local."}},
        completion{"ShortHostInAnOffice", "db1", {"corp.example."}, {"db1.corp.example.", "db1."}},
        completion{"TwoLabelsOutsideKubernetesStandFirst",
                   "app.test",
                   {"corp.example"},
                   {"app.test.", "app.test.corp.example."}},
        completion{"NoSearchList", "app", {}, {"app."}}),
    [](const auto& row) { return row.param.name; });

TEST(Complete, LeavesOutWhatWouldBeTooLong) {
  const std::string label(60, 'a');
  const auto longest = label + '.' + label + '.' + label + '.' + label;
  EXPECT_THAT(complete("service-name", strings{longest}), ElementsAre("service-name."));
}

TEST(CompleteHost, TakesTheSearchListForLongerNamesToo) {
  EXPECT_THAT(complete_host("app-0.app.shop", kubernetes),
              ElementsAre("app-0.app.shop.svc.cluster.local.", "app-0.app.shop.",
                          "app-0.app.shop.shop.svc.cluster.local.", "app-0.app.shop.cluster.local."));
  EXPECT_THAT(complete_host("app-0.app.shop.svc.Cluster.local", kubernetes),
              ElementsAre("app-0.app.shop.svc.Cluster.local."));
  EXPECT_THAT(complete_host("db.prod.example", strings{"corp.example"}),
              ElementsAre("db.prod.example.", "db.prod.example.corp.example."));
  EXPECT_THAT(complete_host("db.prod.example.", strings{"corp.example"}), ElementsAre("db.prod.example."));
}

TEST(SameHost, Table) {
  EXPECT_TRUE(same_host("pod-1.example", "Pod-1.Example", kubernetes));
  EXPECT_TRUE(same_host("pod-1.example", "pod-1.example.", kubernetes));
  EXPECT_TRUE(same_host("app-0.app.shop.svc.cluster.local", "app-0.app.shop", kubernetes));
  EXPECT_TRUE(same_host("app-0.app", "app-0.app.shop.svc.cluster.local", kubernetes));
  EXPECT_TRUE(same_host("::1", "[0:0::1]", kubernetes));
  EXPECT_FALSE(same_host("app-0.app.shop.svc.cluster.local", "app-1.app.shop", kubernetes));
  EXPECT_FALSE(same_host("app-0.app.shop", "app-0", kubernetes));
  EXPECT_FALSE(same_host("10.0.0.1", "10.0.0.2", kubernetes));
  EXPECT_FALSE(same_host("10.0.0.1", "app-0", kubernetes));
}

TEST(NormalHost, TakesCaseAndFinalDotAway) {
  EXPECT_EQ(normal_host("App-0.Shop.SVC."), "app-0.shop.svc");
  EXPECT_EQ(normal_host("10-1-2-3.app.shop.svc.cluster.local"), "10-1-2-3.app.shop.svc.cluster.local");
  EXPECT_EQ(normal_host("my_host"), "my_host");
}

TEST(NormalHost, RefusesWhatIsNoHostName) {
  for (const auto* text :
       {"", ".", "a..b", ".a", "a b", "a\\032b", "a/b", "\xc3\xa4.example", "a@b", "a,b"}) {
    EXPECT_EQ(normal_host(text), std::nullopt) << text;
  }
  EXPECT_EQ(normal_host(std::string(64, 'a')), std::nullopt);
  EXPECT_TRUE(normal_host(std::string(63, 'a')));
  std::string whole;
  for (int i = 0; i < 127; ++i) whole += "a.";
  EXPECT_TRUE(normal_host(whole)) << "253 characters";
  EXPECT_EQ(normal_host(whole + "a"), std::nullopt) << "255 characters";
}

struct glob_row {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(Glob, Table) {
  const glob_row rows[] = {
      {"a@h", "a@h", true},
      {"a@h", "a@h2", false},
      {"*", "", true},
      {"*", "a@h", true},
      {"a@*", "a@h", true},
      {"a@*", "b@h", false},
      {"*@h", "a@h", true},
      {"*@h", "a@hh", false},
      {"?@h", "a@h", true},
      {"?@h", "ab@h", false},
      {"?", "", false},
      {"", "", true},
      {"", "a", false},
      {"a*b*c", "axxbyybzzc", true},
      {"a*b*c", "axxbyybzz", false},
      {"**a", "bba", true},
      {"[a]@h", "a@h", false},
      {"[a]@h", "[a]@h", true},
      {"debug-*@*.test", "debug-1@x.test", true},
      {"A@h", "a@h", false},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(glob_matches(row.pattern, row.text), row.matches) << row.pattern << " on " << row.text;
  }
}

TEST(Glob, IsQuickOnAHostilePattern) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "a*";
  EXPECT_FALSE(glob_matches(pattern + 'b', std::string(250, 'a')));
}

}  // namespace
}  // namespace rollcall::discovery
