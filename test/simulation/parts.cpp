#include "test/simulation/parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "test/simulation/jail.hpp"
#include "test/simulation/known.hpp"

namespace rollcall::simulation {

namespace {

constexpr unsigned named_at_most = 300;  // seconds, on a busy machine

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

void tell(const found& f) {
  fmt::print("seed {}{}: {}: {}\n  {}\n", f.seed, f.nodes != 0 ? fmt::format(" with {} nodes", f.nodes) : "",
             to_string(f.broken), f.what, f.plan);
  std::fflush(stdout);
}

// Known ones are counted, the others fail. Of a part of the seeds some known ones may not be met.
bool judge(const std::vector<found>& wrong, std::uint64_t seeds, bool all_seeds) {
  const auto thousands = std::max<std::uint64_t>(1, seeds / 1'000);
  bool right = true;
  std::map<rule, std::vector<const found*>> by_rule;
  for (const auto& f : wrong) by_rule[f.broken].push_back(&f);
  for (const auto& k : known_findings()) {
    const auto count = by_rule[k.broken].size();
    if (count == 0 && !all_seeds) {
      by_rule.erase(k.broken);
      continue;
    } else if (count == 0) {
      fmt::print("FAIL {}: no seed breaks it any more; take it off the list in known.cpp\n",
                 to_string(k.broken));
    } else if (count > k.at_most * thousands) {
      fmt::print("FAIL {}: {} seeds break it, and {} are known\n", to_string(k.broken), count,
                 k.at_most * thousands);
    } else {
      fmt::print("NOT YET TRUE {}: {} seeds, such as {}: {}\n", to_string(k.broken), count,
                 by_rule[k.broken].front()->seed, k.reason);
    }
    right = right && count > 0 && count <= k.at_most * thousands;
    by_rule.erase(k.broken);
  }
  for (const auto& [which, list] : by_rule) {
    fmt::print("FAIL {}: {} seeds, such as\n", to_string(which), list.size());
    for (std::size_t i = 0; i < std::min<std::size_t>(list.size(), 5); ++i) tell(*list[i]);
    right = false;
  }
  return right;
}

bool judge_gaps(std::vector<std::string> gaps) {
  bool right = true;
  for (const auto& known : known_gaps()) {
    const bool met = std::erase(gaps, known.text) != 0;
    fmt::print("{} {}: {}\n", met ? "NOT YET TRUE" : "FAIL", known.text,
               met ? known.reason : "it is reached now; take it off the list in known.cpp");
    right = right && met;
  }
  for (const auto& gap : gaps) fmt::print("FAIL {}\n", gap);
  return right && gaps.empty();
}

bool judge_named(const char* name, const std::string& wrong) {
  const auto& known = named_not_yet_true();
  const auto listed =
      std::ranges::find_if(known, [&](const auto& k) { return std::strcmp(k.name, name) == 0; });
  if (listed == known.end()) {
    if (wrong.empty()) {
      fmt::print("right {}\n", name);
    } else {
      fmt::print("FAIL {}: {}\n", name, first_line(wrong));
    }
    return wrong.empty();
  }
  if (wrong.empty()) {
    fmt::print("FAIL {}: it is right now; take it off the list in known.cpp\n", name);
    return false;
  }
  fmt::print("NOT YET TRUE {}: {}\n  found: {}\n", name, listed->reason, first_line(wrong));
  return true;
}

}  // namespace

bool play_named(const std::vector<named_history>& list, const char* only, bool small, unsigned jobs,
                std::set<std::string>* kept) {
  std::vector<const named_history*> wanted;
  for (const auto& history : list) {
    if (only != nullptr && std::strcmp(only, history.name) != 0) continue;
    if (!small || !history.large) wanted.push_back(&history);
  }
  std::vector<std::string> said(wanted.size());
  share_out(wanted.size(), jobs, [&](std::size_t i) { said[i] = in_jail(wanted[i]->play, named_at_most); });
  bool right = true;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    right = judge_named(wanted[i]->name, said[i]) && right;
    if (only != nullptr && !said[i].empty()) fmt::print("{}\n", said[i]);
    if (kept != nullptr && said[i].empty()) kept->insert(wanted[i]->name);
  }
  std::fflush(stdout);
  return right;
}

bool play_fixed(std::uint64_t count, bool large, unsigned jobs, bool each_told,
                std::set<std::uint64_t>& unclean) {
  constexpr std::uint64_t each = 25;
  std::vector<batch> work;
  if (large) {
    // The longest first.
    work = batches_of(1, 3, 1'000, 1);
    const auto more = batches_of(1, 11, 200, 1);
    work.insert(work.end(), more.begin(), more.end());
  }
  const auto usual = batches_of(1, 1 + count, 0, each);
  work.insert(work.end(), usual.begin(), usual.end());
  const auto result = play_all(
      work, jobs, each_told ? tell : [](const found&) {});
  std::vector<std::string> gaps;
  fmt::print("{}", result.covered.table(gaps));
  for (const auto& f : result.wrong) {
    if (f.nodes == 0) unclean.insert(f.seed);
  }
  auto right = judge(result.wrong, count, count >= fixed_histories && large);
  // A part reaches a part.
  if (count >= fixed_histories) {
    right = judge_gaps(gaps) && right;
  }
  std::fflush(stdout);
  return right;
}

bool play_between(std::uint64_t from, std::uint64_t to, std::size_t nodes, unsigned jobs) {
  const auto result = play_all(batches_of(from, to, nodes, nodes != 0 ? 1 : 25), jobs, tell);
  fmt::print("{} of {} histories broke a rule\n", result.wrong.size(), result.covered.histories);
  return result.wrong.empty();
}

bool play_on(milliseconds real_time, unsigned jobs) {
  const auto begun = std::chrono::steady_clock::now();
  // Other seeds each time; each is printed when it fails, and replays exactly.
  auto from = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                         std::chrono::seconds(1)) *
              1'000;
  coverage all;
  std::size_t failed = 0;
  while (std::chrono::steady_clock::now() - begun < real_time) {
    const auto result = play_all(batches_of(from, from + 200, 0, 10), jobs, tell);
    from += 200;
    failed += result.wrong.size();
    all.add(result.covered);
  }
  std::vector<std::string> gaps;
  fmt::print("{}{} of {} histories broke a rule\n", all.table(gaps), failed, all.histories);
  return failed == 0;
}

}  // namespace rollcall::simulation
