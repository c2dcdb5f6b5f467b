// Names in one block: what goes in comes out, in its order.
#include "node_name/name_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace rollcall {
namespace {

std::vector<std::string> all_of(const name_list& names) {
  std::vector<std::string> all;
  for (const auto name : names) all.emplace_back(name);
  return all;
}

TEST(NameList, GivesWhatWasAddedInOrder) {
  name_list names;
  EXPECT_TRUE(names.empty());
  EXPECT_EQ(names.begin(), names.end());
  const std::string longest(node_name::max_length, 'x');
  names.add("b@h");
  names.add("");
  names.add(longest);
  names.add(longest + "x");  // no node's name is as long
  names.add("a@h");
  EXPECT_EQ(all_of(names), (std::vector<std::string>{"b@h", "", longest, "a@h"}));
  EXPECT_EQ(names.size(), 4U);
  EXPECT_NE(std::find(names.begin(), names.end(), "a@h"), names.end());
}

TEST(NameList, IsMadeOfParsedNames) {
  const std::vector<node_name> parsed{*node_name::parse("a@h"), *node_name::parse("b@h.example")};
  EXPECT_EQ(all_of(parsed), (std::vector<std::string>{"a@h", "b@h.example"}));
  EXPECT_EQ(all_of({parsed[1]}), (std::vector<std::string>{"b@h.example"}));
}

}  // namespace
}  // namespace rollcall
