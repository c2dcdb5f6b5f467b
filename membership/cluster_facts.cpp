// What each fact does to the members, and to the parts that keep what follows from it: listings, links and
// views. The answers to our own questions, and what people ask for: cluster_answers.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "membership/cluster_implementation.hpp"

namespace rollcall::membership {
namespace {

constexpr std::size_t max_strangers = 1'000;  // names a view may hold that are no members
// A view with more of them than that is not kept: of a thousand members it would be a million names.
constexpr std::size_t few_strangers = 16;

std::string listing_sentence(const std::vector<node_name>& listed, const std::vector<const node_name*>& added,
                             const std::vector<std::string>& gone) {
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
  std::unordered_set<std::string_view> names;
  for (const auto& name : listed) names.insert(name.text());
  auto sentence = fmt::format("discovery lists {} {}", names.size(), names.size() == 1 ? "node" : "nodes");
  if (!added.empty()) sentence += ", new: " + few(added, [](const node_name* n) { return n->text(); });
  if (!gone.empty()) sentence += ", gone: " + few(gone, [](const std::string& n) { return n; });
  return sentence;
}

}  // namespace

// Members that were added or removed since get their ranks; bits and strangers follow.
void cluster::implementation::settle() {
  if (members.settled()) return;
  // One that goes may still be seen by others: as a stranger, then.
  std::vector<std::pair<std::uint32_t, node_name>> moved;
  for (const auto& m : members.all()) {
    if (members.find(m->id) != nullptr) continue;
    each_rank(views.seen_by(m->rank),
              [&](std::size_t rank) { moved.emplace_back(members[rank].id, m->name); });
  }
  const auto previous = members.settle();
  understood.clear();
  named_after.clear();
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
  if (m.linked)
    stranger_links.insert_or_assign(m.name, stranger_link{m.creation, m.visible_kind, m.old_protocol});
  plans.forget(m);
  probes.forget(m);
  paths.forget(m);
  splits.removed(m, now);
  members.remove(m);
}

void cluster::implementation::put_aside(member_record& m) {
  if (!m.visible_kind) {
    events.write(
        event_type::discovery_changed, &m.name, reason::none,
        fmt::format("{} is a hidden node (a remote shell, another Rollcall, or started with -hidden): it "
                    "is listed and no member",
                    m.name.text()),
        now);
  }
  aside.add(m.name, now.steady, !m.visible_kind);
  forget(m);
  settle();
}

member_record& cluster::implementation::add(const node_name& name) {
  auto& m = members.add(name);
  m.since = now.wall;
  m.entered = now.steady;
  return m;
}

// Those that were not listed before.
std::vector<const node_name*> cluster::implementation::enter_listed(const fact::listed& listed) {
  std::vector<const node_name*> added;
  const auto entry = life.next_entry();
  for (const auto& name : listed.nodes) {
    if (aside.contains(name)) continue;
    auto* m = members.find(name);
    if (m != nullptr && m->listed) continue;
    added.push_back(&name);
    if (m == nullptr) m = &add(name);
    const auto base = listed.bases.find(name);
    m->base = base == listed.bases.end() ? std::string() : base->second;
    m->mesh = members.mesh(m->kind, m->base);
    // An unlisted pod that was up all along is no newcomer.
    if (m->state != member_state::up) m->entry = entry;
    if (m->state == member_state::left) {
      plans.forget(*m);
      paths.forget(*m);
      splits.restarted(*m, now);
    }
    life.listed(*m, now);
    departing.listed(*m, now);
    listing_changed = now.steady;
  }
  return added;
}

// Nodes that nobody listed until now may have linked to us already.
void cluster::implementation::link_those_known(const std::vector<const node_name*>& added) {
  for (const auto* name : added) {
    const auto link = stranger_links.find(*name);
    if (link == stranger_links.end()) continue;
    auto* m = members.find(*name);
    const auto known = link->second;
    stranger_links.erase(link);
    if (!known.visible) {
      m->visible_kind = false;
      put_aside(*m);
    } else {
      linked(*m, known);
    }
  }
}

std::vector<std::string> cluster::implementation::delist(const std::vector<node_name>& listed,
                                                         std::size_t listed_before) {
  std::unordered_set<std::string_view> names;
  for (const auto& name : listed) names.insert(name.text());
  std::vector<std::string> gone;
  for (const auto& m : members.all()) {
    if (!m->listed || names.contains(m->name.text())) continue;
    life.delisted(*m, now);
    // An answer that lost half of its nodes at once may be wrong: nobody is taken out for it.
    m->prune_barred = names.size() * 2 <= listed_before;
    gone.push_back(m->name.text());
  }
  aside.keep([&](const node_name& name) { return names.contains(name.text()); });
  return gone;
}

void cluster::implementation::place(const fact::listed& listed) {
  for (const auto& m : members.all()) {
    if (!m->listed) {
      m->announced = false;
      continue;
    }
    const auto found = listed.placed.find(m->name);
    const bool known = found != listed.placed.end();
    if (known) {
      m->machine = found->second.machine;
      m->zone = found->second.zone;
    }
    life.announced(*m, known && found->second.leaving, now);
  }
}

void cluster::implementation::apply(const fact::listed& listed) {
  const auto before =
      static_cast<std::size_t>(std::ranges::count_if(members.all(), [](const auto& m) { return m->listed; }));
  const auto added = enter_listed(listed);
  settle();
  link_those_known(added);
  const auto gone = delist(listed.nodes, before);
  place(listed);
  if (!added.empty() || !gone.empty()) {
    events.write(event_type::discovery_changed, nullptr, reason::none,
                 listing_sentence(listed.nodes, added, gone), now);
  }
  sources = listed.sources;
  alarms.sources_told(sources, now);
  const auto answered = [](const source_report& s) {
    return s.asked && (s.last_success || s.outcome == query_outcome::ok || s.outcome == query_outcome::empty);
  };
  milliseconds ttl{0};
  for (const auto& s : sources) ttl = std::max<milliseconds>(ttl, s.ttl.value_or(std::chrono::seconds(0)));
  const bool doubted = std::ranges::any_of(sources, [](const source_report& s) {
    return s.records > 0 && (s.outcome == query_outcome::empty || s.outcome == query_outcome::nxdomain);
  });
  life.discovery_answered(std::ranges::all_of(sources, answered), ttl, doubted, now);
  dirty = true;
}

void cluster::implementation::linked(member_record& m, const stranger_link& link) {
  const bool was_linked = m.linked;
  m.old_protocol = link.old_protocol;
  if (life.link_up(m, link.creation, now)) {
    plans.restarted(m);
    paths.forget(m);
    splits.restarted(m, now);
    // Members said to be linked to it may mean the run before: they are asked again. Not those that told of
    // the link after ours to that run had ended.
    std::ranges::sort(m.greeted_by);
    std::vector<std::size_t> believers;
    each_rank(views.seen_by(m.rank), [&](std::size_t rank) { believers.push_back(rank); });
    for (const auto rank : believers) {
      if (members[rank].watched && std::ranges::binary_search(m.greeted_by, members[rank].id)) continue;
      views.unset(rank, m.rank);
      members[rank].view_wanted |= members[rank].linked;
    }
  }
  m.greeted_by = {};
  if (!was_linked) dial_canaries::linked(context(), m);
  if (!was_linked || !m.has_view) {
    views.clear(m.rank);
    m.strangers.clear();
    probes.forget(m);
  }
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::link_up& up) {
  const stranger_link link{up.creation, up.visible, up.old_protocol};
  if (aside.contains(up.node)) {
    aside.dial_ended(up.node, now.steady);
    if (!up.visible) {
      stranger_links.insert_or_assign(up.node, link);
      return;
    }
    // It answers under this name after all.
    aside.erase(up.node);
    stranger_links.erase(up.node);
    auto& m = add(up.node);
    m.entry = life.next_entry();
    life.listed(m, now);
    settle();
    linked(m, link);
    return;
  }
  auto* m = members.find(up.node);
  // A node that nobody lists, or that never was one of us: the link is remembered in case it gets listed.
  if (m == nullptr || m->state == member_state::left || (!m->listed && !m->joined)) {
    stranger_links.insert_or_assign(up.node, link);
    if (m != nullptr) m->dialling = false;
    return;
  }
  if (!up.visible) {
    m->linked = true;
    m->creation = up.creation;
    m->visible_kind = false;
    put_aside(*m);
    return;
  }
  linked(*m, link);
}

void cluster::implementation::apply(const fact::link_down& down) {
  stranger_links.erase(down.node);
  auto* m = members.find(down.node);
  if (m == nullptr || !m->linked) return;
  life.link_down(*m, down.why, down.detail, now);
  if (down.took_too_much) asks.took_too_much(*m, now.steady);
  m->dial_ended_at.reset();
  probes.forget(*m);
  views.clear(m->rank);
  m->strangers.clear();
  dirty = planning_due = true;
}

void cluster::implementation::apply(const fact::dial_failed& failed) {
  if (aside.contains(failed.node)) {
    aside.dial_ended(failed.node, now.steady);
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
      put_aside(*m);
      return;
    }
  }
  life.dial_failed(*m, failed.why, failed.detail, now);
  m->dial_ended_at = failed.at;
  m->no_such_name = failed.no_such_name;
  asks.dial_failed(*m, failed.why, now.steady);
  dial_canaries::dial_failed(*m, now.steady);
}

const understood_view& cluster::implementation::understand(const member_record& m, const name_list& visible) {
  understood.resize(members.size());
  auto& known = understood[m.rank];
  const auto digest = visible.digest();
  if (known.kept && known.digest == digest) return known;
  known = {true, digest, rank_set(members.size()), {}};
  // Most nodes name most others in one order: who comes next is known before it is looked up.
  named_after.resize(members.size() + 1, member_table::none);
  auto before = members.size();
  for (const auto text : visible) {
    auto& next = named_after[before];
    const bool guessed = next != member_table::none && members[next].name.text() == text;
    if (const auto* other = guessed ? &members[next] : members.find(text); other != nullptr) {
      next = before = other->rank;
      known.seen.insert(other->rank);
    } else if (known.others.size() < max_strangers) {
      if (auto name = node_name::parse(text)) known.others.push_back(*std::move(name));
    }
  }
  return known;
}

// What it reported while it was asked may be newer than its answer, or older: its word is followed, and it is
// asked again later. Nothing that was reported to be up is lost for an answer that was on its way.
rank_set cluster::implementation::seen_by(member_record& m, const understood_view& known) {
  auto seen = known.seen;
  m.strangers.clear();
  std::ranges::copy_if(known.others, std::back_inserter(m.strangers),
                       [this](const node_name& name) { return !aside.contains(name); });
  if (known.others.size() > few_strangers) understood[m.rank] = {};
  const auto asked_at = m.asking_view ? m.view_asked_at : m.confirming ? m.confirm_asked_at : now.steady;
  if (m.view_doubted && asked_at >= *m.view_doubted) m.view_doubted.reset();
  for (const auto& [peer, up] : std::exchange(m.reported_meanwhile, {})) {
    m.view_doubted = now.steady;
    auto* other = members.find(peer);
    if (other == &m || aside.contains(peer)) continue;
    if (other == nullptr) {
      report_stranger(m, peer, up);
    } else if (up) {
      seen.insert(other->rank);
      greet(m, *other);
    } else {
      seen.erase(other->rank);
    }
  }
  return seen;
}

void cluster::implementation::report_stranger(member_record& m, const node_name& peer, bool up) {
  const auto at = std::ranges::find(m.strangers, peer);
  if (up && at == m.strangers.end() && m.strangers.size() < max_strangers) m.strangers.push_back(peer);
  if (!up && at != m.strangers.end()) m.strangers.erase(at);
}

void cluster::implementation::greet(const member_record& by, member_record& other) const {
  if (other.linked) return;
  if (other.greeted_by.size() < members.size()) other.greeted_by.push_back(by.id);
  dial_canaries::reported(context(), other);
}

void cluster::implementation::apply(const fact::view& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  viewed(*m, understand(*m, told.visible), told.round_trip);
}

void cluster::implementation::apply(const fact::view_confirmed& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  m->answered_at = watcher_told(*m, told.round_trip);
  if (!m->confirming) return;
  const bool known =
      m->rank < understood.size() && understood[m->rank].kept && told.digest == understood[m->rank].digest;
  if (known && m->has_view && !m->asking_view) {
    viewed(*m, understood[m->rank], told.round_trip);
  } else {
    m->confirming = false;
    m->view_wanted |= !m->asking_view;
  }
}

void cluster::implementation::viewed(member_record& of, const understood_view& known,
                                     milliseconds round_trip) {
  auto* m = &of;
  const auto strangers = std::exchange(m->strangers, {});
  const auto seen = seen_by(*m, known);
  rank_set came(members.size()), went(members.size());
  for (std::size_t i = 0; i < views.row_words(); ++i) {
    const auto before = views.sees(m->rank)[i], after = seen.words()[i];
    came.words()[i] = after & ~before;
    if (m->has_view) went.words()[i] = before & ~after;
  }
  each_rank(came.words(), [&](std::size_t rank) { gained(*m, members[rank]); });
  each_rank(went.words(), [&](std::size_t rank) { lost(*m, members[rank], {}); });
  const bool differs = views.replace(m->rank, seen);
  planning_due |= differs || !m->fresh;
  // In calm most of what comes are views that tell nothing new.
  dirty |= differs || !m->fresh || !m->has_view || m->strangers != strangers || !splits.calm();
  told_again = true;
  if (m->asking_view) {
    m->view_basis = m->asked_in;
    m->view_of = m->view_asked_at;
  } else {
    m->view_basis = m->confirming ? m->confirm_asked_in : number;
    m->view_of = m->confirming ? m->confirm_asked_at : now.steady;
  }
  m->asking_view = m->confirming = false;
  m->has_view = m->first_view_ended = true;
  m->view_at = m->heard_at = now.steady;
  m->view_failure = reason::none;
  m->round_trip = round_trip;
  planning_due |= plans.viewed(*m, context());
}

void cluster::implementation::lost(member_record& from, member_record& to, std::string_view why) {
  splits.lost(from, to, why, now);
  plans.lost(from, to, why, views.sees(to.rank, from.rank), now.steady);
}

void cluster::implementation::changed(member_record& m, const node_name& peer, bool up,
                                      std::string_view why) {
  auto* other = members.find(peer);
  if (other == &m || aside.contains(peer)) return;
  if (other == nullptr) {
    report_stranger(m, peer, up);
  } else if (up) {
    if (!views.sees(m.rank, other->rank)) gained(m, *other);
    views.set(m.rank, other->rank);
    greet(m, *other);
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
  if (m->watcher_owes) {
    // It is behind, or hung: what it tells may be past, and then a view that was asked for since is right.
    m->view_doubted = now.steady;
    if (m->view_of > m->told_at) return;
  } else {
    watcher_told(*m, milliseconds(0));
  }
  if ((m->asking_view || m->confirming) && m->reported_meanwhile.size() < max_strangers) {
    m->reported_meanwhile.emplace_back(told.peer, told.up);
  }
  if (m->has_view) changed(*m, told.peer, told.up, told.why);
}

// Until when all is told, if that was an answer: what happened before it was asked for is.
steady_time cluster::implementation::watcher_told(member_record& of, milliseconds round_trip) const {
  of.heard_at = now.steady;
  of.watcher_owes = round_trip >= questions::watcher_behind;
  return of.told_at = now.steady - round_trip;
}

void cluster::implementation::apply(const fact::watching& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  if (told.on) watcher_told(*m, milliseconds(0));
  m->watch_asked = told.on;
  m->next_watch = now.steady + questions::watch_retry;  // also for one that never began
  if (told.on == m->watched) return;
  m->watched = told.on;
  m->watched_at = now.steady;
  // What happened before it watched is asked for; after that it tells by itself.
  m->view_wanted = true;
  dirty = true;
}

void cluster::implementation::apply(const fact::heard& told) {
  auto* m = members.find(told.node);
  if (m == nullptr || !m->linked) return;
  m->asking_status = false;
  m->heard_at = now.steady;
  if (told.by_watcher) {
    m->answered_at = watcher_told(*m, told.round_trip);
  } else if (m->watched && m->status_asked >= m->watched_at && !std::exchange(m->watcher_owes, true)) {
    m->view_wanted |= !m->asking_view;
  }
  m->round_trip = told.round_trip;
  if (!m->fresh) dirty = planning_due = true;
}

}  // namespace rollcall::membership
