// `rollcall run`: the service, from the first listener to a clean leave at SIGTERM.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/lexical_cast.hpp>
#include <csignal>
#include <iostream>

#include "app/commands.hpp"
#include "app/descriptors.hpp"
#include "app/engine.hpp"
#include "app/http_files.hpp"
#include "app/service_manager.hpp"
#include "app/tasks.hpp"

namespace rollcall::app {
namespace {

// SIGTERM leaves within a second, whatever the network does.
constexpr std::chrono::milliseconds leave_limit{900};
// What is changed, a rotated certificate, is in use so soon.
constexpr std::chrono::milliseconds files_pause{2'000};
// A service manager without a watchdog hears of a changed status this late.
constexpr std::chrono::milliseconds status_pause{5'000};

asio::ip::tcp::endpoint http_endpoint(const configuration& c) {
  boost::system::error_code code;
  const auto host = c.http.host == "localhost" ? std::string("127.0.0.1") : c.http.host;
  const auto address = asio::ip::make_address(host, code);
  if (code) {
    throw configuration_error(
        "--http is \"" + c.http.host + ":" + std::to_string(c.http.port) +
        "\": an IP address to listen on is needed, such as 127.0.0.1:14369 or [::]:14369");
  }
  return {address, c.http.port};
}

struct service {
  service(const configuration& c, const environment& env)
      : configuration(c),
        lines(c.level, c.format),
        exporter({.version = ROLLCALL_VERSION,
                  .revision = ROLLCALL_REVISION,
                  .sources = source_labels(c),
                  .interval = c.interval,
                  .max_link_series = c.max_link_series,
                  .otp_ei = ROLLCALL_OTP_EI}),
        cluster(io, c, env, cookie_jar(c, env, cookie_jar::empty_file::may_be_filled), lines, exporter),
        web_files(c),
        web(io, http_options(),
            {.snapshot = [this] { return cluster.snapshot(); },
             .metrics = [this] { return exporter.render(*cluster.snapshot()); },
             .ready = [this] { return cluster.ready(); },
             .history = [this]() -> const membership::history& { return cluster.history(); },
             .version = ROLLCALL_VERSION,
             .failed = [this](const std::string& what) { lines.error("http: " + what); },
             .noticed = [this](const std::string& what) { lines.warning(what); },
             .others = [this] { return cluster.others(); }}),
        manager(env),
        heartbeat(io),
        look_at_files(io),
        signals(io, SIGTERM, SIGINT, SIGHUP) {}

  http::options http_options() {
    http::options made{.listen = http_endpoint(configuration)};
    if (web_files.context()) made.tls = [this] { return web_files.context(); };
    if (web_files.passwords()) made.passwords = [this] { return web_files.passwords(); };
    return made;
  }

  asio::awaitable<void> start() {
    for (const auto& warning : configuration.warnings) lines.warning(warning);
    if (const auto files = raise_descriptor_limit(); files.now > files.before) {
      lines.info(fmt::format("the limit of open files is raised from {} to {}", files.before, files.now));
    }
    if (const auto bound = web.start(); !bound) {
      throw startup_error(
          fmt::format("cannot listen for HTTP on {}:{}: {}; choose another address with --http",
                      configuration.http.host, configuration.http.port, bound.error().message()));
    }
    co_await cluster.start();
    show_certificate();
    const auto at = web.endpoint();
    lines.info("metrics, API and page are served", {{"http", boost::lexical_cast<std::string>(at)}});
    if (web_files.context() || web_files.passwords())
      asio::co_spawn(io, keep_files_read(), [this](const std::exception_ptr& failure) {
        task_ended(lines, "read the files of HTTP again", failure);
      });
    if (manager.listens())
      asio::co_spawn(io, keep_manager_told(), [this](const std::exception_ptr& failure) {
        task_ended(lines, "keep systemd told", failure);
      });
  }

  void show_certificate() {
    if (web_files.context() && web_files.context()->valid())
      cluster.show_http_certificate(*web_files.context()->valid());
  }

  asio::awaitable<void> keep_files_read() {
    while (!stopping) {
      look_at_files.expires_after(files_pause);
      boost::system::error_code ignored;
      co_await look_at_files.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      std::string problem;
      if (web_files.refresh(problem)) {
        lines.info("the changed files of HTTPS and passwords are in use");
        show_certificate();
      }
      if (!problem.empty()) lines.warning(problem);
    }
  }

  // That it comes from the loop itself is the point: one that hangs is restarted.
  asio::awaitable<void> keep_manager_told() {
    manager.ready(cluster.ready().why);
    while (!stopping) {
      heartbeat.expires_after(manager.heartbeat().value_or(status_pause));
      boost::system::error_code ignored;
      co_await heartbeat.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      if (manager.heartbeat()) manager.alive();
      manager.status(cluster.ready().why);
    }
  }

  asio::awaitable<void> until_told_to_stop() {
    for (;;) {
      const int signal = co_await signals.async_wait(asio::use_awaitable);
      if (signal == SIGHUP) {
        lines.info("SIGHUP: a round is started now");
        cluster.start_round();
        continue;
      }
      lines.info("leaving", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
      co_return;
    }
  }

  asio::awaitable<void> leave() {
    using namespace asio::experimental::awaitable_operators;
    stopping = true;
    manager.stopping();
    heartbeat.cancel();
    look_at_files.cancel();
    web.stop();
    asio::steady_timer limit(io, leave_limit);
    boost::system::error_code ignored;
    co_await (cluster.stop() || limit.async_wait(asio::redirect_error(asio::use_awaitable, ignored)));
  }

  asio::awaitable<void> live() {
    co_await start();
    co_await until_told_to_stop();
    co_await leave();
  }

  const app::configuration& configuration;
  asio::io_context io{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};  // no locks: this program has one thread
  log lines;
  metrics::exporter exporter;
  engine cluster;
  http_files web_files;
  http::server web;
  service_manager manager;
  asio::steady_timer heartbeat, look_at_files;
  asio::signal_set signals;
  bool stopping = false;
};

}  // namespace

int run(const configuration& c, const environment& env) {
  service s(c, env);
  std::exception_ptr failure;
  asio::co_spawn(s.io, s.live(), [&](std::exception_ptr e) {
    failure = e;
    s.io.stop();
  });
  s.io.run();
  if (!failure) return exit_ok;
  try {
    std::rethrow_exception(failure);
  } catch (const startup_error& e) {
    s.lines.error(e.what());
    return exit_cannot_start;
  }
}

}  // namespace rollcall::app
