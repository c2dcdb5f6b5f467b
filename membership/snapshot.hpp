// What readers see: one immutable value per step that changed something. Shared by shared_ptr<const
// snapshot>.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <span>

#include "membership/facts.hpp"

namespace rollcall::membership {

enum class health { ok, warning, error };
enum class severity { warning, error };
// The closed set of conditions behind `health`; the label `name` of erlang_cluster_health_detail.
enum class condition {
  starting,
  nothing_discovered,
  discovery_stale,
  members_missing,
  links_missing,
  netsplit,
  possible_split,
  quarantine,
  cookie_refused,
  name_mismatch,
  isolated,
  config_drift,
  unlisted_nodes
};
inline constexpr int condition_count = 13;
enum class pair_state { connected, one_way, missing, suspected, quarantined, unknown };
inline constexpr int pair_state_count = 6;
std::string_view to_string(health) noexcept;
std::string_view to_string(severity) noexcept;
std::string_view to_string(condition) noexcept;
std::string_view to_string(pair_state) noexcept;

struct member {
  node_name name;
  member_state state = member_state::joining;
  reason why = reason::none;
  std::string detail{};   // the last sentence about why it is not up
  milliseconds since{0};  // wall: when it entered `state`
  bool listed = false;
  bool visible_kind = true;
  std::uint32_t creation = 0;                // 0: never linked
  std::size_t visible_peers = 0;             // members its view holds
  std::size_t links_missing = 0;             // of its pairs with other `up` members
  std::optional<std::size_t> partition{};    // index into partitions
  std::optional<milliseconds> round_trip{};  // of the last view
  std::optional<std::string> otp_release{};
  std::optional<bool> prevent_overlapping_partitions{}, connect_all{};
  std::optional<milliseconds> net_ticktime{};
  std::uint64_t joins = 0, leaves = 0, failures = 0, restarts = 0;
  bool fresh_view = false;
};

struct raised_condition {
  condition name;
  severity how_bad;
  std::string text;
};

struct snapshot {
  milliseconds at{0};               // wall
  std::uint64_t version = 0;        // grows with every change
  std::vector<member> members;      // sorted by name; `left` ones until reaped
  std::vector<node_name> unlisted;  // seen by members, listed by nobody
  std::vector<std::vector<node_name>>
      partitions;  // largest first, names sorted; only `up` members with fresh views
  std::array<std::size_t, pair_state_count> links{};  // unordered pairs of members not `left`
  std::size_t links_missing = 0;
  std::size_t listed = 0, expected = 0, up = 0;
  health overall = health::ok;
  std::vector<raised_condition> conditions;  // those that hold, worst first
  bool starting = true, isolated = false;
  std::vector<source_report> sources;
  std::vector<event> events;  // the last max_events, oldest first
  std::map<connect_outcome, std::uint64_t> connect_requests;

  // What `from` says of `to` (indices into members): absent while its view is stale or it has none.
  std::optional<bool> sees(std::size_t from, std::size_t to) const;
  pair_state pair(std::size_t a, std::size_t b) const;  // symmetric
  const member* find(std::string_view name) const;      // nullptr when unknown

  // Row per member: bit j of row i says that i's view holds j. Words of 64 bits, row_words words a row.
  std::vector<std::uint64_t> view_bits;
  std::size_t row_words = 0;
  // States other than what two views alone tell (missing of incompatible kinds is `unknown`), by index pair a
  // < b.
  std::map<std::pair<std::uint32_t, std::uint32_t>, pair_state> exceptional_pairs;
};

using snapshot_ptr = std::shared_ptr<const snapshot>;

}  // namespace rollcall::membership
