// Whether anything grows: Rollcall before a fleet of played nodes and one real one, under churn, cuts and
// clients, for hours. A line every minute: resident memory, descriptors, links, and the atoms on the real
// node. What was there after the first tenth of the time is compared with the end.
//
//   bench_soak HOURS [--size 100]
//
// Needs root, as bench_scale does. Ends with 1 when memory, descriptors or atoms have grown by more than a
// tenth.
#include <sched.h>

#include <filesystem>
#include <iostream>

#include "bench/scale.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::test::beam;

struct sample {
  double resident_mib = 0;
  std::size_t descriptors = 0, atoms = 0;
};

std::size_t descriptors_of(pid_t id) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", id))) {
    ++count;
  }
  return count;
}

sample look(pid_t id, beam& real) {
  return {static_cast<double>(status_kib(id, "VmRSS")) / 1024, descriptors_of(id),
          static_cast<std::size_t>(number(real.eval("erlang:system_info(atom_count).")))};
}

// One minute of it: some nodes restart, halves are cut and joined, clients come, ask and go.
void trouble(fleet_program& fleet, const rollcall::test::rollcall_program& program, int minute) {
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

bool grew(std::string_view what, double before, double after) {
  const bool too_much = after > before * 1.1;
  fmt::print("{}: {:.1f} after the first tenth, {:.1f} at the end{}\n", what, before, after,
             too_much ? ": GREW" : "");
  return too_much;
}

int soak(double hours, std::size_t size) {
  fleet_program fleet(size, true);
  beam real({.name = "real@127.0.0.1", .network_namespace = {}});
  std::vector<std::string> arguments{"--epmd", "none", "--node", real.name()};
  for (const auto& name : fleet.names()) arguments.insert(arguments.end(), {"--node", name});
  rollcall::test::rollcall_program program({.arguments = std::move(arguments),
                                            .environment = {},
                                            .network_namespace = {},
                                            .name = "rollcall@127.0.0.1",
                                            .interval = "5s"});
  const auto id = program.running_process().id();
  const auto minutes = std::max(2, static_cast<int>(hours * 60));
  sample early;
  for (int minute = 1; minute <= minutes; ++minute) {
    trouble(fleet, program, minute);
    const auto now = look(id, real);
    fmt::print("{:>5} min  {:>7.1f} MiB  {:>5} descriptors  {:>6} atoms on the real node\n", minute,
               now.resident_mib, now.descriptors, now.atoms);
    std::fflush(stdout);
    if (minute == std::max(1, minutes / 10)) early = now;
  }
  const auto last = look(id, real);
  const bool memory = grew("resident MiB", early.resident_mib, last.resident_mib);
  const bool descriptors =
      grew("descriptors", static_cast<double>(early.descriptors), static_cast<double>(last.descriptors));
  const bool atoms = grew("atoms", static_cast<double>(early.atoms), static_cast<double>(last.atoms));
  return memory || descriptors || atoms ? 1 : 0;
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
