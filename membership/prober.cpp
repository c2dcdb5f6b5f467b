// Whom to ask, and what the answers say: see prober.hpp and docs/membership.md.
#include "membership/prober.hpp"
#include "membership/mutation.hpp"

#include <algorithm>
#include <numeric>

namespace rollcall::membership {
namespace {

// splitmix64's finalizer.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

bool linked(const view_matrix& views, std::size_t a, std::size_t b) {
  return views.sees(a, b) || views.sees(b, a);
}

// Groups of members that probes have joined.
class groups_by_answers {
 public:
  explicit groups_by_answers(std::size_t size) : parent_(size) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  std::size_t root(std::size_t rank) {
    while (parent_[rank] != rank) rank = parent_[rank] = parent_[parent_[rank]];
    return rank;
  }
  void join(std::size_t a, std::size_t b) { parent_[root(a)] = root(b); }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace

std::uint64_t prober::mixed(std::uint64_t x) const {
  return scramble(x ^ scramble(seed_ ^ (turn_ << 20U)));
}

void prober::reorder(std::span<const std::size_t> previous) {
  suspected_.reorder(previous);
  news_ = true;
}

void prober::hurry(milliseconds now) {
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

bool prober::probed(const fact::links_probed& told, const step_context& context) {
  const auto found = requests_.find(told.id);
  if (found == requests_.end()) return false;
  const auto what = std::move(found->second);
  requests_.erase(found);
  if (const auto asked = asked_.find(what.on); asked != asked_.end() && --asked->second == 0) {
    asked_.erase(asked);
  }
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
        } else if (what.confirm) {
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
           !linked(context.views, a->rank, b->rank);
  });
  news_ |= before != doubts_.size();
  std::erase_if(answers_, [&](const answer& a) {
    return context.now - a.sent > remembered_intervals * context.options.interval;
  });
  std::erase_if(requests_, [&](const auto& e) {
    if (context.now < e.second.deadline) return false;
    if (const auto asked = asked_.find(e.second.on); asked != asked_.end() && --asked->second == 0) {
      asked_.erase(asked);
    }
    for (const auto to : e.second.to) {
      if (const auto known = doubts_.find(key_of(e.second.on, to)); known != doubts_.end()) {
        known->second.under_way = false;
      }
    }
    return true;
  });
}

// In a turn every pair has its interval: members in a shuffled circle, offsets in a shuffled order.
void prober::round(const step_context& context, batches& asked) {
  for (std::size_t mesh = 0; mesh < context.members.meshes(); ++mesh) {
    std::vector<std::pair<std::uint64_t, std::size_t>> circle;
    for (const auto& m : context.members.all()) {
      if (m->mesh == mesh && m->in_mesh()) circle.emplace_back(mixed(m->id), m->rank);
    }
    const auto size = circle.size();
    if (size < 2) continue;
    std::ranges::sort(circle);
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
        const auto a = circle[at].second, b = circle[next].second;
        // Where something is in doubt, half of what may be asked is kept for that.
        if (budget_ == 0 || (!doubts_.empty() && budget_ <= per_round / 2)) return;
        if (!context.views.sees(a, b) || !context.views.sees(b, a)) continue;
        // Those that were tested stand for it, and are asked again; a few are tested all the same.
        if (suspected_.sees(a, b) &&
            mixed(key_of(context.members[a].id, context.members[b].id)) % inferred_tested != 0)
          continue;
        const auto& on = context.members[a];
        const auto& to = context.members[b];
        if (asked_.contains(on.id) || doubts_.contains(key_of(on.id, to.id))) continue;
        --budget_;
        asked[on.id].push_back(to.id);
      }
    }
    if (place_ >= offsets.size()) {
      place_ = 0;
      ++turn_;
    }
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
    const auto on = d.from_second ? d.second : d.first;
    const auto to = d.from_second ? d.first : d.second;
    if (d.suspected) {
      if (budget_ == 0 || load[on] >= suspected_per_node) {
        // Its turn comes: who was not asked now is first in the next interval.
        d.next = context.now + context.options.interval / 2;
        wake.note(d.next);
        continue;
      }
      --budget_;
      ++load[on];
      d.from_second = !d.from_second;
      d.next = context.now + context.options.interval;
      again[on].push_back(to);
    } else {
      confirm[on].push_back(to);
    }
    d.under_way = true;
  }
}

// What was not probed takes the state of what was, between groups whose tested pairs all failed.
void prober::infer(const step_context& context, batches& more, deadline& wake) {
  const auto& members = context.members;
  const auto size = members.size();
  const bool any = std::ranges::any_of(doubts_, [](const auto& e) { return e.second.suspected; });
  std::vector<rank_set> rows;
  if (!any) {
    episode_.reset();
  } else {
    if (!episode_) episode_ = context.now;
    rows.assign(size, rank_set(size));
    groups_by_answers groups(size);
    for (const auto& a : answers_) {
      if (a.sent < *episode_) continue;
      const auto* one = members.find(a.a);
      const auto* other = members.find(a.b);
      if (one != nullptr && other != nullptr) groups.join(one->rank, other->rank);
    }
    // By the rank of their root; empty for a rank that is no root of members in the mesh.
    std::vector<rank_set> of_root(size, rank_set(size));
    std::map<std::size_t, std::size_t> sizes;
    for (const auto& m : members.all()) {
      if (!m->in_mesh()) continue;
      const auto root = groups.root(m->rank);
      of_root[root].insert(m->rank);
      ++sizes[root];
    }
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> failed;
    for (const auto& [k, d] : doubts_) {
      // A miss that is not confirmed may be the fault of an end that answers nobody.
      if (!d.suspected) continue;
      const auto* from = members.find(d.first);
      const auto* to = members.find(d.second);
      // Either may have gone silent since it was doubted: then it stands in no group.
      if (from == nullptr || to == nullptr || !from->in_mesh() || !to->in_mesh()) continue;
      const auto a = from->rank, b = to->rank;
      rows[a].insert(b);
      rows[b].insert(a);
      if (d.missed < *episode_) continue;
      const auto one = groups.root(a), other = groups.root(b);
      if (one != other) ++failed[std::minmax(one, other)];
    }
    for (const auto& [pair, count] : failed) {
      if (count < inferred_from) continue;
      const auto& here = of_root[pair.first];
      const auto& there = of_root[pair.second];
      const auto take = [&](const rank_set& from, const rank_set& to) {
        each_rank(from.words(), [&](std::size_t rank) {
          for (std::size_t i = 0; i < context.views.row_words(); ++i) {
            rows[rank].words()[i] |=
                to.words()[i] & (context.views.sees(rank)[i] | context.views.seen_by(rank)[i]);
          }
        });
      };
      take(here, there);
      take(there, here);
    }

    // Where it is not decided yet, more is asked: every group against the two largest.
    wake.note(next_fill_);
    if (context.now >= next_fill_ && sizes.size() > 1) {
      next_fill_ = context.now + context.options.interval / 2;
      std::vector<std::pair<std::size_t, std::size_t>> ordered;  // size, root
      ordered.reserve(sizes.size());
      for (const auto& [root, count] : sizes) ordered.emplace_back(count, root);
      std::ranges::sort(ordered, std::greater{});
      for (std::size_t target = 0; target < 2 && target < ordered.size(); ++target) {
        std::vector<std::size_t> there;
        each_rank(of_root[ordered[target].second].words(), [&](std::size_t r) { there.push_back(r); });
        for (std::size_t g = target + 1; g < ordered.size(); ++g) {
          const auto pair = std::minmax(ordered[g].second, ordered[target].second);
          const auto already = failed.contains(pair) ? failed[pair] : 0;
          if (already >= inferred_from) continue;
          std::vector<std::size_t> here;
          each_rank(of_root[ordered[g].second].words(), [&](std::size_t r) { here.push_back(r); });
          const auto wanted = std::min(inferred_from + 2, here.size() * there.size());
          const auto start = mixed(ordered[g].second ^ static_cast<std::uint64_t>(context.now.count()));
          std::size_t found = already;
          for (std::size_t n = 0; n < 4 * wanted && found < wanted && budget_ > 0; ++n) {
            const auto a = here[n % here.size()];
            const auto b = there[(start + n * 7919) % there.size()];
            if (!linked(context.views, a, b) || doubts_.contains(key_of(members[a].id, members[b].id)))
              continue;
            auto& list = more[members[a].id];
            if (std::ranges::find(list, members[b].id) != list.end()) continue;
            list.push_back(members[b].id);
            --budget_;
            ++found;
          }
        }
      }
    }
  }
  if (!any && !suspected_.any()) return;
  for (std::size_t rank = 0; rank < size; ++rank) {
    if (rows.empty()) {
      suspected_.clear(rank);
    } else {
      suspected_.replace(rank, rows[rank]);
    }
  }
}

void prober::send(const step_context& context, const batches& asked, bool confirm,
                  std::vector<any_action>& actions) {
  const auto limit = context.options.probe_limit;
  for (const auto& [on, targets] : asked) {
    const auto* m = context.members.find(on);
    if (m == nullptr || targets.empty()) continue;
    action::probe_links ask{
        .id = next_request_++, .on = m->name, .to = {}, .limit = limit, .confirm = confirm};
    request made{.on = on,
                 .to = {},
                 .sent = context.now,
                 .deadline = context.now + limit + answer_margin,
                 .confirm = confirm};
    for (const auto to : targets) {
      const auto* other = context.members.find(to);
      if (other == nullptr) continue;
      ask.to.push_back(other->name);
      made.to.push_back(to);
    }
    ++asked_[on];
    requests_.emplace(ask.id, std::move(made));
    actions.emplace_back(std::move(ask));
  }
}

bool prober::plan(const step_context& context, path_book& paths, deadline& wake,
                  std::vector<any_action>& actions) {
  seed_ = context.options.seed;
  batches asked, again, confirm, more;
  const bool due = context.now >= next_round_;
  if (due || news_ || episode_) clean(context);
  if (due) {
    next_round_ = context.now + context.options.interval;
    budget_ = per_round;
    round(context, asked);
  }
  wake.note(next_round_);
  if (std::exchange(light_, false) && context.now - hurried_at_ >= context.options.probe_limit) {
    hurry(context.now);
  }
  if (!doubts_.empty()) {
    std::vector<pair_key> first_time;
    for (const auto& [k, d] : doubts_) {
      if (!d.under_way && !d.suspected && d.tries == 0) first_time.push_back(k);
    }
    recheck(context, wake, again, confirm);
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
    const auto before = suspected_.bits();
    infer(context, more, wake);
    changed = before != suspected_.bits();
  }
  for (const auto& list : {std::cref(asked), std::cref(again), std::cref(more)}) {
    send(context, list.get(), false, actions);
  }
  send(context, confirm, true, actions);
  return changed;
}

}  // namespace rollcall::membership
