#include "app/engine.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <random>
#include <set>

#include "app/answers.hpp"
#include "app/inquiry.hpp"
#include "app/network.hpp"
#include "app/probes.hpp"
#include "app/reason.hpp"
#include "app/settings.hpp"
#include "app/state_file.hpp"
#include "app/subscriptions.hpp"
#include "app/succession.hpp"
#include "app/watcher.hpp"
#include "cnode/port_mapper.hpp"
#include "discovery/roster.hpp"
#include "membership/cluster.hpp"

#ifndef ROLLCALL_VERSION
#error "the build says which version this is"
#endif

namespace rollcall::app {

using namespace std::chrono_literals;
namespace fact = membership::fact;
namespace action = membership::action;

namespace {

// A view that takes longer than this is not asked for again sooner, and counts as failed.
constexpr milliseconds longest_view_wait = 5'000ms;
constexpr milliseconds shortest_view_wait = 1'000ms;
constexpr milliseconds settings_wait = 10'000ms;
// global:disconnect/0 waits for each of the node's links.
constexpr milliseconds leave_wait = 10'000ms;
constexpr milliseconds port_wait = 1'000ms;
constexpr milliseconds memory_kept = 10'000ms;
// Longer than what was asked before may take to end: it must not be taken for an answer of the next life.
constexpr milliseconds shortest_stand_by = 2'000ms, longest_stand_by = 15'000ms;
constexpr std::string_view stands_by =
    "standing by: another rollcall of our name is at work; one is enough, stop either";
// The state file is written this long after a change, with all that changed meanwhile.
constexpr milliseconds state_delay = 1'000ms;
// A round waits this long for the names of new local nodes.
constexpr milliseconds names_wait = 500ms;
// Handshakes of strangers that failed are logged once per address and cause; this many are remembered.
constexpr std::size_t max_remembered_strangers = 256;
// Rounds are working while the last ended within this many intervals, and never less than the floor.
constexpr int rounds_late = 3;
constexpr milliseconds rounds_late_floor = 30'000ms;

membership::settings core_settings(const configuration& c) {
  membership::settings s;
  s.interval = c.interval;
  s.expect = c.expect;
  s.reap_after = c.reap_after;
  switch (c.heal) {
    case heal_mode::automatic:
      s.heal = membership::heal_mode::automatic;
      break;
    case heal_mode::off:
      s.heal = membership::heal_mode::off;
      break;
    case heal_mode::all:
      s.heal = membership::heal_mode::all;
      break;
  }
  s.seed = std::random_device{}();
  // Who passes by looks once, and asks nothing of the nodes that takes time.
  s.probe = c.command == command::run;
  s.watch = s.probe && c.views == view_mode::push;
  s.probe_limit = c.probe_timeout;
  s.introduce_timeout = c.introduce_timeout;
  s.prune_after = c.prune_after;
  s.prune_live = c.prune_live;
  return s;
}

membership::query_outcome outcome_of(discovery::query_outcome outcome) {
  switch (outcome) {
    case discovery::query_outcome::ok:
      return membership::query_outcome::ok;
    case discovery::query_outcome::empty:
      return membership::query_outcome::empty;
    case discovery::query_outcome::nxdomain:
      return membership::query_outcome::nxdomain;
    case discovery::query_outcome::servfail:
      return membership::query_outcome::servfail;
    case discovery::query_outcome::timeout:
      return membership::query_outcome::timeout;
    case discovery::query_outcome::error:
      return membership::query_outcome::error;
  }
  return membership::query_outcome::error;
}

membership::dial_step step_of(cnode::dial_step step) {
  switch (step) {
    case cnode::dial_step::resolve:
      return membership::dial_step::dns;
    case cnode::dial_step::port_mapper:
      return membership::dial_step::port_mapper;
    case cnode::dial_step::connect:
      return membership::dial_step::tcp;
    case cnode::dial_step::handshake:
      break;
  }
  return membership::dial_step::handshake;
}

bool failed(discovery::query_outcome outcome) {
  return outcome != discovery::query_outcome::ok && outcome != discovery::query_outcome::empty;
}

cnode::byte_string one_atom(std::string_view text) {
  return cnode::term_writer().list_header(1).atom(text).nil().bytes();
}

cnode::byte_string no_arguments() {
  return cnode::term_writer().nil().bytes();
}

metrics::seconds in_seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration_cast<metrics::seconds>(d);
}

}  // namespace

std::vector<std::string> source_labels(const configuration& c) {
  std::vector<std::string> labels;
  for (const auto& source : roster_options(c).sources) labels.push_back(discovery::label(source));
  return labels;
}

struct engine::implementation final : cnode::node_observer, std::enable_shared_from_this<implementation> {
  implementation(asio::io_context& io, const configuration& c, const environment& env, cookie_jar jar, log& l,
                 metrics::exporter& e)
      : io_(io),
        configuration_(c),
        log_(l),
        exporter_(e),
        cookies_(std::move(jar)),
        port_mapper_port_(port_mapper_port(env)),
        resolver_(io, resolver_options(c)),
        roster_(io, roster_options(c), resolver_,
                [this] { return local_names(port_mapper_port_, std::string(configuration_.name->alive())); }),
        answers_(ROLLCALL_VERSION,
                 {.snapshot = [this] { return snapshot_; },
                  .start_round = [this] { start_round(); },
                  .leave = [this](const node_name& node) { tell(fact::leave{node}); },
                  .rejoin = [this](const node_name& node) { tell(fact::rejoin{node}); },
                  .configuration = [this] { return to_document(configuration_); },
                  .subscribe = [this](const cnode::pid& p) { return subscriptions_.add(p); },
                  .unsubscribe = [this](const cnode::pid& p) { subscriptions_.remove(p); }}),
        node_(
            std::in_place, io, node_options(c, cookies_.cookies(), port_mapper_port_), *this,
            [this](std::string host) { return addresses_of(resolver_, std::move(host)); },
            [this](const cnode::request& r) { return answers_(r); },
            [this](const node_name& from, const cnode::term& message) {
              return probes_.answered(message) || watchers_.receive(from, message);
            }),
        probes_(io, own_node(), counted_call()),
        watchers_(own_node(), counted_call(),
                  {.watching = [this](const node_name& on, bool runs,
                                      const std::string& why) { watching(on, runs, why); },
                   .changed =
                       [this](const node_name& on, node_name peer, bool up, std::string why) {
                         log_.debug(up ? "a node gained a peer" : "a node lost a peer",
                                    {{"node", on.text()}, {"peer", peer.text()}, {"why", why}});
                         tell(fact::peer_changed{on, std::move(peer), up, std::move(why)});
                       }}),
        subscriptions_(io, own_node(), counted_call()),
        core_(core_settings(c)),
        snapshot_(core_.snapshot()),
        wake_(io),
        next_round_(io),
        state_due_(io),
        views_answered_(io) {}

  // Both outlive what they are made from, in tasks that wait: see abandon().
  node_function own_node() {
    return [this] { return node_ ? &*node_ : nullptr; };
  }
  call_function counted_call() {
    return [this](node_name on, std::string module, std::string function, cnode::byte_string arguments,
                  milliseconds limit) {
      return call(std::move(on), std::move(module), std::move(function), std::move(arguments), limit);
    };
  }

  // ---- time

  membership::moment now() const {
    using namespace std::chrono;
    return {duration_cast<milliseconds>(steady_clock::now() - started_),
            duration_cast<milliseconds>(system_clock::now().time_since_epoch())};
  }

  // ---- facts in, actions out

  void tell(membership::any_fact f) {
    if (standing_by_) return;  // of links that are gone
    facts_.push_back(std::move(f));
    if (step_posted_ || stopping_) return;
    step_posted_ = true;
    asio::post(io_, [self = shared_from_this()] {
      self->step_posted_ = false;
      self->step();
    });
  }

  void step() {
    if (stopping_ || standing_by_) return;
    const auto facts = std::exchange(facts_, {});
    auto result = core_.step(facts, now());
    for (const auto& e : result.events) {
      log_event(e);
      subscriptions_.publish(e);
    }
    if (result.changed) {
      const auto before = std::exchange(snapshot_, core_.snapshot());
      log_new_reasons(*before, *snapshot_, result.events);
      log_conditions(*before, *snapshot_);
      remember(*before, *snapshot_);
    }
    for (auto& a : result.actions) {
      std::visit([this](auto& what) { carry_out(what); }, a);
    }
    wait_until(result.wake.steady);
  }

  void wait_until(milliseconds steady) {
    const auto at = started_ + steady;
    wake_.expires_at(at);
    wake_.async_wait([self = shared_from_this()](boost::system::error_code code) {
      if (!code) self->step();
    });
  }

  template <class Task>
  void spawn(std::string_view what, Task task) {
    asio::co_spawn(io_, std::move(task),
                   [self = shared_from_this(), what](const std::exception_ptr& failure) {
                     if (!failure) return;
                     try {
                       std::rethrow_exception(failure);
                     } catch (const std::exception& e) {
                       // A broken invariant of ours: told with all that is known; the other tasks go on.
                       self->log_.error("a task ended unexpectedly; please report this",
                                        {{"task", std::string(what)}, {"error", e.what()}});
                     }
                   });
  }

  void carry_out(const action::dial& a) { spawn("dial", dial(a.node)); }
  void carry_out(const action::hang_up& a) { node_->hang_up(a.node); }
  void carry_out(const action::ask_settings& a) { spawn("ask settings", ask_settings(a.node)); }
  void carry_out(const action::ask_view& a) {
    ++views_awaited_;
    spawn("ask view", ask_view(a.node));
  }
  void carry_out(const action::ask_status& a) { spawn("ask status", ask_status(a.node)); }
  void carry_out(const action::watch& a) { spawn("watch", watch(a.node)); }
  void carry_out(const action::probe_links& a) { spawn("probe links", probe_links(a)); }
  void carry_out(const action::probe_path& a) { spawn("probe path", probe_path(a)); }
  void carry_out(const action::leave_mesh& a) { spawn("leave the mesh", leave_mesh(a)); }
  void carry_out(const action::connect& a) { spawn("connect", connect(a)); }

  // ---- dialling

  cnode::target target_for(const node_name& name) const {
    const auto found = entries_.find(name);
    // Not listed any more, and still a member: by its name alone.
    return target_of(found != entries_.end()
                         ? found->second
                         : discovery::entry{.name = name, .host = {}, .address = {}, .port = {}},
                     configuration_);
  }

  asio::awaitable<void> dial(node_name name) {
    auto self = shared_from_this();
    auto target = target_for(name);
    target.take_over = succession_.may_take_over(name);
    auto linked = co_await node_->dial(std::move(target), configuration_.connect_timeout);
    if (stopping_ || standing_by_) co_return;
    if (linked) {
      if (linked->name == name) co_return;  // the observer is told of the link
      roster_.learned(name, linked->name);
      tell(fact::dial_failed{name, membership::reason::name_mismatch,
                             fmt::format("{} calls itself {}", name.text(), linked->name.text()),
                             linked->name, membership::dial_step::handshake});
      co_return;
    }
    auto failure = linked.error();
    if (failure.peer && *failure.peer == *configuration_.name)
      failure.detail += "; that is this rollcall's own name";
    log_.debug("dial failed", {{"node", name.text()}, {"why", failure.detail}});
    if (failure.code == cnode::make_error_code(cnode::error::alive_refused)) {
      co_await find_out_who_holds_our_name(name);
      if (stopping_ || standing_by_) co_return;
    }
    tell(fact::dial_failed{name, reason_of(failure), failure.detail, failure.peer, step_of(failure.step)});
  }

  // ---- two under one name: succession.hpp

  // One at a time: who has lost all its links at once learns it from the first.
  asio::awaitable<void> find_out_who_holds_our_name(node_name at) {
    if (inquiry_) co_return;
    auto options = node_options(configuration_, cookies_.cookies(), port_mapper_port_);
    inquiry_.emplace(io_, options,
                     [this](std::string host) { return addresses_of(resolver_, std::move(host)); });
    std::string why;
    const auto found =
        co_await inquiry_->ask(target_for(at), *configuration_.name, configuration_.connect_timeout, why);
    inquiry_.reset();
    if (stopping_ || standing_by_) co_return;
    if (!found) {
      log_.debug("could not learn who holds our name", {{"at", at.text()}, {"why", why}});
      co_return;
    }
    if (succession_.judge(at, *found) == succession::verdict::ours) {
      log_.debug("an old connection of ours is there still: it is replaced", {{"at", at.text()}});
      start_round();
      co_return;
    }
    stand_by(at, fmt::format("{}:{}", found->of_name->host, found->of_name->port));
  }

  // Everything that was known of the cluster is another's to know now. What is remembered stays.
  void stand_by(const node_name& taken, const std::string& by) {
    standing_by_ = true;
    log_.warning(std::string(stands_by),
                 {{"name", configuration_.name->text()}, {"seen_at", taken.text()}, {"it_is_at", by}});
    wake_.cancel();
    facts_.clear();
    node_->stand_by(true);
    exporter_.links(0);
    start_anew();
    spawn("standing by", look_for_our_turn());
  }

  void start_anew() {
    core_ = membership::cluster(core_settings(configuration_));
    core_.follow(*snapshot_, standing_by_);
    snapshot_ = core_.snapshot();
  }

  // One node after the other is asked whether it still holds a link under our name; nothing is taken from
  // whoever has it.
  asio::awaitable<void> look_for_our_turn() {
    auto self = shared_from_this();
    asio::steady_timer pause(io_);
    std::optional<node_name> last;
    std::minstd_rand random(std::random_device{}());
    while (standing_by_ && !stopping_) {
      const auto least = std::clamp(configuration_.interval, shortest_stand_by, longest_stand_by);
      // Two that lost to each other do not look at the same moment for ever.
      pause.expires_after(least + milliseconds(random() % static_cast<unsigned long>(least.count())));
      boost::system::error_code ignored;
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      if (stopping_ || entries_.empty()) continue;
      auto next = last ? entries_.upper_bound(*last) : entries_.begin();
      if (next == entries_.end()) next = entries_.begin();
      last = probed_ = next->first;
      auto target = target_for(*last);
      target.take_over = false;
      const auto linked = co_await node_->dial(std::move(target), configuration_.connect_timeout);
      probed_.reset();
      if (stopping_ || !linked || linked->name != *last) continue;
      standing_by_ = false;
      node_->stand_by(false);
      start_anew();
      log_.info("nobody else holds a link under our name any more: at work again",
                {{"name", configuration_.name->text()}, {"seen_at", linked->name.text()}});
      link_up(*linked);
      start_round();
    }
  }

  // A node of this machine's port mapper is known by the first half of its name only: its handshake tells the
  // rest. A link that is there or being made says it, too: another handshake would take that link over.
  asio::awaitable<void> learn_name(discovery::entry guessed) {
    auto self = shared_from_this();
    auto target = target_of(guessed, configuration_);
    target.name = linked_or_member(guessed);
    if (target.name) target.take_over = succession_.may_take_over(*target.name);
    auto linked = co_await node_->dial(std::move(target), configuration_.connect_timeout);
    if (linked) {
      roster_.learned(guessed.name, linked->name);
      co_return;
    }
    auto failure = linked.error();
    const auto name = failure.peer.value_or(guessed.name);
    if (failure.peer) roster_.learned(guessed.name, name);
    if (reason_of(failure) == membership::reason::name_mismatch) co_return;  // it is dialled by its real name
    first_dials_.push_back({name, reason_of(failure), failure.detail, failure.peer, step_of(failure.step)});
  }

  std::optional<node_name> linked_or_member(const discovery::entry& local) const {
    for (const auto& peer : node_->peers()) {
      if (peer.name.alive() == local.name.alive() && peer.remote.address().is_loopback()) return peer.name;
    }
    const auto* known = snapshot_->find(local.name.text());
    return known != nullptr && known->creation != 0 ? std::optional(known->name) : std::nullopt;
  }

  // ---- questions to nodes

  milliseconds view_wait() const {
    return std::clamp(configuration_.interval, shortest_view_wait, longest_view_wait);
  }

  asio::awaitable<cnode::call_result<cnode::term>> call(node_name on, std::string module,
                                                        std::string function, cnode::byte_string arguments,
                                                        milliseconds limit) {
    auto self = shared_from_this();
    const auto begun = std::chrono::steady_clock::now();
    auto answer =
        co_await node_->call(on, std::move(module), std::move(function), std::move(arguments), limit);
    if (answer) {
      exporter_.call(in_seconds(std::chrono::steady_clock::now() - begun));
    } else {
      exporter_.call_failed(rpc_error_of(answer.error()));
    }
    co_return answer;
  }

  asio::awaitable<void> ask_view(node_name on) {
    auto self = shared_from_this();
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = co_await call(on, "erlang", "nodes", no_arguments(), view_wait());
    const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
    if (--views_awaited_ == 0) views_answered_.cancel();
    if (stopping_) co_return;
    if (!answer) {
      tell(fact::view_failed{on, reason_of(answer.error()), answer.error().detail});
      co_return;
    }
    auto names = names_in(*answer);
    if (!names) {
      tell(fact::view_failed{
          on, membership::reason::incompatible,
          "erlang:nodes/0 answered " + to_string(*answer, 200) + ", which is not a list of nodes"});
      co_return;
    }
    std::erase(*names, *configuration_.name);
    tell(fact::view{on, std::move(*names), took});
  }

  asio::awaitable<void> ask_status(node_name on) {
    auto self = shared_from_this();
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = co_await call(on, "init", "get_status", no_arguments(), view_wait());
    if (stopping_ || !answer) co_return;
    if (says_stopping(*answer)) {
      tell(fact::stopping{on});
    } else {
      const auto took = std::chrono::steady_clock::now() - begun;
      tell(fact::heard{on, std::chrono::duration_cast<milliseconds>(took)});
    }
  }

  asio::awaitable<void> watch(node_name on) {
    auto self = shared_from_this();
    co_await watchers_.run(on);
  }

  void watching(const node_name& on, bool runs, const std::string& why) {
    if (!runs) {
      log_.debug("its view is asked for every round", {{"node", on.text()}, {"why", why}});
    }
    tell(fact::watching{on, runs});
  }

  asio::awaitable<void> probe_links(action::probe_links a) {
    auto self = shared_from_this();
    auto results = co_await probes_.ask(a.on, a.to, a.limit, a.confirm);
    if (!stopping_) tell(fact::links_probed{a.id, std::move(results)});
  }

  asio::awaitable<void> probe_path(action::probe_path a) {
    auto self = shared_from_this();
    auto result = membership::path_probe::no_word;
    const auto port = co_await distribution_port(a.to);
    if (stopping_) co_return;
    if (port) {
      const auto linked = node_->linked(a.to);
      const auto at = linked ? linked->remote.address() : asio::ip::address();
      const bool ipv6 = at.is_v6() && !at.to_v6().is_v4_mapped();
      const auto call = counted_call();
      result = co_await app::probe_path(call, a.on, a.to, *port, ipv6, a.limit);
    }
    if (!stopping_) tell(fact::path_probed{a.id, result});
  }

  // As others find it: from our own dial, from the configuration, else from its port mapper.
  asio::awaitable<std::optional<std::uint16_t>> distribution_port(node_name of) {
    const auto linked = node_->linked(of);
    if (linked && linked->distribution_port) co_return linked->distribution_port;
    const auto target = target_for(of);
    if (target.port) co_return target.port;
    if (!linked) co_return std::nullopt;
    const asio::ip::tcp::endpoint mapper(linked->remote.address(), port_mapper_port_);
    const auto port = co_await cnode::ask_port(mapper, std::string(of.alive()), port_wait);
    if (!port) co_return std::nullopt;
    co_return *port;
  }

  asio::awaitable<void> leave_mesh(action::leave_mesh a) {
    auto self = shared_from_this();
    const auto answer = co_await call(a.node, "global", "disconnect", no_arguments(), leave_wait);
    if (stopping_) co_return;
    if (answer) {
      log_.info("left the mesh", {{"node", a.node.text()}, {"from", to_string(*answer, 400)}});
      co_return;
    }
    const bool unknown = answer.error().kind == cnode::call_failure_kind::raised &&
                         answer.error().detail.starts_with("error:undef");
    if (!unknown || a.peers.empty()) {
      log_.warning("could not take it out of the mesh; it is not asked to connect any more",
                   {{"node", a.node.text()}, {"why", answer.error().detail}});
      co_return;
    }
    // A release without that function, where nobody tears other links down for a lost one.
    for (const auto& peer : a.peers) {
      co_await call(a.node, "erlang", "disconnect_node", one_atom(peer.text()), leave_wait);
      if (stopping_) co_return;
    }
    log_.info("left the mesh, link by link", {{"node", a.node.text()}});
  }

  asio::awaitable<void> ask_settings(node_name on) {
    using namespace asio::experimental::awaitable_operators;
    auto self = shared_from_this();
    auto [kernel, release, tick, flag] =
        co_await (call(on, "application", "get_all_env", one_atom("kernel"), settings_wait) &&
                  call(on, "erlang", "system_info", one_atom("otp_release"), settings_wait) &&
                  call(on, "net_kernel", "get_net_ticktime", no_arguments(), settings_wait) &&
                  call(on, "init", "get_argument", one_atom("connect_all"), settings_wait));
    if (stopping_) co_return;
    fact::settings settings{on, {}, {}, {}, {}, {}, {}};
    if (release) read_otp_release(settings, *release);
    if (kernel) read_kernel_environment(settings, *kernel);
    if (tick) read_net_ticktime(settings, *tick);
    if (flag) read_connect_all_flag(settings, *flag);
    if (release || kernel) fill_defaults(settings);
    if (settings.net_ticktime) node_->tick_time(on, *settings.net_ticktime);
    tell(std::move(settings));
  }

  asio::awaitable<void> connect(action::connect a) {
    auto self = shared_from_this();
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = co_await call(a.on, "net_kernel", "connect_node", one_atom(a.to.text()), a.limit);
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
    if (stopping_) co_return;
    exporter_.connect_request(outcome, in_seconds(took));
    if (log_.enabled(log_level::debug)) {
      log_.debug("asked a node to connect to another", {{"on", a.on.text()},
                                                        {"to", a.to.text()},
                                                        {"outcome", std::string(to_string(outcome))},
                                                        {"detail", detail}});
    }
    tell(fact::connect_result{a.id, outcome, std::chrono::duration_cast<milliseconds>(took),
                              std::move(detail)});
  }

  // ---- rounds

  asio::awaitable<void> rounds() {
    auto self = shared_from_this();
    auto due = std::chrono::steady_clock::now();
    while (!stopping_) {
      const auto begun = std::chrono::steady_clock::now();
      refresh_cookies();
      co_await list(co_await roster_.refresh());
      if (stopping_) co_return;
      step();
      // Members that are mute, each from another moment on, would leave no moment without a view to wait for.
      const auto latest = due + configuration_.interval;
      while (views_awaited_ > 0 && !stopping_ && std::chrono::steady_clock::now() < latest) {
        views_answered_.expires_at(latest);
        boost::system::error_code ignored;
        co_await views_answered_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      }
      if (stopping_) co_return;
      const auto ended = std::chrono::steady_clock::now();
      last_round_ = ended;
      exporter_.round(in_seconds(ended - begun), now().wall);
      // What a mesh that forms, or a burst of probes, took for a moment is given back.
      if (ended - trimmed_ >= memory_kept) {
        trimmed_ = ended;
        ::malloc_trim(0);
      }
      due = std::max(due + configuration_.interval, ended);
      next_round_.expires_at(std::exchange(round_requested_, false) ? ended : due);
      boost::system::error_code woken;
      co_await next_round_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      if (woken) due = std::chrono::steady_clock::now();
      round_requested_ = false;
    }
  }

  // ---- what outlives us

  void recall() {
    if (configuration_.state_dir.empty() || configuration_.command != command::run) return;
    state_.emplace(configuration_.state_dir);
    auto read = state_->read();
    for (const auto& problem : read.problems) log_.warning(problem);
    if (!read.found) return;
    core_.restore(std::move(read.found->incidents), std::move(read.found->totals), read.found->kept_out);
    snapshot_ = core_.snapshot();
  }

  void remember(const membership::snapshot& before, const membership::snapshot& after) {
    if (!state_) return;
    const auto out = kept_out_in(after);
    if (before.incidents == after.incidents && out == kept_out_in(before)) return;
    if (std::exchange(state_awaited_, true)) return;
    state_due_.expires_after(state_delay);
    state_due_.async_wait([self = shared_from_this()](boost::system::error_code) {
      self->state_awaited_ = false;
      self->write_state();
    });
  }

  void write_state() {
    const auto problem = state_->write({*snapshot_->incidents, snapshot_->totals, kept_out_in(*snapshot_)});
    if (!problem.empty() && !std::exchange(state_failing_, true)) {
      log_.warning("incidents are not kept: " + problem, {{"dir", configuration_.state_dir}});
    }
    if (problem.empty() && std::exchange(state_failing_, false)) {
      log_.info("incidents are kept again", {{"dir", configuration_.state_dir}});
    }
  }

  static std::vector<node_name> kept_out_in(const membership::snapshot& s) {
    std::vector<node_name> out;
    for (const auto& m : s.members) {
      if (m.kept_out && !m.pruned) out.push_back(m.name);
    }
    return out;
  }

  void start_round() {
    if (stopping_) return;
    round_requested_ = true;
    tell(fact::round_requested{});
    next_round_.cancel();
  }

  void refresh_cookies() {
    std::string problem;
    if (cookies_.refresh(problem)) {
      node_->cookies(cookies_.cookies());
      log_.info("the cookie file changed; handshakes from now on use it",
                {{"file", configuration_.cookie_file}});
      tell(fact::cookies_changed{});
    }
    if (!problem.empty()) log_.warning(problem);
  }

  asio::awaitable<void> list(discovery::round round) {
    if (stopping_) co_return;
    for (const auto i : round.queried)
      exporter_.query(round.sources[i].source, outcome_of(round.sources[i].outcome));
    log_changes(round);
    if (standing_by_) {
      keep_entries(std::move(round.entries));
      co_return;
    }

    // Once for each start of a node; the dials of one that does not tell its name go on with the guess.
    std::vector<discovery::entry> nameless;
    std::set<local_start> guesses;
    for (const auto& entry : round.entries) {
      if (!entry.host_is_guess || entry.name.alive() == configuration_.name->alive()) continue;
      const auto start = start_of(entry);
      if (!names_asked_.contains(start)) nameless.push_back(entry);
      guesses.insert(start);
    }
    names_asked_ = std::move(guesses);
    if (!nameless.empty()) {
      co_await learn_names(nameless);
      // The roster knows their names now, and asking the port mapper of this machine again costs a
      // millisecond.
      round = co_await roster_.refresh();
      log_changes(round);
    }

    fact::listed listed;
    keep_entries(std::move(round.entries));
    for (const auto& [name, entry] : entries_) listed.nodes.push_back(name);
    for (auto& source : round.sources) listed.sources.push_back(report(std::move(source)));
    succession_.keep(
        [this](const node_name& n) { return entries_.contains(n) || snapshot_->find(n.text()); });
    tell(std::move(listed));
    for (auto& failed : std::exchange(first_dials_, {})) tell(std::move(failed));
  }

  void keep_entries(std::vector<discovery::entry> listed) {
    std::map<node_name, discovery::entry> entries;
    for (auto& entry : listed) {
      const bool ourselves = entry.name == *configuration_.name ||
                             (entry.host_is_guess && entry.name.alive() == configuration_.name->alive());
      if (ourselves || (entry.host_is_guess && names_awaited_.contains(start_of(entry)))) continue;
      auto name = entry.name;
      entries.emplace(std::move(name), std::move(entry));
    }
    entries_ = std::move(entries);
  }

  // Waits for those that answer at once; a frozen one must not hold up the others.
  asio::awaitable<void> learn_names(const std::vector<discovery::entry>& nameless) {
    auto self = shared_from_this();
    auto pending = std::make_shared<std::size_t>(nameless.size());
    auto all = std::make_shared<asio::steady_timer>(io_, names_wait);
    for (const auto& entry : nameless) {
      const auto start = start_of(entry);
      names_awaited_.insert(start);
      asio::co_spawn(io_, learn_name(entry), [self, start, pending, all](std::exception_ptr) {
        self->names_awaited_.erase(start);
        if (--*pending == 0) all->cancel();
      });
    }
    boost::system::error_code ignored;
    co_await all->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  // One start of a local node: its name in the port mapper, and its port.
  using local_start = std::pair<std::string, std::uint16_t>;
  static local_start start_of(const discovery::entry& entry) {
    return {std::string(entry.name.alive()), entry.port.value_or(0)};
  }

  static membership::source_report report(discovery::source_status&& s) {
    membership::source_report r{.source = std::move(s.source),
                                .outcome = outcome_of(s.outcome),
                                .detail = std::move(s.detail),
                                .asked = s.asked,
                                .records = s.records,
                                .last_success = {},
                                .nodes = std::move(s.nodes)};
    if (s.last_success)
      r.last_success = std::chrono::duration_cast<milliseconds>(s.last_success->time_since_epoch());
    return r;
  }

  // ---- what links say

  void link_up(const cnode::peer& peer) override {
    exporter_.links(node_->peers().size());
    log_.debug("link up",
               {{"node", peer.name.text()},
                {"direction", peer.direction == cnode::direction::incoming ? "incoming" : "outgoing"},
                {"creation", std::to_string(peer.creation)},
                {"visible", peer.visible ? "true" : "false"}});
    if (standing_by_) {
      // Of a dial that was under way; the one that looks for our turn deals with its own.
      if (probed_ != peer.name) node_->hang_up(peer.name);
      return;
    }
    succession_.linked(peer.name, peer.local_port);
    tell(fact::link_up{peer.name, peer.creation, peer.visible});
  }

  void link_down(const cnode::peer& peer, boost::system::error_code code,
                 const std::string& detail) override {
    exporter_.links(node_->peers().size());
    log_.debug("link down", {{"node", peer.name.text()}, {"why", code.message()}, {"detail", detail}});
    tell(fact::link_down{peer.name, reason_of(code), detail.empty() ? code.message() : detail});
  }

  void process_gone(const cnode::reference& monitor) override { subscriptions_.process_gone(monitor); }

  void handshake_ended(cnode::direction direction, const std::optional<node_name>& peer,
                       const asio::ip::tcp::endpoint& remote, boost::system::error_code code,
                       const std::string& detail) override {
    exporter_.handshake(
        direction == cnode::direction::incoming ? metrics::direction::incoming : metrics::direction::outgoing,
        code && reason_of(code) == membership::reason::closed ? membership::reason::handshake
                                                              : reason_of(code));
    if (direction == cnode::direction::outgoing) return;  // its dial tells
    const auto address = remote.address();
    const bool mapped = address.is_v6() && address.to_v6().is_v4_mapped();  // the listener is dual-stack
    const auto from = mapped ? asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string()
                             : address.to_string();
    if (!code) {
      std::erase_if(strangers_, [&](const auto& seen) { return seen.first == from; });
      return;
    }
    if (strangers_.size() >= max_remembered_strangers) strangers_.clear();
    if (!strangers_.emplace(from, code.value()).second) return;
    log_.warning("a node that dialled us was turned away",
                 {{"from", from},
                  {"node", peer ? peer->text() : std::string("unknown")},
                  {"why", detail.empty() ? code.message() : detail}});
  }

  void port_mapper_changed(boost::system::error_code code, const std::string& detail) override {
    port_mapper_problem_ = code ? detail : std::string();
    name_taken_ = code == cnode::make_error_code(cnode::error::name_taken);
    if (code) {
      log_.warning("port mapper: " + detail);
    } else {
      log_.info("port mapper: " + detail);
    }
  }

  void unexpected(const node_name& from, const std::string& what) override {
    log_.debug("nobody waits for this message", {{"from", from.text()}, {"what", what}});
  }

  // ---- the log

  void log_event(const membership::event& e) {
    using membership::event_type;
    // What the sources list is told by the sources themselves: see log_changes.
    if (e.type == event_type::discovery_changed && !e.node) return;
    const bool bad = e.type == event_type::member_suspect || e.type == event_type::member_down ||
                     e.type == event_type::isolated || e.type == event_type::netsplit_opened ||
                     e.type == event_type::netsplit_changed;
    std::vector<log::field> fields{{"event", std::string(to_string(e.type))}};
    if (e.node) fields.emplace_back("node", e.node->text());
    if (e.why != membership::reason::none) fields.emplace_back("reason", std::string(to_string(e.why)));
    log_.line(bad ? log_level::warning : log_level::info, e.text, fields);
  }

  // What a dial finds after a loss: the next change of state will tell it.
  static bool to_be_expected(membership::reason why) {
    using membership::reason;
    return why == reason::refused || why == reason::not_registered || why == reason::timeout ||
           why == reason::closed || why == reason::handshake;
  }

  // A member that is not up for another reason than before, without a change of state: no event tells.
  void log_new_reasons(const membership::snapshot& before, const membership::snapshot& after,
                       const std::vector<membership::event>& events) {
    for (const auto& m : after.members) {
      if (m.why == membership::reason::none || m.state == membership::member_state::down ||
          m.state == membership::member_state::left) {
        continue;  // nobody waits for it: an event has told why it went
      }
      if (m.state == membership::member_state::suspect && to_be_expected(m.why)) continue;
      const auto* old = before.find(m.name.text());
      if (old != nullptr && old->why == m.why) continue;
      const bool told =
          std::ranges::any_of(events, [&](const auto& e) { return e.node == m.name && e.why == m.why; });
      if (told) continue;
      log_.warning(m.detail.empty() ? fmt::format("{} is {}", m.name.text(), to_string(m.state)) : m.detail,
                   {{"node", m.name.text()},
                    {"state", std::string(to_string(m.state))},
                    {"reason", std::string(to_string(m.why))}});
    }
  }

  // Conditions that no event of a member tells: once when they begin, once when they end.
  void log_conditions(const membership::snapshot& before, const membership::snapshot& after) {
    using membership::condition;
    for (const auto name : {condition::links_missing, condition::netsplit, condition::possible_split,
                            condition::config_drift, condition::unlisted_nodes}) {
      const auto was = std::ranges::find(before.conditions, name, &membership::raised_condition::name);
      const auto is = std::ranges::find(after.conditions, name, &membership::raised_condition::name);
      const bool held = was != before.conditions.end(), holds = is != after.conditions.end();
      const std::string label(to_string(name));
      // It lies in the members' own configuration, and seems over whenever one of them is away: said once.
      if (name == condition::config_drift && (!holds || std::exchange(drift_told_, true))) continue;
      if (holds && !held) log_.warning(is->text, {{"condition", label}});
      if (held && !holds) log_.info("over: " + was->text, {{"condition", label}});
    }
  }

  void log_changes(const discovery::round& round) {
    for (const auto& change : round.changes) {
      const auto source = std::ranges::find_if(round.sources, [&](const auto& s) {
        return std::string_view(change).starts_with(s.source + ": ");
      });
      const bool bad = source != round.sources.end() && failed(source->outcome);
      std::vector<log::field> fields{
          {"event", std::string(to_string(membership::event_type::discovery_changed))}};
      if (source != round.sources.end()) fields.emplace_back("source", source->source);
      log_.line(bad ? log_level::warning : log_level::info, change, fields);
    }
  }

  // ---- for others

  http::readiness ready() const {
    if (standing_by_) {
      return {false, fmt::format("{} ({})", stands_by, configuration_.name->text())};
    }
    if (name_taken_) return {false, port_mapper_problem_};
    if (!last_round_) return {false, "no round has ended yet"};
    const auto age = std::chrono::steady_clock::now() - *last_round_;
    if (age > std::max<milliseconds>(configuration_.interval * rounds_late, rounds_late_floor)) {
      return {false, fmt::format("the last round ended {} s ago",
                                 std::chrono::duration_cast<std::chrono::seconds>(age).count())};
    }
    return {true, "rounds are working"};
  }

  asio::awaitable<void> start() {
    const auto started = co_await node_->start();
    if (!started) {
      throw startup_error(
          fmt::format("cannot listen for distribution on port {}: {}; choose another with --dist-port",
                      configuration_.dist_port, started.error().message()));
    }
    log_.info(fmt::format("rollcall {} is {}", ROLLCALL_VERSION, configuration_.name->text()),
              {{"dist_port", std::to_string(node_->port())}});
    recall();
    spawn("rounds", rounds());
  }

  asio::awaitable<void> stop() {
    stopping_ = true;
    wake_.cancel();
    next_round_.cancel();
    views_answered_.cancel();
    if (state_ && state_awaited_) write_state();
    state_due_.cancel();
    co_await node_->stop();
  }

  // Tasks that still wait go with the io_context, later than the engine: by then there is no node that could
  // tell half of them that the links of the other half are lost.
  void abandon() {
    stopping_ = true;
    inquiry_.reset();
    node_.reset();
  }

  asio::io_context& io_;
  const configuration& configuration_;
  log& log_;
  metrics::exporter& exporter_;
  cookie_jar cookies_;
  std::uint16_t port_mapper_port_;
  discovery::resolver resolver_;
  discovery::roster roster_;
  answers answers_;
  std::optional<cnode::node> node_;
  link_probes probes_;
  watchers watchers_;
  subscriptions subscriptions_;
  succession succession_;
  std::optional<inquiry> inquiry_;  // while one is under way
  membership::cluster core_;
  membership::snapshot_ptr snapshot_;

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::time_point> last_round_;
  std::chrono::steady_clock::time_point trimmed_ = started_;
  asio::steady_timer wake_, next_round_, state_due_, views_answered_;
  std::optional<state_file> state_;
  bool state_awaited_ = false, state_failing_ = false;
  std::vector<membership::any_fact> facts_;
  std::map<node_name, discovery::entry> entries_;  // of the last round: how each listed node is dialled
  std::set<local_start> names_asked_;              // --local: still guessed in the last round
  std::set<local_start> names_awaited_;            // being asked right now: not listed yet
  std::vector<fact::dial_failed> first_dials_;     // of nodes whose names were asked for
  std::set<std::pair<std::string, int>> strangers_;
  std::string port_mapper_problem_;
  std::size_t views_awaited_ = 0;
  bool name_taken_ = false, standing_by_ = false;
  std::optional<node_name> probed_;  // while standing by: who is being dialled
  bool drift_told_ = false;
  bool step_posted_ = false;
  bool round_requested_ = false;
  bool stopping_ = false;
};

engine::engine(asio::io_context& io, const configuration& c, const environment& env, cookie_jar jar, log& l,
               metrics::exporter& e)
    : implementation_(std::make_shared<implementation>(io, c, env, std::move(jar), l, e)) {}

engine::~engine() {
  implementation_->abandon();
}

asio::awaitable<void> engine::start() {
  return implementation_->start();
}
asio::awaitable<void> engine::stop() {
  return implementation_->stop();
}
void engine::start_round() {
  implementation_->start_round();
}
membership::snapshot_ptr engine::snapshot() const {
  return implementation_->snapshot_;
}
http::readiness engine::ready() const {
  return implementation_->ready();
}
const cnode::node& engine::node() const {
  return *implementation_->node_;
}
bool engine::settled() const {
  return !implementation_->snapshot_->starting && implementation_->views_awaited_ == 0;
}

}  // namespace rollcall::app
