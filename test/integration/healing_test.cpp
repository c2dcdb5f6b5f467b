// The scenarios' stage: threads, claims, and the judgement with what is not yet true.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <set>
#include <thread>

#include "test/integration/healing.hpp"
#include "test/integration/healing_not_yet_true.hpp"

namespace rollcall::test::healing {
namespace {

struct abandoned : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::map<std::string, play>& plays() {
  static std::map<std::string, play> all;
  return all;
}

struct running {
  findings found;
  std::string ended_by;  // an exception's words
  std::thread thread;
};
std::map<std::string, running>& begun() {
  static std::map<std::string, running> all;
  return all;
}

struct {
  std::mutex mutex;
  std::condition_variable changed;
  int free = 2;
} boots;

}  // namespace

double seconds(std::chrono::system_clock::duration span) {
  return std::chrono::duration<double>(span).count();
}

std::string time(double seconds) {
  return seconds == never ? "never" : fmt::format("{:.2f} s", seconds);
}

void findings::claim(std::string what, bool holds, std::string detail) {
  claims_.push_back({std::move(what), holds, std::move(detail)});
}

void findings::claim(std::string what, const testing::AssertionResult& result) {
  claim(std::move(what), static_cast<bool>(result), result.message());
}

void findings::must(std::string what, const testing::AssertionResult& result) {
  claim(what, result);
  if (!result) throw abandoned(what);
}

void findings::note(std::string figure) {
  notes_.push_back(std::move(figure));
}

void findings::keep_log(std::vector<std::string> lines) {
  log_.insert(log_.end(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
}

boot_turn::boot_turn() {
  std::unique_lock lock(boots.mutex);
  boots.changed.wait(lock, [] { return boots.free > 0; });
  --boots.free;
}

void boot_turn::booted() {
  if (!std::exchange(ours_, false)) return;
  const std::scoped_lock lock(boots.mutex);
  ++boots.free;
  boots.changed.notify_one();
}

boot_turn::~boot_turn() {
  booted();
}

scene::scene(findings& found, scene_options options)
    : cluster(options.nodes, std::move(options.arguments), std::move(options.flags), false, options.interval),
      found_(found) {
  booted();
}

scene::~scene() {
  found_.keep_log(rollcall.log());
}

indices scene::all() const {
  return all_but({});
}

indices scene::all_but(const indices& without) const {
  indices result;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (std::ranges::find(without, i) == without.end()) result.push_back(i);
  }
  return result;
}

std::vector<loss> scene::lost(moment since, const indices& of) {
  std::vector<loss> result;
  for (const auto i : of) {
    for (const auto& change : nodes.node(i).changes()) {
      if (change.up || change.at < since) continue;
      for (std::size_t j = 0; j < nodes.size(); ++j) {
        if (nodes.name(j) == change.peer) result.push_back({change.at, i, j});
      }
    }
  }
  std::ranges::sort(result, {}, &loss::at);
  return result;
}

moment scene::last_up(moment since, const indices& of) {
  moment last{};
  for (const auto i : of) {
    for (const auto& change : nodes.node(i).changes()) {
      if (change.up && change.at >= since) last = std::max(last, change.at);
    }
  }
  return last;
}

testing::AssertionResult scene::whole_after(moment since, milliseconds limit, double& took) {
  const auto whole =
      eventually([&] { return meshed(all()); }, limit, "one mesh in the nodes' own eyes", 200ms);
  took = whole ? seconds(std::max(last_up(since, all()), since) - since) : never;
  if (!whole)
    return testing::AssertionFailure() << whole.message() << "\n" << rollcall.whole(nodes.size()).message();
  return whole;
}

testing::AssertionResult scene::all_but_one_meshed() {
  const auto parts = rollcall.partitions();
  if (parts.size() != 2 || parts[0].size() != nodes.size() - 1) {
    return testing::AssertionFailure() << "partitions " << testing::PrintToString(parts);
  }
  indices odd;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes.name(i) == parts[1][0]) odd.push_back(i);
  }
  if (!meshed(all_but(odd))) return testing::AssertionFailure() << "the others do not all see each other";
  if (!nodes.node(odd.at(0)).nodes().empty())
    return testing::AssertionFailure() << "the odd one is not alone";
  return testing::AssertionSuccess();
}

std::string scene::quarantine() const {
  return json::serialize(rollcall.json("/api/v1/status").at("quarantine"));
}

std::string scene::story() const {
  std::string result;
  const auto events = rollcall.json("/api/v1/events");
  for (const auto& one : events.as_array()) {
    const auto type = text(one.at("type"));
    if (type.starts_with("netsplit_")) result += (result.empty() ? "" : " ") + type.substr(9);
  }
  return result;
}

std::string scene::shown() const {
  return json::serialize(incidents());
}

std::string scene::call(std::size_t node, const std::string& function_and_arguments) {
  return nodes.node(node).eval("rpc:call('rollcall@" + nodes.net().at("rollcall").address + "', rollcall, " +
                               function_and_arguments + ")");
}

std::size_t moments::after(double second) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(each, [&](const auto& one) { return one.first >= second; }));
}

std::string moments::text() const {
  std::string result;
  for (const auto& [at, links] : each)
    result += fmt::format("{}{:.1f} s: {}", result.empty() ? "" : ", ", at, links);
  return result.empty() ? "none" : result;
}

moments tears(moment since, const std::vector<loss>& losses) {
  moments result;
  moment last{};
  for (const auto& one : losses) {
    if (one.at - last > 2s || result.each.empty()) {
      last = one.at;
      result.each.emplace_back(seconds(one.at - since), 0);
    }
    ++result.each.back().second;
  }
  return result;
}

listed_play::listed_play(std::string name, play what) {
  plays().emplace(std::move(name), std::move(what));
}

void Healing::SetUpTestSuite() {
  if (network::unavailable()) return;
  const auto* suite = testing::UnitTest::GetInstance()->current_test_suite();
  for (int i = 0; i < suite->total_test_count(); ++i) {
    const auto* test = suite->GetTestInfo(i);
    if (!test->should_run()) continue;
    auto& one = begun()[test->name()];
    one.thread = std::thread([&one, what = plays().at(test->name())] {
      try {
        what(one.found);
      } catch (const abandoned&) {
        // Its claim says so.
      } catch (const std::exception& problem) {
        one.ended_by = problem.what();
      }
    });
  }
}

void Healing::TearDownTestSuite() {
  for (auto& [name, one] : begun()) {
    if (one.thread.joinable()) one.thread.join();
  }
}

void Healing::judge(const std::string& name) {
  ROLLCALL_NEEDS_NETWORK();
  auto& one = begun().at(name);
  one.thread.join();
  for (const auto& note : one.found.notes()) std::cout << name << ": " << note << '\n';
  bool as_expected = one.ended_by.empty();
  EXPECT_EQ(one.ended_by, "");
  std::set<std::string> awaited;
  for (const auto& line : not_yet_true) {
    if (line.starts_with(name + ": ")) awaited.insert(line.substr(name.size() + 2));
  }
  for (const auto& [what, holds, detail] : one.found.claims()) {
    const bool known = awaited.erase(what) != 0;
    const bool unsteady = now_and_then.contains(name + ": " + what);
    if (unsteady) {
      std::cout << (holds ? "true this time: " : "not yet true: ") << name << ": " << what << '\n';
    } else if (holds && known) {
      ADD_FAILURE() << "now true: take the line \"" << name << ": " << what
                    << "\" out of healing_not_yet_true.hpp";
    } else if (!holds && known) {
      std::cout << "not yet true: " << name << ": " << what << " (" << detail.substr(0, 400) << ")\n";
    } else if (!holds) {
      as_expected = false;
      ADD_FAILURE() << what << ": " << detail.substr(0, 4000);
    }
  }
  // A scenario that had to end early owes the rest.
  const bool ended_early = !one.found.claims().empty() && !one.found.claims().back().holds;
  if (!ended_early) {
    EXPECT_THAT(awaited, testing::IsEmpty()) << "no such claim was made";
  }
  if (!as_expected || std::getenv("HEALING_LOG") != nullptr) {
    constexpr std::size_t most = 200;  // a sanitizer's report is long
    const auto& log = one.found.log();
    for (std::size_t i = 0; i < std::min(most, log.size()); ++i) std::cout << "    " << log[i] << '\n';
  }
}

}  // namespace rollcall::test::healing
