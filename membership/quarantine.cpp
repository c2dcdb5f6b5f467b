#include "membership/quarantine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "membership/jitter.hpp"
#include "membership/mutation.hpp"

namespace rollcall::membership {

const member_record& preferred(const member_record& a, const member_record& b, bool both_loners) {
  if (a.entry != b.entry) return a.entry > b.entry ? a : b;
  const auto& lesser = a.name < b.name ? a : b;
  const auto& greater = a.name < b.name ? b : a;
  if (both_loners) return (a.rank + b.rank) % 2 == 0 ? lesser : greater;
  return greater;
}

milliseconds quarantine::hold(unsigned strikes) {
  if (strikes <= 1) return first_hold;
  if (strikes <= 3) return second_hold;
  return std::min(max_hold, second_hold * (1U << std::min(strikes - 3, 10U)));
}

milliseconds quarantine::soon(const entry& e, const member_record& a, const member_record& b) {
  const auto tick =
      std::max(a.net_ticktime.value_or(default_ticktime), b.net_ticktime.value_or(default_ticktime));
  return std::max(soon_ticks * tick, soon_holds * hold(std::max(e.strikes, 1U)));
}

// The plan asks several things about a pair before it comes to the next one.
const quarantine::entry* quarantine::find(std::uint32_t a, std::uint32_t b) const {
  const auto k = key_of(a, b);
  if (k != found_key_) {
    const auto known = entries_.find(k);
    found_key_ = k;
    found_ = known != entries_.end() ? &known->second : nullptr;
  }
  return found_;
}

quarantine::entry* quarantine::find(std::uint32_t a, std::uint32_t b) {
  return const_cast<entry*>(std::as_const(*this).find(a, b));
}

quarantine::entry* quarantine::obtain(std::uint32_t a, std::uint32_t b) {
  if (auto* known = find(a, b); known != nullptr) return known;
  if (entries_.size() >= max_entries) return nullptr;
  found_key_ = no_key;
  ++kept_of_[a];
  ++kept_of_[b];
  return &entries_[key_of(a, b)];
}

void quarantine::strike(entry& e, steady_time now, milliseconds at_most) {
  ++e.strikes;
  e.struck_at = now;
  e.not_before =
      without(rule_taken::what_fails_is_held_back) ? now : now + std::min(at_most, hold(e.strikes));
}

// One of two that dial each other at once fails, too. Where the same side fails each time, the other one is
// asked.
void quarantine::forgive(pair_key pair, entry& e) {
  if (e.failed_sides == lower_side) doors_.found(lower(pair), higher(pair), e.failed_at);
  if (e.failed_sides == higher_side) doors_.found(higher(pair), lower(pair), e.failed_at);
  e.failed_sides = 0;
}

void quarantine::trial(const member_record& on, const member_record& to) {
  if (auto* e = obtain(on.id, to.id); e != nullptr) e->trial = true;
}

void quarantine::connected(std::uint32_t on, std::uint32_t to) {
  doors_.dialled(on, to);
  auto* e = find(on, to);
  if (e == nullptr) return;
  e->failed_sides &= ~side(on, to);
  forgive(key_of(on, to), *e);
  e->proven.reset();
  e->trial = e->misled = false;
  e->dark_rounds = 0;
  e->root_lost.reset();
  // What broke while it was up is not forgiven by coming up.
  if (!e->broke) e->not_before = {};
}

// The other side is asked at once; when both have failed it waits.
void quarantine::failed(std::uint32_t on, std::uint32_t to, const step_context& context) {
  auto* e = obtain(on, to);
  if (e == nullptr) return;
  e->failed_sides |= side(on, to);
  e->last_failed_on = on;
  e->failed_at = context.now;
  const bool trial = std::exchange(e->trial, false);
  if (e->failed_sides != both_sides) {
    e->next_trial = context.now;
    return;
  }
  if (std::exchange(e->proven, std::nullopt)) e->misled = true;
  const auto pause = trial_pause(context.options.interval);
  e->next_trial = context.now + jittered(pause, context.options.seed, on ^ to, e->strikes) - pause / 10;
  if (trial && e->strikes > 0) {
    e->not_before = std::max(e->not_before, context.now + hold(e->strikes));
  } else {
    strike(*e, context.now, max_hold);
  }
}

// A restart may have cured it, so that it is let in at once, by itself first. It seldom has: when it breaks
// once more, its hold goes on where it was.
void quarantine::restarted(const member_record& m) {
  for (auto& [pair, e] : entries_) {
    if (!concerns(pair, m.id)) continue;
    entry known;
    known.strikes = e.strikes;
    known.struck_at = e.struck_at;
    known.failed_sides = e.failed_sides;
    known.last_failed_on = e.last_failed_on;
    known.failed_at = e.failed_at;
    e = known;
  }
  drop_entries([&](pair_key pair, const entry& e) {
    return concerns(pair, m.id) && e.strikes == 0 && e.failed_sides == 0;
  });
  forget_links(m);
}

void quarantine::forget(const member_record& m) {
  drop_entries([&](pair_key pair, const entry&) { return concerns(pair, m.id); });
  forget_links(m);
}

void quarantine::drop_entries(const std::function<bool(pair_key, const entry&)>& which) {
  found_key_ = no_key;
  std::erase_if(entries_, [&](const auto& item) {
    if (!which(item.first, item.second)) return false;
    for (const auto id : {lower(item.first), higher(item.first)}) {
      if (const auto of = kept_of_.find(id); --of->second == 0) kept_of_.erase(of);
    }
    return true;
  });
}

void quarantine::forget_links(const member_record& m) {
  doors_.forget(m.id);
  drop_losses([&](const loss& l) { return l.from == m.id || l.to == m.id; });
  std::erase_if(broken_, [&](pair_key k) { return concerns(k, m.id); });
  taken_out_.erase(m.id);
  for (auto& a : admissions_) {
    for (auto* side : {&a.left, &a.right}) {
      const auto found = std::ranges::lower_bound(*side, m.id);
      if (found != side->end() && *found == m.id) side->erase(found);
    }
  }
}

void quarantine::hurry(steady_time now) {
  for (auto& [pair, e] : entries_) {
    e.next_probe = e.next_trial = now;
    e.not_before = {};
  }
}

void quarantine::recovered(const std::vector<pair_key>& pairs, steady_time now) {
  for (const auto k : pairs) {
    if (const auto found = entries_.find(k); found != entries_.end()) found->second.next_probe = now;
  }
}

void quarantine::sweep(const step_context& context) {
  drop_entries([&](pair_key pair, const entry& e) {
    const auto* a = context.members.find(lower(pair));
    const auto* b = context.members.find(higher(pair));
    if (a == nullptr || b == nullptr) return true;
    const auto last =
        std::max({e.struck_at, e.root_lost.value_or(steady_time{}), e.up_at.value_or(steady_time{})});
    return context.views.sees(a->rank, b->rank) && context.views.sees(b->rank, a->rank) &&
           context.now - last > soon(e, *a, *b);
  });
  doors_.sweep(context.now - max_hold);
  std::erase_if(broken_, [&](pair_key k) {
    const auto found = entries_.find(k);
    return found == entries_.end() || !found->second.broke;
  });
}

quarantine::verdict quarantine::look(const step_context& context, path_book& paths, const member_record& a,
                                     const member_record& b, newcomer fresh, bool harmless, deadline& wake,
                                     std::vector<any_action>& actions) {
  auto* e = find(a.id, b.id);
  if (e != nullptr) {
    if (e->broke && e->not_before > context.now) {
      look_for_darkness(context, paths, *e, a, b, wake, actions);
    }
    if (e->not_before <= context.now) e->broke = false;
    if (const auto tried = look_at_handshakes(context, paths, *e, a, b, harmless, wake)) {
      if (*tried == verdict::held) look_at_mapper(context, paths, *e, a, b, actions);
      return *tried;
    }
    const bool waits = e->not_before > context.now && !e->proven && (!harmless || e->broke);
    const bool pauses = harmless && e->failed_sides != 0 && e->next_trial > context.now;
    if (waits || pauses) {
      wake.note(waits ? e->not_before : e->next_trial);
      if (e->failed_sides != 0) look_at_mapper(context, paths, *e, a, b, actions);
      return verdict::held;
    }
  }
  if (without(rule_taken::paths_are_proven)) return verdict::works;
  const auto path = look_at_path(context, paths, a, b, e, fresh, wake, actions);
  if (path != verdict::works || e == nullptr || !harmless) return path;
  if (e->failed_sides == lower_side || e->failed_sides == higher_side) {
    return look_at_sides(context, paths, *e, a, b, actions);
  }
  // Linked to one of a mesh alone, it would be dialled by all others, in vain.
  if (e->failed_sides == 0 && doors_.of(a.id, b.id) && (e->dropped || !e->root_lost)) return path;
  const bool doubtful = e->failed_sides != 0 || e->root_lost || e->strikes > 0;
  return doubtful ? verdict::try_first : verdict::works;
}

// Where one of two cannot dial the other, and the other one can, a link to one of a mesh alone would do harm:
// `global` on all others would dial in vain. So it is to ask for all of them at once.
quarantine::verdict quarantine::look_at_sides(const step_context& context, path_book& paths, const entry& e,
                                              const member_record& a, const member_record& b,
                                              std::vector<any_action>& actions) {
  const bool a_failed = (e.failed_sides & side(a.id, b.id)) != 0;
  const auto& failed = a_failed ? a : b;
  const auto& other = a_failed ? b : a;
  const auto answers = [&](const member_record& on, const member_record& to) -> std::optional<bool> {
    const auto known = paths.last(on, to, probed_port::mapper);
    if (known && known->asked_at >= e.failed_at) return known->result == path_probe::reachable;
    const bool asked =
        paths.ask(on, to, context.options.probe_limit, context.now, actions, probed_port::mapper);
    return asked ? std::nullopt : std::optional(true);
  };
  const auto there = answers(failed, other), back = answers(other, failed);
  if (!there || !back) return verdict::unknown;
  return !*there && *back ? verdict::works : verdict::try_first;
}

// A path that was dark is looked at in every interval: what is light now and dark again in a moment is not
// over. One that nobody has looked at since its link broke is looked at within an interval: where many break
// at once, not all of them were probed before, and a path that is dark then would explain it.
void quarantine::look_for_darkness(const step_context& context, path_book& paths, entry& e,
                                   const member_record& a, const member_record& b, deadline& wake,
                                   std::vector<any_action>& actions) {
  const auto interval = context.options.interval;
  const bool explained = e.steady.has_value();
  const auto lit = explained ? milliseconds(0) : std::max(e.struck_at - e.came_up, milliseconds(0));
  std::optional<steady_time> asked;
  for (const auto* on : {&a, &b}) {
    const auto found = paths.last(*on, on == &a ? b : a);
    if (!found) continue;
    asked = std::max<std::optional<steady_time>>(asked, found->asked_at);
    const bool news = explained ? found->answered_at > e.dark_at
                                : found->asked_at > e.came_up && found->asked_at <= e.struck_at + interval;
    if (found->result != path_probe::reachable && news) {
      explain(key_of(a.id, b.id), e, lit, found->answered_at, interval);
    }
  }
  if (paths.under_way(a, b) || paths.under_way(b, a)) return;
  if (!e.steady && (asked >= e.struck_at || context.now > e.struck_at + interval)) return;
  if (e.steady && asked && context.now < *asked + interval) {
    wake.note(*asked + interval);
    return;
  }
  if (!paths.ask(a, b, context.options.probe_limit, context.now, actions) &&
      !paths.ask(b, a, context.options.probe_limit, context.now, actions)) {
    wake.note(context.now + interval);
  }
}

bool quarantine::current(const step_context& context, const path_book::finding& found) {
  return found.answered_at >= context.now - proof_limits * context.options.probe_limit &&
         found.asked_at >= context.now - proof_intervals * context.options.interval;
}

bool quarantine::path_works(const step_context& context, const path_book& paths, const member_record& a,
                            const member_record& b, std::optional<steady_time> asked_since) {
  const auto proves = [&](const std::optional<path_book::finding>& found) {
    return found && found->result == path_probe::reachable && found->asked_at >= asked_since &&
           current(context, *found);
  };
  return proves(paths.last(a, b)) || proves(paths.last(b, a));
}

bool quarantine::proven_lately(const step_context& context, const path_book& paths, const member_record& a,
                               const member_record& b, std::optional<steady_time> asked_since) {
  const auto since = std::max<std::optional<steady_time>>(
      asked_since, context.now - proof_intervals * context.options.interval);
  const auto proves = [&](const std::optional<path_book::finding>& found) {
    return found && found->result == path_probe::reachable && found->asked_at >= since;
  };
  return proves(paths.last(a, b)) || proves(paths.last(b, a));
}

// Whether a path between the two is known to work, by a probe that is not too old; asks where it is not
// known.
quarantine::verdict quarantine::look_at_path(const step_context& context, path_book& paths,
                                             const member_record& a, const member_record& b, entry* e,
                                             newcomer fresh, deadline& wake,
                                             std::vector<any_action>& actions) {
  const auto limit = context.options.probe_limit;
  const auto proven_since = e == nullptr ? std::nullopt : std::optional(e->since);
  if (path_works(context, paths, a, b, proven_since)) {
    if (e != nullptr) e->dark_rounds = 0;
    return verdict::works;
  }
  const bool dark = e != nullptr && e->dark_rounds > 0;
  if (fresh.waited && !dark && proven_lately(context, paths, a, b, proven_since)) {
    const auto& on = preferred(a, b, false);
    paths.ask(on, &on == &a ? b : a, limit, context.now, actions);
    return verdict::works;
  }
  if (dark && context.now < e->next_probe) {
    wake.note(e->next_probe);
    return verdict::dark;
  }
  // The newer one first: it has least to lose, and when one cannot resolve the other yet, it is the older.
  const auto& first = preferred(a, b, false);
  const auto& second = &first == &a ? b : a;
  bool mute = false;
  for (const auto* on : {&first, &second}) {
    const auto& to = on == &first ? second : first;
    if (paths.under_way(*on, to)) return verdict::unknown;
    const auto last = paths.last(*on, to);
    // It failed, or it would work.
    if (last && (dark ? last->asked_at >= e->next_probe : current(context, *last))) continue;
    if (const auto until = paths.mute_until(*on, to); until > context.now) {
      wake.note(*until);
      mute = true;
      continue;
    }
    if (!paths.ask(*on, to, limit, context.now, actions)) wake.note(context.now + milliseconds(100));
    return verdict::unknown;
  }
  if (mute) return verdict::unknown;
  no_path(context, a, b, fresh.patient, wake);
  return verdict::dark;
}

void quarantine::no_path(const step_context& context, const member_record& a, const member_record& b,
                         bool patient, deadline& wake) {
  auto* e = obtain(a.id, b.id);
  if (e == nullptr) return;
  ++e->dark_rounds;
  e->since = context.now;
  if (e->broke)
    explain(key_of(a.id, b.id), *e, std::max(e->struck_at - e->came_up, milliseconds(0)), context.now,
            context.options.interval);
  const auto interval = context.options.interval;
  const auto doublings = patient ? 0U : std::min(e->dark_rounds - 1, 10U);
  const auto longest = std::min(max_probe_pause, max_probe_intervals * interval);
  const auto pause = std::min(longest, interval * (1U << doublings));
  e->next_probe = without(rule_taken::probes_pause)
                      ? context.now
                      : context.now + jittered(pause, context.options.seed, a.id ^ b.id, e->dark_rounds);
  wake.note(e->next_probe);
}

void quarantine::look_at_mapper(const step_context& context, path_book& paths, const entry& e,
                                const member_record& a, const member_record& b,
                                std::vector<any_action>& actions) {
  for (const auto* on : {&a, &b}) {
    const auto& to = on == &a ? b : a;
    if ((e.failed_sides & side(on->id, to.id)) == 0) continue;
    const auto known = paths.last(*on, to, probed_port::mapper);
    if (known && known->asked_at >= e.failed_at) continue;
    paths.ask(*on, to, context.options.probe_limit, context.now, actions, probed_port::mapper);
  }
}

const member_record& quarantine::side_to_ask(const step_context& context, const path_book& paths,
                                             const member_record& a, const member_record& b) const {
  const auto* on = &preferred(a, b, false);
  const auto* to = on == &a ? &b : &a;
  const auto worked = [&](const member_record& from, const member_record& other) {
    const auto found = paths.last(from, other);
    return found && found->result == path_probe::reachable && current(context, *found);
  };
  if (!worked(*on, *to) && worked(*to, *on)) std::swap(on, to);
  const auto* e = find(a.id, b.id);
  if (e == nullptr || e->failed_sides == 0) return behind_a_closed_door(*on, *to) ? *to : *on;
  if (e->proven) return passed_handshake(paths, *e, *on, *to) ? *on : *to;
  const bool this_failed = (e->failed_sides & side(on->id, to->id)) != 0;
  const bool that_failed = (e->failed_sides & side(to->id, on->id)) != 0;
  if (this_failed && (!that_failed || e->last_failed_on == on->id)) return *to;
  return *on;
}

// `to` could not be dialled from `on`, or, of a pair of which nothing is known, from others.
bool quarantine::behind_a_closed_door(const member_record& on, const member_record& to) const {
  if (const auto closed = doors_.of(on.id, to.id)) return *closed == to.id;
  return doors_.to_somebody(to.id) && !doors_.to_somebody(on.id);
}

const member_record& quarantine::trial_side(const member_record& alone, const member_record& other) const {
  const auto* e = find(alone.id, other.id);
  if (e == nullptr || e->failed_sides == 0) return behind_a_closed_door(alone, other) ? other : alone;
  if ((e->failed_sides & side(alone.id, other.id)) == 0) return alone;  // the other one has failed
  const bool there = (e->failed_sides & side(other.id, alone.id)) != 0;
  return !there || e->last_failed_on == alone.id ? other : alone;
}

bool quarantine::dark(const member_record& a, const member_record& b) const {
  const auto* e = find(a.id, b.id);
  return e != nullptr && e->dark_rounds > 0;
}

bool quarantine::barred(const member_record& a, const member_record& b, steady_time now) const {
  const auto* e = find(a.id, b.id);
  return e != nullptr && (e->dark_rounds > 0 || e->failed_sides != 0 || e->not_before > now);
}

std::optional<steady_time> quarantine::tried_first(const member_record& a, const member_record& b) const {
  const auto* e = find(a.id, b.id);
  if (e == nullptr || e->failed_sides != 0) return std::nullopt;
  return e->root_lost ? e->root_lost : e->struck_at;
}

quarantine::fault quarantine::what_fails(const path_book& paths, const member_record& a,
                                         const member_record& b) const {
  const auto* e = find(a.id, b.id);
  if (e == nullptr) return fault::none;
  if (e->dark_rounds > 0) return fault::path;
  if (e->broke) return fault::breaks;
  if (e->failed_sides == 0) return fault::none;
  for (const auto* on : {&a, &b}) {
    const auto& to = on == &a ? b : a;
    if ((e->failed_sides & side(on->id, to.id)) == 0) continue;
    const auto mapper = paths.last(*on, to, probed_port::mapper);
    if (mapper && mapper->result != path_probe::reachable) return fault::port_mapper;
  }
  return fault::handshake;
}

quarantine::trouble quarantine::trouble_of(const path_book& paths, const member_record& from,
                                           const member_record& to, bool linked) const {
  const auto found = [&](const member_record& on, const member_record& other, probed_port port) {
    const auto last = paths.last(on, other, port);
    return last ? std::optional(last->result) : std::nullopt;
  };
  const auto* e = find(from.id, to.id);
  trouble now{.what = what_fails(paths, from, to)};
  if (now.what == fault::handshake) return now;
  const auto port = now.what == fault::port_mapper ? probed_port::mapper : probed_port::distribution;
  now.forth = found(from, to, port);
  now.back = found(to, from, port);
  if (now.what == fault::port_mapper) return now;
  now.works = now.forth == path_probe::reachable || now.back == path_probe::reachable;
  // Its path works again, and has to stay so.
  if (now.what == fault::path && e->broke && now.works) now.what = fault::breaks;
  now.linked = now.what == fault::breaks && linked;
  return now;
}

std::string quarantine::describe(const trouble& now, const node_name& to) {
  const auto text = [](const std::optional<path_probe>& found) {
    return found ? to_string(*found) : std::string_view("not probed");
  };
  switch (now.what) {
    case fault::port_mapper:
      return fmt::format(
          "it cannot link with {}: the distribution port answers, the port mapper does not (port mapper from "
          "it: {}, from there: {})",
          to.text(), text(now.forth), text(now.back));
    case fault::handshake:
      return fmt::format(
          "it cannot link with {}: the path works, and the handshake fails (their cookies for each other, "
          "net_kernel:allow/1, or what stands in between)",
          to.text());
    case fault::breaks:
      return fmt::format(
          "its link with {} comes up, and breaks again soon{}", to.text(),
          now.linked ? "; it is up now, and nobody else is joined to the two until it has lasted" : "");
    case fault::none:
      if (now.works)
        return fmt::format("its link with {} was lost, and is asked for by itself first", to.text());
      break;
    case fault::path:
      break;
  }
  return fmt::format("it has no path to {} (from it: {}, from there: {})", to.text(), text(now.forth),
                     text(now.back));
}

}  // namespace rollcall::membership
