// Whether the links that nodes list carry anything, for `check` and `doctor`. A node lists a peer whose
// packets are dropped until its tick time is over; so each end of each link is asked to probe the other
// (probes.hpp), and what fails is asked once more, with more time.
#pragma once

#include <map>

#include "app/probes.hpp"

namespace rollcall::app {

// `from` lists `to`, both answer to us, and what `from` sends over its link does not reach `to`.
struct dead_link {
  node_name from, to;
};

struct link_survey {
  std::vector<dead_link> dead;  // sorted by `from`, then `to`
  std::size_t probed = 0;       // ends of links, of those
  std::size_t listed = 0;       // that the nodes list
};

// Both linked to us: who lists which.
using listed_peers = std::map<node_name, std::vector<node_name>>;

// Above this each node probes an equal share of its links. All of 141 nodes in a full mesh.
inline constexpr std::size_t max_surveyed = 20'000;

// Within four times `limit`, and a little.
asio::awaitable<link_survey> survey_links(asio::io_context&, link_probes&, listed_peers, milliseconds limit);

}  // namespace rollcall::app
