// The sentences that name the likely mistake behind a dial that failed.
#include "cnode/mistakes.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace rollcall::cnode {
namespace {

using ::testing::HasSubstr;

node_name name(std::string_view text) {
  return node_name::parse(text).value();
}
std::string instead(std::string_view alive, const std::vector<epmd::name_entry>& names) {
  return registered_instead(alive, names);
}

TEST(Mistakes, AnotherBaseIsToldByWhatThePortMapperHas) {
  EXPECT_EQ(instead("app", {}), "no node is registered there");
  EXPECT_EQ(instead("app", {{"web", 1}, {"db", 2}}), "it has web, db");
  EXPECT_EQ(instead("app", {{"App", 1}}), "it has App: names differ by case");
  EXPECT_EQ(instead("app", {{"app-01HX", 1}}),
            "it has app-01HX; where a release is part of the name, a pattern finds it: 'app-*@...'");
  std::vector<epmd::name_entry> many;
  for (int i = 0; i < 20; ++i) many.push_back({"n" + std::to_string(i), 1});
  EXPECT_THAT(instead("app", many), HasSubstr("n7 and 12 more"));
}

TEST(Mistakes, AShortNameIsToldBothLines) {
  const auto text = otherwise_named(name("app@app-0.app.shop"), name("app@app-0"));
  EXPECT_THAT(text, HasSubstr("RELEASE_DISTRIBUTION=name"));
  EXPECT_THAT(text, HasSubstr("RELEASE_NODE=app@app-0.app.shop"));
}

TEST(Mistakes, WhatDiffersBetweenTwoNamesIsSaid) {
  EXPECT_THAT(otherwise_named(name("app@h"), name("app@h.example")), HasSubstr("list it as app@h.example"));
  EXPECT_THAT(otherwise_named(name("app@h.x"), name("App@h.x")), HasSubstr("by case"));
  EXPECT_THAT(otherwise_named(name("app@h.x"), name("app@H.x.")), HasSubstr("case or a final dot"));
  EXPECT_THAT(otherwise_named(name("app@h.x"), name("web@h.x")), HasSubstr("BASE is web"));
  EXPECT_THAT(otherwise_named(name("app@h.x"), name("web@g.x")), HasSubstr("must use the same name"));
}

TEST(Mistakes, OtherProtocolsAreKnownByTheirFirstBytes) {
  const auto spoken = [](std::vector<unsigned char> bytes) { return spoken_there(bytes); };
  EXPECT_THAT(spoken({'H', 'T', 'T', 'P', '/', '1'}), HasSubstr("HTTP"));
  EXPECT_THAT(spoken({21, 3, 3, 0, 2, 2, 10}), HasSubstr("inet_tls"));
  EXPECT_THAT(spoken({'S', 'S', 'H', '-', '2'}), HasSubstr("SSH"));
  EXPECT_EQ(spoken({0, 3, 's', 'o', 'k'}), "");
  EXPECT_EQ(spoken({}), "");
}

}  // namespace
}  // namespace rollcall::cnode
