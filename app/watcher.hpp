// A process on a node that tells us at once when the node gains or loses a visible peer, and when it begins
// to stop. Nothing is installed: stdlib's erl_eval runs the forms of watcher_program.hpp.
//
// It registers under a name made from ours, so that there is never a second one for the same Rollcall; it
// watches our process, and ends with our link.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <string>

#include "app/probes.hpp"
#include "cnode/node.hpp"

namespace rollcall::app {

class watchers {
 public:
  struct told {
    // It runs, or does not any more although the link is there; `why` is a sentence for the log then.
    std::function<void(const node_name&, bool on, const std::string& why)> watching;
    std::function<void(const node_name&, node_name peer, bool up, std::string why)> changed;
    std::function<void(const node_name&)> stopping;  // once, while its applications end
  };

  watchers(node_function node, told tell);

  // Starts one, and stays until it has ended or the link is lost.
  asio::awaitable<void> run(node_name on);
  // {rollcall_watcher, Token, ...}. False: it is no such message.
  bool receive(const node_name& from, const cnode::term& message);

 private:
  bool linked(const node_name&) const;
  cnode::byte_string arguments(const cnode::node&, const cnode::reference& token) const;

  node_function node_;
  told tell_;
  const cnode::byte_string forms_;
  std::map<node_name, cnode::reference> running_;  // the token that counts
};

}  // namespace rollcall::app
