// What the answers to our own questions, and what people ask for, do to the members.
#include <algorithm>

#include "membership/cluster_implementation.hpp"

namespace rollcall::membership {
namespace {

constexpr milliseconds answers_shown_within{100};  // in the snapshot, unless something else changes

}  // namespace

void cluster::implementation::apply(const fact::links_probed& told) {
  if (probes.probed(told, context())) probing_due = true;
}

void cluster::implementation::apply(const fact::path_probed& told) {
  if (paths.answered(told, now.steady)) planning_due = probing_due = true;
}

void cluster::implementation::apply(const fact::leave& told) {
  if (departing.leave(told.node, members.find(told.node), now)) dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::rejoin& told) {
  if (departing.rejoin(told.node, members.find(told.node), now)) dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::pause& told) {
  paused_until = {now.steady + told.span, now.wall + told.span};
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::certificate& told) {
  (told.shown_to == fact::certificate::of::http ? http_certificate : certificate) = told;
  dirty = true;
}

void cluster::implementation::apply(const fact::resume&) {
  paused_until.reset();
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::view_failed& failed) {
  auto* m = members.find(failed.node);
  if (m == nullptr || !m->linked) return;
  m->asking_view = m->confirming = false;
  m->first_view_ended = true;
  m->view_failure = failed.why;
  planning_due = true;
}

void cluster::implementation::apply(const fact::settings& told) {
  auto* m = members.find(told.node);
  if (m == nullptr) return;
  // A question that was lost leaves what is known already.
  if (!told.otp_release.empty()) m->otp_release = told.otp_release;
  const auto take = [](auto& known, const auto& said) {
    if (said) known = said;
  };
  take(m->prevent_overlapping_partitions, told.prevent_overlapping_partitions);
  take(m->connect_all, told.connect_all);
  take(m->dist_auto_connect, told.dist_auto_connect);
  take(m->net_ticktime, told.net_ticktime);
  take(m->net_setuptime, told.net_setuptime);
  m->settings_answered = true;
  m->settings_known = m->otp_release && m->connect_all && m->net_ticktime;
  if (m->settings_known) {
    m->settings_missed = 0;
  } else {
    m->settings_asked = false;
    const auto pause = options.interval * (1U << std::min(m->settings_missed++, 8U));
    m->next_settings = now.steady + std::min(pause, questions::settings_retry);
  }
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::stopping& stops) {
  auto* m = members.find(stops.node);
  if (m == nullptr) return;
  m->asking_view = m->confirming = m->asking_status = false;
  m->first_view_ended = true;
  life.stopping(*m, now);
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::connect_result& result) {
  const auto pair = plans.answered(result, context());
  if (!pair) return;
  const auto* on = members.find(pair->on);
  const auto* to = members.find(pair->to);
  if (on != nullptr && to != nullptr) splits.answered(*on, *to, result.outcome, now);
  ++connect_requests[result.outcome];
  // A burst has thousands of answers, and the views that follow tell more: readers are shown them together.
  next_judgement = std::min(next_judgement, now.steady + answers_shown_within);
}

void cluster::implementation::apply(const fact::shows_up& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || m->linked) return;
  m->next_dial = now.steady;
  m->dials_failed = 0;
  dirty = true;
}

void cluster::implementation::apply(const fact::cookies_changed&) {
  questions::dial_now(members, true, now.steady);
}

void cluster::implementation::apply(const fact::round_requested&) {
  next_round = now.steady;
  plans.hurry(now.steady);
  questions::dial_now(members, false, now.steady);
  aside.hurry(now.steady);
  planning_due = true;
}

}  // namespace rollcall::membership
