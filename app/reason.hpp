// How the room of links names a failure, and how the room of members does.
#pragma once

#include "cnode/node.hpp"
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

}  // namespace rollcall::app
