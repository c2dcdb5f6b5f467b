// What the observer publishes.
#include <fmt/format.h>

#include <algorithm>

#include "test/simulation/auditor.hpp"

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr milliseconds flutters_within{1'000};

const raised_condition* find(const snapshot& s, condition name) {
  const auto found = std::ranges::find(s.conditions, name, &raised_condition::name);
  return found != s.conditions.end() ? &*found : nullptr;
}

}  // namespace

void auditor::check_snapshot(const snapshot& s) {
  check_members(s);
  check_incidents(s);
  check_conditions(s);
  if (!s.quarantined_pairs.empty()) count_decision(decision::holds_a_pair_back);
  if (!s.quarantine.empty()) count_decision(decision::leaves_one_out);
  if (std::ranges::any_of(s.suspected_bits, [](auto w) { return w != 0; }))
    count_decision(decision::suspects_a_link);
  for (const auto& q : s.quarantine) {
    if (std::ranges::find(q.cannot_reach, q.node) != q.cannot_reach.end()) {
      broken(rule::contradiction, q.node.text() + " is said not to reach itself");
    }
    if (q.text.empty()) broken(rule::contradiction, q.node.text() + " is left out and nothing says why");
  }
}

void auditor::check_members(const snapshot& s) {
  std::size_t up = 0, placed = 0, in_parts = 0;
  for (const auto& m : s.members) {
    ++covered_.states[static_cast<std::size_t>(m.state)];
    up += m.state == member_state::up ? 1 : 0;
    placed += m.partition ? 1 : 0;
    if (m.state == member_state::joining && m.linked && s.at - m.since > interval_)
      count_decision(decision::holds_a_newcomer);
    if (m.partition && (m.state != member_state::up || !m.fresh_view)) {
      broken(rule::contradiction, m.name.text() + " is in a partition, and not up with a fresh view");
    }
    if (m.partition && *m.partition >= s.partitions.size())
      broken(rule::contradiction, m.name.text() + " is in a partition that is not there");
    if (m.state == member_state::up && m.why != reason::none)
      broken(rule::contradiction, m.name.text() + " is up, for a reason");
    if (m.state == member_state::up && !m.linked)
      broken(rule::contradiction, m.name.text() + " is up without a link");
    auto& before = counters_[m.name.text()];
    const std::array<std::uint64_t, 4> counted{m.joins, m.leaves, m.failures, m.restarts};
    for (std::size_t i = 0; i < counted.size(); ++i) {
      if (counted[i] < before[i])
        broken(rule::contradiction, fmt::format("counter {} of {} went back", i, m.name.text()));
    }
    before = counted;
    const auto& n = world_.mesh[world_.us.at(m.name)];
    if (m.restarts >= std::max(n.boots, 1U))
      broken(rule::contradiction, m.name.text() + " restarted less often than is counted");
    if (m.leaves > m.joins + 1)
      broken(rule::contradiction, m.name.text() + " left more often than it joined");
  }
  for (const auto& part : s.partitions) in_parts += part.size();
  if (up != s.up) broken(rule::contradiction, "up is miscounted");
  if (in_parts != placed) broken(rule::contradiction, "partitions and their members disagree");
  if (s.isolated && !s.partitions.empty()) broken(rule::contradiction, "isolated, and partitions are shown");
  if (!std::ranges::is_sorted(s.partitions, std::ranges::greater{}, [](const auto& p) { return p.size(); })) {
    broken(rule::contradiction, "the largest partition is not the first");
  }
}

// Whether what it says is so: a pair of it has no link, at either end, and had one; or one of the two is a
// newcomer that waited for --introduce-timeout, which is promised to be told then.
bool auditor::really_apart(const incident& i) const {
  const auto introduced_by = world_.time.now() - settings{}.introduce_timeout;
  return std::ranges::any_of(i.pairs, [&](const auto& pair) {
    const auto a = world_.us.at(pair.first), b = world_.us.at(pair.second);
    if (!world_.mesh[a].running || !world_.mesh[b].running || world_.mesh.linked(a, b)) return false;
    const bool waited = world_.us.linked(a) && world_.us.linked(b) &&
                        std::max(world_.us.linked_since(a), world_.us.linked_since(b)) <= introduced_by;
    return waited || lost_.contains({std::min(a, b), std::max(a, b)});
  });
}

void auditor::check_incidents(const snapshot& s) {
  const bool cuts = any([](const fault& f) { return traits_of(f.kind).cuts || f.prepare; });
  for (const auto& i : *s.incidents) {
    const auto id = fmt::format("incident {}", i.id);
    if (i.closed_at.has_value() != (i.ended != incident_end::open))
      broken(rule::contradiction, id + " is closed, and open");
    if (i.closed_at && *i.closed_at < i.opened_at)
      broken(rule::contradiction, id + " closed before it opened");
    if (i.broken_pairs > i.most_broken_pairs)
      broken(rule::contradiction, id + " has more broken pairs than it ever had");
    if (i.pairs.size() > i.broken_pairs) broken(rule::contradiction, id + " names more pairs than it counts");
    std::set<std::string> placed;
    for (const auto& group : i.groups) {
      for (const auto& name : group) {
        if (!placed.insert(name.text()).second)
          broken(rule::contradiction, id + ": " + name.text() + " stands in two groups");
      }
    }
    if (i.closed_at && counted_incidents_.insert(i.id + (life_events_ << 32U)).second) {
      ++covered_.incidents[static_cast<std::size_t>(i.type)][static_cast<std::size_t>(i.ended)];
    } else if (!i.closed_at &&
               counted_incidents_.insert(i.id + (life_events_ << 32U) + (std::uint64_t{1} << 60U)).second) {
      ++covered_.incidents[static_cast<std::size_t>(i.type)][static_cast<std::size_t>(incident_end::open)];
    }
    if (!cuts && !i.closed_at && !justified_.contains(i.id) && !really_apart(i))
      broken(rule::false_alarm, fmt::format("{} ({}) opened, and nothing was cut", id, to_string(i.type)));
    justified_.insert(i.id);  // once: it goes on until what it was about is whole for a while
  }
}

void auditor::check_conditions(const snapshot& s) {
  const auto open = std::ranges::count_if(*s.incidents, [](const incident& i) { return !i.closed_at; });
  if (find(s, condition::netsplit) != nullptr && open == 0) {
    broken(rule::contradiction, "netsplit is raised, and no incident is open");
  }
  const bool full = std::ranges::any_of(*s.incidents, [](const incident& i) {
    return !i.closed_at && i.confirmed && i.type == incident_type::full;
  });
  if (full && find(s, condition::netsplit) == nullptr) {
    broken(rule::contradiction, "a confirmed incident of the type full is open, and netsplit is not raised");
  }
  if (find(s, condition::links_missing) != nullptr && s.links_missing == 0) {
    broken(rule::contradiction, "links_missing is raised and none is missing");
  }
  if (find(s, condition::quarantine) != nullptr && s.quarantine.empty()) {
    broken(rule::contradiction, "quarantine is raised and nobody is in it");
  }
  const auto now = world_.time.now();
  constexpr std::array watched{condition::netsplit, condition::possible_split};
  for (std::size_t i = 0; i < watched.size(); ++i) {
    auto& a = alarms_[i];
    const bool raised = find(s, watched[i]) != nullptr;
    if (raised == a.raised) continue;
    if (!raised && now - a.since < flutters_within) {
      broken(rule::flutter,
             fmt::format("{} was raised for {} ms", to_string(watched[i]), (now - a.since).count()));
    }
    a = {raised, now};
  }
}

void auditor::check_events(const std::vector<event>& events) {
  for (const auto& e : events) {
    if (e.type == event_type::netsplit_opened && e.incident) opened_.insert(*e.incident);
    if (e.type == event_type::netsplit_closed && e.incident && !opened_.contains(*e.incident)) {
      broken(rule::unreported_opening, "told to be over, and was never told: " + e.text);
    }
  }
}

// Sets of cut pairs that hang together by their ends.
std::size_t auditor::causes() const {
  std::vector<std::set<place>> sets;
  for (place a = 0; a < world_.mesh.size(); ++a) {
    for (place b = a + 1; b < world_.mesh.size(); ++b) {
      if (!world_.net.was_ever(a, b)) continue;
      std::set<place> merged{a, b};
      std::erase_if(sets, [&](const std::set<place>& s) {
        if (!s.contains(a) && !s.contains(b)) return false;
        merged.insert(s.begin(), s.end());
        return true;
      });
      sets.push_back(std::move(merged));
    }
  }
  return std::max<std::size_t>(1, sets.size());
}

// One cut and nothing else: at most one incident, and exactly one where it lasted; its first pair was cut,
// and its groups are what the cut made of the mesh.
void auditor::check_plain_cut() {
  if (!world_.us.running()) return;
  const auto& f = faults_.front();
  const auto& incidents = *world_.us.snapshot()->incidents;
  // Pairs that share no end are two causes to everybody who looks; and what was whole in between broke again.
  const auto most = incidents.size() > 1 ? causes() + wholes_ + (whole_for_long() ? 1 : 0) : 1;
  if (incidents.size() > most)
    broken(rule::wrong_count, fmt::format("{} incidents for one {}, and {} are right", incidents.size(),
                                          traits_of(f.kind).name, most));
  for (const auto& i : incidents) {
    if (!i.cause) continue;
    const auto a = world_.us.at(i.cause->from), b = world_.us.at(i.cause->to);
    // Of what one answer shows to be lost nobody knows the order: others drop the ends of the pair that was.
    const bool guessed = !world_.us.watches() && i.cause->reason == "unknown";
    const auto ends_a_cut = [&](place one) {
      return std::ranges::any_of(world_.all(), [&](place other) { return world_.net.was_ever(one, other); });
    };
    if (!world_.net.was_ever(a, b) && !(guessed && (ends_a_cut(a) || ends_a_cut(b)))) {
      broken(rule::wrong_cause, fmt::format("the first pair is said to be {} - {} ({}), which was never cut",
                                            i.cause->from.text(), i.cause->to.text(), i.cause->reason));
    }
  }
  if (stage_ != stage::done) return;
  const bool two_sides = f.kind == fault_kind::halves || f.kind == fault_kind::node_dark;
  const bool long_enough = f.length >= 4 * interval_ + milliseconds(5'000);
  if (!long_enough || f.bites == 0) return;
  const bool certain = two_sides || f.kind == fault_kind::dark_pair || f.kind == fault_kind::three_way ||
                       f.kind == fault_kind::ring;
  if (certain && (incidents.empty() || incidents.size() > most)) {
    broken(rule::wrong_count, fmt::format("{} incidents for one {} of {} s", incidents.size(),
                                          traits_of(f.kind).name, f.length / milliseconds(1'000)));
  }
  // When the odd one was moved after the repair, there were three for a moment, and more pairs apart.
  const bool moved = covered_.decisions[static_cast<std::size_t>(decision::moves_the_odd_one)] != 0;
  if (!two_sides || incidents.empty() || moved) return;
  std::vector<std::size_t> sizes;
  for (const auto& group : incidents.front().groups) sizes.push_back(group.size());
  const auto smaller = f.kind == fault_kind::halves ? world_.nodes_at_first() / 2 : 1;
  const std::vector<std::size_t> right{world_.nodes_at_first() - smaller, smaller};
  if (sizes != right) {
    broken(rule::wrong_groups, fmt::format("groups of {}, and {} is right", fmt::join(sizes, " and "),
                                           fmt::join(right, " and ")));
  }
}

}  // namespace rollcall::simulation
