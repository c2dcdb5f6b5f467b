// What an engine is made of and carries out, and what others ask it for.
#include "app/engine_implementation.hpp"

#ifndef ROLLCALL_VERSION
#error "the build says which version this is"
#endif

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

constexpr milliseconds record_flush = 500ms;  // of the second in which we leave
// Rounds are working while the last ended within this many intervals, and never less than the floor.
constexpr int rounds_late = 3;
constexpr milliseconds rounds_late_floor = 30'000ms;

}  // namespace

std::vector<std::string> source_labels(const configuration& c) {
  std::vector<std::string> labels;
  for (const auto& source : roster_options(c).sources) labels.push_back(discovery::label(source));
  return labels;
}

engine::implementation::implementation(asio::io_context& io, const configuration& c, const environment& env,
                                       cookie_jar jar, log& l, metrics::exporter& e)
    : io_(io),
      configuration_(c),
      log_(l),
      exporter_(e),
      cookies_(std::move(jar)),
      tls_(c),
      port_mapper_port_(port_mapper_port(env)),
      resolver_(io, resolver_options(c)),
      roster_(io, listing(c), resolver_,
              [this] { return local_names(port_mapper_port_, std::string(configuration_.name->alive())); }),
      answers_(ROLLCALL_VERSION, around_answers()),
      node_(
          std::in_place, io, own_node_options(), *this,
          [this](std::string host) { return addresses_of(resolver_, std::move(host)); },
          [this](const cnode::request& r) { return answers_(r); },
          [this](const node_name& from, cnode::byte_view message) {
            return questions_.answered(from, message);
          }),
      questions_(io, c, l, e, around_questions()),
      reporter_(l),
      introductions_(io, c, l, around_introductions()),
      lookouts_(io, l, around_lookouts()),
      subscriptions_(io, own_node(), counted_call(), log_),
      others_(
          io, c, l,
          {.call = counted_call(),
           .linked = [this](std::size_t turn) { return linked_member(turn); },
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
      views_answered_(io),
      turn_(io),
      moment_(io),
      noted_(io),
      call_turns_(io) {
  if (roster_.figures()) e.kubernetes([this] { return kubernetes_figures(); });
}

// What the parts may use of what is around them; some of it is made after them, and looked at later only.
answers::actions engine::implementation::around_answers() {
  return {.snapshot = [this] { return snapshot_; },
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
          .unsubscribe = [this](const cnode::pid& p) { subscriptions_.remove(p); }};
}

questions::surroundings engine::implementation::around_questions() {
  return {.node = own_node(),
          .call = counted_call(),
          .call_encoded =
              [this](node_name on, std::string module, std::string function, cnode::byte_string arguments,
                     milliseconds limit) {
                return call_encoded(std::move(on), std::move(module), std::move(function),
                                    std::move(arguments), limit);
              },
          .tell = [this](membership::any_fact&& f) { tell(std::move(f)); },
          .ask_status =
              [this](const node_name& on) {
                if (!stopping_ && !standing_by_) in_turn(action::ask_status{on});
              },
          .stopping = [this] { return stopping_; },
          .listed_port = [this](const node_name& n) { return target_for(n).port; },
          .port_mapper_port = port_mapper_port_};
}

introductions::surroundings engine::implementation::around_introductions() {
  return {.node = own_node(),
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
          .answered = [this](const node_name& place) { roster_.linked(place); },
          .changed = [this] { review_soon(); },
          .port_mapper_port = port_mapper_port_};
}

lookouts::surroundings engine::implementation::around_lookouts() {
  return {.resolve = [this](std::string host) { return addresses_of(resolver_, std::move(host)); },
          .target_for = [this](const node_name& n) { return target_for(n); },
          .shows_up =
              [this](const node_name& n) {
                log_.debug("it may be another run: dialled now", {{"node", n.text()}});
                tell(fact::shows_up{n});
              },
          .stopping = [this] { return stopping_; },
          .port_mapper_port = port_mapper_port_};
}

metrics::kubernetes_figures engine::implementation::kubernetes_figures() const {
  metrics::kubernetes_figures figures;
  const auto now = roster_.figures().value_or(discovery::watch_figures{});
  static_assert(metrics::list_reasons.size() == discovery::list_reason_count);
  figures.lists = now.lists;
  if (now.last_line) figures.watch_age = in_seconds(std::chrono::steady_clock::now() - *now.last_line);
  return figures;
}

cnode::node_options engine::implementation::own_node_options() const {
  auto options = node_options(configuration_, cookies_.cookies(), port_mapper_port_, tls_.current());
  options.challenges = challenges_;
  return options;
}

discovery::roster::options engine::implementation::listing(const configuration& c) {
  auto options = roster_options(c);
  options.linked = [this](const node_name& n) {
    if (!node_) return false;
    return n.alive() == discovery::place_alive ? introductions_.linked_at(n) : node_->linked(n).has_value();
  };
  options.news = [this] {
    // Before the first round there is nothing to review.
    if (!listed_once_) return;
    news_ = true;
    review_soon();
  };
  return options;
}

call_function engine::implementation::counted_call() {
  return [this](node_name on, std::string module, std::string function, cnode::byte_string arguments,
                milliseconds limit) {
    return call(std::move(on), std::move(module), std::move(function), std::move(arguments), limit);
  };
}

void engine::implementation::carry_out(action::ask_view& a) {
  ++views_awaited_;
  in_turn(std::move(a));
}

// Somebody waits for a second look.
void engine::implementation::carry_out(action::probe_links& a) {
  if (a.confirm) {
    ask("probe links", questions_.links(a));
  } else {
    in_turn(std::move(a));
  }
}

// What a task uses of ours outlives the task.
asio::awaitable<void> engine::implementation::kept(asio::awaitable<void> task) {
  auto self = shared_from_this();
  co_await std::move(task);
}

asio::awaitable<void> engine::implementation::ask_view(node_name on) {
  auto self = shared_from_this();
  co_await questions_.view(std::move(on));
  if (--views_awaited_ == 0) views_answered_.cancel();
}

discovery::api_server engine::implementation::api_server() const {
  return {configuration_.kubernetes_api->host, configuration_.kubernetes_api->port};
}

std::shared_ptr<config_map> engine::implementation::record_map() {
  if (configuration_.kubernetes_record.empty() || configuration_.command != command::run) return {};
  return std::make_shared<config_map>(io_, log_, api_server(), discovery::resolve_with(resolver_),
                                      configuration_.kubernetes_record, [this] { return !standing_by_; });
}

std::shared_ptr<pod_events> engine::implementation::make_pod_events() {
  if (!configuration_.kubernetes_events || configuration_.command != command::run) return {};
  return std::make_shared<pod_events>(io_, log_, api_server(), discovery::resolve_with(resolver_),
                                      configuration_.name->text());
}

void engine::implementation::tell_pods(const std::vector<membership::event>& events) {
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

asio::awaitable<void> engine::implementation::recall() {
  auto found = co_await record_->recall();
  if (found) {
    core_.restore(std::move(found->incidents), std::move(found->totals), found->kept_out);
    snapshot_ = core_.snapshot();
  }
  if (auto day = record_->earlier_day()) history_.restore(*std::move(day));
  record_->follow(history_);
  record_->keep(*snapshot_);
}

// Also while standing by: it is carried out when our turn comes.
void engine::implementation::told_to_leave(const node_name& node) {
  // Before it is carried out here, and only once: two Rollcalls would go on telling each other.
  if (!record_->orders_to_leave().contains(node))
    others_.pass_on(shared_from_this(), other_rollcalls::order::leave, node);
  record_->told_to_leave(node);
  tell_at_once(fact::leave{node});
}

void engine::implementation::told_to_rejoin(const node_name& node) {
  if (record_->orders_to_leave().contains(node))
    others_.pass_on(shared_from_this(), other_rollcalls::order::rejoin, node);
  record_->told_to_rejoin(node);
  tell_at_once(fact::rejoin{node});
}

std::optional<node_name> engine::implementation::linked_member(std::size_t turn) const {
  if (snapshot_->up == 0) return {};
  auto left = turn % snapshot_->up;
  for (const auto& m : snapshot_->members) {
    if (m.state == membership::member_state::up && left-- == 0) return m.name;
  }
  return {};
}

void engine::implementation::pause(milliseconds span) {
  log_.warning(
      fmt::format("paused for {} s: no node is asked to connect or to leave; `rollcall resume` ends it",
                  span.count() / 1000));
  tell(fact::pause{span});
}

void engine::implementation::resume() {
  if (snapshot_->paused_until) log_.info("nodes may be asked to connect again");
  tell(fact::resume{});
}

void engine::implementation::look_at_places(const discovery::round& round) {
  std::vector<discovery::entry> places;
  std::ranges::copy_if(round.entries, std::back_inserter(places),
                       [](const discovery::entry& each) { return !each.pattern.empty(); });
  introductions_.look(shared_from_this(), std::move(places));
}

http::readiness engine::implementation::ready() const {
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

asio::awaitable<void> engine::implementation::start() {
  co_await recall();
  const auto started = co_await node_->start();
  if (!started) {
    throw startup_error(
        fmt::format("cannot listen for distribution on port {}: {}; choose another with --dist-port",
                    configuration_.dist_port, started.error().message()));
  }
  log_.info(fmt::format("rollcall {} is {}", ROLLCALL_VERSION, configuration_.name->text()),
            {{"dist_port", std::to_string(node_->port())}});
  for (const auto& warning : tls_.warnings()) log_.warning(warning);
  show_certificate();
  spawn("rounds", rounds());
}

asio::awaitable<void> engine::implementation::stop() {
  stopping_ = true;
  drop_turns();
  wake_.cancel();
  rest_.cancel();
  next_round_.cancel();
  views_answered_.cancel();
  if (pod_events_) pod_events_->stop();
  if (std::exchange(noting_, false) && !standing_by_) history_.note(*snapshot_);
  noted_.cancel();
  if (!standing_by_) history_.note_stop(now().wall);
  if (!standing_by_) tell_gathered();
  co_await record_->stop(record_flush);
  co_await node_->stop();
}

// Tasks that still wait go with the io_context, later than the engine: by then there is no node that could
// tell half of them that the links of the other half are lost.
void engine::implementation::abandon() {
  stopping_ = true;
  drop_turns();
  call_turns_.drop();
  inquiry_.reset();
  node_.reset();
}

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
         !own.review_posted_ && !own.step_due_ && !own.taking_ && own.actions_.empty();
}

}  // namespace rollcall::app
