// One step: facts are applied in their order, every member is put where it stands now, the missing pairs are
// planned, dials and questions go out, and what readers see is drawn anew if anything changed.
#include "membership/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "membership/conditions.hpp"
#include "membership/incidents.hpp"
#include "membership/jitter.hpp"
#include "membership/lifecycle.hpp"
#include "membership/partitions.hpp"
#include "membership/path_book.hpp"
#include "membership/picture.hpp"
#include "membership/planner.hpp"
#include "membership/prober.hpp"

namespace rollcall::membership {
namespace {

constexpr std::size_t max_strangers = 1'000;       // names a view may hold that are no members
constexpr unsigned max_dial_backoff = 4;           // intervals
constexpr milliseconds aside_retry{60'000};        // an alias may become a node of its own
constexpr milliseconds answers_shown_within{100};  // in the snapshot, unless something else changes
constexpr milliseconds answers_seen_within{500};   // views follow the first answer at the latest
constexpr unsigned watched_rounds = 6;       // a node that reports changes is asked for its view this often
constexpr milliseconds watch_retry{60'000};  // a watcher that ended, or could not start
constexpr milliseconds status_wait{5'000};   // a question for the status is given up
constexpr int leave_again = 6;               // intervals: who was told to leave and is linked again
constexpr milliseconds paths_kept{120'000};

}  // namespace

struct cluster::implementation {
  explicit implementation(const settings& s)
      : options(s),
        events(options.max_events),
        life(options, events),
        alarms(options),
        splits(options, events) {}

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
  void apply(const fact::heard&);
  void apply(const fact::peer_changed&);
  void apply(const fact::watching&);
  void apply(const fact::links_probed&);
  void apply(const fact::path_probed&);
  void apply(const fact::leave&);
  void apply(const fact::rejoin&);

  step_context context() const {
    return {.members = members,
            .views = views,
            .suspected = probes.suspected(),
            .options = options,
            .at = now,
            .now = now.steady,
            .step = number,
            .listing_changed = listing_changed,
            .starting = life.starting(),
            .isolated = life.isolated(),
            .held = plans.held()};
  }
  void lost(member_record& from, member_record& to, std::string_view why);
  void changed(member_record&, const node_name& peer, bool up, std::string_view why);
  void follow_incidents();
  void keep_out(member_record&, std::string_view why);
  void prune();
  std::vector<node_name> cut_one_by_one(const member_record&) const;
  bool linked_to_somebody(const member_record&) const;
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
  prober probes;
  path_book paths;
  incidents splits;
  std::vector<std::vector<std::size_t>> partitions;
  std::set<node_name> kept_out;  // by leave/1

  std::map<node_name, set_aside> aside;
  std::map<node_name, stranger_link> stranger_links;
  std::vector<source_report> sources;
  std::map<connect_outcome, std::uint64_t> connect_requests;

  moment now;
  step_number number = 0;
  bool dirty = false;
  bool planning_due = true;
  milliseconds next_plan{0};
  bool probing_due = true;
  milliseconds next_probe{0};
  milliseconds next_judgement{0};
  milliseconds next_split_look{0};
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
  probes.reorder(previous);
  splits.reorder(previous);
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
  probes.forget(m);
  paths.forget(m);
  splits.removed(m, now);
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
  std::size_t before = 0;
  for (const auto& m : members.all()) before += m->listed ? 1 : 0;
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
    if (m->state == member_state::left) {
      plans.forget(*m);
      paths.forget(*m);
      splits.restarted(*m, now);
    }
    life.listed(*m, now);
    m->prune_barred = false;
    if (kept_out.contains(name)) {
      m->kept_out = true;
    } else if (std::exchange(m->pruned, false)) {
      m->kept_out = false;
      life.let_in(*m, now);
    }
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
    // An answer that lost half of its nodes at once may be wrong: nobody is taken out for it.
    m->prune_barred = names.size() * 2 <= before;
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
  if (life.link_up(m, creation, now)) {
    plans.forget(m);
    paths.forget(m);
    splits.restarted(m, now);
    // Whoever is said to be linked to it may mean the run before: that is asked again.
    std::vector<std::size_t> believers;
    each_rank(views.seen_by(m.rank), [&](std::size_t rank) { believers.push_back(rank); });
    for (const auto rank : believers) {
      views.unset(rank, m.rank);
      members[rank].view_wanted |= members[rank].linked;
    }
  }
  if (!was_linked || !m.has_view) {
    views.clear(m.rank);
    m.strangers.clear();
    probes.forget(m);
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
  m->dial_ended_at.reset();
  probes.forget(*m);
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
  m->dial_ended_at = failed.at;
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
  if (m->has_view) {
    const auto before = views.sees(m->rank);
    for (std::size_t i = 0; i < before.size(); ++i) {
      for (auto bits = before[i] & ~seen.words()[i]; bits != 0; bits &= bits - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
        if (rank != m->rank) lost(*m, members[rank], {});
      }
    }
  }
  const bool differs = views.replace(m->rank, seen);
  planning_due |= differs || !m->fresh;
  m->view_basis = m->asking_view ? m->asked_in : number;
  m->asking_view = false;
  m->has_view = m->first_view_ended = true;
  m->view_at = m->heard_at = now.steady;
  m->view_failure = reason::none;
  m->round_trip = told.round_trip;
  planning_due |= plans.viewed(*m, context());
  dirty = true;
  // What it reported while it was asked may be newer than its answer, or older: its word is followed, and it
  // is asked again.
  for (const auto& [peer, up] : std::exchange(m->reported_meanwhile, {})) {
    changed(*m, peer, up, {});
    m->view_wanted = true;
  }
}

void cluster::implementation::lost(member_record& from, member_record& to, std::string_view why) {
  splits.lost(from, to, why, now);
  plans.lost(from, to, now.steady);
}

void cluster::implementation::changed(member_record& m, const node_name& peer, bool up,
                                      std::string_view why) {
  auto* other = members.find(peer);
  if (other == &m || aside.contains(peer)) return;
  if (other == nullptr) {
    const auto at = std::ranges::find(m.strangers, peer);
    if (up && at == m.strangers.end() && m.strangers.size() < max_strangers) m.strangers.push_back(peer);
    if (!up && at != m.strangers.end()) m.strangers.erase(at);
  } else if (up) {
    views.set(m.rank, other->rank);
  } else if (views.sees(m.rank, other->rank)) {
    views.unset(m.rank, other->rank);
    lost(m, *other, why);
  }
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::peer_changed& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  m->heard_at = now.steady;
  if (m->asking_view && m->reported_meanwhile.size() < max_strangers) {
    m->reported_meanwhile.emplace_back(told.peer, told.up);
  }
  if (m->has_view) changed(*m, told.peer, told.up, told.why);
}

void cluster::implementation::apply(const fact::watching& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  m->watch_asked = told.on;
  if (told.on == m->watched) return;
  m->watched = told.on;
  m->next_watch = now.steady + watch_retry;
  // What happened before it watched is asked for; after that it tells by itself.
  m->view_wanted = true;
  dirty = true;
}

void cluster::implementation::apply(const fact::heard& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  m->asking_status = false;
  m->heard_at = now.steady;
  m->round_trip = told.round_trip;
  if (!m->fresh) dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::links_probed& told) {
  if (probes.probed(told, context())) probing_due = true;
}

void cluster::implementation::apply(const fact::path_probed& told) {
  if (paths.answered(told, now.steady)) planning_due = probing_due = true;
}

void cluster::implementation::keep_out(member_record& m, std::string_view why) {
  m.kept_out = true;
  m.leave_told = milliseconds{0};
  life.keep_out(m, why, now);
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::leave& told) {
  kept_out.insert(told.node);
  auto* m = members.find(told.node);
  if (m != nullptr && !m->kept_out) keep_out(*m, "it was told to leave the mesh");
}

void cluster::implementation::apply(const fact::rejoin& told) {
  kept_out.erase(told.node);
  auto* m = members.find(told.node);
  if (m == nullptr || !m->kept_out) return;
  m->kept_out = m->pruned = false;
  life.let_in(*m, now);
  dirty = planning_due = true;
}

// Only what discovery, when it answers well, has not listed for long.
void cluster::implementation::prune() {
  if (!options.prune_after || options.heal == heal_mode::off || life.starting() || life.isolated()) return;
  std::size_t listed = 0;
  for (const auto& m : members.all()) listed += m->listed ? 1 : 0;
  const bool good = !sources.empty() && listed > 0 && std::ranges::all_of(sources, [](const auto& s) {
    return s.asked && s.outcome == query_outcome::ok;
  });
  if (!good) return;
  for (const auto& owned : members.all()) {
    auto& m = *owned;
    if (m.listed || m.kept_out || m.prune_barred || !m.linked || m.stopping) continue;
    if (now.steady - m.delisted_at < *options.prune_after) continue;
    if (m.state == member_state::up && !options.prune_live) continue;
    m.pruned = true;
    keep_out(m, "no source has listed it for longer than --prune-after");
  }
}

// Cutting links one by one sets off prevent_overlapping_partitions wherever it is on.
std::vector<node_name> cluster::implementation::cut_one_by_one(const member_record& m) const {
  std::vector<node_name> peers;
  for (const auto& other : members.all()) {
    if (other->linked && other->prevent_overlapping_partitions.value_or(true)) return {};
    if (other.get() != &m && (views.sees(m.rank, other->rank) || views.sees(other->rank, m.rank))) {
      peers.push_back(other->name);
    }
  }
  return peers;
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
  m->settings_answered = true;
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::stopping& stops) {
  auto* m = members.find(stops.node);
  if (m == nullptr) return;
  m->asking_view = m->asking_status = false;
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

void cluster::implementation::apply(const fact::cookies_changed&) {
  for (const auto& m : members.all()) {
    if (m->dial_failure == reason::cookie) m->next_dial = now.steady;
  }
}

void cluster::implementation::apply(const fact::round_requested&) {
  next_round = now.steady;
  plans.hurry(now.steady);
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
  for (const auto& m : members.all()) {
    if (!m->linked) continue;
    m->status_wanted = true;
    m->view_wanted |= !m->watched || ++m->rounds_unasked >= watched_rounds;
  }
  prune();
  paths.sweep(now.steady, std::max(paths_kept, 4 * options.interval));
  plans.sweep(context());
  planning_due = true;
}

bool cluster::implementation::linked_to_somebody(const member_record& m) const {
  const auto any = [](std::span<const word> bits) {
    return std::ranges::any_of(bits, [](word w) { return w != 0; });
  };
  return any(views.sees(m.rank)) || any(views.seen_by(m.rank));
}

void cluster::implementation::follow_incidents() {
  const auto& suspected = probes.suspected();
  partitions = find_partitions(members, suspected.any() ? views.without(suspected) : views);
  deadline next(now.steady, now.steady + options.interval);
  if (splits.evaluate(context(), partitions, paths, next)) dirty = true;
  next_split_look = next.next();
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
        m.rounds_unasked = 0;
        m.asked_in = number;
        actions.emplace_back(action::ask_view{m.name});
      }
      if (m.status_wanted && (!m.asking_status || now.steady - m.status_asked >= status_wait)) {
        m.status_wanted = false;
        m.asking_status = true;
        m.status_asked = now.steady;
        actions.emplace_back(action::ask_status{m.name});
      }
      if (options.watch && !m.watch_asked && !m.watched) {
        if (now.steady >= m.next_watch) {
          m.watch_asked = true;
          actions.emplace_back(action::watch{m.name});
        } else {
          wake.note(m.next_watch);
        }
      }
      if (m.kept_out && (m.leave_told == milliseconds{0} || linked_to_somebody(m))) {
        const auto again = m.leave_told + leave_again * options.interval;
        if (m.leave_told == milliseconds{0} || now.steady >= again) {
          m.leave_told = now.steady;
          actions.emplace_back(action::leave_mesh{m.name, cut_one_by_one(m)});
        } else {
          wake.note(again);
        }
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
  auto next = draw(members, views, probes.suspected(), plans.quarantined(), partitions);
  next.incidents = splits.all();
  next.totals = splits.totals();
  for (const auto& e : plans.excluded()) {
    const auto* m = members.find(e.node);
    if (m == nullptr) continue;
    left_out out{.node = m->name, .cannot_reach = {}, .text = e.text};
    for (const auto id : e.cannot_reach) {
      if (const auto* other = members.find(id); other != nullptr) out.cannot_reach.push_back(other->name);
    }
    next.quarantine.push_back(std::move(out));
  }
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

  if (options.probe && (planning_due || probing_due || now.steady >= next_probe)) {
    probing_due = false;
    deadline next(now.steady, now.steady + options.interval);
    if (probes.plan(context(), paths, next, result.actions)) dirty = planning_due = true;
    next_probe = next.next();
    for (const auto& found : probes.take_new()) {
      const auto* from = members.find(found.from);
      const auto* to = members.find(found.to);
      if (from != nullptr && to != nullptr) splits.suspected(*from, *to, found.at);
    }
  }
  if (options.probe) wake.note(next_probe);
  if (planning_due || now.steady >= next_plan) {
    planning_due = false;
    deadline next(now.steady, now.steady + options.interval);
    const auto before = plans.exclusions();
    plans.plan(context(), paths, next, result.actions);
    next_plan = next.next();
    dirty |= before != plans.exclusions();
    for (const auto& pair : plans.take_asked()) {
      const auto* on = members.find(pair.on);
      const auto* to = members.find(pair.to);
      if (on != nullptr && to != nullptr) splits.asked(*on, *to, now);
    }
    for (auto& [id, sentence] : plans.take_told()) {
      const auto* m = members.find(id);
      if (m != nullptr) splits.told(*m, std::move(sentence), now);
    }
  }
  wake.note(next_plan);
  if (dirty || now.steady >= next_split_look) follow_incidents();
  wake.note(next_split_look);
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
  auto empty = std::make_shared<membership::snapshot>();
  empty->incidents = implementation_->splits.all();
  implementation_->shown = std::move(empty);
}

void cluster::restore(std::vector<incident> remembered, incident_totals totals,
                      const std::vector<node_name>& out) {
  auto& self = *implementation_;
  self.splits.restore(std::move(remembered), std::move(totals));
  self.kept_out.insert(out.begin(), out.end());
  auto first = std::make_shared<membership::snapshot>(*self.shown);
  first->incidents = self.splits.all();
  first->totals = self.splits.totals();
  self.shown = std::move(first);
}

void cluster::follow(const membership::snapshot& last, bool standing_by) {
  std::vector<node_name> out;
  for (const auto& m : last.members) {
    if (m.kept_out && !m.pruned) out.push_back(m.name);
  }
  auto remembered = *last.incidents;
  for (auto& i : remembered) {
    if (!standing_by || i.ended != incident_end::open) continue;
    i.ended = incident_end::unwatched;
    i.closed_at = std::max(last.at, i.opened_at);
    i.broken_pairs = 0;
    i.pairs.clear();
  }
  restore(std::move(remembered), last.totals, out);
  auto& self = *implementation_;
  self.events.follow(last.events);
  self.version = last.version + 1;
  auto first = std::make_shared<membership::snapshot>(*self.shown);
  first->version = self.version;
  first->events = last.events;
  first->sources = last.sources;
  first->at = last.at;
  first->standing_by = standing_by;
  if (standing_by) {
    first->starting = false;
    first->overall = health::warning;
  }
  self.shown = std::move(first);
}

cluster::~cluster() = default;
cluster::cluster(cluster&&) noexcept = default;
cluster& cluster::operator=(cluster&&) noexcept = default;

step_result cluster::step(std::span<const any_fact> facts, moment now) {
  return implementation_->step(facts, now);
}

snapshot_ptr cluster::snapshot() const {
  return implementation_->shown;
}

}  // namespace rollcall::membership
