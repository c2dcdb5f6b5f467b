// Counting pairs a word at a time: see view_matrix.hpp.
#include "membership/picture.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_set>

#include "membership/compatible.hpp"

namespace rollcall::membership {
namespace {

member describe(const member_record& record, const view_matrix& views) {
  member m{.name = record.name};
  m.state = record.state;
  m.why = record.state == member_state::up ? reason::none : record.why;
  m.detail = record.detail;
  m.since = record.since;
  m.listed = record.listed;
  m.visible_kind = record.visible_kind;
  m.creation = record.creation;
  m.mesh = record.mesh;
  m.base = record.base;
  m.machine = record.machine;
  m.zone = record.zone;
  for (const auto w : views.sees(record.rank)) m.visible_peers += bits_in(w);
  if (record.has_view) m.round_trip = record.round_trip;
  m.otp_release = record.otp_release;
  m.prevent_overlapping_partitions = record.prevent_overlapping_partitions;
  m.connect_all = record.connect_all;
  m.net_ticktime = record.net_ticktime;
  m.joins = record.joins;
  m.leaves = record.leaves;
  m.failures = record.failures;
  m.restarts = record.restarts;
  m.linked = record.linked;
  if (!record.linked) m.dial_ended_at = record.dial_ended_at;
  m.fresh_view = record.fresh;
  m.watched = record.watched;
  m.kept_out = record.kept_out;
  m.pruned = record.pruned;
  m.old_protocol = record.old_protocol;
  m.insists = insists(record);
  return m;
}

// Pairs in each state, each counted from both its ends.
struct pair_counts {
  std::size_t connected = 0, one_way = 0, missing = 0, in_doubt = 0, links_missing = 0;
};

pair_counts count_pairs(const member_table& members, const view_matrix& views, const view_matrix& suspected,
                        const compatible_sets& telling, snapshot& s) {
  const compatible_sets mesh(members, [](const member_record& m) { return m.in_mesh(); });
  const bool any_suspected = suspected.any();
  pair_counts counted;
  for (const auto& record : members.all()) {
    if (record->state == member_state::left || !record->fresh) continue;
    const auto rank = record->rank;
    const auto forth = views.sees(rank), back = views.seen_by(rank);
    const bool in_mesh = record->in_mesh();
    auto& links_missing = s.members[rank].links_missing;
    for (std::size_t i = 0; i < forth.size(); ++i) {
      const auto any = telling.any(i);
      const auto doubt = any_suspected ? suspected.sees(rank)[i] & (forth[i] | back[i]) : word{0};
      counted.connected += bits_in(forth[i] & back[i] & any & ~doubt);
      counted.one_way += bits_in((forth[i] ^ back[i]) & any & ~doubt);
      counted.in_doubt += bits_in(doubt & any);
      counted.missing += bits_in(~(forth[i] | back[i]) & telling.partners(*record, i));
      if (in_mesh) links_missing += bits_in((~(forth[i] | back[i]) | doubt) & mesh.partners(*record, i));
    }
    counted.links_missing += links_missing;
  }
  return counted;
}

// Of which members those that tell see something; who is gone and delisted, and still linked, is a stranger.
void mark_seen(const member_table& members, const view_matrix& views, const compatible_sets& telling,
               snapshot& s, std::vector<node_name>& strangers) {
  for (const auto& record : members.all()) {
    const auto back = views.seen_by(record->rank);
    bool seen = false;
    for (std::size_t i = 0; i < back.size() && !seen; ++i) seen = (back[i] & telling.any(i)) != 0;
    if (record->state != member_state::left) {
      s.members[record->rank].seen = seen;
    } else if (seen) {
      strangers.push_back(record->name);
    }
  }
}

void put_pairs(const pair_counts& counted, std::size_t present, const member_table& members,
               const std::vector<pair_key>& quarantined, snapshot& s) {
  for (const auto k : quarantined) {
    const auto* one = members.find(lower(k));
    const auto* other = members.find(higher(k));
    if (one == nullptr || other == nullptr) continue;
    s.quarantined_pairs.emplace_back(
        std::minmax(static_cast<std::uint32_t>(one->rank), static_cast<std::uint32_t>(other->rank)));
  }
  std::ranges::sort(s.quarantined_pairs);
  std::size_t kept = 0;
  for (const auto& [a, b] : s.quarantined_pairs) kept += s.pair(a, b) == pair_state::quarantined ? 1 : 0;
  const auto put = [&s](pair_state state, std::size_t count) {
    s.links[static_cast<std::size_t>(state)] = count;
  };
  const auto pairs = present * (present - (present > 0 ? 1 : 0)) / 2;
  put(pair_state::connected, counted.connected / 2);
  put(pair_state::one_way, counted.one_way / 2);
  put(pair_state::missing, counted.missing / 2 - std::min(kept, counted.missing / 2));
  put(pair_state::suspected, counted.in_doubt / 2);
  put(pair_state::quarantined, kept);
  put(pair_state::unknown,
      pairs - (counted.connected + counted.one_way + counted.missing + counted.in_doubt) / 2);
  s.links_missing = counted.links_missing / 2;
}

void put_partitions(const member_table& members, const std::vector<std::vector<std::size_t>>& partitions,
                    snapshot& s) {
  for (std::size_t index = 0; index < partitions.size(); ++index) {
    auto& part = s.partitions.emplace_back();
    part.reserve(partitions[index].size());
    for (const auto rank : partitions[index]) {
      part.push_back(members[rank].name);
      s.members[rank].partition = index;
    }
  }
}

}  // namespace

snapshot draw(const member_table& members, const view_matrix& views, const view_matrix& suspected,
              const std::vector<pair_key>& quarantined,
              const std::vector<std::vector<std::size_t>>& partitions) {
  snapshot s;
  s.members.reserve(members.size());
  // Those whose view counts.
  const compatible_sets telling(members, [](const member_record& m) { return m.fresh; });
  std::size_t present = 0;
  std::vector<node_name> strangers;
  std::unordered_set<std::string_view> met;  // mostly the same ones, of every member
  for (const auto& record : members.all()) {
    auto& m = s.members.emplace_back(describe(*record, views));
    s.up += m.state == member_state::up ? 1 : 0;
    s.listed += m.listed ? 1 : 0;
    if (m.state != member_state::left) ++present;
    if (!record->fresh) continue;
    std::ranges::copy_if(record->strangers, std::back_inserter(strangers),
                         [&](const node_name& name) { return met.insert(name.text()).second; });
  }
  mark_seen(members, views, telling, s, strangers);
  const auto counted = count_pairs(members, views, suspected, telling, s);
  s.view_bits = views.bits();
  s.row_words = views.row_words();
  if (suspected.any()) s.suspected_bits = suspected.bits();
  put_pairs(counted, present, members, quarantined, s);
  put_partitions(members, partitions, s);

  std::ranges::sort(strangers);
  strangers.erase(std::unique(strangers.begin(), strangers.end()), strangers.end());
  s.unlisted = std::move(strangers);
  return s;
}

}  // namespace rollcall::membership
