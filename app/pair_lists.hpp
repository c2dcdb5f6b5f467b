// links/0 and missing_links/0 as terms: of a thousand members half a million pairs, written a thousand at a
// time, with the same elements as report::links and report::missing_links.
#pragma once

#include "cnode/call.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

// They keep the snapshot as long as they live.
std::shared_ptr<const cnode::long_value> list_of_links(membership::snapshot_ptr);
std::shared_ptr<const cnode::long_value> list_of_missing_links(membership::snapshot_ptr);

}  // namespace rollcall::app
