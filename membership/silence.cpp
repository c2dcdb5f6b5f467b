#include "membership/silence.hpp"

#include <algorithm>

namespace rollcall::membership {
namespace {

// Whom members go on seeing for longer than they could by mistake is silent to us alone.
bool seen_all_along(const member_record& m, const step_context& context) {
  const auto mistaken = m.net_ticktime.value_or(milliseconds(60'000)) * 5 / 4 + context.options.interval;
  if (context.now - m.entered <= mistaken) return false;
  bool seen = false;
  each_rank(context.views.seen_by(m.rank), [&](std::size_t rank) { seen |= context.members[rank].fresh; });
  return seen;
}

bool silent(const member_record& m, const step_context& context) {
  const bool absent = m.state == member_state::suspect || m.state == member_state::down;
  return absent && m.listed && (m.why == reason::timeout || m.why == reason::tick_timeout) &&
         !seen_all_along(m, context);
}

}  // namespace

void silence::look(const step_context& context) {
  now_.clear();
  std::size_t expected = 0;
  for (const auto& m : context.members.all()) {
    expected += m->listed ? 1 : 0;
    if (silent(*m, context)) now_.push_back(m->id);
  }
  holds_ = !context.isolated && enough(now_.size(), std::max(expected, context.options.expect));
}

void silence::begin(const step_context& context) {
  episode_.emplace();
  episode_->since = context.at;
  for (const auto id : now_) {
    const auto ago = std::max(milliseconds(0), context.now - context.members.find(id)->absent_since);
    if (context.now - ago < episode_->since.steady) {
      episode_->since = {context.now - ago, context.at.wall - ago};
    }
  }
}

void silence::follow(const step_context& context, const losses& known) {
  look(context);
  if (context.isolated || context.starting) return;
  if (!episode_ && !holds_) return;
  if (!episode_) begin(context);
  for (const auto id : now_) {
    const auto* m = context.members.find(id);
    // Who is linked again has only not told its view yet.
    if (!m->linked || m->link_since <= episode_->since.steady) episode_->members.emplace(id, m->creation);
  }
  for (const auto& l : known.all()) {
    if (l.at < episode_->since.steady - context.options.interval || !episode_->members.contains(l.to))
      continue;
    if (!episode_->members.contains(l.from)) episode_->lost_by_somebody.insert(l.to);
  }
  come_back(context);
  if (episode_->members.empty()) episode_.reset();
}

void silence::come_back(const step_context& context) {
  auto& silent = *episode_;
  for (auto at = silent.members.begin(); at != silent.members.end();) {
    const auto [id, creation] = *at;
    const auto* m = context.members.find(id);
    if (m == nullptr || m->state == member_state::left || (m->linked && m->creation != creation)) {
      silent.lost_by_somebody.erase(id);  // dead
      at = silent.members.erase(at);
      continue;
    }
    if (!counts(*m)) {
      ++at;
      continue;
    }
    if (silent.lost_by_somebody.contains(id) && !std::exchange(silent.told, true)) {
      cut_.emplace();
      cut_->since = silent.since;
      for (const auto& [other, other_creation] : silent.members) cut_->members.push_back(other);
    }
    at = silent.members.erase(at);
  }
}

}  // namespace rollcall::membership
