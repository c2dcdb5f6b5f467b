// How the modules of links and of discovery name a failure, and how membership does.
#pragma once

#include "cnode/node.hpp"
#include "discovery/resolver.hpp"
#include "membership/facts.hpp"
#include "metrics/exporter.hpp"

namespace rollcall::app {

// Why a dial failed.
membership::reason reason_of(const cnode::failure&);
// Why a link or a handshake ended; none for success.
membership::reason reason_of(boost::system::error_code);
// Why a call for a view failed.
membership::reason reason_of(const cnode::call_failure&);
metrics::rpc_error rpc_error_of(const cnode::call_failure&);

membership::dial_step step_of(cnode::dial_step);
membership::query_outcome outcome_of(discovery::query_outcome);

}  // namespace rollcall::app
