// `rollcall pause TIME` and `rollcall resume`: told to the running rollcall over distribution, with the
// cookie, as a shell would. HTTP stays read-only.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <iostream>

#include "app/commands.hpp"
#include "app/cookie.hpp"
#include "app/network.hpp"
#include "app/options_values.hpp"
#include "app/passer_by.hpp"
#include "app/silent_observer.hpp"
#include "app/tls_files.hpp"

namespace rollcall::app {
namespace {

constexpr milliseconds answer_wait{5'000};

cnode::target running_rollcall(const configuration& c) {
  cnode::target target{.name = *c.name,
                       .alive = std::string(c.name->alive()),
                       .host = std::string(c.name->host()),
                       .address = {},
                       .port = {}};
  // Without a port mapper only its own option says where it listens.
  if (c.epmd == epmd_mode::none && c.dist_port != 0) target.port = c.dist_port;
  return target;
}

// Empty: done; else why not.
asio::awaitable<std::string> tell(cnode::node& node, const configuration& c) {
  const auto linked = co_await node.dial(running_rollcall(c), c.connect_timeout);
  if (!linked) co_return linked.error().detail;
  const bool pausing = c.command == command::pause;
  cnode::term_writer arguments;
  if (pausing) arguments.list_header(1).integer(c.pause.count() / 1000);
  arguments.nil();
  const auto answer = co_await node.call(linked->name, "rollcall", pausing ? "pause" : "resume",
                                         arguments.bytes(), answer_wait);
  if (!answer) co_return answer.error().detail;
  co_return answer->is_atom("ok") ? std::string() : "it answered " + to_string(*answer, 200);
}

}  // namespace

int pause(const configuration& asked, const environment& env) {
  const auto guest = take_guest_name(asked);
  const auto own = passer_by(asked, guest.name());
  asio::io_context io(1);
  const cookie_jar cookies(asked, env);
  const tls_files tls(asked);
  discovery::resolver resolver(io, resolver_options(own));
  silent_observer observer;
  cnode::node node(
      io, node_options(own, cookies.cookies(), port_mapper_port(env), tls.current()), observer,
      [&](std::string host) { return addresses_of(resolver, std::move(host)); },
      [](const cnode::request&) {
        return cnode::answer{cnode::answer_kind::undefined, nullptr};
      });
  std::string problem;
  std::exception_ptr failure;
  asio::co_spawn(io, tell(node, asked), [&](std::exception_ptr e, std::string why) {
    failure = std::move(e);
    problem = std::move(why);
    io.stop();
  });
  io.run();
  if (failure) std::rethrow_exception(failure);
  if (!problem.empty()) {
    std::cerr << "rollcall: " << asked.name->text() << " was not told: " << problem << '\n';
    return exit_could_not_tell;
  }
  if (asked.command == command::pause) {
    std::cout << "paused for " << format_duration(asked.pause)
              << ": no node is asked to connect or to leave\n";
  } else {
    std::cout << "resumed\n";
  }
  return exit_ok;
}

}  // namespace rollcall::app
