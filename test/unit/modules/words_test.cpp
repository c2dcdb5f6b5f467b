// What people read, documents, comments and messages alike, is in plain words.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "test/unit/modules/sources.hpp"

namespace {

namespace fs = std::filesystem;

using rollcall::test::root;
using rollcall::test::text_of;

// Words that readers stumble over, each with what is said instead.
const std::vector<std::pair<std::regex, std::string>>& odd_words() {
  const auto word = [](const char* pattern) { return std::regex(pattern, std::regex::icase); };
  static const std::vector<std::pair<std::regex, std::string>> all{
      {word(R"(\bwhom\b)"), "a noun: the node, the member"},
      {word(R"(\bwhoever\b)"), "anyone who, the node that"},
      {word(R"(\bfor ever\b)"), "endlessly, again and again"},
      {word(R"(\banew\b)"), "again; restart"},
      {word(R"(\bmend(s|ed|ing)?\b)"), "fixes, heals"},
      {word(R"(\bwithout a word\b)"), "silently"},
      {word(R"(\brooms\b|\b(this|the|every|a) room\b(?! for))"), "module"},
  };
  return all;
}

std::vector<std::string> odd_words_in(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    for (const auto& [pattern, instead] : odd_words()) {
      std::smatch match;
      if (std::regex_search(line, match, pattern))
        found.push_back(std::to_string(number) + ": '" + match.str() + "'; say " + instead);
    }
  }
  return found;
}

// Documents, and what is read beside the program: its comments and messages, the page, manifests and
// examples.
std::vector<fs::path> for_people() {
  std::vector<fs::path> all;
  for (const auto& folder : {root, root / "docs"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".md") all.push_back(entry.path());
    }
  }
  static const std::set<std::string> kinds{".hpp", ".cpp",  ".js",        ".html",   ".css", ".yaml",
                                           ".tpl", ".txt",  ".ex",        ".exs",    ".erl", ".bash",
                                           ".md",  ".json", ".libsonnet", ".service"};
  for (const auto* folder :
       {"app", "cnode", "deploy", "discovery", "http", "membership", "metrics", "node_name", "tls"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file() && kinds.contains(entry.path().extension().string()))
        all.push_back(entry.path());
    }
  }
  for (const auto* file : {"dev", "CMakeLists.txt", "Dockerfile"}) all.push_back(root / file);
  return all;
}

TEST(Words, AreThoseOfNativeSpeakers) {
  std::size_t files = 0;
  for (const auto& file : for_people()) {
    ++files;
    for (const auto& one : odd_words_in(text_of(file)))
      ADD_FAILURE() << fs::relative(file, root).string() << ":" << one;
  }
  EXPECT_GT(files, 200U);
}

TEST(Words, ThatAreOddAreFound) {
  for (const auto* odd : {"who sees whom", "Whoever calls", "waits for ever", "starts anew", "it mends",
                          "Mended", "dropped without a word", "seven rooms", "the room's door"})
    EXPECT_EQ(odd_words_in(odd).size(), 1U) << odd;
  for (const auto* plain : {"forever", "makes room for others", "recommends", "amended", "there is no room"})
    EXPECT_TRUE(odd_words_in(plain).empty()) << plain;
}

}  // namespace
