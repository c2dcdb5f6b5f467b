// How soon a change is seen, a silent cut is told, and a repaired mesh is whole again; what lasting faults
// cost; each beside what would do it without Rollcall, in the same run. And what watching costs in quiet.
//
//   bench_netsplit [--parts changes,quiet,repair,lasting,flapping] [--changes 20] [--sizes 6,20]
//   [--quiet-seconds 60]
//                  [--repairs 6:10:10,20:10:10,10:60:3,10:120:3] [--lasting-seconds 120]
//                  [--flapping-seconds 180]
//
// --repairs: nodes, seconds of the cut, how often, each on a fresh mesh.
#include <iostream>

#include "bench/healing.hpp"
#include "bench/measure.hpp"
#include "test/support/wait.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::test::beam;

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The same watcher, held by a hidden Erlang node instead of Rollcall.
constexpr auto erlang_watcher = R"(
  {{ok, Tokens, _}} = erl_scan:string("net_kernel:monitor_nodes(true, [nodedown_reason]), "
    "Watch = fun Again() -> receive {{nodedown, N, _}} -> Us ! {{down, N}}, Again(); _ -> Again() end end, Watch()."),
  {{ok, Forms}} = erl_parse:parse_exprs(Tokens),
  register(baseline, spawn(fun() ->
    [erpc:cast(N, erl_eval, exprs, [Forms, [{{'Us', self()}}]]) || N <- {}],
    (fun Loop(First) ->
      receive
        {{down, _}} when First == 0 -> Loop(erlang:system_time(microsecond));
        {{down, _}} -> Loop(First);
        {{take, From}} -> From ! {{first, First}}, Loop(0)
      end
    end)(0)
  end)), ok.)";

void changes(int count) {
  pods cluster({.count = 3, .arguments = {"-kernel", "prevent_overlapping_partitions", "false"}});
  cluster.net().add("baseline");
  rollcall::test::epmd mapper(0, cluster.net().at("baseline").network_namespace);
  auto program = cluster.rollcall({}, "5s");
  if (!rollcall::test::eventually([&] { return program.whole(3); }, 60s, "whole"))
    throw std::runtime_error("no mesh");
  beam baseline({.name = "baseline@" + cluster.net().at("baseline").address,
                 .network_namespace = cluster.net().at("baseline").network_namespace,
                 .hidden = true});
  baseline.eval(fmt::format(
      erlang_watcher, fmt::format("['{}','{}','{}']", cluster.name(0), cluster.name(1), cluster.name(2))));
  std::this_thread::sleep_for(12s);  // both watch, and a round has gone by
  std::vector<double> ours, theirs;
  for (int i = 0; i < count; ++i) {
    baseline.eval("baseline ! {take, self()}, receive {first, F} -> F end.");
    const auto at =
        number(cluster.node(0).eval(fmt::format(
            "At = erlang:system_time(microsecond), erlang:disconnect_node('{}'), At.", cluster.name(1)))) /
        1e3;
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto status = program.json("/api/v1/status");
      if (status.at("links_missing").to_number<int>() == 0 &&
          program.metric("erlang_cluster_links", {{"state", "one_way"}}).value_or(0) == 0) {
        continue;
      }
      ours.push_back(status.at("at").to_number<double>() - at);
      break;
    }
    std::this_thread::sleep_for(50ms);
    theirs.push_back(number(baseline.eval("baseline ! {take, self()}, receive {first, F} -> F end.")) / 1e3 -
                     at);
    if (!rollcall::test::eventually([&] { return program.whole(3); }, 60s, "whole")) {
      throw std::runtime_error("not whole again");
    }
  }
  fmt::print("A link is closed, until it is known outside the cluster: median of {} (lowest..highest)\n\n",
             count);
  fmt::print("{:>28}  {:>28}  {:>8}\n", "rollcall, in its snapshot", "hidden Erlang node", "ratio");
  fmt::print("{:>28}  {:>28}  {:>8.2f}\n\n", cell(ours, "ms", 1), cell(theirs, "ms", 1),
             median(ours) / std::max(0.1, median(theirs)));
}

struct split {
  double told = 0, noticed = 0, repaired = 0, calls = 0, cpu = 0;
};

split halves(std::size_t size, std::chrono::seconds quiet) {
  pods cluster({.count = size});
  split found;
  for (std::size_t i = 0; i < size; ++i) cluster.node(i).eval(start_clock);
  auto program = cluster.rollcall({}, "5s");
  const auto id = program.running_process().id();
  const auto is_whole = [&] { return program.whole(size); };
  if (!rollcall::test::eventually(is_whole, 120s, "whole")) throw std::runtime_error("no mesh");
  std::this_thread::sleep_for(15s);

  const auto asked = [&] { return program.metric("rollcall_rpc_duration_seconds_count").value_or(0); };
  const auto calls = asked(), cpu = cpu_seconds(id);
  std::this_thread::sleep_for(quiet);
  const auto minutes = static_cast<double>(quiet.count()) / 60;
  found.calls = (asked() - calls) / minutes / static_cast<double>(size);
  found.cpu = (cpu_seconds(id) - cpu) / minutes;

  const auto between = [&](bool cut) {
    std::vector<std::string> here, there;
    for (std::size_t i = 0; i < size; ++i) (i < size / 2 ? here : there).push_back(cluster.hostname(i));
    if (cut) {
      cluster.net().cut(here, there);
    } else {
      cluster.net().heal(here, there);
    }
  };
  const auto cut_at = now_ms();
  between(true);
  const auto open = [&] { return !program.json("/api/v1/netsplits").as_array().empty(); };
  while (!open()) std::this_thread::sleep_for(20ms);
  found.told = (now_ms() - cut_at) / 1e3;
  // The nodes' own word: when the last of them had lost the other half.
  const auto lost = [&] {
    for (std::size_t i = 0; i < size; ++i) {
      if (cluster.node(i).eval("length(nodes()).") != std::to_string(size / 2 - 1)) return false;
    }
    return true;
  };
  while (!lost()) std::this_thread::sleep_for(500ms);
  double last = 0;
  for (std::size_t i = 0; i < size; ++i) last = std::max(last, number(cluster.node(i).eval(read_down)) / 1e3);
  found.noticed = (last - cut_at) / 1e3;
  std::this_thread::sleep_for(5s);
  between(false);
  const auto healed_at = now_ms();
  found.repaired = whole_at(cluster) - healed_at / 1e3;
  return found;
}

std::vector<std::string> split_at(const std::string& text, char at) {
  std::vector<std::string> result;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, at);) result.push_back(one);
  return result;
}

void cuts(const std::vector<std::size_t>& sizes, std::chrono::seconds quiet) {
  fmt::print("Halves, cut silently, net_ticktime 60 s, --interval 5s: one run each, seconds\n\n");
  fmt::print("{:>5}  {:>16}  {:>22}  {:>8}  {:>18}  {:>22}  {:>14}\n", "nodes", "cut to incident",
             "until the nodes notice", "ratio", "repair to whole", "calls/node/min, quiet", "CPU s/min");
  for (const auto size : sizes) {
    const auto s = halves(size, quiet);
    fmt::print("{:>5}  {:>16.1f}  {:>22.1f}  {:>8.2f}  {:>18.1f}  {:>22.1f}  {:>14.3f}\n", size, s.told,
               s.noticed, s.told / s.noticed, s.repaired, s.calls, s.cpu);
    std::fflush(stdout);
  }
  fmt::print("\n");
}

struct flags {
  std::vector<std::string> parts{"changes", "quiet", "repair", "lasting", "flapping"};
  int changes = 20;
  std::vector<std::size_t> sizes{6, 20};
  std::chrono::seconds quiet{60}, lasting{120}, flapping{180};
  std::vector<repair_row> repairs{{6, 10s, 10}, {20, 10s, 10}, {10, 60s, 3}, {10, 120s, 3}};
};

flags parse(int argc, char** argv) {
  flags result;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--parts") {
      result.parts = split_at(value, ',');
    } else if (name == "--changes") {
      result.changes = std::stoi(value);
    } else if (name == "--quiet-seconds") {
      result.quiet = std::chrono::seconds(std::stoi(value));
    } else if (name == "--lasting-seconds") {
      result.lasting = std::chrono::seconds(std::stoi(value));
    } else if (name == "--flapping-seconds") {
      result.flapping = std::chrono::seconds(std::stoi(value));
    } else if (name == "--sizes") {
      result.sizes.clear();
      for (const auto& one : split_at(value, ',')) result.sizes.push_back(std::stoul(one));
    } else if (name == "--repairs") {
      result.repairs.clear();
      for (const auto& one : split_at(value, ',')) {
        const auto numbers = split_at(one, ':');
        result.repairs.push_back({std::stoul(numbers.at(0)), std::chrono::seconds(std::stoi(numbers.at(1))),
                                  std::stoi(numbers.at(2))});
      }
    } else {
      throw std::runtime_error("unknown option " + name);
    }
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  if (const auto why = rollcall::test::network::unavailable()) {
    std::cerr << "bench_netsplit cannot run here: " << *why << '\n';
    return 1;
  }
  const auto wanted = parse(argc, argv);
  for (const auto& part : wanted.parts) {
    if (part == "changes") {
      changes(wanted.changes);
    } else if (part == "quiet") {
      cuts(wanted.sizes, wanted.quiet);
    } else if (part == "repair") {
      repairs(wanted.repairs);
    } else if (part == "lasting") {
      lasting(wanted.lasting);
    } else if (part == "flapping") {
      flapping(wanted.flapping);
    } else {
      throw std::runtime_error("unknown part " + part);
    }
  }
  return 0;
} catch (const std::exception& e) {
  std::cerr << "bench_netsplit: " << e.what() << '\n';
  return 1;
}
