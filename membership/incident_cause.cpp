#include "membership/incident_cause.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rollcall::membership {
namespace {

// The smaller the better a cause.
enum class evidence_rank { probe, tick, told, refused, lost };

evidence_rank rank_of(const loss& l) {
  if (l.probed) return evidence_rank::probe;
  if (l.refused) return evidence_rank::refused;
  // Views that are polled show what was torn in the order of the questions.
  if (l.why.empty()) return evidence_rank::lost;
  return l.why.find("tick_timeout") != std::string::npos ? evidence_rank::tick : evidence_rank::told;
}

constexpr std::string_view unexplained = "unknown";
constexpr std::string_view given_up_by_its_end = "disconnect";
// Two nodes tell of what happened at one moment.
constexpr milliseconds told_within{500};
// A socket that the other end has closed is seen within milliseconds, and told: 50 ms later where that end
// has just told something else.
constexpr milliseconds seen_at_once{150};

struct first_pair {
  std::uint32_t from = 0, to = 0;
  std::string why;
  wall_time at;
};

// How many pairs of each were lost.
using degree_map = std::unordered_map<std::uint32_t, std::size_t>;

degree_map lost_by_each(const losses& known, steady_time since, steady_time until) {
  std::set<pair_key> pairs;
  for (const auto& l : known.all()) {
    if (!l.refused && !l.probed && l.at >= since && l.at <= until) pairs.insert(key_of(l.from, l.to));
  }
  degree_map degrees;
  for (const auto k : pairs) {
    ++degrees[lower(k)];
    ++degrees[higher(k)];
  }
  return degrees;
}

// Who gave up which member: what prevent_overlapping_partitions does where it is told that another lost it.
using giver_map = std::unordered_map<std::uint32_t, std::set<std::uint32_t>>;

giver_map givers_of(const losses& known, steady_time since, steady_time until) {
  giver_map givers;
  for (const auto& l : known.all()) {
    if (l.why == given_up_by_its_end && l.at >= since && l.at <= until) givers[l.to].insert(l.from);
  }
  return givers;
}

// As how many-th each end told that it had lost the other. What one node tells comes in its order, and it was
// told to drop the others only once it, or who told it, had lost the first.
using place_map = std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t>;

place_map told_in_turn(const losses& known, steady_time since, steady_time until) {
  place_map places;
  std::unordered_map<std::uint32_t, std::size_t> count;
  for (const auto& l : known.all()) {
    if (l.refused || l.probed || l.at < since || l.at > until) continue;
    if (places.try_emplace({l.from, l.to}, count[l.from]).second) ++count[l.from];
  }
  return places;
}

// Views that are polled do not tell what was lost first, and what is told at one moment comes in any order.
// Where overlapping partitions are prevented, the others drop both ends of it: they are those that lost most.
// Of those that lost as much, the link was first of which the others gave up both ends: what goes for another
// one is announced by neither of its ends. Of those, the one that both of its ends told of first.
const loss* most_torn(const degree_map& degrees, const giver_map& givers, const place_map& places,
                      const std::vector<const loss*>& lost) {
  const auto of = [&](std::uint32_t id) {
    const auto found = degrees.find(id);
    return found == degrees.end() ? std::size_t{0} : found->second;
  };
  const auto given_up = [&](std::uint32_t id, std::uint32_t other) {
    const auto found = givers.find(id);
    return found == givers.end() ? std::size_t{0} : found->second.size() - found->second.count(other);
  };
  const auto before = [&](std::uint32_t from, std::uint32_t to) {
    const auto found = places.find({from, to});
    return found == places.end() ? of(from) : found->second;
  };
  return *std::ranges::max_element(lost, {}, [&](const loss* l) {
    const auto dropped = std::min(given_up(l->from, l->to), given_up(l->to, l->from));
    const auto told_after = before(l->from, l->to) + before(l->to, l->from);
    return std::tuple(std::min(of(l->from), of(l->to)), dropped, of(l->from) + of(l->to),
                      -static_cast<std::ptrdiff_t>(told_after), l->why == given_up_by_its_end);
  });
}

// When each of two ends told that their link was lost, and the newest loss that the end had told of before.
struct told_by_ends {
  struct end {
    std::optional<steady_time> at, after;
  };
  end by_lower, by_higher;
  end& of(std::uint32_t one, std::uint32_t other) { return one < other ? by_lower : by_higher; }
};

std::map<pair_key, told_by_ends> told_between(const losses& known, steady_time since, steady_time until) {
  std::map<pair_key, told_by_ends> told;
  std::vector<std::pair<const loss*, told_by_ends*>> in_order;
  for (const auto& l : known.all()) {
    if (l.refused || l.probed || l.at < since || l.at > until) continue;
    auto& ends = told[key_of(l.from, l.to)];
    in_order.emplace_back(&l, &ends);
    auto& at = ends.of(l.from, l.to).at;
    if (!at) at = l.at;
  }
  std::unordered_map<std::uint32_t, std::optional<steady_time>> newest;
  for (const auto& [l, ends] : in_order) {
    auto& end = ends->of(l->from, l->to);
    auto& before = newest[l->from];
    if (!end.after) end.after = before;
    before = std::max(before, ends->of(l->to, l->from).at);
  }
  return told;
}

// A closed socket is seen by the other end at once. Where that end said nothing of it, or only after it had
// told of what was lost later, nothing got through.
const loss* half_lost(const losses& known, const std::vector<const loss*>& first,
                      const step_context& context) {
  auto told = told_between(known, first.front()->at - told_within, first.back()->at + told_within);
  const auto half = std::ranges::find_if(first, [&](const loss* l) {
    auto& ends = told[key_of(l->from, l->to)];
    const auto& other = ends.of(l->to, l->from);
    const bool silent = !ends.of(l->from, l->to).at || !other.at;
    const bool late = !silent && std::min(other.at, other.after) >= l->at + seen_at_once;
    return context.members.find(l->to)->watched && context.now > l->at + told_within && (silent || late);
  });
  return half == first.end() ? nullptr : *half;
}

// Those that one of their own ends gave up: what prevent_overlapping_partitions does when another was lost.
std::set<pair_key> given_up(const losses& known, steady_time since, steady_time until) {
  std::set<pair_key> pairs;
  for (const auto& l : known.all()) {
    if (l.why == given_up_by_its_end && l.at >= since && l.at <= until) pairs.insert(key_of(l.from, l.to));
  }
  return pairs;
}

// What tore it may be whole again when the incident opens: a link that one of its ends lost just before. One
// that neither end gave up goes before those that were, and may be told a moment after them.
const loss* torn_by(const loss& l, const losses& known, const step_context& context) {
  const auto& members = context.members;
  const auto *one = members.find(l.from), *other = members.find(l.to);
  if (!one->prevent_overlapping_partitions.value_or(false) &&
      !other->prevent_overlapping_partitions.value_or(false)) {
    return &l;
  }
  const auto collateral = given_up(known, l.at - tearing, l.at + tearing);
  const auto tears = [&](const loss& before) {
    const auto *a = members.find(before.from), *b = members.find(before.to);
    const bool shares =
        concerns(key_of(l.from, l.to), before.from) || concerns(key_of(l.from, l.to), before.to);
    return l.at - before.at <= tearing && shares && !before.why.empty() && a != nullptr && b != nullptr &&
           a->linked && b->linked;
  };
  const auto breaks = std::ranges::find_if(known.all(), [&](const loss& before) {
    return before.at <= l.at + told_within && tears(before) &&
           !collateral.contains(key_of(before.from, before.to));
  });
  if (breaks != known.all().end()) return &*breaks;
  std::vector<const loss*> first;  // told at one moment
  for (const auto& before : known.all()) {
    if (!tears(before) || before.at > l.at + told_within) continue;
    if (first.empty() || before.at <= first.front()->at + told_within) first.push_back(&before);
  }
  if (first.empty()) return &l;
  if (const auto* half = half_lost(known, first, context); half != nullptr) return half;
  const auto since = first.front()->at, until = since + tearing;
  return most_torn(lost_by_each(known, since, until), givers_of(known, since, until),
                   told_in_turn(known, since, until), first);
}

std::optional<first_pair> best_loss(const cause_question& asked, const losses& known,
                                    const step_context& context) {
  const auto& members = context.members;
  const loss* best = nullptr;
  std::vector<const loss*> without_word;
  for (const auto& l : known.all()) {
    if (l.at < asked.since || !asked.seen.contains(key_of(l.from, l.to))) continue;
    const auto* a = members.find(l.from);
    const auto* b = members.find(l.to);
    if (a == nullptr || b == nullptr) continue;
    if (rank_of(l) > evidence_rank::tick && (!a->linked || !b->linked)) continue;
    if (best == nullptr || rank_of(l) < rank_of(*best)) best = &l;
    if (rank_of(l) == evidence_rank::lost) without_word.push_back(&l);
  }
  if (best == nullptr) return std::nullopt;
  if (rank_of(*best) == evidence_rank::lost) {
    degree_map degrees;
    for (const auto k : asked.seen) {
      ++degrees[lower(k)];
      ++degrees[higher(k)];
    }
    best = most_torn(degrees, {}, {}, without_word);
  }
  if (rank_of(*best) == evidence_rank::told) best = torn_by(*best, known, context);
  return first_pair{best->from, best->to,
                    best->probed        ? "probe"
                    : best->refused     ? "connect_failed"
                    : best->why.empty() ? std::string(unexplained)
                                        : best->why,
                    best->wall};
}

// Of those that nobody lost: the one that has no path, else the one that is broken longest.
std::optional<first_pair> oldest_pair(const cause_question& asked, const broken_pairs& broken,
                                      const member_table& members, const path_book& paths) {
  const broken_pair* first = nullptr;
  bool barred = false;
  first_pair found;
  for (const auto k : asked.pairs) {
    const auto* pair = broken.find(k);
    const auto *left = members.find(lower(k)), *right = members.find(higher(k));
    if (pair == nullptr || left == nullptr || right == nullptr) continue;
    const auto there = paths.last(*left, *right), back = paths.last(*right, *left);
    const auto failed = [](const auto& probe) { return probe && probe->result != path_probe::reachable; };
    const bool no_path =
        (failed(there) || failed(back)) && (!there || failed(there)) && (!back || failed(back));
    if (first != nullptr && (barred || !no_path) && (barred != no_path || pair->since >= first->since)) {
      continue;
    }
    first = pair;
    barred = no_path;
    found = {lower(k), higher(k), pair->ever ? "unknown" : "never_connected", pair->since_wall};
  }
  if (first == nullptr) return std::nullopt;
  return found;
}

}  // namespace

void losses::remember(loss what) {
  const auto first_counts = first_counts_intervals * options_.interval;
  while (all_.size() >= max_remembered && what.at - all_.front().at > first_counts) {
    all_.pop_front();
    pairs_.clear();
  }
  if (all_.size() >= max_remembered && !counts_beside_the_first(what)) return;
  all_.push_back(std::move(what));
  by_lost_one_.clear();
}

// Where one end is known and the other one is not, it would seem that nothing got through between them.
bool losses::counts_beside_the_first(const loss& what) {
  if (all_.size() >= max_remembered + max_beside) return false;
  if (rank_of(what) <= evidence_rank::tick) return true;
  if (pairs_.empty()) {
    for (const auto& l : all_) pairs_.insert(key_of(l.from, l.to));
  }
  return pairs_.contains(key_of(what.from, what.to));
}

void losses::forget(const member_record& m) {
  pairs_.clear();
  std::erase_if(all_, [&](const loss& l) { return l.from == m.id || l.to == m.id; });
  by_lost_one_.clear();
}

bool losses::lost_before(const loss& l, const std::function<bool(const loss&)>& caused) const {
  const auto lost_one = [this](std::size_t at) { return all_[at].to; };
  return std::any_of(std::ranges::lower_bound(by_lost_one_, l.to, {}, lost_one),
                     std::ranges::upper_bound(by_lost_one_, l.to, {}, lost_one), [&](std::size_t at) {
                       const auto& before = all_[at];
                       return before.from != l.from && !before.refused && !before.probed &&
                              before.at <= l.at + told_within && l.at - before.at <= tearing &&
                              caused(before);
                     });
}

void losses::order() const {
  if (!by_lost_one_.empty()) return;
  by_lost_one_.resize(all_.size());
  std::iota(by_lost_one_.begin(), by_lost_one_.end(), std::size_t{0});
  std::ranges::stable_sort(by_lost_one_, {},
                           [this](std::size_t at) { return std::pair(all_[at].to, all_[at].from); });
}

bool losses::any_between(std::uint32_t from, std::uint32_t to,
                         const std::function<bool(const loss&)>& what) const {
  order();
  const auto ends = [this](std::size_t at) { return std::pair(all_[at].to, all_[at].from); };
  const std::pair both(to, from);
  return std::any_of(std::ranges::lower_bound(by_lost_one_, both, {}, ends),
                     std::ranges::upper_bound(by_lost_one_, both, {}, ends),
                     [&](std::size_t at) { return what(all_[at]); });
}

bool losses::given_up_after(pair_key k, const std::function<bool(const loss&)>& caused) const {
  // Of a large cut hardly any was: the losses of all others are looked at for those alone.
  const auto after = [&](const loss& l) { return l.why == given_up_by_its_end && lost_before(l, caused); };
  return any_between(lower(k), higher(k), after) || any_between(higher(k), lower(k), after);
}

bool losses::given_up(pair_key k, steady_time since) const {
  const auto either = [&](const std::function<bool(const loss&)>& what) {
    return any_between(lower(k), higher(k), what) || any_between(higher(k), lower(k), what);
  };
  return either([&](const loss& l) { return l.at >= since && l.why == given_up_by_its_end; }) &&
         !either([&](const loss& l) { return l.at >= since && rank_of(l) <= evidence_rank::tick; });
}

std::optional<incident_cause> find_cause(const cause_question& asked, const losses& known,
                                         const broken_pairs& broken, const step_context& context,
                                         const path_book& paths) {
  auto first = best_loss(asked, known, context);
  if (!first && !asked.now) first = oldest_pair(asked, broken, context.members, paths);
  if (!first) return std::nullopt;
  // Of losses that nobody explained, those seen later say less about the first one.
  if (asked.now && asked.now->reason == unexplained && first->why == unexplained) {
    const auto *a = context.members.find(asked.now->from), *b = context.members.find(asked.now->to);
    if (a != nullptr && b != nullptr)
      first = first_pair{a->id, b->id, std::string(unexplained), asked.now->at};
  }
  const auto *from = context.members.find(first->from), *to = context.members.find(first->to);
  if (from == nullptr || to == nullptr) return std::nullopt;
  incident_cause cause{
      .from = from->name, .to = to->name, .reason = std::move(first->why), .path = {}, .at = first->at};
  auto path = paths.last(*from, *to);
  if (!path) path = paths.last(*to, *from);
  if (path) cause.path = to_string(path->result);
  const auto same = [](const incident_cause& x, const incident_cause& y) {
    return x.from == y.from && x.to == y.to && x.reason == y.reason && x.path == y.path && x.at == y.at;
  };
  if (asked.now && same(*asked.now, cause)) return std::nullopt;
  return cause;
}

}  // namespace rollcall::membership
