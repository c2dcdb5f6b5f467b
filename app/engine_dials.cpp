// What steps want is carried out: dials, calls over the links they make, and which of both begin in turn.
#include "app/engine_implementation.hpp"

#include <array>

#include "cnode/await_call.hpp"

namespace rollcall::app {
namespace {

constexpr milliseconds longest_carrying_out{5};

// By the index of what waits.
constexpr std::array<std::string_view, 5> turn_names{"dial", "ask settings", "ask view", "ask status",
                                                     "probe links"};

}  // namespace

cnode::target engine::implementation::target_for(const node_name& name) const {
  const auto found = entries_.find(name);
  // Not listed any more, and still a member: by its name alone.
  return target_of(found != entries_.end()
                       ? found->second
                       : discovery::entry{.name = name, .host = {}, .address = {}, .port = {}},
                   configuration_);
}

// A step may want thousands, of a few microseconds each: others have their turn in between.
void engine::implementation::carry_out_some() {
  const auto begun = pace::clock::now();
  carrying_out_ = true;
  while (!actions_.empty()) {
    if (pace::clock::now() - begun > longest_carrying_out) {
      asio::post(io_, [self = shared_from_this()] { self->carry_out_some(); });
      return;
    }
    auto next = std::move(actions_.front());
    actions_.pop_front();
    std::visit([this](auto& what) { carry_out(what); }, next);
  }
  carrying_out_ = false;
}

void engine::implementation::in_turn(awaited_turn wanted) {
  waiting_.push_back(std::move(wanted));
  take_turns();
}

// A message, and no task. Those that were sent count as under way until the next turn.
bool engine::implementation::asks_the_watcher(const awaited_turn& wanted) {
  const auto* status = std::get_if<action::ask_status>(&wanted);
  return status != nullptr && questions_.ask_alive(status->node);
}

void engine::implementation::take_turns() {
  if (taking_turns_) return;  // one has ended while it began
  taking_turns_ = true;
  while (!waiting_.empty() && turns_.open()) {
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    static_assert(turn_names.size() == std::variant_size_v<awaited_turn>);
    if (asks_the_watcher(next)) {
      turns_.begin();
      continue;
    }
    asio::co_spawn(io_, kept(std::visit([this](const auto& what) { return task_of(what); }, next)),
                   [self = shared_from_this(), number = turns_.begin(),
                    what = turn_names[next.index()]](const std::exception_ptr& failure) {
                     task_ended(self->log_, what, failure);
                     self->turns_.ended(number);
                     self->take_turns();
                   });
  }
  taking_turns_ = false;
  if (waiting_.empty() || turn_due_) return;
  turn_due_ = true;
  turn_.expires_after(turns::longest);
  turn_.async_wait([self = shared_from_this()](boost::system::error_code) {
    self->turn_due_ = false;
    self->turns_.next();
    self->take_turns();
  });
}

void engine::implementation::drop_turns() {
  actions_.clear();
  for (const auto& each : std::exchange(waiting_, {})) {
    views_awaited_ -= std::holds_alternative<action::ask_view>(each) ? 1 : 0;
  }
  if (views_awaited_ == 0) views_answered_.cancel();
  turn_.cancel();
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

// A call that has its turn, and is counted: `Handler` gets its end.
template <class Value, class Handler>
class engine::implementation::call_in_turn final : public call_turns::caller, public cnode::call_waiter {
 public:
  call_in_turn(std::shared_ptr<implementation> owner, wanted_call wanted, Handler handler)
      : owner_(std::move(owner)), wanted_(std::move(wanted)), handler_(std::move(handler)) {}

  void begin(std::unique_ptr<caller> self) override {
    std::unique_ptr<call_waiter> told(static_cast<call_in_turn*>(self.release()));
    if (!owner_->node_) {
      asio::post(owner_->io_, [told = std::move(told)] {
        told->ended(cnode::call_failure{cnode::call_failure_kind::link_lost, "the node is gone"});
      });
      return;
    }
    begun_ = std::chrono::steady_clock::now();
    const auto once = std::move(wanted_);
    owner_->node_->call(once.on, once.module, once.function, once.arguments, once.limit, std::move(told));
  }

  void ended(cnode::call_result<cnode::byte_string> with) override {
    auto answer = cnode::answer_as<Value>(std::move(with));
    if (begun_) owner_->count(answer, *begun_);
    std::move(handler_)(std::move(answer));
  }

 private:
  std::shared_ptr<implementation> owner_;
  wanted_call wanted_;
  Handler handler_;
  std::optional<std::chrono::steady_clock::time_point> begun_;
};

template <class Value>
asio::awaitable<cnode::call_result<Value>> engine::implementation::call_of(wanted_call wanted) {
  return cnode::await_end<Value>(
      [self = shared_from_this(), wanted = std::move(wanted)](auto handler) mutable {
        using made = call_in_turn<Value, decltype(handler)>;
        auto& turns = self->call_turns_;
        turns.begin(std::make_unique<made>(std::move(self), std::move(wanted), std::move(handler)));
      });
}

asio::awaitable<cnode::call_result<cnode::term>> engine::implementation::call(node_name on,
                                                                              std::string module,
                                                                              std::string function,
                                                                              cnode::byte_string arguments,
                                                                              milliseconds limit) {
  return call_of<cnode::term>(
      {std::move(on), std::move(module), std::move(function), std::move(arguments), limit});
}

asio::awaitable<cnode::call_result<cnode::byte_string>> engine::implementation::call_encoded(
    node_name on, std::string module, std::string function, cnode::byte_string arguments,
    milliseconds limit) {
  return call_of<cnode::byte_string>(
      {std::move(on), std::move(module), std::move(function), std::move(arguments), limit});
}

}  // namespace rollcall::app
