// Dials, and what is done when another Rollcall has our name: succession.hpp.
#include "app/engine_implementation.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

// Longer than what was asked before may take to end: it must not be taken for an answer of the next life.
constexpr milliseconds shortest_stand_by = 2'000ms, longest_stand_by = 15'000ms;

}  // namespace

cnode::target engine::implementation::target_for(const node_name& name) const {
  const auto found = entries_.find(name);
  // Not listed any more, and still a member: by its name alone.
  return target_of(found != entries_.end()
                       ? found->second
                       : discovery::entry{.name = name, .host = {}, .address = {}, .port = {}},
                   configuration_);
}

asio::awaitable<void> engine::implementation::dial(node_name name) {
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
                           fmt::format("{} calls itself {}", name.text(), linked->name.text()), linked->name,
                           membership::dial_step::handshake});
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
bool engine::implementation::spelled_otherwise(const node_name& listed, const node_name& own) {
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
bool engine::implementation::nothing_to_dial_with(const cnode::failure& failed) {
  const bool out = without_a_descriptor(failed.code);
  if (out && !std::exchange(out_of_descriptors_told_, true)) {
    log_.warning(out_of_descriptors_text() + ": nodes cannot be dialled until some are free");
  }
  return out;
}

// One at a time: who has lost all its links at once learns it from the first.
asio::awaitable<void> engine::implementation::find_out_who_holds_our_name(node_name at) {
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
      std::erase_if(replaced_, [&](const auto& one) { return now - one.second >= configuration_.interval; });
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

succession::witnesses engine::implementation::others_than(const node_name& one) const {
  succession::witnesses seen;
  for (const auto& [name, entry] : entries_) {
    if (name == one) continue;
    ++seen.others;
    if (node_->linked(name)) ++seen.linked;
  }
  return seen;
}

// Everything that was known of the cluster is another's to know now. What is remembered stays.
void engine::implementation::stand_by(const node_name& taken, const std::string& by) {
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

void engine::implementation::start_anew() {
  core_ = membership::cluster(core_settings(configuration_));
  core_.follow(*snapshot_, standing_by_);
  snapshot_ = core_.snapshot();
}

// One node after the other is asked whether it still holds a link under our name; nothing is taken from
// the one that has it.
asio::awaitable<void> engine::implementation::look_for_our_turn() {
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

asio::awaitable<cnode::call_result<cnode::term>> engine::implementation::call(node_name on,
                                                                              std::string module,
                                                                              std::string function,
                                                                              cnode::byte_string arguments,
                                                                              milliseconds limit) {
  auto self = shared_from_this();
  const auto begun = std::chrono::steady_clock::now();
  auto answer = co_await node_->call(std::move(on), std::move(module), std::move(function),
                                     std::move(arguments), limit);
  count(answer, begun);
  co_return answer;
}

asio::awaitable<cnode::call_result<cnode::byte_string>> engine::implementation::call_encoded(
    node_name on, std::string module, std::string function, cnode::byte_string arguments,
    milliseconds limit) {
  auto self = shared_from_this();
  const auto begun = std::chrono::steady_clock::now();
  auto answer = co_await node_->call_encoded(std::move(on), std::move(module), std::move(function),
                                             std::move(arguments), limit);
  count(answer, begun);
  co_return answer;
}

}  // namespace rollcall::app
