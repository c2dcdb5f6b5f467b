// One function per question: what a fact says of a member, and where it stands once all facts of a step are
// in.
#include "membership/lifecycle.hpp"

#include <fmt/format.h>

namespace rollcall::membership {
namespace {

std::string because(reason why, const std::string& detail) {
  if (!detail.empty()) return fmt::format(": {} ({})", to_string(why), detail);
  return why == reason::none ? std::string() : fmt::format(": {}", to_string(why));
}

// A tick that failed tells more than the dials that time out after it, a goodbye more than any dial.
void keep_reason(member_record& m, reason why, const std::string& detail) {
  if (m.why == reason::tick_timeout && why == reason::timeout) return;
  if (m.why == reason::stopping && m.state == member_state::down) return;
  m.why = why;
  m.detail = detail;
}

// Who reports changes by itself has a view as fresh as its last sign of life.
milliseconds last_heard(const member_record& m) {
  if (!m.has_view) return m.link_since;
  return m.watched ? std::max(m.view_at, m.heard_at) : m.view_at;
}

bool heard_lately(const member_record& m, milliseconds now, milliseconds interval) {
  return m.linked && now - last_heard(m) <= 3 * interval;
}

// What was read of one creation says nothing of another.
void forget_settings(member_record& m) {
  m.settings_asked = m.settings_answered = m.settings_known = false;
  m.next_settings = milliseconds{0};
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
  m.watch_asked = m.watched = m.asking_status = false;
  m.next_watch = m.leave_told = milliseconds{0};
  m.reported_meanwhile.clear();
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
  m.reported_meanwhile.clear();
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

void lifecycle::suspect(member_record& m, reason why, moment now) {
  enter(m, member_state::suspect, why, now);
  events_.write(event_type::member_suspect, &m.name, why,
                fmt::format("{} is suspect{}", m.name.text(), because(why, m.detail)), now);
}

void lifecycle::leave_cluster(member_record& m, moment now, std::string_view how) {
  if (!starting_ && m.joined && !m.failure_counted) ++m.leaves;
  const auto why = m.why;
  enter(m, member_state::left, why, now);
  m.joined = m.failure_pending = m.stopping = false;
  events_.write(event_type::member_left, &m.name, why, fmt::format("{} left: {}", m.name.text(), how), now);
}

bool lifecycle::evaluate(const member_table& members, const view_matrix& views, moment now, deadline& wake,
                         std::vector<member_record*>& gone) {
  bool changed = false;
  rank_set witnesses(members.size());
  std::size_t left = 0;
  for (const auto& owned : members.all()) {
    auto& m = *owned;
    const bool fresh = m.has_view && (heard_lately(m, now.steady, options_.interval) ||
                                      without(rule_taken::only_fresh_views_count));
    changed |= fresh != m.fresh;
    m.fresh = fresh;
    if (fresh) witnesses.insert(m.rank);
    if (m.linked) wake.note(last_heard(m) + 3 * options_.interval + milliseconds(1));
    left += m.state == member_state::left ? 1 : 0;
  }
  changed |= evaluate_isolation(members, now);
  meshed_.assign(members.meshes(), false);
  for (const auto& m : members.all()) {
    if (meshed_[m->mesh] || !m->in_mesh()) continue;
    each_rank(views.sees(m->rank), [&](std::size_t rank) {
      if (members[rank].in_mesh() && members[rank].mesh == m->mesh) meshed_[m->mesh] = true;
    });
  }
  for (const auto& owned : members.all()) {
    bool seen = false, sees = false;
    const auto by = views.seen_by(owned->rank);
    for (std::size_t i = 0; i < by.size(); ++i) {
      seen |= (by[i] & witnesses.words()[i]) != 0;
      sees |= views.sees(owned->rank)[i] != 0;
    }
    // Who believes in a link to it may mean its run before: it knows best itself.
    changed |= step(*owned, seen, !sees, now, wake, gone);
  }
  // After the members: what the first round found is not counted.
  changed |= evaluate_starting(members, now, wake);
  if (left > max_left) {
    std::vector<member_record*> oldest;
    for (const auto& m : members.all()) {
      if (m->state == member_state::left) oldest.push_back(m.get());
    }
    std::ranges::sort(oldest, {}, [](const member_record* m) { return m->entered; });
    oldest.resize(left - max_left);
    for (auto* m : oldest) {
      if (std::ranges::find(gone, m) == gone.end()) gone.push_back(m);
    }
  }
  return changed;
}

bool lifecycle::evaluate_starting(const member_table& members, moment now, deadline& wake) {
  if (!starting_ || !first_listing_) return false;
  const auto patience = *first_listing_ + 2 * options_.interval;
  if (!every_source_answered_ && now.steady < patience) {
    wake.note(patience);
    return false;
  }
  for (const auto& m : members.all()) {
    if (m->listed && (!m->first_dial_ended || (m->linked && !m->first_view_ended))) return false;
  }
  starting_ = false;
  return true;
}

// Nobody reached, and not because all are proven dead: we may be what is broken.
bool lifecycle::evaluate_isolation(const member_table& members, moment now) {
  bool reached = false, untried = false, silent = false, alive = false;
  for (const auto& m : members.all()) {
    if (heard_lately(*m, now.steady, options_.interval)) {
      reached = true;
      break;
    }
    if (!m->listed || m->state == member_state::left || (m->state == member_state::leaving && !m->linked))
      continue;
    if (m->linked) {
      silent = true;
    } else {
      if (m->dial_failure == reason::dns && m->no_such_name) continue;  // nobody is there, yet or any more
      const auto said = evidence_of(m->dial_failure);
      untried |= said == evidence::none;
      // A handshake that failed was a handshake: somebody was there.
      alive |= said == evidence::alive || m->dial_failure == reason::handshake;
      silent |= said == evidence::silent && m->dial_failure != reason::handshake && !said_goodbye(*m, now);
    }
  }
  const bool before = isolated_;
  if (reached || alive) {
    isolated_ = false;
  } else if (!untried) {
    isolated_ = silent;
  }
  if (before) isolated_until_ = now.steady;
  if (isolated_ && !before) {
    events_.write(event_type::isolated, nullptr, reason::none,
                  "no member can be reached: Rollcall itself may be cut off, nobody is called down for it",
                  now);
  }
  return isolated_ != before;
}

// A node that comes to a mesh is no part of it before it is linked to somebody in it, for as long as a new
// node may take to be reachable for everyone.
bool lifecycle::waits_to_be_introduced(const member_record& m, bool alone, moment now, deadline& wake) const {
  const bool introduces = options_.heal == heal_mode::automatic || options_.heal == heal_mode::all;
  if (m.state != member_state::joining || !introduces || starting_ || !meshed_[m.mesh] || !alone)
    return false;
  const auto until = m.came_at + options_.introduce_timeout;
  wake.note(until);
  return now.steady < until;
}

bool lifecycle::step(member_record& m, bool seen, bool alone, moment now, deadline& wake,
                     std::vector<member_record*>& gone) {
  if (m.state == member_state::left) {
    if (now.steady - m.entered >= options_.reap_after) gone.push_back(&m);
    wake.note(m.entered + options_.reap_after);
    return false;
  }
  if (m.state == member_state::leaving) return leaving_step(m, seen, now, wake, gone);
  if (m.fresh) return m.state != member_state::up && present_step(m, alone, now, wake);
  if (!m.joined) return expected_step(m, now, gone);
  // A member that was up and is not: stale, or without a link.
  if (m.state == member_state::up ||
      (m.state == member_state::joining && !heard_lately(m, now.steady, options_.interval))) {
    m.absent_since = m.linked ? last_heard(m) : m.lost_at;
    if (m.linked) m.detail = "linked, but it does not answer";
    suspect(m, m.linked ? (m.view_failure != reason::none ? m.view_failure : reason::timeout) : m.loss, now);
    absent_step(m, seen, now, wake);
    return true;
  }
  return m.state != member_state::joining && absent_step(m, seen, now, wake);
}

bool lifecycle::leaving_step(member_record& m, bool seen, moment now, deadline& wake,
                             std::vector<member_record*>& gone) {
  const auto passed = [&](milliseconds at) {
    wake.note(at);
    return now.steady >= at;
  };
  if (m.linked) return false;
  if (!m.listed) {
    if (m.creation == 0) {
      gone.push_back(&m);
      return true;
    }
    if (!passed(m.lost_at + options_.left_within)) return false;
    leave_cluster(m, now, "it stopped and is not listed any more");
    return true;
  }
  if (m.announced || !passed(m.lost_at + leaving_at_most) || seen) return false;
  // It said goodbye: this is no failure, but nobody should wait for it any longer.
  enter(m, member_state::down, reason::stopping, now);
  m.stopping = false;
  events_.write(event_type::member_down, &m.name, reason::stopping,
                fmt::format("{} stopped, has not come back, and is still listed", m.name.text()), now);
  return true;
}

// A link and a fresh view, and not up yet.
bool lifecycle::present_step(member_record& m, bool alone, moment now, deadline& wake) {
  if (m.kept_out) {
    keep_out(m, "it was told to leave the mesh", now);
    return true;
  }
  if (m.state == member_state::joining && !m.introducing) m.came_at = std::max(m.link_since, m.entered);
  if (waits_to_be_introduced(m, alone, now, wake)) {
    if (std::exchange(m.introducing, true)) return false;
    m.detail = fmt::format("linked; it waits, for at most {} s, until every member can reach it",
                           options_.introduce_timeout.count() / 1000);
    return true;
  }
  const bool first = !m.joined;
  const auto before = m.state;
  m.joined = true;
  if (first && !starting_) ++m.joins;
  if (m.failure_pending) {
    m.failure_pending = false;
    if (!starting_) ++m.failures;
  }
  m.failure_counted = false;
  enter(m, member_state::up, reason::none, now);
  const bool again = before == member_state::suspect || before == member_state::down;
  if (first && !starting_) {
    events_.write(event_type::member_joined, &m.name, reason::none, fmt::format("{} joined", m.name.text()),
                  now);
  } else {
    events_.write(event_type::member_up, &m.name, reason::none,
                  fmt::format("{} is up{}", m.name.text(), again ? " again" : ""), now);
  }
  return true;
}

// Joining, and never seen up.
bool lifecycle::expected_step(member_record& m, moment now, std::vector<member_record*>& gone) const {
  if (!m.listed && !m.linked && !m.dialling) {
    gone.push_back(&m);
    return true;
  }
  if (!m.linked || heard_lately(m, now.steady, options_.interval) || m.why != reason::none) return false;
  m.why = m.view_failure != reason::none ? m.view_failure : reason::timeout;
  m.detail = "linked, but it does not say which nodes it sees";
  return true;
}

// Its link was closed by the node itself, and it was delisted before that, or soon enough after it: for as
// long as a cache may have gone on listing it.
bool lifecycle::withdrawn(const member_record& m) const {
  if (m.linked || m.listed || m.loss != reason::closed || m.failure_counted) return false;
  return m.delisted_at - m.absent_since <= stale_listing();
}

// For so long a node that is gone may still be listed.
milliseconds lifecycle::stale_listing() const {
  return options_.left_within + listing_ttl_ + options_.linger;
}

// It closed its link by itself, and what lists it may be older than that. Where something else cut all links,
// we are isolated before anybody is called down for it.
bool lifecycle::said_goodbye(const member_record& m, moment now) const {
  const auto at_most = m.net_ticktime.value_or(default_ticktime) * 3 / 4;
  return m.loss == reason::closed &&
         (doubted_since_ || now.steady - m.lost_at <= std::min(stale_listing(), at_most));
}

// Suspect or down, without a fresh view.
bool lifecycle::absent_step(member_record& m, bool seen, moment now, deadline& wake) {
  const auto passed = [&](milliseconds at) {
    wake.note(at);
    return now.steady >= at;
  };
  if (withdrawn(m)) {
    // The hold is what lets a pod come back under its name without having left.
    if (!passed(m.absent_since + options_.left_within) || seen) return false;
    leave_cluster(m, now, "its link closed and it is not listed any more");
    return true;
  }

  const auto ticktime = m.net_ticktime.value_or(default_ticktime);
  if (!m.linked && !m.listed && !seen && m.state == member_state::down) {
    const bool counted = settle_failure(m, now, wake);
    if (m.failure_pending || !passed(m.delisted_at + options_.left_within)) return counted;
    leave_cluster(m, now, "it was down and is not listed any more");
    return true;
  }
  if (m.state == member_state::down) return settle_failure(m, now, wake);

  if (!passed(m.absent_since + options_.suspect_after_loss) || seen || isolated_) return false;
  const auto said = evidence_of(m.dial_failure);
  if (!m.linked && said == evidence::alive) {
    if (m.listed || !passed(m.delisted_at + ticktime)) return false;
    leave_cluster(m, now, "it refuses us and is not listed any more");
    return true;
  }
  if (m.linked || said != evidence::gone) {
    const auto silent_since =
        std::max({m.absent_since, m.linked ? m.link_since : milliseconds{0}, isolated_until_});
    if (!passed(silent_since + ticktime)) return false;
  }
  const auto why = m.why != reason::none ? m.why : reason::timeout;
  enter(m, member_state::down, why, now);
  m.failure_pending = true;
  events_.write(event_type::member_down, &m.name, why,
                fmt::format("{} is down: nobody sees it{}", m.name.text(), because(why, m.detail)), now);
  settle_failure(m, now, wake);
  return true;
}

// A member that is down becomes a failure once neither a restart nor its delisting explains it.
bool lifecycle::settle_failure(member_record& m, moment now, deadline& wake) {
  if (!m.failure_pending) return false;
  const bool stale = m.listed && m.loss == reason::closed;
  const auto settles = m.absent_since + (stale ? stale_listing() : options_.left_within);
  wake.note(settles + milliseconds(1));
  if (now.steady <= settles || (stale && doubted_since_)) return false;
  m.failure_pending = false;
  m.failure_counted = true;
  if (!starting_) ++m.failures;
  return true;
}

}  // namespace rollcall::membership
