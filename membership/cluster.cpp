// One step: facts are applied in their order, every member is put where it stands now, the missing pairs are
// planned, dials and questions go out, and what readers see is drawn again if anything changed.
#include "membership/cluster.hpp"

#include <algorithm>
#include <set>

#include "membership/cluster_implementation.hpp"

namespace rollcall::membership {
namespace {

constexpr milliseconds paths_kept{120'000};

// Nodes that are known to be there and have not told their names.
std::size_t unnamed_in(const std::vector<source_report>& sources) {
  std::set<std::string_view> addresses;
  for (const auto& source : sources) {
    for (const auto& each : source.unnamed) {
      if (each.there) addresses.insert(each.address);
    }
  }
  return addresses.size();
}

}  // namespace

void cluster::implementation::start_round() {
  if (now.steady < next_round) return;
  // The rhythm is kept; rounds that nobody called for are not made up for.
  next_round = next_round + options.interval > now.steady ? next_round + options.interval
                                                          : now.steady + options.interval;
  questions::round(members, static_cast<std::uint64_t>(next_round.time_since_epoch() / options.interval),
                   probes.take_heard());
  dirty |= std::exchange(told_again, false);
  if (departing.prune(context(), sources)) dirty = true;
  paths.sweep(now.steady, std::max(paths_kept, 4 * options.interval));
  plans.sweep(context());
  planning_due = true;
}

void cluster::implementation::follow_incidents() {
  const auto& groups = partitions.follow(members, views, probes.suspected());
  deadline next(now.steady, now.steady + options.interval);
  if (splits.evaluate(context(), groups, paths, next)) dirty = true;
  next_split_look = next.next();
}

void cluster::implementation::probe(deadline& wake, std::vector<any_action>& actions) {
  if (!options.probe) return;
  if (planning_due || probing_due || now.steady >= next_probe) {
    probing_due = false;
    deadline next(now.steady, now.steady + options.interval);
    if (probes.plan(context(), paths, next, actions)) dirty = planning_due = true;
    ticks.plan(context(), next, actions);
    next_probe = next.next();
    for (const auto& found : probes.take_new()) {
      const auto* from = members.find(found.from);
      const auto* to = members.find(found.to);
      if (from != nullptr && to != nullptr) splits.suspected(*from, *to, found.at);
    }
  }
  wake.note(next_probe);
}

void cluster::implementation::end_pause(deadline& wake) {
  if (!paused_until) return;
  if (now.steady >= paused_until->steady) {
    paused_until.reset();
    dirty = planning_due = true;
  } else {
    wake.note(paused_until->steady);
  }
}

void cluster::implementation::plan(deadline& wake, std::vector<any_action>& actions) {
  if (paused_until) return;
  if (planning_due || now.steady >= next_plan) {
    planning_due = false;
    deadline next(now.steady, now.steady + options.interval);
    const auto before = plans.exclusions();
    const auto wanted = plans.would_ask();
    plans.plan(context(), paths, next, actions);
    next_plan = next.next();
    dirty |= before != plans.exclusions() || wanted != plans.would_ask();
    for (const auto& pair : plans.take_asked()) {
      const auto* on = members.find(pair.on);
      const auto* to = members.find(pair.to);
      if (on != nullptr && to != nullptr) splits.asked(*on, *to, now);
    }
    for (auto& [id, sentence] : plans.take_told()) {
      const auto* m = members.find(id);
      if (m != nullptr) splits.told(*m, sentence, now);
    }
    if (probes.look_at(plans.dark_to_newcomers(), context())) {
      probing_due = true;
      wake.note(now.steady + milliseconds(1));
    }
    if (plans.take_recovered()) {
      // Links over a path that was dark until now are worth a probe at once.
      probes.hurry(now.steady);
      probing_due = true;
      wake.note(now.steady + milliseconds(1));
    }
  }
  wake.note(next_plan);
}

void cluster::implementation::publish(deadline& wake) {
  auto next = drawn.draw(members, views, probes.suspected(), plans.quarantined(), partitions.last());
  next.incidents = splits.all();
  next.totals = splits.totals();
  for (const auto& e : plans.excluded()) {
    const auto* m = members.find(e.node);
    if (m == nullptr) continue;
    left_out out{.node = m->name, .cannot_reach = {}, .text = e.text};
    for (const auto id : e.cannot_reach) {
      if (const auto* other = members.find(id); other != nullptr) out.cannot_reach.push_back(other->name);
    }
    next.quarantine.push_back(std::move(out));
  }
  std::erase_if(next.unlisted, [&](const node_name& name) { return aside.contains(name); });
  next.hidden = aside.hidden();
  for (const auto id : splits.silent().silent_now()) {
    if (const auto* m = members.find(id); m != nullptr) next.members[m->rank].silent = true;
  }
  next.fell_silent = splits.silent().holds();
  next.at = now.wall;
  // Who is announced as leaving is listed to the end, and nobody waits for it.
  const auto staying =
      next.listed - static_cast<std::size_t>(std::ranges::count_if(
                        members.all(), [](const auto& m) { return m->listed && m->announced; }));
  next.expected = std::max(staying + unnamed_in(sources), options.expect);
  if (paused_until) next.paused_until = paused_until->wall;
  next.certificate = certificate;
  next.http_certificate = http_certificate;
  next.heal = options.heal;
  for (const auto& [on, to] : plans.would_ask()) {
    const auto *asked = members.find(on), *other = members.find(to);
    if (asked != nullptr && other != nullptr) next.would_ask.emplace_back(asked->name, other->name);
  }
  next.starting = life.starting();
  next.isolated = life.isolated();
  next.sources = sources;
  next.connect_requests = connect_requests;
  next.conditions = alarms.judge(next, now, wake);
  for (const auto& c : next.conditions) {
    const auto level = c.how_bad == severity::error ? health::error : health::warning;
    next.overall = std::max(next.overall, level);
  }
  next.events = events.last();
  next.version = ++version;
  shown = std::make_shared<const membership::snapshot>(std::move(next));
}

void cluster::implementation::take(std::span<const any_fact> facts, moment at) {
  at.steady = std::max(at.steady, now.steady);
  if (number == 0) next_round = at.steady + options.interval;
  now = at;
  if (!std::exchange(under_way, true)) ++number;
  if (paused_for) paused_until = {now.steady + *paused_for, now.wall + *paused_for};
  paused_for.reset();
  for (const auto& any : facts) {
    std::visit([this](const auto& told) { apply(told); }, any);
  }
}

step_result cluster::implementation::step(std::span<const any_fact> facts, moment at) {
  take(facts, at);
  under_way = false;
  step_result result;
  start_round();

  deadline wake(now.steady, next_round);
  std::vector<member_record*> gone;
  if (life.evaluate(members, views, now, wake, gone)) dirty = planning_due = true;
  for (auto* m : gone) forget(*m);
  settle();

  end_pause(wake);
  probe(wake, result.actions);
  plan(wake, result.actions);
  if (dirty || now.steady >= next_split_look) follow_incidents();
  wake.note(next_split_look);
  dials.plan(context(), wake);
  asks.ask(context(), wake, result.actions);
  departing.tell(context(), wake, result.actions);
  aside.dial([this](const node_name& name) { return stranger_links.contains(name); }, now.steady, wake,
             result.actions);

  // Conditions come and go with time as well: they are judged again when one of them said it would.
  if (dirty || now.steady >= next_judgement || events.has_news()) {
    dirty = false;
    deadline next(now.steady, now.steady + options.interval);
    publish(next);
    next_judgement = next.next();
    result.changed = true;
  }
  wake.note(next_judgement);
  result.events = events.take();
  result.wake = {wake.next(), now.wall + (wake.next() - now.steady)};
  return result;
}

cluster::cluster(settings s) : implementation_(std::make_unique<implementation>(s)) {
  auto empty = std::make_shared<membership::snapshot>();
  empty->incidents = implementation_->splits.all();
  implementation_->shown = std::move(empty);
}

void cluster::restore(std::vector<incident> remembered, incident_totals totals,
                      const std::vector<node_name>& out) {
  auto& self = *implementation_;
  self.splits.restore(std::move(remembered), std::move(totals));
  self.departing.restore(out);
  auto first = std::make_shared<membership::snapshot>(*self.shown);
  first->incidents = self.splits.all();
  first->totals = self.splits.totals();
  self.shown = std::move(first);
}

void cluster::show(const fact::certificate& shown) {
  auto& self = *implementation_;
  self.apply(shown);
  auto next = std::make_shared<membership::snapshot>(*self.shown);
  next->certificate = self.certificate;
  next->http_certificate = self.http_certificate;
  next->version = ++self.version;
  self.shown = std::move(next);
}

void cluster::follow(const membership::snapshot& last, bool standing_by) {
  std::vector<node_name> out;
  for (const auto& m : last.members) {
    if (m.kept_out && !m.pruned) out.push_back(m.name);
  }
  auto remembered = *last.incidents;
  for (auto& i : remembered) {
    if (!standing_by || i.ended != incident_end::open) continue;
    i.ended = incident_end::unwatched;
    i.closed_at = std::max(last.at, i.opened_at);
    i.broken_pairs = 0;
    i.pairs.clear();
  }
  restore(std::move(remembered), last.totals, out);
  auto& self = *implementation_;
  self.events.follow(last.events);
  self.version = last.version + 1;
  auto first = std::make_shared<membership::snapshot>(*self.shown);
  first->version = self.version;
  first->events = last.events;
  first->sources = last.sources;
  first->at = last.at;
  first->standing_by = standing_by;
  first->heal = self.options.heal;
  first->certificate = self.certificate = last.certificate;
  first->http_certificate = self.http_certificate = last.http_certificate;
  if (last.paused_until && *last.paused_until > last.at) self.paused_for = *last.paused_until - last.at;
  if (standing_by) {
    first->starting = false;
    first->overall = health::warning;
  }
  self.shown = std::move(first);
}

cluster::~cluster() = default;
cluster::cluster(cluster&&) noexcept = default;
cluster& cluster::operator=(cluster&&) noexcept = default;

step_result cluster::step(std::span<const any_fact> facts, moment now) {
  return implementation_->step(facts, now);
}

void cluster::take(std::span<const any_fact> facts, moment now) {
  implementation_->take(facts, now);
}

snapshot_ptr cluster::snapshot() const {
  return implementation_->shown;
}

}  // namespace rollcall::membership
