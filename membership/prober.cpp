// Which node to ask, and what the answers say: see prober.hpp and docs/membership.md.
#include "membership/prober.hpp"
#include "membership/mutation.hpp"

#include <algorithm>

namespace rollcall::membership {
namespace {

// splitmix64's finalizer.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

}  // namespace

std::uint64_t prober::mixed(std::uint64_t x) const {
  return scramble(x ^ scramble(seed_ ^ (turn_ << 20U)));
}

void prober::reorder(std::span<const std::size_t> previous) {
  suspected_.reorder(previous);
  news_ = true;
}

void prober::hurry(steady_time now) {
  hurried_at_ = now;
  for (auto& [pair, d] : doubts_) d.next = std::min(d.next, now);
  budget_ = std::max(budget_, doubts_.size());
}

void prober::forget(const member_record& m) {
  const auto concerns = [&](std::uint32_t id) { return id == m.id; };
  std::erase_if(doubts_,
                [&](const auto& e) { return concerns(e.second.first) || concerns(e.second.second); });
  std::erase_if(answers_, [&](const answer& a) { return concerns(a.a) || concerns(a.b); });
  news_ = true;
}

// A node that answers is alive, no matter what it says of others: it was at the time it was asked. So is one
// that was probed, whose answer comes over its own link to us. Outside of stars all are asked themselves.
void prober::hear(const step_context& context, const request& what, std::span<const link_probe> said) {
  if (std::ranges::all_of(said, [](link_probe one) { return one == link_probe::no_word; })) return;
  heard(context, what.on, what.sent);
  if (!few_) return;
  for (std::size_t i = 0; i < std::min(said.size(), what.to.size()); ++i) {
    if (said[i] == link_probe::answered) heard(context, what.to[i], what.sent);
  }
}

void prober::heard(const step_context& context, std::uint32_t id, steady_time sent) {
  auto* m = context.members.find(id);
  if (m == nullptr || !m->linked || sent < m->link_since) return;
  heard_.push_back(id);
  m->heard_at = std::max(m->heard_at, sent);
}

void prober::ended(const request& what) {
  if (what.what_for == purpose::canary) return;
  if (const auto asked = asked_.find(what.on); asked != asked_.end() && --asked->second == 0) {
    asked_.erase(asked);
  }
}

// Its watcher should have told before that it has lost the link.
void prober::ask_again(const step_context& context, std::uint32_t id, std::uint32_t peer) {
  auto *m = context.members.find(id), *other = context.members.find(peer);
  if (m != nullptr && other != nullptr && m->watched && context.views.sees(m->rank, other->rank))
    m->view_wanted |= !m->asking_view;
}

bool prober::probed(const fact::links_probed& told, const step_context& context) {
  const auto found = requests_.find(told.id);
  if (found == requests_.end()) return false;
  const auto what = std::move(found->second);
  requests_.erase(found);
  ended(what);
  hear(context, what, told.results);
  for (std::size_t i = 0; i < what.to.size(); ++i) {
    const auto result = i < told.results.size() ? told.results[i] : link_probe::no_word;
    const auto k = key_of(what.on, what.to[i]);
    const auto known = doubts_.find(k);
    if (known != doubts_.end()) known->second.under_way = false;
    switch (result) {
      case link_probe::answered:
        if (known != doubts_.end()) {
          light_ |= known->second.suspected;
          doubts_.erase(known);
        }
        answers_.push_back({what.on, what.to[i], what.sent});
        break;
      case link_probe::no_link:
        // The views will say so, or one of them is wrong: that is another kind of pair.
        // What is suspected stays so for as long as one of the two believes in the link.
        if (known != doubts_.end() && !known->second.suspected) doubts_.erase(known);
        ask_again(context, what.on, what.to[i]);
        break;
      case link_probe::no_word:
        if (known != doubts_.end() && !known->second.suspected) {
          if (++known->second.tries >= most_tries) {
            doubts_.erase(known);
          } else {
            known->second.next = context.now + context.options.interval;
          }
        }
        break;
      case link_probe::silent:
        if (without(rule_taken::misses_are_noticed)) break;
        if (known == doubts_.end()) {
          if (context.members.find(what.on) == nullptr || context.members.find(what.to[i]) == nullptr) break;
          doubts_.emplace(k, doubt{.first = what.on,
                                   .second = what.to[i],
                                   .missed = what.sent,
                                   .suspected = without(rule_taken::misses_are_confirmed)});
        } else if (auto& d = known->second; d.suspected) {
          // as before
        } else if (what.what_for == purpose::confirm) {
          d.suspected = true;
          if (!episode_) episode_ = d.missed;
          const auto ago = context.now - d.missed;
          new_.push_back({d.first, d.second, {d.missed, context.at.wall - ago}});
        }
        break;
    }
    news_ = true;
  }
  return true;
}

void prober::clean(const step_context& context) {
  const auto before = doubts_.size();
  std::erase_if(doubts_, [&](const auto& e) {
    const auto* a = context.members.find(e.second.first);
    const auto* b = context.members.find(e.second.second);
    return a == nullptr || b == nullptr || !a->in_mesh() || !b->in_mesh() ||
           !context.views.linked(a->rank, b->rank);
  });
  news_ |= before != doubts_.size();
  std::erase_if(answers_, [&](const answer& a) {
    return context.now - a.sent > remembered_intervals * context.options.interval;
  });
  std::erase_if(requests_, [&](const auto& e) {
    if (context.now < e.second.deadline) return false;
    ended(e.second);
    for (const auto to : e.second.to) {
      if (const auto known = doubts_.find(key_of(e.second.on, to)); known != doubts_.end()) {
        known->second.under_way = false;
      }
    }
    return true;
  });
}

void prober::round(const step_context& context, batches& asked) {
  const bool calm = doubts_.empty() && !episode_;
  few_ = false;
  ++stars_;
  for (std::size_t mesh = 0; mesh < context.members.meshes(); ++mesh) {
    const auto size = std::ranges::count_if(context.members.all(),
                                            [&](const auto& m) { return m->mesh == mesh && m->in_mesh(); });
    if (size < 2) continue;
    if (calm && static_cast<std::size_t>(size) > in_turn_up_to) {
      few_ = true;
      stars(context, shuffled(context, mesh, stars_ << 32U), asked);
    } else {
      in_turn(context, shuffled(context, mesh, 0), asked);
    }
  }
}

prober::circle prober::shuffled(const step_context& context, std::size_t mesh, std::uint64_t salt) const {
  circle found;
  for (const auto& m : context.members.all()) {
    if (m->mesh == mesh && m->in_mesh()) found.emplace_back(mixed(m->id ^ salt), m->rank);
  }
  std::ranges::sort(found);
  return found;
}

// In a turn every pair has its interval: members in a shuffled circle, offsets in a shuffled order.
void prober::in_turn(const step_context& context, const circle& members, batches& asked) {
  const auto size = members.size();
  std::vector<std::pair<std::uint64_t, std::size_t>> offsets;
  for (std::size_t d = 1; d <= size / 2; ++d) offsets.emplace_back(mixed(d << 32U), d);
  std::ranges::sort(offsets);
  const auto count = std::min({per_node, offsets.size(), std::max<std::size_t>(1, per_round / size)});
  for (std::size_t i = 0; i < count; ++i) {
    if (place_ >= offsets.size()) place_ = 0;
    const auto d = offsets[place_++].second;
    for (std::size_t at = 0; at < size; ++at) {
      const auto next = (at + d) % size;
      if (2 * d == size && next < at) continue;  // each pair once
      if (!ask(context, members[at].second, members[next].second, asked)) return;
    }
  }
  if (place_ >= offsets.size()) {
    place_ = 0;
    ++turn_;
  }
}

// Each member stands in one, and they are others in each round.
void prober::stars(const step_context& context, circle members, batches& asked) {
  const auto count = (members.size() + per_node) / (per_node + 1);
  for (std::size_t star = 0; star < count; ++star) {
    const auto begin = members.size() * star / count, end = members.size() * (star + 1) / count;
    const std::span<circle::value_type> all(&members[begin], end - begin);
    const auto free = std::ranges::find_if(
        all, [&](const auto& each) { return !asked_.contains(context.members[each.second].id); });
    if (free == all.end()) continue;
    std::swap(all.front(), *free);
    for (const auto& each : all.subspan(1)) {
      if (!ask(context, all.front().second, each.second, asked)) return;
    }
  }
}

bool prober::ask(const step_context& context, std::size_t a, std::size_t b, batches& asked) {
  // Where something is in doubt, half of what may be asked is kept for that.
  if (budget_ == 0 || (!doubts_.empty() && budget_ <= per_round / 2)) return false;
  if (!context.views.sees(a, b) || !context.views.sees(b, a)) return true;
  // Those that were tested stand for it, and are asked again; a few are tested all the same.
  if (suspected_.sees(a, b) &&
      mixed(key_of(context.members[a].id, context.members[b].id)) % inferred_tested != 0)
    return true;
  const auto& on = context.members[a];
  const auto& to = context.members[b];
  if (asked_.contains(on.id) || doubts_.contains(key_of(on.id, to.id))) return true;
  --budget_;
  asked[on.id].push_back(to.id);
  return true;
}

// Whether the two can be asked to probe each other.
bool prober::both_hold(const step_context& context, const member_record& a, const member_record& b) {
  return a.in_mesh() && b.in_mesh() && context.views.sees(a.rank, b.rank) &&
         context.views.sees(b.rank, a.rank);
}

bool prober::look_at(const std::set<std::uint32_t>& members, const step_context& context) {
  const auto lately = context.now - context.options.interval;
  std::erase_if(doubted_, [&](const auto& e) { return e.second <= lately; });
  bool any = false;
  for (const auto id : members) {
    const auto* m = context.members.find(id);
    const auto holds = [&](const auto& other) { return both_hold(context, *m, *other); };
    if (m == nullptr || doubted_.contains(id) || std::ranges::none_of(context.members.all(), holds)) continue;
    doubted_.emplace(id, context.now);
    to_look_at_.push_back(id);
    any = true;
  }
  return any;
}

// Of the others that hold a link to it, as many as stand for all. Who is being asked just now is asked then.
void prober::look_at_doubted(const step_context& context, deadline& wake, batches& asked) {
  for (const auto id : std::exchange(to_look_at_, {})) {
    const auto* m = context.members.find(id);
    if (m == nullptr) continue;
    std::size_t found = 0, chosen = 0;
    for (const auto& [order, rank] : shuffled(context, m->mesh, id)) {
      const auto& other = context.members[rank];
      if (!both_hold(context, other, *m) || suspected_.sees(rank, m->rank) ||
          doubts_.contains(key_of(other.id, id)))
        continue;
      ++found;
      const auto before = budget_;
      if (!ask(context, rank, m->rank, asked) || (chosen += before - budget_) == per_node) break;
    }
    if (found == 0 || chosen > 0) continue;
    to_look_at_.push_back(id);
    wake.note(context.now + context.options.probe_limit);
  }
}

void prober::recheck(const step_context& context, deadline& wake, batches& again, batches& confirm) {
  std::map<std::uint32_t, std::size_t> load;
  for (auto& [k, d] : doubts_) {
    if (d.under_way) continue;
    if (context.now < d.next) {
      wake.note(d.next);
      continue;
    }
    if (d.suspected) {
      // In a hurry it is asked from the other side rather than later.
      const bool hurried = hurried_at_ && context.now - *hurried_at_ < context.options.interval;
      if (hurried && load[d.asked()] >= suspected_per_node) d.from_second = !d.from_second;
      if (budget_ == 0 || load[d.asked()] >= suspected_per_node) {
        // Its turn comes: who was not asked now is first in the next interval.
        d.next = context.now + (hurried ? context.options.probe_limit : context.options.interval / 2);
        wake.note(d.next);
        continue;
      }
      --budget_;
      ++load[d.asked()];
      again[d.asked()].push_back(d.about());
      d.from_second = !d.from_second;
      d.next = context.now + context.options.interval;
    } else {
      confirm[d.asked()].push_back(d.about());
    }
    d.under_way = true;
  }
}

// One of what is suspected is asked again soon: when it answers, so are all others. It keeps nobody from
// being asked in turn.
void prober::choose_canary(const step_context& context, deadline& wake, batches& canary) {
  const auto may_go = [](const auto& e) { return e.second.suspected && !e.second.under_way; };
  if (context.now >= next_canary_) {
    const auto place = mixed(++canaries_) % doubts_.size();
    const auto middle = std::next(doubts_.begin(), static_cast<std::ptrdiff_t>(place));
    auto found = std::find_if(middle, doubts_.end(), may_go);
    if (found == doubts_.end()) found = std::find_if(doubts_.begin(), middle, may_go);
    if (found == doubts_.end() || !may_go(*found)) return;
    auto& d = found->second;
    canary[d.asked()].push_back(d.about());
    d.from_second = !d.from_second;
    d.under_way = true;
    next_canary_ = context.now + canary_pause;
  }
  wake.note(next_canary_);
}

void prober::send(const step_context& context, const batches& asked, purpose what_for,
                  std::vector<any_action>& actions) {
  const auto limit = context.options.probe_limit;
  for (const auto& [on, targets] : asked) {
    const auto* m = context.members.find(on);
    if (m == nullptr || targets.empty()) continue;
    action::probe_links ask{.id = next_request_++,
                            .on = m->name,
                            .to = {},
                            .limit = limit,
                            .confirm = what_for == purpose::confirm};
    request made{.on = on,
                 .to = {},
                 .sent = context.now,
                 .deadline = context.now + limit + answer_margin,
                 .what_for = what_for};
    for (const auto to : targets) {
      const auto* other = context.members.find(to);
      if (other == nullptr) continue;
      ask.to.push_back(other->name);
      made.to.push_back(to);
    }
    if (what_for != purpose::canary) ++asked_[on];
    requests_.emplace(ask.id, std::move(made));
    actions.emplace_back(std::move(ask));
  }
}

bool prober::plan(const step_context& context, path_book& paths, deadline& wake,
                  std::vector<any_action>& actions) {
  seed_ = context.options.seed;
  batches asked, again, confirm, more, canary;
  // A link that is dark for certain: what so few probes have not touched is looked at now.
  const bool more_wanted = few_ && episode_;
  const bool due = context.now >= next_round_ || more_wanted;
  if (due || news_ || episode_) clean(context);
  if (due) {
    next_round_ = context.now + context.options.interval;
    budget_ = per_round;
    round(context, asked);
  }
  wake.note(next_round_);
  look_at_doubted(context, wake, asked);
  if (std::exchange(light_, false) &&
      (!hurried_at_ || context.now - *hurried_at_ >= context.options.probe_limit)) {
    hurry(context.now);
  }
  if (!doubts_.empty()) {
    std::vector<pair_key> first_time;
    for (const auto& [k, d] : doubts_) {
      if (!d.under_way && !d.suspected && d.tries == 0) first_time.push_back(k);
    }
    recheck(context, wake, again, confirm);
    choose_canary(context, wake, canary);
    for (const auto k : first_time) {
      const auto known = doubts_.find(k);
      if (known == doubts_.end()) continue;
      const auto& d = known->second;
      const auto* from = context.members.find(d.first);
      const auto* to = context.members.find(d.second);
      if (from != nullptr && to != nullptr)
        paths.ask(*from, *to, context.options.probe_limit, context.now, actions);
    }
  }
  bool changed = false;
  if (std::exchange(news_, false) || episode_) {
    const auto before = suspected_.generation();
    infer(context, more, wake);
    changed = before != suspected_.generation();
  }
  for (const auto& list : {std::cref(asked), std::cref(again), std::cref(more)}) {
    send(context, list.get(), purpose::look, actions);
  }
  send(context, confirm, purpose::confirm, actions);
  send(context, canary, purpose::canary, actions);
  return changed;
}

}  // namespace rollcall::membership
