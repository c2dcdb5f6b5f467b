// What the plan asks about two groups: does every pair between them work, is it calm there, who else would be
// introduced.
#include <algorithm>

#include "membership/compatible.hpp"
#include "membership/jitter.hpp"
#include "membership/plan_round.hpp"

namespace rollcall::membership {

planner::verdict planner::look(round& r, std::size_t x, std::size_t y, quarantine::newcomer fresh,
                               bool harmless) {
  const auto &a = r.at(x), &b = r.at(y);
  if (const auto* tried = requests_.last(a, b); tried != nullptr && tried->under_way) {
    // One that hangs counts as one that fails.
    r.wake.note(tried->asked_at + quiet_time);
    return r.context.now - tried->asked_at < quiet_time ? verdict::unknown : verdict::held;
  }
  return quarantine_.look(r.context, r.paths, a, b, fresh, harmless, r.wake, r.actions);
}

void planner::look_for_refusals(const member_record& a, const member_record& b, verdict said,
                                refused_conflict& into) const {
  if (const auto since = quarantine_.proven(a, b)) into.proven = std::max(into.proven, since);
  if (const auto* on = quarantine_.proven_long_ago(a, b); on != nullptr)
    into.proven_long_ago.emplace_back(on->id, on == &a ? b.id : a.id);
  if (requests_.under_way(a, b)) {
    into.only = false;
  } else if (quarantine_.refused(a, b)) {
    const bool a_first = &quarantine_.trial_side(a, b) == &a;
    (said == verdict::works ? into.refused_once : into.pairs)
        .emplace_back(a_first ? a.id : b.id, a_first ? b.id : a.id);
  } else if (said == verdict::dark || said == verdict::held) {
    into.only = false;
  }
}

// Where others refused from both sides, one that was asked on one side only is tried as well: nothing is
// asked for in the hope that it links.
void planner::settle_refusals(refused_conflict refusals, verdict& said) {
  if (!refusals.only || (refusals.pairs.empty() && !refusals.proven)) return;
  std::ranges::move(refusals.refused_once, std::back_inserter(refusals.pairs));
  if (said == verdict::works && !refusals.pairs.empty()) said = verdict::held;
  if (said == verdict::works && !refusals.proven_long_ago.empty()) said = verdict::unknown;
  if (refusals.any()) refused_.push_back(std::move(refusals));
}

quarantine::newcomer planner::newcomer_after(const round& r, milliseconds waited) {
  const auto& how = r.context.options;
  return {.patient = waited < how.introduce_timeout, .waited = waited >= how.interval, .enters = true};
}

// Of a newcomer among so many that all pairs would be too many: those that a hash picks, which are the same
// in each step, and what is held back already.
std::vector<std::pair<std::size_t, std::size_t>> planner::pairs_between(const round& r, std::size_t g,
                                                                        std::size_t h) const {
  const auto &some = r.groups[g], &others = r.groups[h];
  if (some.size() > 1 || !too_many_enter(r, others.size()) || !std::ranges::binary_search(r.fresh, g))
    return sample_pairs(some, others, max_probed_pairs);
  const auto wanted = std::max(least_entering_pairs, max_probed_pairs / r.newcomers);
  std::uint64_t mask = 0;
  while ((others.size() / (mask + 1)) > wanted) mask = 2 * mask + 1;
  const auto& a = r.first_of(g);
  const bool known = quarantine_.knows(a.id);
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  pairs.reserve(2 * wanted);
  for (const auto y : others) {
    if ((mix(r.context.options.seed, a.id, r.ids[y]) & mask) == 0 ||
        (known && quarantine_.barred(a, r.at(y), r.context.now)))
      pairs.emplace_back(a.rank, y);
  }
  return pairs;
}

void planner::comparison::try_first(std::pair<std::size_t, std::size_t> pair,
                                    std::optional<steady_time> its_lost) {
  if (said == verdict::dark || said == verdict::held) return;
  if (said != verdict::try_first || its_lost < lost) {
    trial = pair;
    lost = its_lost;
  }
  said = verdict::try_first;
}

void planner::look_for_cut(const member_record& a, const member_record& b, verdict said,
                           perhaps_cut& into) const {
  if (said == verdict::dark || said == verdict::unknown) return;
  if (said == verdict::held && quarantine_.may_be_cut(a, b)) {
    into.pairs.push_back(key_of(a.id, b.id));
  } else {
    into.ruled_out = true;
  }
}

// First what is held back already, so that one broken pair saves the probes of all others.
planner::comparison planner::compare(round& r, std::size_t g, std::size_t h, quarantine::newcomer fresh) {
  const auto pairs = pairs_between(r, g, h);
  const bool harmless = r.alone(g) || r.alone(h);
  dark_conflict conflict{.one = r.first_of(g).id, .other = r.first_of(h).id, .pairs = {}};
  refused_conflict refusals{.one = conflict.one, .other = conflict.other};
  comparison result;
  perhaps_cut cut;
  std::vector<pair_key> recovered;
  bool unknown = false, light = false;
  for (const bool barred : {true, false}) {
    for (const auto& [x, y] : pairs) {
      const auto &a = r.at(x), &b = r.at(y);
      if (incompatible(a, b)) {
        if (result.said != verdict::dark) result.said = verdict::held;  // and nothing is wrong with it
        refusals.only = false;
        continue;
      }
      if (quarantine_.barred(a, b, r.context.now) != barred) continue;
      if (fresh.enters && r.is_silent(y)) continue;
      const bool was_dark = quarantine_.dark(a, b);
      auto said = look(r, x, y, fresh, harmless);
      // Its other side may fail, too, and between two groups that is a tear: a handshake passes first.
      if (said == verdict::works && !harmless && quarantine_.refused(a, b)) said = verdict::held;
      if (fresh.enters && passed_over(r, x, y)) continue;
      unknown |= said == verdict::unknown;
      light |= was_dark && !quarantine_.dark(a, b);
      look_for_refusals(a, b, said, refusals);
      look_for_cut(a, b, said, cut);
      if (said == verdict::dark || said == verdict::held) {
        leave_out(a.id, b.id);
        if (result.said != verdict::dark) result.said = said;
      }
      if (said == verdict::dark) {
        conflict.pairs.emplace_back(a.id, b.id);
        recovered.push_back(key_of(a.id, b.id));
        if (fresh.enters && dark_to_newcomers_.size() < witnesses) dark_to_newcomers_.insert(b.id);
      }
      if (said == verdict::try_first && !(fresh.enters && r.stands_apart(y)))
        result.try_first({x, y}, quarantine_.tried_first(a, b));
    }
    // Whether it was a cut is known when all others were looked at.
    if ((result.said == verdict::dark || result.said == verdict::held) && !cut.open()) break;
  }
  if (!cut.pairs.empty() && (cut.ruled_out || !unknown)) {
    // One and one of many say nothing: each of them may have lost the others for the other one.
    quarantine_.judge_cut(cut.pairs, cut.open() && (pairs.size() > 1 || r.groups.size() == 2));
    r.wake.note(r.context.now + milliseconds(1));
  }
  if (light) light_.insert({conflict.one, conflict.other});
  if (light && !recovered.empty()) {
    // Dark a moment ago, and one of them is light again: the others are looked at now.
    quarantine_.recovered(recovered, r.context.now);
    recovered_ = true;
    r.wake.note(r.context.now + milliseconds(1));
  }
  if (!conflict.pairs.empty()) dark_.push_back(std::move(conflict));
  if (unknown && result.said != verdict::dark && result.said != verdict::held) result.said = verdict::unknown;
  if (!harmless) settle_refusals(std::move(refusals), result.said);
  return result;
}

bool planner::barred_between(round& r, std::size_t g, std::size_t h) const {
  const auto barred = [&](const auto& pair) {
    return quarantine_.barred(r.at(pair.first), r.at(pair.second), r.context.now);
  };
  return std::ranges::any_of(sample_pairs(r.groups[g], r.groups[h], max_probed_pairs), barred);
}

// Nobody holds it, and it has believed in its own links for an interval: nobody introduces others to it.
bool planner::forsaken(const round& r, std::size_t y) const {
  bool lasts = false;
  for (const auto x : r.groups[r.group_of[y]]) {
    if (r.context.views.sees(x, y) && !r.context.suspected.sees(x, y)) return false;
    const auto half = one_way_since_.find(key_of(r.at(x).id, r.at(y).id));
    lasts |= half != one_way_since_.end() && r.context.now - half->second >= r.context.options.interval;
  }
  return lasts;
}

// One that enters does not wait for what this one would say of it, nor is it linked to it now.
bool planner::passed_over(const round& r, std::size_t newcomer, std::size_t y) const {
  return r.is_silent(y) || (quarantine_.dark(r.at(newcomer), r.at(y)) && forsaken(r, y));
}

// What is being torn is left alone: after a loss in one of the groups, or while a request is young.
bool planner::calm(round& r, std::size_t g, std::size_t h, bool newcomer) {
  const auto now = r.context.now;
  if (r.busy_until[g] > now || r.busy_until[h] > now) return false;
  const auto last = std::max(r.last_loss[g], r.last_loss[h]);
  if (!last) return true;
  const bool inside = r.torn_inside[g] || r.torn_inside[h] || g == h;
  const bool apart = !newcomer && !inside && !r.links.touch(r.groups[g], r.groups[h]);
  return now - *last >= (apart ? apart_quiet_time : quiet_time);
}

// A probe of the path from `on`, since only that end answers us; nullopt while it is not known.
std::optional<bool> planner::reaches(round& r, const member_record& on, const member_record& to) {
  if (const auto last = r.paths.last(on, to); last) {
    const bool works = last->result == path_probe::reachable;
    const auto interval = r.context.options.interval;
    if (last->asked_at >= r.context.now - (works ? 2 * interval : interval)) return works;
  }
  if (r.paths.under_way(on, to)) return std::nullopt;
  if (const auto until = r.paths.mute_until(on, to); until > r.context.now) {
    r.wake.note(*until);
    return std::nullopt;
  }
  if (!r.paths.ask(on, to, r.context.options.probe_limit, r.context.now, r.actions)) {
    r.wake.note(r.context.now + milliseconds(100));
  }
  return std::nullopt;
}

// Of one that `h` holds and `g` may not reach: one that is alive would be torn out of a healthy mesh. One
// that its own peers cannot reach either is dead or dark to them, and is ignored.
planner::verdict planner::meets(round& r, std::size_t g, std::size_t h, std::size_t met, bool barred) {
  auto worst = verdict::works;
  std::size_t asked = 0;
  for (const auto rank : r.groups[g]) {
    if (++asked > witnesses) break;
    const auto own = barred ? std::optional(false) : reaches(r, r.at(rank), r.at(met));
    if (own && *own) continue;
    const auto witness = std::ranges::find_if(
        r.groups[h], [&](std::size_t w) { return r.context.views.sees(w, met) && !r.is_silent(w); });
    const auto theirs =
        witness == r.groups[h].end() ? std::optional(false) : reaches(r, r.at(*witness), r.at(met));
    if (theirs && !*theirs) break;
    if (!own || !theirs) {
      if (worst == verdict::works) worst = verdict::unknown;
    } else {
      worst = verdict::dark;
    }
  }
  return worst;
}

// Members that `h` holds and that are none of ours to join: those on their way out, and those that we do not
// reach.
planner::verdict planner::exposed(round& r, std::size_t g, std::size_t h, bool newcomer) {
  auto worst = verdict::works;
  const auto note = [&](verdict said) {
    if (said == verdict::dark || worst == verdict::works) worst = said;
  };
  // One that is about to leave is introduced like any other, and its name may be late.
  for (const auto y : r.leaving[h]) {
    const bool barred = std::ranges::any_of(
        r.groups[g], [&](std::size_t x) { return quarantine_.barred(r.at(x), r.at(y), r.context.now); });
    if (newcomer) note(meets(r, g, h, y, barred));
    if (!newcomer && barred) return verdict::dark;
  }
  std::size_t seen = 0;
  auto others = r.unseen_seen[h];
  if (newcomer) others.insert(others.end(), r.silent[h].begin(), r.silent[h].end());
  for (const auto x : others) {
    if (++seen > witnesses) break;
    note(meets(r, g, h, x, false));
  }
  return worst;
}

// Whether a request that is still under way may link `g` with a group that `h` is kept apart from: then all
// three would be one, and what is held back would be linked.
bool planner::linked_to_what_is_held(const round& r, std::size_t g, std::size_t h) {
  return std::ranges::any_of(r.may_link[g], [&](std::size_t third) {
    const auto its = r.compared.find(std::minmax(third, h));
    return third != h && its != r.compared.end() &&
           (its->second.said == verdict::dark || its->second.said == verdict::held);
  });
}

// Two groups with members may not be joined while somebody in one believes in a dark link, or holds one that
// the other cannot reach. Not endlessly: then what is there is joined.
bool planner::blocked(round& r, std::size_t g, std::size_t h) {
  if (r.waits[g] || r.waits[h]) return true;
  const auto k = key_of(r.first_of(g).id, r.first_of(h).id);
  if (exposed(r, g, h) == verdict::works && exposed(r, h, g) == verdict::works) {
    blocked_since_.erase(k);
    return false;
  }
  const auto since = blocked_since_.try_emplace(k, r.context.now).first->second;
  const auto tick = r.first_of(g).net_ticktime.value_or(quarantine::default_ticktime);
  r.wake.note(since + waiting_ticks * tick);
  return r.context.now - since < waiting_ticks * tick;
}

// Two whose link breaks again and again, and that have linked by themselves while they are held back: when
// that link breaks, it takes with it what links they were given meanwhile. So nobody is joined to them.
void planner::wait_for_what_breaks(round& r) {
  std::size_t largest = 0;
  for (std::size_t g = 0; g < r.groups.size(); ++g) {
    if (r.groups[g].size() > r.groups[largest].size()) largest = g;
  }
  for (const auto k : quarantine_.linked_though_held(r.context)) {
    const auto *a = r.context.members.find(lower(k)), *b = r.context.members.find(higher(k));
    const auto g = r.group_of[a->rank];
    if (g == r.groups.size() || g != r.group_of[b->rank]) continue;
    const auto lacks = [&](std::size_t rank) {
      return rank != a->rank && rank != b->rank &&
             (!r.context.views.linked(a->rank, rank) || !r.context.views.linked(b->rank, rank));
    };
    if (g == largest && std::ranges::none_of(r.groups[g], lacks)) continue;
    r.waits[g] = true;
    leave_out(a->id, b->id);
  }
}

// The pair by itself, on the one that has no link: whatever comes of it, nothing can be torn.
void planner::try_alone(round& r, std::pair<std::size_t, std::size_t> pair, std::size_t g, std::size_t h) {
  auto [x, y] = pair;
  const auto alone = [&](std::size_t rank) { return r.alone(r.group_of[rank]); };
  if (!alone(x) && alone(y)) std::swap(x, y);
  const auto &a = r.at(x), &b = r.at(y);
  const auto& on = quarantine_.trial_side(a, b);
  if (r.asks()) quarantine_.trial(on, &on == &a ? b : a);
  admit(r, g, h);
  r.bursts[on.rank].push_back(&on == &a ? y : x);
}

void planner::admit(round& r, std::size_t g, std::size_t h) {
  if (!r.asks()) return;
  std::vector<std::uint32_t> left, right;
  for (const auto x : r.groups[g]) left.push_back(r.at(x).id);
  for (const auto y : r.groups[h]) right.push_back(r.at(y).id);
  quarantine_.admitted(std::move(left), std::move(right), r.links.touch(r.groups[g], r.groups[h]),
                       r.context.now);
}

// Who still holds a link that its other end has given up drops it for the new one, and all that it knows by
// then drop that other end, too. So that pair goes first, by itself.
bool planner::replace_half_link(round& r, std::size_t g, std::size_t h, bool enters) {
  if (!r.links.touch(r.groups[g], r.groups[h])) return false;
  for (const auto x : r.groups[g]) {
    for (const auto y : r.groups[h]) {
      if (r.context.views.sees(x, y) == r.context.views.sees(y, x) || incompatible(r.at(x), r.at(y)) ||
          (enters && passed_over(r, x, y)))
        continue;
      add(r, x, y);
      return true;
    }
  }
  return false;
}

void planner::join(round& r, std::size_t g, std::size_t h) {
  const bool enters = std::ranges::find(r.fresh, g) != r.fresh.end();
  if (replace_half_link(r, g, h, enters)) return admit(r, g, h);
  bool asks = false;
  for (const auto x : r.groups[g]) {
    for (const auto y : r.groups[h]) {
      if (!enters || !(passed_over(r, x, y) || r.stands_apart(y))) asks |= add(r, x, y);
    }
  }
  if (asks) admit(r, g, h);
}

// Asked where a probe worked and the last request did not fail. True when it is.
bool planner::add(round& r, std::size_t x, std::size_t y) {
  const auto &a = r.at(x), &b = r.at(y);
  if (incompatible(a, b) || requests_.under_way(a, b)) return false;
  // Who believes that there is a link has nothing to connect.
  const bool forth = r.context.views.sees(x, y), back = r.context.views.sees(y, x);
  // Both do, and answer "true" as often as they are asked: what probes find next decides.
  if (const auto* tried = requests_.last(a, b); forth && back && tried != nullptr && tried->connected) {
    const auto again = tried->answered_at + r.context.options.interval;
    if (r.context.now < again) {
      r.wake.note(again);
      return false;
    }
  }
  const auto& on = forth != back ? (forth ? b : a) : quarantine_.side_to_ask(r.context, r.paths, a, b);
  r.bursts[on.rank].push_back(&on == &a ? y : x);
  return true;
}

}  // namespace rollcall::membership
