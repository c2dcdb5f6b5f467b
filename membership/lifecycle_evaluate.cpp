// Where each member stands once all facts of a step are in: what only time and what the others see decide.
#include <fmt/format.h>

#include "membership/lifecycle.hpp"

namespace rollcall::membership {
namespace {

std::string because(reason why, const std::string& detail) {
  if (!detail.empty()) return fmt::format(": {} ({})", to_string(why), detail);
  return why == reason::none ? std::string() : fmt::format(": {}", to_string(why));
}

// Who reports changes by itself has a view as fresh as its last sign of life.
steady_time last_heard(const member_record& m) {
  if (!m.has_view) return m.link_since;
  return m.watched ? std::max(m.view_at, m.heard_at) : m.view_at;
}

bool heard_lately(const member_record& m, steady_time now, milliseconds interval) {
  return m.linked && now - last_heard(m) <= 3 * interval;
}

}  // namespace

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
    if (owned->fresh && owned->state == member_state::up) continue;  // whatever the others see
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
  const auto passed = [&](steady_time at) {
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
  const auto passed = [&](steady_time at) {
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
    auto silent_since = std::max(m.absent_since, isolated_until_.value_or(m.absent_since));
    if (m.linked) silent_since = std::max(silent_since, m.link_since);
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
