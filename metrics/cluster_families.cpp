#include "metrics/cluster_families.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

namespace rollcall::metrics {

namespace {

using membership::condition;
using membership::member;
using membership::member_state;
using membership::pair_state;
using membership::reason;
using membership::severity;
using membership::snapshot;

using members = std::vector<const member*>;

double number(std::size_t value) {
  return static_cast<double>(value);
}
double number(bool value) {
  return value ? 1 : 0;
}

double in_seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string_view yes_no(const std::optional<bool>& setting) {
  if (!setting) return "unknown";
  return *setting ? "true" : "false";
}

bool belongs(const member& one) {
  return one.state != member_state::left;
}

void write_health(exposition& out, const snapshot& of) {
  out.gauge("erlang_cluster_health_status",
            "Health of the cluster as Rollcall sees it: 0 is ok, 1 is warning, 2 is error.",
            number(static_cast<std::size_t>(of.overall)));

  auto detail = family::gauge("erlang_cluster_health_detail",
                              "1 while the named condition holds at that severity, 0 otherwise.");
  for (int index = 0; index < membership::condition_count; ++index) {
    const auto name = static_cast<condition>(index);
    for (const auto level : {severity::warning, severity::error}) {
      const bool holds = std::any_of(of.conditions.begin(), of.conditions.end(), [&](const auto& raised) {
        return raised.name == name && raised.how_bad == level;
      });
      detail.add({{"name", to_string(name)}, {"severity", to_string(level)}}, number(holds));
    }
  }
  out.write(std::move(detail));
}

// Nodes that are there and whose names are not known yet: they count as expected, so what keeps them is told.
template <class Visitor>
void each_without_a_name(const snapshot& of, Visitor&& visit) {
  for (const auto& source : of.sources) {
    for (const auto& one : source.unnamed) {
      if (one.there && one.why != reason::none) visit(one);
    }
  }
}

void write_totals(exposition& out, const snapshot& of) {
  out.gauge("erlang_cluster_listed_members", "Nodes that the last good answers of discovery hold.",
            number(of.listed));
  out.gauge("erlang_cluster_expected_members",
            "Members there should be: the larger of what discovery lists and what --expect says.",
            number(of.expected));

  std::array<std::size_t, membership::member_state_count> in_state{};
  std::array<std::size_t, membership::reason_count> with_reason{};
  for (const auto& one : of.members) {
    ++in_state[static_cast<std::size_t>(one.state)];
    if (belongs(one) && one.state != member_state::up) ++with_reason[static_cast<std::size_t>(one.why)];
  }
  each_without_a_name(
      of, [&](const membership::unnamed_node& one) { ++with_reason[static_cast<std::size_t>(one.why)]; });
  auto states = family::gauge("erlang_cluster_members", "Members in each state.");
  for (int index = 0; index < membership::member_state_count; ++index) {
    states.add({{"state", to_string(static_cast<member_state>(index))}}, number(in_state[index]));
  }
  out.write(std::move(states));

  auto problems =
      family::gauge("erlang_cluster_members_by_problem", "Members that are not up, by the reason for it.");
  for (int index = 1; index < membership::reason_count; ++index) {  // reason::none is no problem
    problems.add({{"reason", to_string(static_cast<reason>(index))}}, number(with_reason[index]));
  }
  out.write(std::move(problems));

  out.gauge("erlang_cluster_unlisted_nodes", "Nodes that members see but that no source lists.",
            number(of.unlisted.size()));
}

void write_member_states(exposition& out, const snapshot& of, const members& shown) {
  auto states =
      family::gauge("erlang_cluster_member_state", "1 for the state the member is in, 0 for others.");
  states.expect(shown.size() * membership::member_state_count);
  auto problem =
      family::gauge("erlang_cluster_member_problem", "1 while the member is not up for the given reason.");
  auto info = family::gauge("erlang_cluster_member_info",
                            "1, with the release and the kernel settings the member told; net_ticktime is in "
                            "seconds.");
  for (const auto* one : shown) {
    const auto& name = one->name.text();
    for (int index = 0; index < membership::member_state_count; ++index) {
      const auto state = static_cast<member_state>(index);
      states.add({{"member", name}, {"state", to_string(state)}}, number(one->state == state));
    }
    if (belongs(*one) && one->state != member_state::up && one->why != reason::none) {
      problem.add({{"member", name}, {"reason", to_string(one->why)}}, 1);
    }
    const bool placed = !one->machine.empty() || !one->zone.empty();
    if (one->otp_release || one->prevent_overlapping_partitions || one->connect_all || one->net_ticktime ||
        placed) {
      const auto ticktime =
          one->net_ticktime
              ? std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*one->net_ticktime).count())
              : std::string("unknown");
      std::vector<label> labels{
          {"member", name},
          {"otp_release", one->otp_release ? std::string_view(*one->otp_release) : "unknown"},
          {"pop", yes_no(one->prevent_overlapping_partitions)},
          {"connect_all", yes_no(one->connect_all)},
          {"net_ticktime", ticktime}};
      if (!one->base.empty()) labels.emplace_back("mesh", std::string_view(one->base));
      if (!one->machine.empty()) labels.emplace_back("machine", std::string_view(one->machine));
      if (!one->zone.empty()) labels.emplace_back("zone", std::string_view(one->zone));
      info.add(labels, 1);
    }
  }
  each_without_a_name(of, [&](const membership::unnamed_node& one) {
    problem.add({{"member", one.address}, {"reason", to_string(one.why)}}, 1);
  });
  out.write(std::move(states));
  out.write(std::move(problem));
  out.write(std::move(info));
}

// What only a member with a fresh view has is absent for the others: a stale number would pass for a measured
// one.
void write_member_views(exposition& out, const members& shown) {
  auto visible = family::gauge("erlang_cluster_member_visible_peers",
                               "Other members in the member's own view; absent while that view is stale.");
  auto missing = family::gauge("erlang_cluster_member_links_missing",
                               "Other up members to which the member has no link.");
  auto partition = family::gauge("erlang_cluster_member_partition",
                                 "Index of the partition the member is in, 0 being the largest; absent for a "
                                 "member in none.");
  auto round_trip = family::gauge("erlang_cluster_member_round_trip_seconds",
                                  "Time in seconds the member took to answer with its last view.");
  for (const auto* one : shown) {
    if (!belongs(*one)) continue;
    const auto& name = one->name.text();
    if (one->fresh_view) visible.add({{"member", name}}, number(one->visible_peers));
    missing.add({{"member", name}}, number(one->links_missing));
    if (one->partition) partition.add({{"member", name}}, number(*one->partition));
    if (one->round_trip) round_trip.add({{"member", name}}, in_seconds(*one->round_trip));
  }
  out.write(std::move(visible));
  out.write(std::move(missing));
  out.write(std::move(partition));
  out.write(std::move(round_trip));
}

void write_member_counters(exposition& out, const members& shown) {
  const auto write = [&](std::string name, std::string help, std::uint64_t member::*count) {
    auto counter = family::counter(std::move(name), std::move(help));
    counter.expect(shown.size());
    for (const auto* one : shown) {
      counter.add({{"member", one->name.text()}}, static_cast<double>(one->*count));
    }
    out.write(std::move(counter));
  };
  write("erlang_cluster_member_joins_total", "Times the member joined the cluster.", &member::joins);
  write("erlang_cluster_member_leaves_total", "Times the member left the cluster in good order.",
        &member::leaves);
  write("erlang_cluster_member_failures_total", "Times the member was up and was then found to be down.",
        &member::failures);
  write("erlang_cluster_member_restarts_total", "Times the member came back as a new run of its node.",
        &member::restarts);
}

// Visits (from, to, seen) for every ordered pair with a fresh view, until `visit` says false.
template <class Visit>
void each_view(const snapshot& of, Visit visit) {
  for (std::size_t from = 0; from < of.members.size(); ++from) {
    if (!belongs(of.members[from])) continue;
    for (std::size_t to = 0; to < of.members.size(); ++to) {
      if (from == to || !belongs(of.members[to])) continue;
      const auto seen = of.sees(from, to);
      if (seen && !visit(from, to, *seen)) return;
    }
  }
}

bool more_views_than(std::size_t limit, const snapshot& of) {
  std::size_t count = 0;
  each_view(of, [&](std::size_t, std::size_t, bool) { return ++count <= limit; });
  return count > limit;
}

void write_links(exposition& out, const snapshot& of, std::size_t max_link_series) {
  const bool truncated = more_views_than(max_link_series, of);
  auto link_up = family::gauge("erlang_cluster_link_up",
                               "What `from` says of its link to `to`: 1 is connected, 0 is not; absent while "
                               "the view of `from` is stale. Above --max-link-series only zeros are given.");
  std::size_t given = 0;
  each_view(of, [&](std::size_t from, std::size_t to, bool seen) {
    if (truncated && seen) return true;
    if (given == max_link_series) return false;
    ++given;
    link_up.add({{"from", of.members[from].name.text()}, {"to", of.members[to].name.text()}}, number(seen));
    return true;
  });
  out.write(std::move(link_up));
  out.gauge("rollcall_link_series_truncated",
            "1 while there are more links than --max-link-series, so that only zeros are given.",
            number(truncated));

  auto links =
      family::gauge("erlang_cluster_links", "Unordered pairs of members, by the state of their link.");
  for (int index = 0; index < membership::pair_state_count; ++index) {
    links.add({{"state", to_string(static_cast<pair_state>(index))}}, number(of.links[index]));
  }
  out.write(std::move(links));
  out.gauge("erlang_cluster_links_missing", "Pairs of up members that are not connected to each other.",
            number(of.links_missing));
}

void write_partitions(exposition& out, const snapshot& of) {
  out.gauge("erlang_cluster_partitions",
            "Groups of members without a link between them: 1 is whole, 0 is nobody reached.",
            number(of.most_partitions()));
  auto sizes =
      family::gauge("erlang_cluster_partition_size", "Members in each partition, 0 being the largest.");
  for (std::size_t index = 0; index < of.partitions.size(); ++index) {
    sizes.add({{"partition", std::to_string(index)}}, number(of.partitions[index].size()));
  }
  out.write(std::move(sizes));
}

void write_netsplits(exposition& out, const snapshot& of) {
  using membership::incident_type;
  std::array<bool, membership::incident_type_count> active{};
  auto cause = family::gauge("erlang_cluster_netsplit_cause_info",
                             "1 while a netsplit is open, with the pair that broke first and the reason its "
                             "nodes gave.");
  std::set<std::array<std::string, 3>> causes;  // two incidents may have one cause
  for (const auto& incident : *of.incidents) {
    if (incident.closed_at) continue;
    active[static_cast<std::size_t>(incident.type)] = true;
    if (!incident.cause) continue;
    const auto& [from, to, why, path, at] = *incident.cause;
    if (!causes.insert({from.text(), to.text(), why}).second) continue;
    cause.add({{"from", from.text()}, {"to", to.text()}, {"reason", why}}, 1);
  }
  const auto by_type = [](family& into, auto&& value) {
    for (int index = 0; index < membership::incident_type_count; ++index) {
      const auto type = static_cast<incident_type>(index);
      into.add({{"type", to_string(type)}}, value(static_cast<std::size_t>(index)));
    }
  };
  auto open = family::gauge("erlang_cluster_netsplit_active", "1 while a netsplit of that type is open.");
  by_type(open, [&](std::size_t type) { return number(active[type]); });
  out.write(std::move(open));
  auto detected = family::counter("erlang_cluster_netsplits_detected_total",
                                  "Netsplits that were confirmed, by the type they had then.");
  by_type(detected, [&](std::size_t type) { return static_cast<double>(of.totals.detected[type]); });
  out.write(std::move(detected));
  auto healed = family::counter("erlang_cluster_netsplits_healed_total",
                                "Netsplits that are over, by the type they were confirmed with.");
  by_type(healed, [&](std::size_t type) { return static_cast<double>(of.totals.healed[type]); });
  out.write(std::move(healed));
  out.write(std::move(cause));

  auto lasted = family::histogram("erlang_cluster_netsplit_duration_seconds",
                                  "Time from the first broken pair to the last one connected again.");
  prometheus::ClientMetric collected;
  collected.histogram.sample_count = of.totals.duration_count;
  collected.histogram.sample_sum = of.totals.duration_sum;
  for (std::size_t index = 0; index < membership::duration_bounds.size(); ++index) {
    const auto count = index < of.totals.duration_buckets.size() ? of.totals.duration_buckets[index] : 0;
    collected.histogram.bucket.push_back({count, membership::duration_bounds[index]});
  }
  collected.histogram.bucket.push_back({of.totals.duration_count, std::numeric_limits<double>::infinity()});
  lasted.add(std::move(collected));
  out.write(std::move(lasted));
  out.gauge("erlang_cluster_netsplit_last_start_timestamp_seconds",
            "When the last confirmed netsplit began, 0 for never.", timestamp_of(of.totals.last_start));
  out.gauge("erlang_cluster_netsplit_last_end_timestamp_seconds",
            "When the last netsplit was over, 0 for never.", timestamp_of(of.totals.last_end));
}

}  // namespace

double timestamp_of(const std::optional<membership::wall_time>& at) {
  return at ? in_seconds(at->time_since_epoch()) : 0;
}

void write_cluster(exposition& out, const snapshot& of, membership::wall_time now,
                   std::size_t max_link_series) {
  members shown;
  shown.reserve(of.members.size());
  for (const auto& one : of.members) {
    if (belongs(one) || now - one.since < forget_series_after) shown.push_back(&one);
  }
  write_health(out, of);
  write_totals(out, of);
  write_member_states(out, of, shown);
  write_member_views(out, shown);
  write_member_counters(out, shown);
  write_links(out, of, max_link_series);
  write_partitions(out, of);
  write_netsplits(out, of);
}

}  // namespace rollcall::metrics
