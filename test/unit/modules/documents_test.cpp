// The documents lead somewhere: every path of this repository that one names is there, and every link, with
// its heading; every file of a module has its row in the map. Version and licence are the same everywhere.
#include <gtest/gtest.h>

#include <algorithm>
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

std::vector<fs::path> documents() {
  std::vector<fs::path> all;
  for (const auto& folder : {root, root / "docs"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".md") all.push_back(entry.path());
    }
  }
  return all;
}

// As what shows Markdown makes them: lower case, without punctuation, a dash for a space.
std::set<std::string> anchors(const std::string& document) {
  std::set<std::string> all;
  std::istringstream lines(document);
  for (std::string line; std::getline(lines, line);) {
    const auto begin = line.find_first_not_of('#');
    if (begin == 0 || begin == std::string::npos || line[begin] != ' ') continue;
    std::string anchor;
    for (const char c : line.substr(begin + 1)) {
      if (c == ' ') anchor += '-';
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_')
        anchor += static_cast<char>(std::tolower(c));
    }
    all.insert(anchor);
  }
  return all;
}

// What a document says that leads nowhere; `looked_at` counts what it says at all.
std::vector<std::string> dead_ends(const std::string& document, const fs::path& folder,
                                   std::size_t& looked_at) {
  std::vector<std::string> all;
  const auto each = [&](const std::regex& pattern, const auto& look) {
    for (std::sregex_iterator at(document.begin(), document.end(), pattern), end; at != end; ++at) {
      ++looked_at;
      if (!look(*at)) all.push_back(at->str());
    }
  };
  static const std::regex link(R"re(\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\))re");
  each(link, [&](const std::smatch& found) {
    const auto target = found[1].str();
    if (!target.empty() && !fs::exists(folder / target)) return false;
    return !found[2].matched ||
           anchors(target.empty() ? document : text_of(folder / target)).contains(found[2].str());
  });
  // In prose, in backticks and in commands alike. deploy/rollcall is kubectl's word for the Deployment.
  static const std::regex path(
      R"re((?:^|[^\w./-])(?:\.\.?/)*((?:deploy|docs|test|bench|cmake)/[\w./-]*[\w/]))re");
  each(path, [](const std::smatch& found) {
    return found[1] == "deploy/rollcall" || fs::exists(root / found[1].str());
  });
  return all;
}

// Suite.Name of every test in the sources.
std::set<std::string> tests() {
  std::set<std::string> all;
  static const std::regex pattern(R"(TEST(_F|_P)?\(([A-Za-z0-9_]+),\s+([A-Za-z0-9_]+)\))");
  for (const auto& entry : fs::recursive_directory_iterator(root / "test")) {
    if (entry.path().extension() != ".cpp") continue;
    const auto text = text_of(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
      all.insert((*at)[2].str() + "." + (*at)[3].str());
    }
  }
  return all;
}

// Each line of SECURITY.md's table names what plays that peer: `Suite.Name`, or the beginning of one and a
// star.
TEST(Documents, EveryLineOfTheSecurityTableNamesATestThatIsThere) {
  const auto all = tests();
  std::istringstream lines(text_of(root / "SECURITY.md"));
  static const std::regex named(R"(`([A-Za-z0-9_]+\.[A-Za-z0-9_]*)(\*?)`)");
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ") || line.starts_with("| who ")) continue;
    ++rows;
    const auto last = line.substr(line.rfind('|', line.size() - 2));
    std::size_t found = 0;
    for (std::sregex_iterator at(last.begin(), last.end(), named), end; at != end; ++at) {
      const auto name = (*at)[1].str();
      const auto there = all.lower_bound(name);
      const bool is =
          there != all.end() && ((*at)[2].length() > 0 ? there->starts_with(name) : *there == name);
      EXPECT_TRUE(is) << "SECURITY.md names " << name << ", which is no test";
      ++found;
    }
    EXPECT_GT(found, 0U) << "no test in: " << line;
  }
  EXPECT_GT(rows, 15U);
}

TEST(Documents, LeadSomewhere) {
  std::size_t looked_at = 0;
  for (const auto& file : documents()) {
    for (const auto& one : dead_ends(text_of(file), file.parent_path(), looked_at))
      ADD_FAILURE() << fs::relative(file, root) << " leads nowhere: " << one;
  }
  EXPECT_GT(looked_at, 60U);
}

TEST(Documents, ThatLeadNowhereAreFound) {
  std::size_t looked_at = 0;
  const std::string good =
      "# It works: a / test\n[here](docs/runbook.md#rollcalltwice) and `deploy/base`, "
      "[there](#it-works-a--test), "
      "`kubectl logs deploy/rollcall`, ../deploy/alerts/rollcall.rules.yaml. "
      "https://wiki.example/docs/none.md\n";
  EXPECT_EQ(dead_ends(good, root, looked_at), std::vector<std::string>{});
  EXPECT_EQ(looked_at, 6U);
  for (const auto* bad : {"[a](docs/none.md)", "[a](docs/runbook.md#none)", "[a](#none)", "`deploy/none`",
                          "apply -k deploy/base/none", "../test/none.cpp"})
    EXPECT_FALSE(dead_ends(bad, root, looked_at).empty()) << bad;
}

// `module/file` of every row in the section "Where things are".
std::vector<std::string> mapped(const std::string& document) {
  std::vector<std::string> all;
  static const std::regex row(R"re((?:^|\n)\| `([a-z_]+/[\w/]+)` \| [^|\s])re");
  const auto section = document.substr(std::min(document.find("## Where things are"), document.size()));
  for (std::sregex_iterator at(section.begin(), section.end(), row), end; at != end; ++at)
    all.push_back((*at)[1]);
  std::ranges::sort(all);
  return all;
}

// A folder of the top level that has headers is a module, but for those of tests and measurements.
bool is_module(const fs::directory_entry& folder) {
  const auto name = folder.path().filename().string();
  if (!folder.is_directory() || name.starts_with('.')) return false;
  if (name == "test" || name == "bench" || name == "build") return false;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".hpp") return true;
  }
  return false;
}

// A header and its source are one.
std::set<std::string> files_of_modules() {
  std::set<std::string> all;
  for (const auto& module : fs::directory_iterator(root)) {
    if (!is_module(module)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(module.path())) {
      if (entry.is_regular_file())
        all.insert(fs::relative(entry.path(), root).replace_extension().generic_string());
    }
  }
  return all;
}

TEST(Documents, MapEveryFileOfTheModulesOnce) {
  const auto there = files_of_modules();
  const auto map = mapped(text_of(root / "docs/architecture.md"));
  EXPECT_GT(there.size(), 150U);
  EXPECT_EQ(map, std::vector<std::string>(there.begin(), there.end()))
      << "docs/architecture.md, \"Where things are\": one row for each file, `module/file` without its "
         "ending";
}

TEST(Documents, TheMapIsRead) {
  EXPECT_EQ(mapped("| `a/early` | x |\n## Where things are\n| file | what |\n| `b/one` | x |\n| `a/two` | |\n"
                   "| `a/p/q` | y |\n"),
            (std::vector<std::string>{"a/p/q", "b/one"}));
  EXPECT_TRUE(mapped("nothing").empty());
}

std::string found_in(const std::string& file, const std::string& pattern) {
  const auto text = text_of(root / file);
  std::smatch match;
  return std::regex_search(text, match, std::regex(pattern)) ? match[1].str() : "nothing";
}

TEST(Release, NamesOneVersion) {
  const auto version = found_in("CMakeLists.txt", R"(project\(rollcall VERSION ([0-9.]+))");
  EXPECT_NE(version, "nothing");
  EXPECT_EQ(found_in("Dockerfile", "\nARG VERSION=([0-9.]+)\n"), version);
  EXPECT_EQ(found_in("deploy/chart/rollcall/Chart.yaml", "\nversion: ([0-9.]+)\n"), version);
  EXPECT_EQ(found_in("deploy/chart/rollcall/Chart.yaml", "\nappVersion: ([0-9.]+)\n"), version);
  EXPECT_EQ(found_in("deploy/base/kustomization.yaml", "\n    newTag: ([0-9.]+)\n"), version);
  static const std::regex image(R"(\brollcall:([0-9]+\.[0-9]+\.[0-9]+))");
  std::size_t images = 0;
  for (const auto& file : documents()) {
    const auto text = text_of(file);
    for (std::sregex_iterator at(text.begin(), text.end(), image), end; at != end; ++at, ++images)
      EXPECT_EQ((*at)[1], version) << fs::relative(file, root);
  }
  EXPECT_GT(images, 3U);
}

TEST(Release, NamesOneLicence) {
  const auto licence = found_in("LICENSE", "SPDX-License-Identifier: ([A-Za-z0-9.-]+)\n");
  EXPECT_EQ(licence, "Apache-2.0") << "that of Erlang/OTP";
  EXPECT_EQ(found_in("CMakeLists.txt", "SPDX-License-Identifier: ([A-Za-z0-9.-]+)\n"), licence);
  EXPECT_EQ(found_in("Dockerfile", "image.licenses=\"([^\"]+)\""), licence);
  EXPECT_EQ(found_in("deploy/chart/rollcall/Chart.yaml", "license: ([A-Za-z0-9.-]+)\n"), licence);
}

}  // namespace
