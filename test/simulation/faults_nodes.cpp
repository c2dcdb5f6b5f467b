// Faults of nodes and of discovery, and what is none: deploys, drains, new pods.
#include "test/simulation/faults.hpp"

namespace rollcall::simulation {

namespace {

void relist(world& w, place i) {
  w.names.listed.insert(i);
  w.boot(i);
}

// Stops in order, leaves discovery, and is back in its place as another run.
void deploy(world& w, place i, milliseconds takes, milliseconds away, fault_id id) {
  if (!w.mesh.present(i) || w.mesh[i].stopping) return;
  w.stop(i, takes, id);
  w.names.listed.erase(i);
  w.time.in(takes + away, [&w, i] {
    if (!w.mesh[i].running) relist(w, i);
  });
}

void new_node(world& w, fault_id id, milliseconds boots_after, kernel_settings kernel) {
  const auto fresh = w.add(true, kernel);
  w.time.in(boots_after, [&w, fresh, id] {
    w.boot(fresh);
    w.bite(id);
  });
}

}  // namespace

void draw_node_fault(fault& f, drawing& from) {
  const auto id = f.id;
  const auto nothing = [](world&) {};
  const auto i = from.one();
  switch (f.kind) {
    case fault_kind::slow_node: {
      const auto by = from.luck.between(100, 4'000);
      f.begin = [=](world& w) {
        w.mesh[i].slow = by;
        w.mesh[i].slow_by = id;
      };
      f.end = [=](world& w) { w.mesh[i].slow = milliseconds(0); };
      return;
    }
    case fault_kind::frozen_node:
      // Longer than its peers' tick time it is as good as lost to them.
      if (from.luck.draw(4) != 0 || from.benign)
        f.length = from.long_ticks ? from.luck.between(500, 29'000) : from.luck.between(300, 5'000);
      f.begin = [=](world& w) { w.freeze(i, id); };
      f.end = [=](world& w) { w.thaw(i); };
      return;
    case fault_kind::machine_lost: {
      const bool for_good = from.luck.one_in(2);
      f.times = 1;
      f.begin = [=](world& w) { w.die(i, true, id); };
      f.end = [=](world& w) {
        if (for_good) {
          w.names.listed.erase(i);
        } else {
          relist(w, i);
        }
      };
      return;
    }
    case fault_kind::node_restarted:
      f.length = from.luck.between(500, 8'000);
      f.begin = [=](world& w) { w.die(i, false, id); };
      f.end = [=](world& w) { w.boot(i); };
      return;
    case fault_kind::newcomer:
      f.length = from.luck.between(1, 9'000);
      f.begin = [=, after = f.length](world& w) { new_node(w, id, after, w.usual_kernel()); };
      f.end = nothing;
      return;
    case fault_kind::rolling_restart: {
      const auto each = from.luck.between(8'000, 25'000);
      const auto takes = from.luck.between(500, 7'000);
      const auto count = std::min<std::size_t>(from.nodes, 8);
      f.times = 1;
      f.length = each * static_cast<int>(count) + milliseconds(10'000);
      f.begin = [=](world& w) {
        for (std::size_t k = 0; k < count; ++k) {
          w.time.in(each * static_cast<int>(k),
                    [&w, k, takes, id] { deploy(w, static_cast<place>(k), takes, milliseconds(3'000), id); });
        }
      };
      f.end = nothing;
      return;
    }
    case fault_kind::drain: {
      const auto takes = from.luck.between(500, 9'000);
      f.times = 1;
      f.length = takes + milliseconds(3'000);
      f.begin = [=](world& w) {
        if (w.names.listed.size() < 4) return;
        w.names.listed.erase(i);
        w.stop(i, takes, id);
      };
      f.end = nothing;
      return;
    }
    case fault_kind::long_stop: {
      const auto takes = from.luck.between(40'000, 70'000);
      f.times = 1;
      f.length = takes + milliseconds(6'000);
      f.begin = [=](world& w) { deploy(w, i, takes, milliseconds(4'000), id); };
      f.end = nothing;
      return;
    }
    case fault_kind::late_dns: {
      f.length = from.luck.between(1'000, 25'000);
      f.times = 1;
      const bool for_us = from.luck.one_in(2), for_itself = from.luck.one_in(2);
      f.begin = [=, span = f.length](world& w) {
        const auto fresh = w.add(true, w.usual_kernel());
        w.boot(fresh);
        const auto later = [&w, id, span](place from_there, place to) {
          w.put_one_way(from_there, to, obstacle::unresolved, id);
          w.time.in(w.time.weather.between(1, span.count()),
                    [&w, from_there, to, id] { w.take_one_way(from_there, to, obstacle::unresolved, id); });
        };
        for (place other = 0; other < fresh; ++other) {
          if (other % 2 != 0 || for_itself) later(other, fresh);
          if (for_itself) later(fresh, other);
        }
        if (for_us) later(observer, fresh);
      };
      f.end = nothing;
      return;
    }
    case fault_kind::machine_cut: {
      const auto lost = from.part();
      f.begin = [=](world& w) {
        w.put_between(lost, w.others(lost), obstacle::drop, id);
        for (const auto one : lost) w.put(observer, one, obstacle::drop, id);
      };
      f.end = [=, nodes = from.nodes](world& w) {
        std::vector<place> rest;
        for (place other = 0; other < w.mesh.size(); ++other) {
          if (std::ranges::find(lost, other) == lost.end()) rest.push_back(other);
        }
        w.take_between(lost, rest, obstacle::drop, id);
        for (const auto one : lost) w.take(observer, one, obstacle::drop, id);
      };
      return;
    }
    default:
      return;
  }
}

}  // namespace rollcall::simulation
