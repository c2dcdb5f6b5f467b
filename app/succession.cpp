#include "app/succession.hpp"

namespace rollcall::app {

bool succession::may_take_over(const node_name& name) const {
  return !last_port_.contains(name) || stale_.contains(name);
}

void succession::linked(const node_name& name, std::uint16_t local_port) {
  last_port_.insert_or_assign(name, local_port);
  stale_.erase(name);
}

succession::verdict succession::judge(const node_name& name, const holder& found, witnesses seen) {
  const auto had = last_port_.find(name);
  const bool same_machine = found.of_name && found.of_asker && found.of_name->host == found.of_asker->host;
  const bool our_end = had != last_port_.end() && found.of_name && found.of_name->port == had->second;
  if (found.of_name && !(same_machine && our_end)) {
    return seen.linked * 2 > seen.others ? verdict::unbelieved : verdict::superseded;
  }
  stale_.insert(name);
  return verdict::ours;
}

}  // namespace rollcall::app
