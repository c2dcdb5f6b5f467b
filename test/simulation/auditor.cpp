// What becomes of the mesh.
#include "test/simulation/auditor.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr std::array<std::string_view, rule_count> rule_names{"crash",
                                                              "too_many_tears",
                                                              "newcomer_waits",
                                                              "not_whole",
                                                              "whole_too_late",
                                                              "not_shown_whole",
                                                              "false_alarm",
                                                              "wrong_count",
                                                              "wrong_cause",
                                                              "wrong_groups",
                                                              "contradiction",
                                                              "flutter",
                                                              "unreported_opening",
                                                              "too_many_actions",
                                                              "asks_twice",
                                                              "asks_absent",
                                                              "calls_twice",
                                                              "hangs_up",
                                                              "spins"};

constexpr milliseconds early{120'000}, later_each{300'000}, lingers{60'000};
constexpr milliseconds a_moment{1'500};         // for what was under way
constexpr milliseconds repaired_within{2'000};  // after a plain cut
constexpr milliseconds held_at_most{
    310'000};  // a pair whose request failed, or whose link broke soon, though its path works
// One that broke soon a fourth time, which a restart of one of its ends lets it, and a fifth time.
constexpr milliseconds held_longer{610'000}, held_longest{1'210'000};
// What broke within so many ticks, or so much time, is held back.
constexpr int soon_ticks = 2;
constexpr milliseconds soon_at_least{60'000};
constexpr milliseconds settled_at_most{110'000};

}  // namespace

std::string_view to_string(rule r) {
  return rule_names[static_cast<std::size_t>(r)];
}

auditor::auditor(world& w, std::vector<fault>& faults, coverage& covered, milliseconds interval)
    : world_(w), faults_(faults), covered_(covered), interval_(interval) {
  w.seen_by = this;
  plain_ = faults.size() == 1 && traits_of(faults.front().kind).cuts && faults.front().times == 1;
}

void auditor::broken(rule r, std::string what) {
  if (wrong_) return;
  wrong_ = finding{r, std::move(what), world_.time.now()};
  world_.note(fmt::format("BROKEN: {}: {}", to_string(r), wrong_->what));
}

bool auditor::any(const std::function<bool(const fault&)>& what) const {
  return std::ranges::any_of(faults_, what);
}

bool auditor::only(const std::function<bool(const fault_traits&)>& what) const {
  return std::ranges::all_of(faults_, [&](const fault& f) { return what(traits_of(f.kind)); });
}

bool auditor::observer_is_well() const {
  const auto& o = world_.us.ours;
  return world_.us.running() && !world_.us.stalled() && o.slow == milliseconds(0) && o.late == 0 &&
         o.without_word == 0 && world_.time.now() >= world_.us.unwell_until();
}

// ---- bites

void auditor::bit(fault_id by) {
  const auto now = world_.time.now();
  auto& f = faults_[by - 1];
  const bool first_now = f.last_bit != now;
  f.last_bit = now;
  if (++f.bites == 1) {
    ++covered_.kinds[static_cast<std::size_t>(f.kind)];
    const auto door = std::ranges::find(door_kinds, f.kind);
    if (f.one_sided && door != door_kinds.end())
      ++covered_.one_sided[static_cast<std::size_t>(door - door_kinds.begin())];
  }
  if (!first_now) return;
  for (auto& other : faults_) {
    if (other.kind == f.kind || other.bites == 0 ||
        (!other.active && now - other.last_bit > milliseconds(5'000)))
      continue;
    const auto a = std::min(f.kind, other.kind), b = std::max(f.kind, other.kind);
    ++covered_.pairs[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
  }
}

// ---- tears

void auditor::lost(const beam_mesh::loss& l, bool torn) {
  lost_.insert({std::min(l.on, l.of), std::max(l.on, l.of)});
  // One whose path was cut is a cut, however young it was.
  const auto within = std::max(soon_at_least, soon_ticks * world_.mesh[l.on].kernel.ticktime);
  const bool soon = world_.time.now() - l.born <= within;
  broke_soon_ = broke_soon_ || (soon && !world_.net.dark(l.on, l.of));
  if (soon && l.on < l.of) ++breaks_[{l.on, l.of}];
  // What began before the repair may go on tearing after it.
  if (stage_ == stage::healing && world_.us.connects().size() == asked_before_) {
    stage_since_ = world_.time.now();
  }
  if (torn) check_tears();
}

// Few in the first two minutes of each fault, then one in five minutes.
void auditor::check_tears() {
  const auto now = world_.time.now();
  std::size_t allowed = 0;
  for (const auto& f : faults_) {
    if (f.began < milliseconds(0) && !f.prepare) continue;
    const auto began = f.prepare ? milliseconds(0) : f.onset;
    const auto ended = f.active || f.prepare ? now : std::max(f.ended, began);
    allowed += traits_of(f.kind).first_tears;
    const auto until = std::min(now, ended + lingers);
    if (until - began > early) allowed += 1 + static_cast<std::size_t>((until - began - early) / later_each);
  }
  if (world_.tears().size() > allowed) {
    broken(rule::too_many_tears, fmt::format("{} tears, and {} are allowed", world_.tears().size(), allowed));
  }
}

// ---- newcomers

void auditor::note_reached() {
  for (place i = 0; i < world_.mesh.size(); ++i) {
    if (world_.us.reaches(i)) {
      reached_since_.try_emplace(i, world_.time.now());
    } else {
      reached_since_.erase(i);
    }
  }
}

// Over a link that was dark nothing is heard before the node is asked again, which is within an interval.
bool auditor::reached(place i) const {
  const auto since = reached_since_.find(i);
  if (since == reached_since_.end() || !world_.us.reaches(i)) return false;
  const auto s = world_.us.snapshot();
  const auto* m = s->find(world_.us.name(i).text());
  return world_.time.now() - since->second >= interval_ || (m != nullptr && m->state == member_state::up);
}

bool auditor::could_join(place fresh, const std::vector<place>& established) const {
  const auto& mesh = world_.mesh;
  if (!mesh.present(fresh) || mesh[fresh].stopping || mesh[fresh].slow > milliseconds(0)) return false;
  if (!world_.us.reaches(fresh) || !world_.names.listed.contains(fresh)) return false;
  // A member is reached that it could be asked to join.
  if (std::ranges::none_of(established, [&](place m) { return reached(m) && mesh.sound(fresh, m); }))
    return false;
  // Whose name is not known everywhere yet is waited for: a dial that fails would throw it out.
  const auto is_late = [&](place m) {
    return world_.net.find(m, fresh, obstacle::unresolved) || world_.net.find(fresh, m, obstacle::unresolved);
  };
  bool late = false;
  for (place m = 0; m < mesh.size(); ++m) {
    if (!mesh.present(m) || mesh.degree(m) == 0) continue;
    late |= is_late(m);
    // One that stops is introduced like any other until it is gone.
    if (mesh[m].stopping && mesh.look(fresh, m).what != fate::links &&
        mesh.look(m, fresh).what != fate::links)
      return false;
  }
  if (world_.time.now() < world_.us.waits_for_name(fresh) && late) return false;
  return std::ranges::all_of(established, [&](place m) {
    if (mesh.sound(fresh, m)) return mesh[m].slow == milliseconds(0);
    // One that is dead, or dark to the others, too, may be ignored.
    return std::ranges::none_of(established, [&](place o) { return o != m && mesh.sound(o, m); });
  });
}

void auditor::check_newcomers() {
  const auto& mesh = world_.mesh;
  std::vector<place> established;
  for (place i = 0; i < mesh.size(); ++i) {
    if (mesh[i].running && !mesh[i].stopping && mesh.degree(i) > 0 && !newcomers_.contains(i))
      established.push_back(i);
  }
  const auto now = world_.time.now();
  for (place i = 0; i < mesh.size(); ++i) {
    if (mesh[i].running && !mesh[i].ever_linked && mesh.degree(i) == 0 && !established.empty())
      newcomers_.try_emplace(i);
  }
  for (auto at = newcomers_.begin(); at != newcomers_.end();) {
    auto& [fresh, waits] = *at;
    // One that was let in and dropped waits for its hold, like any other.
    if (mesh[fresh].ever_linked || !mesh[fresh].running) {
      at = newcomers_.erase(at);
      continue;
    }
    // How many it would join: with nobody there it is a formation.
    if (!observer_is_well() || established.empty() || !could_join(fresh, established)) {
      waits.could_since = milliseconds(-1);
    } else if (waits.could_since < milliseconds(0)) {
      waits.could_since = now;
    } else if (now - waits.could_since > 2 * interval_ + a_moment) {
      broken(rule::newcomer_waits,
             fmt::format("{} could join for {} ms and waits", world_.us.name(fresh).text(),
                         (now - waits.could_since).count()));
      waits.could_since = now;
    }
    ++at;
  }
}

void auditor::look() {
  note_reached();
  check_newcomers();
  note_whole();
  if (stage_ == stage::faults && plain_) check_plain_cut();
}

// For so long that an incident closes, as far as these glances tell. Where views are polled nobody sees that
// it broke before the next ones.
bool auditor::whole_for_long() const {
  const auto long_enough = world_.us.watches() ? interval_ - glance : milliseconds(0);
  return broke_ && whole_since_ && world_.time.now() - *whole_since_ > long_enough;
}

// How often it was whole again for long, and broke.
void auditor::note_whole() {
  const auto now = world_.time.now();
  if (!world_.whole()) {
    if (whole_for_long()) ++wholes_;
    whole_since_.reset();
    broke_ = true;
  } else if (!whole_since_) {
    whole_since_ = now;
  }
}

// ---- whole again

// A member that runs and is up counts though nobody lists it.
std::vector<place> auditor::those_to_be_linked() const {
  std::vector<place> all;
  const auto s = world_.us.running() ? world_.us.snapshot() : nullptr;
  for (const auto i : world_.all()) {
    if (!world_.mesh[i].running) continue;
    const auto* m = s == nullptr ? nullptr : s->find(world_.us.name(i).text());
    if (world_.names.listed.contains(i) || (m != nullptr && m->state == member_state::up)) all.push_back(i);
  }
  return all;
}

bool auditor::whole() const {
  const auto& mesh = world_.mesh;
  const auto all = those_to_be_linked();
  for (const auto a : all) {
    for (const auto b : all) {
      if (a < b && !mesh.linked(a, b) && mesh.sound(a, b)) return false;
    }
  }
  return true;
}

// Of those that are apart.
milliseconds auditor::longest_hold() const {
  unsigned most = 0;
  for (const auto& [pair, breaks] : breaks_) {
    const auto& mesh = world_.mesh;
    if (!mesh.linked(pair.first, pair.second) && mesh.sound(pair.first, pair.second))
      most = std::max(most, breaks);
  }
  return most < 4 ? held_at_most : most == 4 ? held_longer : held_longest;
}

// What was held up by a pair is asked for a moment after it.
milliseconds auditor::longest_hold_lately() {
  const auto now = world_.time.now();
  const auto longest = longest_hold();
  if (longest >= allowed_ || now - allowed_at_ > a_moment) {
    allowed_ = longest;
    allowed_at_ = now;
  }
  return allowed_;
}

std::string auditor::who_is_apart() const {
  const auto& mesh = world_.mesh;
  const auto all = those_to_be_linked();
  for (const auto a : all) {
    for (const auto b : all) {
      if (a < b && !mesh.linked(a, b) && mesh.sound(a, b)) {
        return fmt::format("{} and {} are not linked", world_.us.name(a).text(), world_.us.name(b).text());
      }
    }
  }
  return "all are linked";
}

bool auditor::all_linked_to_us() const {
  return std::ranges::all_of(world_.names.listed,
                             [&](place i) { return !world_.mesh[i].running || world_.us.reaches(i); });
}

// An observer that was restarted has nobody's word until it is linked to them.
milliseconds auditor::watched_since() const {
  auto since = world_.us.started();
  if (world_.us.life() <= 1) return since;
  for (const auto i : world_.all()) since = std::max(since, world_.us.linked_since(i));
  return since;
}

// A dead node that is no longer listed is suspect until its net_ticktime has passed: it may only be cut off.
bool auditor::dead_are_known() const {
  if (!world_.us.running()) return true;
  return std::ranges::none_of(world_.us.snapshot()->members, [&](const member& m) {
    return m.state == member_state::suspect && !world_.mesh[world_.us.at(m.name)].running;
  });
}

bool auditor::shown_whole(std::string& why) const {
  const auto s = world_.us.snapshot();
  const bool of_one_kind = !any([](const fault& f) { return f.kind == fault_kind::incompatible_releases; });
  const auto open = std::ranges::count_if(*s->incidents, [](const incident& i) { return !i.closed_at; });
  if (s->links_missing != 0) {
    why = fmt::format("{} links are shown as missing", s->links_missing);
  } else if (of_one_kind && s->partitions.size() > 1) {
    why = fmt::format("{} partitions are shown", s->partitions.size());
  } else if (!s->quarantine.empty() && of_one_kind) {
    why = s->quarantine.front().text;
  } else if (open != 0) {
    why = fmt::format("{} incidents are open", open);
  } else {
    return true;
  }
  return false;
}

void auditor::faults_ended() {
  stage_ = stage::settling;
  stage_since_ = world_.time.now();
}

bool auditor::finished() {
  const auto now = world_.time.now();
  const auto next = [&](stage s) {
    stage_ = s;
    stage_since_ = now;
    return false;
  };
  if (wrong_) return true;
  switch (stage_) {
    case stage::faults:
      return false;
    case stage::settling:
      // Dials of nodes that we lost, and ends that still believe in a link, take their own time.
      if (world_.mesh.settled() && all_linked_to_us() && dead_are_known()) {
        asked_before_ = world_.us.connects().size();
        return next(stage::healing);
      }
      if (now - stage_since_ > settled_at_most) {
        broken(rule::not_whole,
               "long after the last fault some are not linked to the observer, or ends still hang");
      }
      return false;
    case stage::healing: {
      if (whole()) return next(stage::showing);
      const auto& asked = world_.us.connects();
      // One that was asked for during the cut takes its time, and then its hold.
      const bool failed = std::ranges::any_of(asked, [&](const shell::asked_pair& c) {
        return c.answered ? c.outcome != connect_outcome::connected : c.at < stage_since_;
      });
      const bool at_once = plain_ && !failed && !broke_soon_ && world_.tears().empty();
      // A lost link is told at once by a watcher, and seen within an interval where views are polled.
      const auto seen = world_.us.watches() ? milliseconds(0) : interval_;
      const auto held = longest_hold_lately();
      // A dial that hung through the cut may still link the two, and nobody is joined to either end
      // meanwhile.
      auto since = stage_since_;
      for (const auto& c : asked) {
        if (at_once && c.at < stage_since_) since = std::max(since, c.answered_at);
      }
      if (now - since > (at_once ? seen + repaired_within : held)) {
        broken(at_once ? rule::whole_too_late : rule::not_whole,
               fmt::format("{} ms after the repair {}", (now - stage_since_).count(), who_is_apart()));
      }
      return false;
    }
    case stage::showing: {
      std::string why;
      if (shown_whole(why)) return next(stage::done);
      if (!whole()) return next(stage::healing);
      // What was told before a restart is over once probes had their four intervals (open_incident.cpp).
      // What was asked before a fault of the observer ended is not answered after it.
      const auto proven = std::max(watched_since() + 4 * interval_, world_.us.unwell_until());
      if (now - std::max(stage_since_, proven) > 2 * interval_ + 2 * a_moment) {
        broken(rule::not_shown_whole,
               fmt::format("{} ms after the mesh was whole {}", (now - stage_since_).count(), why));
      }
      return false;
    }
    case stage::done:
      break;
  }
  if (plain_) check_plain_cut();
  return true;
}

}  // namespace rollcall::simulation
