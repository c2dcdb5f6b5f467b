#include "app/reason.hpp"

namespace rollcall::app {

using cnode::error;
using membership::reason;

reason reason_of(boost::system::error_code code) {
  if (!code) return reason::none;
  if (code.category() != cnode::error_category()) return reason::closed;
  switch (static_cast<error>(code.value())) {
    case error::timed_out:
    case error::unreachable:
      return reason::timeout;
    case error::tick_timed_out:
      return reason::tick_timeout;
    case error::refused:
      return reason::refused;
    case error::not_resolved:
    case error::no_such_name:
      return reason::dns;
    case error::not_registered:
      return reason::not_registered;
    case error::bad_reply:
      return reason::epmd;
    case error::cookie_refused:
      return reason::cookie;
    case error::name_mismatch:
      return reason::name_mismatch;
    case error::incompatible:
      return reason::incompatible;
    case error::stopping:
      return reason::stopping;
    case error::tls:
      return reason::tls;
    case error::unexpected_message:
    case error::not_allowed:
    case error::lost_simultaneous:
    case error::alive_refused:
    case error::reflected:
    case error::too_many_links:
    case error::name_taken:
      return reason::handshake;
    default:
      return reason::closed;
  }
}

reason reason_of(const cnode::failure& failure) {
  const auto why = reason_of(failure.code);
  switch (failure.step) {
    case cnode::dial_step::resolve:
      return why == reason::timeout ? reason::timeout : reason::dns;
    case cnode::dial_step::port_mapper:
      return why == reason::timeout || why == reason::not_registered ? why : reason::epmd;
    case cnode::dial_step::connect:
      return why == reason::closed ? reason::refused : why;
    case cnode::dial_step::tls:
      return why == reason::closed || why == reason::refused ? reason::tls : why;
    case cnode::dial_step::handshake:
      return why == reason::closed || why == reason::refused ? reason::handshake : why;
  }
  return why;
}

reason reason_of(const cnode::call_failure& failure) {
  switch (failure.kind) {
    case cnode::call_failure_kind::timed_out:
      return reason::timeout;
    case cnode::call_failure_kind::no_link:
    case cnode::call_failure_kind::link_lost:
      return reason::closed;
    case cnode::call_failure_kind::refused:
    case cnode::call_failure_kind::raised:
    case cnode::call_failure_kind::bad_answer:
      return reason::incompatible;
  }
  return reason::closed;
}

metrics::rpc_error rpc_error_of(const cnode::call_failure& failure) {
  using kind = cnode::call_failure_kind;
  switch (failure.kind) {
    case kind::no_link:
      return metrics::rpc_error::no_link;
    case kind::timed_out:
      return metrics::rpc_error::timed_out;
    case kind::link_lost:
      return metrics::rpc_error::link_lost;
    case kind::refused:
      return metrics::rpc_error::refused;
    case kind::raised:
      return metrics::rpc_error::raised;
    case kind::bad_answer:
      return metrics::rpc_error::bad_answer;
  }
  return metrics::rpc_error::bad_answer;
}

membership::query_outcome outcome_of(discovery::query_outcome outcome) {
  switch (outcome) {
    case discovery::query_outcome::ok:
      return membership::query_outcome::ok;
    case discovery::query_outcome::partial:
      return membership::query_outcome::partial;
    case discovery::query_outcome::empty:
      return membership::query_outcome::empty;
    case discovery::query_outcome::nxdomain:
      return membership::query_outcome::nxdomain;
    case discovery::query_outcome::servfail:
      return membership::query_outcome::servfail;
    case discovery::query_outcome::timeout:
      return membership::query_outcome::timeout;
    case discovery::query_outcome::error:
      return membership::query_outcome::error;
  }
  return membership::query_outcome::error;
}

membership::dial_step step_of(cnode::dial_step step) {
  switch (step) {
    case cnode::dial_step::resolve:
      return membership::dial_step::dns;
    case cnode::dial_step::port_mapper:
      return membership::dial_step::port_mapper;
    case cnode::dial_step::connect:
      return membership::dial_step::tcp;
    case cnode::dial_step::tls:
    case cnode::dial_step::handshake:
      break;
  }
  return membership::dial_step::handshake;
}

}  // namespace rollcall::app
