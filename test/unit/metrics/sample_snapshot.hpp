// Snapshots built by hand, for what reads them: metrics and http.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "membership/snapshot.hpp"

namespace rollcall::test {

inline node_name name(std::string_view text) {
  return node_name::parse(text).value();
}

// `count` members a0000@h, a0001@h, ... that are up and see each other.
inline membership::snapshot whole_cluster(std::size_t count) {
  using namespace membership;
  snapshot of;
  of.at = wall_time(milliseconds(1'700'000'000'000));
  of.starting = false;
  of.listed = of.expected = of.up = count;
  of.row_words = (count + 63) / 64;
  of.view_bits.assign(of.row_words * count, 0);
  std::vector<node_name> all;
  for (std::size_t index = 0; index < count; ++index) {
    auto digits = std::to_string(index);
    digits.insert(0, 4 - std::min<std::size_t>(4, digits.size()), '0');
    member one{.name = name("a" + digits + "@h"),
               .detail = {},
               .partition = 0,
               .round_trip = milliseconds(2),
               .otp_release = {},
               .prevent_overlapping_partitions = {},
               .connect_all = {},
               .net_ticktime = {}};
    one.state = member_state::up;
    one.since = wall_time(milliseconds(1'699'999'000'000));
    one.listed = one.fresh_view = true;
    one.creation = 1;
    one.visible_peers = count - 1;
    one.joins = 1;
    all.push_back(one.name);
    of.members.push_back(std::move(one));
    for (std::size_t to = 0; to < count; ++to) {
      if (to != index) of.view_bits[index * of.row_words + to / 64] |= std::uint64_t{1} << (to % 64);
    }
  }
  of.partitions.push_back(std::move(all));
  of.links[static_cast<std::size_t>(pair_state::connected)] = count * (count - 1) / 2;
  return of;
}

inline void blind(membership::snapshot& of, std::size_t from, std::size_t to) {
  of.view_bits[from * of.row_words + to / 64] &= ~(std::uint64_t{1} << (to % 64));
}

// Five members: a, b and c up, of which a and c do not see each other; d down; e left four minutes ago.
inline membership::snapshot troubled_cluster() {
  using namespace membership;
  auto of = whole_cluster(5);
  const std::vector<node_name> names{name("a@h"), name("b@h"), name("c@h"), name("d@h"), name("e@h")};
  for (std::size_t index = 0; index < 5; ++index) of.members[index].name = names[index];
  auto& a = of.members[0];
  auto& b = of.members[1];
  auto& c = of.members[2];
  auto& d = of.members[3];
  auto& e = of.members[4];
  for (std::size_t from = 0; from < 3; ++from) {
    blind(of, from, 3);
    blind(of, from, 4);
  }
  blind(of, 0, 2);
  blind(of, 2, 0);
  a.visible_peers = c.visible_peers = 1;
  b.visible_peers = 2;
  a.links_missing = c.links_missing = 1;
  a.otp_release = "25";
  a.prevent_overlapping_partitions = true;
  a.connect_all = true;
  a.net_ticktime = milliseconds(60'000);
  a.round_trip = milliseconds(1);
  c.otp_release = "29";
  d.state = member_state::down;
  d.why = reason::refused;
  d.detail = "the port mapper knows it, nobody listens";
  d.fresh_view = false;
  d.visible_peers = 0;
  d.partition.reset();
  d.round_trip.reset();
  d.failures = 2;
  e = d;
  e.name = names[4];
  e.state = member_state::left;
  e.why = reason::stopping;
  e.listed = false;
  e.leaves = 1;
  e.failures = 0;
  e.since = of.at - milliseconds(240'000);
  of.listed = of.expected = 4;
  of.up = 3;
  of.unlisted = {name("x@h")};
  of.partitions = {{names[0], names[1], names[2]}};
  of.links = {};
  of.links[static_cast<std::size_t>(pair_state::connected)] = 2;
  of.links[static_cast<std::size_t>(pair_state::missing)] = 1;
  of.links[static_cast<std::size_t>(pair_state::unknown)] = 3;
  of.links_missing = 1;
  of.overall = health::error;
  of.conditions = {{condition::links_missing, severity::error, "1 pair of members is not connected"},
                   {condition::members_missing, severity::warning, "1 of 4 members is not up: d@h"}};
  source_report asked;
  asked.source = "srv:app@svc.ns";
  asked.asked = true;
  asked.records = 4;
  asked.last_success = wall_time(milliseconds(1'699'999'999'500));
  asked.nodes = {names[0], names[1], names[2], names[3]};
  source_report silent;
  silent.source = "dns:app@late.ns";
  silent.asked = true;
  silent.outcome = query_outcome::timeout;
  silent.detail = "10.0.0.10:53 did not answer within 2 s";
  of.sources = {asked, silent};
  of.events = {{1, wall_time(milliseconds(1'699'999'000'000)), event_type::member_joined, names[0],
                reason::none, "a@h joined"},
               {2, wall_time(milliseconds(1'699'999'100'000)), event_type::member_down, names[3],
                reason::refused, "d@h is down: refused"},
               {3, wall_time(milliseconds(1'699'999'760'000)), event_type::member_left, names[4],
                reason::stopping, "e@h left"}};
  incident open;
  open.id = 2;
  open.type = open.counted_as = incident_type::partial;
  open.confirmed = true;
  open.opened_at = wall_time(milliseconds(1'699'999'900'000));
  open.groups = {{names[0], names[1], names[2]}};
  open.left_out = {names[2]};
  open.cause = incident_cause{.from = names[0],
                              .to = names[2],
                              .reason = "net_tick_timeout",
                              .path = "timeout",
                              .at = open.opened_at};
  incident over;
  over.id = 1;
  over.type = over.counted_as = incident_type::full;
  over.confirmed = true;
  over.opened_at = wall_time(milliseconds(1'699'998'000'000));
  over.closed_at = wall_time(milliseconds(1'699'998'042'500));
  over.ended = incident_end::healed;
  over.groups = {{names[0], names[1]}, {names[2]}};
  of.incidents = std::make_shared<const std::vector<incident>>(std::vector{open, over});
  of.totals.detected = {0, 1, 1};
  of.totals.healed = {0, 0, 1};
  of.totals.duration_buckets = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1};
  of.totals.duration_count = 1;
  of.totals.duration_sum = 42.5;
  of.totals.last_start = open.opened_at;
  of.totals.last_end = *over.closed_at;
  return of;
}

}  // namespace rollcall::test
