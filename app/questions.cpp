#include "app/questions.hpp"

#include <algorithm>

#include "app/handshake_trial.hpp"
#include "app/reason.hpp"
#include "app/settings.hpp"
#include "cnode/epmd.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;
namespace fact = membership::fact;
namespace action = membership::action;

namespace {

// A view that takes longer than this is not asked for again sooner, and counts as failed.
constexpr milliseconds longest_view_wait = 5'000ms;
constexpr milliseconds shortest_view_wait = 1'000ms;
// Of a node's answer, before it is suspect after three intervals.
constexpr milliseconds longest_patience = 1'000ms, shortest_patience = 200ms;
constexpr milliseconds settings_wait = 10'000ms, shortest_settings_wait = 100ms;
// global:disconnect/0 waits for each of the node's links.
constexpr milliseconds leave_wait = 10'000ms;
constexpr milliseconds port_wait = 1'000ms;

cnode::byte_string one_atom(std::string_view text) {
  return cnode::term_writer().list_header(1).atom(text).nil().bytes();
}

cnode::byte_string no_arguments() {
  return cnode::term_writer().nil().bytes();
}

}  // namespace

questions::questions(asio::io_context& io, const configuration& c, log& l, metrics::exporter& e,
                     surroundings around)
    : configuration_(c),
      log_(l),
      exporter_(e),
      around_(std::move(around)),
      probes_(io, around_.node, around_.call),
      names_(around_.call),
      watchers_(io, std::clamp(c.interval, shortest_patience, longest_patience), around_.node,
                {.watching = [this](const node_name& on, bool runs,
                                    const std::string& why) { watching(on, runs, why); },
                 .changed = [this](const node_name& on, node_name&& peer, bool up,
                                   std::string&& why) { changed(on, std::move(peer), up, std::move(why)); },
                 .stopping = [this](const node_name& on) { around_.tell(fact::stopping{on}); },
                 .alive =
                     [this](const node_name& on, milliseconds took) {
                       around_.tell(fact::heard{on, took, true});
                     },
                 .hangs = [this](const node_name& on) { around_.ask_status(on); },
                 .same =
                     [this](const node_name& on, std::optional<std::size_t> digest, milliseconds took) {
                       around_.tell(fact::view_confirmed{on, digest, took});
                     }}),
      commands_(io, around_.node, around_.call) {}

bool questions::answered(const node_name& from, cnode::byte_view message) {
  return probes_.answered(from, message) || watchers_.receive(from, message);
}

milliseconds questions::view_wait() const {
  return std::clamp(configuration_.interval, shortest_view_wait, longest_view_wait);
}

asio::awaitable<void> questions::view(node_name on) {
  remember(on);
  watchers_.tell_what_it_holds(on);
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = co_await around_.call_encoded(on, "erlang", "nodes", no_arguments(), view_wait());
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  if (around_.stopping()) co_return;
  if (!answer) {
    around_.tell(fact::view_failed{on, reason_of(answer.error()), answer.error().detail});
    co_return;
  }
  auto names = names_in(*answer, configuration_.name->text());
  if (!names) {
    const auto said = cnode::decode_term(*answer);
    around_.tell(fact::view_failed{on, membership::reason::incompatible,
                                   "erlang:nodes/0 answered " +
                                       (said ? to_string(*said, 200) : said.error().message()) +
                                       ", which is not a list of nodes"});
    co_return;
  }
  watchers_.viewed(on, names->digest(), begun);
  around_.tell(fact::view{on, std::move(*names), took});
}

asio::awaitable<void> questions::status(node_name on) {
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = co_await around_.call(on, "init", "get_status", no_arguments(), view_wait());
  if (around_.stopping() || !answer) co_return;
  watchers_.node_answers(on);
  if (says_stopping(*answer)) {
    around_.tell(fact::stopping{on});
  } else {
    const auto took = std::chrono::steady_clock::now() - begun;
    around_.tell(fact::heard{on, std::chrono::duration_cast<milliseconds>(took)});
  }
}

asio::awaitable<void> questions::watch(node_name on) {
  co_await watchers_.run(on);
}

void questions::watching(const node_name& on, bool runs, const std::string& why) {
  if (!runs) {
    log_.debug("its view is asked for every round", {{"node", on.text()}, {"why", why}});
  }
  around_.tell(fact::watching{on, runs});
}

void questions::changed(const node_name& on, node_name&& peer, bool up, std::string&& why) {
  // A thousand of these come at once: the fields are not made for nobody.
  if (log_.enabled(log_level::debug)) {
    log_.debug(up ? "a node gained a peer" : "a node lost a peer",
               {{"node", on.text()}, {"peer", peer.text()}, {"why", why}});
  }
  around_.tell(fact::peer_changed{on, std::move(peer), up, std::move(why)});
}

asio::awaitable<void> questions::links(action::probe_links a) {
  auto results = co_await probes_.ask(a.on, a.to, a.limit, a.confirm);
  if (!around_.stopping()) around_.tell(fact::links_probed{a.id, std::move(results)});
}

// Kernel's net_kernel.erl: what its aux_ticker sends.
void questions::tick(const node_name& on) {
  static const auto aux_tick = cnode::term_writer().atom("aux_tick").bytes();
  if (auto* node = around_.node()) node->send(on, "net_kernel", aux_tick);
}

asio::awaitable<void> questions::path(action::probe_path a) {
  if (a.port == membership::probed_port::handshake) {
    const auto found = co_await try_handshake(commands_, a.on, a.to, a.limit);
    if (!around_.stopping()) around_.tell(fact::path_probed{a.id, found});
    co_return;
  }
  auto result = membership::path_probe::no_word;
  std::optional<std::uint16_t> port = around_.port_mapper_port;
  if (a.port == membership::probed_port::distribution) port = co_await distribution_port(a.to);
  if (around_.stopping()) co_return;
  if (port) {
    const auto linked = around_.node()->linked(a.to);
    const auto at = linked ? linked->remote.address() : asio::ip::address();
    const bool ipv6 = at.is_v6() && !at.to_v6().is_v4_mapped();
    if (a.port == membership::probed_port::distribution) {
      result = co_await names_of(a, ipv6);
    } else {
      result = membership::path_probe::reachable;
    }
    if (result == membership::path_probe::reachable) {
      result = co_await probe_path(around_.call, a.on, a.to, *port, ipv6, a.limit);
    }
  }
  if (!around_.stopping()) around_.tell(fact::path_probed{a.id, result});
}

// Of a node that is new, whether its name is known: to the one that dials it, and for a while also to the
// other end. `global` there dials it, too, and on a busy machine it may be first.
asio::awaitable<membership::path_probe> questions::names_of(action::probe_path a, bool ipv6) {
  const auto wait = configuration_.introduce_timeout;
  const auto found = co_await names_.look_up(a.on, a.to, ipv6, 2 * wait, a.limit);
  const bool asks_back = found == membership::path_probe::reachable && !around_.stopping() &&
                         around_.node()->linked(a.to).has_value();
  if (!asks_back) co_return found;
  co_return co_await names_.look_up(a.to, a.on, ipv6, wait / 2, a.limit);
}

// As others find it: from our own dial, from the configuration, else from its port mapper.
asio::awaitable<std::optional<std::uint16_t>> questions::distribution_port(node_name of) {
  const auto linked = around_.node()->linked(of);
  if (linked && linked->distribution_port) co_return linked->distribution_port;
  if (const auto port = around_.listed_port(of)) co_return port;
  const auto known = last_ports_.find(of);
  if (!linked && known == last_ports_.end()) co_return std::nullopt;
  if (!linked) co_return known->second;
  const asio::ip::tcp::endpoint mapper(linked->remote.address(), around_.port_mapper_port);
  const auto port = co_await cnode::ask_port(mapper, std::string(of.alive()), port_wait);
  if (!port) co_return std::nullopt;
  if (last_ports_.size() < max_last_ports) last_ports_.insert_or_assign(of, *port);
  co_return *port;
}

// A member that we do not reach is probed by others where it listened last.
void questions::remember(const node_name& of) {
  const auto* node = around_.node();
  if (node == nullptr) return;
  const auto linked = node->linked(of);
  if (linked) names_.seen(of, linked->creation);
  if (!linked || !linked->distribution_port) return;
  if (last_ports_.size() < max_last_ports || last_ports_.contains(of)) {
    last_ports_.insert_or_assign(of, *linked->distribution_port);
  }
}

asio::awaitable<void> questions::leave(action::leave_mesh a) {
  const auto answer = co_await commands_.run(a.node, "global", "disconnect", no_arguments(), leave_wait);
  if (around_.stopping()) co_return;
  if (answer) {
    log_.info("left the mesh", {{"node", a.node.text()}, {"from", to_string(*answer, 400)}});
    co_return;
  }
  const bool unknown = answer.error().kind == cnode::call_failure_kind::raised &&
                       answer.error().detail.starts_with("error:undef");
  if (!unknown || a.peers.empty()) {
    log_.warning("it could not be taken out of the mesh: stop it, or call global:disconnect() on it",
                 {{"node", a.node.text()}, {"why", answer.error().detail}});
    co_return;
  }
  // A release without that function, where nobody tears other links down for a lost one.
  for (const auto& peer : a.peers) {
    co_await commands_.run(a.node, "erlang", "disconnect_node", one_atom(peer.text()), leave_wait);
    if (around_.stopping()) co_return;
  }
  log_.info("left the mesh, link by link", {{"node", a.node.text()}});
}

// One after the other, within one limit: at the start all nodes are asked, and four calls at once would hold
// four times as much for each.
asio::awaitable<void> questions::settings(node_name on) {
  const auto end = std::chrono::steady_clock::now() + settings_wait;
  const auto left = [end] {
    const auto rest = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    return std::max(rest, shortest_settings_wait);
  };
  const auto release = co_await around_.call(on, "erlang", "system_info", one_atom("otp_release"), left());
  if (around_.stopping()) co_return;
  const auto kernel = co_await around_.call(on, "application", "get_all_env", one_atom("kernel"), left());
  if (around_.stopping()) co_return;
  const auto tick = co_await around_.call(on, "net_kernel", "get_net_ticktime", no_arguments(), left());
  if (around_.stopping()) co_return;
  const auto flag = co_await around_.call(on, "init", "get_argument", one_atom("connect_all"), left());
  if (around_.stopping()) co_return;
  fact::settings settings{on, {}, {}, {}, {}, {}, {}};
  if (release) read_otp_release(settings, *release);
  if (kernel) read_kernel_environment(settings, *kernel);
  if (tick) read_net_ticktime(settings, *tick);
  if (flag) read_connect_all_flag(settings, *flag);
  if (release || kernel) fill_defaults(settings);
  if (settings.net_ticktime) around_.node()->tick_time(on, *settings.net_ticktime);
  around_.tell(std::move(settings));
}

asio::awaitable<void> questions::connect(action::connect a) {
  const auto begun = std::chrono::steady_clock::now();
  const auto answer =
      co_await commands_.run(a.on, "net_kernel", "connect_node", one_atom(a.to.text()), a.limit);
  const auto took = std::chrono::steady_clock::now() - begun;
  auto outcome = membership::connect_outcome::error;
  std::string detail;
  if (answer) {
    if (answer->is_atom("true")) {
      outcome = membership::connect_outcome::connected;
    } else if (answer->is_atom("false")) {
      outcome = membership::connect_outcome::failed;
    } else if (answer->is_atom("ignored")) {
      outcome = membership::connect_outcome::ignored;
    } else {
      detail = to_string(*answer, 200);
    }
  } else {
    if (answer.error().kind == cnode::call_failure_kind::timed_out)
      outcome = membership::connect_outcome::timeout;
    detail = answer.error().detail;
  }
  if (around_.stopping()) co_return;
  exporter_.connect_request(outcome, std::chrono::duration_cast<metrics::seconds>(took));
  if (log_.enabled(log_level::debug)) {
    log_.debug("asked a node to connect to another", {{"on", a.on.text()},
                                                      {"to", a.to.text()},
                                                      {"outcome", std::string(to_string(outcome))},
                                                      {"detail", detail}});
  }
  around_.tell(
      fact::connect_result{a.id, outcome, std::chrono::duration_cast<milliseconds>(took), std::move(detail)});
}

}  // namespace rollcall::app
