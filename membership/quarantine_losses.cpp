// Which lost links were the first of their tear, which of those broke soon after they had come up, and what
// explains it.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "membership/connect_requests.hpp"
#include "membership/mutation.hpp"
#include "membership/quarantine.hpp"

namespace rollcall::membership {
namespace {

// What POP does on a third node, and what erlang:disconnect_node/1 says: the link was given up by its own
// end.
constexpr std::string_view dropped_by_its_own_node = "disconnect";
constexpr std::string_view heard_nothing = "net_tick_timeout";
// What tears down after a lost link goes on for so long.
constexpr milliseconds remembered{2'000};

}  // namespace

void quarantine::admitted(std::vector<std::uint32_t> left, std::vector<std::uint32_t> right, bool replaces,
                          steady_time now) {
  if (admissions_.size() >= max_admissions) admissions_.pop_front();
  std::ranges::sort(left);
  std::ranges::sort(right);
  unsigned cuts = 0;
  if (!left.empty() && !right.empty()) {
    if (const auto* before = admission_of(left.front(), right.front()); before != nullptr && before->cut)
      cuts = before->cuts_before + 1;
  }
  admissions_.push_back({now, replaces, std::move(left), std::move(right), cuts});
}

bool quarantine::admission::joins(std::uint32_t a, std::uint32_t b) const {
  const auto apart = [this](std::uint32_t on_left, std::uint32_t on_right) {
    return std::ranges::binary_search(left, on_left) && std::ranges::binary_search(right, on_right);
  };
  return apart(a, b) || apart(b, a);
}

const quarantine::admission* quarantine::admission_of(std::uint32_t a, std::uint32_t b) const {
  for (auto at = admissions_.rbegin(); at != admissions_.rend(); ++at) {
    if (at->joins(a, b)) return &*at;
  }
  return nullptr;
}

quarantine::admission* quarantine::admission_of(std::uint32_t a, std::uint32_t b) {
  return const_cast<admission*>(std::as_const(*this).admission_of(a, b));
}

void quarantine::gained(const member_record& from, const member_record& to, bool other_holds,
                        steady_time now) {
  auto* e = find(from.id, to.id);
  if (other_holds) {
    // Both say so: requests that failed are history. One of two that dial each other at once fails, too.
    if (e == nullptr || !e->up_at) return;
    forgive(key_of(from.id, to.id), *e);
    if (!e->broke) e->not_before = {};
    return;
  }
  if (e == nullptr && lost_lately(key_of(from.id, to.id))) e = obtain(from.id, to.id);
  if (e == nullptr) return;
  e->up_at = now;
}

void quarantine::forget_pair_of(const loss& l) {
  const auto found = lost_pairs_.find(key_of(l.from, l.to));
  if (--found->second == 0) lost_pairs_.erase(found);
}

void quarantine::drop_losses(const std::function<bool(const loss&)>& which) {
  std::erase_if(losses_, [&](const loss& l) {
    const bool goes = which(l);
    if (goes) forget_pair_of(l);
    return goes;
  });
  if (losses_.empty()) lost_last_.clear();
}

void quarantine::lost(const member_record& from, const member_record& to, std::string_view why,
                      bool other_holds, steady_time now) {
  if (losses_.size() >= max_losses) {
    const auto& oldest = losses_.front();
    forget_pair_of(oldest);
    // Of so many that explain nothing, no number is worth its memory.
    if (const auto pair = key_of(oldest.from, oldest.to); !lost_lately(pair)) lost_last_.erase(pair);
    losses_.pop_front();
    flooded_ = now;
  }
  const auto told_to = [&](const member_record& m) {
    const auto at = taken_out_.find(m.id);
    return at != taken_out_.end() && now - at->second <= leaves_within;
  };
  // The other end gave it up long ago: this one was frozen, or out of reach, and finds that now.
  const bool aftermath = !other_holds && !lost_lately(key_of(from.id, to.id));
  const bool given_up = why == dropped_by_its_own_node, explained = aftermath || told_to(from) || told_to(to);
  const auto link = number_of(from.id, to.id);
  losses_.push_back({from.id, to.id, now, given_up || explained, !why.empty(), given_up && !explained,
                     why == heard_nothing, link});
  ++lost_pairs_[key_of(from.id, to.id)];
  if (auto* e = find(from.id, to.id); e != nullptr) {
    forgive(key_of(from.id, to.id), *e);
    losses_.back().up_at = std::exchange(e->up_at, std::nullopt);
  }
}

// The same for both ends of a link, as long as they tell of it in turn.
std::uint64_t quarantine::number_of(std::uint32_t from, std::uint32_t to) {
  if (losses_.empty()) lost_last_.clear();
  auto& last = lost_last_[key_of(from, to)];
  if (last.link == 0 || last.told_by == from || last.both) {
    last = {.link = ++links_lost_, .told_by = from};
  } else {
    last.both = true;
  }
  return last.link;
}

// When the lost link came up, if that was a moment ago, and not in place of one to the run before.
std::optional<steady_time> quarantine::came_up_soon(const step_context& context, const loss& l) const {
  const auto* e = find(l.from, l.to);
  const auto* a = context.members.find(l.from);
  const auto* b = context.members.find(l.to);
  if (a == nullptr || b == nullptr) return std::nullopt;
  auto came_up = l.up_at;
  if (const auto* let_in = admission_of(l.from, l.to); let_in != nullptr) {
    if (let_in->replaces && l.at - let_in->at <= replacing) return std::nullopt;
    came_up = std::max(let_in->at, came_up.value_or(let_in->at));
  }
  if (!came_up || l.at - *came_up > soon(e != nullptr ? *e : entry{}, *a, *b)) return std::nullopt;
  return came_up;
}

// It was the first of a tear; and if it was lost soon after it came up, it is held back.
void quarantine::judge(const step_context& context, const path_book& paths, const loss& l, bool reasoned) {
  auto* e = obtain(l.from, l.to);
  if (e == nullptr) return;
  e->root_lost = l.at;
  e->dropped = false;
  const auto came_up = came_up_soon(context, l);
  if (came_up && (e->strikes == 0 || e->struck_at < *came_up))
    broke_soon(context, paths, *e, l, *came_up, reasoned ? max_hold : second_hold);
}

// Nothing else of its ends has broken of late, since of links that break for a reason another one is the
// first to go each time, and it has outlived what `global` does about a new one.
bool quarantine::may_be_by_hand(const step_context& context, const loss& l, steady_time came_up) const {
  auto setuptime = connect_requests::default_setuptime;
  for (const auto id : {l.from, l.to}) {
    if (const auto* m = context.members.find(id))
      setuptime = std::max(setuptime, m->net_setuptime.value_or(setuptime));
  }
  if (l.at - came_up < setuptime + connect_requests::setuptime_margin) return false;
  return std::ranges::none_of(entries_, [&](const auto& item) {
    return item.second.strikes > 0 && (concerns(item.first, l.from) || concerns(item.first, l.to));
  });
}

// A node was dropped by others, and no link of it broke: one of them could not dial it when `global` named
// it. Which one, nobody says. So the first pair that was lost stands for it, and goes on where the last one
// of that node stopped.
bool quarantine::judge_drop(const step_context& context, const path_book& paths, const loss& l) {
  const auto came_up = came_up_soon(context, l);
  auto* e = came_up ? obtain(l.from, l.to) : nullptr;
  if (e == nullptr || (e->strikes > 0 && e->struck_at >= *came_up)) return false;
  for (const auto& [pair, other] : entries_) {
    if (other.dropped && (concerns(pair, l.from) || concerns(pair, l.to))) {
      // One that was struck since this link came up is of the same tear, or of the same cut.
      const bool counted = other.strikes > 0 && other.struck_at >= *came_up;
      e->strikes = std::max(e->strikes, other.strikes - (counted ? 1U : 0U));
    }
  }
  const bool by_hand = may_be_by_hand(context, l, *came_up);
  e->root_lost = l.at;
  e->dropped = true;
  broke_soon(context, paths, *e, l, *came_up, by_hand ? closed_hold(context.options.interval) : second_hold);
  return true;
}

// Whether a link of one of its ends broke, or one of the two stands for a drop, since the pair was let in:
// what was lost before that has nothing to do with it.
bool quarantine::explained(const loss& l, const std::map<std::uint32_t, steady_time>& by) const {
  const auto* let_in = admission_of(l.from, l.to);
  return std::ranges::any_of(std::array{l.from, l.to}, [&](std::uint32_t id) {
    const auto found = by.find(id);
    return found != by.end() && (let_in == nullptr || found->second >= let_in->at);
  });
}

void quarantine::broke_soon(const step_context& context, const path_book& paths, entry& e, const loss& l,
                            steady_time came_up, milliseconds at_most) {
  const auto* a = context.members.find(l.from);
  const auto* b = context.members.find(l.to);
  e.broke = true;
  e.came_up = came_up;
  e.steady.reset();
  e.may_be_cut = false;
  broken_.insert(key_of(l.from, l.to));
  strike(e, context.now, at_most);
  // A side that nobody asked while the link was up seems to have been dark since before that.
  std::optional<milliseconds> lit;
  steady_time dark_at{};
  for (const auto& found : {paths.last(*a, *b), paths.last(*b, *a)}) {
    if (!found || found->result == path_probe::reachable || found->asked_at <= came_up) continue;
    const auto dark_since = found->dark_since > came_up ? found->dark_since : found->asked_at;
    lit = std::max(lit.value_or(milliseconds(0)), std::min(dark_since, l.at) - came_up);
    dark_at = std::max(dark_at, found->answered_at);
  }
  if (lit) explain(key_of(l.from, l.to), e, *lit, dark_at, context.options.interval);
}

void quarantine::explain(pair_key pair, entry& e, milliseconds lit, steady_time dark_at,
                         milliseconds interval) {
  if (without(rule_taken::what_fails_is_held_back)) return;
  // Of groups that are cut again and again another pair is the first to go each time.
  if (auto* let_in = admission_of(lower(pair), higher(pair)); let_in != nullptr && !e.steady) {
    let_in->cut = true;
    e.strikes = std::max(e.strikes, let_in->cuts_before + 1);
  }
  // Once is a cut, as any mesh may have soon after it came up; only what breaks again flaps, or is one of
  // many that are cut once more.
  const auto most = e.strikes <= 1 ? milliseconds(0) : std::min(second_hold, hold(e.strikes));
  if (!e.steady) {
    e.steady = std::min(most, std::max(steady_times * lit, steady_intervals * interval));
    e.may_be_cut = e.strikes == 2;
  }
  e.dark_at = std::max(e.dark_at, dark_at);
  e.not_before = e.dark_at + *e.steady;
}

bool quarantine::may_be_cut(const member_record& a, const member_record& b) const {
  const auto* e = find(a.id, b.id);
  return e != nullptr && e->broke && e->may_be_cut;
}

void quarantine::judge_cut(const std::vector<pair_key>& pairs, bool cut) {
  for (const auto k : pairs) {
    const auto found = entries_.find(k);
    if (found == entries_.end() || !std::exchange(found->second.may_be_cut, false) || !cut) continue;
    found->second.steady = milliseconds(0);
    found->second.not_before = found->second.dark_at;
  }
}

void quarantine::settle(const step_context& context, const path_book& paths, deadline& wake) {
  // A node that died takes nobody's time.
  drop_losses([&](const loss& l) {
    if (context.now - l.at >= remembered) return true;
    const auto* a = context.members.find(l.from);
    const auto* b = context.members.find(l.to);
    return a == nullptr || b == nullptr || !a->in_mesh() || !b->in_mesh() || a->link_since > l.at ||
           b->link_since > l.at;
  });
  const bool flooded = flooded_ && context.now - *flooded_ < remembered + losses_settle;
  bool due = false;
  for (auto& l : losses_) {
    wake.note(l.at + remembered);
    if (l.judged) continue;
    if (context.now - l.at < losses_settle) {
      wake.note(l.at + losses_settle);
    } else if (flooded) {
      l.judged = true;  // what so many have in common is nothing that one pair does
    } else {
      due = true;
    }
  }
  if (due) judge_losses(context, paths);
  std::erase_if(admissions_, [&](const admission& a) { return context.now - a.at > soon_holds * max_hold; });
}

void quarantine::judge_losses(const step_context& context, const path_book& paths) {
  struct told {
    steady_time first;
    bool collateral, reasoned, dropped;
    bool judged = false;  // both ends may tell of it in one step
  };
  std::map<std::uint64_t, told> links;
  for (const auto& l : losses_) {
    const auto [at, fresh] = links.try_emplace(l.link, told{l.at, l.collateral, l.reasoned, l.dropped});
    if (fresh) continue;
    at->second.collateral |= l.collateral;
    at->second.reasoned |= l.reasoned;
    at->second.dropped |= l.dropped;
  }
  std::map<std::uint32_t, steady_time> explaining;  // when a link of theirs broke, or they stood for a drop
  const auto explains = [&](const loss& l) {
    for (const auto id : {l.from, l.to}) explaining[id] = std::max(explaining[id], l.at);
  };
  // One end may have given up, since it was told to, what the other end heard nothing of.
  for (const auto& l : losses_) {
    if (l.silent || !links.find(l.link)->second.collateral) explains(l);
  }
  for (auto& l : losses_) {
    auto& its = links.find(l.link)->second;
    if (l.judged) {
      if (l.stands) explains(l);
      continue;
    }
    if (context.now - l.at < losses_settle) continue;
    l.judged = true;
    if (its.dropped && !explained(l, explaining)) l.stands = judge_drop(context, paths, l);
    if (l.stands) explains(l);
    if (its.collateral || its.first != l.at || std::exchange(its.judged, true)) continue;
    judge(context, paths, l, its.reasoned);
  }
}

std::vector<pair_key> quarantine::linked_though_held(const step_context& context) const {
  std::vector<pair_key> found;
  for (const auto k : broken_) {
    const auto at = entries_.find(k);
    if (at == entries_.end() || !at->second.broke || at->second.not_before <= context.now) continue;
    const auto *a = context.members.find(lower(k)), *b = context.members.find(higher(k));
    if (a == nullptr || b == nullptr || !context.views.linked(a->rank, b->rank)) continue;
    // One that has outlived what counts as soon for its ticks is sound again.
    const auto tick =
        std::max(a->net_ticktime.value_or(default_ticktime), b->net_ticktime.value_or(default_ticktime));
    if (at->second.up_at && context.now - *at->second.up_at > soon_ticks * tick) continue;
    found.push_back(k);
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace rollcall::membership
