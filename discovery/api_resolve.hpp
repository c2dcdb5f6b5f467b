// A server that has a name is found with the resolver that finds nodes.
#pragma once

#include "discovery/api_client.hpp"
#include "discovery/resolver.hpp"

namespace rollcall::discovery {

api_resolve resolve_with(resolver&);  // which outlives it

}  // namespace rollcall::discovery
