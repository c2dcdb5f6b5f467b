// How long unconnected nodes take to become a full mesh: with Rollcall, from its start, and told by a plain
// Erlang script that already knows every name, from its first dial. Freshly booted nodes each time, in
// network namespaces of their own, the three ways taking turns in one run. Then what Rollcall costs meanwhile
// and in quiet.
//
//   bench_formation [--sizes 5,20,50] [--rounds 5] [--quiet-seconds 30]
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "bench/measure.hpp"

namespace {

using namespace std::chrono_literals;
using namespace rollcall::bench;
using rollcall::test::beam;
using rollcall::test::pods;

enum class way { rollcall, all_pairs, star };

struct sample {
  double seconds = 0;
  double cpu_seconds = 0;    // Rollcall's, until the mesh was whole
  std::size_t peak_kib = 0;  // Rollcall's high-water mark
};

std::string erlang_list(pods& cluster) {
  std::string names;
  for (std::size_t i = 0; i < cluster.size(); ++i)
    names += fmt::format("{}'{}'", i == 0 ? "" : ",", cluster.name(i));
  return "[" + names + "]";
}

// From the script's first dial.
sample by_script(pods& cluster, way how) {
  rollcall::test::epmd mapper(0, cluster.net().at("script").network_namespace);
  beam script({.name = "script@" + cluster.net().at("script").address,
               .network_namespace = cluster.net().at("script").network_namespace,
               .hidden = true});
  const auto requests = how == way::all_pairs ? "[{A, B} || A <- Names, B <- Names, A < B]"
                                              : "[{hd(Names), B} || B <- tl(Names)]";
  const auto begun = number(script.eval(fmt::format(R"(
    Names = {},
    Begun = erlang:system_time(microsecond),
    Self = self(),
    [spawn(fun() -> net_kernel:connect_node(N), Self ! up end) || N <- Names],
    [receive up -> ok end || _ <- Names],
    [spawn(fun() -> erpc:call(A, net_kernel, connect_node, [B]) end) || {{A, B}} <- {}],
    Begun.)",
                                                    erlang_list(cluster), requests))) /
                     1e6;
  return {whole_at(cluster) - begun, 0, 0};
}

struct quiet_cost {
  double cpu_per_minute = 0, queries_per_minute = 0;
  std::size_t resident_kib = 0, peak_kib = 0;
};

// Questions as they leave Rollcall's host, counted by the packet filter: a datagram each, or a connection
// each.
double questions_sent(const std::string& space) {
  const auto listed = rollcall::test::run_or_throw(
      {"ip", "netns", "exec", space, "nft", "list", "chain", "inet", "bench", "out"});
  constexpr std::string_view word = "packets ";
  double sent = 0;
  for (auto at = listed.find(word); at != std::string::npos; at = listed.find(word, at + 1)) {
    sent += number(listed.substr(at + word.size()));
  }
  return sent;
}

sample by_rollcall(pods& cluster, std::chrono::seconds quiet, quiet_cost* cost) {
  const auto begun = now_seconds();
  auto program = cluster.rollcall({}, "5s");
  const auto id = program.running_process().id();
  sample s;
  s.seconds = whole_at(cluster) - begun;
  s.cpu_seconds = cpu_seconds(id);
  s.peak_kib = status_kib(id, "VmHWM");
  if (cost != nullptr) {
    const auto space = cluster.net().at("rollcall").network_namespace;
    const auto nft = [&](std::vector<std::string> words) {
      words.insert(words.begin(), {"ip", "netns", "exec", space, "nft"});
      rollcall::test::run_or_throw(words);
    };
    nft({"add", "table", "inet", "bench"});
    nft({"add", "chain", "inet", "bench", "out", "{ type filter hook output priority 0; }"});
    nft({"add", "rule", "inet", "bench", "out", "udp", "dport", "53", "counter"});
    nft({"add", "rule", "inet", "bench", "out", "tcp", "dport", "53", "tcp", "flags", "&", "(syn|ack)",
         "==", "syn", "counter"});
    const auto cpu = cpu_seconds(id);
    const auto sent = questions_sent(space);
    std::this_thread::sleep_for(quiet);
    const auto minutes = static_cast<double>(quiet.count()) / 60.0;
    *cost = {(cpu_seconds(id) - cpu) / minutes, (questions_sent(space) - sent) / minutes,
             status_kib(id, "VmRSS"), status_kib(id, "VmHWM")};
  }
  return s;
}

struct arguments {
  std::vector<std::size_t> sizes{5, 20, 50};
  int rounds = 5;
  std::chrono::seconds quiet{30};
};

arguments read(int argc, char** argv) {
  arguments a;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--sizes") {
      a.sizes.clear();
      std::istringstream in(value);
      for (std::string one; std::getline(in, one, ',');) a.sizes.push_back(std::stoul(one));
    } else if (name == "--rounds") {
      a.rounds = std::stoi(value);
    } else if (name == "--quiet-seconds") {
      a.quiet = std::chrono::seconds(std::stoi(value));
    } else {
      throw std::runtime_error("unknown option " + name);
    }
  }
  return a;
}

}  // namespace

int main(int argc, char** argv) try {
  if (const auto why = rollcall::test::network::unavailable()) {
    std::cerr << "bench_formation cannot run here: " << *why << '\n';
    return 1;
  }
  const auto asked = read(argc, argv);
  fmt::print(
      "Time to a full mesh of freshly booted, unconnected nodes: median of {} (lowest..highest), seconds\n\n",
      asked.rounds);
  fmt::print("{:>5}  {:>22}  {:>22}  {:>22}  {:>10}  {:>10}\n", "nodes", "rollcall, from start",
             "script, all pairs", "script, star", "to pairs", "to star");
  std::vector<std::string> costs;
  for (const auto size : asked.sizes) {
    std::map<way, std::vector<double>> seconds;
    std::vector<double> cpu;
    quiet_cost quiet;
    for (int round = 0; round < asked.rounds; ++round) {
      for (const auto how : {way::rollcall, way::all_pairs, way::star}) {
        pods cluster({.count = size});
        cluster.net().add("script");
        for (std::size_t i = 0; i < size; ++i) cluster.node(i).eval(start_clock);
        const bool last = round + 1 == asked.rounds;
        const auto s = how == way::rollcall ? by_rollcall(cluster, asked.quiet, last ? &quiet : nullptr)
                                            : by_script(cluster, how);
        seconds[how].push_back(s.seconds);
        if (how == way::rollcall) cpu.push_back(s.cpu_seconds);
      }
    }
    const auto cell = [&](way how) {
      auto all = seconds[how];
      std::ranges::sort(all);
      return fmt::format("{:.2f} ({:.2f}..{:.2f})", median(all), all.front(), all.back());
    };
    fmt::print("{:>5}  {:>22}  {:>22}  {:>22}  {:>10.2f}  {:>10.2f}\n", size, cell(way::rollcall),
               cell(way::all_pairs), cell(way::star),
               median(seconds[way::rollcall]) / median(seconds[way::all_pairs]),
               median(seconds[way::rollcall]) / median(seconds[way::star]));
    std::fflush(stdout);
    costs.push_back(fmt::format("{:>5}  {:>18.3f}  {:>18.3f}  {:>14.1f}  {:>14.1f}  {:>18.1f}", size,
                                median(cpu), quiet.cpu_per_minute,
                                static_cast<double>(quiet.resident_kib) / 1024,
                                static_cast<double>(quiet.peak_kib) / 1024, quiet.queries_per_minute));
  }
  fmt::print("\nWhat Rollcall costs (--interval 5s; quiet: {} s with nothing to do)\n\n",
             asked.quiet.count());
  fmt::print("{:>5}  {:>18}  {:>18}  {:>14}  {:>14}  {:>18}\n", "nodes", "CPU s until whole",
             "CPU s/min quiet", "resident MiB", "peak MiB", "DNS queries/min");
  for (const auto& line : costs) fmt::print("{}\n", line);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "bench_formation: " << e.what() << '\n';
  return 1;
}
