// Which broken pairs have one cause, when an incident opens, when it is confirmed and when it is over. The
// rules are written down in docs/membership.md.
#include "membership/incidents.hpp"

#include <algorithm>

#include "membership/lifecycle.hpp"
#include "membership/mutation.hpp"
#include "membership/open_incident.hpp"
#include "membership/pair.hpp"

namespace rollcall::membership {
namespace {

constexpr milliseconds gathering_at_most{1'000};

}  // namespace

struct incidents::implementation {
  implementation(const settings& s, journal& j) : options(s), events(j), lost(s) {
    totals.duration_buckets.assign(duration_bounds.size(), 0);
  }

  const settings& options;
  journal& events;
  broken_pairs broken;
  losses lost;
  silence quiet;
  std::vector<open_incident> open;  // oldest first
  std::deque<incident> closed;      // newest first
  incident_totals totals;
  std::uint64_t next_id = 1;
  bool changed = true;
  std::shared_ptr<const std::vector<incident>> shown = std::make_shared<const std::vector<incident>>();

  milliseconds gathering() const { return std::min(gathering_at_most, options.interval / 4); }

  open_incident* find(std::uint64_t id) {
    const auto found = std::ranges::find(open, id, [](const open_incident& i) { return i.shown.id; });
    return found == open.end() ? nullptr : &*found;
  }
  open_incident* concerned(std::uint32_t a, std::uint32_t b) {
    if (const auto* pair = broken.find(key_of(a, b)); pair != nullptr && pair->incident != 0) {
      return find(pair->incident);
    }
    for (auto& i : open) {
      if (i.holds(key_of(a, b))) return &i;
    }
    return nullptr;
  }

  void resolve_restored(const step_context&);
  void settle_pairs(open_incident&, const step_context&);
  void merge();
  void absorb(open_incident& into, open_incident& from);
  std::vector<std::size_t> assign_to_open(const step_context&);
  bool due(std::size_t at, const step_context&, const standing&, deadline&) const;
  void open_new(const std::vector<std::size_t>& unassigned, const step_context&, const standing&, deadline&);
  void record_cut(const silence::cut&, const step_context&);
  open_incident& begin(moment opened, moment now);
  void tell_returned(const step_context&);
  void look_for_cause(open_incident&, const step_context&, const path_book&);
  void follow(open_incident&, const step_context&, const standing&, const path_book&, deadline&);
  void confirm(open_incident&);
  void close(open_incident&, const step_context&);
  void close_whole(const step_context&);
  void publish();
};

void incidents::implementation::resolve_restored(const step_context& context) {
  for (auto& i : open) {
    if (!std::exchange(i.restored, false)) continue;
    for (const auto& [a, b] : i.shown.pairs) {
      const auto* one = context.members.find(a);
      const auto* other = context.members.find(b);
      if (one == nullptr || other == nullptr) continue;
      i.pairs.insert(key_of(one->id, other->id));
      i.inherited.insert(key_of(one->id, other->id));
    }
    for (const auto& name : i.shown.left_out) {
      if (const auto* m = context.members.find(name); m != nullptr) i.excluded.insert(m->id);
    }
    i.opened = i.first_broken = context.now;
    changed = true;
  }
}

void incidents::implementation::settle_pairs(open_incident& i, const step_context& context) {
  const auto ended = i.pairs.erase_if([&](pair_key k) {
    const auto* a = context.members.find(lower(k));
    const auto* b = context.members.find(higher(k));
    bool ends = false;
    if (gone(a, b)) {
      ends = true;
      i.last_fate = incident_end::gone;
    } else if (counts(*a) && counts(*b) && broken.find(k) == nullptr) {
      // Of more than can be followed, it may only be out of sight.
      ends = context.views.sees(a->rank, b->rank) && context.views.sees(b->rank, a->rank) &&
             proven_whole(i, k, *a, *b, context);
      if (ends) i.last_fate = incident_end::healed;
    }
    return ends;
  });
  changed |= ended != 0;
  i.inherited.erase_if([&](pair_key k) { return broken.find(k) != nullptr; });  // followed like any other
  std::erase_if(i.awaited, [&](const auto& e) {
    const auto* m = context.members.find(e.first);
    const bool dead = m == nullptr || m->state == member_state::left ||
                      (m->state == member_state::down && !m->listed) ||
                      (m->linked && m->creation != e.second) ||
                      (!m->linked && evidence_of(m->dial_failure) == evidence::gone);
    if (dead) i.last_fate = incident_end::gone;
    return dead || counts(*m);
  });
}

void incidents::implementation::absorb(open_incident& into, open_incident& from) {
  into.take(from);
  for (auto& [k, pair] : broken.all()) {
    if (pair.incident == from.shown.id) pair.incident = into.shown.id;
  }
  changed = true;
}

void incidents::implementation::merge() {
  for (std::size_t older = 0; older < open.size(); ++older) {
    for (std::size_t newer = older + 1; newer < open.size();) {
      auto& from = open[newer];
      const bool shares = std::ranges::any_of(from.excluded, [&](std::uint32_t id) {
        return open[older].excluded.contains(id) && !from.pairs.empty();
      });
      // What the same pair tore is the same, and is told once. Two that were both told stay two: what was
      // counted is not taken back.
      const bool same = !from.announced && begins_alike(open[older].shown, from.shown);
      if ((!shares && !same) || from.shown.confirmed) {
        ++newer;
        continue;
      }
      absorb(open[older], from);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(newer));
    }
  }
}

open_incident& incidents::implementation::begin(moment opened, moment now) {
  auto& i = open.emplace_back();
  i.shown.id = next_id++;
  i.shown.opened_at = opened.wall;
  i.opened = now.steady;
  i.first_broken = opened.steady;
  changed = true;
  return i;
}

// Those that no open incident explains are returned: where they stand in broken.all().
std::vector<std::size_t> incidents::implementation::assign_to_open(const step_context& context) {
  std::vector<std::size_t> unassigned;
  auto& all = broken.all();
  for (std::size_t at = 0; at < all.size(); ++at) {
    auto& [k, pair] = all[at];
    if (pair.incident != 0) {
      // Broken again within an incident that has not closed yet.
      if (auto* i = find(pair.incident); i != nullptr) {
        changed |= i->pairs.insert(k);
        continue;
      }
      pair.incident = 0;
    }
    if (std::ranges::any_of(open, [&, k = k, &pair = pair](const open_incident& i) {
          return met_on_arrival(i, k, pair, context);
        }))
      continue;
    const auto shares = std::ranges::find_if(open, [&, k = k, &pair = pair](const open_incident& i) {
      return i.holds(k) || i.pairs.contains(k) ||
             (torn_by(i, k, pair, lost, context) && !without(rule_taken::what_is_torn_has_one_cause));
    });
    if (shares == open.end()) {
      unassigned.push_back(at);
      continue;
    }
    pair.incident = shares->shown.id;
    shares->last_broken = std::max(shares->last_broken, pair.since);
    shares->pairs.insert(k);
    shares->seen.insert(k);
    changed = true;
  }
  return unassigned;
}

// Two groups that never met are told as soon as they are an alarm. One by itself has only been started. A
// link that was closed by hand, and what was torn for it, is whole again after an interval.
bool incidents::implementation::due(std::size_t at, const step_context& context, const standing& where,
                                    deadline& wake) const {
  if (without(rule_taken::losses_are_waited_for)) return true;
  const auto& [k, pair] = broken.all()[at];
  const bool heals =
      (options.heal == heal_mode::automatic || options.heal == heal_mode::all) && !context.paused;
  const bool links_again =
      heals && context.now - pair.since >= options.interval;  // before that nothing is due
  return broken_pairs::due(pair,
                           {.apart = where.two_groups(pair.one, pair.other),
                            .given_up = links_again && lost.given_up(k, pair.since - tearing),
                            .gathering = gathering()},
                           context, wake);
}

// One incident for all that hang together, due or not yet.
void incidents::implementation::open_new(const std::vector<std::size_t>& unassigned,
                                         const step_context& context, const standing& where, deadline& wake) {
  std::vector<std::size_t> due;
  for (const auto at : unassigned) {
    if (this->due(at, context, where, wake)) due.push_back(at);
  }
  if (due.empty()) return;
  auto& all = broken.all();
  std::vector<pair_key> keys;
  keys.reserve(unassigned.size());
  for (const auto at : unassigned) keys.push_back(all[at].first);
  clusters_of_pairs together(keys);
  const auto group_of = [&](std::size_t at) { return together.root(lower(all[at].first)); };
  std::map<std::uint32_t, std::vector<std::size_t>> groups;
  std::map<std::uint32_t, moment> opening_now;  // since when the first that is due is broken
  for (const auto at : unassigned) groups[group_of(at)].push_back(at);
  for (const auto at : due) {
    const auto& pair = all[at].second;
    const moment broken_at{pair.since, pair.since_wall};
    auto& first = opening_now.try_emplace(group_of(at), broken_at).first->second;
    if (broken_at.steady < first.steady) first = broken_at;
  }
  for (const auto& [group, first] : opening_now) {
    if (open.size() >= max_open) return;
    auto& i = begin(first, context.at);
    for (const auto at : groups[group]) {
      auto& [k, pair] = all[at];
      pair.incident = i.shown.id;
      i.last_broken = std::max(i.last_broken, pair.since);
      i.pairs.insert(k);
      i.seen.insert(k);
    }
  }
}

void incidents::implementation::record_cut(const silence::cut& cut, const step_context& context) {
  if (open.size() >= max_open) return;
  auto& i = begin(cut.since, context.at);
  show_cut(i, cut, context.members);
  for (const auto& l : lost.all()) {
    const bool across = !l.refused && cut.members.contains(l.to) && !cut.members.contains(l.from);
    if (across && l.at >= cut.since.steady - options.interval) i.seen.insert(key_of(l.from, l.to));
  }
  act(i, "recorded when those that had fallen silent came back with what they were", context.at);
}

void incidents::implementation::tell_returned(const step_context& context) {
  for (const auto& [id, since] : quiet.take_returned()) {
    const auto* m = context.members.find(id);
    if (m == nullptr) continue;
    events.write(
        event_type::member_returned, &m->name, reason::none,
        m->name.text() + " was away for " + span(context.now - since) +
            " and ran on by itself: neither members nor Rollcall reached it, and its data may differ",
        context.at);
  }
}

void incidents::implementation::look_for_cause(open_incident& i, const step_context& context,
                                               const path_book& paths) {
  if (i.shown.confirmed && i.shown.cause) return;
  const cause_question asked{.since = i.first_broken - 2 * options.interval - gathering_at_most,
                             .seen = i.seen,
                             .pairs = i.pairs,
                             .now = i.shown.cause};
  auto found = find_cause(asked, lost, broken, context, paths);
  if (!found) return;
  if (!i.shown.confirmed) i.shown.opened_at = std::min(i.shown.opened_at, found->at);
  i.shown.cause = std::move(found);
  changed = true;
}

void incidents::implementation::follow(open_incident& i, const step_context& context, const standing& where,
                                       const path_book& paths, deadline& wake) {
  bool worsened = false;
  changed |= describe(i, broken, context, where, worsened);
  look_for_cause(i, context, paths);
  if (worsened && i.announced) {
    events.write(event_type::netsplit_changed, nullptr, reason::none,
                 worsening(i.shown, i.shown.groups.size()), context.at, i.shown.id);
  }
  if (!std::exchange(i.announced, true) && !without(rule_taken::openings_are_told)) {
    const auto along = runs_along(i.shown, context.members);
    if (!along.empty()) act(i, "those it cuts off run apart from the others: " + along, context.at);
    events.write(event_type::netsplit_opened, nullptr, reason::none,
                 opening(i.shown) + (along.empty() ? "" : "; " + along), context.at, i.shown.id);
  }
  if (!i.pairs.empty() || !i.awaited.empty()) {
    i.whole.reset();
  } else if (!i.whole) {
    i.whole = context.at;
  }
  const auto confirmation = i.opened + confirmed_after * options.interval;
  wake.note(confirmation);
  // One that is whole by then is told as it closes: nothing is raised for what is over in a moment.
  const bool lasted =
      context.now >= confirmation || i.opened - i.first_broken > confirmed_after * options.interval;
  if (lasted && !i.whole) confirm(i);
  if (i.whole) wake.note(i.whole->steady + options.interval);
}

void incidents::implementation::confirm(open_incident& i) {
  if (i.shown.confirmed) return;
  i.shown.confirmed = true;
  i.shown.counted_as = i.shown.type;
  ++totals.detected[static_cast<std::size_t>(i.shown.type)];
  totals.last_start = i.shown.opened_at;
  changed = true;
}

void incidents::implementation::close(open_incident& i, const step_context& context) {
  confirm(i);
  i.shown.closed_at = std::max(i.whole->wall, i.shown.opened_at);
  i.shown.ended = i.last_fate;
  i.shown.broken_pairs = 0;
  i.shown.pairs.clear();
  const auto seconds = static_cast<double>((*i.shown.closed_at - i.shown.opened_at).count()) / 1000;
  ++totals.healed[static_cast<std::size_t>(i.shown.counted_as)];
  totals.last_end = *i.shown.closed_at;
  for (std::size_t at = 0; at < duration_bounds.size(); ++at) {
    if (seconds <= duration_bounds[at]) ++totals.duration_buckets[at];
  }
  totals.duration_sum += seconds;
  ++totals.duration_count;
  events.write(event_type::netsplit_closed, nullptr, reason::none, ending(i.shown), context.at, i.shown.id);
  closed.push_front(i.shown);
  if (closed.size() > max_remembered) closed.pop_back();
}

void incidents::implementation::close_whole(const step_context& context) {
  for (auto at = open.begin(); at != open.end();) {
    if (!at->whole || without(rule_taken::incidents_close) ||
        context.now - at->whole->steady < options.interval) {
      ++at;
      continue;
    }
    close(*at, context);
    at = open.erase(at);
    changed = true;
  }
}

void incidents::implementation::publish() {
  auto next = std::make_shared<std::vector<incident>>();
  next->reserve(open.size() + closed.size());
  for (auto at = open.rbegin(); at != open.rend(); ++at) next->push_back(at->shown);
  next->insert(next->end(), closed.begin(), closed.end());
  std::ranges::stable_sort(*next, std::ranges::greater{}, &incident::id);
  shown = std::move(next);
}

incidents::incidents(const settings& options, journal& events)
    : implementation_(std::make_unique<implementation>(options, events)) {}
incidents::~incidents() = default;
incidents::incidents(incidents&&) noexcept = default;

void incidents::restore(std::vector<incident> remembered, incident_totals totals) {
  auto& self = *implementation_;
  self.totals = std::move(totals);
  self.totals.duration_buckets.resize(duration_bounds.size());
  std::ranges::sort(remembered, {}, &incident::id);
  for (auto& i : remembered) {
    self.next_id = std::max(self.next_id, i.id + 1);
    if (i.closed_at) {
      self.closed.push_front(std::move(i));
    } else if (self.open.size() < max_open) {
      open_incident again;
      again.worst_cut = pairs_between(i.groups);
      again.shown = std::move(i);
      again.restored = again.announced = true;
      self.open.push_back(std::move(again));
    }
  }
  while (self.closed.size() > max_remembered) self.closed.pop_back();
  self.publish();
}

void incidents::reorder(std::span<const std::size_t> previous) {
  implementation_->broken.reorder(previous);
}

void incidents::lost(const member_record& from, const member_record& to, std::string_view why, moment now) {
  // Who believed in a link to the run before finds out by and by.
  const bool before = !implementation_->broken.was_whole(from.rank, to.rank);
  implementation_->lost.remember(
      {now.steady, now.wall, from.id, to.id, std::string(why), false, false, before});
}

void incidents::suspected(const member_record& from, const member_record& to, moment now) {
  implementation_->lost.remember({now.steady, now.wall, from.id, to.id, {}, true, false, false});
}

void incidents::asked(const member_record& on, const member_record& to, moment now) {
  auto* i = implementation_->concerned(on.id, to.id);
  if (i == nullptr) return;
  ++i->shown.connects_asked;
  act(*i, on.name.text() + " was asked to connect to " + to.name.text(), now);
  implementation_->changed = true;
}

void incidents::answered(const member_record& on, const member_record& to, connect_outcome outcome,
                         moment now) {
  if (outcome == connect_outcome::failed || outcome == connect_outcome::timeout)
    implementation_->lost.remember({now.steady, now.wall, on.id, to.id, {}, false, true, false});
  auto* i = implementation_->concerned(on.id, to.id);
  if (i == nullptr) return;
  if (outcome == connect_outcome::connected) {
    ++i->shown.connects_succeeded;
  } else {
    act(*i,
        on.name.text() + " could not connect to " + to.name.text() + " (" + std::string(to_string(outcome)) +
            ")",
        now);
  }
  implementation_->changed = true;
}

void incidents::told(const member_record& m, const std::string& sentence, moment now) {
  for (auto& i : implementation_->open) {
    const bool said =
        std::ranges::find(i.shown.actions, sentence, &incident_act::text) != i.shown.actions.end();
    const bool its = i.excluded.contains(m.id) ||
                     std::ranges::any_of(i.pairs, [&](pair_key k) { return concerns(k, m.id); });
    if (its && !said) implementation_->changed |= act(i, sentence, now);
  }
}

void incidents::restarted(const member_record& m, moment) {
  auto& self = *implementation_;
  self.broken.forget(m);
  self.lost.forget(m);
  for (auto& i : self.open) {
    const auto concerns = [&](pair_key k) { return lower(k) == m.id || higher(k) == m.id; };
    if (i.pairs.erase_if(concerns) == 0) continue;
    i.last_fate = incident_end::gone;
    i.excluded.erase(m.id);
    self.changed = true;
  }
}

bool incidents::evaluate(const step_context& context, const std::vector<std::vector<std::size_t>>& partitions,
                         const path_book& paths, deadline& wake) {
  auto& self = *implementation_;
  self.quiet.follow(context, self.lost);
  self.tell_returned(context);
  if (!context.starting) {
    const standing where(context.members, partitions);
    self.broken.watch(context);
    self.resolve_restored(context);
    if (!context.isolated) {
      for (const auto& cut : self.quiet.take_cuts()) self.record_cut(cut, context);
      self.open_new(self.assign_to_open(context), context, where, wake);
      for (auto& i : self.open) {
        self.settle_pairs(i, context);
        exclude(i, self.broken, context);
        self.look_for_cause(i, context, paths);
      }
      self.merge();
    }
    for (auto& i : self.open) self.follow(i, context, where, paths, wake);
    if (!context.isolated) self.close_whole(context);
  }
  if (!std::exchange(self.changed, false)) return false;
  self.publish();
  return true;
}

bool incidents::calm() const noexcept {
  const auto& self = *implementation_;
  return self.open.empty() && self.broken.all().empty() && self.quiet.calm() && !self.changed;
}
const silence& incidents::silent() const {
  return implementation_->quiet;
}

std::shared_ptr<const std::vector<incident>> incidents::all() const {
  return implementation_->shown;
}
const incident_totals& incidents::totals() const {
  return implementation_->totals;
}

}  // namespace rollcall::membership
