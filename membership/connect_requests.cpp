#include "membership/connect_requests.hpp"

#include <algorithm>

#include "membership/jitter.hpp"
#include "membership/mutation.hpp"

namespace rollcall::membership {

connect_requests::attempt& connect_requests::attempt_of(std::uint32_t a, std::uint32_t b) {
  const auto [at, is_new] = attempts_.try_emplace(key_of(a, b));
  if (is_new) noted_.note(a, b);
  return at->second;
}

void connect_requests::set_busy(const member_record& a, const member_record& b, bool busy) {
  if (a.rank >= busy_.size() || b.rank >= busy_.size()) return;
  if (busy) {
    busy_.set(a.rank, b.rank);
    busy_.set(b.rank, a.rank);
  } else {
    busy_.unset(a.rank, b.rank);
    busy_.unset(b.rank, a.rank);
  }
}

std::optional<connect_requests::ended> connect_requests::answered(const fact::connect_result& result,
                                                                  const step_context& context) {
  const auto found = requests_.find(result.id);
  if (found == requests_.end()) return std::nullopt;
  const auto [on, to] = found->second;
  requests_.erase(found);
  const bool connected = result.outcome == connect_outcome::connected;

  auto& tried = attempt_of(on, to);
  tried.under_way = false;
  tried.connected = connected;
  tried.answered_in = context.step;
  tried.answered_at = context.now;

  auto& side = askers_[on];
  if (side.under_way > 0) --side.under_way;
  side.burst_failed |= !connected;
  if (side.under_way == 0) {
    if (side.burst_failed) {
      const auto doublings = std::min(side.failed_bursts, 12U);
      const auto pause = std::min(max_backoff, context.options.interval * (1U << doublings));
      side.not_before = context.now + jittered(pause, context.options.seed, on, ++side.failed_bursts);
    } else {
      side.failed_bursts = 0;
      side.not_before = {};
    }
    side.burst_failed = false;
  }

  auto* a = context.members.find(on);
  auto* b = context.members.find(to);
  for (auto* end : {a, b}) {
    if (end == nullptr) continue;
    if (end->requests > 0) --end->requests;
    if (!end->answers_unseen) {
      end->answers_unseen = true;
      end->first_unseen = context.now;
    }
  }
  const bool stale = tried.stale || a == nullptr || b == nullptr;
  if (stale) {
    if (a != nullptr && b != nullptr) set_busy(*a, *b, false);
    attempts_.erase(key_of(on, to));
  }
  return ended{.on = on, .to = to, .outcome = result.outcome, .stale = stale};
}

bool connect_requests::viewed(const member_record& member, const step_context& context) {
  if (member.rank >= busy_.size()) return false;
  std::vector<std::size_t> seen;
  each_rank(busy_.sees(member.rank), [&](std::size_t rank) {
    const auto& other = context.members[rank];
    const auto found = attempts_.find(key_of(member.id, other.id));
    if (found == attempts_.end()) {
      seen.push_back(rank);
      return;
    }
    const auto& tried = found->second;
    if (!tried.under_way && member.view_basis >= tried.answered_in && other.view_basis >= tried.answered_in) {
      seen.push_back(rank);
    }
  });
  for (const auto rank : seen) set_busy(member, context.members[rank], false);
  return !seen.empty();
}

void connect_requests::forget(const member_record& member) {
  askers_.erase(member.id);
  for (const auto other : noted_.take(member.id)) {
    const auto at = attempts_.find(key_of(member.id, other));
    if (at == attempts_.end()) continue;
    if (!at->second.under_way) {
      attempts_.erase(at);
      continue;
    }
    at->second.stale = true;
    noted_.note(member.id, other);
  }
  // Pairs under way stay busy; `viewed` clears the others, since they have no attempt any more.
}

void connect_requests::hurry() {
  for (auto& [id, side] : askers_) side.not_before = {};
  for (auto& [pair, tried] : attempts_) {
    if (tried.connected) tried.answered_at = {};
  }
}

void connect_requests::sweep(const step_context& context) {
  erase_if(attempts_, [&](const auto& entry) {
    const auto& [pair, tried] = entry;
    if (tried.under_way) return false;
    const auto* a = context.members.find(lower(pair));
    const auto* b = context.members.find(higher(pair));
    if (a == nullptr || b == nullptr) return true;
    const bool joined = context.views.sees(a->rank, b->rank) || context.views.sees(b->rank, a->rank);
    return joined && context.now - tried.answered_at > remembered_after_success;
  });
  if (8 * attempts_.size() < attempts_.bucket_count()) attempts_.rehash(0);
  if (noted_.outdated(attempts_.size())) {
    noted_.clear();
    for (const auto& [pair, tried] : attempts_) noted_.note(lower(pair), higher(pair));
  }
  std::erase_if(askers_, [&](const auto& entry) {
    return entry.second.under_way == 0 && context.members.find(entry.first) == nullptr;
  });
}

void connect_requests::ask(const step_context& context, const burst_map& bursts,
                           std::vector<any_action>& actions) {
  const auto& members = context.members;
  for (const auto& [rank, targets] : bursts) {
    if (!requests_.empty() && requests_.size() + targets.size() > max_under_way) break;
    auto& on = members[rank];
    auto& side = askers_[on.id];
    for (const auto target : targets) {
      auto& to = members[target];
      const auto id = next_request_++;
      requests_.emplace(id, asked_pair{on.id, to.id});
      const bool noted = !without(rule_taken::asked_once);
      attempt_of(on.id, to.id) = attempt{.asked = on.id, .asked_at = context.now, .under_way = noted};
      set_busy(on, to, noted);
      asked_.push_back({on.id, to.id});
      ++side.under_way;
      ++on.requests;
      ++to.requests;
      actions.emplace_back(
          action::connect{.id = id,
                          .on = on.name,
                          .to = to.name,
                          .limit = on.net_setuptime.value_or(default_setuptime) + setuptime_margin});
    }
  }
}

const connect_requests::attempt* connect_requests::last(const member_record& a,
                                                        const member_record& b) const {
  const auto found = attempts_.find(key_of(a.id, b.id));
  return found != attempts_.end() ? &found->second : nullptr;
}

bool connect_requests::under_way(const member_record& a, const member_record& b) const {
  const auto* tried = last(a, b);
  return tried != nullptr && tried->under_way;
}

steady_time connect_requests::not_before(const member_record& m) const {
  const auto found = askers_.find(m.id);
  return found != askers_.end() ? found->second.not_before : steady_time{};
}

}  // namespace rollcall::membership
