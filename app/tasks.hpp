// Tasks that run beside others: what is done when one of them ends by an exception, which none is meant to.
#pragma once

#include <exception>
#include <string_view>

#include "app/log.hpp"

namespace rollcall::app {

// A broken invariant of ours is told with all that is known; the other tasks go on. Nothing for one that
// ended well.
void task_ended(log&, std::string_view task, const std::exception_ptr&);

}  // namespace rollcall::app
