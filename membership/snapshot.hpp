// What readers see: one immutable value per step that changed something. Shared by shared_ptr<const
// snapshot>.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "membership/facts.hpp"
#include "membership/settings.hpp"

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
  unlisted_nodes,
  healing_paused,
  certificate_expiring
};
inline constexpr int condition_count = 15;
enum class pair_state { connected, one_way, missing, suspected, quarantined, unknown };
inline constexpr int pair_state_count = 6;
std::string_view to_string(heal_mode) noexcept;
std::string_view to_string(health) noexcept;
std::string_view to_string(severity) noexcept;
std::string_view to_string(condition) noexcept;
std::string_view to_string(pair_state) noexcept;

// An incident only ever worsens, in this order.
enum class incident_type {
  asymmetric,  // one end of a pair says yes, the other no
  partial,     // one partition, pairs missing in it
  full,        // two or more partitions
};
inline constexpr int incident_type_count = 3;
enum class incident_end {
  open,
  healed,     // every pair of it is connected again
  gone,       // those it left out are down, have left or were restarted
  unwatched,  // another Rollcall took over while it was open: how it ended is that one's to tell
};
inline constexpr int incident_end_count = 4;
std::string_view to_string(incident_type) noexcept;
std::string_view to_string(incident_end) noexcept;

// The pair that broke first.
struct incident_cause {
  node_name from, to;  // `from` said so, or was asked to probe `to`
  std::string reason;  // net_tick_timeout, connection_closed, ... (the node's word), probe, or unknown
  std::string path;    // what a TCP connection from one to the other found, when that was tried
  wall_time at{};
};

struct incident_act {
  wall_time at{};
  std::string text;  // a sentence
};

// A netsplit, while it lasts and afterwards. Times are wall clock.
struct incident {
  std::uint64_t id = 0;
  incident_type type{};
  incident_type counted_as{};  // the type at confirmation: what counters use
  bool confirmed = false;
  wall_time opened_at{};
  std::optional<wall_time> closed_at{};
  incident_end ended = incident_end::open;
  std::vector<std::vector<node_name>> groups{};          // largest first; of its worst moment
  std::vector<node_name> left_out{};                     // at one end of every broken pair
  std::vector<std::pair<node_name, node_name>> pairs{};  // broken now; the first max_incident_pairs
  std::size_t broken_pairs = 0;                          // all of them, now
  std::size_t most_broken_pairs = 0;
  std::optional<incident_cause> cause{};
  std::vector<incident_act> actions{};  // the last max_incident_acts
  std::size_t connects_asked = 0, connects_succeeded = 0;
};
inline constexpr std::size_t max_incident_pairs = 64, max_incident_acts = 32, max_incident_names = 2'000;

struct incident_totals {
  std::array<std::uint64_t, incident_type_count> detected{}, healed{};  // by counted_as
  std::vector<std::uint64_t> duration_buckets;  // cumulative, as duration_bounds; of closed, confirmed ones
  double duration_sum = 0;                      // seconds
  std::uint64_t duration_count = 0;
  std::optional<wall_time> last_start{}, last_end{};
};
// Seconds, 1 s to 1 d.
inline constexpr std::array<double, 11> duration_bounds{1,   5,     15,     30,     60,    300,
                                                        900, 3'600, 14'400, 43'200, 86'400};

// A member that is kept from connecting to the others, since under prevent_overlapping_partitions that would
// tear healthy links.
struct left_out {
  node_name node;
  std::vector<node_name> cannot_reach;
  std::string text;  // a sentence: who cannot reach which node, and what was found
};

struct member {
  node_name name;
  member_state state = member_state::joining;
  reason why = reason::none;
  std::string detail{};  // the last sentence about why it is not up
  wall_time since{};     // when it entered `state`
  bool listed = false;
  bool visible_kind = true;
  std::uint32_t creation = 0;                // 0: never linked
  std::size_t mesh = 0;                      // nothing is missing between members of different meshes
  std::string base{};                        // what keeps it apart from others (--mesh=base)
  std::size_t visible_peers = 0;             // members its view holds
  std::size_t links_missing = 0;             // of its pairs with other `up` members
  std::optional<std::size_t> partition{};    // index into partitions
  std::optional<milliseconds> round_trip{};  // of the last view
  std::string machine{}, zone{};             // where a source says that it runs; empty: not known
  std::optional<std::string> otp_release{};
  std::optional<bool> prevent_overlapping_partitions{}, connect_all{};
  std::optional<milliseconds> net_ticktime{};
  std::uint64_t joins = 0, leaves = 0, failures = 0, restarts = 0;
  bool linked = false;                       // we hold a link to it
  std::optional<dial_step> dial_ended_at{};  // of the last dial that failed, since there was a link
  bool fresh_view = false;
  bool seen = false;      // a member with a fresh view is linked to it
  bool watched = false;   // it reports changes by itself
  bool kept_out = false;  // by leave/1, or pruned
  bool pruned = false;
  bool silent = false;  // absent, without notice, and still listed
  // Its handshake lacks what OTP 26 and later insist on; it is one of those that insist.
  bool old_protocol = false, insists = false;
};

// Whether the two could ever be linked.
inline bool could_link(const member& a, const member& b) {
  const bool refused = (a.old_protocol && b.insists) || (b.old_protocol && a.insists);
  return a.mesh == b.mesh && !refused;
}

// One of the clusters that --mesh=base keeps apart.
struct mesh_summary {
  std::string base;  // empty: of the nodes that no pattern found
  std::size_t listed = 0, up = 0, partitions = 0, links_missing = 0;
};

struct raised_condition {
  condition name;
  severity how_bad;
  std::string text;
};

struct snapshot {
  wall_time at{};
  std::uint64_t version = 0;        // grows with every change
  std::vector<member> members;      // sorted by name; `left` ones until reaped
  std::vector<node_name> unlisted;  // seen by members, listed by nobody
  std::vector<node_name> hidden{};  // listed, and no members
  std::vector<std::vector<node_name>>
      partitions;  // largest first, names sorted; only `up` members with fresh views; each of one mesh
  std::array<std::size_t, pair_state_count> links{};  // unordered pairs of members not `left`
  std::size_t links_missing = 0;
  std::size_t listed = 0, expected = 0, up = 0;
  health overall = health::ok;
  std::vector<raised_condition> conditions;  // those that hold, worst first
  bool starting = true, isolated = false;
  bool fell_silent = false;  // so many of the expected are silent that it may be a netsplit
  bool standing_by =
      false;  // another Rollcall under our name is at work: nothing here is known at first hand
  heal_mode heal = heal_mode::automatic;
  std::vector<std::pair<node_name, node_name>>
      would_ask{};                                      // --heal=plan: who would be asked to connect to which
  std::optional<wall_time> paused_until{};              // no action on any node until then
  std::optional<fact::certificate> certificate{};       // absent: we speak no TLS
  std::optional<fact::certificate> http_certificate{};  // absent: page, API and metrics are plain HTTP
  std::vector<source_report> sources;
  std::vector<event> events;  // the last max_events, oldest first
  std::map<connect_outcome, std::uint64_t> connect_requests;
  std::shared_ptr<const std::vector<incident>> incidents =
      std::make_shared<const std::vector<incident>>();  // newest first; never null
  incident_totals totals;
  std::vector<left_out> quarantine;

  // What `from` says of `to` (indices into members): absent while its view is stale or it has none.
  std::optional<bool> sees(std::size_t from, std::size_t to) const;
  pair_state pair(std::size_t a, std::size_t b) const;  // symmetric
  const member* find(std::string_view name) const;      // nullptr when unknown
  const std::string& base_of_partition(std::size_t index) const;
  std::size_t most_partitions() const;       // of the mesh that has most: 1 is whole, 0 nobody reached
  std::vector<mesh_summary> meshes() const;  // by base; none where nothing is kept apart

  // Row per member: bit j of row i says that i's view holds j. Words of 64 bits, row_words words a row.
  std::vector<std::uint64_t> view_bits;
  std::size_t row_words = 0;
  // The same for pairs that are linked in the views and whose probes fail: symmetric, empty when there are
  // none.
  std::vector<std::uint64_t> suspected_bits;
  // Pairs kept in quarantine, by indices a < b, sorted.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> quarantined_pairs;
};

using snapshot_ptr = std::shared_ptr<const snapshot>;

}  // namespace rollcall::membership
