// The answers of the interface as documents: one place decides on keys, order and what nil means.
#include "membership/report.hpp"

#include <algorithm>
#include <tuple>

namespace rollcall::membership::report {
namespace {

document of(bool value) {
  return {value};
}
document of(std::uint64_t value) {
  return {static_cast<std::int64_t>(value)};
}
document of(milliseconds value) {
  return {static_cast<std::int64_t>(value.count())};
}
document of(wall_time value) {
  return {since_epoch(value)};
}
document atom(std::string_view value) {
  return {symbol{std::string(value)}};
}
document of(const node_name& value) {
  return {symbol{value.text()}};
}
document words(const std::string& value) {
  return {text{value}};
}
document reason_of(reason why) {
  return why == reason::none ? document{nil{}} : atom(to_string(why));
}

// Nil: of nodes that are kept apart from nobody by their name.
document mesh_called(const std::string& base) {
  return base.empty() ? document{nil{}} : words(base);
}

template <class T>
document optional(const std::optional<T>& value) {
  return value ? of(*value) : document{nil{}};
}

document list_of(const std::vector<node_name>& names) {
  array items;
  items.reserve(names.size());
  for (const auto& name : names) items.push_back(of(name));
  return {std::move(items)};
}

document describe(const membership::member& m) {
  return {object{
      {"node", of(m.name)},
      {"state", atom(to_string(m.state))},
      {"reason", reason_of(m.why)},
      {"since_at", of(m.since)},
      {"listed", of(m.listed)},
      {"visible", of(std::uint64_t{m.visible_peers})},
      {"missing", of(std::uint64_t{m.links_missing})},
      {"partition", m.partition ? of(std::uint64_t{*m.partition}) : document{nil{}}},
      {"creation", m.creation != 0 ? of(std::uint64_t{m.creation}) : document{nil{}}},
      {"otp_release", m.otp_release ? words(*m.otp_release) : document{nil{}}},
      {"kept_out", of(m.kept_out)},
      {"machine", m.machine.empty() ? document{nil{}} : words(m.machine)},
      {"zone", m.zone.empty() ? document{nil{}} : words(m.zone)},
  }};
}

bool raised(const snapshot& s, condition name) {
  return std::ranges::any_of(s.conditions, [&](const raised_condition& c) { return c.name == name; });
}

}  // namespace

document members(const snapshot& s, std::optional<member_state> only) {
  array items;
  for (const auto& m : s.members) {
    if (!only || m.state == *only) items.push_back(describe(m));
  }
  return {std::move(items)};
}

document member(const membership::member& m) {
  return describe(m);
}

// What describe() reads.
bool told_alike(const membership::member& a, const membership::member& b) {
  const auto told = [](const membership::member& m) {
    return std::tie(m.name, m.state, m.why, m.since, m.listed, m.visible_peers, m.links_missing, m.partition,
                    m.creation, m.otp_release, m.kept_out, m.machine, m.zone);
  };
  return told(a) == told(b);
}

document member(const snapshot& s, std::string_view name) {
  const auto* found = s.find(name);
  return found != nullptr ? describe(*found) : document{nil{}};
}

document nodes(const snapshot& s, member_state only) {
  array items;
  for (const auto& m : s.members) {
    if (m.state == only) items.push_back(of(m.name));
  }
  return {std::move(items)};
}

// None where nothing is kept apart.
static document meshes_of(const snapshot& s) {
  array items;
  for (const auto& each : s.meshes()) {
    items.push_back({object{{"mesh", mesh_called(each.base)},
                            {"listed", of(std::uint64_t{each.listed})},
                            {"up", of(std::uint64_t{each.up})},
                            {"partitions", of(std::uint64_t{each.partitions})},
                            {"links_missing", of(std::uint64_t{each.links_missing})}}});
  }
  return {std::move(items)};
}

document status(const snapshot& s, const std::vector<node_name>& other_rollcalls) {
  array details;
  for (const auto& c : s.conditions) {
    details.push_back({object{
        {"name", atom(to_string(c.name))},
        {"severity", atom(to_string(c.how_bad))},
        {"text", words(c.text)},
    }});
  }
  array quarantine;
  for (const auto& out : s.quarantine) {
    quarantine.push_back({object{
        {"node", of(out.node)}, {"cannot_reach", list_of(out.cannot_reach)}, {"text", words(out.text)}}});
  }
  array would_ask;
  for (const auto& [on, to] : s.would_ask) would_ask.push_back({tuple{{of(on), of(to)}}});
  std::array<std::uint64_t, member_state_count> counted{};
  for (const auto& m : s.members) ++counted[static_cast<std::size_t>(m.state)];
  object by_state;
  for (int i = 0; i < member_state_count; ++i) {
    by_state.push_back(
        {std::string(to_string(static_cast<member_state>(i))), of(counted[static_cast<std::size_t>(i)])});
  }
  return {object{
      {"health", atom(to_string(s.overall))},
      {"details", {std::move(details)}},
      {"expected", of(std::uint64_t{s.expected})},
      {"listed", of(std::uint64_t{s.listed})},
      {"up", of(std::uint64_t{s.up})},
      {"members", {std::move(by_state)}},
      {"partitions", of(std::uint64_t{s.most_partitions()})},
      {"meshes", meshes_of(s)},
      {"links_missing", of(std::uint64_t{s.links_missing})},
      {"netsplit", of(raised(s, condition::netsplit))},
      {"quarantine", {std::move(quarantine)}},
      {"isolated", of(s.isolated)},
      {"starting", of(s.starting)},
      {"standing_by", of(s.standing_by)},
      {"heal", atom(to_string(s.heal))},
      {"paused_until_at", optional(s.paused_until)},
      {"would_ask", {std::move(would_ask)}},
      {"unlisted", list_of(s.unlisted)},
      {"other_rollcalls", list_of(other_rollcalls)},
      {"at", of(s.at)},
  }};
}

document partitions(const snapshot& s) {
  array items;
  const bool apart = !s.meshes().empty();
  for (std::size_t index = 0; index < s.partitions.size(); ++index) {
    auto nodes = list_of(s.partitions[index]);
    if (!apart) {
      items.push_back(std::move(nodes));
    } else {
      items.push_back(
          {object{{"mesh", mesh_called(s.base_of_partition(index))}, {"nodes", std::move(nodes)}}});
    }
  }
  return {std::move(items)};
}

document links(const snapshot& s) {
  array items;
  for (std::size_t a = 0; a < s.members.size(); ++a) {
    if (s.members[a].state == member_state::left) continue;
    for (std::size_t b = a + 1; b < s.members.size(); ++b) {
      if (s.members[b].state == member_state::left) continue;
      items.push_back({object{
          {"a", of(s.members[a].name)},
          {"b", of(s.members[b].name)},
          {"state", atom(to_string(s.pair(a, b)))},
      }});
    }
  }
  return {std::move(items)};
}

document missing_links(const snapshot& s) {
  array items;
  for (std::size_t a = 0; a < s.members.size(); ++a) {
    if (s.members[a].links_missing == 0) continue;
    for (std::size_t b = a + 1; b < s.members.size(); ++b) {
      if (s.members[b].links_missing == 0) continue;
      const auto state = s.pair(a, b);
      if (state != pair_state::missing && state != pair_state::suspected &&
          state != pair_state::quarantined) {
        continue;
      }
      items.push_back({tuple{{of(s.members[a].name), of(s.members[b].name)}}});
    }
  }
  return {std::move(items)};
}

static document unnamed_in(const source_report& source) {
  array items;
  for (const auto& each : source.unnamed) {
    items.push_back({object{{"address", words(each.address)},
                            {"reason", reason_of(each.why)},
                            {"detail", each.detail.empty() ? document{nil{}} : words(each.detail)}}});
  }
  return {std::move(items)};
}

document discovery(const snapshot& s) {
  array items;
  for (const auto& source : s.sources) {
    items.push_back({object{
        {"source", words(source.source)},
        {"outcome", source.asked ? atom(to_string(source.outcome)) : document{nil{}}},
        {"detail", source.detail.empty() ? document{nil{}} : words(source.detail)},
        {"records", of(std::uint64_t{source.records})},
        {"last_success_at", optional(source.last_success)},
        {"nodes", list_of(source.nodes)},
        {"unnamed", unnamed_in(source)},
        {"ttl_ms", source.ttl ? of(std::uint64_t{static_cast<std::uint64_t>(source.ttl->count()) * 1'000})
                              : document{nil{}}},
    }});
  }
  return {std::move(items)};
}

document event(const membership::event& e) {
  return {object{
      {"id", of(e.id)},
      {"at", of(e.at)},
      {"type", atom(to_string(e.type))},
      {"node", optional(e.node)},
      {"reason", reason_of(e.why)},
      {"netsplit", optional(e.incident)},
      {"text", words(e.text)},
  }};
}

document events(const snapshot& s, std::size_t last) {
  array items;
  const auto skipped = s.events.size() > last ? s.events.size() - last : 0;
  for (auto i = skipped; i < s.events.size(); ++i) items.push_back(event(s.events[i]));
  return {std::move(items)};
}

namespace {

document describe(const incident& i) {
  array groups, pairs, actions;
  for (const auto& group : i.groups) groups.push_back(list_of(group));
  for (const auto& [a, b] : i.pairs) pairs.push_back({tuple{{of(a), of(b)}}});
  for (const auto& act : i.actions)
    actions.push_back({object{{"at", of(act.at)}, {"text", words(act.text)}}});
  document cause{nil{}};
  if (i.cause) {
    cause = {object{
        {"from", of(i.cause->from)},
        {"to", of(i.cause->to)},
        {"reason", words(i.cause->reason)},
        {"path", i.cause->path.empty() ? document{nil{}} : atom(i.cause->path)},
        {"at", of(i.cause->at)},
    }};
  }
  return {object{
      {"id", of(i.id)},
      {"type", atom(to_string(i.type))},
      {"opened_at", of(i.opened_at)},
      {"closed_at", optional(i.closed_at)},
      {"duration_ms", i.closed_at ? of(*i.closed_at - i.opened_at) : document{nil{}}},
      {"confirmed", of(i.confirmed)},
      {"ended", atom(to_string(i.ended))},
      {"groups", {std::move(groups)}},
      {"left_out", list_of(i.left_out)},
      {"cause", std::move(cause)},
      {"pairs_broken", of(std::uint64_t{i.broken_pairs})},
      {"pairs", {std::move(pairs)}},
      {"connects_asked", of(std::uint64_t{i.connects_asked})},
      {"connects_succeeded", of(std::uint64_t{i.connects_succeeded})},
      {"actions", {std::move(actions)}},
  }};
}

}  // namespace

document netsplits(const snapshot& s) {
  array items;
  for (const auto& i : *s.incidents) items.push_back(describe(i));
  return {std::move(items)};
}

document netsplit(const snapshot& s, std::uint64_t id) {
  const auto found = std::ranges::find(*s.incidents, id, &incident::id);
  return found != s.incidents->end() ? describe(*found) : document{nil{}};
}

}  // namespace rollcall::membership::report
