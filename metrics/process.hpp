// process_*: what this process uses, read from /proc/self at scrape time. Format: proc(5).
#pragma once

#include "metrics/exposition.hpp"

namespace rollcall::metrics {

// A family whose source cannot be read is left out.
void write_process(exposition& out);

}  // namespace rollcall::metrics
