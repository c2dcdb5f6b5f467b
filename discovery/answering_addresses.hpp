// Of the addresses of one source, those at which a node has answered: a node with addresses of two families
// listens on one, mostly.
//
//   linked() for each link; keeps() when the list is made.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include "discovery/source.hpp"

namespace rollcall::discovery {

class answering_addresses {
 public:
  // Whether that is news.
  bool linked(const entry& one) { return one.address && answered_.insert(*one.address).second; }

  // Forgets all when there are too many: each round.
  void bound() {
    if (answered_.size() > max_remembered) answered_.clear();
  }
  bool contains(const boost::asio::ip::address& address) const { return answered_.contains(address); }
  bool in_family(bool v4) const {
    return std::ranges::any_of(answered_, [v4](const auto& each) { return each.is_v4() == v4; });
  }

  // Where one family has links and the other has none, the addresses of the other are no members.
  bool keeps(const entry& one, const std::vector<entry>& all) const {
    if (!one.address || answered_.contains(*one.address)) return true;
    bool own = false, other = false;
    for (const auto& each : all) {
      if (!each.address || !answered_.contains(*each.address)) continue;
      (each.address->is_v4() == one.address->is_v4() ? own : other) = true;
    }
    return own || !other;
  }

 private:
  static constexpr std::size_t max_remembered = 16'384;
  std::set<boost::asio::ip::address> answered_;
};

}  // namespace rollcall::discovery
