#include "membership/incident_cause.hpp"

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

struct first_pair {
  std::uint32_t from = 0, to = 0;
  std::string why;
  milliseconds at{0};
};

std::optional<first_pair> best_loss(const cause_question& asked, const losses& known,
                                    const member_table& members) {
  const loss* best = nullptr;
  for (const auto& l : known.all()) {
    if (l.at < asked.since || !asked.seen.contains(key_of(l.from, l.to))) continue;
    const auto* a = members.find(l.from);
    const auto* b = members.find(l.to);
    if (a == nullptr || b == nullptr) continue;
    if (rank_of(l) > evidence_rank::tick && (!a->linked || !b->linked)) continue;
    if (best == nullptr || rank_of(l) < rank_of(*best)) best = &l;
  }
  if (best == nullptr) return std::nullopt;
  return first_pair{best->from, best->to,
                    best->probed        ? "probe"
                    : best->refused     ? "connect_failed"
                    : best->why.empty() ? "unknown"
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
  all_.push_back(std::move(what));
  if (all_.size() > max_remembered) all_.pop_front();
}

void losses::forget(const member_record& m) {
  std::erase_if(all_, [&](const loss& l) { return l.from == m.id || l.to == m.id; });
}

std::optional<incident_cause> find_cause(const cause_question& asked, const losses& known,
                                         const broken_pairs& broken, const step_context& context,
                                         const path_book& paths) {
  auto first = best_loss(asked, known, context.members);
  if (!first && !asked.now) first = oldest_pair(asked, broken, context.members, paths);
  if (!first) return std::nullopt;
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
