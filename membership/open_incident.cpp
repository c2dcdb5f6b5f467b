#include "membership/open_incident.hpp"
#include "membership/mutation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "membership/compatible.hpp"
#include "membership/places.hpp"

namespace rollcall::membership {
namespace {

constexpr std::size_t max_excluded = 2'000;
constexpr int inherited_grace = 4;  // intervals: three in which probes find what is dark, one to confirm it

std::string names_of(const std::vector<node_name>& names) {
  std::string text;
  constexpr std::size_t most = 5;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + names[i].text();
  if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
  return text;
}

// What its pairs come to now, and the partitions that they touch.
struct picture_now {
  incident_type type = incident_type::asymmetric;
  std::set<std::size_t> touched;
  std::vector<std::pair<node_name, node_name>> pairs;
};

picture_now look(const open_incident& i, const broken_pairs& broken, const step_context& context,
                 const standing& where) {
  picture_now now;
  std::vector<bool> touched(where.partitions.size());
  for (const auto k : i.pairs) {
    const auto *one = context.members.find(lower(k)), *other = context.members.find(higher(k));
    const auto a = where.of(one), b = where.of(other);
    if (a != standing::nowhere) touched[a] = true;
    if (b != standing::nowhere) touched[b] = true;
    if (a != standing::nowhere && b != standing::nowhere && a != b) {
      now.type = incident_type::full;
    } else if (now.type < incident_type::partial) {
      const auto* pair = broken.find(k);
      if (pair != nullptr && !pair->one_way) now.type = incident_type::partial;
    }
    if (now.pairs.size() < max_incident_pairs && one != nullptr && other != nullptr) {
      now.pairs.emplace_back(one->name, other->name);
    }
  }
  for (std::size_t index = 0; index < touched.size(); ++index) {
    if (touched[index]) now.touched.insert(index);
  }
  return now;
}

std::vector<std::vector<node_name>> groups_now(const picture_now& now, const step_context& context,
                                               const standing& where) {
  std::vector<std::vector<node_name>> groups;
  std::size_t names = 0;
  const auto base_of = [&](std::size_t index) -> const std::string& {
    return context.members[where.partitions[index].front()].base;
  };
  // A full one is told with all partitions of its mesh.
  std::set<std::string_view> bases;
  for (const auto index : now.touched) bases.insert(base_of(index));
  for (std::size_t index = 0; index < where.partitions.size(); ++index) {
    if (now.type != incident_type::full ? !now.touched.contains(index) : !bases.contains(base_of(index)))
      continue;
    auto& group = groups.emplace_back();
    for (const auto rank : where.partitions[index]) {
      if (++names > max_incident_names) break;
      group.push_back(context.members[rank].name);
    }
  }
  std::erase_if(groups, [](const auto& g) { return g.empty(); });
  return groups;
}

// Those that are excluded and do not stand in the largest group.
std::vector<node_name> left_out_of(const open_incident& i, const step_context& context) {
  std::vector<node_name> out;
  for (const auto id : i.excluded) {
    const auto* m = context.members.find(id);
    if (m == nullptr || out.size() >= max_incident_names) continue;
    const bool in_largest =
        i.shown.type == incident_type::full && !i.shown.groups.empty() &&
        std::ranges::find(i.shown.groups.front(), m->name) != i.shown.groups.front().end();
    if (!in_largest) out.push_back(m->name);
  }
  std::ranges::sort(out);
  return out;
}

template <class T>
bool replaced(T& old, T next) {
  if (old == next) return false;
  old = std::move(next);
  return true;
}

}  // namespace

standing::standing(const member_table& members, const std::vector<std::vector<std::size_t>>& parts)
    : partitions(parts), place(members.size(), nowhere) {
  for (std::size_t index = 0; index < parts.size(); ++index) {
    for (const auto rank : parts[index]) place[rank] = index;
  }
}

bool standing::two_groups(std::size_t a, std::size_t b) const {
  const auto one = place[a], other = place[b];
  return one != other && one != nowhere && other != nowhere && partitions[one].size() > 1 &&
         partitions[other].size() > 1;
}

void open_incident::take(const open_incident& from) {
  excluded.insert(from.excluded.begin(), from.excluded.end());
  pairs.insert(from.pairs);
  seen.insert(from.seen);
  inherited.insert(from.inherited);
  awaited.insert(from.awaited.begin(), from.awaited.end());
  first_broken = std::min(first_broken, from.first_broken);
  whole.reset();
}

bool gone(const member_record& m) {
  return m.state == member_state::down || m.state == member_state::left || m.state == member_state::leaving ||
         m.kept_out || m.stopping;
}

bool gone(const member_record* a, const member_record* b) {
  if (a == nullptr || b == nullptr || incompatible(*a, *b)) return true;
  return (gone(*a) || gone(*b)) && !without(rule_taken::who_is_gone_is_not_waited_for);
}

bool begins_alike(const incident& a, const incident& b) {
  return a.cause && b.cause && a.cause->from == b.cause->from && a.cause->to == b.cause->to &&
         a.cause->at == b.cause->at;
}

bool describe(open_incident& i, const broken_pairs& broken, const step_context& context,
              const standing& where, bool& worsened) {
  auto now = look(i, broken, context, where);
  bool changed = replaced(i.shown.broken_pairs, i.pairs.size());
  changed |= replaced(i.shown.pairs, std::move(now.pairs));
  i.shown.most_broken_pairs = std::max(i.shown.broken_pairs, i.shown.most_broken_pairs);
  worsened = false;
  if (i.pairs.empty()) return changed;
  worsened = now.type > i.shown.type;
  changed |= worsened;
  if (worsened) i.shown.type = now.type;
  // As it was at its worst: what it is now is to be seen elsewhere.
  if (now.type == i.shown.type) {
    auto groups = groups_now(now, context, where);
    const auto between = pairs_between(groups);
    if (worsened || i.shown.groups.empty() || between > i.worst_cut ||
        without(rule_taken::groups_are_of_the_worst_moment)) {
      i.worst_cut = between;
      changed |= replaced(i.shown.groups, std::move(groups));
    }
  }
  return replaced(i.shown.left_out, left_out_of(i, context)) || changed;
}

std::size_t pairs_between(const std::vector<std::vector<node_name>>& groups) {
  std::size_t members = 0, between = 0;
  for (const auto& group : groups) {
    between += members * group.size();
    members += group.size();
  }
  return between;
}

void exclude(open_incident& i, const broken_pairs& broken, const step_context& context) {
  rank_set done(context.members.size());  // each is an end of hundreds of pairs
  const auto take = [&](const member_record& m) {
    if (done.contains(m.rank)) return;
    done.insert(m.rank);
    i.excluded.insert(m.id);
  };
  for (const auto k : i.pairs) {
    if (i.excluded.size() >= max_excluded) return;
    const auto *a = context.members.find(lower(k)), *b = context.members.find(higher(k));
    if (a == nullptr || b == nullptr || (done.contains(a->rank) && done.contains(b->rank))) continue;
    if (!counts(*a) || !counts(*b)) continue;
    // Who came later and was never in the mesh has no part in it, whatever it lacks.
    const auto newcomer = [&](const member_record& m) {
      return m.link_since > i.opened && !broken.ever_whole(m.rank);
    };
    const auto lacks = broken.degree(a->rank), other_lacks = broken.degree(b->rank);
    if (lacks >= other_lacks && !newcomer(*a)) take(*a);
    if (other_lacks >= lacks && !newcomer(*b)) take(*b);
  }
}

bool proven_whole(const open_incident& i, pair_key k, const member_record& a, const member_record& b,
                  const step_context& context) {
  if (!context.options.probe || !i.inherited.contains(k)) return true;
  return context.now - std::max(a.link_since, b.link_since) >= inherited_grace * context.options.interval;
}

bool met_on_arrival(const open_incident& i, pair_key k, const broken_pair& pair,
                    const step_context& context) {
  if (pair.ever) return false;
  const auto *a = context.members.find(lower(k)), *b = context.members.find(higher(k));
  if (a == nullptr || b == nullptr) return false;
  for (const auto& [fresh, other] : {std::pair(a, b), std::pair(b, a)}) {
    if (fresh->link_since <= i.opened) continue;
    bool explained = false;
    each_rank(context.views.sees(fresh->rank), [&, other = other](std::size_t rank) {
      explained = explained || i.pairs.contains(key_of(context.members[rank].id, other->id));
    });
    if (explained) return true;
  }
  return false;
}

bool torn_by(const open_incident& i, pair_key k, const broken_pair& pair, const losses& lost,
             const step_context& context) {
  const auto* a = context.members.find(lower(k));
  const auto* b = context.members.find(higher(k));
  const auto prevents = [](const member_record* m) {
    return m != nullptr && m->prevent_overlapping_partitions.value_or(false);
  };
  if (!prevents(a) && !prevents(b)) return false;
  // It goes on for seconds: what breaks later, or goes dark, has a cause of its own.
  if (pair.suspected_at) return false;
  const auto recent = pair.since - context.options.interval - tearing;
  const bool going_on = i.last_broken >= recent || std::ranges::any_of(lost.all(), [&](const loss& l) {
                          return !l.refused && l.at >= recent && i.seen.contains(key_of(l.from, l.to));
                        });
  if (!going_on) return false;
  const bool cut_from_both = std::ranges::any_of(i.excluded, [&](std::uint32_t id) {
    return i.seen.contains(key_of(id, lower(k))) && i.seen.contains(key_of(id, higher(k)));
  });
  return cut_from_both || lost.given_up_after(k, [&](const loss& l) {
    return i.excluded.contains(l.from) && i.seen.contains(key_of(l.from, l.to));
  });
}

void show_cut(open_incident& i, const silence::cut& cut, const member_table& members) {
  i.shown.type = incident_type::full;
  i.awaited = cut.members;
  std::vector<node_name> reached, away;
  for (const auto& m : members.all()) {
    if (cut.members.contains(m->id)) {
      away.push_back(m->name);
      i.excluded.insert(m->id);
    } else if (cut.reached.contains(m->id)) {
      reached.push_back(m->name);
    }
  }
  i.shown.left_out = away.size() <= reached.size() ? away : reached;
  i.shown.groups = {std::move(reached), std::move(away)};
  std::erase_if(i.shown.groups, [](const auto& g) { return g.empty(); });
  std::ranges::stable_sort(i.shown.groups, std::ranges::greater{}, &std::vector<node_name>::size);
  i.worst_cut = pairs_between(i.shown.groups);
}

bool act(open_incident& i, std::string text, moment now) {
  auto& acts = i.shown.actions;
  if (!acts.empty() && acts.back().text == text) return false;
  acts.push_back({now.wall, std::move(text)});
  if (acts.size() > max_incident_acts) acts.erase(acts.begin());
  return true;
}

std::string runs_along(const incident& i, const member_table& members) {
  std::vector<whereabouts> these, others;
  for (const auto& m : members.all()) {
    if (!counts(*m)) continue;
    const bool out = std::ranges::find(i.left_out, m->name) != i.left_out.end();
    (out ? these : others).push_back({m->machine, m->zone});
  }
  return common_place(these, others);
}

std::string span(milliseconds m) {
  if (m < milliseconds(120'000)) return fmt::format("{:.1f} s", static_cast<double>(m.count()) / 1000);
  return fmt::format("{} min", m.count() / 60'000);
}

std::string opening(const incident& i) {
  std::string text = fmt::format("netsplit {} ({})", i.id, to_string(i.type));
  if (i.type == incident_type::full) {
    std::vector<std::string> sizes;
    for (const auto& g : i.groups) sizes.push_back(std::to_string(g.size()));
    text += fmt::format(": {} partitions of {} members", i.groups.size(), fmt::join(sizes, ", "));
  } else {
    text +=
        fmt::format(": {} {} of members not whole", i.broken_pairs, i.broken_pairs == 1 ? "pair" : "pairs");
  }
  if (!i.left_out.empty()) text += "; cut off: " + names_of(i.left_out);
  if (i.cause) {
    text += fmt::format("; it began between {} and {} ({}{})", i.cause->from.text(), i.cause->to.text(),
                        i.cause->reason, i.cause->path.empty() ? "" : ", path: " + i.cause->path);
  }
  return text;
}

std::string worsening(const incident& i, std::size_t partitions) {
  return fmt::format("netsplit {} is {} now: {} partitions", i.id, to_string(i.type), partitions);
}

std::string ending(const incident& i) {
  return fmt::format("netsplit {} is over after {}: {}", i.id, span(*i.closed_at - i.opened_at),
                     i.ended == incident_end::healed
                         ? "all are connected again. What both sides wrote meanwhile may differ: see "
                           "RollcallNetsplitHealed in the runbook (/runbook)"
                         : "those it cut off are gone or were restarted");
}

}  // namespace rollcall::membership
