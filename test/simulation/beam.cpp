#include "test/simulation/beam.hpp"

#include <algorithm>

namespace rollcall::simulation {

namespace {

// A link that breaks so soon after it was asked for was broken by the asking.
constexpr milliseconds worn_out_within{60'000};
// Who asks for all pairs of a join at once has most often linked them before `global` begins.
constexpr std::int64_t global_begins_after = 20, dial_takes = 20, slow_dial_takes = 80;
constexpr std::uint64_t dials_per_slow_one = 40;

}  // namespace

beam_mesh::beam_mesh(timeline& time, network& net, listener& tell, std::size_t most_nodes)
    : time_(time),
      net_(net),
      tell_(tell),
      most_(most_nodes),
      words_((most_nodes + 63) / 64),
      ends_(most_nodes * most_nodes) {
  nodes_.reserve(most_nodes);
  links_.push_back({milliseconds(0), cause::fault()});
}

place beam_mesh::add(kernel_settings kernel) {
  nodes_.push_back({.kernel = kernel});
  rows_.emplace_back(words_);
  dialling_.emplace_back(words_);
  known_.emplace_back(words_);
  meeting_.emplace_back(words_);
  removing_.emplace_back(words_);
  return static_cast<place>(nodes_.size() - 1);
}

std::size_t beam_mesh::degree(place a) const {
  std::size_t count = 0;
  for (const auto word : rows_[a]) count += static_cast<std::size_t>(__builtin_popcountll(word));
  return count;
}

milliseconds beam_mesh::latency(place a, place b) {
  const auto extra = nodes_[a].slow + nodes_[b].slow;
  if (extra > milliseconds(0))
    tell_.bit(nodes_[a].slow > milliseconds(0) ? nodes_[a].slow_by : nodes_[b].slow_by);
  return extra;
}

// ---- nodes

void beam_mesh::boot(place i) {
  auto& n = nodes_[i];
  if (n.running) return;
  n.running = true;
  n.frozen = n.stopping = n.closing = n.lost = n.ever_linked = false;
  ++n.boots;
  n.creation += 1 + static_cast<std::uint32_t>(time_.weather.draw(3));
  for (place peer = 0; peer < nodes_.size(); ++peer) forget(i, peer);
  // What is sent over a link to the run before is answered with a reset: at the next tick at the latest.
  for (place peer = 0; peer < nodes_.size(); ++peer) {
    if (sees(peer, i)) forsaken(peer, i);
  }
}

void beam_mesh::die(place i, bool with_its_machine, fault_id by) {
  auto& n = nodes_[i];
  if (!n.running) return;
  n.running = n.frozen = n.stopping = n.closing = false;
  n.lost = with_its_machine;
  n.gone_by = by;
  const auto before = rows_[i];
  for (place peer = 0; peer < nodes_.size(); ++peer) {
    if (sees(i, peer)) {
      end(i, peer) = {.generation = 0, .deafness = end(i, peer).deafness};
      rows_[i][peer / 64] &= ~(std::uint64_t{1} << (peer % 64));
    }
    if (!sees(peer, i)) continue;
    if (with_its_machine || net_.dark(i, peer)) {
      listen(peer, i);
      continue;
    }
    time_.in(time_.weather.between(0, 4), [this, peer, i, by, generation = end(peer, i).generation] {
      // A frozen one finds out when it thaws.
      if (!present(peer) || end(peer, i).generation != generation) return;
      tell_.bit(by);
      lose(peer, i, "connection_closed", cause::fault(), true);
    });
  }
}

void beam_mesh::freeze(place i, fault_id by) {
  if (!present(i)) return;
  nodes_[i].frozen = true;
  nodes_[i].frozen_by = by;
  for (place peer = 0; peer < nodes_.size(); ++peer) {
    if (sees(peer, i)) listen(peer, i);
  }
}

void beam_mesh::thaw(place i) {
  if (!nodes_[i].frozen) return;
  nodes_[i].frozen = false;
  for (place peer = 0; peer < nodes_.size(); ++peer) {
    // A socket that was closed meanwhile: it finds that at once, with nobody left to tell.
    if (sees(i, peer) && end(peer, i).generation != end(i, peer).generation && !nodes_[peer].lost &&
        !net_.dark(i, peer)) {
      lose(i, peer, "connection_closed", cause::fault(), false);
    }
    if (sees(i, peer)) listen(i, peer);
    if (sees(peer, i)) listen(peer, i);
  }
}

// ---- what can be reached

prospect beam_mesh::look(place on, place to) const {
  const auto& there = nodes_[to];
  if (const auto by = net_.find(on, to, obstacle::unresolved))
    return {fate::fails_at_once, *by, obstacle::unresolved};
  if (const auto by = net_.find_either(on, to, obstacle::drop)) return {fate::hangs, *by, obstacle::drop};
  if (!there.running && there.lost) return {fate::hangs, there.gone_by};
  if (const auto by = net_.find(on, to, obstacle::refuse))
    return {fate::fails_at_once, *by, obstacle::refuse};
  if (!there.running || there.closing) return {fate::fails_at_once, there.gone_by};
  if (const auto by = net_.find(on, to, obstacle::mapper)) return {fate::hangs, *by, obstacle::mapper};
  if (const auto by = net_.find(on, to, obstacle::closing_door))
    return {fate::fails_at_once, *by, obstacle::closing_door};
  if (const auto by = net_.find(on, to, obstacle::silent_door))
    return {fate::hangs, *by, obstacle::silent_door};
  if (there.frozen) return {fate::hangs, there.frozen_by};
  if (const auto by = net_.find(on, to, obstacle::refused_handshake))
    return {fate::fails_at_once, *by, obstacle::refused_handshake};
  if (on != observer) {
    const auto low = std::min(nodes_[on].kernel.release, there.kernel.release);
    const auto high = std::max(nodes_[on].kernel.release, there.kernel.release);
    const auto by = nodes_[on].kernel.by != no_fault ? nodes_[on].kernel.by : there.kernel.by;
    if (low < 25 && high >= 26) return {fate::fails_at_once, by, obstacle::refused_handshake};
  }
  return {};
}

bool beam_mesh::sound(place a, place b) const {
  if (!present(a) || !present(b) || nodes_[a].stopping || nodes_[b].stopping) return false;
  if (net_.find_either(a, b, obstacle::large_lost) || net_.find_either(a, b, obstacle::breaks)) return false;
  return look(a, b).what == fate::links || look(b, a).what == fate::links;
}

bool beam_mesh::hears(place a, place b) const {
  return present(b) && !end(a, b).stalled && end(b, a).generation == end(a, b).generation && !net_.dark(a, b);
}

std::vector<std::vector<place>> beam_mesh::groups() const {
  std::vector<std::vector<place>> found;
  std::vector<bool> placed(nodes_.size());
  for (place first = 0; first < nodes_.size(); ++first) {
    if (placed[first] || !nodes_[first].running) continue;
    placed[first] = true;
    std::vector<place> group{first};
    for (std::size_t at = 0; at < group.size(); ++at) {
      each_peer(group[at], [&](place peer) {
        if (placed[peer] || !linked(group[at], peer)) return;
        placed[peer] = true;
        group.push_back(peer);
      });
    }
    found.push_back(std::move(group));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& x, const auto& y) { return x.size() > y.size(); });
  return found;
}

bool beam_mesh::settled() const {
  for (place a = 0; a < nodes_.size(); ++a) {
    bool all = true;
    each_peer(
        a, [&](place b) { all = all && end(a, b).deafness % 2 == 0 && !end(a, b).stalled && linked(a, b); });
    if (!all) return false;
  }
  return true;
}

// ---- links

cause beam_mesh::cause_of_loss(std::uint32_t generation) const {
  const auto& l = links_[generation];
  return l.because.from == cause::root::ours && time_.now() - l.born < worn_out_within ? l.because
                                                                                       : cause::fault();
}

// An end that hears nothing closes after its tick time, more or less a quarter.
void beam_mesh::listen(place a, place b) {
  auto& e = end(a, b);
  if (e.generation == 0) return;
  const bool deaf = e.deafness % 2 != 0;
  if (hears(a, b)) {
    if (deaf) ++e.deafness;
    return;
  }
  if (deaf) return;
  ++e.deafness;
  const auto tick = nodes_[a].kernel.ticktime.count();
  time_.in(time_.weather.between(tick * 3 / 4, tick * 5 / 4),
           [this, a, b, generation = e.generation, deafness = e.deafness] {
             auto& now = end(a, b);
             if (now.generation != generation || now.deafness != deafness) return;
             if (!present(a)) {  // frozen: it begins to count again when it thaws
               ++now.deafness;
               return;
             }
             if (const auto by = net_.find_either(a, b, obstacle::drop)) tell_.bit(*by);
             if (nodes_[b].frozen) tell_.bit(nodes_[b].frozen_by);
             if (nodes_[b].lost) tell_.bit(nodes_[b].gone_by);
             lose(a, b, "net_tick_timeout", now.stalled ? cause_of_loss(generation) : cause::fault(), true);
           });
}

void beam_mesh::path_changed(place a, place b) {
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    listen(x, y);
    if (sees(x, y)) forsaken(x, y);
  }
  if (linked(a, b)) wear(a, b);
}

// What one end closed meanwhile is known to the other at its next tick.
void beam_mesh::forsaken(place x, place y) {
  if (end(y, x).generation == end(x, y).generation || net_.dark(x, y) || nodes_[y].lost) return;
  const auto ticks_each = nodes_[x].kernel.ticktime.count() / 4;
  time_.in(time_.weather.between(1, ticks_each), [this, x, y, generation = end(x, y).generation] {
    if (!present(x) || end(x, y).generation != generation || end(y, x).generation == generation ||
        net_.dark(x, y))
      return;
    lose(x, y, "connection_closed", cause::fault(), true);
  });
}

void beam_mesh::stall(place a, place b, std::uint32_t generation) {
  if (end(a, b).generation != generation || end(b, a).generation != generation) return;
  const auto by = net_.find_either(a, b, obstacle::large_lost);
  if (!by) return;
  tell_.bit(*by);
  end(a, b).stalled = end(b, a).stalled = true;
  listen(a, b);
  listen(b, a);
}

void beam_mesh::wear(place a, place b) {
  const auto generation = end(a, b).generation;
  const bool fresh = time_.now() - links_[generation].born < milliseconds(1'000);
  if (net_.find_either(a, b, obstacle::large_lost)) {
    time_.in(time_.weather.between(5, fresh ? 3'000 : 20'000),
             [this, a, b, generation] { stall(a, b, generation); });
  }
  if (net_.find_either(a, b, obstacle::breaks)) {
    time_.in(time_.weather.between(200, 8'000), [this, a, b, generation] {
      const auto by = net_.find_either(a, b, obstacle::breaks);
      if (!by || end(a, b).generation != generation || !present(a)) return;
      tell_.bit(*by);
      const auto why = cause_of_loss(generation);
      lose(a, b, "connection_closed", why, true);
      lose(b, a, "connection_closed", why, true);
    });
  }
}

void beam_mesh::join(place a, place b, cause because) {
  const auto generation = static_cast<std::uint32_t>(links_.size());
  links_.push_back({time_.now(), because});
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    end(x, y) = {.generation = generation, .deafness = (end(x, y).deafness + 2U) & ~1U};
    rows_[x][y / 64] |= std::uint64_t{1} << (y % 64);
    mark(removing_, x, y, false);
    nodes_[x].ever_linked = true;
    tell_.gained(x, y);
  }
  wear(a, b);
  for (const auto x : {a, b}) tell_.bit(nodes_[x].kernel.by);
  if (!nodes_[a].kernel.connect_all || !nodes_[b].kernel.connect_all) return;
  // One was named to the other: there is nothing to exchange (global.erl: handle_nodeup, in_sync).
  const bool named = knows(a, b) || knows(b, a);
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) mark(named ? known_ : meeting_, x, y, true);
  if (named) return;
  const auto begins = std::max(nodes_[a].kernel.global_takes, nodes_[b].kernel.global_takes).count();
  time_.in(time_.weather.between(global_begins_after, begins),
           [this, a, b, because, generation] { meet(a, b, generation, because); });
}

void beam_mesh::mesh_all() {
  for (place a = 0; a < nodes_.size(); ++a) {
    for (place b = a + 1; b < nodes_.size(); ++b) {
      if (!nodes_[a].running || !nodes_[b].running || sees(a, b) || !sound(a, b)) continue;
      const auto generation = static_cast<std::uint32_t>(links_.size());
      links_.push_back({time_.now() - milliseconds(3'600'000), cause::fault()});
      for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
        end(x, y).generation = generation;
        nodes_[x].ever_linked = true;
        rows_[x][y / 64] |= std::uint64_t{1} << (y % 64);
        mark(known_, x, y, nodes_[a].kernel.connect_all && nodes_[b].kernel.connect_all);
      }
    }
  }
}

void beam_mesh::lose(place on, place of, const char* why, cause because, bool say) {
  if (!sees(on, of)) return;
  const auto generation = end(on, of).generation;
  const bool mutual = end(of, on).generation == generation;
  rows_[on][of / 64] &= ~(std::uint64_t{1} << (of % 64));
  mark(removing_, on, of, false);
  forget(on, of);
  end(on, of) = {.generation = 0, .deafness = end(on, of).deafness};
  ++nodedowns_;
  tell_.lost({on, of, why, because, links_[generation].born, mutual});
  if (mutual) {
    listen(of, on);
    // The socket is closed: the other end hears of it, unless nothing gets through.
    if (!net_.dark(on, of)) {
      // What POP takes down is announced by neither end (kernel, global.erl: remove_connection).
      time_.in(time_.weather.between(0, 4), [this, on, of, generation, because, say] {
        if (!present(of) || net_.dark(on, of) || end(of, on).generation != generation) return;
        lose(of, on, "connection_closed", because, say);
      });
    }
  }
  if (say && present(on) && !nodes_[on].closing) announce(on, of, because);
}

void beam_mesh::connect(place on, place to, cause because, std::function<void(bool)> done) {
  const auto end_in = [this, &done](milliseconds after, bool connected) {
    time_.in(after, [done = std::move(done), connected] { done(connected); });
  };
  if (nodes_[on].closing) return end_in(milliseconds(0), false);
  if (sees(on, to)) return end_in(milliseconds(1), true);
  const auto will = look(on, to);
  if (will.what == fate::fails_at_once) {
    tell_.bit(will.by);
    return end_in(latency(on, to) + time_.weather.between(1, 20), false);
  }
  if (will.what == fate::hangs) tell_.bit(will.by);
  const auto takes =
      will.what == fate::hangs
          ? nodes_[on].kernel.setuptime
          : latency(on, to) + time_.weather.between(
                                  1, time_.weather.one_in(dials_per_slow_one) ? slow_dial_takes : dial_takes);
  time_.in(takes, [this, on, to, because, done = std::move(done)]() mutable {
    if (!present(on) || nodes_[on].closing) return done(false);
    if (sees(on, to)) return done(true);
    if (look(on, to).what != fate::links) return done(false);
    // It still believes in an old link: that one goes first.
    if (sees(to, on)) lose(to, on, "connection_closed", cause::fault(), true);
    because.forming = !nodes_[on].ever_linked && !nodes_[to].ever_linked;
    join(on, to, because);
    done(true);
  });
}

void beam_mesh::disconnect(place on, place of) {
  const bool mutual = linked(on, of);
  lose(on, of, "disconnect", cause::fault(), true);
  if (mutual && present(of) && !net_.dark(on, of)) lose(of, on, "connection_closed", cause::fault(), true);
}

void beam_mesh::leave(place i) {
  for (place peer = 0; peer < nodes_.size(); ++peer) {
    if (sees(i, peer)) lose(i, peer, "disconnect", cause::fault(), false);
  }
}

}  // namespace rollcall::simulation
