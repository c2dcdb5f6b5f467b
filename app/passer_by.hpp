// check and doctor look at a cluster without taking part: a unique name of their own, so that they never take
// over the links of a running Rollcall, no registration, no healing.
#pragma once

#include "app/configuration.hpp"

namespace rollcall::app {

configuration passer_by(configuration asked);

}  // namespace rollcall::app
