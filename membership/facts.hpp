// What membership is told, what it answers, and the moment at which: plain values, no I/O, no clock.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "membership/time.hpp"
#include "node_name/name_list.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::membership {

// Why a member is not up. The label `reason` of metrics, and an atom in answers.
enum class reason {
  none,
  dns,
  epmd,
  not_registered,
  refused,
  timeout,
  handshake,
  cookie,
  name_mismatch,
  incompatible,
  closed,
  tick_timeout,
  stopping,
  tls
};
enum class member_state { joining, up, suspect, leaving, down, left };
enum class connect_outcome { connected, failed, ignored, timeout, error };
enum class query_outcome { ok, partial, empty, nxdomain, servfail, timeout, error };
// How a probe of the link between two nodes ended: one of them was asked to send, the other answers to us.
enum class link_probe {
  answered,  // its answer came to us, over its own link
  silent,   // sent, and no answer within the limit; when confirming, though it answered us directly meanwhile
  no_link,  // the asked node has no link to it
  no_word,  // the asked node did not do it, or (confirming) the other did not answer us either: says nothing
};
// Of a node: a connection to its distribution port, or to its port mapper; or a whole handshake with it.
enum class probed_port { distribution, mapper, handshake };
// How a TCP connection from one node to another's distribution port (or port mapper) ended.
enum class path_probe { reachable, timeout, refused, unresolved, unreachable, no_word };
inline constexpr int reason_count = 14, member_state_count = 6, connect_outcome_count = 5,
                     query_outcome_count = 7;

std::string_view to_string(reason) noexcept;
std::string_view to_string(member_state) noexcept;
std::string_view to_string(connect_outcome) noexcept;
std::string_view to_string(query_outcome) noexcept;
std::string_view to_string(path_probe) noexcept;

// Where a dial ended. The order is the order of the steps.
enum class dial_step { dns, port_mapper, tcp, handshake };

using request_id = std::uint64_t;

// Where a node may be whose name no handshake has told yet.
struct unnamed_node {
  std::string host;     // as the source gives it
  std::string address;  // for people: the host, and the half name that its port mapper knows
  reason why = reason::none;
  std::string detail;
  bool there = false;  // a node is known to be there: it counts as expected
  friend bool operator==(const unnamed_node&, const unnamed_node&) = default;
};

// A source and its last answer, shown to readers as it was reported.
struct source_report {
  std::string source;
  query_outcome outcome = query_outcome::ok;
  std::string detail;
  bool asked = false;
  std::size_t records = 0;
  std::optional<wall_time> last_success;
  std::vector<node_name> nodes;
  std::optional<std::chrono::seconds> ttl{};  // of the last answer, when it says so
  std::vector<unnamed_node> unnamed{};        // of a source that gives addresses
};

// What a source knows of where a node runs, beside its name. Empty: not known.
struct placement {
  std::string machine, zone;
  bool leaving = false;  // its pod is terminating: no failure, however long it takes
};

namespace fact {
// Discovery's answer: every node listed, over all sources, after the last good answer of each was kept.
struct listed {
  std::vector<node_name> nodes;
  std::vector<source_report> sources;
  // Of the nodes that are kept apart from others, what they belong to: nodes of different ones, and of none,
  // are meshes of their own.
  std::map<node_name, std::string> bases{};
  std::map<node_name, placement> placed{};  // of those whose source knows
};
struct link_up {
  node_name node;
  std::uint32_t creation;
  bool visible;
  bool old_protocol = false;  // its handshake lacks what OTP 26 and later insist on
};
struct link_down {
  node_name node;
  membership::reason why;
  std::string detail;
  bool took_too_much = false;  // memory: it was closed here, and would be again
};
// A dial ended without a link. `answered_as`: the name another node gave there (name_mismatch, or an alias
// when listed).
struct dial_failed {
  node_name node;
  membership::reason why;
  std::string detail;
  std::optional<node_name> answered_as;
  dial_step at = dial_step::tcp;
  bool no_such_name = false;  // a name server says so: nobody is there (yet, or any more)
};
struct view {
  node_name node;
  name_list visible;
  milliseconds round_trip;
};
// The node sees what the last view of it named, the one with this digest; absent: it may not.
struct view_confirmed {
  node_name node;
  std::optional<std::size_t> digest;
  milliseconds round_trip;
};
struct view_failed {
  node_name node;
  membership::reason why;
  std::string detail;
};
// Of one creation. Absent: the node did not say; it is asked again.
struct settings {
  node_name node;
  std::string otp_release;
  std::optional<bool> prevent_overlapping_partitions, connect_all;
  std::optional<std::string> dist_auto_connect;
  std::optional<milliseconds> net_ticktime, net_setuptime;
};
struct stopping {
  node_name node;
};  // init:get_status/0 says so
// It answered a question that tells nothing of views (init:get_status/0), and is not stopping.
struct heard {
  node_name node;
  milliseconds round_trip;
  bool by_watcher = false;  // what it had to tell of views came before
};
// Pushed by the watcher on `node`: it gained or lost a visible peer. `why`: the reason of its nodedown, as
// text.
struct peer_changed {
  node_name node, peer;
  bool up;
  std::string why;
};
// The watcher on `node` runs, or does not (any more): then its view is asked for every round.
struct watching {
  node_name node;
  bool on;
};
struct links_probed {
  request_id id;
  std::vector<link_probe> results;  // in the order of action::probe_links::to
};
struct path_probed {
  request_id id;
  path_probe result;
};
// leave/1, rejoin/1
struct leave {
  node_name node;
};
struct rejoin {
  node_name node;
};
// pause/1, resume/0: no action on any node meanwhile.
struct pause {
  milliseconds span;
};
struct resume {};
// What we show to nodes that speak TLS, or to those who ask over HTTPS, the part of it that ends first; wall.
struct certificate {
  enum class of { nodes, http };
  wall_time begins, ends;
  of shown_to = of::nodes;
};
struct connect_result {
  request_id id;
  connect_outcome outcome;
  milliseconds took;
  std::string detail;
};
// Something shows that a node is another run than the one that kept us out, or can be reached where it could
// not: whatever pause its dials were in is over.
struct shows_up {
  node_name node;
};
struct cookies_changed {};  // members refused for their cookie are dialled again at once
struct round_requested {};  // reconnect/0
}  // namespace fact

using any_fact =
    std::variant<fact::listed, fact::link_up, fact::link_down, fact::dial_failed, fact::view,
                 fact::view_failed, fact::settings, fact::stopping, fact::connect_result,
                 fact::cookies_changed, fact::round_requested, fact::heard, fact::peer_changed,
                 fact::watching, fact::links_probed, fact::path_probed, fact::leave, fact::rejoin,
                 fact::shows_up, fact::pause, fact::resume, fact::certificate, fact::view_confirmed>;

namespace action {
struct dial {
  node_name node;
};  // answered by link_up or dial_failed
struct hang_up {
  node_name node;
};
struct ask_view {
  node_name node;
};  // view or view_failed
// Of one whose watcher tells what changes: whether all that it sees is what its last view named.
struct confirm_view {
  node_name node;
};  // view_confirmed; nothing when its watcher does not answer
struct ask_status {
  node_name node;
};  // heard or stopping; nothing when it does not answer
struct watch {
  node_name node;
};  // watching, now and whenever that changes
// On `on`: an is_auth to the net_kernel of each, without connecting, answered to us. Confirming: each of them
// is asked directly as well. Answered by exactly one links_probed within `limit`.
struct probe_links {
  request_id id;
  node_name on;
  std::vector<node_name> to;
  milliseconds limit;
  bool confirm;
};
// On `node`: an empty frame on each of its links, as net_kernel sends while its tick time is changed. Not
// answered.
struct tick_links {
  node_name node;
};
// On `on`: gen_tcp:connect to the distribution port of `to`, or to its port mapper; or
// net_kernel:hidden_connect_node(to), closed again at once. Answered by exactly one path_probed.
struct probe_path {
  request_id id;
  node_name on, to;
  milliseconds limit;
  probed_port port = probed_port::distribution;
};
// global:disconnect/0 on `node`; where it has no such function, the links to `peers` are cut on it one by one
// (empty: nothing is).
struct leave_mesh {
  node_name node;
  std::vector<node_name> peers;
};
struct ask_settings {
  node_name node;
};  // settings, or nothing
// net_kernel:connect_node(to) called on `on`; answered by exactly one connect_result within `limit`.
struct connect {
  request_id id;
  node_name on, to;
  milliseconds limit;
};
}  // namespace action

using any_action =
    std::variant<action::dial, action::hang_up, action::ask_view, action::ask_status, action::ask_settings,
                 action::watch, action::probe_links, action::probe_path, action::leave_mesh, action::connect,
                 action::confirm_view, action::tick_links>;

enum class event_type {
  member_joined,
  member_up,
  member_suspect,
  member_leaving,
  member_down,
  member_left,
  member_restarted,
  netsplit_opened,
  netsplit_changed,
  netsplit_closed,
  member_returned,  // was away, ran on: its data may differ
  isolated,
  discovery_changed,
  missed,  // of a subscriber that fell behind; never in a snapshot
};
std::string_view to_string(event_type) noexcept;

// What changed, once, in the words of the log line.
struct event {
  std::uint64_t id = 0;  // 1, 2, 3, ... over the life of the process
  wall_time at{};
  event_type type{};
  std::optional<node_name> node;
  reason why = reason::none;
  std::string text;                         // a sentence
  std::optional<std::uint64_t> incident{};  // of netsplit_opened, _changed and _closed
};

}  // namespace rollcall::membership
