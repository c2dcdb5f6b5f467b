// What keeps a node out, step by step: DNS, port mapper, TCP, TLS where it is spoken, handshake, cookie,
// name, call, view.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "app/configuration.hpp"
#include "cnode/node.hpp"
#include "discovery/roster.hpp"

namespace rollcall::app {

namespace asio = boost::asio;

enum class step_name { dns, port_mapper, tcp, tls, handshake, cookie, name, call, view };
std::string_view to_string(step_name) noexcept;

struct diagnosis_step {
  step_name name;
  bool passed = false;
  std::string text;  // what was found, or what is wrong and what to do
};

struct diagnosis {
  node_name node;
  std::vector<diagnosis_step> steps;  // up to and including the first that failed
  std::vector<node_name> visible;     // its view, when the last step was reached
  bool hidden = false;                // a remote shell or another Rollcall: no member, has no view to ask for
  std::optional<node_name> answered_as;  // another name than was dialled
  std::string base{};                    // of a node that --mesh=base keeps apart from those with another one
  bool nobody = false;                   // an address of which nothing says that a node should be there
  bool ended_by_peer = false;            // in the handshake, and not by our patience
  bool passed() const {
    return !steps.empty() && steps.back().name == step_name::view && steps.back().passed;
  }
};

struct diagnosis_limits {
  milliseconds connect{5'000};
  milliseconds call{5'000};
};

// Every step once, each within its limit. `peer_port` as --peer-port gives it: absent asks the port mapper.
asio::awaitable<diagnosis> diagnose(cnode::node&, discovery::resolver&, discovery::entry,
                                    std::uint16_t port_mapper_port, std::optional<std::uint16_t> peer_port,
                                    diagnosis_limits);

}  // namespace rollcall::app
