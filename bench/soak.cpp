// Whether anything grows: Rollcall before a fleet of played nodes and one real one, under churn, cuts and
// clients, for hours. A line every minute: resident memory, what malloc has given out, how much of that is
// the day that is kept by design (its marks and frames, and the incidents), the rest, descriptors, and the
// atoms on the real node.
//
//   bench_soak HOURS [--size 100]
//
// Needs root, as bench_scale does, and twenty minutes or more, an hour with 100 nodes to be exact: until its
// middle what has a bound fills. Ends with 1 when the rest, descriptors or atoms have grown from the middle
// of the time to its end, or when calls, links or requests leave bytes behind: then thousands of each are
// made by somebody who is no member, of which nothing is kept.
#include <sched.h>

#include <bit>
#include <filesystem>
#include <functional>
#include <iostream>
#include <ranges>
#include <span>

#include "bench/scale.hpp"
#include "membership/history.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::membership::history;
using rollcall::test::beam;
using rollcall::test::rollcall_program;

struct sample {
  double resident_kib = 0, in_use_kib = 0, kept_kib = 0, descriptors = 0, atoms = 0;
  double rest_kib() const { return in_use_kib - kept_kib; }
};

double descriptors_of(pid_t id) {
  double count = 0;
  for ([[maybe_unused]] const auto& each :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", id))) {
    ++count;
  }
  return count;
}

// What the history takes, from what it shows. A frame that is gone since was asked for once.
class kept_by_design {
 public:
  double kib(const rollcall_program& program) {
    const auto day = program.json("/api/v1/history");
    std::size_t bytes = 0;
    for (const auto& mark : day.at("marks").as_array())
      bytes += sizeof(history::mark) + mark.at("text").as_string().size();
    for (const auto& frame : day.at("frames").as_array()) {
      const auto at = frame.to_number<std::int64_t>();
      if (!frames_.contains(at)) frames_[at] = frame_bytes(program, at);
      bytes += frames_[at];
    }
    // An incident takes about as much as its text.
    bytes += program.get("/api/v1/netsplits").body.size();
    return static_cast<double>(bytes) / 1024;
  }

 private:
  static std::size_t frame_bytes(const rollcall_program& program, std::int64_t at) {
    const auto shown = program.json(fmt::format("/api/v1/history/{}", at));
    // Both lists have grown by doubling.
    const auto room = [&](std::string_view list) { return std::bit_ceil(shown.at(list).as_array().size()); };
    return sizeof(history::frame) + room("members") * sizeof(history::place) +
           (shown.at("pairs").as_array().empty() ? 0 : room("pairs") * sizeof(history::broken_pair));
  }
  std::map<std::int64_t, std::size_t> frames_;  // by their beginning
};

double number_of_atoms(beam& node) {
  return number(node.eval("erlang:system_info(atom_count)."));
}

// The least of some moments: what answers and steps hold for a moment is none of it.
double in_use_kib(const rollcall_program& program, turn_clock& turns) {
  double least = 0;
  for (int i = 0; i < 10; ++i) {
    const auto now = static_cast<double>(turns.bytes_in_use(program)) / 1024;
    least = i == 0 ? now : std::min(least, now);
    std::this_thread::sleep_for(100ms);
  }
  return least;
}

// The same once it falls no more: idle connections and what a burst took are given back after a while.
double settled_kib(const rollcall_program& program, turn_clock& turns) {
  auto before = in_use_kib(program, turns);
  for (int looks = 0; looks < 12; ++looks) {
    std::this_thread::sleep_for(5s);
    const auto now = in_use_kib(program, turns);
    if (now >= before) break;
    before = now;
  }
  return before;
}

// One minute of it: some nodes restart, halves are cut and joined, clients come, ask and go.
void trouble(fleet_program& fleet, const rollcall_program& program, int minute) {
  const auto some = std::max<std::size_t>(1, fleet.size() / 10);
  fleet.tell(fmt::format("stop {}", some));
  std::this_thread::sleep_for(5s);
  fleet.tell(fmt::format("start {}", some));
  for (int i = 0; i < 20; ++i) {
    for (const std::string path : {"/metrics", "/api/v1/links", "/api/v1/members", "/"}) program.get(path);
  }
  std::this_thread::sleep_for(10s);
  if (minute % 2 == 0) fleet.tell(fmt::format("cut {}", fleet.size() / 3));
  std::this_thread::sleep_for(20s);
  fleet.tell("repair");
  std::this_thread::sleep_for(25s);
}

// The least of the tenth behind the middle, and of the last. By the middle what has a bound is full, but for
// what is counted as kept.
bool grew(std::string_view what, const std::vector<sample>& all, double allowed,
          const std::function<double(const sample&)>& of) {
  const auto tenth = std::max<std::size_t>(1, all.size() / 10);
  const auto least = [&](std::size_t from) {
    return std::ranges::min(std::span(all).subspan(from, tenth) | std::views::transform(of));
  };
  const auto before = least((all.size() - tenth) / 2), after = least(all.size() - tenth);
  const bool too_much = after > before + allowed;
  fmt::print("{}: {:.0f} in the middle, {:.0f} at the end, {:.0f} more allowed{}\n", what, before, after,
             allowed, too_much ? ": GREW" : "");
  return too_much;
}

// Whether `times` of them leave something behind, of which less than an allocation each is no leak.
bool leaves(std::string_view what, int times, const rollcall_program& program, turn_clock& turns,
            const std::function<void()>& made) {
  constexpr double allowed = 8;
  made();  // what is made once, or kept of the last ones, is there after these
  const auto before = settled_kib(program, turns);
  made();
  const auto each = (settled_kib(program, turns) - before) * 1024 / times;
  fmt::print("{} {} leave {:.1f} bytes each{}\n", times, what, each, each > allowed ? ": LEAK" : "");
  std::fflush(stdout);
  return each > allowed;
}

bool anything_leaks(const rollcall_program& program, turn_clock& turns) {
  beam guest({.name = "guest@127.0.0.1", .network_namespace = {}, .hidden = true});
  const auto make = [&](int times, const std::string& one) {
    const auto done = guest.eval(
        fmt::format("R = 'rollcall@127.0.0.1', lists:foreach(fun(_) -> {} end, lists:seq(1, {})), done.", one,
                    times),
        300s);
    if (done != "done") throw std::runtime_error(done);
  };
  constexpr int calls = 20'000, links = 5'000, requests = 5'000;
  bool any = leaves("calls", calls, program, turns,
                    [&] { make(calls, "true = is_binary(rpc:call(R, rollcall, version, []))"); });
  any |= leaves("links", links, program, turns, [&] {
    make(links, "true = is_binary(rpc:call(R, rollcall, version, [])), true = erlang:disconnect_node(R)");
  });
  any |= leaves("requests", requests, program, turns, [&] {
    for (int i = 0; i < requests; ++i) program.get("/api/v1/status");
  });
  return any;
}

// The last 256 who were let in are remembered with the numbers of both sides, which nothing shows from
// outside: what they take is allowed until they are full, one for each restart.
double allowed_kib(std::size_t size, int minutes) {
  constexpr double noise = 64, remembered = 256, one = 100;
  const auto by_the_middle = static_cast<double>(size / 10) * minutes / 2;
  const auto of_admissions = remembered * (one + 4.0 * static_cast<double>(size)) / 1024;
  return noise + (by_the_middle < remembered ? of_admissions : 0);
}

int soak(double hours, std::size_t size) {
  fleet_program fleet(size, true);
  turn_clock turns;
  beam real({.name = "real@127.0.0.1", .network_namespace = {}});
  std::vector<std::string> arguments{"--epmd", "register", "--node", real.name()};
  for (const auto& name : fleet.names()) arguments.insert(arguments.end(), {"--node", name});
  rollcall_program program({.arguments = std::move(arguments),
                            .environment = turns.environment(),
                            .network_namespace = {},
                            .name = "rollcall@127.0.0.1",
                            .interval = "5s"});
  const auto id = program.running_process().id();
  const auto minutes = std::max(2, static_cast<int>(hours * 60));
  kept_by_design kept;
  std::vector<sample> all;
  for (int minute = 1; minute <= minutes; ++minute) {
    trouble(fleet, program, minute);
    const auto& now =
        all.emplace_back(sample{static_cast<double>(status_kib(id, "VmRSS")), in_use_kib(program, turns),
                                kept.kib(program), descriptors_of(id), number_of_atoms(real)});
    fmt::print(
        "{:>5} min  {:>6.0f} KiB resident  {:>6.0f} in use, {:>5.0f} of it kept, {:>6.0f} the rest  {:>4} "
        "descriptors  {:>6} atoms on the real node\n",
        minute, now.resident_kib, now.in_use_kib, now.kept_kib, now.rest_kib(), now.descriptors, now.atoms);
    std::fflush(stdout);
  }
  bool bad =
      grew("the rest, KiB", all, allowed_kib(size, minutes), [](const sample& s) { return s.rest_kib(); });
  bad |= grew("descriptors", all, 4, [](const sample& s) { return s.descriptors; });
  bad |= grew("atoms", all, 100, [](const sample& s) { return s.atoms; });
  bad |= anything_leaks(program, turns);
  return bad ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2 && argc != 4) throw std::runtime_error("usage: bench_soak HOURS [--size 100]");
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("a network namespace needs root");
  rollcall::test::run_or_throw({"ip", "link", "set", "lo", "up"});
  return soak(std::stod(argv[1]), argc == 4 ? std::stoul(argv[3]) : 100);
} catch (const std::exception& failure) {
  std::cerr << "bench_soak: " << failure.what() << '\n';
  return 1;
}
