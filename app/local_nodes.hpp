// The nodes of this machine (--local): its port mapper knows the first half of their names only, and their
// handshakes tell the rest. Each start of a node is asked for its name once.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/configuration.hpp"
#include "app/probes.hpp"
#include "discovery/roster.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

class local_nodes {
 public:
  struct surroundings {
    node_function node;
    std::function<membership::snapshot_ptr()> snapshot;
    std::function<bool(const node_name&)> may_take_over;
    std::function<void(const node_name& guess, const node_name& real)> learned;
  };
  local_nodes(asio::io_context&, const configuration&, surroundings);

  // Asks those whose name is a guess, and waits for the ones that answer at once. True: it asked somebody.
  // `owner` keeps this object alive in dials that wait longer.
  asio::awaitable<bool> learn(std::shared_ptr<void> owner, const std::vector<discovery::entry>& listed);
  // It is being asked for its name right now: not listed yet.
  bool awaited(const discovery::entry&) const;
  // The dials that told no name, each once.
  std::vector<membership::fact::dial_failed> failed_dials();

 private:
  // One start of a local node: its name in the port mapper, and its port.
  using start = std::pair<std::string, std::uint16_t>;
  asio::awaitable<void> ask(std::shared_ptr<void> owner, discovery::entry guessed);
  std::optional<node_name> linked_or_member(const discovery::entry&) const;

  asio::io_context& io_;
  const configuration& configuration_;
  surroundings around_;
  std::set<start> asked_;    // still guessed in the last round
  std::set<start> awaited_;  // being asked right now
  std::vector<membership::fact::dial_failed> failed_;
};

}  // namespace rollcall::app
