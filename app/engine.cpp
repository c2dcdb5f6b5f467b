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
#include "app/descriptors.hpp"
#include "app/inquiry.hpp"
#include "app/introductions.hpp"
#include "app/lookouts.hpp"
#include "app/network.hpp"
#include "app/other_rollcalls.hpp"
#include "app/pace.hpp"
#include "app/pod_events.hpp"
#include "app/questions.hpp"
#include "app/reason.hpp"
#include "app/record.hpp"
#include "app/reporter.hpp"
#include "app/subscriptions.hpp"
#include "app/succession.hpp"
#include "cnode/flags.hpp"
#include "cnode/port_mapper.hpp"
#include "discovery/api_resolve.hpp"
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

constexpr milliseconds memory_kept = 10'000ms;
constexpr milliseconds record_flush = 500ms;  // of the second in which we leave
constexpr milliseconds memory_line_pause = 60'000ms;
// Longer than what was asked before may take to end: it must not be taken for an answer of the next life.
constexpr milliseconds shortest_stand_by = 2'000ms, longest_stand_by = 15'000ms;
constexpr std::string_view stands_by =
    "standing by: another rollcall of our name is at work; one is enough, stop either";
constexpr milliseconds cookie_pause = 1'000ms;
// Rounds are working while the last ended within this many intervals, and never less than the floor.
constexpr int rounds_late = 3;
constexpr milliseconds rounds_late_floor = 30'000ms;

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
        roster_(io, listing(c), resolver_,
                [this] { return local_names(port_mapper_port_, std::string(configuration_.name->alive())); }),
        answers_(ROLLCALL_VERSION,
                 {.snapshot = [this] { return snapshot_; },
                  .start_round =
                      [this] {
                        introductions_.try_again();
                        start_round();
                      },
                  .leave = [this](const node_name& node) { told_to_leave(node); },
                  .rejoin = [this](const node_name& node) { told_to_rejoin(node); },
                  .pause = [this](milliseconds span) { pause(span); },
                  .resume = [this] { resume(); },
                  .configuration = [this] { return to_document(configuration_); },
                  .others = [this] { return others_.names(); },
                  .subscribe = [this](const cnode::pid& p) { return subscriptions_.add(p); },
                  .unsubscribe = [this](const cnode::pid& p) { subscriptions_.remove(p); }}),
        node_(
            std::in_place, io, own_node_options(), *this,
            [this](std::string host) { return addresses_of(resolver_, std::move(host)); },
            [this](const cnode::request& r) { return answers_(r); },
            [this](const node_name& from, const cnode::term& message) {
              return questions_.answered(from, message);
            }),
        questions_(io, c, l, e,
                   {.node = own_node(),
                    .call = counted_call(),
                    .call_encoded =
                        [this](node_name on, std::string module, std::string function,
                               cnode::byte_string arguments, milliseconds limit) {
                          return call_encoded(std::move(on), std::move(module), std::move(function),
                                              std::move(arguments), limit);
                        },
                    .tell = [this](membership::any_fact f) { tell(std::move(f)); },
                    .stopping = [this] { return stopping_; },
                    .listed_port = [this](const node_name& n) { return target_for(n).port; },
                    .port_mapper_port = port_mapper_port_}),
        reporter_(l),
        introductions_(
            io, c,
            {.node = own_node(),
             .resolve = [this](std::string host) { return addresses_of(resolver_, std::move(host)); },
             .stopping = [this] { return stopping_ || standing_by_; },
             .ignored =
                 [this](const node_name& n) {
                   return std::ranges::any_of(configuration_.ignore, [&](const std::string& pattern) {
                     return discovery::glob_matches(pattern, n.text());
                   });
                 },
             .leaving =
                 [this](const node_name& n) {
                   const auto* known = snapshot_->find(n.text());
                   return known != nullptr && known->state == membership::member_state::leaving;
                 },
             .changed = [this] { review_soon(); },
             .port_mapper_port = port_mapper_port_}),
        lookouts_(io,
                  {.resolve = [this](std::string host) { return addresses_of(resolver_, std::move(host)); },
                   .target_for = [this](const node_name& n) { return target_for(n); },
                   .shows_up =
                       [this](const node_name& n) {
                         log_.debug("it may be another run: dialled now", {{"node", n.text()}});
                         tell(fact::shows_up{n});
                       },
                   .stopping = [this] { return stopping_; },
                   .port_mapper_port = port_mapper_port_}),
        subscriptions_(io, own_node(), counted_call()),
        others_(
            io, c, l,
            {.call = counted_call(),
             .linked = [this] { return linked_members(); },
             .orders_to_leave = [this]() -> const std::set<node_name>& { return record_->orders_to_leave(); },
             .stopping = [this] { return stopping_ || standing_by_; }}),
        record_(std::make_shared<record>(io, l, c.command == command::run ? c.state_dir : std::string(),
                                         record_map())),
        pod_events_(make_pod_events()),
        core_(core_settings(c)),
        snapshot_(core_.snapshot()),
        wake_(io),
        rest_(io),
        next_round_(io),
        views_answered_(io) {
    if (roster_.figures()) e.kubernetes([this] { return kubernetes_figures(); });
  }

  metrics::kubernetes_figures kubernetes_figures() const {
    metrics::kubernetes_figures figures;
    const auto now = roster_.figures().value_or(discovery::watch_figures{});
    static_assert(metrics::list_reasons.size() == discovery::list_reason_count);
    figures.lists = now.lists;
    if (now.last_line) figures.watch_age = in_seconds(std::chrono::steady_clock::now() - *now.last_line);
    return figures;
  }
  cnode::node_options own_node_options() const {
    auto options = node_options(configuration_, cookies_.cookies(), port_mapper_port_);
    options.challenges = challenges_;
    return options;
  }
  discovery::roster::options listing(const configuration& c) {
    auto options = roster_options(c);
    options.linked = [this](const node_name& n) { return node_ && node_->linked(n).has_value(); };
    options.news = [this] {
      // Before the first round there is nothing to review.
      if (!listed_once_) return;
      news_ = true;
      review_soon();
    };
    return options;
  }

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
    if (step_due_ || stopping_) return;
    step_due_ = true;
    if (pace::clock::now() >= pace_.next()) {
      asio::post(io_, [self = shared_from_this()] { self->take_facts(); });
      return;
    }
    rest_.expires_at(pace_.next());
    rest_.async_wait([self = shared_from_this()](boost::system::error_code) { self->take_facts(); });
  }

  // What somebody orders is a step of its own: two orders in one would be one event.
  void tell_at_once(membership::any_fact f) {
    pace_.at_once();
    tell(std::move(f));
    rest_.cancel();
  }

  void take_facts() {
    step_due_ = false;
    if (!facts_.empty()) step();
  }

  void step() {
    const auto begun = pace::clock::now();
    make_step();
    pace_.stepped(begun, pace::clock::now());
  }

  void make_step() {
    if (stopping_ || standing_by_) return;
    const auto facts = std::exchange(facts_, {});
    auto result = core_.step(facts, now());
    reporter_.happened(result.events);
    for (const auto& e : result.events) subscriptions_.publish(e);
    if (result.changed) {
      const auto before = std::exchange(snapshot_, core_.snapshot());
      history_.note(*snapshot_);
      reporter_.changed(*before, *snapshot_, result.events);
      record_->keep(*snapshot_);
    }
    tell_pods(result.events);
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
  void carry_out(const action::ask_settings& a) { ask("ask settings", questions_.settings(a.node)); }
  void carry_out(const action::ask_view& a) {
    ++views_awaited_;
    spawn("ask view", ask_view(a.node));
  }
  void carry_out(const action::ask_status& a) { ask("ask status", questions_.status(a.node)); }
  void carry_out(const action::watch& a) { ask("watch", questions_.watch(a.node)); }
  void carry_out(const action::probe_links& a) { ask("probe links", questions_.links(a)); }
  void carry_out(const action::probe_path& a) { ask("probe path", questions_.path(a)); }
  void carry_out(const action::leave_mesh& a) { ask("leave the mesh", questions_.leave(a)); }
  void carry_out(const action::connect& a) { ask("connect", questions_.connect(a)); }

  void ask(std::string_view what, asio::awaitable<void> question) { spawn(what, kept(std::move(question))); }
  // What a task uses of ours outlives the task.
  asio::awaitable<void> kept(asio::awaitable<void> task) {
    auto self = shared_from_this();
    co_await std::move(task);
  }
  asio::awaitable<void> ask_view(node_name on) {
    auto self = shared_from_this();
    co_await questions_.view(std::move(on));
    if (--views_awaited_ == 0) views_answered_.cancel();
  }

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
    auto linked = co_await node_->dial(target, configuration_.connect_timeout);
    while (!linked && !stopping_ && !standing_by_ && nothing_to_dial_with(linked.error())) {
      asio::steady_timer pause(io_, configuration_.interval);
      boost::system::error_code ignored;
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      if (!stopping_) linked = co_await node_->dial(target, configuration_.connect_timeout);
    }
    if (stopping_ || standing_by_) co_return;
    if (linked) {
      if (linked->name == name) co_return;  // the observer is told of the link
      if (spelled_otherwise(name, linked->name)) co_return;
      tell(fact::dial_failed{name, membership::reason::name_mismatch,
                             fmt::format("{} calls itself {}", name.text(), linked->name.text()),
                             linked->name, membership::dial_step::handshake});
      co_return;
    }
    auto failure = linked.error();
    if (failure.peer && *failure.peer != name && spelled_otherwise(name, *failure.peer)) co_return;
    if (failure.peer && *failure.peer == *configuration_.name)
      failure.detail += "; that is this rollcall's own name";
    log_.debug("dial failed", {{"node", name.text()}, {"why", failure.detail}});
    if (failure.code == cnode::make_error_code(cnode::error::alive_refused)) {
      co_await find_out_who_holds_our_name(name);
      if (stopping_ || standing_by_) co_return;
    }
    if (reason_of(failure) == membership::reason::cookie) lookouts_.refused(shared_from_this(), name);
    tell(fact::dial_failed{name, reason_of(failure), failure.detail, failure.peer, step_of(failure.step),
                           failure.code == cnode::make_error_code(cnode::error::no_such_name)});
  }

  // It is listed as it calls itself from now on, and dialled under that name at once.
  bool spelled_otherwise(const node_name& listed, const node_name& own) {
    if (introductions_.mismatch(shared_from_this(), listed)) return false;
    if (!roster_.learned(listed, own)) return false;
    tell(fact::dial_failed{listed,
                           membership::reason::name_mismatch,
                           fmt::format("{} calls itself {}", listed.text(), own.text()),
                           {},
                           membership::dial_step::handshake});
    review();
    return true;
  }

  // Without a descriptor a dial says nothing about the node: it is made again later, and nobody is told.
  bool nothing_to_dial_with(const cnode::failure& failed) {
    const bool out = failed.code == boost::system::errc::too_many_files_open ||
                     failed.code == boost::system::errc::too_many_files_open_in_system ||
                     out_of_descriptors();
    if (out && !std::exchange(out_of_descriptors_told_, true)) {
      log_.warning(out_of_descriptors_text() + ": nodes cannot be dialled until some are free");
    }
    return out;
  }

  // ---- two under one name: succession.hpp

  // One at a time: who has lost all its links at once learns it from the first.
  asio::awaitable<void> find_out_who_holds_our_name(node_name at) {
    if (inquiry_) co_return;
    inquiry_.emplace(io_, own_node_options(),
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
    switch (succession_.judge(at, *found, others_than(at))) {
      case succession::verdict::ours: {
        log_.debug("an old connection of ours is there still: it is replaced", {{"at", at.text()}});
        // One that says so again and again is asked again once an interval.
        const auto now = std::chrono::steady_clock::now();
        std::erase_if(replaced_,
                      [&](const auto& one) { return now - one.second >= configuration_.interval; });
        if (replaced_.emplace(at, now).second) start_round();
        co_return;
      }
      case succession::verdict::unbelieved:
        log_.debug("a node says that another holds our name; most others hold their links to us",
                   {{"at", at.text()}});
        co_return;
      case succession::verdict::superseded:
        break;
    }
    stand_by(at, fmt::format("{}:{}", found->of_name->host, found->of_name->port));
  }

  succession::witnesses others_than(const node_name& one) const {
    succession::witnesses seen;
    for (const auto& [name, entry] : entries_) {
      if (name == one) continue;
      ++seen.others;
      if (node_->linked(name)) ++seen.linked;
    }
    return seen;
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
  // the one that has it.
  asio::awaitable<void> look_for_our_turn() {
    auto self = shared_from_this();
    asio::steady_timer pause(io_);
    std::optional<node_name> last;
    std::minstd_rand random(std::random_device{}());
    while (standing_by_ && !stopping_) {
      const auto least = std::clamp(configuration_.interval, shortest_stand_by, longest_stand_by);
      // Two that lost to each other do not look at the same moment each time.
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
      for (const auto& node : record_->orders_to_leave()) tell(fact::leave{node});
      log_.info("nobody else holds a link under our name any more: at work again",
                {{"name", configuration_.name->text()}, {"seen_at", linked->name.text()}});
      link_up(*linked);
      start_round();
    }
  }

  // ---- questions to nodes

  template <class Value>
  void count(const cnode::call_result<Value>& answer, std::chrono::steady_clock::time_point begun) {
    if (answer) {
      exporter_.call(in_seconds(std::chrono::steady_clock::now() - begun));
    } else {
      exporter_.call_failed(rpc_error_of(answer.error()));
    }
  }
  asio::awaitable<cnode::call_result<cnode::term>> call(node_name on, std::string module,
                                                        std::string function, cnode::byte_string arguments,
                                                        milliseconds limit) {
    auto self = shared_from_this();
    const auto begun = std::chrono::steady_clock::now();
    auto answer = co_await node_->call(std::move(on), std::move(module), std::move(function),
                                       std::move(arguments), limit);
    count(answer, begun);
    co_return answer;
  }
  asio::awaitable<cnode::call_result<cnode::byte_string>> call_encoded(node_name on, std::string module,
                                                                       std::string function,
                                                                       cnode::byte_string arguments,
                                                                       milliseconds limit) {
    auto self = shared_from_this();
    const auto begun = std::chrono::steady_clock::now();
    auto answer = co_await node_->call_encoded(std::move(on), std::move(module), std::move(function),
                                               std::move(arguments), limit);
    count(answer, begun);
    co_return answer;
  }

  // ---- rounds

  // As while it runs, an empty file may be filled: a container that ended instead would be started again
  // later each time.
  asio::awaitable<void> until_there_is_a_cookie() {
    if (!cookies_.cookies().empty()) co_return;
    log_.warning(cookies_.problem() + "; no node is dialled until it holds one");
    while (cookies_.cookies().empty() && !stopping_) {
      next_round_.expires_after(cookie_pause);
      boost::system::error_code ignored;
      co_await next_round_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      if (!stopping_) refresh_cookies();
    }
  }

  asio::awaitable<void> rounds() {
    auto self = shared_from_this();
    co_await until_there_is_a_cookie();
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
      // What an answer says until when it holds: then is the moment to ask again.
      if (fresh_for_ && *fresh_for_ >= configuration_.interval / 2) due = std::min(due, begun + *fresh_for_);
      next_round_.expires_at(std::exchange(round_requested_, false) ? ended : due);
      boost::system::error_code woken;
      co_await next_round_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      if (woken) due = std::chrono::steady_clock::now();
      round_requested_ = false;
    }
  }

  // ---- what is kept in Kubernetes, and told there

  discovery::api_server api_server() const {
    return {configuration_.kubernetes_api->host, configuration_.kubernetes_api->port};
  }
  std::shared_ptr<config_map> record_map() {
    if (configuration_.kubernetes_record.empty() || configuration_.command != command::run) return {};
    return std::make_shared<config_map>(io_, log_, api_server(), discovery::resolve_with(resolver_),
                                        configuration_.kubernetes_record, [this] { return !standing_by_; });
  }
  std::shared_ptr<pod_events> make_pod_events() {
    if (!configuration_.kubernetes_events || configuration_.command != command::run) return {};
    return std::make_shared<pod_events>(io_, log_, api_server(), discovery::resolve_with(resolver_),
                                        configuration_.name->text());
  }
  void tell_pods(const std::vector<membership::event>& events) {
    if (!pod_events_) return;
    for (const auto& e : events) {
      using membership::event_type;
      if (e.type != event_type::netsplit_opened && e.type != event_type::netsplit_closed) continue;
      const auto of =
          std::ranges::find(*snapshot_->incidents, e.incident.value_or(0), &membership::incident::id);
      if (of == snapshot_->incidents->end()) continue;
      std::vector<pod_events::pod> pods;
      for (const auto& name : of->left_out) {
        const auto entry = entries_.find(name);
        if (entry == entries_.end() || !entry->second.placed || entry->second.placed->pod.empty()) continue;
        const auto& placed = *entry->second.placed;
        pods.push_back({placed.pod, placed.name_space, placed.uid});
      }
      e.type == event_type::netsplit_opened ? pod_events_->opened(*of, e.text, pods)
                                            : pod_events_->closed(*of, e.text, pods);
    }
  }

  // ---- what outlives us

  asio::awaitable<void> recall() {
    auto found = co_await record_->recall();
    if (found) {
      core_.restore(std::move(found->incidents), std::move(found->totals), found->kept_out);
      snapshot_ = core_.snapshot();
    }
    record_->keep(*snapshot_);
  }

  // Also while standing by: it is carried out when our turn comes.
  void told_to_leave(const node_name& node) {
    // Before it is carried out here, and only once: two Rollcalls would go on telling each other.
    if (!record_->orders_to_leave().contains(node))
      others_.pass_on(shared_from_this(), other_rollcalls::order::leave, node);
    record_->told_to_leave(node);
    tell_at_once(fact::leave{node});
  }
  void told_to_rejoin(const node_name& node) {
    if (record_->orders_to_leave().contains(node))
      others_.pass_on(shared_from_this(), other_rollcalls::order::rejoin, node);
    record_->told_to_rejoin(node);
    tell_at_once(fact::rejoin{node});
  }

  std::vector<node_name> linked_members() const {
    std::vector<node_name> found;
    for (const auto& m : snapshot_->members) {
      if (m.state == membership::member_state::up) found.push_back(m.name);
    }
    return found;
  }

  void start_round() {
    if (stopping_) return;
    round_requested_ = true;
    tell(fact::round_requested{});
    next_round_.cancel();
  }

  void pause(milliseconds span) {
    log_.warning("no node is asked to connect or to leave until this is over",
                 {{"pause", fmt::format("{} s", span.count() / 1000)}});
    tell(fact::pause{span});
  }
  void resume() {
    if (snapshot_->paused_until) log_.info("nodes may be asked to connect again");
    tell(fact::resume{});
  }

  void refresh_cookies() {
    std::string problem;
    if (cookies_.refresh(problem)) {
      node_->cookies(cookies_.cookies());
      log_.info("the cookie file changed; handshakes from now on use it",
                {{"file", configuration_.cookie_file}});
      introductions_.try_again();
      tell(fact::cookies_changed{});
    }
    if (!problem.empty()) log_.warning(problem);
  }

  asio::awaitable<void> list(discovery::round round) {
    if (stopping_) co_return;
    for (const auto i : round.queried)
      exporter_.query(round.sources[i].source, outcome_of(round.sources[i].outcome));
    reporter_.listed(round);
    fresh_for_ = round.fresh_for;
    if (standing_by_) {
      keep_entries(std::move(round.entries));
      co_return;
    }

    look_at_places(round);
    listed_once_ = true;
    take(std::move(round));
    lookouts_.look(shared_from_this(), *snapshot_);
    others_.look(shared_from_this());
  }

  // The last answers again, after something was learned of their nodes.
  void review() {
    auto round = roster_.review();
    reporter_.listed(round);
    // What a place is called, or that it is leaving, may have changed with it.
    if (std::exchange(news_, false)) look_at_places(round);
    take(std::move(round));
  }

  void look_at_places(const discovery::round& round) {
    std::vector<discovery::entry> places;
    std::ranges::copy_if(round.entries, std::back_inserter(places),
                         [](const discovery::entry& each) { return !each.pattern.empty(); });
    introductions_.look(shared_from_this(), std::move(places));
  }

  // Names are learned in bursts: once for all of a moment.
  void review_soon() {
    if (stopping_ || standing_by_ || std::exchange(review_posted_, true)) return;
    asio::post(io_, [self = shared_from_this()] {
      self->review_posted_ = false;
      if (!self->stopping_ && !self->standing_by_) self->review();
    });
  }

  // What is listed from now on.
  void take(discovery::round round) {
    fact::listed listed;
    keep_entries(std::move(round.entries));
    for (const auto& [name, entry] : entries_) {
      listed.nodes.push_back(name);
      if (entry.learned && configuration_.mesh == mesh_mode::base)
        listed.bases.emplace(name, std::string(name.alive()));
      if (entry.placed)
        listed.placed.emplace(
            name, membership::placement{entry.placed->machine, entry.placed->zone, entry.placed->leaving});
    }
    for (auto& source : round.sources) listed.sources.push_back(report_of(std::move(source)));
    for (auto& source : listed.sources) introductions_.tell(source);
    succession_.keep(
        [this](const node_name& n) { return entries_.contains(n) || snapshot_->find(n.text()); });
    tell(std::move(listed));
  }

  void keep_entries(std::vector<discovery::entry> listed) {
    std::map<node_name, discovery::entry> entries;
    std::erase_if(listed, [](const discovery::entry& each) { return !each.pattern.empty(); });
    for (auto& each : introductions_.names()) listed.push_back(std::move(each));
    for (auto& entry : listed) {
      if (entry.name == *configuration_.name) continue;
      auto name = entry.name;
      entries.emplace(std::move(name), std::move(entry));
    }
    entries_ = std::move(entries);
  }

  // ---- what links say

  void link_up(const cnode::peer& peer) override {
    exporter_.links(node_->links());
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
    lookouts_.linked(peer.name, peer.remote.address());
    constexpr auto insisted_on = cnode::flags::v4_nc | cnode::flags::unlink_id;  // by OTP 26 and later
    tell(fact::link_up{peer.name, peer.creation, peer.visible, (peer.flags & insisted_on) != insisted_on});
    if (roster_.linked(peer.name)) review();
  }

  void link_down(const cnode::peer& peer, boost::system::error_code code,
                 const std::string& detail) override {
    exporter_.links(node_->links());
    log_.debug("link down", {{"node", peer.name.text()}, {"why", code.message()}, {"detail", detail}});
    const bool took_too_much = code == cnode::make_error_code(cnode::error::memory_exhausted);
    if (took_too_much) warn_of_memory(peer.name, detail);
    tell(
        fact::link_down{peer.name, reason_of(code), detail.empty() ? code.message() : detail, took_too_much});
  }

  // One line a minute, however often and from however many it comes.
  void warn_of_memory(const node_name& node, const std::string& detail) {
    ++memory_closed_;
    const auto now = std::chrono::steady_clock::now();
    if (memory_told_ && now - *memory_told_ < memory_line_pause) return;
    memory_told_ = now;
    log_.warning("a link is closed: " + detail,
                 {{"node", node.text()}, {"closed_since_start", std::to_string(memory_closed_)}});
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
    reporter_.dialled_us(peer, remote.address(), code, detail);
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

  // ---- for others

  http::readiness ready() const {
    if (standing_by_) {
      return {false, fmt::format("{} ({})", stands_by, configuration_.name->text())};
    }
    if (name_taken_) return {false, port_mapper_problem_};
    if (cookies_.cookies().empty()) return {false, cookies_.problem()};
    if (!last_round_) return {false, "no round has ended yet"};
    const auto age = std::chrono::steady_clock::now() - *last_round_;
    if (age > std::max<milliseconds>(configuration_.interval * rounds_late, rounds_late_floor)) {
      return {false, fmt::format("the last round ended {} s ago",
                                 std::chrono::duration_cast<std::chrono::seconds>(age).count())};
    }
    const auto others = others_.text();
    return {true, others.empty() ? "rounds are working" : "rounds are working; " + others};
  }

  asio::awaitable<void> start() {
    co_await recall();
    const auto started = co_await node_->start();
    if (!started) {
      throw startup_error(
          fmt::format("cannot listen for distribution on port {}: {}; choose another with --dist-port",
                      configuration_.dist_port, started.error().message()));
    }
    log_.info(fmt::format("rollcall {} is {}", ROLLCALL_VERSION, configuration_.name->text()),
              {{"dist_port", std::to_string(node_->port())}});
    spawn("rounds", rounds());
  }

  asio::awaitable<void> stop() {
    stopping_ = true;
    wake_.cancel();
    rest_.cancel();
    next_round_.cancel();
    views_answered_.cancel();
    if (pod_events_) pod_events_->stop();
    co_await record_->stop(record_flush);
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
  std::shared_ptr<cnode::challenges> challenges_ = std::make_shared<cnode::challenges>();
  std::optional<cnode::node> node_;
  questions questions_;
  reporter reporter_;
  introductions introductions_;
  lookouts lookouts_;
  subscriptions subscriptions_;
  other_rollcalls others_;
  std::shared_ptr<record> record_;
  std::shared_ptr<pod_events> pod_events_;  // of --kubernetes-events
  succession succession_;
  std::optional<inquiry> inquiry_;  // while one is under way
  membership::cluster core_;
  membership::snapshot_ptr snapshot_;
  membership::history history_;

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::time_point> last_round_;
  std::chrono::steady_clock::time_point trimmed_ = started_;
  // For which nodes a round was begun within the last interval, since they hold an old connection of ours.
  std::map<node_name, std::chrono::steady_clock::time_point> replaced_;
  std::optional<std::chrono::steady_clock::time_point> memory_told_;
  std::uint64_t memory_closed_ = 0;
  asio::steady_timer wake_, rest_, next_round_, views_answered_;
  pace pace_;
  std::vector<membership::any_fact> facts_;
  std::map<node_name, discovery::entry> entries_;  // of the last round: how each listed node is dialled
  std::string port_mapper_problem_;
  std::optional<std::chrono::seconds> fresh_for_;  // what discovery's answers say of themselves
  std::size_t views_awaited_ = 0;
  bool name_taken_ = false, standing_by_ = false;
  std::optional<node_name> probed_;  // while standing by: who is being dialled
  bool step_due_ = false, review_posted_ = false, out_of_descriptors_told_ = false;
  bool round_requested_ = false;
  bool listed_once_ = false;
  bool news_ = false;  // of a source that is told of changes by itself
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
const membership::history& engine::history() const {
  return implementation_->history_;
}
http::readiness engine::ready() const {
  return implementation_->ready();
}
std::vector<node_name> engine::others() const {
  return implementation_->others_.names();
}
const cnode::node& engine::node() const {
  return *implementation_->node_;
}
asio::awaitable<link_survey> engine::survey() const {
  auto& own = *implementation_;
  const auto& s = *own.snapshot_;
  listed_peers listed;
  for (std::size_t from = 0; from < s.members.size(); ++from) {
    for (std::size_t to = 0; to < s.members.size(); ++to) {
      const bool both = s.members[from].linked && s.members[to].linked;
      if (both && from != to && s.sees(from, to) == true)
        listed[s.members[from].name].push_back(s.members[to].name);
    }
  }
  return survey_links(own.io_, own.questions_.probes(), std::move(listed), own.configuration_.probe_timeout);
}
bool engine::settled() const {
  const auto& own = *implementation_;
  return !own.snapshot_->starting && own.views_awaited_ == 0 && own.introductions_.settled() &&
         !own.review_posted_ && !own.step_due_;
}

}  // namespace rollcall::app
