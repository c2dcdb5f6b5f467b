// check and doctor look at a cluster without taking part: a name of their own, so that they never take over
// the links of a running Rollcall, no registration, no healing.
#pragma once

#include "app/configuration.hpp"
#include "app/guest_name.hpp"

namespace rollcall::app {

// For as long as the program looks. Throws configuration_error when all guest names are taken.
guest_name take_guest_name(const configuration& asked);
configuration passer_by(configuration asked, const node_name& own);

}  // namespace rollcall::app
