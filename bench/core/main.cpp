// What the core of membership costs by itself: steps, facts, allocations and CPU of a quiet minute, a silent
// cut and its repair, half of the nodes gone and back, at once or a few at a time, and of a mesh that forms;
// each in played time, so that all but the CPU is the same in every run.
//
//   bench_core [SIZE] [REST_MS] [PART]
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "bench/core/played_cluster.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::membership::snapshot;

bool whole(const snapshot& now, std::size_t size) {
  return now.up == size && now.partitions.size() == 1 && now.links_missing == 0;
}
bool open(const snapshot& now, std::size_t) {
  return std::ranges::any_of(*now.incidents, [](const auto& i) { return !i.closed_at; });
}
bool none_open(const snapshot& now, std::size_t size) {
  return !open(now, size);
}
bool half(const snapshot& now, std::size_t size) {
  return now.up <= size - size / 2;
}

void row(std::string_view what, milliseconds took, played_cluster& core) {
  const auto s = core.take();
  fmt::print(
      "{:<34}{:>8.2f} s{:>7} steps{:>9} facts{:>9} actions ({} views, {} probes, {} paths, {} connects)"
      "{:>11} allocations{:>10.1f} ms CPU, worst step {:.1f} ms, {:.1f} of one in one piece\n",
      what, static_cast<double>(took.count()) / 1e3, s.steps, s.facts, s.actions, s.views_asked,
      s.probes_asked, s.paths_asked, s.connects_asked, s.allocations, s.cpu_ms, s.worst_step_ms,
      s.worst_piece_ms);
  std::fflush(stdout);
}

// Those that are back have linked with each other before the next ones come; where answers take long, as on a
// busy machine, some of them have.
void come_back_a_few_at_a_time(played_cluster& core, mesh::index first, milliseconds answer_time,
                               milliseconds apart = milliseconds(60)) {
  constexpr mesh::index few = 10;
  const auto last = static_cast<mesh::index>(core.size());
  core.answer_within(answer_time);
  for (auto next = first; next < last; next += few) {
    for (auto node = next; node < std::min(last, next + few); ++node) core.start(node);
    core.pass(apart);
  }
}

void half_gone(played_cluster& core) {
  const auto last = static_cast<mesh::index>(core.size());
  for (auto node = last - last / 2; node < last; ++node) core.stop(node);
  row("half gone, until seen", core.until(milliseconds(60'000), half), core);
  core.pass(milliseconds(20'000));
  row("  20 s of it", milliseconds(20'000), core);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t size = argc > 1 ? std::stoul(argv[1]) : 1'000;
  const milliseconds rest(argc > 2 ? std::stoi(argv[2]) : 20);
  const std::string part = argc > 3 ? argv[3] : "all";
  const auto wanted = [&](std::string_view which) { return part == "all" || part == which; };
  if (part != "formation") {
    played_cluster core(size, true, rest);
    row("start to whole", core.until(milliseconds(60'000), whole), core);
    core.pass(milliseconds(30'000));
    core.take();
    core.pass(milliseconds(60'000));
    row("a quiet minute", milliseconds(60'000), core);
    if (wanted("cut")) {
      core.nodes().cut(static_cast<mesh::index>(size / 2));
      row("silent halves to incident", core.until(milliseconds(60'000), open), core);
      core.pass(milliseconds(15'000));
      row("  15 s of it", milliseconds(15'000), core);
      core.nodes().repair();
      row("repair to closed incident", core.until(milliseconds(120'000), none_open), core);
      row("  and whole", core.until(milliseconds(60'000), whole), core);
    }
    const auto first_gone = static_cast<mesh::index>(size - size / 2);
    if (wanted("half")) {
      half_gone(core);
      for (auto node = first_gone; node < core.size(); ++node) core.start(node);
      row("back to whole", core.until(milliseconds(180'000), whole), core);
    }
    if (wanted("turn")) {
      half_gone(core);
      core.read_in_turn(true);
      for (auto node = first_gone; node < core.size(); ++node) core.start(node);
      row("back, read in turn, to whole", core.until(milliseconds(60'000), whole), core);
      core.read_in_turn(false);
      core.pass(milliseconds(60'000));
      core.take();
      half_gone(core);
      core.read_in_turn(true);
      come_back_a_few_at_a_time(core, first_gone, milliseconds(1), milliseconds(40));
      row("back within 2 s, read in turn", milliseconds(40) * ((size / 2 + 9) / 10), core);
      row("  then to whole", core.until(milliseconds(60'000), whole), core);
      core.read_in_turn(false);
    }
    for (const auto answer_time : {milliseconds(1), milliseconds(500)}) {
      if (!wanted(answer_time > milliseconds(1) ? "late" : "few")) continue;
      half_gone(core);
      come_back_a_few_at_a_time(core, first_gone, answer_time);
      row("back, a few at a time", milliseconds(60) * ((size / 2 + 9) / 10), core);
      row("  then to whole", core.until(milliseconds(60'000), whole), core);
      core.answer_within(milliseconds(1));
    }
  }
  if (wanted("formation")) {
    played_cluster core(size, false, rest);
    row("formation of unlinked nodes", core.until(milliseconds(180'000), whole), core);
  }
  return 0;
}
