// simulate: plays histories against membership. See README.md beside this file.
//
//   simulate named [NAME]    histories that once went wrong; one of them, with its diary
//   simulate named --small   those that are quick under a sanitizer
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "test/simulation/jail.hpp"
#include "test/simulation/known.hpp"
#include "test/simulation/named.hpp"

namespace rollcall::simulation {
namespace {

constexpr unsigned named_at_most = 300;  // seconds, on a busy machine

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

int play_named(const char* only, bool small) {
  int failed = 0;
  for (const auto& history : named_histories()) {
    if (only != nullptr && std::strcmp(only, history.name) != 0) continue;
    if (small && history.large) continue;
    const auto wrong = in_jail(history.play, named_at_most);
    const auto& known = named_not_yet_true();
    const auto listed =
        std::ranges::find_if(known, [&](const auto& k) { return std::strcmp(k.name, history.name) == 0; });
    if (listed != known.end() && wrong.empty()) {
      fmt::print("FAIL {}: it is right now; take it off the list in known.cpp\n", history.name);
      ++failed;
    } else if (listed != known.end()) {
      fmt::print("NOT YET TRUE {}: {}\n  found: {}\n", history.name, listed->reason, first_line(wrong));
    } else if (!wrong.empty()) {
      fmt::print("FAIL {}: {}\n", history.name, only != nullptr ? wrong : first_line(wrong));
      ++failed;
    } else {
      fmt::print("right {}\n", history.name);
    }
    if (only != nullptr && !wrong.empty()) fmt::print("{}\n", wrong);
    std::fflush(stdout);
  }
  return failed == 0 ? 0 : 1;
}

int run(int count, char** arguments) {
  const auto is = [&](int i, const char* text) { return count > i && std::strcmp(arguments[i], text) == 0; };
  if (is(1, "named"))
    return is(2, "--small") ? play_named(nullptr, true)
                            : play_named(count > 2 ? arguments[2] : nullptr, false);
  fmt::print(stderr, "simulate named [NAME | --small]\n");
  return 2;
}

}  // namespace
}  // namespace rollcall::simulation

int main(int count, char** arguments) {
  return rollcall::simulation::run(count, arguments);
}
