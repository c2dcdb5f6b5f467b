// What a shell waits for: rpc:call(Node, rollcall, members, []) made by an Erlang node, beside the same call
// answered by another Erlang node whose function gives an equal list from a persistent term; rounds of the
// two take turns.
//
//   bench_rpc [--sizes 5,1000] [--callers 1,16] [--rounds 10] [--round-ms 1000]
#include <iostream>

#include "bench/measure.hpp"
#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::test::beam;

constexpr std::size_t real_nodes = 5;

// Sorting and counting come after a round's last call.
constexpr auto module = R"(
-module(bench_rpc).
-export([members/0, keep/1, round/4]).

members() -> persistent_term:get(members).
keep(Members) -> persistent_term:put(members, Members).

round(Node, Module, Callers, Ms) ->
    Self = self(),
    From = erlang:monotonic_time(microsecond),
    Until = From + Ms * 1000,
    Pids = [spawn_link(fun() -> Self ! {self(), call(Node, Module, Until, [])} end) || _ <- lists:seq(1, Callers)],
    Each = [receive {Pid, Taken} -> Taken end || Pid <- Pids],
    Spent = erlang:monotonic_time(microsecond) - From,
    All = lists:sort(lists:append(Each)),
    Count = length(All),
    At = fun(Part) -> lists:nth(max(1, ceil(Count * Part)), All) end,
    io_lib:format("~b ~b ~b ~b", [Count, Spent, At(0.5), At(0.99)]).

call(Node, Module, Until, Taken) ->
    From = erlang:monotonic_time(microsecond),
    Answer = rpc:call(Node, Module, members, []),
    To = erlang:monotonic_time(microsecond),
    true = is_list(Answer),
    if To < Until -> call(Node, Module, Until, [To - From | Taken]); true -> [To - From | Taken] end.
)";

struct measured {
  std::vector<double> calls, median_us, late_us, cpu_us, caller_us;  // a value for each round
};

measured& operator+=(measured& all, const std::array<double, 5>& round) {
  all.calls.push_back(round[0]);
  all.median_us.push_back(round[1]);
  all.late_us.push_back(round[2]);
  all.cpu_us.push_back(round[3]);
  all.caller_us.push_back(round[4]);
  return all;
}

std::array<double, 5> one_round(beam& caller, const std::string& node, const std::string& in, pid_t server,
                                int callers, int ms) {
  const auto cpu = cpu_seconds(server), caller_cpu = cpu_seconds(caller.id());
  std::istringstream said(
      caller.eval(fmt::format("{{'$text', bench_rpc:round('{}', {}, {}, {})}}", node, in, callers, ms),
                  std::chrono::seconds(120)));
  double count = 0, spent_us = 0, median_us = 0, late_us = 0;
  if (!(said >> count >> spent_us >> median_us >> late_us))
    throw std::runtime_error("no numbers: " + said.str());
  const auto each = [&](double seconds) { return seconds * 1e6 / count; };
  return {count / (spent_us / 1e6), median_us, late_us, each(cpu_seconds(server) - cpu),
          each(cpu_seconds(caller.id()) - caller_cpu)};
}

std::string spread(std::vector<double> values) {
  std::ranges::sort(values);
  return fmt::format("{:.0f} ({:.0f}..{:.0f})", median(values), values.front(), values.back());
}

void row(std::string_view what, const std::vector<double>& ours, const std::vector<double>& theirs) {
  fmt::print("  {:<28}{:>24}{:>24}{:>8.2f}\n", what, spread(ours), spread(theirs),
             median(ours) / median(theirs));
}

void at_size(std::size_t size, const std::vector<int>& callers, int rounds, int ms) {
  const auto real = std::min(size, real_nodes);
  std::vector<std::string> alive, listed;
  for (std::size_t i = 0; i < real; ++i) alive.push_back(fmt::format("app{}", i));
  for (auto i = real; i < size; ++i) listed.push_back(fmt::format("absent-member-number-{}@127.0.0.1", i));
  rollcall::test::loopback cluster(alive);
  std::vector<std::string> arguments;
  for (const auto& name : cluster.names()) listed.push_back(name);
  for (const auto& name : listed) arguments.insert(arguments.end(), {"--node", name});
  rollcall::test::rollcall_program program({.arguments = std::move(arguments),
                                            .environment = {},
                                            .epmd_port = cluster.mapper().port(),
                                            .network_namespace = {},
                                            .name = "rollcall@127.0.0.1",
                                            .interval = "5s"});
  const auto settled = [&] {
    return program.up() == real && program.json("/api/v1/members").as_array().size() == size;
  };
  if (!rollcall::test::eventually(settled, 120s, "every member is known"))
    throw std::runtime_error("no cluster");
  std::this_thread::sleep_for(12s);  // each absent one was dialled

  // As erl starts them when nobody says otherwise.
  auto& answering = cluster.add({.name = "answering@127.0.0.1", .environment = {{"ERL_FLAGS", ""}}});
  auto& caller = cluster.add({.name = "caller@127.0.0.1", .environment = {{"ERL_FLAGS", ""}}});
  rollcall::test::temporary_directory files;
  const auto source = files.write("bench_rpc.erl", module);
  for (auto* node : {&answering, &caller}) {
    const auto loaded =
        node->eval(fmt::format("{{ok, bench_rpc, Code}} = compile:file(\"{}\", [binary]), "
                               "code:load_binary(bench_rpc, \"bench_rpc\", Code)",
                               source));
    if (loaded != "{module,bench_rpc}") throw std::runtime_error(loaded);
  }
  const auto bytes = caller.eval(
      "Members = rpc:call('rollcall@127.0.0.1', rollcall, members, []), "
      "ok = rpc:call('answering@127.0.0.1', bench_rpc, keep, [Members]), "
      "Members = rpc:call('answering@127.0.0.1', bench_rpc, members, []), {length(Members), "
      "erlang:external_size(Members)}");

  fmt::print(
      "{} members, {} of them up and the others listed but absent; the answer is {{members, bytes}} = {}\n\n",
      size, real, bytes);
  fmt::print("  {:<28}{:>24}{:>24}{:>8}\n", "", "rollcall", "Erlang node", "ratio");
  for (const auto count : callers) {
    measured ours, theirs;
    const auto both = [&](int length) {
      return std::pair(
          one_round(caller, "rollcall@127.0.0.1", "rollcall", program.running_process().id(), count, length),
          one_round(caller, "answering@127.0.0.1", "bench_rpc", answering.id(), count, length));
    };
    both(300);  // links, code and caches are warm
    for (int i = 0; i < rounds; ++i) {
      const auto [a, b] = both(ms);
      ours += a;
      theirs += b;
    }
    fmt::print("  {} caller{}\n", count, count == 1 ? "" : "s at once");
    row("  calls a second", ours.calls, theirs.calls);
    row("  median, us", ours.median_us, theirs.median_us);
    row("  99th percentile, us", ours.late_us, theirs.late_us);
    row("  CPU of the answering, us", ours.cpu_us, theirs.cpu_us);
    row("  CPU of the calling, us", ours.caller_us, theirs.caller_us);
  }
  fmt::print("\n");
}

template <class Number>
std::vector<Number> list_of(const std::string& text) {
  std::vector<Number> result;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');)
    result.push_back(static_cast<Number>(std::stoul(part)));
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::size_t> sizes{5, 1000};
  std::vector<int> callers{1, 16};
  int rounds = 10, ms = 1000;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--sizes") {
      sizes = list_of<std::size_t>(value);
    } else if (name == "--callers") {
      callers = list_of<int>(value);
    } else if (name == "--rounds") {
      rounds = std::stoi(value);
    } else if (name == "--round-ms") {
      ms = std::stoi(value);
    } else {
      throw std::runtime_error("unknown flag " + name);
    }
  }
  if (argc % 2 == 0) throw std::runtime_error("every flag has a value");
  fmt::print(
      "rpc:call(Node, rollcall, members, []), {} rounds of {} ms each in turn: median of the rounds "
      "(lowest..highest)\n\n",
      rounds, ms);
  for (const auto size : sizes) at_size(size, callers, rounds, ms);
  return 0;
} catch (const std::exception& failure) {
  std::cerr << "bench_rpc: " << failure.what() << '\n';
  return 1;
}
