// A word at a time, so that a whole mesh costs next to nothing.
#include "membership/broken_pairs.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace rollcall::membership {
namespace {

// What we know of its links is no older than this: whose watcher reports changes has a view as new as that
// one's last word, once it was asked for all that it saw before. That the node answers says nothing of it.
steady_time last_told(const member_record& m) {
  return m.watched && !m.view_doubted && m.view_of >= m.watched_at ? std::max(m.view_of, m.told_at)
                                                                   : m.view_of;
}

}  // namespace

bool counts(const member_record& m) {
  return m.in_mesh() && !m.kept_out && !m.stopping;
}

void broken_pairs::forget(const member_record& m) {
  counted_.reset();
  if (m.rank < ever_.size()) {
    ever_.clear(m.rank);
    for (std::size_t rank = 0; rank < ever_.size(); ++rank) ever_.unset(rank, m.rank);
  }
  std::erase_if(pairs_, [&](const auto& e) { return lower(e.first) == m.id || higher(e.first) == m.id; });
}

const broken_pair* broken_pairs::find(pair_key k) const {
  const auto found = find_in_turn(pairs_, k, last_, &list::value_type::first);
  return found == pairs_.end() ? nullptr : &found->second;
}
broken_pair* broken_pairs::find(pair_key k) {
  return const_cast<broken_pair*>(
      std::as_const(*this).find(k));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

bool broken_pairs::ever_whole(std::size_t rank) const {
  return std::ranges::any_of(ever_.sees(rank), [](word w) { return w != 0; });
}

word broken_pairs::broken_word(const step_context& context, const compatible_sets& mesh,
                               const member_record& m, std::size_t index) const {
  auto bits = ~(context.views.sees(m.rank)[index] & context.views.seen_by(m.rank)[index]);
  bits |= context.suspected.sees(m.rank)[index];
  return bits & mesh.partners(m, index);
}

// Fills the degrees, and remembers what is whole until one of the two ends is restarted.
std::size_t broken_pairs::count(const step_context& context, const compatible_sets& mesh) {
  const auto& members = context.members;
  degrees_.assign(members.size(), 0);
  std::size_t total = 0;
  for (const auto& m : members.all()) {
    if (!counts(*m)) continue;
    for (std::size_t i = 0; i < context.views.row_words(); ++i) {
      degrees_[m->rank] += bits_in(broken_word(context, mesh, *m, i));
      auto whole =
          context.views.sees(m->rank)[i] & context.views.seen_by(m->rank)[i] & ~ever_.sees(m->rank)[i];
      for (; whole != 0; whole &= whole - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(whole));
        ever_.set(m->rank, rank);
        ever_.set(rank, m->rank);
      }
    }
    total += degrees_[m->rank];
  }
  return total;
}

broken_pair broken_pairs::look(const step_context& context, const ends& of, const broken_pair* known) const {
  const auto &a = *of.a, &b = *of.b;
  auto pair = known != nullptr ? *known : broken_pair{.since = context.now, .since_wall = context.at.wall};
  const bool forth = context.views.sees(a.rank, b.rank), back = context.views.sees(b.rank, a.rank);
  const bool suspected = (forth || back) && context.suspected.sees(a.rank, b.rank);
  const bool one_way = forth != back && !suspected;
  if (one_way && !pair.one_way) pair.one_way_since = context.now;
  pair.one_way = one_way;
  pair.ever = ever_.sees(a.rank, b.rank);
  // Not connected by our own decision, for a while.
  if (!context.held.empty() && (context.held.contains(a.id) || context.held.contains(b.id)))
    pair.held = context.now;
  if (!suspected && forth == back) {
    // missing: a suspicion that turned out right keeps its time
  } else if (!suspected) {
    pair.suspected_at.reset();
  } else if (!pair.suspected_at) {
    pair.suspected_at = context.now;
  }
  return pair;
}

// In order of their keys.
void broken_pairs::find_broken(const step_context& context, const compatible_sets& mesh, std::size_t total) {
  const auto& members = context.members;
  // Of more than can be followed one by one, some of each member stand for all.
  const bool sampled = total / 2 > max_pairs;
  const auto most =
      sampled ? std::max<std::size_t>(1, max_pairs / std::max<std::size_t>(1, mesh.count())) : members.size();
  auto& found = found_;
  found.clear();
  found.reserve(std::min(total, max_pairs));
  for (const auto& m : members.all()) {
    if (total == 0 || !counts(*m) || degrees_[m->rank] == 0) continue;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < context.views.row_words() && taken < most; ++i) {
      for (auto bits = broken_word(context, mesh, *m, i); bits != 0 && taken < most; bits &= bits - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
        ++taken;
        // It is broken for both of its ends.
        if (sampled || rank > m->rank)
          found.push_back({key_of(m->id, members[rank].id), m.get(), &members[rank]});
      }
    }
  }
  for (auto& of : found) {
    if (of.a->id > of.b->id) std::swap(of.a, of.b);
  }
  // Members that were listed in order of their names have ids in that order, too.
  if (!std::ranges::is_sorted(found, {}, &ends::key)) std::ranges::sort(found, {}, &ends::key);
  const auto same = [](const ends& a, const ends& b) { return a.key == b.key; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
}

bool broken_pairs::counts_the_same(const step_context& context) {
  const auto degrees = degrees_;
  const auto ever = ever_.generation();
  return count(context, counted_->between) == total_ && degrees == degrees_ && ever == ever_.generation();
}

void broken_pairs::watch(const step_context& context) {
  link_basis now{{context.views, context.suspected}, {context.members, counts}};
  if (counted_ != now) {
    total_ = count(context, now.between);
    counted_ = std::move(now);
  }
  assert(counts_the_same(context));
  find_broken(context, counted_->between, total_);
  if (found_.empty()) {
    std::vector<ends>().swap(found_);
    list().swap(pairs_);
    list().swap(next_);
    return;
  }
  next_.clear();
  next_.reserve(found_.size());
  auto known = pairs_.begin();
  for (const auto& of : found_) {
    while (known != pairs_.end() && known->first < of.key) ++known;
    const bool before = known != pairs_.end() && known->first == of.key;
    next_.emplace_back(of.key, look(context, of, before ? &known->second : nullptr));
  }
  pairs_.swap(next_);
}

bool broken_pairs::due(member_record& a, member_record& b, const broken_pair& pair, const circumstances& how,
                       const step_context& context, deadline& wake) {
  const auto now = context.now;
  const auto interval = context.options.interval;
  const auto passed = [&](steady_time at) {
    wake.note(at);
    return now >= at;
  };
  if (pair.suspected_at) return passed(*pair.suspected_at + how.gathering);
  const auto never = how.apart ? apart_grace : never_connected_grace;
  const auto missing = !pair.ever ? never : how.given_up ? given_up_grace : 1;
  const auto intervals = pair.one_way ? 2 : missing;
  auto since = pair.one_way ? std::max(pair.since, pair.one_way_since) : pair.since;
  if (!pair.ever) since = std::max(since, pair.held);
  const auto counts_from = since + intervals * interval;
  if (!passed(counts_from)) return false;
  // Both told their links since it broke, and lately: neither of them is what has just gone away. What a node
  // says that no watcher speaks for is true of when it was asked: the link may have come back meanwhile.
  const auto lately = std::max(pair.since + milliseconds(1), now - 3 * interval / 2);
  bool told = true;
  for (auto* m : {&a, &b}) {
    const bool by_watcher = m->watched && !m->watcher_owes;
    if (last_told(*m) >= (by_watcher ? lately : std::max(lately, counts_from))) continue;
    told = false;
    m->status_wanted |= by_watcher;
    m->view_wanted |= !by_watcher && !m->asking_view;
  }
  if (told) return true;
  wake.note(now + std::max(milliseconds(50), interval / 8));
  return false;
}

}  // namespace rollcall::membership
