#include "test/simulation/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rollcall::simulation {

namespace {

constexpr std::size_t most_faults = 4, newcomers = 12;

std::size_t draw_size(dice& luck) {
  switch (luck.draw(40)) {
    case 0:
      return 30 + luck.draw(31);
    case 1:
    case 2:
    case 3:
    case 4:
      return 16 + luck.draw(15);
    default:
      return 2 + luck.draw(luck.one_in(2) ? 6 : 14);
  }
}

enum class flavour { benign, one_cut, mixture };

// Every pair of kinds in turn, so that a few thousand seeds have each of them several times.
std::pair<fault_kind, fault_kind> pair_of(std::uint64_t seed) {
  auto number = seed % (drawn_kind_count * (drawn_kind_count - 1) / 2);
  std::size_t a = 0;
  while (number >= drawn_kind_count - 1 - a) number -= drawn_kind_count - 1 - a++;
  return {static_cast<fault_kind>(a), static_cast<fault_kind>(a + 1 + number)};
}

// Each history has its own weights: some kinds are frequent in it and others do not occur. Half of the
// mixtures begin with the pair whose turn it is.
std::vector<fault_kind> draw_kinds(dice& luck, flavour how, std::size_t nodes, std::uint64_t seed) {
  std::array<std::uint64_t, drawn_kind_count> weights{};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < drawn_kind_count; ++i) {
    const auto kind = static_cast<fault_kind>(i);
    const auto& t = traits_of(kind);
    if (how == flavour::benign && !t.benign) continue;
    if (how == flavour::one_cut && !t.cuts) continue;
    // Three groups, a ring: of three nodes at least; of two there is nothing to choose between.
    if (nodes < 4 && (kind == fault_kind::three_way || kind == fault_kind::ring || kind == fault_kind::drain))
      continue;
    weights[i] = luck.one_in(2) ? 0 : std::uint64_t{1} << luck.draw(4);
    sum += weights[i];
  }
  std::vector<fault_kind> kinds;
  const auto count = how == flavour::one_cut ? 1 : 2 + luck.draw(most_faults - 1);
  if (how == flavour::mixture && luck.one_in(2)) {
    const auto [a, b] = pair_of(seed);
    kinds = {a, b};
  }
  while (kinds.size() < count && sum > 0) {
    auto ticket = luck.draw(sum);
    std::size_t i = 0;
    while (ticket >= weights[i]) ticket -= weights[i++];
    kinds.push_back(static_cast<fault_kind>(i));
  }
  if (kinds.empty()) kinds.push_back(fault_kind::newcomer);
  return kinds;
}

struct script {
  world_options options;
  std::vector<fault> faults;
  milliseconds quiet_from{0};
};

// In some where nodes are watched.
void trouble_a_watcher(script& s, std::uint64_t seed, milliseconds first, bool long_ticks) {
  dice luck(seed * 2'246'822'519U + 5);
  if (!s.options.observer.watch || !luck.one_in(4)) return;
  drawing from{luck, s.options.nodes, long_ticks, true};
  auto f = draw_fault(fault_kind::troubled_watcher, from, static_cast<fault_id>(s.faults.size() + 1));
  f.onset = first + luck.between(0, 25'000);
  s.quiet_from = std::max(s.quiet_from, f.last_end());
  s.faults.push_back(std::move(f));
}

// Beside whatever else there is.
void stall_the_observer(script& s, std::uint64_t seed, milliseconds first, bool long_ticks) {
  dice luck(seed * 3'266'489'917U + 7);
  if (!luck.one_in(8)) return;
  drawing from{luck, s.options.nodes, long_ticks, true};
  auto f = draw_fault(fault_kind::observer_stalled, from, static_cast<fault_id>(s.faults.size() + 1));
  f.onset = first + luck.between(0, 25'000);
  s.quiet_from = std::max(s.quiet_from, f.last_end());
  s.faults.push_back(std::move(f));
}

script draw(std::uint64_t seed, std::size_t nodes) {
  dice luck(seed * 2'654'435'761U + 17);
  script s;
  auto& o = s.options;
  o.seed = seed;
  o.nodes = nodes != 0 ? nodes : draw_size(luck);
  o.newcomers = newcomers;
  const bool long_ticks = luck.one_in(3);
  o.kernel.ticktime = milliseconds(long_ticks ? 60'000 : 8'000);
  o.observer.interval = milliseconds(luck.one_in(5) ? 2'000 : 5'000);
  o.observer.probe = true;
  o.observer.watch = luck.draw(4) != 0;
  o.observer.max_events = 16;
  o.meshed = luck.draw(4) != 0;

  const auto ticket = luck.draw(10);
  const auto how = ticket < 2 ? flavour::benign : ticket < 4 ? flavour::one_cut : flavour::mixture;
  const auto kinds = draw_kinds(luck, how, o.nodes, seed);
  drawing from{luck, o.nodes, long_ticks, how == flavour::benign};
  const auto first = luck.between(20'000, 40'000);
  bool prepared = false;
  for (const auto kind : kinds) {
    auto f = draw_fault(kind, from, static_cast<fault_id>(s.faults.size() + 1));
    if (f.prepare && std::exchange(prepared, true)) continue;  // one thing only can be true of all kernels
    // So that they overlap.
    f.onset = first + luck.between(0, 25'000);
    s.quiet_from = std::max(s.quiet_from, f.last_end());
    s.faults.push_back(std::move(f));
  }
  trouble_a_watcher(s, seed, first, long_ticks);
  stall_the_observer(s, seed, first, long_ticks);
  for (const auto& f : s.faults) {
    if (f.prepare) f.prepare(o);
  }
  return s;
}

void schedule(world& w, fault& f, unsigned turn) {
  w.time.at(f.onset + static_cast<int>(turn) * (f.length + f.pause), [&w, &f] {
    if (f.began < milliseconds(0)) f.began = w.time.now();
    f.active = true;
    w.note(fmt::format("fault {} begins", traits_of(f.kind).name));
    f.begin(w);
  });
  w.time.at(f.onset + static_cast<int>(turn) * (f.length + f.pause) + f.length, [&w, &f] {
    f.active = false;
    f.ended = w.time.now();
    w.note(fmt::format("fault {} ends", traits_of(f.kind).name));
    f.end(w);
  });
}

std::string told(const script& s) {
  auto text = fmt::format("{} nodes, ticks of {} s, interval {} s{}:", s.options.nodes,
                          s.options.kernel.ticktime / milliseconds(1'000),
                          s.options.observer.interval / milliseconds(1'000),
                          s.options.meshed ? "" : ", not meshed at first");
  if (!s.options.observer.watch) text += " views are polled;";
  for (const auto& f : s.faults) {
    text += fmt::format(" {} at {} for {} ms", traits_of(f.kind).name, f.onset.count(), f.length.count());
    if (f.times > 1) text += fmt::format(", {} times with {} ms between", f.times, f.pause.count());
    text += ';';
  }
  return text;
}

}  // namespace

history_result play(std::uint64_t seed, bool with_diary, std::size_t nodes) {
  auto s = draw(seed, nodes);
  s.options.keeps_diary = with_diary;
  history_result result{
      .seed = seed, .nodes = s.options.nodes, .wrong = {}, .covered = {}, .plan = told(s), .diary = {}};
  world w(s.options);
  auditor audit(w, s.faults, result.covered, s.options.observer.interval);
  for (auto& f : s.faults) {
    for (unsigned turn = 0; turn < f.times; ++turn) schedule(w, f, turn);
  }
  constexpr milliseconds closer{100};
  while (w.time.now() < s.quiet_from + milliseconds(1) && !audit.wrong()) {
    w.run_until(std::min(w.time.now() + auditor::glance, s.quiet_from + milliseconds(1)));
    audit.look();
  }
  if (!audit.wrong()) audit.faults_ended();
  while (!audit.finished()) {
    w.run_for(closer);
    audit.look();
  }
  ++result.covered.histories;
  result.covered.tears = w.tears().size();
  result.wrong = audit.wrong();
  if (with_diary) result.diary = w.diary();
  return result;
}

}  // namespace rollcall::simulation
