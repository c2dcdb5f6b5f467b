// Plays each script on real nodes, and on the model with many seeds, and holds them against each other: what
// the nodes did must be something that the model does.
//
//   compare [--ci | KIND...]      all kinds, those that CI plays, or the named ones; side by side
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <thread>

#include "test/simulation/compare/stage.hpp"
#include "test/support/network.hpp"

namespace rollcall::simulation {

namespace {

constexpr std::uint64_t seeds = 400;
// What a step takes on real nodes (filters in each namespace, a node that is told), and a busy machine.
constexpr milliseconds earlier{500}, later{2'500};
constexpr std::size_t models_shown = 4;

// What one run shows between two looks.
struct span {
  std::string views;  // at its end: what each node sees
  std::size_t downs = 0;
  std::optional<milliseconds> first, last;  // loss, since the span began
};
struct course {
  std::vector<span> spans;
  std::vector<request> requests;  // in the order of the script
};

class picture {
 public:
  explicit picture(const script& s) : sees_(s.nodes + s.more), runs_(s.nodes + s.more) {
    for (place i = 0; i < s.nodes; ++i) {
      runs_[i] = true;
      for (place j = 0; j < s.nodes; ++j) {
        if (i != j) sees_[i].insert(j);
      }
    }
  }
  void link(const change& c) {
    if (c.up) {
      sees_[c.on].insert(c.of);
    } else {
      sees_[c.on].erase(c.of);
    }
  }
  void node(place i, bool runs) {
    runs_[i] = runs;
    sees_[i].clear();
  }
  // "0123 123": rows that are the same are said once, as a group; else "0: 12".
  std::string text() const {
    std::string groups, odd;
    std::set<place> told;
    for (place i = 0; i < sees_.size(); ++i) {
      if (!runs_[i] || told.contains(i)) continue;
      auto group = sees_[i];
      group.insert(i);
      const bool mutual = std::ranges::all_of(group, [&](place j) {
        auto theirs = sees_[j];
        theirs.insert(j);
        return theirs == group;
      });
      if (mutual) {
        told.insert(group.begin(), group.end());
        groups += fmt::format("{}[{}]", groups.empty() ? "" : " ", fmt::join(group, ""));
      } else {
        odd += fmt::format(" {} sees {}", i, fmt::join(sees_[i], ""));
      }
    }
    return groups + odd;
  }

 private:
  std::vector<std::set<place>> sees_;
  std::vector<bool> runs_;
};

course look(const script& s, const recording& r) {
  struct happened {
    milliseconds at;
    std::function<void(picture&, span&)> what;
  };
  std::vector<happened> all;
  milliseconds begun{0};
  for (const auto& [at, node] : r.gone)
    all.push_back({at, [node = node](picture& p, span&) { p.node(node, false); }});
  for (const auto& [at, node] : r.came)
    all.push_back({at, [node = node](picture& p, span&) { p.node(node, true); }});
  for (const auto& c : r.changes) {
    all.push_back({c.at, [&begun, &c](picture& p, span& now) {
                     p.link(c);
                     if (c.up) return;
                     ++now.downs;
                     if (!now.first) now.first = c.at - begun;
                     now.last = c.at - begun;
                   }});
  }
  std::ranges::stable_sort(all, {}, &happened::at);
  course result;
  picture now(s);
  auto at = all.begin();
  for (const auto end : s.looks) {
    span one;
    for (; at != all.end() && at->at <= end; ++at) at->what(now, one);
    one.views = now.text();
    result.spans.push_back(std::move(one));
    begun = end;
  }
  result.requests = r.requests;
  std::ranges::stable_sort(result.requests, {}, [](const request& q) { return std::pair(q.on, q.to); });
  return result;
}

template <class Number>
struct range {
  std::optional<Number> least, most;
  bool absent = false;  // now and then there is none
  void add(const std::optional<Number>& n) {
    if (!n) {
      absent = true;
      return;
    }
    least = std::min(*n, least.value_or(*n));
    most = std::max(*n, most.value_or(*n));
  }
};

struct possible_span {
  std::map<std::string, std::size_t> views;
  range<std::size_t> downs;
  range<milliseconds> first, last;
};

std::string seconds_of(const std::optional<milliseconds>& at) {
  return at ? fmt::format("{:.1f} s", static_cast<double>(at->count()) / 1'000) : "never";
}

class comparison {
 public:
  comparison(const script& s, const course& real) : script_(s), real_(real) {
    std::vector<course> played;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) played.push_back(look(s, play_on_model(s, seed)));
    milliseconds begun{0};
    for (std::size_t i = 0; i < s.looks.size(); ++i) {
      compare_span(i, begun, played);
      begun = s.looks[i];
    }
    for (std::size_t i = 0; i < real.requests.size(); ++i) compare_request(i, played);
  }
  bool same() const { return same_; }
  const std::string& text() const { return text_; }

 private:
  void say(bool holds, std::string what) {
    same_ = same_ && holds;
    text_ += fmt::format("  {} {}\n", holds ? "    " : "DIFF", what);
  }
  void compare_time(const char* what, const std::optional<milliseconds>& real,
                    const range<milliseconds>& model) {
    const bool holds =
        real ? model.least && *real >= *model.least - earlier && *real <= *model.most + later : model.absent;
    say(holds, fmt::format("{} after {}; model: {} to {}{}", what, seconds_of(real), seconds_of(model.least),
                           seconds_of(model.most), model.absent && model.least ? ", or never" : ""));
  }
  void compare_span(std::size_t i, milliseconds begun, const std::vector<course>& played) {
    possible_span possible;
    for (const auto& c : played) {
      ++possible.views[c.spans[i].views];
      possible.downs.add(c.spans[i].downs);
      possible.first.add(c.spans[i].first);
      possible.last.add(c.spans[i].last);
    }
    const auto& real = real_.spans[i];
    std::vector<std::pair<std::size_t, std::string>> often;
    for (const auto& [views, count] : possible.views) often.emplace_back(count, views);
    std::ranges::sort(often, std::greater{});
    std::string models;
    for (std::size_t m = 0; m < std::min(often.size(), models_shown); ++m)
      models += fmt::format("{}{} in {} of {}", m == 0 ? "" : ", ", often[m].second, often[m].first, seeds);
    if (often.size() > models_shown) models += fmt::format(", and {} more", often.size() - models_shown);
    say(possible.views.contains(real.views),
        fmt::format("at {}: {}; model: {}", seconds_of(script_.looks[i]), real.views, models));
    say(real.downs >= *possible.downs.least && real.downs <= *possible.downs.most,
        fmt::format("from {}: {} nodedowns; model: {} to {}", seconds_of(begun), real.downs,
                    *possible.downs.least, *possible.downs.most));
    if (!real.first && !possible.first.least) return;
    compare_time("the first", real.first, possible.first);
    compare_time("the last", real.last, possible.last);
  }
  void compare_request(std::size_t i, const std::vector<course>& played) {
    const auto& real = real_.requests[i];
    range<milliseconds> took;
    std::size_t connected = 0;
    for (const auto& c : played) {
      if (i >= c.requests.size()) continue;
      const auto& model = c.requests[i];
      connected += model.connected ? 1 : 0;
      if (model.connected == real.connected) took.add(model.took);
    }
    const auto text = fmt::format("{} connects to {}: {}", real.on, real.to, real.connected);
    say(real.connected ? connected > 0 : connected < seeds,
        fmt::format("{}; model: true in {} of {}", text, connected, seeds));
    if (took.least) compare_time("    its answer", real.took, took);
  }

  const script& script_;
  const course& real_;
  bool same_ = true;
  std::string text_;
};

struct played {
  const script* what;
  std::optional<course> real;
  std::string problem;
};

bool compare(const std::vector<const script*>& wanted, std::size_t side_by_side) {
  std::vector<played> all;
  for (const auto* s : wanted) all.push_back({s, std::nullopt, {}});
  for (std::size_t from = 0; from < all.size(); from += side_by_side) {
    std::vector<std::jthread> threads;
    for (auto i = from; i < std::min(from + side_by_side, all.size()); ++i) {
      threads.emplace_back([&one = all[i]] {
        try {
          one.real = look(*one.what, play_on_nodes(*one.what));
        } catch (const std::exception& e) {
          one.problem = e.what();
        }
      });
    }
  }
  bool same = true;
  for (const auto& one : all) {
    if (!one.real) {
      fmt::print("{}: could not be played: {}\n", one.what->name, one.problem);
      same = false;
      continue;
    }
    const comparison result(*one.what, *one.real);
    fmt::print("{}: {}\n{}", one.what->name,
               result.same() ? "the nodes did what the model does" : "DIFFERENT", result.text());
    same = same && result.same();
  }
  fmt::print("{} kinds of fault, {}\n", all.size(), same ? "none different" : "some different");
  return same;
}

int run(int count, char** given) {
  bool ci = false;
  std::vector<const script*> wanted;
  for (int i = 1; i < count; ++i) ci = ci || std::strcmp(given[i], "--ci") == 0;
  for (const auto& s : scripts()) {
    const bool named = std::any_of(given + 1, given + count,
                                   [&](const char* word) { return std::strcmp(word, s.name) == 0; });
    if (ci ? s.in_ci : count == 1 || named) wanted.push_back(&s);
  }
  if (wanted.empty()) {
    fmt::print(stderr, "compare [--ci | KIND...]; kinds:");
    for (const auto& s : scripts()) fmt::print(stderr, " {}", s.name);
    fmt::print(stderr, "\n");
    return 2;
  }
  constexpr std::size_t side_by_side = 6;
  return compare(wanted, side_by_side) ? 0 : 1;
}

}  // namespace
}  // namespace rollcall::simulation

int main(int count, char** given) {
  if (const auto why = rollcall::test::network::unavailable()) {
    fmt::print("not played: {}\n", *why);
    constexpr int skipped = 77;  // as ctest knows it
    const char* in_ci = std::getenv("CI");
    return in_ci != nullptr && std::strcmp(in_ci, "true") == 0 ? 1 : skipped;
  }
  return rollcall::simulation::run(count, given);
}
