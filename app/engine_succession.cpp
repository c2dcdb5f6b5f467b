// What is done when another Rollcall has our name: who holds it, standing by, and taking our turn. Decided in
// succession.hpp.
#include "app/engine_implementation.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

// Longer than what was asked before may take to end: it must not be taken for an answer of the next life.
constexpr milliseconds shortest_stand_by = 2'000ms, longest_stand_by = 15'000ms;
constexpr std::chrono::seconds roll_out_may_take{60};

}  // namespace

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
  // A roll-out starts the new one before it stops the old one: somebody must act only when this lasts.
  log_.info(std::string(stands_by),
            {{"name", configuration_.name->text()}, {"seen_at", taken.text()}, {"it_is_at", by}});
  // The links that the other one has taken from us are nobody's departure.
  gathered_.clear();
  before_moment_.reset();
  tell_gathered();
  wake_.cancel();
  drop_turns();
  facts_.clear();
  facts_of_step_ = facts_taken_ = 0;
  taking_ = false;
  node_->stand_by(true);
  exporter_.links(0);
  begin_again();
  spawn("standing by", look_for_our_turn());
}

void engine::implementation::begin_again() {
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
  const auto since = std::chrono::steady_clock::now();
  bool told = false;
  while (standing_by_ && !stopping_) {
    const auto least = std::clamp(configuration_.interval, shortest_stand_by, longest_stand_by);
    // Two that lost to each other do not look at the same moment each time.
    pause.expires_after(least + milliseconds(random() % static_cast<unsigned long>(least.count())));
    boost::system::error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (stopping_) continue;
    if (!told && std::chrono::steady_clock::now() - since >= roll_out_may_take) {
      told = true;
      log_.warning("another rollcall of our name has been at work for a minute; one is enough, stop either",
                   {{"name", configuration_.name->text()}, {"see", "/runbook#rollcallstandby"}});
    }
    if (entries_.empty()) continue;
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
    begin_again();
    for (const auto& node : record_->orders_to_leave()) tell(fact::leave{node});
    log_.info("nobody else holds a link under our name any more: at work again",
              {{"name", configuration_.name->text()}, {"seen_at", linked->name.text()}});
    link_up(*linked);
    start_round();
  }
}

}  // namespace rollcall::app
