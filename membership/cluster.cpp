// One step: facts are applied in their order, every member is put where it stands now, the missing pairs are
// planned, dials and questions go out, and what readers see is drawn anew if anything changed.
#include "membership/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "membership/conditions.hpp"
#include "membership/jitter.hpp"
#include "membership/lifecycle.hpp"
#include "membership/picture.hpp"
#include "membership/planner.hpp"

namespace rollcall::membership {
namespace {

constexpr std::size_t max_strangers = 1'000;       // names a view may hold that are no members
constexpr unsigned max_dial_backoff = 4;           // intervals
constexpr milliseconds aside_retry{60'000};        // an alias may become a node of its own
constexpr milliseconds answers_shown_within{100};  // in the snapshot, unless something else changes
constexpr milliseconds answers_seen_within{500};   // views follow the first answer at the latest

}  // namespace

struct cluster::implementation {
  explicit implementation(const settings& s)
      : options(s), events(options.max_events), life(options, events), alarms(options) {}

  // Listed, and yet no member: another name of a member, or a node that hides itself.
  struct set_aside {
    std::optional<node_name> alias_of;
    bool dialling = false;
    milliseconds next_dial{0};
  };
  struct stranger_link {
    std::uint32_t creation;
    bool visible;
  };

  step_result step(std::span<const any_fact> facts, moment at);

  void apply(const fact::listed&);
  void apply(const fact::link_up&);
  void apply(const fact::link_down&);
  void apply(const fact::dial_failed&);
  void apply(const fact::view&);
  void apply(const fact::view_failed&);
  void apply(const fact::settings&);
  void apply(const fact::stopping&);
  void apply(const fact::connect_result&);
  void apply(const fact::cookies_changed&);
  void apply(const fact::round_requested&);

  plan_context context() const { return {members, views, options, now.steady, number, listing_changed}; }
  void settle();
  void put_aside(member_record&, std::optional<node_name> alias_of);
  void forget(member_record&);
  void linked(member_record&, std::uint32_t creation);
  milliseconds dial_pause(const member_record&, reason) const;
  void start_round();
  void dial_and_ask(deadline&, std::vector<any_action>&);
  void publish(deadline&);

  settings options;
  journal events;
  lifecycle life;
  conditions alarms;
  member_table members;
  view_matrix views;
  planner plans;

  std::map<node_name, set_aside> aside;
  std::map<node_name, stranger_link> stranger_links;
  std::vector<source_report> sources;
  std::map<connect_outcome, std::uint64_t> connect_requests;

  moment now;
  step_number number = 0;
  bool dirty = false;
  bool planning_due = true;
  milliseconds next_plan{0};
  milliseconds next_judgement{0};
  milliseconds next_round{0};
  milliseconds listing_changed{0};
  snapshot_ptr shown;
  std::uint64_t version = 0;
};

// Members that were added or removed since get their ranks; bits and strangers follow.
void cluster::implementation::settle() {
  if (members.settled()) return;
  // Whoever goes may still be seen by others: as a stranger, then.
  std::vector<std::pair<std::uint32_t, node_name>> moved;
  for (const auto& m : members.all()) {
    if (members.find(m->id) != nullptr) continue;
    each_rank(views.seen_by(m->rank),
              [&](std::size_t rank) { moved.emplace_back(members[rank].id, m->name); });
  }
  const auto previous = members.settle();
  views.reorder(previous);
  plans.reorder(previous);
  for (auto& [id, name] : moved) {
    auto* m = members.find(id);
    if (m != nullptr && m->strangers.size() < max_strangers) m->strangers.push_back(std::move(name));
  }
  for (const auto& m : members.all()) {
    std::erase_if(m->strangers, [&](const node_name& name) {
      const auto* known = members.find(name);
      if (known == nullptr) return false;
      views.set(m->rank, known->rank);
      return true;
    });
  }
  planning_due = dirty = true;
}

void cluster::implementation::forget(member_record& m) {
  if (m.linked) stranger_links.insert_or_assign(m.name, stranger_link{m.creation, m.visible_kind});
  plans.forget(m);
  members.remove(m);
}

void cluster::implementation::put_aside(member_record& m, std::optional<node_name> alias_of) {
  aside.insert_or_assign(m.name,
                         set_aside{.alias_of = std::move(alias_of), .next_dial = now.steady + aside_retry});
  forget(m);
  settle();
}

void cluster::implementation::apply(const fact::listed& listed) {
  std::unordered_set<std::string_view> names;
  std::vector<const node_name*> added;
  std::vector<std::string> gone;
  const auto entry = life.next_entry();
  for (const auto& name : listed.nodes) {
    if (!names.insert(name.text()).second || aside.contains(name)) continue;
    auto* m = members.find(name);
    if (m != nullptr && m->listed) continue;
    added.push_back(&name);
    if (m == nullptr) {
      m = &members.add(name);
      m->since = now.wall;
      m->entered = now.steady;
    }
    // An unlisted pod that was up all along is no newcomer.
    if (m->state != member_state::up) m->entry = entry;
    life.listed(*m, now);
    listing_changed = now.steady;
  }
  settle();
  for (const auto* name : added) {
    const auto link = stranger_links.find(*name);
    if (link == stranger_links.end()) continue;
    auto* m = members.find(*name);
    const auto [creation, visible] = link->second;
    stranger_links.erase(link);
    if (!visible) {
      m->visible_kind = false;
      put_aside(*m, {});
    } else {
      linked(*m, creation);
    }
  }
  for (const auto& m : members.all()) {
    if (!m->listed || names.contains(m->name.text())) continue;
    life.delisted(*m, now);
    gone.push_back(m->name.text());
  }
  std::erase_if(aside, [&](const auto& entry_) { return !names.contains(entry_.first.text()); });

  if (!added.empty() || !gone.empty()) {
    const auto few = [](const auto& list, auto&& text) {
      std::string sentence;
      for (std::size_t i = 0; i < list.size() && i < conditions::most_names; ++i) {
        sentence += (i == 0 ? "" : ", ") + text(list[i]);
      }
      if (list.size() > conditions::most_names) {
        sentence += fmt::format(" and {} more", list.size() - conditions::most_names);
      }
      return sentence;
    };
    auto sentence = fmt::format("discovery lists {} {}", names.size(), names.size() == 1 ? "node" : "nodes");
    if (!added.empty()) sentence += ", new: " + few(added, [](const node_name* n) { return n->text(); });
    if (!gone.empty()) sentence += ", gone: " + few(gone, [](const std::string& n) { return n; });
    events.write(event_type::discovery_changed, nullptr, reason::none, std::move(sentence), now);
  }
  sources = listed.sources;
  alarms.sources_told(sources, now);
  life.discovery_answered(std::ranges::all_of(sources,
                                              [](const source_report& s) {
                                                return s.asked &&
                                                       (s.last_success || s.outcome == query_outcome::ok ||
                                                        s.outcome == query_outcome::empty);
                                              }),
                          now);
  dirty = true;
}

void cluster::implementation::linked(member_record& m, std::uint32_t creation) {
  const bool was_linked = m.linked;
  if (life.link_up(m, creation, now)) plans.forget(m);
  if (!was_linked || !m.has_view) {
    views.clear(m.rank);
    m.strangers.clear();
  }
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::link_up& up) {
  if (const auto put = aside.find(up.node); put != aside.end()) {
    put->second.dialling = false;
    put->second.next_dial = now.steady + aside_retry;
    if (!up.visible) {
      put->second.alias_of.reset();
      stranger_links.insert_or_assign(up.node, stranger_link{up.creation, up.visible});
      return;
    }
    // It answers under this name after all.
    aside.erase(put);
    stranger_links.erase(up.node);
    auto& m = members.add(up.node);
    m.since = now.wall;
    m.entered = now.steady;
    m.entry = life.next_entry();
    life.listed(m, now);
    settle();
    linked(m, up.creation);
    return;
  }
  auto* m = members.find(up.node);
  // A node that nobody lists, or that never was one of us: the link is remembered in case it gets listed.
  if (m == nullptr || m->state == member_state::left || (!m->listed && !m->joined)) {
    stranger_links.insert_or_assign(up.node, stranger_link{up.creation, up.visible});
    if (m != nullptr) m->dialling = false;
    return;
  }
  if (!up.visible) {
    m->linked = true;
    m->creation = up.creation;
    m->visible_kind = false;
    put_aside(*m, {});
    return;
  }
  linked(*m, up.creation);
}

void cluster::implementation::apply(const fact::link_down& down) {
  stranger_links.erase(down.node);
  auto* m = members.find(down.node);
  if (m == nullptr || !m->linked) return;
  life.link_down(*m, down.why, down.detail, now);
  views.clear(m->rank);
  m->strangers.clear();
  dirty = planning_due = true;
}

// Who answered is dialled again next interval; who did not, ever later; who refused us, when something may
// have changed.
milliseconds cluster::implementation::dial_pause(const member_record& m, reason why) const {
  if (why == reason::cookie) return options.cookie_retry;
  if (evidence_of(why) == evidence::gone && why != reason::name_mismatch) return options.interval;
  const auto doublings = std::min(m.dials_failed > 0 ? m.dials_failed - 1 : 0U, 2U);
  const auto pause = options.interval * std::min(1U << doublings, max_dial_backoff);
  return doublings == 0 ? pause : jittered(pause, options.seed, m.id, m.dials_failed);
}

void cluster::implementation::apply(const fact::dial_failed& failed) {
  if (const auto put = aside.find(failed.node); put != aside.end()) {
    put->second.dialling = false;
    put->second.next_dial = now.steady + aside_retry;
    return;
  }
  auto* m = members.find(failed.node);
  if (m == nullptr) return;
  m->dialling = false;
  dirty = planning_due = true;
  if (m->linked) return;  // it came to us meanwhile
  if (failed.why == reason::name_mismatch && failed.answered_as && *failed.answered_as != m->name &&
      m->creation == 0) {
    auto* real = members.find(*failed.answered_as);
    if (real != nullptr && real->state != member_state::left) {
      // Two handshakes of ours met there, and the node ended one: it was not refused.
      if (!real->linked && real->dial_failure == reason::handshake) real->next_dial = now.steady;
      events.write(event_type::discovery_changed, &m->name, reason::name_mismatch,
                   fmt::format("{} is another name of {}: it is not a member of its own", m->name.text(),
                               real->name.text()),
                   now);
      put_aside(*m, real->name);
      return;
    }
  }
  life.dial_failed(*m, failed.why, failed.detail, now);
  m->next_dial = now.steady + dial_pause(*m, failed.why);
}

void cluster::implementation::apply(const fact::view& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  rank_set seen(members.size());
  m->strangers.clear();
  for (const auto& name : told.visible) {
    if (const auto* other = members.find(name); other != nullptr) {
      seen.insert(other->rank);
    } else if (m->strangers.size() < max_strangers && !aside.contains(name) && name != m->name) {
      m->strangers.push_back(name);
    }
  }
  const bool changed = views.replace(m->rank, seen);
  planning_due |= changed || !m->fresh;
  m->view_basis = m->asking_view ? m->asked_in : number;
  m->asking_view = false;
  m->has_view = m->first_view_ended = true;
  m->view_at = now.steady;
  m->view_failure = reason::none;
  m->round_trip = told.round_trip;
  planning_due |= plans.viewed(*m, context());
  dirty = true;
}

void cluster::implementation::apply(const fact::view_failed& failed) {
  auto* m = members.find(failed.node);
  if (m == nullptr || !m->linked) return;
  m->asking_view = false;
  m->first_view_ended = true;
  m->view_failure = failed.why;
  planning_due = true;
}

void cluster::implementation::apply(const fact::settings& told) {
  auto* m = members.find(told.node);
  if (m == nullptr) return;
  m->otp_release = told.otp_release.empty() ? std::nullopt : std::optional(told.otp_release);
  m->prevent_overlapping_partitions = told.prevent_overlapping_partitions;
  m->connect_all = told.connect_all;
  m->dist_auto_connect = told.dist_auto_connect;
  m->net_ticktime = told.net_ticktime;
  m->net_setuptime = told.net_setuptime;
  dirty = true;
}

void cluster::implementation::apply(const fact::stopping& stops) {
  auto* m = members.find(stops.node);
  if (m == nullptr) return;
  m->asking_view = false;
  m->first_view_ended = true;
  life.stopping(*m, now);
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::connect_result& result) {
  if (!plans.answered(result, context())) return;
  ++connect_requests[result.outcome];
  // A burst has thousands of answers, and the views that follow tell more: readers are shown them together.
  next_judgement = std::min(next_judgement, now.steady + answers_shown_within);
}

void cluster::implementation::apply(const fact::cookies_changed&) {
  for (const auto& m : members.all()) {
    if (m->dial_failure == reason::cookie) m->next_dial = now.steady;
  }
}

void cluster::implementation::apply(const fact::round_requested&) {
  next_round = now.steady;
  plans.hurry();
  for (const auto& m : members.all()) {
    if (m->dial_failure != reason::cookie) m->next_dial = now.steady;
  }
  for (auto& [name, put] : aside) put.next_dial = now.steady;
  planning_due = true;
}

void cluster::implementation::start_round() {
  if (now.steady < next_round) return;
  // The rhythm is kept; rounds that nobody called for are not made up for.
  next_round = next_round + options.interval > now.steady ? next_round + options.interval
                                                          : now.steady + options.interval;
  for (const auto& m : members.all()) m->view_wanted |= m->linked;
  plans.sweep(context());
  planning_due = true;
}

void cluster::implementation::dial_and_ask(deadline& wake, std::vector<any_action>& actions) {
  for (const auto& owned : members.all()) {
    auto& m = *owned;
    if (m.linked) {
      if (m.answers_unseen && (m.requests == 0 || now.steady - m.first_unseen >= answers_seen_within)) {
        m.view_wanted = true;
      } else if (m.answers_unseen) {
        wake.note(m.first_unseen + answers_seen_within);
      }
      if (m.view_wanted && !m.asking_view) {
        m.view_wanted = m.answers_unseen = false;
        m.asking_view = true;
        m.asked_in = number;
        actions.emplace_back(action::ask_view{m.name});
      }
      if (!m.settings_asked) {
        m.settings_asked = true;
        actions.emplace_back(action::ask_settings{m.name});
      }
      continue;
    }
    // A member that is gone from the list and not given up yet may be a pod that is not ready.
    if (m.dialling || m.state == member_state::left || (!m.listed && m.state != member_state::suspect))
      continue;
    if (now.steady >= m.next_dial) {
      m.dialling = true;
      actions.emplace_back(action::dial{m.name});
    } else {
      wake.note(m.next_dial);
    }
  }
  for (auto& [name, put] : aside) {
    if (put.dialling || stranger_links.contains(name)) continue;
    if (now.steady >= put.next_dial) {
      put.dialling = true;
      actions.emplace_back(action::dial{name});
    } else {
      wake.note(put.next_dial);
    }
  }
}

void cluster::implementation::publish(deadline& wake) {
  auto next = draw(members, views);
  std::erase_if(next.unlisted, [&](const node_name& name) { return aside.contains(name); });
  next.at = now.wall;
  next.expected = std::max(next.listed, options.expect);
  next.starting = life.starting();
  next.isolated = life.isolated();
  next.sources = sources;
  next.connect_requests = connect_requests;
  next.conditions = alarms.judge(next, now, wake);
  for (const auto& c : next.conditions) {
    const auto level = c.how_bad == severity::error ? health::error : health::warning;
    next.overall = std::max(next.overall, level);
  }
  next.events = events.last();
  next.version = ++version;
  shown = std::make_shared<const membership::snapshot>(std::move(next));
}

step_result cluster::implementation::step(std::span<const any_fact> facts, moment at) {
  at.steady = std::max(at.steady, now.steady);
  if (number == 0) next_round = at.steady + options.interval;
  now = at;
  ++number;
  step_result result;
  for (const auto& any : facts) {
    std::visit([this](const auto& told) { apply(told); }, any);
  }
  start_round();

  deadline wake(now.steady, next_round);
  std::vector<member_record*> gone;
  if (life.evaluate(members, views, now, wake, gone)) dirty = planning_due = true;
  for (auto* m : gone) forget(*m);
  settle();

  if (planning_due || now.steady >= next_plan) {
    planning_due = false;
    deadline next(now.steady, now.steady + options.interval);
    plans.plan(context(), next, result.actions);
    next_plan = next.next();
  }
  wake.note(next_plan);
  dial_and_ask(wake, result.actions);

  // Conditions come and go with time as well: they are judged anew when one of them said it would.
  if (dirty || now.steady >= next_judgement || events.has_news()) {
    dirty = false;
    deadline next(now.steady, now.steady + options.interval);
    publish(next);
    next_judgement = next.next();
    result.changed = true;
  }
  wake.note(next_judgement);
  result.events = events.take();
  result.wake = {wake.next(), now.wall + (wake.next() - now.steady)};
  return result;
}

cluster::cluster(settings s) : implementation_(std::make_unique<implementation>(s)) {
  implementation_->shown = std::make_shared<const membership::snapshot>();
}
cluster::~cluster() = default;
cluster::cluster(cluster&&) noexcept = default;

step_result cluster::step(std::span<const any_fact> facts, moment now) {
  return implementation_->step(facts, now);
}

snapshot_ptr cluster::snapshot() const {
  return implementation_->shown;
}

}  // namespace rollcall::membership
