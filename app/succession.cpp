#include "app/succession.hpp"

namespace rollcall::app {

bool succession::may_take_over(const node_name& name) const {
  if (!known_.contains(name)) return true;
  return contested_.contains(name) && contested_.size() < linked_.size();
}

void succession::linked(const node_name& name) {
  known_.insert(name);
  linked_.insert(name);
  contested_.erase(name);
}

void succession::lost(const node_name& name) {
  linked_.erase(name);
}

void succession::refused(const node_name& name) {
  contested_.insert(name);
}

void succession::answered_otherwise(const node_name& name) {
  contested_.erase(name);
}

void succession::restart() {
  linked_.clear();
  contested_.clear();
}

}  // namespace rollcall::app
