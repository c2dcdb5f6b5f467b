// The arrows between the modules, as docs/architecture.md draws them, hold in every #include; and the core
// stays pure.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>> allowed{
    {"node_name", {}},
    {"membership", {"node_name"}},
    {"tls", {}},
    {"cnode", {"node_name", "tls"}},
    {"discovery", {"node_name"}},
    {"metrics", {"membership", "node_name"}},
    {"http", {"membership", "metrics", "node_name", "tls"}},
    {"app", {"node_name", "membership", "cnode", "discovery", "metrics", "http", "tls"}},
};

// What the pure core may not know: I/O, threads, chance, other people's event loops.
const std::set<std::string> impure_headers{
    "thread", "mutex",   "shared_mutex", "condition_variable", "future",  "atomic",    "random",  "fstream",
    "cstdio", "stdio.h", "iostream",     "filesystem",         "ctime",   "time.h",    "cstdlib", "stdlib.h",
    "ares.h", "ei.h",    "unistd.h",     "syncstream",         "csignal", "semaphore", "latch",   "barrier",
};
const std::vector<std::string> impure_prefixes{"boost/asio", "boost/beast", "sys/",
                                               "netinet/",   "arpa/",       "prometheus/"};
const std::vector<std::string> impure_words{"_clock::now", "std::getenv", "std::time(", "random_device",
                                            "printf(stderr"};

// Violations of one file, as "FILE:LINE: what"; empty when there is none.
std::vector<std::string> check(const std::string& module, const std::string& file, std::istream& text) {
  static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::vector<std::string> found;
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    const auto say = [&](const std::string& what) {
      found.push_back(file + ":" + std::to_string(number) + ": " + what);
    };
    std::smatch match;
    if (std::regex_search(line, match, include)) {
      const auto header = match[1].str();
      const auto other = header.substr(0, header.find('/'));
      if (header.find('/') != std::string::npos && allowed.contains(other) && other != module &&
          !allowed.at(module).contains(other)) {
        say(module + " may not include " + header);
      }
      if (header.starts_with("test/") || header.starts_with("bench/"))
        say("the program may not include " + header);
      if (module == "membership" || module == "node_name") {
        bool impure = impure_headers.contains(header);
        for (const auto& prefix : impure_prefixes) impure = impure || header.starts_with(prefix);
        if (impure) say(module + " is pure and may not include " + header);
      }
    } else if (module == "membership") {
      const auto code = line.substr(0, line.find("//"));
      for (const auto& word : impure_words) {
        if (code.find(word) != std::string::npos) say("membership is pure and may not use " + word);
      }
    }
  }
  return found;
}

bool is_source(const fs::path& path) {
  return path.extension() == ".hpp" || path.extension() == ".cpp";
}

std::string joined(const std::vector<std::string>& lines) {
  std::string result;
  for (const auto& line : lines) result += line + "\n";
  return result;
}

TEST(Modules, IncludeOnlyAlongTheArrows) {
  int files = 0;
  std::vector<std::string> found;
  for (const auto& [module, ignored] : allowed) {
    const auto folder = fs::path(ROLLCALL_SOURCE_DIR) / module;
    ASSERT_TRUE(fs::is_directory(folder)) << folder;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!is_source(entry.path())) continue;
      ++files;
      std::ifstream text(entry.path());
      const auto here = check(module, module + "/" + entry.path().filename().string(), text);
      found.insert(found.end(), here.begin(), here.end());
    }
  }
  EXPECT_GE(files, 20);
  EXPECT_TRUE(found.empty()) << joined(found);
}

TEST(Modules, EveryHeaderOpensWithWhatItIsFor) {
  std::vector<std::string> found;
  for (const auto& [module, ignored] : allowed) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(ROLLCALL_SOURCE_DIR) / module)) {
      if (entry.path().extension() != ".hpp") continue;
      std::ifstream text(entry.path());
      std::string first;
      std::getline(text, first);
      if (!first.starts_with("// ")) found.push_back(module + "/" + entry.path().filename().string());
    }
  }
  EXPECT_TRUE(found.empty()) << joined(found);
}

struct planted {
  std::string name, module, line;
  bool allowed;
};
void PrintTo(const planted& one, std::ostream* out) {
  *out << one.name;
}

class PlantedInclude : public testing::TestWithParam<planted> {};

TEST_P(PlantedInclude, IsJudged) {
  std::istringstream text("// A file.\n" + GetParam().line + "\n");
  const auto found = check(GetParam().module, "planted.cpp", text);
  EXPECT_EQ(found.empty(), GetParam().allowed) << joined(found);
  if (!GetParam().allowed) {
    EXPECT_TRUE(found.front().starts_with("planted.cpp:2: ")) << found.front();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Modules, PlantedInclude,
    testing::Values(
        planted{"MembershipTakesCnode", "membership", "#include \"cnode/node.hpp\"", false},
        planted{"MembershipTakesAsio", "membership", "#include <boost/asio/io_context.hpp>", false},
        planted{"MembershipTakesThread", "membership", "#  include <thread>", false},
        planted{"MembershipReadsClock", "membership", "auto t = std::chrono::steady_clock::now();", false},
        planted{"MembershipMentionsClock", "membership", "// never calls steady_clock::now()", true},
        planted{"MembershipTakesNodeName", "membership", "#include \"node_name/node_name.hpp\"", true},
        planted{"MembershipTakesChrono", "membership", "#include <chrono>", true},
        planted{"CnodeTakesMembership", "cnode", "#include \"membership/facts.hpp\"", false},
        planted{"CnodeTakesAsio", "cnode", "#include <boost/asio/io_context.hpp>", true},
        planted{"DiscoveryTakesCnode", "discovery", "#include \"cnode/epmd.hpp\"", false},
        planted{"MetricsTakesHttp", "metrics", "#include \"http/server.hpp\"", false},
        planted{"HttpTakesMetrics", "http", "#include \"metrics/exporter.hpp\"", true},
        planted{"HttpTakesApp", "http", "#include <app/log.hpp>", false},
        planted{"NodeNameTakesMembership", "node_name", "#include \"membership/facts.hpp\"", false},
        planted{"AppTakesAll", "app", "#include \"discovery/roster.hpp\"", true},
        planted{"AppTakesTest", "app", "#include \"test/support/wait.hpp\"", false}),
    [](const auto& one) { return one.param.name; });

}  // namespace
