// One function per question: what a fact says of a member. Where it stands once all facts of a step are in:
// lifecycle_evaluate.cpp.
#include "membership/lifecycle.hpp"

#include <fmt/format.h>

namespace rollcall::membership {
namespace {

// A tick that failed tells more than the dials that time out after it, a goodbye more than any dial.
void keep_reason(member_record& m, reason why, const std::string& detail) {
  if (m.why == reason::tick_timeout && why == reason::timeout) return;
  if (m.why == reason::stopping && m.state == member_state::down) return;
  m.why = why;
  m.detail = detail;
}

// What was read of one creation says nothing of another.
void forget_settings(member_record& m) {
  m.settings_asked = m.settings_answered = m.settings_known = false;
  m.next_settings = {};
  m.settings_missed = 0;
  m.otp_release.reset();
  m.prevent_overlapping_partitions.reset();
  m.connect_all.reset();
  m.dist_auto_connect.reset();
  m.net_ticktime.reset();
  m.net_setuptime.reset();
}

}  // namespace

evidence evidence_of(reason why) noexcept {
  switch (why) {
    case reason::refused:
    case reason::not_registered:
    case reason::epmd:
    case reason::name_mismatch:
      return evidence::gone;
    case reason::cookie:
    case reason::incompatible:
    case reason::tls:
      return evidence::alive;
    case reason::dns:
    case reason::timeout:
    case reason::handshake:
    case reason::closed:
    case reason::tick_timeout:
    case reason::stopping:
      return evidence::silent;
    case reason::none:
      return evidence::none;
  }
  return evidence::none;
}

void lifecycle::enter(member_record& m, member_state state, reason why, moment now) {
  m.state = state;
  m.introducing = false;
  m.why = why;
  m.since = now.wall;
  m.entered = now.steady;
  if (why == reason::none) m.detail.clear();
}

void lifecycle::discovery_answered(bool every_source, milliseconds ttl, bool doubted, moment now) {
  ttl = std::min(ttl, longest_ttl);
  if (ttl >= listing_ttl_ || now.steady - listing_ttl_at_ > longest_ttl) {
    listing_ttl_ = ttl;
    listing_ttl_at_ = now.steady;
  }
  if (!doubted) {
    doubted_since_.reset();
  } else if (!doubted_since_) {
    doubted_since_ = now.steady;
  }
  if (!first_listing_) first_listing_ = now.steady;
  every_source_answered_ |= every_source;
}

void lifecycle::listed(member_record& m, moment now) {
  if (m.listed) return;
  m.listed = true;
  m.next_dial = now.steady;
  m.dials_failed = 0;
  if (m.state != member_state::left) return;
  m.creation = 0;
  m.joined = m.failure_counted = m.failure_pending = false;
  m.first_dial_ended = m.first_view_ended = false;
  m.dial_failure = m.loss = reason::none;
  forget_settings(m);
  enter(m, member_state::joining, reason::none, now);
}

void lifecycle::delisted(member_record& m, moment now) {
  m.listed = false;
  m.delisted_at = doubted_since_.value_or(now.steady);  // when it was said first
}

bool lifecycle::link_up(member_record& m, std::uint32_t creation, moment now) {
  const bool known = m.creation != 0;
  const bool another = known && m.creation != creation;
  if (m.linked && !another) return false;
  m.linked = true;
  m.creation = creation;
  m.link_since = now.steady;
  m.dialling = false;
  m.first_dial_ended = true;
  m.dials_failed = 0;
  m.dial_failure = reason::none;
  m.introducing = m.has_view = m.fresh = m.first_view_ended = m.asking_view = m.answers_unseen = false;
  m.view_failure = reason::none;
  m.view_wanted = m.status_wanted = true;
  m.watch_asked = m.watched = m.asking_status = m.confirm_due = m.confirming = false;
  m.watcher_owes = false;
  m.told_at = m.answered_at = {};
  m.next_watch = {};
  m.leave_told.reset();
  m.reported_meanwhile.clear();
  m.view_doubted.reset();
  m.heard_at = now.steady;
  if (!m.settings_known) m.settings_asked = false;
  if (!another) return false;

  forget_settings(m);

  m.entry = next_entry();
  m.stopping = m.failure_pending = false;
  if (!starting_) ++m.restarts;
  events_.write(event_type::member_restarted, &m.name, reason::none,
                fmt::format("{} was restarted: it answers with another creation", m.name.text()), now);
  if (m.state == member_state::up) m.absent_since = now.steady;
  const bool was_there =
      m.state == member_state::up || m.state == member_state::suspect || m.state == member_state::down;
  if (was_there) {
    enter(m, member_state::joining, reason::none, now);
  } else if (m.state == member_state::leaving && !m.kept_out) {
    enter(m, member_state::joining, reason::none, now);
  }
  return true;
}

void lifecycle::link_down(member_record& m, reason why, const std::string& detail, moment now) {
  if (!m.linked) return;
  m.linked = m.introducing = m.fresh = m.has_view = m.asking_view = m.answers_unseen = false;
  m.view_wanted = m.status_wanted = m.asking_status = m.watched = m.watch_asked = false;
  m.confirm_due = m.confirming = m.watcher_owes = false;
  m.reported_meanwhile.clear();
  m.view_doubted.reset();
  m.first_view_ended = true;
  m.lost_at = now.steady;
  m.loss = why;
  m.dial_failure = reason::none;
  // A link that did not last an interval is not dialled again at once: that would be a circle.
  const bool lasted = now.steady - m.link_since >= options_.interval;
  m.next_dial = lasted ? now.steady : now.steady + options_.interval;
  if (m.state == member_state::up) {
    m.absent_since = now.steady;
    m.detail = detail;
    suspect(m, why, now);
  } else if (m.state == member_state::leaving) {
    m.absent_since = now.steady;
    m.detail = detail;
  } else {
    if (m.state == member_state::suspect && evidence_of(why) == evidence::silent && why == reason::closed) {
      m.absent_since = now.steady;  // it answered meanwhile: the peer itself closed the link
    }
    keep_reason(m, why, detail);
  }
}

void lifecycle::dial_failed(member_record& m, reason why, const std::string& detail, moment) {
  m.first_dial_ended = true;
  m.dial_failure = why;
  ++m.dials_failed;
  if (m.state == member_state::leaving || m.state == member_state::left) return;
  keep_reason(m, why, detail);
}

void lifecycle::stopping(member_record& m, moment now) {
  if (m.stopping || m.creation == 0 || m.state == member_state::left) return;
  m.stopping = true;
  if (m.state == member_state::leaving) return;
  enter(m, member_state::leaving, reason::stopping, now);
  if (!m.linked) m.absent_since = m.lost_at;
  m.detail = "the node says that it is stopping";
  events_.write(event_type::member_leaving, &m.name, reason::stopping,
                fmt::format("{} is stopping", m.name.text()), now);
}

// `down` stays: what has failed before was no stop. One that was never linked is leaving all the same, so
// that nobody waits for it.
void lifecycle::announced(member_record& m, bool leaving, moment now) {
  if (m.announced == leaving) return;
  m.announced = leaving;
  m.next_dial = now.steady;
  if (!leaving || m.state == member_state::left || m.state == member_state::down) return;
  m.first_dial_ended = true;
  m.stopping = true;
  if (m.state == member_state::leaving) return;
  if (!m.linked) m.absent_since = m.creation != 0 ? m.lost_at : now.steady;
  if (m.creation == 0) m.lost_at = now.steady;
  enter(m, member_state::leaving, reason::stopping, now);
  m.detail = "its pod is terminating";
  events_.write(event_type::member_leaving, &m.name, reason::stopping,
                fmt::format("{} is leaving: its pod is terminating", m.name.text()), now);
}

void lifecycle::keep_out(member_record& m, std::string_view why, moment now) {
  m.kept_out = true;
  if (m.state == member_state::left || m.state == member_state::leaving || m.creation == 0) return;
  enter(m, member_state::leaving, reason::stopping, now);
  if (!m.linked) m.absent_since = m.lost_at;
  m.detail = why;
  events_.write(event_type::member_leaving, &m.name, reason::stopping,
                fmt::format("{} is kept out of the mesh: {}", m.name.text(), why), now);
}

void lifecycle::let_in(member_record& m, moment now) {
  m.kept_out = false;
  if (m.state != member_state::leaving || m.stopping) return;
  enter(m, member_state::joining, reason::none, now);
  m.joined = m.linked && m.joined;
}

}  // namespace rollcall::membership
