// What whole handshakes (trials.hpp) say about pairs whose requests failed: they prove that the
// two would link, and link nobody. A request may tear what is whole, where one of many pairs works and the
// others still fail. So handshakes come first, and the end of a hold counts only where nobody carries them
// out.
#include <algorithm>

#include "membership/mutation.hpp"
#include "membership/quarantine.hpp"

namespace rollcall::membership {
namespace {

constexpr auto handshake = probed_port::handshake;

}  // namespace

bool quarantine::may_be_tried(const entry& e) {
  return e.failed_sides != 0 && e.dark_rounds == 0 && !e.broke && !e.misled &&
         !without(rule_taken::refusals_are_tried);
}

bool quarantine::passed_handshake(const path_book& paths, const entry& e, const member_record& on,
                                  const member_record& to) {
  const auto found = paths.last(on, to, handshake);
  return found && found->result == path_probe::reachable && found->asked_at >= e.failed_at;
}

// nullopt: they do not decide, or it may be joined.
std::optional<quarantine::verdict> quarantine::look_at_handshakes(const step_context& context,
                                                                  const path_book& paths, entry& e,
                                                                  const member_record& a,
                                                                  const member_record& b, bool harmless,
                                                                  deadline& wake) {
  if (e.not_before <= context.now) e.misled = false;
  const bool under_way = paths.under_way(a, b, handshake) || paths.under_way(b, a, handshake);
  e.stale = e.let_through = false;
  if (harmless || !may_be_tried(e)) {
    e.proven.reset();
    return under_way ? std::optional(verdict::held) : std::nullopt;
  }
  std::optional<steady_time> passed;
  for (const auto* on : {&a, &b}) {
    const auto& to = on == &a ? b : a;
    if (!passed_handshake(paths, e, *on, to)) continue;
    const auto at = paths.last(*on, to, handshake)->answered_at;
    if (passed && at <= *passed) continue;
    passed = at;
    e.passed_on = on->id;
  }
  const bool on_both_sides = e.failed_sides == both_sides;
  if (passed) {
    if (!e.proven) e.proven = context.now;
    e.stale = passed < context.now - handshake_intervals * context.options.interval;
    return under_way || (e.stale && on_both_sides) ? std::optional(verdict::unknown) : std::nullopt;
  }
  e.proven.reset();
  const bool over = e.not_before <= context.now;
  const bool nothing = paths.said_nothing(a, b, handshake) || paths.said_nothing(b, a, handshake);
  const bool declined = paths.declined(a, b, handshake) || paths.declined(b, a, handshake);
  // A node that we do not hear for a while will say more when we do.
  const bool enough = on_both_sides ? over : declined || context.now - e.failed_at >= first_hold;
  e.let_through = nothing && enough && !under_way;
  if (e.let_through) return std::nullopt;
  if (!on_both_sides) return under_way ? std::optional(verdict::held) : std::nullopt;
  if (!over) wake.note(e.not_before);
  return verdict::held;
}

bool quarantine::refused(const member_record& a, const member_record& b) const {
  const auto* e = find(a.id, b.id);
  return e != nullptr && may_be_tried(*e) && !e->let_through && !e->proven;
}

std::optional<steady_time> quarantine::proven(const member_record& a, const member_record& b) const {
  const auto* e = find(a.id, b.id);
  return e != nullptr ? e->proven : std::nullopt;
}

const member_record* quarantine::proven_long_ago(const member_record& a, const member_record& b) const {
  const auto* e = find(a.id, b.id);
  if (e == nullptr || !e->proven || !e->stale) return nullptr;
  return e->passed_on == a.id ? &a : &b;
}

}  // namespace rollcall::membership
