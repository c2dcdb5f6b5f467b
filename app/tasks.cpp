#include "app/tasks.hpp"

#include <string>

namespace rollcall::app {

void task_ended(log& lines, std::string_view task, const std::exception_ptr& failure) {
  if (!failure) return;
  std::string why = "an unknown exception";
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    why = e.what();
  } catch (...) {
    why += " that is no std::exception";
  }
  lines.error("a task ended unexpectedly; please report this", {{"task", std::string(task)}, {"error", why}});
}

}  // namespace rollcall::app
