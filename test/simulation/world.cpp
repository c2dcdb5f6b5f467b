#include "test/simulation/world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::simulation {

namespace {

constexpr milliseconds moment_of_a_tear{2'000};
constexpr std::size_t diary_shown = 5'000;

membership::settings prepared(membership::settings how, std::uint64_t seed) {
  how.seed = seed;
  return how;
}

}  // namespace

world::world(const world_options& options)
    : time(options.seed),
      mesh(time, net, *this, options.nodes + options.newcomers),
      us(time, net, mesh, names, prepared(options.observer, options.seed), *this),
      options_(options) {
  for (std::size_t i = 0; i < options.nodes; ++i)
    boot(add(true, i < options.kernels.size() ? options.kernels[i] : options.kernel));
  if (options.meshed) mesh.mesh_all();
  us.start();
}

place world::add(bool listed, kernel_settings kernel) {
  const auto i = mesh.add(kernel);
  us.add(i, fmt::format("n{}@pods.example", 1'000 + i));
  if (listed) names.listed.insert(i);
  return i;
}

void world::boot(place i) {
  if (mesh[i].running) return;  // two faults may start it
  mesh.boot(i);
  us.booted(i);
  note(fmt::format("{} boots", us.name(i).text()));
}

void world::die(place i, bool with_its_machine, fault_id by) {
  if (!mesh[i].running) return;
  note(fmt::format("{} {}", us.name(i).text(), with_its_machine ? "is lost with its machine" : "ends"));
  mesh.die(i, with_its_machine, by);
  us.ended(i);
}

void world::stop(place i, milliseconds takes, fault_id by) {
  if (!mesh.present(i) || mesh[i].stopping) return;
  note(fmt::format("{} is told to stop", us.name(i).text()));
  mesh[i].stopping = true;
  mesh[i].gone_by = by;
  const auto closes = takes - std::min(takes, time.weather.between(1, 200));
  time.in(closes, [this, i, creation = mesh[i].creation] {
    mesh[i].closing = mesh[i].running && mesh[i].creation == creation;
  });
  time.in(takes, [this, i, by, creation = mesh[i].creation] {
    if (mesh[i].creation == creation) die(i, false, by);
  });
}

void world::freeze(place i, fault_id by) {
  note(fmt::format("{} freezes", us.name(i).text()));
  mesh.freeze(i, by);
  us.path_changed(i);
}

void world::thaw(place i) {
  note(fmt::format("{} thaws", us.name(i).text()));
  mesh.thaw(i);
  us.path_changed(i);
}

void world::changed(place a, place b) {
  if (a == observer || b == observer) return us.path_changed(a == observer ? b : a);
  mesh.path_changed(a, b);
}

void world::put_one_way(place from, place to, obstacle what, fault_id by) {
  net.put(from, to, what, by);
  changed(from, to);
}

void world::take_one_way(place from, place to, obstacle what, fault_id by) {
  net.take(from, to, what, by);
  changed(from, to);
}

void world::put(place a, place b, obstacle what, fault_id by) {
  net.put(a, b, what, by);
  net.put(b, a, what, by);
  changed(a, b);
}

void world::take(place a, place b, obstacle what, fault_id by) {
  net.take(a, b, what, by);
  net.take(b, a, what, by);
  changed(a, b);
}

void world::put_between(const std::vector<place>& some, const std::vector<place>& rest, obstacle what,
                        fault_id by) {
  for (const auto a : some) {
    for (const auto b : rest) {
      if (a != b) put(a, b, what, by);
    }
  }
}

void world::take_between(const std::vector<place>& some, const std::vector<place>& rest, obstacle what,
                         fault_id by) {
  for (const auto a : some) {
    for (const auto b : rest) {
      if (a != b) take(a, b, what, by);
    }
  }
}

void world::restart_observer(bool with_its_state) {
  note(fmt::format("the observer is started again {} its state", with_its_state ? "with" : "without"));
  us.restart(with_its_state);
}

// ---- time

void world::run_until(milliseconds end) {
  while (time.now() < end) {
    // Facts of one millisecond are one step, as they are in one turn of an event loop.
    time.advance(us.running() ? std::min(end, std::max(us.wake(), time.now() + milliseconds(1))) : end);
    const auto* result = us.step_if_due();
    if (result == nullptr) continue;
    for (const auto& e : result->events) {
      if (options_.keeps_diary) note("  - " + e.text);
      events.push_back(e);
    }
    if (options_.keeps_diary) {
      for (const auto& any : result->actions) {
        if (const auto* c = std::get_if<membership::action::connect>(&any)) {
          note(fmt::format("  {} is asked to connect to {}", c->on.text(), c->to.text()));
        }
      }
      if (result->changed) note_left_out();
    }
    if (seen_by != nullptr) seen_by->stepped(*result);
  }
}

bool world::run_until_true(const std::function<bool()>& wanted, milliseconds at_most) {
  const auto end = time.now() + at_most;
  while (time.now() < end) {
    if (wanted()) return true;
    run_for(milliseconds(20));
  }
  return wanted();
}

// ---- what is seen

std::vector<place> world::all() const {
  std::vector<place> list(mesh.size());
  for (place i = 0; i < list.size(); ++i) list[i] = i;
  return list;
}

std::vector<place> world::others(const std::vector<place>& some) const {
  auto list = all();
  std::erase_if(list, [&](place i) { return std::ranges::find(some, i) != some.end(); });
  return list;
}

bool world::whole() const {
  for (const auto a : names.listed) {
    for (const auto b : names.listed) {
      if (a < b && mesh[a].running && mesh[b].running && !mesh.linked(a, b)) return false;
    }
  }
  return true;
}

bool world::linked_to_all(place a, const std::vector<place>& them) const {
  return std::ranges::all_of(them, [&](place b) { return a == b || mesh.linked(a, b); });
}

std::size_t world::tears_since(milliseconds since) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(tears_, [&](milliseconds at) { return at >= since; }));
}

void world::note_left_out() {
  std::set<std::string> out;
  for (const auto& q : us.snapshot()->quarantine) {
    out.insert(q.node.text());
    if (!left_out_.contains(q.node.text())) note("  + " + q.text);
  }
  for (const auto& name : left_out_) {
    if (!out.contains(name)) note("  no more left out: " + name);
  }
  left_out_ = std::move(out);
}

void world::note(std::string text) {
  if (options_.keeps_diary) diary_.push_back(fmt::format("{:>8} ms  {}", time.now().count(), text));
}

std::string world::diary() const {
  std::string text;
  for (auto i = diary_.size() > diary_shown ? diary_.size() - diary_shown : 0; i < diary_.size(); ++i)
    text += diary_[i] + "\n";
  return text;
}

void world::gained(place on, place peer) {
  us.peer_changed(on, peer, true, "");
}

void world::lost(const beam_mesh::loss& l) {
  us.peer_changed(l.on, l.of, false, l.why);
  const bool torn =
      l.because.from == cause::root::ours && !l.because.forming && l.was_mutual && mesh.sound(l.on, l.of);
  if (torn && (tears_.empty() || time.now() - tears_.back() > moment_of_a_tear)) tears_.push_back(time.now());
  if (options_.keeps_diary) {
    note(fmt::format("    {} loses {} ({}{})", us.name(l.on).text(), us.name(l.of).text(), l.why,
                     torn ? ", torn by us" : ""));
  }
  if (seen_by != nullptr) seen_by->lost(l, torn);
}

void world::bit(fault_id by) {
  if (by != no_fault && seen_by != nullptr) seen_by->bit(by);
}

}  // namespace rollcall::simulation
