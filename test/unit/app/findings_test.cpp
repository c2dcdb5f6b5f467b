// What check and doctor find: a code for each, its hint once, and a bundle without the cookie.
#include "app/findings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "app/bundle.hpp"

namespace rollcall::app {
namespace {

using testing::HasSubstr;

TEST(Findings, HaveCodesThatDifferAndSectionsThatAreThere) {
  std::ifstream file(std::string(ROLLCALL_SOURCE_DIR) + "/docs/runbook.md");
  std::stringstream text;
  text << file.rdbuf();
  auto runbook = text.str();
  for (auto& c : runbook) c = static_cast<char>(std::tolower(c));
  std::set<std::string_view> codes;
  for (const auto& kind : finding_kinds()) {
    EXPECT_TRUE(codes.insert(kind.code).second) << kind.code;
    EXPECT_THAT(runbook, HasSubstr("\n## " + std::string(kind.section) + "\n")) << kind.code;
    EXPECT_FALSE(kind.hint.empty());
  }
  EXPECT_GE(codes.size(), 14U);
  EXPECT_THROW(make_finding("none-such", "", ""), std::logic_error);
}

TEST(Findings, OfADiagnosisAreTheStepThatFailed) {
  for (const auto& [step, code] : {std::pair{step_name::dns, "node-dns"},
                                   {step_name::port_mapper, "node-port-mapper"},
                                   {step_name::tcp, "node-tcp"},
                                   {step_name::tls, "node-tls"},
                                   {step_name::handshake, "node-handshake"},
                                   {step_name::cookie, "node-cookie"},
                                   {step_name::name, "node-name"},
                                   {step_name::call, "node-call"},
                                   {step_name::view, "node-view"}}) {
    diagnosis d{.node = *node_name::make("a", "h.example"),
                .steps = {},
                .visible = {},
                .hidden = false,
                .answered_as = {}};
    d.steps.push_back({step, false, "why"});
    const auto found = finding_of(d);
    EXPECT_EQ(found.kind->code, code);
    EXPECT_EQ(found.text, "why");
  }
}

TEST(Findings, OfAnAddressThatAnsweredAreWhatItSaid) {
  membership::snapshot s;
  s.sources.push_back({.source = "local", .detail = {}, .last_success = {}, .nodes = {}});
  s.sources[0].outcome = membership::query_outcome::ok;
  s.sources[0].unnamed.push_back({"h", "h (a)", membership::reason::cookie, "it refused our cookie", true});
  s.sources[0].unnamed.push_back({"i", "i", membership::reason::refused, "nothing listens", true});
  const auto found = findings_of(s, {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].kind->code, "node-cookie");
  EXPECT_EQ(found[1].kind->code, "node-unnamed");
}

TEST(Findings, ArePrintedByKindWithTheHintOnce) {
  std::vector<finding> all;
  for (int i = 0; i < 12; ++i)
    all.push_back(make_finding("node-dns", "a" + std::to_string(i) + "@h", "NXDOMAIN"));
  all.push_back(make_finding("node-cookie", "b@h", "b@h refuses the cookie"));
  std::ostringstream out;
  print_findings(all, {}, {}, out);
  const auto text = out.str();
  EXPECT_THAT(text, HasSubstr("\nnode-dns (12)\n  a0@h: NXDOMAIN\n"));
  EXPECT_THAT(text, HasSubstr("\n  and 2 more\n  to do  is its pod there"));
  EXPECT_THAT(text, HasSubstr("\nnode-cookie (1)\n  b@h refuses the cookie\n"));
  EXPECT_THAT(text, HasSubstr("  see    /runbook#rollcallcookierefused\n"));
  const auto json = to_json(all);
  ASSERT_EQ(json.size(), 13U);
  EXPECT_EQ(json[12].at("code"), "node-cookie");
  EXPECT_EQ(json[12].at("link"), "/runbook#rollcallcookierefused");
}

TEST(Bundle, HasNoSecrets) {
  EXPECT_EQ(without_secrets("a chocolate b chocolatevanilla", {"chocolate", "", "vanilla"}),
            "a [the cookie] b [the cookie][the cookie]");
  EXPECT_EQ(without_secrets("nothing", {"chocolate"}), "nothing");
}

}  // namespace
}  // namespace rollcall::app
