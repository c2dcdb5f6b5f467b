// A word at a time, so that a whole mesh costs next to nothing.
#include "membership/broken_pairs.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace rollcall::membership {
namespace {

// What is told counts from when it was asked for, and an answer may take a second, however short the
// interval.
constexpr milliseconds slow_answer{1'500};

// What we know of its links is no older than this: whose watcher reports changes has a view as new as that
// one's last word, once it was asked for all that it saw before. That the node answers says nothing of it.
// `answers`: what it says by itself does not count, since it may be long past where the watcher is behind.
steady_time last_told(const member_record& m, bool answers) {
  if (!m.watched || m.view_doubted || m.view_of < m.watched_at) return m.view_of;
  return std::max(m.view_of, answers ? m.answered_at : m.told_at);
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

// What is known of the pairs of one member, each row by the rank of the other.
struct broken_pairs::row {
  row(const step_context& context, const view_matrix& was_whole, const member_record& m)
      : sees(context.views.sees(m.rank)),
        seen_by(context.views.seen_by(m.rank)),
        suspected(context.suspected.sees(m.rank)),
        ever(was_whole.sees(m.rank)),
        rank(static_cast<std::uint32_t>(m.rank)),
        held(!context.held.empty() && context.held.contains(m.id)) {}

  static bool has(std::span<const word> bits, std::size_t rank) {
    return ((bits[rank / word_bits] >> (rank % word_bits)) & 1U) != 0;
  }
  word whole(std::size_t i) const { return sees[i] & seen_by[i]; }
  word broken(std::size_t i, word partners) const { return (~whole(i) | suspected[i]) & partners; }

  std::span<const word> sees, seen_by, suspected, ever;
  std::uint32_t rank;
  bool held;
};

// Fills the degrees, and remembers what is whole until one of the two ends is restarted.
std::size_t broken_pairs::count(const step_context& context, const compatible_sets& mesh) {
  const auto& members = context.members;
  degrees_.assign(members.size(), 0);
  std::size_t total = 0;
  for (const auto& m : members.all()) {
    if (!counts(*m)) continue;
    const row of(context, ever_, *m);
    std::size_t degree = 0;
    for (std::size_t i = 0; i < context.views.row_words(); ++i) {
      degree += bits_in(of.broken(i, mesh.partners(*m, i)));
      for (auto fresh = of.whole(i) & ~of.ever[i]; fresh != 0; fresh &= fresh - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(fresh));
        ever_.set(m->rank, rank);
        ever_.set(rank, m->rank);
      }
    }
    degrees_[m->rank] = degree;
    total += degree;
  }
  return total;
}

broken_pair broken_pairs::look(const step_context& context, const row& of, const member_record& other,
                               const broken_pair* known) {
  auto pair = known != nullptr ? *known : broken_pair{.since = context.now, .since_wall = context.at.wall};
  const bool forth = row::has(of.sees, other.rank), back = row::has(of.seen_by, other.rank);
  const bool suspected = (forth || back) && row::has(of.suspected, other.rank);
  const bool one_way = forth != back && !suspected;
  if (one_way && !pair.one_way) pair.one_way_since = context.now;
  pair.one_way = one_way;
  pair.one = of.rank;
  pair.other = static_cast<std::uint32_t>(other.rank);
  pair.ever = row::has(of.ever, other.rank);
  // Not connected by our own decision, for a while.
  if (of.held || (!context.held.empty() && context.held.contains(other.id))) pair.held = context.now;
  if (!suspected && forth == back) {
    // missing: a suspicion that turned out right keeps its time
  } else if (!suspected) {
    pair.suspected_at.reset();
  } else if (!pair.suspected_at) {
    pair.suspected_at = context.now;
  }
  return pair;
}

void broken_pairs::order_by_id(const member_table& members) {
  in_order_.resize(members.size());
  place_.resize(members.size());
  for (std::size_t rank = 0; rank < members.size(); ++rank) in_order_[rank] = rank;
  std::ranges::sort(in_order_, {}, [&](std::size_t rank) { return members[rank].id; });
  for (std::size_t place = 0; place < in_order_.size(); ++place) place_[in_order_[place]] = place;
}

// As bits, so that they are in order of their keys without being sorted: rows and bits are places in the
// order of ids, and a pair stands in the row of its lower one.
void broken_pairs::mark_broken(const step_context& context, const compatible_sets& mesh) {
  const auto& members = context.members;
  const auto words = context.views.row_words();
  if (in_order_.size() != members.size()) order_by_id(members);
  // Of more than can be followed one by one, some of each member stand for all.
  const bool sampled = total_ / 2 > max_pairs;
  const auto most =
      sampled ? std::max<std::size_t>(1, max_pairs / std::max<std::size_t>(1, mesh.count())) : members.size();
  marked_.assign(members.size() * words, 0);
  for (const auto& m : members.all()) {
    if (!counts(*m) || degrees_[m->rank] == 0) continue;
    const row of(context, ever_, *m);
    const auto own = place_[m->rank];
    std::size_t taken = 0;
    for (std::size_t i = 0; i < words && taken < most; ++i) {
      for (auto bits = of.broken(i, mesh.partners(*m, i)); bits != 0 && taken < most; bits &= bits - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
        ++taken;
        // It is broken for both of its ends.
        if (!sampled && rank < m->rank) continue;
        const auto [first, second] = std::minmax(own, place_[rank]);
        marked_[first * words + second / word_bits] |= word{1} << (second % word_bits);
      }
    }
  }
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
  if (total_ == 0) {
    std::vector<word>().swap(marked_);
    list().swap(pairs_);
    list().swap(next_);
    return;
  }
  mark_broken(context, counted_->between);
  const auto words = context.views.row_words();
  next_.clear();
  next_.reserve(std::min(total_, max_pairs));
  auto known = pairs_.begin();
  for (std::size_t place = 0; place < in_order_.size(); ++place) {
    const auto& m = context.members[in_order_[place]];
    const row of(context, ever_, m);
    each_rank(std::span(marked_).subspan(place * words, words), [&](std::size_t other_place) {
      const auto& other = context.members[in_order_[other_place]];
      const auto k = key_of(m.id, other.id);
      while (known != pairs_.end() && known->first < k) ++known;
      const bool before = known != pairs_.end() && known->first == k;
      next_.emplace_back(k, look(context, of, other, before ? &known->second : nullptr));
    });
  }
  pairs_.swap(next_);
}

bool broken_pairs::due(const broken_pair& pair, const circumstances& how, const step_context& context,
                       deadline& wake) {
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
  // says whose watcher is not relied on is true of when it was asked: the link may have come back meanwhile.
  // Where all are polled, that is how it is.
  const auto lately = std::max(pair.since + milliseconds(1), now - std::max(3 * interval / 2, slow_answer));
  bool told = true;
  for (auto* m : {&context.members[pair.one], &context.members[pair.other]}) {
    const bool by_watcher = m->watched && !m->watcher_owes;
    const bool once_more = !by_watcher && context.options.watch;
    if (last_told(*m, pair.one_way) >= (once_more ? std::max(lately, counts_from) : lately)) continue;
    told = false;
    m->status_wanted |= by_watcher;
    m->view_wanted |= once_more && !m->asking_view;
  }
  if (told) return true;
  wake.note(now + std::max(milliseconds(50), interval / 8));
  return false;
}

}  // namespace rollcall::membership
