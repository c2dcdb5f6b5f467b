#include "app/line_limit.hpp"

namespace rollcall::app {

line_limit::verdict line_limit::ask(const std::string& member, time_point now) {
  if (members_.size() >= max_members && !members_.contains(member)) {
    std::erase_if(members_, [&](const auto& entry) { return now - entry.second.begun >= window; });
    if (members_.size() >= max_members) members_.clear();
  }
  auto& its = members_.try_emplace(member, count{now}).first->second;
  if (now - its.begun >= window) its = {now};
  ++its.lines;
  if (its.lines < most) return verdict::write;
  return its.lines == most ? verdict::write_and_say_so : verdict::leave_out;
}

}  // namespace rollcall::app
