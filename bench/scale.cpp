// What watching a large cluster costs, and how soon what happens in it is told: Rollcall before a fleet of
// played nodes, with a hidden Erlang node beside it that watches the same nodes and asks them the same
// questions.
//
//   bench_scale [--sizes 100,300,1000] [--quiet-seconds 60] [--interval 5] [--parts
//   quiet,answers,lists,cut,half,formation]
//               [--beside erlang|watchers|plain|nobody] [--tls off|both]
//
// `--beside watchers`: the Erlang node, too, asks its watchers instead of making calls.
// `--beside plain`: by calls, and each node whether it is alive in each round, where the others ask as rarely
// as Rollcall does, which takes answers to probes for signs of life.
// `--tls both`: each size plain, and then over TLS, beside nobody; of both only `quiet`.
//
// Needs root: it makes a network namespace of its own, in which the fleet has its addresses and its port
// mapper. Times of events depend on what else the machine does; its load is printed with them. CPU is user
// and system time.
#include <sched.h>

#include <cmath>
#include <cstdlib>
#include <iostream>

#include "bench/scale.hpp"
#include "test/support/wait.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::test::eventually;
using rollcall::test::rollcall_program;

struct wishes {
  std::vector<std::size_t> sizes{100, 300, 1000};
  std::vector<std::string> parts{"quiet", "answers", "lists", "cut", "half", "formation"};
  std::chrono::seconds quiet{60}, interval{5};
  bool beside = true, tls = false;
  asked_by how = asked_by::calls;

  bool has(std::string_view part) const { return std::ranges::find(parts, part) != parts.end(); }
};

constexpr auto own_name = "rollcall@127.0.0.1";

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double load() {
  double one = 0;
  getloadavg(&one, 1);
  return one;
}

template <class... Values>
void row(std::string_view what, fmt::format_string<Values...> text, Values&&... values) {
  fmt::print("  {:<44}{}\n", what, fmt::format(text, std::forward<Values>(values)...));
  std::fflush(stdout);
}

rollcall_program observe(const fleet_program& fleet, const turn_clock& turns, std::chrono::seconds interval,
                         const tls_files* tls = nullptr) {
  std::vector<std::string> arguments{"--epmd", "register"};
  for (const auto& name : fleet.names()) arguments.insert(arguments.end(), {"--node", name});
  if (tls != nullptr) std::ranges::copy(tls->for_rollcall(), std::back_inserter(arguments));
  return rollcall_program({.arguments = std::move(arguments),
                           .environment = turns.environment(),
                           .network_namespace = {},
                           .name = own_name,
                           .interval = fmt::format("{}s", interval.count())});
}

boost::json::value status(const rollcall_program& program) {
  const auto answer = rollcall::test::http_get("127.0.0.1", program.http_port(), "/api/v1/status", {},
                                               std::chrono::seconds(60));
  return boost::json::parse(answer.body);
}

// Seconds until `condition` holds of the status; absent after `limit`.
std::optional<double> until(const rollcall_program& program, std::chrono::seconds limit, auto condition) {
  const auto begun = now_s();
  while (now_s() - begun < static_cast<double>(limit.count())) {
    if (condition(status(program))) return now_s() - begun;
    std::this_thread::sleep_for(20ms);
  }
  return {};
}

std::size_t count(const boost::json::value& of, std::string_view key) {
  return of.at(key).to_number<std::size_t>();
}

bool whole(const boost::json::value& now, std::size_t size) {
  return count(now, "up") == size && count(now, "partitions") == 1 && count(now, "links_missing") == 0;
}

std::string seconds(std::optional<double> value) {
  return value ? fmt::format("{:.2f} s", *value) : std::string("not within the limit");
}

// What requests had to wait, with the machine's part in it; and what they would have waited without it.
void health(std::string_view what, health_clock& clock, turn_clock& turns) {
  const auto seen = clock.take();
  const auto took = turns.take();
  row(fmt::format("/healthz, {}", what),
      "p50 {:.1f} ms, p99 {:.1f}, worst {:.1f} (of {}; {} unanswered; load {:.1f})", seen.median, seen.late,
      seen.worst, seen.asked, seen.unanswered, load());
  row("  turns of the loop, CPU", "longest {:.1f} ms, three in a row {:.1f}; {} of {} above 20 ms; {:.2f} s",
      took.longest_ms, took.longest_three_ms, took.above_20_ms, took.turns, took.spent_s);
}

double mib(std::size_t kib) {
  return static_cast<double>(kib) / 1024;
}

void quiet(fleet_program& fleet, pid_t id, erlang_observer* beside, const wishes& wanted, health_clock& clock,
           turn_clock& turns) {
  const auto minute = 60.0 / static_cast<double>(wanted.quiet.count());
  clock.rest(true);
  if (beside == nullptr) {
    std::this_thread::sleep_for(wanted.interval * 6);  // what is asked once of each node has been asked
  } else {
    beside->wait_until_watching();
    // The rates are learned from Rollcall's own questions of a few rounds.
    const auto before = fleet.with(own_name);
    const auto span = wanted.interval * 6;
    std::this_thread::sleep_for(span);
    auto rates = fleet.with(own_name).since(before);
    for (auto& [what, times] : rates.asked) times *= 60.0 / static_cast<double>(span.count());
    beside->ask_like(rates, wanted.interval, wanted.how);
    std::this_thread::sleep_for(2 * wanted.interval);
  }
  const auto ours = fleet.with(own_name);
  const auto theirs = beside != nullptr ? fleet.with(beside->name()) : passed{};
  const auto cpu = cpu_seconds(id), their_cpu = beside != nullptr ? cpu_seconds(beside->id()) : 0;
  std::this_thread::sleep_for(wanted.quiet);
  const auto spent = (cpu_seconds(id) - cpu) * minute;
  const auto nodes = static_cast<double>(fleet.size());
  const auto our = fleet.with(own_name).since(ours);
  row("resident at rest, at its highest", "{:.1f} MiB, {:.1f}", mib(status_kib(id, "VmRSS")),
      mib(status_kib(id, "VmHWM")));
  row("CPU in quiet", "{:.2f} s a minute (load {:.1f})", spent, load());
  row("messages and bytes, each node a minute", "{:.1f}, {:.0f}", our.frames * minute / nodes,
      our.bytes * minute / nodes);
  std::string asked;
  for (const auto& [what, times] : our.asked)
    asked += fmt::format("{}{} {:.2f}", asked.empty() ? "" : ", ", what, times * minute / nodes);
  row("  of these, asked", "{}", asked);
  if (beside != nullptr) {
    const auto their_spent = (cpu_seconds(beside->id()) - their_cpu) * minute;
    const auto their = fleet.with(beside->name()).since(theirs);
    const auto rss = status_kib(beside->id(), "VmRSS");
    row("the Erlang node: resident, at its highest", "{:.1f} MiB, {:.1f}", mib(rss),
        mib(status_kib(beside->id(), "VmHWM")));
    row("the Erlang node: CPU in quiet", "{:.2f} s a minute; messages {:.1f}, bytes {:.0f}", their_spent,
        their.frames * minute / nodes, their.bytes * minute / nodes);
    row("Rollcall to the Erlang node", "memory {:.2f}, CPU {:.2f}",
        static_cast<double>(status_kib(id, "VmRSS")) / static_cast<double>(rss), spent / their_spent);
  }
  clock.rest(false);
  clock.take();
  turns.take();
  std::this_thread::sleep_for(3 * wanted.interval);
  health("in quiet", clock, turns);
}

void answers(const rollcall_program& program, pid_t id, health_clock& clock, turn_clock& turns) {
  for (const std::string path : {"/metrics", "/api/v1/members", "/api/v1/links"}) {
    clock.take();
    turns.take();
    std::vector<double> took;
    std::size_t size = 0;
    const auto cpu = cpu_seconds(id);
    constexpr int times = 10;
    for (int i = 0; i < times; ++i) {
      const auto begun = now_s();
      size = rollcall::test::http_get("127.0.0.1", program.http_port(), path, {}, std::chrono::seconds(60))
                 .body.size();
      took.push_back((now_s() - begun) * 1e3);
    }
    row(path, "{} bytes, {}, CPU {:.1f} ms each", size, cell(took, "ms", 1),
        (cpu_seconds(id) - cpu) * 1e3 / times);
    health("meanwhile", clock, turns);
  }
  row("resident afterwards, at its highest", "{:.1f} MiB, {:.1f}", mib(status_kib(id, "VmRSS")),
      mib(status_kib(id, "VmHWM")));
}

// How long calls of version/0 take over a link of its own, which wait as a tick of it does; and how late the
// node that makes them is by itself, which is the machine's part of it.
constexpr auto other_calls = R"(
  Call = fun(F) -> rpc:call('rollcall@127.0.0.1', rollcall, F, []) end,
  true = is_binary(Call(version)), Self = self(),
  Beside = spawn_link(fun() ->
    (fun Loop(All, Late) ->
      {Took, _} = timer:tc(fun() -> Call(version) end),
      From = erlang:monotonic_time(microsecond),
      receive over -> Self ! {waited, lists:sort([Took | All]), lists:sort(Late)}
      after 20 -> Loop([Took | All], [erlang:monotonic_time(microsecond) - From - 20000 | Late]) end
    end)([], [0]) end),
  register(asker, Beside), ok)";
constexpr auto what_others_waited = R"erl(
  asker ! over,
  receive {waited, Calls, Late} ->
    At = fun(All, Part) -> lists:nth(max(1, ceil(length(All) * Part)), All) / 1000 end,
    {'$text', io_lib:format(
      "p50 ~.1f ms, p99 ~.1f, worst ~.1f (of ~b; its own timers late: p99 ~.1f, worst ~.1f)",
      [At(Calls, 0.5), At(Calls, 0.99), At(Calls, 1), length(Calls), At(Late, 0.99), At(Late, 1)])}
  end)erl";

// links/0 by a node and /api/v1/links by HTTP, one after the other on each side, both at once.
void lists(const rollcall_program& program, pid_t id, health_clock& clock, turn_clock& turns) {
  rollcall::test::beam reader({.name = "reader@127.0.0.1", .network_namespace = {}, .hidden = true}),
      beside({.name = "beside@127.0.0.1", .network_namespace = {}, .hidden = true});
  const auto pairs = reader.eval("length(rpc:call('rollcall@127.0.0.1', rollcall, links, []))", 120s);
  if (const auto asks = beside.eval(other_calls); asks != "ok") throw std::runtime_error(asks);
  clock.take();
  turns.take();
  const auto cpu = cpu_seconds(id);
  std::size_t size = 0, answered = 0;
  std::jthread http([&](const std::stop_token& over) {
    while (!over.stop_requested()) {
      const auto all = rollcall::test::http_get("127.0.0.1", program.http_port(), "/api/v1/links", {}, 60s);
      size = all.body.size();
      ++answered;
    }
  });
  constexpr int times = 10;
  const auto took =
      reader.eval(fmt::format("{{'$text', io_lib:format(\"~w\", [[element(1, timer:tc(fun() -> {} = "
                              "length(rpc:call('rollcall@127.0.0.1', rollcall, links, "
                              "[])) end)) div 1000 || _ <- lists:seq(1, {})]])}}",
                              pairs, times),
                  300s);
  http.request_stop();
  http.join();
  row("links/0", "{} pairs, ms each: {}", pairs, took);
  row("/api/v1/links meanwhile", "{} times, {} bytes; CPU {:.2f} s in all", answered, size,
      cpu_seconds(id) - cpu);
  health("meanwhile", clock, turns);
  row("calls over another link meanwhile", "{}", beside.eval(what_others_waited));
  row("resident afterwards, at its highest", "{:.1f} MiB, {:.1f}", mib(status_kib(id, "VmRSS")),
      mib(status_kib(id, "VmHWM")));
}

void cut(fleet_program& fleet, const rollcall_program& program, health_clock& clock, turn_clock& turns) {
  clock.take();
  turns.take();
  const auto open = [&] {
    const auto all = program.json("/api/v1/netsplits").as_array();
    return !all.empty() && all[0].at("closed_at").is_null();
  };
  fleet.tell(fmt::format("cut {}", fleet.size() / 2));
  row("silent halves to incident", "{}", seconds(until(program, 60s, [&](const auto&) { return open(); })));
  std::this_thread::sleep_for(15s);
  health("during the cut", clock, turns);
  fleet.tell("repair");
  const auto over = until(program, 120s, [&](const auto&) { return !open(); });
  row("repair to closed incident", "{}", seconds(over));
  row("whole again", "{}",
      seconds(until(program, 60s, [&](const auto& now) { return whole(now, fleet.size()); })));
  health("during the repair", clock, turns);
}

void half(fleet_program& fleet, const rollcall_program& program, pid_t id, health_clock& clock,
          turn_clock& turns) {
  clock.take();
  turns.take();
  const auto size = fleet.size(), gone = size / 2;
  auto cpu = cpu_seconds(id);
  fleet.tell(fmt::format("stop {}", gone));
  row("half of the nodes gone, until it is seen", "{}",
      seconds(until(program, 60s, [&](const auto& now) { return count(now, "up") <= size - gone; })));
  std::this_thread::sleep_for(20s);
  health("after half has gone", clock, turns);
  row("CPU since", "{:.2f} s", cpu_seconds(id) - cpu);
  cpu = cpu_seconds(id);
  fleet.tell(fmt::format("start {}", gone));
  row("back, until all are up", "{}",
      seconds(until(program, 120s, [&](const auto& now) { return count(now, "up") == size; })));
  row("  and whole", "{} more",
      seconds(until(program, 180s, [&](const auto& now) { return whole(now, size); })));
  health("while half comes back", clock, turns);
  row("CPU since", "{:.2f} s", cpu_seconds(id) - cpu);
  row("resident, at its highest", "{:.1f} MiB, {:.1f}", mib(status_kib(id, "VmRSS")),
      mib(status_kib(id, "VmHWM")));
}

void formation(std::size_t size, const wishes& wanted) {
  fleet_program fleet(size, false);
  turn_clock turns;
  auto program = observe(fleet, turns, wanted.interval);
  const auto id = program.running_process().id();
  health_clock clock(program);
  const auto up = until(program, 120s, [&](const auto& now) { return count(now, "up") == size; });
  const auto joined = until(program, 300s, [&](const auto& now) { return whole(now, size); });
  row("nodes without links: start to all up", "{}", seconds(up));
  row("  and whole", "{} more, CPU {:.2f} s, highest {:.1f} MiB", seconds(joined), cpu_seconds(id),
      mib(status_kib(id, "VmHWM")));
  health("meanwhile", clock, turns);
}

// What the links cost: at the start, when they are made, and while they are only there.
struct links_cost {
  double start_s, minute_s, resident_mib;
};

links_cost over(std::size_t size, const wishes& wanted, const tls_files* tls) {
  fleet_program fleet(size, true, tls);
  turn_clock turns;
  auto program = observe(fleet, turns, wanted.interval, tls);
  const auto id = program.running_process().id();
  const auto up = until(program, 120s, [&](const auto& now) { return whole(now, size); });
  links_cost cost{.start_s = cpu_seconds(id), .minute_s = 0, .resident_mib = 0};
  row("start to all up", "{} (load {:.1f}), CPU {:.2f} s", seconds(up), load(), cost.start_s);
  std::this_thread::sleep_for(wanted.interval * 6);  // what is asked once of each node has been asked
  const auto cpu = cpu_seconds(id);
  std::this_thread::sleep_for(wanted.quiet);
  cost.minute_s = (cpu_seconds(id) - cpu) * 60 / static_cast<double>(wanted.quiet.count());
  cost.resident_mib = mib(status_kib(id, "VmRSS"));
  row("resident at rest, at its highest", "{:.1f} MiB, {:.1f}", cost.resident_mib,
      mib(status_kib(id, "VmHWM")));
  row("CPU in quiet", "{:.2f} s a minute (load {:.1f})", cost.minute_s, load());
  return cost;
}

void measure_tls(std::size_t size, const wishes& wanted) {
  fmt::print("{} nodes, plain\n\n", size);
  const auto plain = over(size, wanted, nullptr);
  fmt::print("\n{} nodes, TLS\n\n", size);
  const tls_files files(size);
  const auto secured = over(size, wanted, &files);
  const auto links = static_cast<double>(size);
  row("TLS, each link", "{:.0f} KiB and {:.2f} ms of CPU to make it more",
      (secured.resident_mib - plain.resident_mib) * 1024 / links,
      (secured.start_s - plain.start_s) * 1e3 / links);
  row("TLS to plain", "memory {:.2f}, CPU in quiet {:.2f}\n", secured.resident_mib / plain.resident_mib,
      secured.minute_s / plain.minute_s);
}

void measure(std::size_t size, const wishes& wanted) {
  fmt::print("{} nodes\n\n", size);
  if (wanted.parts != std::vector<std::string>{"formation"}) {
    fleet_program fleet(size, true);
    const auto begun = now_s();
    turn_clock turns;
    auto program = observe(fleet, turns, wanted.interval);
    const auto id = program.running_process().id();
    const auto up = until(program, 120s, [&](const auto& now) { return whole(now, size); });
    const auto linked_at = std::chrono::steady_clock::now();
    row("start to all up", "{} (load {:.1f}), CPU {:.2f} s",
        seconds(up ? std::optional(now_s() - begun) : up), load(), cpu_seconds(id));
    health_clock clock(program);
    std::optional<erlang_observer> beside;
    if (wanted.beside && wanted.has("quiet")) beside.emplace(fleet);
    if (wanted.has("quiet")) quiet(fleet, id, beside ? &*beside : nullptr, wanted, clock, turns);
    beside.reset();
    if (wanted.has("answers")) answers(program, id, clock, turns);
    if (wanted.has("lists")) lists(program, id, clock, turns);
    if (wanted.has("cut")) cut(fleet, program, clock, turns);
    if (wanted.has("half")) {
      // A link that did not last an interval is not dialled again soon, and who goes has been there for
      // longer.
      std::this_thread::sleep_until(linked_at + wanted.interval);
      half(fleet, program, id, clock, turns);
    }
  }
  if (wanted.has("formation")) formation(size, wanted);
  fmt::print("\n");
}

wishes parse(int argc, char** argv) {
  wishes result;
  const auto list = [](const std::string& text, auto take) {
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) take(part);
  };
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--sizes") {
      result.sizes.clear();
      list(value, [&](const std::string& part) { result.sizes.push_back(std::stoul(part)); });
    } else if (name == "--parts") {
      result.parts.clear();
      list(value, [&](const std::string& part) { result.parts.push_back(part); });
    } else if (name == "--quiet-seconds") {
      result.quiet = std::chrono::seconds(std::stoi(value));
    } else if (name == "--interval") {
      result.interval = std::chrono::seconds(std::stoi(value));
    } else if (name == "--beside") {
      static const std::map<std::string, asked_by> ways{
          {"erlang", asked_by::calls}, {"watchers", asked_by::watchers}, {"plain", asked_by::plainly}};
      result.beside = value != "nobody";
      if (result.beside && !ways.contains(value)) throw std::runtime_error("--beside: no " + value);
      if (result.beside) result.how = ways.at(value);
    } else if (name == "--tls") {
      result.tls = value == "both";
    } else {
      throw std::runtime_error("unknown flag " + name);
    }
  }
  if (argc % 2 == 0) throw std::runtime_error("every flag has a value");
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto wanted = parse(argc, argv);
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("a network namespace needs root");
  rollcall::test::run_or_throw({"ip", "link", "set", "lo", "up"});
  for (const auto size : wanted.sizes) {
    if (wanted.tls) {
      measure_tls(size, wanted);
    } else {
      measure(size, wanted);
    }
  }
  return 0;
} catch (const std::exception& failure) {
  std::cerr << "bench_scale: " << failure.what() << '\n';
  return 1;
}
