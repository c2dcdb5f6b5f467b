#include "cnode/dials.hpp"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

namespace rollcall::cnode {
namespace {

// How long an attempt that gave way, or that the peer's own attempt goes before, waits for that one.
constexpr milliseconds give_way{500};

}  // namespace

failure is_stopping(const target& where) {
  return {make_error_code(error::stopping),
          dial_step::resolve,
          fmt::format("{}: not dialled, this program is leaving", name_of(where)),
          {}};
}

dials::dials(node_services& node, resolve_function resolve, coming_in_function coming_in)
    : node_(node), resolve_(std::move(resolve)), coming_in_(std::move(coming_in)) {}

std::shared_ptr<dials> dials::hold() {
  return {node_.hold(), this};
}

asio::awaitable<outcome<peer>> dials::dial(std::shared_ptr<dials> self, target where, milliseconds limit) {
  auto& node = self->node_;
  if (node.stopping()) co_return is_stopping(where);
  if (where.name) {
    if (*where.name == node.options().name) {
      co_return failure{make_error_code(error::not_allowed), dial_step::resolve,
                        fmt::format("{} is this program's own name", where.name->text()), where.name};
    }
    if (const auto held = node.linked(*where.name)) co_return *held;
  }
  const auto state = self->join_or_begin(std::move(where));
  asio::steady_timer timer(node.io(), limit);
  state->waiters.push_back(&timer);
  const auto [code] = co_await timer.async_wait(as_result);
  std::erase(state->waiters, &timer);
  if (state->result) co_return *state->result;

  const auto why =
      code ? boost::system::error_code(asio::error::operation_aborted) : make_error_code(error::timed_out);
  const auto& [step, at] = *state->progress;
  failure late{why, step, explain(state->where, step, at, why), {}};
  if (state->waiters.empty()) {
    if (step == dial_step::handshake || step == dial_step::tls) {
      node.tell_handshake(direction::outgoing, state->where.name, at, why, late.detail);
    }
    self->complete(state, late);
  }
  co_return late;
}

dials::dial_pointer dials::join_or_begin(target where) {
  if (where.name) {
    if (const auto found = dials_.find(where.name->text()); found != dials_.end()) {
      found->second->where.take_over &= where.take_over;
      return found->second;
    }
  }
  const auto key = where.name ? where.name->text() : std::string();
  auto state = std::make_shared<dialling>(node_.io().get_executor(), std::move(where));
  dials_.emplace(key, state);
  begin(state);
  return state;
}

void dials::begin(const dial_pointer& state) {
  node_.task_began();
  state->running = true;
  *state->progress = {};
  asio::co_spawn(node_.io(), attempt(hold(), state),
                 asio::bind_cancellation_slot(state->abort.slot(),
                                              [self = hold(), state](const std::exception_ptr& thrown) {
                                                self->attempt_ended(state, thrown);
                                              }));
}

void dials::attempt_ended(const dial_pointer& state, const std::exception_ptr& thrown) {
  state->running = false;
  // A cancelled attempt ends in an exception; that says nothing.
  node_.task_ended();
  if (state->result) return;
  if (std::exchange(state->giving_way, false)) {
    begin(state);
    return;
  }
  if (state->made) {
    auto [connected, remote, other] = *std::move(state->made);
    node_.install(std::move(connected), other, direction::outgoing, remote);
    // Installing the link has told who is linked now; this one may have been dialled by another name.
    if (const auto linked = node_.linked(other.name)) {
      complete(state, *linked);
    } else {
      complete(state, is_stopping(state->where));
    }
    return;
  }
  if (!state->failed) {
    std::string what = "the attempt was given up";
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const std::exception& problem) {
      what = problem.what();
    }
    state->failed = failure{make_error_code(error::closed),
                            state->progress->step,
                            fmt::format("{}: {}", name_of(state->where), what),
                            {}};
  }
  complete(state, *state->failed);
}

// Everyone who waits is answered; the first answer counts.
void dials::complete(const dial_pointer& given, outcome<peer> result) {
  const auto state = given;  // `given` may be the map's own
  if (state->result) return;
  state->result = std::move(result);
  std::erase_if(dials_, [&](const auto& entry) { return entry.second == state; });
  for (auto* waiter : state->waiters) waiter->cancel();
  if (state->running) state->abort.emit(asio::cancellation_type::terminal);
}

void dials::linked(const peer& linked) {
  for (auto found = dials_.find(linked.name.text()); found != dials_.end();
       found = dials_.find(linked.name.text())) {
    complete(found->second, linked);
  }
}

void dials::give_up(const std::function<failure(const target&)>& why) {
  while (!dials_.empty()) {
    const auto state = dials_.begin()->second;
    complete(state, why(state->where));
  }
}

asio::awaitable<void> dials::attempt(std::shared_ptr<dials> self, dial_pointer state) {
  while (true) {
    // The node itself is on its way to us: its attempt and ours would only get into each other's way.
    const auto& name = state->where.name;
    if (name && self->coming_in_(*name) && !std::exchange(state->waited, true)) {
      state->pause.expires_after(give_way);
      co_await state->pause.async_wait(as_result);
    }
    co_await attempt_with_cookies(self, state);
    if (state->made || !state->failed || state->failed->code != error::lost_simultaneous) co_return;
    state->pause.expires_after(give_way);
    co_await state->pause.async_wait(as_result);
  }
}

asio::awaitable<void> dials::attempt_with_cookies(std::shared_ptr<dials> self, dial_pointer state) {
  auto& node = self->node_;
  auto where = state->where;
  const auto cookies = node.options().cookies;
  if (cookies.empty()) {
    state->failed =
        failure{make_error_code(error::cookie_refused), dial_step::handshake, "there is no cookie", {}};
    co_return;
  }
  for (const auto& cookie : cookies) {
    auto connected = co_await reach(where, self->resolve_, node.options().port_mapper_port, state->progress);
    if (!connected) {
      state->failed = std::move(connected).error();
      co_return;
    }
    auto [socket, remote] = std::move(connected).value();
    stream shaking(std::move(socket));
    std::optional<failure> insecure;
    // Held: it may be replaced meanwhile.
    if (const auto with = node.options().tls) {
      *state->progress = {dial_step::tls, remote};
      insecure = co_await secure(shaking, remote, state->where, *with);
    }
    if (insecure) {
      const auto asked = co_await asio::this_coro::cancellation_state;
      if (asked.cancelled() != asio::cancellation_type::none) co_return;
      state->failed = std::move(insecure);
      node.tell_handshake(direction::outgoing, state->where.name, remote, state->failed->code,
                          state->failed->detail);
      co_return;
    }
    *state->progress = {dial_step::handshake, remote};
    auto other = co_await shake(shaking, remote, state->where, node.own_identity(), cookie,
                                node.options().challenges->issue());
    if (other) {
      node.tell_handshake(direction::outgoing, other->name, remote, {}, {});
      state->made = dialling::established{std::move(shaking), remote, *std::move(other)};
      co_return;
    }
    // A cancelled one was told of where it was cancelled.
    const auto asked = co_await asio::this_coro::cancellation_state;
    if (asked.cancelled() != asio::cancellation_type::none) co_return;
    state->failed = std::move(other).error();
    node.tell_handshake(direction::outgoing, state->failed->peer ? state->failed->peer : state->where.name,
                        remote, state->failed->code, state->failed->detail);
    if (state->failed->code != error::cookie_refused) co_return;
    where.address = remote.address();
    where.port = remote.port();
  }
}

accepting_handshake::verdict dials::meet(const node_name& name) {
  using verdict = accepting_handshake::verdict;
  const auto found = dials_.find(name.text());
  if (found == dials_.end()) return verdict::ok;
  const auto state = found->second;
  const bool shaking = state->running && state->progress->step == dial_step::handshake;
  if (shaking && node_.options().name > name) return verdict::nok;
  // Its attempt is further than ours, or goes first.
  if (state->running && !std::exchange(state->gave_way, true)) {
    if (shaking) {
      const auto code = make_error_code(error::lost_simultaneous);
      node_.tell_handshake(direction::outgoing, name, state->progress->at, code,
                           explain(state->where, dial_step::handshake, state->progress->at, code));
    }
    state->giving_way = true;
    state->abort.emit(asio::cancellation_type::terminal);
  }
  return verdict::ok_simultaneous;
}

void dials::came_in(const node_name& name) {
  for (auto [at, end] = dials_.equal_range(name.text()); at != end; ++at) at->second->pause.cancel();
}

}  // namespace rollcall::cnode
