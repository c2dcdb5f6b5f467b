// Two Rollcalls under one name, by mistake or while one follows the other: the newer wins, the older stands
// by.
//
// A node keeps one link under a name. Whoever dials and hears that there is one already may have it replaced;
// so two that always do take the links from each other for ever. Here a link is replaced at the first contact
// with a node only: who starts takes them all, also those that a killed predecessor left behind. Who meets
// another link under its name where it had one itself was followed by somebody newer. It believes that once
// it meets at least as many such nodes as it still holds links; a single one, while most links stand, is an
// old connection of its own that the node has not given up yet, and is replaced.
#pragma once

#include <set>

#include "node_name/node_name.hpp"

namespace rollcall::app {

class succession {
 public:
  // Whether the next dial of that node may replace a link under our name.
  bool may_take_over(const node_name&) const;

  void linked(const node_name&);
  void lost(const node_name&);
  // What a dial found: that the node holds a link under our name and keeps it, or anything else.
  void refused(const node_name&);
  void answered_otherwise(const node_name&);

  bool superseded() const noexcept { return !contested_.empty() && contested_.size() >= linked_.size(); }
  // Forgets nodes that are none of those any more; they are met for the first time when they come back.
  template <class Predicate>
  void keep(Predicate known) {
    std::erase_if(known_, [&](const node_name& n) { return !known(n) && !linked_.contains(n); });
    std::erase_if(contested_, [&](const node_name& n) { return !known(n); });
  }
  // After standing by, or when that begins: nothing is held and nothing contested; what was known stays
  // known.
  void restart();

 private:
  std::set<node_name> known_;  // we had a link to them in this life
  std::set<node_name> linked_, contested_;
};

}  // namespace rollcall::app
