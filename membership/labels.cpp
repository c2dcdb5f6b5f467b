// The closed sets of labels as text: what stands in metrics, JSON, Erlang atoms and logs.
#include <string_view>

#include "membership/snapshot.hpp"

namespace rollcall::membership {

std::string_view to_string(reason value) noexcept {
  switch (value) {
    case reason::none:
      return "none";
    case reason::dns:
      return "dns";
    case reason::epmd:
      return "epmd";
    case reason::not_registered:
      return "not_registered";
    case reason::refused:
      return "refused";
    case reason::timeout:
      return "timeout";
    case reason::handshake:
      return "handshake";
    case reason::cookie:
      return "cookie";
    case reason::name_mismatch:
      return "name_mismatch";
    case reason::incompatible:
      return "incompatible";
    case reason::closed:
      return "closed";
    case reason::tick_timeout:
      return "tick_timeout";
    case reason::stopping:
      return "stopping";
    case reason::tls:
      return "tls";
  }
  return "none";
}

std::string_view to_string(member_state value) noexcept {
  switch (value) {
    case member_state::joining:
      return "joining";
    case member_state::up:
      return "up";
    case member_state::suspect:
      return "suspect";
    case member_state::leaving:
      return "leaving";
    case member_state::down:
      return "down";
    case member_state::left:
      return "left";
  }
  return "joining";
}

std::string_view to_string(connect_outcome value) noexcept {
  switch (value) {
    case connect_outcome::connected:
      return "connected";
    case connect_outcome::failed:
      return "failed";
    case connect_outcome::ignored:
      return "ignored";
    case connect_outcome::timeout:
      return "timeout";
    case connect_outcome::error:
      return "error";
  }
  return "error";
}

std::string_view to_string(query_outcome value) noexcept {
  switch (value) {
    case query_outcome::ok:
      return "ok";
    case query_outcome::partial:
      return "partial";
    case query_outcome::empty:
      return "empty";
    case query_outcome::nxdomain:
      return "nxdomain";
    case query_outcome::servfail:
      return "servfail";
    case query_outcome::timeout:
      return "timeout";
    case query_outcome::error:
      return "error";
  }
  return "error";
}

std::string_view to_string(event_type value) noexcept {
  switch (value) {
    case event_type::member_joined:
      return "member_joined";
    case event_type::member_up:
      return "member_up";
    case event_type::member_suspect:
      return "member_suspect";
    case event_type::member_leaving:
      return "member_leaving";
    case event_type::member_down:
      return "member_down";
    case event_type::member_left:
      return "member_left";
    case event_type::member_restarted:
      return "member_restarted";
    case event_type::netsplit_opened:
      return "netsplit_opened";
    case event_type::netsplit_changed:
      return "netsplit_changed";
    case event_type::netsplit_closed:
      return "netsplit_closed";
    case event_type::member_returned:
      return "member_returned";
    case event_type::isolated:
      return "isolated";
    case event_type::discovery_changed:
      return "discovery_changed";
    case event_type::missed:
      return "missed";
  }
  return "discovery_changed";
}

std::string_view to_string(heal_mode value) noexcept {
  switch (value) {
    case heal_mode::automatic:
      return "auto";
    case heal_mode::off:
      return "off";
    case heal_mode::all:
      return "all";
    case heal_mode::plan:
      return "plan";
  }
  return "auto";
}

std::string_view to_string(health value) noexcept {
  switch (value) {
    case health::ok:
      return "ok";
    case health::warning:
      return "warning";
    case health::error:
      return "error";
  }
  return "error";
}

std::string_view to_string(severity value) noexcept {
  return value == severity::warning ? "warning" : "error";
}

std::string_view to_string(condition value) noexcept {
  switch (value) {
    case condition::starting:
      return "starting";
    case condition::nothing_discovered:
      return "nothing_discovered";
    case condition::discovery_stale:
      return "discovery_stale";
    case condition::members_missing:
      return "members_missing";
    case condition::links_missing:
      return "links_missing";
    case condition::netsplit:
      return "netsplit";
    case condition::possible_split:
      return "possible_split";
    case condition::quarantine:
      return "quarantine";
    case condition::cookie_refused:
      return "cookie_refused";
    case condition::name_mismatch:
      return "name_mismatch";
    case condition::isolated:
      return "isolated";
    case condition::config_drift:
      return "config_drift";
    case condition::unlisted_nodes:
      return "unlisted_nodes";
    case condition::healing_paused:
      return "healing_paused";
    case condition::certificate_expiring:
      return "certificate_expiring";
  }
  return "starting";
}

std::string_view to_string(pair_state value) noexcept {
  switch (value) {
    case pair_state::connected:
      return "connected";
    case pair_state::one_way:
      return "one_way";
    case pair_state::missing:
      return "missing";
    case pair_state::suspected:
      return "suspected";
    case pair_state::quarantined:
      return "quarantined";
    case pair_state::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view to_string(path_probe value) noexcept {
  switch (value) {
    case path_probe::reachable:
      return "reachable";
    case path_probe::timeout:
      return "timeout";
    case path_probe::refused:
      return "econnrefused";
    case path_probe::unresolved:
      return "nxdomain";
    case path_probe::unreachable:
      return "ehostunreach";
    case path_probe::no_word:
      return "no_word";
  }
  return "no_word";
}

std::string_view to_string(incident_type value) noexcept {
  switch (value) {
    case incident_type::asymmetric:
      return "asymmetric";
    case incident_type::partial:
      return "partial";
    case incident_type::full:
      return "full";
  }
  return "full";
}

std::string_view to_string(incident_end value) noexcept {
  switch (value) {
    case incident_end::open:
      return "open";
    case incident_end::healed:
      return "healed";
    case incident_end::unwatched:
      return "unwatched";
    case incident_end::gone:
      return "gone";
  }
  return "open";
}

}  // namespace rollcall::membership
