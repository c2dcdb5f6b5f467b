#include "membership/questions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "membership/jitter.hpp"
#include "membership/lifecycle.hpp"
#include "membership/mutation.hpp"

namespace rollcall::membership {

void names_aside::add(const node_name& name, steady_time now, bool hidden) {
  names_.insert_or_assign(name, entry{.hidden = hidden, .next_dial = now + retry});
}

std::vector<node_name> names_aside::hidden() const {
  std::vector<node_name> names;
  for (const auto& [name, put] : names_) {
    if (put.hidden) names.push_back(name);
  }
  return names;
}

void names_aside::dial_ended(const node_name& name, steady_time now) {
  if (const auto put = names_.find(name); put != names_.end())
    put->second = {.hidden = put->second.hidden, .next_dial = now + retry};
}

void names_aside::hurry(steady_time now) {
  for (auto& [name, put] : names_) put.next_dial = now;
}

void questions::dial_failed(member_record& m, reason why, steady_time now) const {
  const auto pause = [&]() -> milliseconds {
    if (why == reason::cookie) return options_.cookie_retry;
    if (evidence_of(why) == evidence::gone && why != reason::name_mismatch) return options_.interval;
    const auto doublings = std::min(m.dials_failed > 0 ? m.dials_failed - 1 : 0U, 2U);
    const auto longer = options_.interval * std::min(1U << doublings, max_dial_backoff);
    return doublings == 0 ? longer : jittered(longer, options_.seed, m.id, m.dials_failed);
  };
  m.next_dial = without(rule_taken::dials_pause) ? now : now + pause();
}

void questions::took_too_much(member_record& m, steady_time now) const {
  if (now - m.link_since >= too_much_retry) m.took_too_much = 0;
  constexpr unsigned most_doublings = 16;  // of the shortest interval: above too_much_retry
  const auto longer = options_.interval * (1U << std::min(m.took_too_much++, most_doublings));
  const auto pause =
      jittered(std::min<milliseconds>(longer, too_much_retry), options_.seed, m.id, m.took_too_much);
  m.next_dial = without(rule_taken::dials_pause) ? now : now + pause;
  m.detail += fmt::format("; dialled again in {} s", std::chrono::ceil<std::chrono::seconds>(pause).count());
}

void questions::dial_now(const member_table& members, bool refused_for_cookie, steady_time now) {
  for (const auto& m : members.all()) {
    // A link to one that held too much costs as much again, no matter who asks for it.
    if (m->took_too_much > 1 && !m->linked && m->next_dial > now) continue;
    if ((m->dial_failure == reason::cookie) == refused_for_cookie) m->next_dial = now;
  }
}

// Watched ones in turn, and only for a word that nothing has changed: the views of a thousand, each of a
// thousand names, are not asked for in one moment. One whose first view, or first since it watches, did not
// come is asked again, since what its reports say is not all; and one whose watcher owes us that word, for as
// long as it does.
// Who watches tells when it stops, and an answer to a probe is as good a sign of life.
void questions::round(const member_table& members, std::uint64_t number, std::vector<std::uint32_t> heard) {
  std::ranges::sort(heard);
  for (const auto& m : members.all()) {
    if (!m->linked) continue;
    const bool known_to_live = m->watched && std::ranges::binary_search(heard, m->id);
    m->status_wanted |= !known_to_live;
    m->watcher_owes |= std::exchange(m->confirming, false);
    const bool told_all = m->watched && m->has_view && m->view_of >= m->watched_at && !m->watcher_owes;
    m->view_wanted |= !told_all;
    m->confirm_due = told_all && (number + m->id) % watched_rounds == 0;
  }
}

void questions::ask(const step_context& context, deadline& wake, std::vector<any_action>& actions) const {
  for (const auto& owned : context.members.all()) {
    auto& m = *owned;
    if (m.linked) {
      ask_linked(m, context, wake, actions);
      continue;
    }
    // A member that is gone from the list and not given up yet may be a pod that is not ready.
    if (m.announced || (m.dialling && !without(rule_taken::dialled_once)) || m.state == member_state::left ||
        (!m.listed && m.state != member_state::suspect))
      continue;
    if (context.now >= m.next_dial) {
      m.dialling = true;
      m.dialled_at = context.now;
      actions.emplace_back(action::dial{m.name});
    } else {
      wake.note(m.next_dial);
    }
  }
}

void questions::ask_linked(member_record& m, const step_context& context, deadline& wake,
                           std::vector<any_action>& actions) const {
  const auto now = context.now;
  if (m.answers_unseen && (m.requests == 0 || now - m.first_unseen >= answers_seen_within)) {
    m.view_wanted = true;
  } else if (m.answers_unseen) {
    wake.note(m.first_unseen + answers_seen_within);
  }
  if (m.view_doubted) {
    const auto again = std::max(*m.view_doubted, m.view_asked_at) + options_.interval / 2;
    m.view_wanted |= now >= again;
    if (now < again) wake.note(again);
  }
  if (m.view_wanted && (!m.asking_view || without(rule_taken::views_asked_for_once))) {
    m.view_wanted = m.answers_unseen = false;
    m.asking_view = true;
    m.view_asked_at = now;
    m.reported_meanwhile.clear();
    m.asked_in = context.step;
    actions.emplace_back(action::ask_view{m.name});
  }
  if (std::exchange(m.confirm_due, false) && !m.asking_view && !m.confirming) {
    m.confirming = true;
    m.confirm_asked_at = now;
    m.confirm_asked_in = context.step;
    m.reported_meanwhile.clear();
    actions.emplace_back(action::confirm_view{m.name});
  }
  if (m.status_wanted && (!m.asking_status || now - m.status_asked >= status_wait)) {
    m.status_wanted = false;
    m.asking_status = true;
    m.status_asked = now;
    actions.emplace_back(action::ask_status{m.name});
  }
  if (options_.watch && !m.watch_asked && !m.watched) {
    if (now >= m.next_watch) {
      m.watch_asked = true;
      actions.emplace_back(action::watch{m.name});
    } else {
      wake.note(m.next_watch);
    }
  }
  if (!m.settings_asked && now >= m.next_settings) {
    m.settings_asked = true;
    actions.emplace_back(action::ask_settings{m.name});
  } else if (!m.settings_asked) {
    wake.note(m.next_settings);
  }
}

}  // namespace rollcall::membership
