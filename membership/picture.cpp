// Counting pairs a word at a time: see view_matrix.hpp.
#include "membership/picture.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <string_view>
#include <unordered_set>

#include "membership/compatible.hpp"

namespace rollcall::membership {
namespace {

member describe(const member_record& record) {
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

void put_pairs(const picture::pair_counts& counted, std::size_t present, const member_table& members,
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
  std::size_t links_missing = 0;
  for (std::size_t rank = 0; rank < members.size(); ++rank) {
    s.members[rank].links_missing = counted.links_missing[rank];
    s.members[rank].visible_peers = counted.visible_peers[rank];
    links_missing += counted.links_missing[rank];
  }
  s.links_missing = links_missing / 2;
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

picture::pair_counts picture::count_pairs(const member_table& members, const view_matrix& views,
                                          const view_matrix& suspected, const basis& of) {
  const bool any_suspected = suspected.any();
  pair_counts counted;
  counted.links_missing.resize(members.size());
  counted.visible_peers.resize(members.size());
  for (std::size_t rank = 0; rank < members.size(); ++rank) {
    for (const auto w : views.sees(rank)) counted.visible_peers[rank] += bits_in(w);
  }
  each_rank(of.present.words(), [&](std::size_t rank) {
    const auto& record = members[rank];
    const auto forth = views.sees(rank), back = views.seen_by(rank);
    const bool in_mesh = record.in_mesh();
    auto& links_missing = counted.links_missing[rank];
    for (std::size_t i = 0; i < forth.size(); ++i) {
      const auto any = of.telling.any(i);
      const auto doubt = any_suspected ? suspected.sees(rank)[i] & (forth[i] | back[i]) : word{0};
      counted.connected += bits_in(forth[i] & back[i] & any & ~doubt);
      counted.one_way += bits_in((forth[i] ^ back[i]) & any & ~doubt);
      counted.in_doubt += bits_in(doubt & any);
      counted.missing += bits_in(~(forth[i] | back[i]) & of.telling.partners(record, i));
      if (in_mesh) links_missing += bits_in((~(forth[i] | back[i]) | doubt) & of.mesh.partners(record, i));
    }
  });
  return counted;
}

snapshot picture::draw(const member_table& members, const view_matrix& views, const view_matrix& suspected,
                       const std::vector<pair_key>& quarantined,
                       const std::vector<std::vector<std::size_t>>& partitions) {
  snapshot s;
  s.members.reserve(members.size());
  basis of{{views, suspected},
           {members, [](const member_record& m) { return m.fresh; }},
           {members, [](const member_record& m) { return m.in_mesh(); }},
           rank_set(members.size())};
  std::size_t present = 0;
  std::vector<node_name> strangers;
  std::unordered_set<std::string_view> met;  // mostly the same ones, of every member
  for (const auto& record : members.all()) {
    auto& m = s.members.emplace_back(describe(*record));
    s.up += m.state == member_state::up ? 1 : 0;
    s.listed += m.listed ? 1 : 0;
    if (m.state != member_state::left) ++present;
    if (!record->fresh) continue;
    if (m.state != member_state::left) of.present.insert(record->rank);
    std::ranges::copy_if(record->strangers, std::back_inserter(strangers),
                         [&](const node_name& name) { return met.insert(name.text()).second; });
  }
  mark_seen(members, views, of.telling, s, strangers);
  if (counted_of_ != of) {
    counted_ = count_pairs(members, views, suspected, of);
    counted_of_ = std::move(of);
  }
  assert(counted_ == count_pairs(members, views, suspected, *counted_of_));
  s.view_bits = views.bits();
  s.row_words = views.row_words();
  if (suspected.any()) s.suspected_bits = suspected.bits();
  put_pairs(counted_, present, members, quarantined, s);
  put_partitions(members, partitions, s);

  std::ranges::sort(strangers);
  strangers.erase(std::unique(strangers.begin(), strangers.end()), strangers.end());
  s.unlisted = std::move(strangers);
  return s;
}

}  // namespace rollcall::membership
