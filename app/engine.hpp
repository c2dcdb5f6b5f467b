// The thin shell around the pure core: what the network says becomes facts, what the core answers is carried
// out.
//
//   engine e(io, configuration, cookies, log, exporter);  co_await e.start();  ... io runs ...;  co_await
//   e.stop();
//
// Modules report, the engine logs: one line a change, never one a round.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "app/configuration.hpp"
#include "app/cookie.hpp"
#include "app/link_survey.hpp"
#include "app/log.hpp"
#include "cnode/node.hpp"
#include "http/server.hpp"
#include "membership/history.hpp"
#include "membership/snapshot.hpp"
#include "metrics/exporter.hpp"
#include "tls/context.hpp"

namespace rollcall::app {

namespace asio = boost::asio;

// Cannot start: what() says why and what to do. Exit code 1.
struct startup_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class engine {
 public:
  engine(asio::io_context&, const configuration&, const environment&, cookie_jar, log&, metrics::exporter&);
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  // Listens, registers, starts the rounds. Throws startup_error.
  asio::awaitable<void> start();
  // No more rounds; links closed, registration given back. Within a second.
  asio::awaitable<void> stop();
  // What is shown over HTTPS from now on.
  void show_http_certificate(const tls::context::period&);
  // A round now: reconnect/0, SIGHUP.
  void start_round();

  membership::snapshot_ptr snapshot() const;
  const membership::history& history() const;
  http::readiness ready() const;
  // At work on the same nodes, under names of their own.
  std::vector<node_name> others() const;
  const cnode::node& node() const;
  // Every listed node was dialled once and no view is being waited for.
  bool settled() const;
  // Both ends of each link that the members' views hold, probed now.
  asio::awaitable<link_survey> survey() const;

 private:
  struct implementation;
  std::shared_ptr<implementation> implementation_;
};

// The discovery sources a configuration asks for, as labelled in metrics.
std::vector<std::string> source_labels(const configuration&);

}  // namespace rollcall::app
