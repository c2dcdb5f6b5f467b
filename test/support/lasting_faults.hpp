// Faults between nodes 1 and 2 (or of node 0) of a cluster that last until they are ended: what tests and
// benchmarks do to pods.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "test/support/pods.hpp"
#include "test/support/scripted_peer.hpp"

namespace rollcall::test {

struct lasting_fault {
  std::string name;
  std::function<void(pods&)> begin, end;
};

// 1 and 2 answer each other's TCP, and cannot link whatever asks them to.
lasting_fault refused_pair();         // each has another cookie for the other
lasting_fault port_mapper_blocked();  // each cannot ask the other's port mapper
// In front of both ends stands what takes their connections and is no node.
lasting_fault proxy_in_the_way(misbehaviour);
// The handshake fits through, so they link each time; what their users send does not, and holds up the ticks.
lasting_fault large_packets_lost();
// They do not reach each other at all.
lasting_fault dark_pair();
// 0 reaches 3 and those above, and neither 1 nor 2.
lasting_fault cut_from_some();

std::vector<lasting_fault> lasting_faults();

}  // namespace rollcall::test
