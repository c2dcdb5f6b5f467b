// Faults of the observer, of discovery, and of settings.
#include "test/simulation/faults.hpp"

namespace rollcall::simulation {

namespace {

void mix_settings(world_options& options, std::uint64_t seed, fault_id id) {
  dice luck(seed);
  options.kernels.assign(options.nodes, options.kernel);
  for (auto& k : options.kernels) {
    if (luck.one_in(3)) k.prevent_overlapping = false;
    if (luck.one_in(6)) k.connect_all = false;
    if (luck.one_in(6)) k.auto_connect = false;
    if (luck.one_in(3)) k.ticktime = luck.one_in(2) ? milliseconds(8'000) : milliseconds(30'000);
    k.by = id;
  }
}

void mix_releases(world_options& options, std::uint64_t seed, fault_id id) {
  dice luck(seed);
  options.kernel.release = 27;
  options.kernels.assign(options.nodes, options.kernel);
  for (auto& k : options.kernels) {
    k.by = id;
    if (!luck.one_in(3)) continue;
    k.release = 23;
    k.prevent_overlapping = false;
  }
}

// Suspended, behind with its work, or killed.
void trouble_watchers(fault& f, drawing& from) {
  const auto some = from.luck.one_in(2) ? from.some(1) : from.part();
  const auto by = from.luck.between(300, 8'000);
  const auto manner = from.luck.draw(5);
  f.begin = [=, id = f.id](world& w) {
    for (const auto i : some) {
      if (manner < 2) {
        w.us.watcher_hangs(i, id);
      } else if (manner < 4) {
        w.us.watcher_slows(i, by, id);
      } else {
        w.us.watcher_hangs(i, id);
        w.time.in(milliseconds(2'000 + by.count()), [&w, i, id] { w.us.watcher_dies(i, id); });
      }
    }
  };
  f.end = [=](world& w) {
    for (const auto i : some) w.us.watcher_recovers(i);
  };
}

// Stopped, or with its machine, and then a node with it. Shorter than its peers' tick time, if so: else that
// one is as good as lost to them.
void stall_observer(fault& f, drawing& from) {
  const bool with_a_node = from.luck.one_in(2);
  const auto node = from.one();
  const bool is_short = with_a_node || from.luck.one_in(2);
  f.length = from.luck.between(500, is_short && !from.long_ticks ? 5'000 : 29'000);
  f.begin = [=, id = f.id](world& w) {
    w.us.stall(id);
    if (with_a_node) w.freeze(node, id);
  };
  f.end = [=](world& w) {
    if (with_a_node) w.thaw(node);
    w.us.resume();
  };
}

}  // namespace

void draw_observer_fault(fault& f, drawing& from) {
  const auto id = f.id;
  switch (f.kind) {
    case fault_kind::dns_away:
      f.begin = [=](world& w) {
        w.names.away = true;
        w.names.away_by = id;
      };
      f.end = [](world& w) { w.names.away = false; };
      return;
    case fault_kind::dns_cached: {
      // Entries that are not there yet, and one that is there no more.
      const auto gone = from.one();
      f.length = std::max(f.length, milliseconds(35'000));
      f.begin = [=](world& w) {
        w.names.cached_for = milliseconds(30'000);
        w.names.cached_by = id;
        w.time.in(milliseconds(1'000), [&w] { w.boot(w.add(true, w.usual_kernel())); });
        if (w.names.listed.size() < 4 || !w.mesh.present(gone) || w.mesh[gone].stopping) return;
        w.time.in(milliseconds(4'000), [&w, gone, id] {
          w.names.listed.erase(gone);
          w.stop(gone, milliseconds(1'500), id);
        });
      };
      f.end = [](world& w) { w.names.cached_for = milliseconds(0); };
      return;
    }
    case fault_kind::observer_cut: {
      const auto some = from.luck.one_in(3) ? from.some(from.nodes) : from.part();
      f.begin = [=](world& w) {
        for (const auto i : some) w.put(observer, i, obstacle::drop, id);
      };
      f.end = [=](world& w) {
        for (const auto i : some) w.take(observer, i, obstacle::drop, id);
      };
      return;
    }
    case fault_kind::observer_slow: {
      const auto by = from.luck.between(100, 3'000);
      f.begin = [=](world& w) {
        w.us.ours.slow = by;
        w.us.ours.slow_by = id;
      };
      f.end = [](world& w) { w.us.ours.slow = milliseconds(0); };
      return;
    }
    case fault_kind::observer_restarted: {
      const bool with_its_state = from.luck.one_in(2);
      f.length = from.luck.between(100, 20'000);
      f.begin = [=](world& w) {
        w.us.stop();
        w.bite(id);
      };
      f.end = [=](world& w) {
        w.bite(id);
        w.restart_observer(with_its_state);
      };
      return;
    }
    case fault_kind::without_word: {
      const auto share = 5 + static_cast<unsigned>(from.luck.draw(55));
      f.begin = [=](world& w) {
        w.us.ours.without_word = share;
        w.us.ours.without_word_by = id;
      };
      f.end = [](world& w) { w.us.ours.without_word = 0; };
      return;
    }
    case fault_kind::late_answers: {
      const auto share = 5 + static_cast<unsigned>(from.luck.draw(45));
      f.begin = [=](world& w) {
        w.us.ours.late = share;
        w.us.ours.late_by = id;
      };
      f.end = [](world& w) { w.us.ours.late = 0; };
      return;
    }
    case fault_kind::mixed_settings:
    case fault_kind::incompatible_releases: {
      const auto seed = from.luck.draw(1U << 30U);
      const bool releases = f.kind == fault_kind::incompatible_releases;
      f.times = 1;
      f.prepare = [=](world_options& options) {
        releases ? mix_releases(options, seed, id) : mix_settings(options, seed, id);
      };
      f.begin = f.end = [](world&) {};
      return;
    }
    case fault_kind::troubled_watcher:
      return trouble_watchers(f, from);
    case fault_kind::observer_stalled:
      return stall_observer(f, from);
    default:
      return;
  }
}

}  // namespace rollcall::simulation
