// Durations, addresses, node and domain forms as an operator writes them.
#include "app/options_values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;

// The sentence of the bad_value that `parse` throws; empty when it throws none.
template <class F>
std::string problem_of(F parse) {
  try {
    parse();
  } catch (const bad_value& problem) {
    return problem.what();
  }
  return {};
}

struct good_duration {
  std::string text;
  milliseconds value;
  std::string written;
};
struct GoodDuration : testing::TestWithParam<good_duration> {};

TEST_P(GoodDuration, IsReadAndWritten) {
  const auto& row = GetParam();
  const auto value = parse_duration(row.text, 0ms, 8760h);
  EXPECT_EQ(value, row.value);
  EXPECT_EQ(format_duration(value), row.written);
  EXPECT_EQ(parse_duration(format_duration(value), 0ms, 8760h), row.value);
}
INSTANTIATE_TEST_SUITE_P(Durations, GoodDuration,
                         testing::Values(good_duration{"500ms", 500ms, "500ms"},
                                         good_duration{"5s", 5s, "5s"}, good_duration{"2m", 2min, "2m"},
                                         good_duration{"90s", 90s, "1m30s"},
                                         good_duration{"1h30m", 90min, "1h30m"},
                                         good_duration{"24h", 24h, "24h"}, good_duration{"7d", 168h, "168h"},
                                         good_duration{"0s", 0ms, "0s"}, good_duration{"0ms", 0ms, "0s"},
                                         good_duration{"1h2m3s4ms", 1h + 2min + 3s + 4ms, "1h2m3s4ms"}),
                         [](const auto& row) { return "_" + row.param.text; });

struct bad_text {
  std::string name, text, problem;
};
std::ostream& operator<<(std::ostream& out, const bad_text& row) {
  return out << row.name;
}
std::string row_name(const testing::TestParamInfo<bad_text>& row) {
  return row.param.name;
}

constexpr auto form = "a number with a unit is needed, as in 500ms, 5s, 2m, 1h30m or 7d";

struct BadDuration : testing::TestWithParam<bad_text> {};
TEST_P(BadDuration, SaysWhatIsAllowed) {
  EXPECT_EQ(problem_of([] { parse_duration(GetParam().text, 100ms, 1h); }), GetParam().problem);
}
INSTANTIATE_TEST_SUITE_P(
    Durations, BadDuration,
    testing::Values(bad_text{"plain_number", "5",
                             "'5' is not a duration: a unit is missing, as in 5s or 5ms"},
                    bad_text{"empty", "", std::string("'' is not a duration: ") + form},
                    bad_text{"fraction", "1.5s", std::string("'1.5s' is not a duration: ") + form},
                    bad_text{"negative", "-5s", std::string("'-5s' is not a duration: ") + form},
                    bad_text{"wrong_order", "5s1m", std::string("'5s1m' is not a duration: ") + form},
                    bad_text{"same_unit_twice", "5s5s", std::string("'5s5s' is not a duration: ") + form},
                    bad_text{"unknown_unit", "5sec", std::string("'5sec' is not a duration: ") + form},
                    bad_text{"space", "5 s", std::string("'5 s' is not a duration: ") + form},
                    bad_text{"only_a_unit", "s", std::string("'s' is not a duration: ") + form},
                    bad_text{"too_small", "99ms", "'99ms' is out of range: 100ms to 1h is allowed"},
                    bad_text{"too_great", "61m", "'61m' is out of range: 100ms to 1h is allowed"},
                    bad_text{"overflow", "99999999999999999999d",
                             "'99999999999999999999d' is out of range: 100ms to 1h is allowed"},
                    bad_text{"overflow_of_the_product", "9223372036854775807h",
                             "'9223372036854775807h' is out of range: 100ms to 1h is allowed"},
                    bad_text{"control_character", "5s\n", std::string("'5s\\n' is not a duration: ") + form}),
    row_name);

struct host_port_row {
  std::string name, text, host;
  std::uint16_t port;
  std::string written;
};
struct GoodHostPort : testing::TestWithParam<host_port_row> {};
TEST_P(GoodHostPort, IsReadAndWritten) {
  const auto& row = GetParam();
  const auto value = parse_host_port(row.text, 53);
  EXPECT_EQ(value.host, row.host);
  EXPECT_EQ(value.port, row.port);
  EXPECT_EQ(format_host_port(value), row.written);
}
INSTANTIATE_TEST_SUITE_P(
    Addresses, GoodHostPort,
    testing::Values(host_port_row{"v4", "10.0.0.1:80", "10.0.0.1", 80, "10.0.0.1:80"},
                    host_port_row{"v4_without_port", "10.0.0.1", "10.0.0.1", 53, "10.0.0.1:53"},
                    host_port_row{"v6", "[fd00::1]:80", "fd00::1", 80, "[fd00::1]:80"},
                    host_port_row{"v6_without_port", "[::1]", "::1", 53, "[::1]:53"},
                    host_port_row{"v6_bare", "fd00::1", "fd00::1", 53, "[fd00::1]:53"},
                    host_port_row{"v6_long", "[0:0:0:0:0:0:0:1]:9", "::1", 9, "[::1]:9"},
                    host_port_row{"greatest_port", "0.0.0.0:65535", "0.0.0.0", 65535, "0.0.0.0:65535"}),
    [](const auto& row) { return row.param.name; });

TEST(HostPort, PortZeroIsForListeningOnly) {
  EXPECT_EQ(parse_host_port("127.0.0.1:0", 0).port, 0);
  EXPECT_EQ(problem_of([] { parse_host_port("127.0.0.1:0", 53); }),
            "'127.0.0.1:0' has no good port: 1 to 65535 is allowed");
}

struct BadHostPort : testing::TestWithParam<bad_text> {};
TEST_P(BadHostPort, SaysWhatIsAllowed) {
  EXPECT_EQ(problem_of([] { parse_host_port(GetParam().text, 0); }), GetParam().problem);
}
INSTANTIATE_TEST_SUITE_P(
    Addresses, BadHostPort,
    testing::Values(
        bad_text{"no_port", "10.0.0.1", "'10.0.0.1' has no port: ADDRESS:PORT is needed"},
        bad_text{"only_a_port", ":80",
                 "':80' has no address: ADDRESS:PORT is needed (0.0.0.0 or [::] listens on all)"},
        bad_text{"bare_v6", "::1", "'::1' is ambiguous: an IPv6 address is written [ADDRESS]:PORT"},
        bad_text{"open_bracket", "[::1:80", "'[::1:80' lacks the closing ']' of an IPv6 address"},
        bad_text{"text_after_bracket", "[::1]80", "'[::1]80' is not [ADDRESS]:PORT"},
        bad_text{"name", "localhost:80",
                 "'localhost:80' does not begin with an IPv4 or [IPv6] address (localhost is none)"},
        bad_text{"great_port", "1.2.3.4:65536", "'1.2.3.4:65536' has no good port: 0 to 65535 is allowed"},
        bad_text{"port_with_sign", "1.2.3.4:+80", "'1.2.3.4:+80' has no good port: 0 to 65535 is allowed"},
        bad_text{"empty_port", "1.2.3.4:", "'1.2.3.4:' has no good port: 0 to 65535 is allowed"}),
    row_name);

TEST(AliveAtDomain, IsSplitAtTheSign) {
  for (const std::string domain :
       {"app-headless", "app.prod", "_dist._tcp.app.prod.svc.cluster.local.", "10.0.0.1"}) {
    const auto value = parse_alive_at_domain("my_app@" + domain);
    EXPECT_EQ(value.alive, "my_app");
    EXPECT_EQ(value.domain, domain);
  }
}

struct BadDomain : testing::TestWithParam<bad_text> {};
TEST_P(BadDomain, SaysWhatIsAllowed) {
  EXPECT_THAT(problem_of([] { parse_alive_at_domain(GetParam().text); }),
              testing::HasSubstr(GetParam().problem));
}
INSTANTIATE_TEST_SUITE_P(
    Domains, BadDomain,
    testing::Values(
        bad_text{"no_sign", "app-headless.prod",
                 "'app-headless.prod' has no '@': BASE@DOMAIN is needed, as in app@app-headless.prod"},
        bad_text{"no_base", "@app", "'@app' is not BASE@DOMAIN: nothing stands before the '@'"},
        bad_text{"no_domain", "app@", "'app@' has nothing after the '@'"},
        bad_text{"root_only", "app@.", "'app@.' has nothing after the '@'"},
        bad_text{"two_signs", "a@b@c", "'a@b@c' has more than one '@'"},
        bad_text{"empty_label", "a@b..c", "'a@b..c' has an empty label"},
        bad_text{"comma", "a@b,a@c", "'a@b,a@c' has more than one '@'"},
        bad_text{"comma_in_domain", "a@b,c", "'a@b,c' holds a comma: repeat the flag"},
        bad_text{"space", "a@b c", "'a@b c' is not a domain after the '@'"},
        bad_text{"long_label", "a@" + std::string(64, 'x'), "has a label of more than 63 characters"},
        bad_text{"long_domain", "a@" + std::string(300, 'x'), "has a domain of more than 253 characters"}),
    row_name);

TEST(OwnName, TakesTheDefaultHostOnlyWhenItHasNone) {
  EXPECT_EQ(parse_own_name("watch@10.0.0.1", "ignored host").text(), "watch@10.0.0.1");
  EXPECT_EQ(parse_own_name("watch", "10.0.0.2").text(), "watch@10.0.0.2");
  EXPECT_EQ(problem_of([] { parse_own_name("watch", "bad host"); }),
            "'watch' with the host 'bad host' makes no node name: a node name holds letters, digits and _ - "
            ". : [ ] % "
            "only; give the whole NAME@HOST");
}

TEST(Glob, AllowsWhatNodeNamesHoldAndStars) {
  EXPECT_EQ(parse_glob("remsh-*@*.local?"), "remsh-*@*.local?");
  EXPECT_THAT(problem_of([] { parse_glob(""); }), testing::HasSubstr("empty pattern"));
  EXPECT_THAT(problem_of([] { parse_glob("a b"); }),
              testing::HasSubstr("'a b' is not a pattern of node names"));
}

struct url_row {
  std::string name, text, host;
  std::uint16_t port;
  std::string prefix;
};
struct GoodUrl : testing::TestWithParam<url_row> {};
TEST_P(GoodUrl, IsTakenApart) {
  const auto url = parse_url(GetParam().text);
  EXPECT_EQ(url.host, GetParam().host);
  EXPECT_EQ(url.port, GetParam().port);
  EXPECT_EQ(url.prefix, GetParam().prefix);
}
INSTANTIATE_TEST_SUITE_P(Urls, GoodUrl,
                         testing::Values(url_row{"host", "http://rollcall", "rollcall", 80, ""},
                                         url_row{"port", "http://rollcall:14369", "rollcall", 14369, ""},
                                         url_row{"slash", "http://rollcall:14369/", "rollcall", 14369, ""},
                                         url_row{"prefix", "http://proxy/rollcall/", "proxy", 80,
                                                 "/rollcall"},
                                         url_row{"v6", "http://[::1]:14369", "::1", 14369, ""}),
                         [](const auto& row) { return row.param.name; });

struct BadUrl : testing::TestWithParam<bad_text> {};
TEST_P(BadUrl, SaysWhatIsAllowed) {
  EXPECT_THAT(problem_of([] { parse_url(GetParam().text); }), testing::HasSubstr(GetParam().problem));
}
INSTANTIATE_TEST_SUITE_P(
    Urls, BadUrl,
    testing::Values(bad_text{"scheme", "ftp://x", "is not http://HOST[:PORT]"},
                    bad_text{"no_scheme", "localhost:14369", "is not http://HOST[:PORT]"},
                    bad_text{"no_host", "http://:80", "has no good host"},
                    bad_text{"user", "http://user:password@host", "has no good"},
                    bad_text{"port_zero", "http://host:0", "has no good port: 1 to 65535 is allowed"},
                    bad_text{"line_break", "http://host/a\r\nX: y", "is not http://HOST[:PORT][/PREFIX]"},
                    bad_text{"query", "http://host/?a", "is not http://HOST[:PORT][/PREFIX]"}),
    row_name);

TEST(NearestName, ForgivesALetterOrTwoAndNoMore) {
  constexpr std::array<std::string_view, 6> names{"interval",  "dns",        "srv",
                                                  "log-level", "log-format", "peer-port"};
  EXPECT_EQ(nearest_name("intervall", names), "interval");
  EXPECT_EQ(nearest_name("inetrval", names), "interval");
  EXPECT_EQ(nearest_name("dsn", names), "dns");
  EXPECT_EQ(nearest_name("peer_port", names), "peer-port");
  EXPECT_EQ(nearest_name("log", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name("completely-different", names), "");
}

}  // namespace
}  // namespace rollcall::app
