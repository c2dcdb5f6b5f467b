// What keeps a group from being joined for a moment: links lost in it, members that others would be
// introduced to, requests just made, and links that it believes in though they are dark.
#include <algorithm>
#include <optional>

#include "membership/compatible.hpp"
#include "membership/plan_round.hpp"

namespace rollcall::membership {

void planner::find_trouble(round& r) {
  const auto count = r.groups.size();
  r.waits.assign(count, false);
  find_losses(r);
  find_who_may_be_met(r);
  find_requests(r);
  for (std::size_t g = 0; g < count; ++g) r.waits[g] = believes_in_the_dark(r, g);
}

void planner::find_losses(round& r) const {
  const auto count = r.groups.size();
  r.last_loss.assign(count, std::nullopt);
  r.torn_inside.assign(count, false);
  const auto group_of = [&](std::uint32_t id) {
    const auto* m = r.context.members.find(id);
    return m == nullptr ? count : r.group_of[m->rank];
  };
  for (const auto& l : quarantine_.losses()) {
    const auto one = group_of(l.from), other = group_of(l.to);
    for (const auto g : {one, other}) {
      if (g == count) continue;
      r.last_loss[g] = std::max<std::optional<steady_time>>(r.last_loss[g], l.at);
      if (one == other) r.torn_inside[g] = true;
    }
    r.wake.note(l.at + quiet_time);
    r.wake.note(l.at + apart_quiet_time);
  }
}

// Members of no group that a group sees: a node that joins that group is introduced to them.
void planner::find_who_may_be_met(round& r) {
  const auto size = r.context.members.size();
  rank_set unseen(size), leaving(size);
  for (const auto& m : r.context.members.all()) {
    if (r.links.mesh().contains(m->rank)) continue;
    if (m->state == member_state::leaving) leaving.insert(m->rank);
    const bool may_be_there = m->state == member_state::suspect || m->state == member_state::joining ||
                              m->state == member_state::up;
    if (m->mesh == r.first_of(0).mesh && may_be_there && !m->kept_out) unseen.insert(m->rank);
  }
  r.unseen_seen.resize(r.groups.size());
  r.leaving.resize(r.groups.size());
  const auto seen_by = [&](std::size_t g, const rank_set& some, std::vector<std::size_t>& into) {
    if (std::ranges::none_of(some.words(), [](word w) { return w != 0; })) return;
    rank_set seen(size);
    for (const auto rank : r.groups[g]) {
      for (std::size_t i = 0; i < r.links.words(); ++i) {
        seen.words()[i] |= r.context.views.sees(rank)[i] & some.words()[i];
      }
    }
    each_rank(seen.words(), [&](std::size_t rank) { into.push_back(rank); });
  };
  r.silent.resize(r.groups.size());
  const auto is_silent = [&](std::size_t rank) {
    const auto heard = std::max(r.at(rank).view_at, r.at(rank).heard_at);
    return r.context.now - heard > silent_intervals(r.context.options.interval);
  };
  for (std::size_t g = 0; g < r.groups.size(); ++g) {
    std::ranges::copy_if(r.groups[g], std::back_inserter(r.silent[g]), is_silent);
    if (r.silent[g].size() == r.groups[g].size()) r.silent[g].clear();
    seen_by(g, unseen, r.unseen_seen[g]);
    seen_by(g, leaving, r.leaving[g]);
  }
}

void planner::find_requests(round& r) const {
  r.busy_until.assign(r.groups.size(), steady_time{});
  r.may_link.assign(r.groups.size(), {});
  for (std::size_t g = 0; g < r.groups.size(); ++g) {
    for (const auto rank : r.groups[g]) {
      each_rank(requests_.busy(rank), [&](std::size_t other) {
        const auto* tried = requests_.last(r.at(rank), r.at(other));
        if (tried == nullptr) return;
        const auto begun = tried->under_way ? tried->asked_at : tried->answered_at;
        r.busy_until[g] = std::max(r.busy_until[g], begun + quiet_time);
        const auto there = r.group_of[other];
        if (there != g && there != r.groups.size() && (tried->under_way || tried->connected))
          r.may_link[g].push_back(there);
      });
    }
    if (r.busy_until[g] > r.context.now) r.wake.note(r.busy_until[g]);
  }
}

// A node that is joined to a group is passed on to the other end of a link that is dark and still believed
// in: one of them would be torn out for it. That lasts for a tick time.
bool planner::believes_in_the_dark(const round& r, std::size_t g) {
  const auto believes = [&](std::size_t rank) {
    for (std::size_t i = 0; i < r.links.words(); ++i) {
      if (r.links.dark(rank, i) != 0) return true;
    }
    return false;
  };
  const auto& first = r.first_of(g);
  if (std::ranges::none_of(r.groups[g], believes)) {
    believes_since_.erase(first.id);
    return false;
  }
  const auto since = believes_since_.try_emplace(first.id, r.context.now).first->second;
  const auto tick = first.net_ticktime.value_or(quarantine::default_ticktime);
  return r.context.now - since < waiting_ticks * tick;
}

// Two of a group whose link is held back are still linked to others in it. A node that is linked to both
// makes `global` name one to the other, and what fails between them then is torn on all sides. So it is
// linked to one of the two: to the one that lacks fewer.
void planner::find_who_stands_apart(round& r) const {
  if (r.fresh.empty()) return;
  const auto now = r.context.now;
  const auto missing_of = [&](std::size_t x, std::size_t g, const auto& visit) {
    for (std::size_t i = 0; i < r.links.words(); ++i) {
      for (auto bits = r.links.missing(x, i) & r.within[g].words()[i]; bits != 0; bits &= bits - 1) {
        const auto y = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
        if (!incompatible(r.at(x), r.at(y)) && !visit(y)) return;
      }
    }
  };
  const auto lacks = [&](std::size_t x) {
    std::size_t count = 0;
    missing_of(x, r.group_of[x], [&](std::size_t) { return ++count > 0; });
    return count;
  };
  rank_set apart(r.context.members.size());
  for (std::size_t g = 0; g < r.groups.size(); ++g) {
    if (r.groups[g].size() < 2) continue;
    // As inside a group that lacks many, which `global` is linking just now.
    auto room = 4 * r.groups[g].size() + 64;
    for (const auto x : r.groups[g]) {
      const bool known = quarantine_.knows(r.at(x).id);
      missing_of(x, g, [&](std::size_t y) {
        const bool open = known && y > x && !apart.contains(x) && !apart.contains(y);
        if (open && quarantine_.barred(r.at(x), r.at(y), now)) apart.insert(lacks(x) > lacks(y) ? x : y);
        return --room > 0;
      });
      if (room == 0) break;
    }
  }
  each_rank(apart.words(), [&](std::size_t rank) { r.apart.push_back(rank); });
}

}  // namespace rollcall::membership
