#include "membership/dial_canaries.hpp"

#include <algorithm>
#include <vector>

#include "membership/lifecycle.hpp"

namespace rollcall::membership {
namespace {

// Who refuses us, or took too much memory, has a pause of its own.
bool may_be_hurried(const member_record& m) {
  return m.listed && !m.announced && !m.linked && m.took_too_much == 0 &&
         m.dial_failure != reason::name_mismatch && evidence_of(m.dial_failure) != evidence::alive;
}

// Was a member and is away. A link that did not last is not dialled again soon: that would be a circle.
bool lost(const step_context& context, const member_record& m) {
  return (m.state == member_state::suspect || m.state == member_state::down) && may_be_hurried(m) &&
         m.lost_at - m.link_since >= context.options.interval;
}

// Nobody is dialled more often than its group would be.
steady_time soonest(const member_record& m, steady_time now) {
  return m.dialled_at ? std::max(now, *m.dialled_at + dial_canaries::each_group) : now;
}

void hurry(member_record& m, steady_time now) {
  m.dial_wanted = now;
  if (!m.dialling) m.next_dial = std::min(m.next_dial, soonest(m, now));
}

struct group {
  steady_time dialled_at;  // when one of them was, last
  member_record* next;     // who was not for longest
};

// One loss after the other within an interval: nodes notice that one is silent at moments of their own.
std::vector<group> lost_together(std::vector<member_record*> away, milliseconds interval) {
  std::ranges::sort(away, {}, &member_record::lost_at);
  std::vector<group> groups;
  steady_time before{};
  for (auto* m : away) {
    const auto dialled = std::max(m->dialled_at.value_or(m->lost_at), m->lost_at);
    if (groups.empty() || m->lost_at - before > interval) {
      groups.push_back({dialled, m});
    } else {
      auto& [last, next] = groups.back();
      last = std::max(last, dialled);
      const bool sooner = next->dialling || m->dialled_at < next->dialled_at;
      if (!m->dialling && sooner) next = m;
    }
    before = m->lost_at;
  }
  return groups;
}

}  // namespace

void dial_canaries::linked(const step_context& context, const member_record& back) {
  for (const auto& m : context.members.all()) {
    const auto apart = std::chrono::abs(m->lost_at - back.lost_at);
    if (apart <= context.options.interval && lost(context, *m)) hurry(*m, context.now);
  }
}

void dial_canaries::reported(const step_context& context, member_record& m) {
  if (may_be_hurried(m) && (m.creation == 0 || lost(context, m))) hurry(m, context.now);
}

void dial_canaries::dial_failed(member_record& m, steady_time now) {
  if (m.dial_wanted > m.dialled_at) m.next_dial = soonest(m, now);
}

void dial_canaries::plan(const step_context& context, deadline& wake) {
  std::vector<member_record*> away;
  for (const auto& m : context.members.all()) {
    const bool late = context.now - m->lost_at > lately;
    if (!late && !m->no_such_name && lost(context, *m)) away.push_back(m.get());
  }
  auto groups = lost_together(std::move(away), context.options.interval);
  std::erase_if(groups, [](const group& g) { return g.next->dialling; });
  if (groups.empty()) return;
  std::ranges::sort(groups, {}, &group::dialled_at);
  const auto due = std::max(next_, groups[0].dialled_at + each_group);
  if (context.now < due) {
    wake.note(due);
    return;
  }
  auto& turn = *groups[0].next;
  turn.next_dial = std::min(turn.next_dial, context.now);
  next_ = context.now + between_any;
  wake.note(context.now + each_group);
  if (groups.size() > 1) wake.note(std::max(next_, groups[1].dialled_at + each_group));
}

}  // namespace rollcall::membership
