// Broken pairs are followed one by one; an incident is the set of those that have one cause. What is
// excluded, and when a pair counts, is written down in docs/membership.md.
#include "membership/incidents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

namespace rollcall::membership {
namespace {

using pair_key = std::uint64_t;  // ids, the lower one first
using ids = std::set<std::uint32_t>;

pair_key key_of(std::uint32_t a, std::uint32_t b) {
  return a < b ? (pair_key{a} << 32U | b) : (pair_key{b} << 32U | a);
}
std::uint32_t lower(pair_key k) {
  return static_cast<std::uint32_t>(k >> 32U);
}
std::uint32_t higher(pair_key k) {
  return static_cast<std::uint32_t>(k & 0xffffffffU);
}

constexpr milliseconds gathering_at_most{1'000};
constexpr milliseconds tearing{2'000};  // how long others go on dropping whom one of them has lost
constexpr std::size_t max_excluded = 2'000;

// A pair that is not whole now, and since when.
struct broken_pair {
  milliseconds since{0}, since_wall{0};
  milliseconds suspected_at{-1};  // steady; negative: it is not
  bool one_way = false;
  milliseconds one_way_since{0};
  bool ever = false;     // was whole since both were started
  milliseconds held{0};  // until when we kept it from connecting
  std::uint64_t incident = 0;
};

struct loss {
  milliseconds at{0}, wall{0};
  std::uint32_t from = 0, to = 0;
  std::string why;
  bool probed = false;
};

// The smaller the better a cause.
enum class evidence_rank { probe, tick, lost };

struct open_incident {
  incident shown;
  milliseconds opened{0}, first_broken{0}, last_broken{0};
  ids excluded;              // all that ever were
  std::set<pair_key> pairs;  // not whole yet, as far as is known
  std::set<pair_key> seen;   // all that ever were, for the cause
  std::size_t worst_partitions = 0;
  std::optional<moment> whole;
  incident_end last_fate = incident_end::healed;
  bool announced = false;
  bool restored = false;  // its pairs are names only, until we know who is there
};

// Members that fell silent together, a third or more of them.
struct silence {
  moment since;
  std::map<std::uint32_t, std::uint32_t> members;  // id, creation
  ids lost_by_somebody;                            // of those: a member we reach lost it, too
  std::uint64_t incident = 0;
};

std::string names_of(const std::vector<node_name>& names) {
  std::string text;
  constexpr std::size_t most = 5;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + names[i].text();
  if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
  return text;
}

std::string span(milliseconds m) {
  if (m < milliseconds(120'000)) return fmt::format("{:.1f} s", static_cast<double>(m.count()) / 1000);
  return fmt::format("{} min", m.count() / 60'000);
}

milliseconds heard(const member_record& m) {
  return m.has_view ? std::max(m.view_at, m.heard_at) : m.heard_at;
}

bool counts(const member_record& m) {
  return m.in_mesh() && !m.kept_out && !m.stopping;
}

bool gone(const member_record& m) {
  return m.state == member_state::down || m.state == member_state::left || m.state == member_state::leaving ||
         m.kept_out || m.stopping;
}

}  // namespace

struct incidents::implementation {
  implementation(const settings& s, journal& j) : options(s), events(j) {
    totals.duration_buckets.assign(duration_bounds.size(), 0);
  }

  const settings& options;
  journal& events;
  std::map<pair_key, broken_pair> broken;
  std::deque<loss> losses;
  std::vector<open_incident> open;  // oldest first
  std::deque<incident> closed;      // newest first
  std::optional<silence> silent;
  view_matrix ever;
  incident_totals totals;
  std::uint64_t next_id = 1;
  bool changed = true;
  std::shared_ptr<const std::vector<incident>> shown = std::make_shared<const std::vector<incident>>();

  milliseconds gathering() const { return std::min(gathering_at_most, options.interval / 4); }

  void remember_loss(loss what) {
    losses.push_back(std::move(what));
    if (losses.size() > max_losses) losses.pop_front();
  }

  open_incident* find(std::uint64_t id) {
    const auto found = std::ranges::find(open, id, [](const open_incident& i) { return i.shown.id; });
    return found == open.end() ? nullptr : &*found;
  }
  open_incident* concerned(std::uint32_t a, std::uint32_t b) {
    if (const auto found = broken.find(key_of(a, b)); found != broken.end() && found->second.incident != 0) {
      return find(found->second.incident);
    }
    for (auto& i : open) {
      if (i.excluded.contains(a) || i.excluded.contains(b)) return &i;
    }
    return nullptr;
  }
  void act(open_incident& i, std::string text, moment now) {
    auto& acts = i.shown.actions;
    if (!acts.empty() && acts.back().text == text) return;
    acts.push_back({now.wall, std::move(text)});
    if (acts.size() > max_incident_acts) acts.erase(acts.begin());
    changed = true;
  }

  void watch_pairs(const step_context&);
  bool due(const member_record&, const member_record&, const broken_pair&, const step_context&,
           deadline&) const;
  void resolve_restored(const step_context&);
  void settle_pairs(open_incident&, const step_context&);
  void exclude(open_incident&, const step_context&);
  void merge();
  bool torn_by(const open_incident&, pair_key, const step_context&) const;
  void assign(const step_context&, deadline&);
  open_incident& begin(moment opened, moment now);
  void describe(open_incident&, const step_context&, const std::map<std::uint32_t, std::size_t>& places,
                const std::vector<std::vector<std::size_t>>& partitions, const path_book&);
  void find_cause(open_incident&, const step_context&, const path_book&);
  void confirm(open_incident&);
  void announce(open_incident&, const step_context&);
  void close(open_incident&, const step_context&);
  void follow_silence(const step_context&);
  void publish();

  std::vector<std::size_t> degrees;  // by rank, over all broken pairs
};

// Which pairs are broken now; a word at a time, so that a whole mesh costs next to nothing.
void incidents::implementation::watch_pairs(const step_context& context) {
  const auto& members = context.members;
  const auto size = members.size();
  std::array<rank_set, 2> mesh{rank_set(size), rank_set(size)};
  std::size_t present = 0;
  for (const auto& m : members.all()) {
    if (!counts(*m)) continue;
    mesh[m->kind == name_kind::long_name ? 0 : 1].insert(m->rank);
    ++present;
  }
  const bool any_suspected = context.suspected.any();
  degrees.assign(size, 0);
  const auto broken_word = [&](const member_record& m, std::size_t i) {
    const auto forth = context.views.sees(m.rank)[i], back = context.views.seen_by(m.rank)[i];
    auto bits = ~(forth & back);
    if (any_suspected) bits |= context.suspected.sees(m.rank)[i];
    bits &= mesh[m.kind == name_kind::long_name ? 0 : 1].words()[i];
    if (i == m.rank / word_bits) bits &= ~(word{1} << (m.rank % word_bits));
    return bits;
  };
  std::size_t total = 0;
  for (const auto& m : members.all()) {
    if (!counts(*m)) continue;
    for (std::size_t i = 0; i < context.views.row_words(); ++i) {
      const auto bits = broken_word(*m, i);
      degrees[m->rank] += static_cast<std::size_t>(std::popcount(bits));
      // Whatever was whole once is remembered until one of the two is started anew.
      auto fresh =
          context.views.sees(m->rank)[i] & context.views.seen_by(m->rank)[i] & ~ever.sees(m->rank)[i];
      for (; fresh != 0; fresh &= fresh - 1) {
        const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(fresh));
        ever.set(m->rank, rank);
        ever.set(rank, m->rank);
      }
    }
    total += degrees[m->rank];
  }
  // Of more than can be followed one by one, some of each member stand for all.
  const auto most =
      total / 2 > max_pairs ? std::max<std::size_t>(1, max_pairs / std::max<std::size_t>(1, present)) : size;
  std::map<pair_key, broken_pair> next;
  if (total > 0) {
    for (const auto& m : members.all()) {
      if (!counts(*m) || degrees[m->rank] == 0) continue;
      std::size_t taken = 0;
      for (std::size_t i = 0; i < context.views.row_words() && taken < most; ++i) {
        for (auto bits = broken_word(*m, i); bits != 0 && taken < most; bits &= bits - 1) {
          const auto rank = i * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
          ++taken;
          const auto& other = members[rank];
          const auto k = key_of(m->id, other.id);
          if (next.contains(k)) continue;
          const auto known = broken.find(k);
          auto pair = known != broken.end()
                          ? known->second
                          : broken_pair{.since = context.now, .since_wall = context.at.wall};
          const bool forth = context.views.sees(m->rank, rank), back = context.views.sees(rank, m->rank);
          const bool suspected = any_suspected && (forth || back) && context.suspected.sees(m->rank, rank);
          const bool one_way = forth != back && !suspected;
          if (one_way && !pair.one_way) pair.one_way_since = context.now;
          pair.one_way = one_way;
          pair.ever = ever.sees(m->rank, rank);
          // Not connected by our own decision, for a while.
          if (context.held.contains(m->id) || context.held.contains(other.id)) pair.held = context.now;
          if (!suspected && forth == back) {
            // missing: a suspicion that turned out right keeps its time
          } else if (!suspected) {
            pair.suspected_at = milliseconds(-1);
          } else if (pair.suspected_at < milliseconds(0)) {
            pair.suspected_at = context.now;
          }
          next.emplace(k, pair);
        }
      }
    }
  }
  broken = std::move(next);
}

bool incidents::implementation::due(const member_record& a, const member_record& b, const broken_pair& pair,
                                    const step_context& context, deadline& wake) const {
  const auto now = context.now;
  const auto passed = [&](milliseconds at) {
    wake.note(at);
    return now >= at;
  };
  if (pair.suspected_at >= milliseconds(0)) return passed(pair.suspected_at + gathering());
  const auto intervals = pair.one_way ? 2 : pair.ever ? 1 : never_connected_grace;
  auto since = pair.one_way ? std::max(pair.since, pair.one_way_since) : pair.since;
  if (!pair.ever) since = std::max(since, pair.held);
  if (!passed(since + intervals * options.interval)) return false;
  // Both answered since, and lately: neither of them is what has just gone away.
  const auto lately = std::max(pair.since + milliseconds(1), now - 3 * options.interval / 2);
  if (heard(a) >= lately && heard(b) >= lately) return true;
  wake.note(now + std::max(milliseconds(50), options.interval / 8));
  return false;
}

void incidents::implementation::resolve_restored(const step_context& context) {
  for (auto& i : open) {
    if (!i.restored) continue;
    i.restored = false;
    for (const auto& [a, b] : i.shown.pairs) {
      const auto* one = context.members.find(a);
      const auto* other = context.members.find(b);
      if (one != nullptr && other != nullptr) i.pairs.insert(key_of(one->id, other->id));
    }
    for (const auto& name : i.shown.left_out) {
      if (const auto* m = context.members.find(name); m != nullptr) i.excluded.insert(m->id);
    }
    i.opened = i.first_broken = context.now;
    changed = true;
  }
}

void incidents::implementation::settle_pairs(open_incident& i, const step_context& context) {
  for (auto at = i.pairs.begin(); at != i.pairs.end();) {
    const auto k = *at;
    const auto* a = context.members.find(lower(k));
    const auto* b = context.members.find(higher(k));
    bool ends = false;
    if (a == nullptr || b == nullptr || gone(*a) || gone(*b)) {
      ends = true;
      i.last_fate = incident_end::gone;
    } else if (counts(*a) && counts(*b) && !broken.contains(k)) {
      // Of more than can be followed, it may only be out of sight.
      ends = context.views.sees(a->rank, b->rank) && context.views.sees(b->rank, a->rank);
      if (ends) i.last_fate = incident_end::healed;
    }
    if (ends) {
      at = i.pairs.erase(at);
      changed = true;
    } else {
      ++at;
    }
  }
}

// At one end of each of its pairs stands somebody who lacks at least as many as the other end does.
void incidents::implementation::exclude(open_incident& i, const step_context& context) {
  for (const auto k : i.pairs) {
    if (i.excluded.size() >= max_excluded) return;
    const auto* a = context.members.find(lower(k));
    const auto* b = context.members.find(higher(k));
    if (a == nullptr || b == nullptr || !counts(*a) || !counts(*b)) continue;
    if (degrees[a->rank] >= degrees[b->rank]) i.excluded.insert(a->id);
    if (degrees[b->rank] >= degrees[a->rank]) i.excluded.insert(b->id);
  }
}

void incidents::implementation::merge() {
  for (std::size_t older = 0; older < open.size(); ++older) {
    for (std::size_t newer = older + 1; newer < open.size();) {
      auto& into = open[older];
      auto& from = open[newer];
      const bool shares = std::ranges::any_of(
          from.excluded, [&](std::uint32_t id) { return into.excluded.contains(id) && !from.pairs.empty(); });
      // Two that were both told stay two: what was counted is not taken back.
      if (!shares || from.shown.confirmed) {
        ++newer;
        continue;
      }
      into.excluded.insert(from.excluded.begin(), from.excluded.end());
      into.pairs.insert(from.pairs.begin(), from.pairs.end());
      into.seen.insert(from.seen.begin(), from.seen.end());
      into.first_broken = std::min(into.first_broken, from.first_broken);
      into.whole.reset();
      for (auto& [k, pair] : broken) {
        if (pair.incident == from.shown.id) pair.incident = into.shown.id;
      }
      if (silent && silent->incident == from.shown.id) silent->incident = into.shown.id;
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(newer));
      changed = true;
    }
  }
}

open_incident& incidents::implementation::begin(moment opened, moment now) {
  auto& i = open.emplace_back();
  i.shown.id = next_id++;
  i.shown.opened_at = opened.wall;
  i.opened = now.steady;
  i.first_broken = opened.steady;
  changed = true;
  return i;
}

// Where overlapping partitions are prevented, who is cut from both ends makes others drop them: they lose
// each other for that, and not for a cause of their own.
bool incidents::implementation::torn_by(const open_incident& i, pair_key k,
                                        const step_context& context) const {
  const auto* a = context.members.find(lower(k));
  const auto* b = context.members.find(higher(k));
  const auto prevents = [](const member_record* m) {
    return m != nullptr && m->prevent_overlapping_partitions.value_or(false);
  };
  if (!prevents(a) && !prevents(b)) return false;
  // It goes on for seconds: what breaks later, or goes dark, has a cause of its own.
  const auto& pair = broken.at(k);
  if (pair.suspected_at >= milliseconds(0)) return false;
  const auto recent = pair.since - options.interval - tearing;
  const bool going_on = i.last_broken >= recent || std::ranges::any_of(losses, [&](const loss& l) {
                          return l.at >= recent && i.seen.contains(key_of(l.from, l.to));
                        });
  if (!going_on) return false;
  return std::ranges::any_of(i.excluded, [&](std::uint32_t id) {
    return i.seen.contains(key_of(id, a->id)) && i.seen.contains(key_of(id, b->id));
  });
}

void incidents::implementation::assign(const step_context& context, deadline& wake) {
  std::vector<pair_key> unassigned;
  for (auto& [k, pair] : broken) {
    if (pair.incident != 0) {
      // Broken again within an incident that has not closed yet.
      if (auto* i = find(pair.incident); i != nullptr) {
        if (i->pairs.insert(k).second) changed = true;
        continue;
      }
      pair.incident = 0;
    }
    open_incident* shares = nullptr;
    for (auto& i : open) {
      if (i.excluded.contains(lower(k)) || i.excluded.contains(higher(k)) || i.pairs.contains(k) ||
          torn_by(i, k, context)) {
        shares = &i;
        break;
      }
    }
    if (shares == nullptr) {
      unassigned.push_back(k);
      continue;
    }
    pair.incident = shares->shown.id;
    shares->last_broken = std::max(shares->last_broken, pair.since);
    shares->pairs.insert(k);
    shares->seen.insert(k);
    changed = true;
  }
  if (unassigned.empty()) return;

  std::set<pair_key> due_pairs;
  for (const auto k : unassigned) {
    if (due(*context.members.find(lower(k)), *context.members.find(higher(k)), broken[k], context, wake)) {
      due_pairs.insert(k);
    }
  }
  if (due_pairs.empty()) return;

  // One incident for all that hang together, due or not yet.
  std::map<std::uint32_t, std::uint32_t> parent;
  const auto root = [&](std::uint32_t id) {
    while (parent.contains(id) && parent[id] != id) id = parent[id] = parent[parent[id]];
    return id;
  };
  for (const auto k : unassigned) {
    for (const auto id : {lower(k), higher(k)}) parent.try_emplace(id, id);
    parent[root(lower(k))] = root(higher(k));
  }
  std::map<std::uint32_t, std::vector<pair_key>> groups;
  std::set<std::uint32_t> opening;
  for (const auto k : unassigned) groups[root(lower(k))].push_back(k);
  for (const auto k : due_pairs) opening.insert(root(lower(k)));
  for (const auto group : opening) {
    if (open.size() >= max_open) return;
    moment first{milliseconds::max(), milliseconds::max()};
    for (const auto k : groups[group]) {
      if (!due_pairs.contains(k) || broken[k].since >= first.steady) continue;
      first = {broken[k].since, broken[k].since_wall};
    }
    auto& i = begin(first, context.at);
    for (const auto k : groups[group]) {
      broken[k].incident = i.shown.id;
      i.last_broken = std::max(i.last_broken, broken[k].since);
      i.pairs.insert(k);
      i.seen.insert(k);
    }
  }
}

void incidents::implementation::find_cause(open_incident& i, const step_context& context,
                                           const path_book& paths) {
  if (i.shown.confirmed && i.shown.cause) return;
  const auto name = [&](std::uint32_t id) -> const node_name* {
    const auto* m = context.members.find(id);
    return m == nullptr ? nullptr : &m->name;
  };
  const auto rank_of = [](const loss& l) {
    if (l.probed) return evidence_rank::probe;
    return l.why.find("tick_timeout") != std::string::npos ? evidence_rank::tick : evidence_rank::lost;
  };
  const auto from = i.first_broken - 2 * options.interval - gathering_at_most;
  const loss* best = nullptr;
  for (const auto& l : losses) {
    if (l.at < from || !i.seen.contains(key_of(l.from, l.to))) continue;
    const auto* a = context.members.find(l.from);
    const auto* b = context.members.find(l.to);
    if (a == nullptr || b == nullptr) continue;
    if (rank_of(l) == evidence_rank::lost && (!a->linked || !b->linked)) continue;
    if (best == nullptr || rank_of(l) < rank_of(*best)) best = &l;
  }
  std::string why;
  milliseconds at{0};
  std::uint32_t a = 0, b = 0;
  if (best != nullptr) {
    a = best->from;
    b = best->to;
    why = best->probed ? "probe" : best->why.empty() ? "unknown" : best->why;
    at = best->wall;
  } else if (!i.shown.cause) {
    // Of those that nobody lost, the one that has no path, else the one that is broken longest.
    const broken_pair* first = nullptr;
    bool barred = false;
    for (const auto k : i.pairs) {
      const auto found = broken.find(k);
      const auto *left = context.members.find(lower(k)), *right = context.members.find(higher(k));
      if (found == broken.end() || left == nullptr || right == nullptr) continue;
      const auto there = paths.last(*left, *right), back = paths.last(*right, *left);
      const auto failed = [](const auto& probe) { return probe && probe->result != path_probe::reachable; };
      const bool no_path =
          (failed(there) || failed(back)) && (!there || failed(there)) && (!back || failed(back));
      if (first != nullptr && (barred || !no_path) &&
          (barred != no_path || found->second.since >= first->since)) {
        continue;
      }
      first = &found->second;
      barred = no_path;
      a = lower(k);
      b = higher(k);
    }
    if (first == nullptr) return;
    why = first->ever ? "unknown" : "never_connected";
    at = first->since_wall;
  } else {
    return;
  }
  const auto *one = name(a), *other = name(b);
  if (one == nullptr || other == nullptr) return;
  incident_cause cause{.from = *one, .to = *other, .reason = std::move(why), .path = {}, .at = at};
  const auto& left = *context.members.find(a);
  const auto& right = *context.members.find(b);
  auto path = paths.last(left, right);
  if (!path) path = paths.last(right, left);
  if (path) cause.path = to_string(path->result);
  const auto same = [](const incident_cause& x, const incident_cause& y) {
    return x.from == y.from && x.to == y.to && x.reason == y.reason && x.path == y.path && x.at == y.at;
  };
  if (i.shown.cause && same(*i.shown.cause, cause)) return;
  if (!i.shown.confirmed) i.shown.opened_at = std::min(i.shown.opened_at, cause.at);
  i.shown.cause = std::move(cause);
  changed = true;
}

void incidents::implementation::describe(open_incident& i, const step_context& context,
                                         const std::map<std::uint32_t, std::size_t>& places,
                                         const std::vector<std::vector<std::size_t>>& partitions,
                                         const path_book& paths) {
  auto now_type = incident_type::asymmetric;
  std::set<std::size_t> touched;
  std::size_t count = 0;
  std::vector<std::pair<node_name, node_name>> pairs;
  for (const auto k : i.pairs) {
    const auto a = places.find(lower(k)), b = places.find(higher(k));
    const auto found = broken.find(k);
    if (a != places.end()) touched.insert(a->second);
    if (b != places.end()) touched.insert(b->second);
    if (a != places.end() && b != places.end() && a->second != b->second) now_type = incident_type::full;
    if (found != broken.end() && !found->second.one_way)
      now_type = std::max(now_type, incident_type::partial);
    ++count;
    const auto* one = context.members.find(lower(k));
    const auto* other = context.members.find(higher(k));
    if (pairs.size() < max_incident_pairs && one != nullptr && other != nullptr) {
      pairs.emplace_back(one->name, other->name);
    }
  }
  if (count != i.shown.broken_pairs || pairs != i.shown.pairs) {
    i.shown.broken_pairs = count;
    i.shown.most_broken_pairs = std::max(count, i.shown.most_broken_pairs);
    i.shown.pairs = std::move(pairs);
    changed = true;
  }
  if (count == 0) return;
  const bool first = i.shown.groups.empty();
  const bool worsened = now_type > i.shown.type;
  if (worsened) {
    i.shown.type = now_type;
    changed = true;
  }
  // As it was at its worst: what it is now is to be seen elsewhere.
  const auto parts = now_type == incident_type::full ? partitions.size() : std::size_t{1};
  if (now_type == i.shown.type && (parts >= i.worst_partitions || worsened || first)) {
    std::vector<std::vector<node_name>> groups;
    std::size_t names = 0;
    for (std::size_t index = 0; index < partitions.size(); ++index) {
      if (now_type != incident_type::full && !touched.contains(index)) continue;
      auto& group = groups.emplace_back();
      for (const auto rank : partitions[index]) {
        if (++names > max_incident_names) break;
        group.push_back(context.members[rank].name);
      }
    }
    std::erase_if(groups, [](const auto& g) { return g.empty(); });
    i.worst_partitions = parts;
    if (groups != i.shown.groups) {
      i.shown.groups = std::move(groups);
      changed = true;
    }
  }
  std::vector<node_name> left_out;
  for (const auto id : i.excluded) {
    const auto* m = context.members.find(id);
    if (m == nullptr || left_out.size() >= max_incident_names) continue;
    const bool in_largest =
        i.shown.type == incident_type::full && !i.shown.groups.empty() &&
        std::ranges::find(i.shown.groups.front(), m->name) != i.shown.groups.front().end();
    if (!in_largest) left_out.push_back(m->name);
  }
  std::ranges::sort(left_out);
  if (left_out != i.shown.left_out) {
    i.shown.left_out = std::move(left_out);
    changed = true;
  }
  find_cause(i, context, paths);
  if (worsened && i.announced) {
    events.write(event_type::netsplit_changed, nullptr, reason::none,
                 fmt::format("netsplit {} is {} now: {} partitions", i.shown.id, to_string(i.shown.type),
                             partitions.size()),
                 context.at, i.shown.id);
  }
}

void incidents::implementation::announce(open_incident& i, const step_context& context) {
  std::string text = fmt::format("netsplit {} ({})", i.shown.id, to_string(i.shown.type));
  if (i.shown.type == incident_type::full) {
    std::vector<std::string> sizes;
    for (const auto& g : i.shown.groups) sizes.push_back(std::to_string(g.size()));
    text += fmt::format(": {} partitions of {} members", i.shown.groups.size(), fmt::join(sizes, ", "));
  } else {
    text += fmt::format(": {} {} of members not whole", i.shown.broken_pairs,
                        i.shown.broken_pairs == 1 ? "pair" : "pairs");
  }
  if (!i.shown.left_out.empty()) text += "; cut off: " + names_of(i.shown.left_out);
  if (i.shown.cause) {
    text += fmt::format("; it began between {} and {} ({}{})", i.shown.cause->from.text(),
                        i.shown.cause->to.text(), i.shown.cause->reason,
                        i.shown.cause->path.empty() ? "" : ", path: " + i.shown.cause->path);
  }
  events.write(event_type::netsplit_opened, nullptr, reason::none, std::move(text), context.at, i.shown.id);
}

void incidents::implementation::confirm(open_incident& i) {
  if (i.shown.confirmed) return;
  i.shown.confirmed = true;
  i.shown.counted_as = i.shown.type;
  ++totals.detected[static_cast<std::size_t>(i.shown.type)];
  totals.last_start = i.shown.opened_at;
  changed = true;
}

void incidents::implementation::close(open_incident& i, const step_context& context) {
  confirm(i);
  i.shown.closed_at = std::max(i.whole->wall, i.shown.opened_at);
  i.shown.ended = i.last_fate;
  i.shown.broken_pairs = 0;
  i.shown.pairs.clear();
  const auto lasted = *i.shown.closed_at - i.shown.opened_at;
  const auto seconds = static_cast<double>(lasted.count()) / 1000;
  ++totals.healed[static_cast<std::size_t>(i.shown.counted_as)];
  totals.last_end = *i.shown.closed_at;
  for (std::size_t at = 0; at < duration_bounds.size(); ++at) {
    if (seconds <= duration_bounds[at]) ++totals.duration_buckets[at];
  }
  totals.duration_sum += seconds;
  ++totals.duration_count;
  events.write(
      event_type::netsplit_closed, nullptr, reason::none,
      fmt::format("netsplit {} is over after {}: {}", i.shown.id, span(lasted),
                  i.shown.ended == incident_end::healed ? "everybody is connected again"
                                                        : "those it cut off are gone or were restarted"),
      context.at, i.shown.id);
  closed.push_front(i.shown);
  if (closed.size() > max_remembered) closed.pop_back();
  if (silent && silent->incident == i.shown.id) silent->incident = 0;
}

// A dead zone and our own cut look alike while they last. Who comes back with what it was, and was lost by a
// member that we reached all along, was cut off.
void incidents::implementation::follow_silence(const step_context& context) {
  std::size_t expected = 0;
  std::vector<const member_record*> quiet;
  for (const auto& m : context.members.all()) {
    if (!m->listed || m->state == member_state::left || m->state == member_state::leaving) continue;
    ++expected;
    const bool absent = m->state == member_state::suspect || m->state == member_state::down;
    if (absent && (m->why == reason::timeout || m->why == reason::tick_timeout)) quiet.push_back(m.get());
  }
  expected = std::max(expected, options.expect);
  if (!silent && (quiet.size() < 2 || quiet.size() * 3 < expected)) return;
  if (!silent) {
    silent.emplace();
    silent->since = context.at;
    for (const auto* m : quiet) {
      const auto ago = std::max(milliseconds(0), context.now - m->absent_since);
      if (context.now - ago < silent->since.steady) {
        silent->since = {context.now - ago, context.at.wall - ago};
      }
    }
  }
  for (const auto* m : quiet) {
    // Who is linked anew has only not told its view yet.
    if (!m->linked || m->link_since <= silent->since.steady) silent->members.emplace(m->id, m->creation);
  }
  for (const auto& l : losses) {
    if (l.at < silent->since.steady - options.interval || !silent->members.contains(l.to)) continue;
    if (!silent->members.contains(l.from)) silent->lost_by_somebody.insert(l.to);
  }

  for (auto at = silent->members.begin(); at != silent->members.end();) {
    const auto [id, creation] = *at;
    const auto* m = context.members.find(id);
    if (m == nullptr || m->state == member_state::left || (m->linked && m->creation != creation)) {
      silent->lost_by_somebody.erase(id);  // dead
      at = silent->members.erase(at);
      continue;
    }
    if (!counts(*m)) {
      ++at;
      continue;
    }
    const bool cut = silent->lost_by_somebody.contains(id) && !m->kept_out;
    if (cut && silent->incident == 0 && open.size() < max_open) {
      auto& i = begin(silent->since, context.at);
      i.shown.type = incident_type::full;
      i.worst_partitions = 2;
      std::vector<node_name> reached, back;
      for (const auto& other : context.members.all()) {
        if (silent->members.contains(other->id)) {
          back.push_back(other->name);
          i.excluded.insert(other->id);
        } else if (counts(*other)) {
          reached.push_back(other->name);
        }
      }
      i.shown.left_out = back.size() <= reached.size() ? back : reached;
      i.shown.groups = {std::move(reached), std::move(back)};
      std::erase_if(i.shown.groups, [](const auto& g) { return g.empty(); });
      std::ranges::stable_sort(i.shown.groups, std::ranges::greater{}, &std::vector<node_name>::size);
      for (const auto& l : losses) {
        if (silent->members.contains(l.to) && !silent->members.contains(l.from) &&
            l.at >= silent->since.steady - options.interval) {
          i.seen.insert(key_of(l.from, l.to));
        }
      }
      silent->incident = i.shown.id;
      act(i, "recorded when those that had fallen silent came back with what they were", context.at);
    }
    at = silent->members.erase(at);
  }
  if (silent->members.empty()) silent.reset();
}

void incidents::implementation::publish() {
  auto next = std::make_shared<std::vector<incident>>();
  next->reserve(open.size() + closed.size());
  for (auto at = open.rbegin(); at != open.rend(); ++at) next->push_back(at->shown);
  next->insert(next->end(), closed.begin(), closed.end());
  std::ranges::stable_sort(*next, std::ranges::greater{}, &incident::id);
  shown = std::move(next);
}

incidents::incidents(const settings& options, journal& events)
    : implementation_(std::make_unique<implementation>(options, events)) {}
incidents::~incidents() = default;
incidents::incidents(incidents&&) noexcept = default;

void incidents::restore(std::vector<incident> remembered, incident_totals totals) {
  auto& self = *implementation_;
  self.totals = std::move(totals);
  self.totals.duration_buckets.resize(duration_bounds.size());
  std::ranges::sort(remembered, {}, &incident::id);
  for (auto& i : remembered) {
    self.next_id = std::max(self.next_id, i.id + 1);
    if (i.closed_at) {
      self.closed.push_front(std::move(i));
    } else if (self.open.size() < max_open) {
      open_incident again;
      again.worst_partitions = i.type == incident_type::full ? i.groups.size() : 1;
      again.shown = std::move(i);
      again.restored = again.announced = true;
      self.open.push_back(std::move(again));
    }
  }
  while (self.closed.size() > max_remembered) self.closed.pop_back();
  self.publish();
}

void incidents::reorder(std::span<const std::size_t> previous) {
  implementation_->ever.reorder(previous);
}

void incidents::lost(const member_record& from, const member_record& to, std::string_view why, moment now) {
  implementation_->remember_loss({now.steady, now.wall, from.id, to.id, std::string(why), false});
}

void incidents::suspected(const member_record& from, const member_record& to, moment now) {
  implementation_->remember_loss({now.steady, now.wall, from.id, to.id, {}, true});
}

void incidents::asked(const member_record& on, const member_record& to, moment now) {
  auto* i = implementation_->concerned(on.id, to.id);
  if (i == nullptr) return;
  ++i->shown.connects_asked;
  implementation_->act(*i, fmt::format("{} was asked to connect to {}", on.name.text(), to.name.text()), now);
}

void incidents::answered(const member_record& on, const member_record& to, connect_outcome outcome,
                         moment now) {
  auto* i = implementation_->concerned(on.id, to.id);
  if (i == nullptr) return;
  if (outcome == connect_outcome::connected) {
    ++i->shown.connects_succeeded;
    implementation_->changed = true;
  } else {
    implementation_->act(
        *i,
        fmt::format("{} could not connect to {} ({})", on.name.text(), to.name.text(), to_string(outcome)),
        now);
  }
}

void incidents::told(const member_record& m, std::string sentence, moment now) {
  for (auto& i : implementation_->open) {
    if (i.excluded.contains(m.id)) implementation_->act(i, sentence, now);
  }
}

void incidents::restarted(const member_record& m, moment) {
  auto& self = *implementation_;
  if (m.rank < self.ever.size()) {
    self.ever.clear(m.rank);
    for (std::size_t rank = 0; rank < self.ever.size(); ++rank) self.ever.unset(rank, m.rank);
  }
  const auto concerns = [&](pair_key k) { return lower(k) == m.id || higher(k) == m.id; };
  std::erase_if(self.broken, [&](const auto& entry) { return concerns(entry.first); });
  std::erase_if(self.losses, [&](const loss& l) { return l.from == m.id || l.to == m.id; });
  for (auto& i : self.open) {
    if (std::erase_if(i.pairs, concerns) == 0) continue;
    i.last_fate = incident_end::gone;
    i.excluded.erase(m.id);
    self.changed = true;
  }
}

void incidents::removed(const member_record& m, moment now) {
  restarted(m, now);
}

bool incidents::evaluate(const step_context& context, const std::vector<std::vector<std::size_t>>& partitions,
                         const path_book& paths, deadline& wake) {
  auto& self = *implementation_;
  if (context.starting) {
    if (!std::exchange(self.changed, false)) return false;
    self.publish();
    return true;
  }
  self.watch_pairs(context);
  self.resolve_restored(context);
  if (!context.isolated) {
    self.follow_silence(context);
    self.assign(context, wake);
    for (auto& i : self.open) {
      self.settle_pairs(i, context);
      self.exclude(i, context);
    }
    self.merge();
  }

  std::map<std::uint32_t, std::size_t> places;
  if (!self.open.empty()) {
    for (std::size_t index = 0; index < partitions.size(); ++index) {
      for (const auto rank : partitions[index]) places.emplace(context.members[rank].id, index);
    }
  }
  for (auto& i : self.open) {
    self.describe(i, context, places, partitions, paths);
    self.find_cause(i, context, paths);
    if (!std::exchange(i.announced, true)) self.announce(i, context);
    if (i.pairs.empty()) {
      if (!i.whole) i.whole = context.at;
    } else {
      i.whole.reset();
    }
    const auto confirmation = i.opened + confirmed_after * self.options.interval;
    wake.note(confirmation);
    if (context.now >= confirmation || i.opened - i.first_broken > confirmed_after * self.options.interval) {
      self.confirm(i);
    }
    if (i.whole) wake.note(i.whole->steady + self.options.interval);
  }
  if (!context.isolated) {
    for (auto at = self.open.begin(); at != self.open.end();) {
      if (!at->whole || context.now - at->whole->steady < self.options.interval) {
        ++at;
        continue;
      }
      self.close(*at, context);
      at = self.open.erase(at);
      self.changed = true;
    }
  }
  if (!std::exchange(self.changed, false)) return false;
  self.publish();
  return true;
}

std::shared_ptr<const std::vector<incident>> incidents::all() const {
  return implementation_->shown;
}
const incident_totals& incidents::totals() const {
  return implementation_->totals;
}

}  // namespace rollcall::membership
