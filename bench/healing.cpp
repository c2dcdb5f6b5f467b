// What healing takes and what it costs, on real nodes.
#include "bench/healing.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <latch>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>

#include "bench/measure.hpp"
#include "test/support/dial_loop.hpp"
#include "test/support/lasting_faults.hpp"
#include "test/support/wait.hpp"

namespace rollcall::bench {
namespace {

using rollcall::test::eventually;
using rollcall::test::rollcall_program;

enum class healer { rollcall, loop, nobody };

// A mesh whose nodes notice a silent cut within 6 to 10 s, and what heals it.
struct mesh {
  mesh(std::size_t size, healer by) : nodes({.count = size, .arguments = {"-kernel", "net_ticktime", "8"}}) {
    if (by == healer::loop) {
      rollcall::test::start_dial_loop(nodes);
    } else {
      program.emplace(nodes.rollcall({}, "5s"));
    }
    if (!eventually([&] { return whole(nodes); }, 120s, "whole", 200ms)) throw std::runtime_error("no mesh");
    for (std::size_t i = 0; i < size; ++i) nodes.node(i).watch();
    std::this_thread::sleep_for(12s);  // links were probed, and two rounds are quiet
    if (by == healer::nobody) program->terminate();
  }

  std::vector<std::string> half(bool first) const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if ((i < nodes.size() / 2) == first) result.push_back(nodes.hostname(i));
    }
    return result;
  }
  bool all_noticed() {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes.node(i).nodes().size() + 1 != (i < nodes.size() / 2 ? half(true) : half(false)).size())
        return false;
    }
    return true;
  }
  // When the last of the links came up.
  double last_up() {
    double last = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (const auto& change : nodes.node(i).changes()) {
        if (change.up)
          last = std::max(last, std::chrono::duration<double>(change.at.time_since_epoch()).count());
      }
    }
    return last;
  }
  std::vector<double> downs() {
    std::vector<double> all;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (const auto& change : nodes.node(i).changes()) {
        if (!change.up) all.push_back(std::chrono::duration<double>(change.at.time_since_epoch()).count());
      }
    }
    return all;
  }

  pods nodes;
  std::optional<rollcall_program> program;
};

double repair(std::size_t size, std::chrono::seconds cut, healer by) {
  mesh m(size, by);
  const auto begin = std::chrono::steady_clock::now();
  m.nodes.net().cut(m.half(true), m.half(false));
  std::this_thread::sleep_until(begin + cut);
  if (!eventually([&] { return m.all_noticed(); }, 60s, "noticed", 200ms))
    throw std::runtime_error("not noticed");
  // Before the command: on a busy machine it ends seconds after its rules are in force.
  const auto healed = now_seconds();
  m.nodes.net().heal(m.half(true), m.half(false));
  if (!eventually([&] { return whole(m.nodes); }, 120s, "whole", 200ms)) return 120;
  return m.last_up() - healed;
}

// Node 0 is cut off from these for so long and joined for so long, and so on.
void flap(mesh& m, std::size_t others, std::chrono::seconds period, std::chrono::seconds span) {
  std::vector<std::string> from;
  for (std::size_t i = 1; i <= others; ++i) from.push_back(m.nodes.hostname(i));
  const auto begin = std::chrono::steady_clock::now();
  for (int turn = 0; turn * 2 * period < span; ++turn) {
    m.nodes.net().cut_for("web-0", from, period);
    std::this_thread::sleep_until(begin + std::min<std::chrono::seconds>((turn + 1) * 2 * period, span));
  }
}

struct cost {
  double first = 0, later = 0;  // nodedown events a minute: in the first minute, and after it
};

cost lasting_cost(const std::function<void(mesh&)>& play, std::chrono::seconds span, healer by) {
  mesh m(6, by);
  const auto begin = now_seconds();
  play(m);
  cost result;
  for (const auto at : m.downs()) (at - begin < 60 ? result.first : result.later) += 1;
  const auto minutes_later = std::max(0.0, static_cast<double>(span.count()) / 60 - 1);
  result.later = minutes_later > 0 ? result.later / minutes_later : 0;
  return result;
}

void lasting_row(const std::string& name, const std::function<void(mesh&)>& play, std::chrono::seconds span) {
  std::array<cost, 3> costs;
  std::array<std::string, 3> problems;
  std::vector<std::jthread> beside;
  for (const auto by : {healer::rollcall, healer::loop, healer::nobody}) {
    beside.emplace_back([&, by] {
      const auto i = static_cast<std::size_t>(by);
      try {
        costs[i] = lasting_cost(play, span, by);
      } catch (const std::exception& e) {
        problems[i] = e.what();
      }
    });
  }
  beside.clear();
  for (const auto& problem : problems) {
    if (!problem.empty()) throw std::runtime_error(name + ": " + problem);
  }
  fmt::print("{:<36}", name);
  for (const auto& one : costs) fmt::print("  {:>10.0f} {:>10.1f}", one.first, one.later);
  fmt::print("\n");
  std::fflush(stdout);
}

struct flapping_mesh {
  std::size_t others;
  std::chrono::seconds period;
  healer by;
  bool talking;
  std::vector<int> minutes{};
  std::string problem{};

  void play(std::chrono::seconds span, std::latch& booted) {
    std::optional<mesh> m;
    static std::counting_semaphore<4> turns(4);  // all at once they only keep each other waiting
    turns.acquire();
    noting([&] {
      m.emplace(6, by);
      if (talking) rollcall::test::start_talking(m->nodes);
    });
    turns.release();
    booted.arrive_and_wait();
    if (m) noting([&] { count(*m, span); });
  }
  void count(mesh& m, std::chrono::seconds span) {
    const auto begin = now_seconds();
    flap(m, others, period, span);
    minutes.resize(static_cast<std::size_t>(span.count() + 59) / 60);
    for (const auto at : m.downs()) {
      const auto minute = static_cast<std::size_t>(std::max(0.0, at - begin) / 60);
      ++minutes[std::min(minute, minutes.size() - 1)];
    }
  }
  void noting(const std::function<void()>& what) {
    try {
      what();
    } catch (const std::exception& e) {
      problem = e.what();
    }
  }
  std::string shown() const {
    return problem.empty() ? fmt::format("{}", fmt::join(minutes, " ")) : "failed: " + problem;
  }
};

}  // namespace

void repairs(const std::vector<repair_row>& rows) {
  fmt::print(
      "Halves, cut until every node has noticed (net_ticktime 8 s), then joined: until the last link is up.\n"
      "Each time on a fresh mesh; median (lowest..highest); --interval 5s, the loop dials each 5 s\n\n");
  fmt::print("{:>5}  {:>7}  {:>5}  {:>24}  {:>24}\n", "nodes", "cut", "times", "rollcall",
             "a loop that dials");
  for (const auto& row : rows) {
    std::vector<double> ours, theirs;
    for (int i = 0; i < row.times; ++i) {
      ours.push_back(repair(row.nodes, row.cut, healer::rollcall));
      theirs.push_back(repair(row.nodes, row.cut, healer::loop));
    }
    fmt::print("{:>5}  {:>5} s  {:>5}  {:>24}  {:>24}\n", row.nodes, row.cut.count(), row.times,
               cell(ours, "s", 2), cell(theirs, "s", 2));
    std::fflush(stdout);
  }
  fmt::print("\n");
}

void lasting(std::chrono::seconds span) {
  fmt::print(
      "Six nodes, a fault that lasts {} s: nodedown events, in the first minute and a minute after it.\n"
      "net_ticktime 8 s, --interval 5s, the loop dials each 5 s; the three meshes at the same time\n\n",
      span.count());
  fmt::print("{:<36}  {:>21}  {:>21}  {:>21}\n", "", "rollcall", "a loop that dials", "nobody");
  const auto names = rollcall::test::lasting_faults();
  for (std::size_t i = 0; i < names.size(); ++i) {
    lasting_row(
        names[i].name,
        [&](mesh& m) {
          const auto fault = rollcall::test::lasting_faults()[i];  // each mesh has its own
          fault.begin(m.nodes);
          std::this_thread::sleep_for(span);
        },
        span);
  }
}

void flapping(std::chrono::seconds span) {
  fmt::print(
      "Six nodes; the paths of one of them, or one pair's, go dark and light in turns for {} s: nodedown\n"
      "events in each minute. net_ticktime 8 s, --interval 5s, the loop dials each 5 s, and each node says\n"
      "something to each other one each 5 s, but in the last row, which is of a node; all of them at the "
      "same time\n\n",
      span.count());
  fmt::print("{:<17}  {:>22}  {:>22}  {:>22}\n", "", "rollcall", "a loop that dials", "nobody");
  std::vector<flapping_mesh> all;
  for (const std::size_t others : {5, 1}) {
    for (const auto period : {6s, 12s, 20s}) {
      for (const auto by : {healer::rollcall, healer::loop, healer::nobody})
        all.push_back({others, period, by, true});
    }
  }
  for (const auto by : {healer::rollcall, healer::loop, healer::nobody}) all.push_back({5, 6s, by, false});
  std::latch booted(static_cast<std::ptrdiff_t>(all.size()));
  std::vector<std::jthread> beside;
  for (auto& one : all) beside.emplace_back([&] { one.play(span, booted); });
  beside.clear();
  for (std::size_t i = 0; i < all.size(); i += 3) {
    fmt::print("{:<6} every {:>2} s",
               all[i].others == 1 ? "a pair"
               : all[i].talking   ? "a node"
                                  : "silent",
               all[i].period.count());
    for (std::size_t by = 0; by < 3; ++by) fmt::print("  {:>22}", all[i + by].shown());
    fmt::print("\n");
  }
}

}  // namespace rollcall::bench
