// Questions to nodes: each action that asks one is a call out, and what comes back is a fact.
//
//   view, status, settings    what a node sees, whether it is stopping, how it is set up
//   watch                     the process that tells by itself, and may be asked (watcher.hpp)
//   links, path               probes from node to node (probes.hpp, handshake_trial.hpp)
//   connect, leave            what a node is asked to do
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "app/configuration.hpp"
#include "app/log.hpp"
#include "app/new_names.hpp"
#include "app/probes.hpp"
#include "app/timely_command.hpp"
#include "app/watcher.hpp"
#include "membership/facts.hpp"
#include "metrics/exporter.hpp"

namespace rollcall::app {

class questions {
 public:
  struct surroundings {
    node_function node;
    call_function call;
    encoded_call_function call_encoded;
    std::function<void(membership::any_fact&&)> tell;
    std::function<void(const node_name&)> ask_status;  // by a call
    std::function<bool()> stopping;
    // Where a node that is not linked listens, as far as discovery or the configuration say.
    std::function<std::optional<std::uint16_t>(const node_name&)> listed_port;
    std::uint16_t port_mapper_port;
  };
  questions(asio::io_context&, const configuration&, log&, metrics::exporter&, surroundings);

  // By a message to the node's watcher; what it answers is told. False: the node is to be asked by a call.
  bool ask_alive(const node_name& on) { return watchers_.ask_alive(on); }
  bool ask_same(const node_name& on) { return watchers_.ask_same(on); }

  asio::awaitable<void> view(node_name on);
  asio::awaitable<void> status(node_name on);
  asio::awaitable<void> settings(node_name on);
  asio::awaitable<void> watch(node_name on);
  asio::awaitable<void> links(membership::action::probe_links);
  asio::awaitable<void> path(membership::action::probe_path);
  asio::awaitable<void> connect(membership::action::connect);
  asio::awaitable<void> leave(membership::action::leave_mesh);

  void tick(const node_name& on);

  // A message to us that is no call. True: a probe or a watcher waited for it.
  bool answered(const node_name& from, cnode::byte_view message);
  link_probes& probes() noexcept { return probes_; }

 private:
  milliseconds view_wait() const;
  static constexpr std::size_t max_last_ports = 10'000;
  asio::awaitable<std::optional<std::uint16_t>> distribution_port(node_name of);
  void remember(const node_name& linked);
  asio::awaitable<membership::path_probe> names_of(membership::action::probe_path, bool ipv6);
  void watching(const node_name& on, bool runs, const std::string& why);
  void changed(const node_name& on, node_name&& peer, bool up, std::string&& why);

  const configuration& configuration_;
  log& log_;
  metrics::exporter& exporter_;
  surroundings around_;
  link_probes probes_;
  new_names names_;
  watchers watchers_;
  timely_commands commands_;
  std::map<node_name, std::uint16_t> last_ports_;  // where each member listened when it was linked
};

}  // namespace rollcall::app
