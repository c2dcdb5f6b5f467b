// Faults of the network between nodes.
#include "test/simulation/faults.hpp"

namespace rollcall::simulation {

namespace {

// Something in the way of pairs, in one direction or in both.
struct obstruction {
  std::vector<std::pair<place, place>> ways;
  obstacle what;
};

void obstruct(fault& f, obstruction o, bool loses_links = false) {
  f.begin = [id = f.id, o, loses_links](world& w) {
    for (const auto& [from, to] : o.ways) w.put_one_way(from, to, o.what, id);
    if (!loses_links) return;
    // What refuses connections is met by those that have none.
    for (const auto& [from, to] : o.ways) w.mesh.disconnect(from, to);
  };
  f.end = [id = f.id, o](world& w) {
    for (const auto& [from, to] : o.ways) w.take_one_way(from, to, o.what, id);
  };
}

void both_ways(obstruction& o, place a, place b) {
  o.ways.emplace_back(a, b);
  o.ways.emplace_back(b, a);
}

obstruction between(const std::vector<std::vector<place>>& groups, obstacle what) {
  obstruction o{{}, what};
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t h = g + 1; h < groups.size(); ++h) {
      for (const auto a : groups[g]) {
        for (const auto b : groups[h]) both_ways(o, a, b);
      }
    }
  }
  return o;
}

std::vector<place> rest_of(const std::vector<place>& some, std::size_t nodes) {
  std::vector<place> rest;
  for (place i = 0; i < nodes; ++i) {
    if (std::ranges::find(some, i) == some.end()) rest.push_back(i);
  }
  return rest;
}

obstruction pair(drawing& from, obstacle what) {
  const auto [a, b] = from.two();
  obstruction o{{}, what};
  both_ways(o, a, b);
  return o;
}

bool is_one_sided(const obstruction& o) {
  return std::ranges::any_of(o.ways, [&](const std::pair<place, place>& way) {
    return std::ranges::find(o.ways, std::pair(way.second, way.first)) == o.ways.end();
  });
}

// The port of one node, or what stands in its place, for some of the others.
obstruction at_the_door(drawing& from, obstacle what) {
  if (from.luck.one_in(2)) return pair(from, what);
  const auto to = from.one();
  obstruction o{{}, what};
  const bool all = from.luck.one_in(2);
  for (place i = 0; i < from.nodes; ++i) {
    if (i != to && (all || from.luck.one_in(2))) o.ways.emplace_back(i, to);
  }
  if (o.ways.empty()) o.ways.emplace_back((to + 1) % from.nodes, to);
  return o;
}

void door(fault& f, obstruction o) {
  f.one_sided = is_one_sided(o);
  obstruct(f, std::move(o), true);
}

obstruction ring(drawing& from) {
  auto order = from.some(from.nodes);
  from.luck.shuffle(order);
  obstruction o{{}, obstacle::drop};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i + 2; j < order.size(); ++j) {
      if (i != 0 || j + 1 != order.size()) both_ways(o, order[i], order[j]);
    }
  }
  if (o.ways.empty()) both_ways(o, order[0], order[1]);
  return o;
}

void flap(fault& f, drawing& from) {
  const auto period = from.luck.between(1'000, 30'000);
  f.times = 3 + static_cast<unsigned>(from.luck.draw(8));
  f.length = period / 2;
  f.pause = period - f.length;
  const auto a = from.one();
  obstruct(f, from.luck.one_in(2) ? pair(from, obstacle::drop)
                                  : between({{a}, rest_of({a}, from.nodes)}, obstacle::drop));
}

}  // namespace

void draw_link_fault(fault& f, drawing& from) {
  switch (f.kind) {
    case fault_kind::dark_pair:
      return obstruct(f, pair(from, obstacle::drop));
    case fault_kind::halves: {
      const auto some = from.some(from.nodes / 2);
      return obstruct(f, between({some, rest_of(some, from.nodes)}, obstacle::drop));
    }
    case fault_kind::three_way: {
      std::vector<std::vector<place>> groups(3);
      for (place i = 0; i < from.nodes; ++i)
        groups[i < 3 ? i : from.luck.draw(3)].push_back(i);  // of two nodes, two groups
      return obstruct(f, between(groups, obstacle::drop));
    }
    case fault_kind::ring:
      return obstruct(f, ring(from));
    case fault_kind::one_way_loss: {
      const auto [a, b] = from.two();
      if (from.luck.one_in(3)) {
        // One end closes, and the other is not told: half a link.
        f.length = from.luck.between(100, 4'000);
        return obstruct(f, {{{a, b}}, obstacle::drop}, true);
      }
      obstruction o{{{a, b}}, obstacle::drop};
      for (place i = 0; i < from.nodes; ++i) {
        if (i != a && i != b && from.luck.one_in(4)) o.ways.emplace_back(a, i);
      }
      return obstruct(f, std::move(o));
    }
    case fault_kind::node_dark: {
      const auto a = from.one();
      return obstruct(f, between({{a}, rest_of({a}, from.nodes)}, obstacle::drop));
    }
    case fault_kind::refused_handshake:
      return obstruct(f, pair(from, obstacle::refused_handshake), true);
    case fault_kind::mapper_blocked:
      return door(f, at_the_door(from, obstacle::mapper));
    case fault_kind::silent_door:
      return door(f, at_the_door(from, obstacle::silent_door));
    case fault_kind::closing_door:
      return door(f, at_the_door(from, obstacle::closing_door));
    case fault_kind::breaks_under_traffic:
      return obstruct(f, pair(from, obstacle::breaks));
    case fault_kind::large_packets_lost:
      return obstruct(f, pair(from, obstacle::large_lost));
    case fault_kind::flapping:
      return flap(f, from);
    default:
      return;
  }
}

}  // namespace rollcall::simulation
