// Two Rollcalls under one name, by mistake or while one follows the other: the newer wins, the older stands
// by.
//
// A node keeps one link under a name. A node that dials and hears that there is one already may have it
// replaced; so two that always do take the links from each other endlessly. Here a link is replaced at the
// first contact with a node only: a Rollcall that starts takes them all, also those that a killed predecessor
// left behind. One that meets another link under its name where it had one itself asks the node whose it is
// (inquiry.hpp): an old connection of its own, which the node has not given up yet, is replaced; any other
// Rollcall came later, and this one stands by.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>

#include "app/inquiry.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::app {

class succession {
 public:
  // Whether the next dial of that node may replace a link under our name.
  bool may_take_over(const node_name&) const;

  // `local_port`: of our end.
  void linked(const node_name&, std::uint16_t local_port);

  enum class verdict {
    superseded,  // somebody else holds our name there
    ours,        // what is there is our own old connection, or nothing any more: the next dial takes over
    unbelieved,  // it says that somebody else holds our name, and most others still hold their links to us
  };
  // The other listed nodes, and how many of them are linked. Another Rollcall that takes our name takes all
  // our links, so one node's word against most others' is not enough.
  struct witnesses {
    std::size_t others = 0, linked = 0;
  };
  // What a node answered that kept a link under our name.
  verdict judge(const node_name&, const holder&, witnesses);

  // Forgets nodes that are none of those any more; they are met for the first time when they come back.
  template <class Predicate>
  void keep(Predicate known) {
    std::erase_if(last_port_, [&](const auto& one) { return !known(one.first); });
    std::erase_if(stale_, [&](const node_name& n) { return !known(n); });
  }

 private:
  std::map<node_name, std::uint16_t> last_port_;  // of our end of the last link we had to them, in this life
  std::set<node_name> stale_;                     // hold an old connection of ours
};

}  // namespace rollcall::app
