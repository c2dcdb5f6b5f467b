// The node: its links, its dials, its listener and its registration, wired together.
// The rule for two simultaneous dials and for a name that is linked already: kernel net_kernel.erl
// (accept_pending) and dist_util.erl.
#include "cnode/node.hpp"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <list>
#include <map>
#include <stdexcept>

#include "cnode/built_in.hpp"
#include "cnode/dialler.hpp"
#include "cnode/flags.hpp"
#include "cnode/link.hpp"
#include "cnode/registration.hpp"
#include "cnode/timed_socket.hpp"

namespace rollcall::cnode {
namespace {

constexpr milliseconds settle_limit{1'000}, stop_limit{800};
// How long an attempt that gave way, or that the peer's own attempt goes before, waits for that one.
constexpr milliseconds give_way{500};
constexpr milliseconds accept_pause{100};
constexpr std::uint32_t least_creation = 4;  // 0 to 3 are what nodes before OTP 23 used
constexpr std::size_t longest_detail = 400;

std::uint32_t random_creation() {
  return std::max(random_word(), least_creation);
}

// `<12 letters>@host`, for a peer that wants to be given a name.
std::optional<node_name> made_up_name(std::string_view host) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string alive;
  for (int i = 0; i < 12; ++i) alive.push_back(letters[random_word() % letters.size()]);
  auto made = node_name::make(alive, host);
  if (!made) return {};
  return *std::move(made);
}

// What a called process ended with: {Res, return, V}, or how it failed.
call_result<term> read_answer(const reference& id, const term& reason) {
  using kind = call_failure_kind;
  const auto* items = reason.as<tuple>();
  const auto* res = items == nullptr || items->items.size() < 3 ? nullptr : items->items[0].as<reference>();
  if (res == nullptr || *res != id) {
    return call_failure{kind::raised,
                        fmt::format("the process that ran it ended: {}", to_string(reason, longest_detail))};
  }
  const auto& parts = items->items;
  if (parts.size() == 3 && parts[1].is_atom("return")) return parts[2];
  for (const std::string_view raised : {"error", "exit", "throw"}) {
    if (!parts[1].is_atom(raised)) continue;
    auto detail = fmt::format("{}:{}", raised, to_string(parts[2], longest_detail));
    if (parts.size() > 3) detail += fmt::format(" in {}", to_string(parts[3], longest_detail));
    return call_failure{kind::raised, std::move(detail)};
  }
  return call_failure{kind::bad_answer, to_string(reason, longest_detail)};
}

// One dial, and everybody who waits for it.
struct dialling {
  dialling(const asio::any_io_executor& executor, target to) : where(std::move(to)), pause(executor) {}

  target where;
  std::shared_ptr<dial_progress> progress = std::make_shared<dial_progress>();
  std::vector<asio::steady_timer*> waiters;
  std::optional<outcome<peer>> result;

  // The coroutine that does it; gone and started again when it had to give way.
  asio::cancellation_signal abort;
  bool running = false, giving_way = false;
  // Once each: who comes in may be a stranger that claims the name and stands still.
  bool waited = false, gave_way = false;
  asio::steady_timer pause;
  struct established {
    tcp::socket socket;
    tcp::endpoint remote;
    identity peer;
  };
  std::optional<established> made;
  std::optional<failure> failed;
};

struct incoming {
  std::shared_ptr<timed_socket> connection;
  std::optional<node_name> name;  // a claim, until the cookie is shown
};

}  // namespace

struct node::implementation {
  class core;
  std::shared_ptr<core> running;
};

class node::implementation::core : public std::enable_shared_from_this<core> {
 public:
  core(asio::io_context& io, node_options options, node_observer& observer, resolve_function resolve,
       call_handler handler, message_handler messages)
      : io_(io),
        options_(std::move(options)),
        observer_(&observer),
        resolve_(std::move(resolve)),
        handler_(std::move(handler)),
        messages_(std::move(messages)),
        processes_(options_.name, random_creation(), own_answers()),
        acceptor_(io),
        idle_(io) {}

  using self = std::shared_ptr<core>;

  static asio::awaitable<result<void>> start(self node) {
    if (const auto code = listen_on(node->acceptor_, node->options_.listen_port)) co_return code;
    boost::system::error_code ignored;
    node->port_ = node->acceptor_.local_endpoint(ignored).port();
    if (node->options_.port_mapper != port_mapper_mode::none) co_await node->enrol();
    node->spawn("the listener", accept(node));
    co_return result<void>{};
  }

  static asio::awaitable<void> stop(self node) {
    node->shut_down();
    node->idle_.expires_after(stop_limit);
    if (node->tasks_ > 0) co_await node->idle_.async_wait(as_result);
  }

  // Nothing is told any more after this: the observer may be gone.
  void abandon() {
    observer_ = nullptr;
    shut_down();
    handler_ = nullptr;
    messages_ = nullptr;
  }

  static asio::awaitable<outcome<peer>> dial(self node, target where, milliseconds limit) {
    if (node->stopping_) co_return node->is_stopping(where);
    if (where.name) {
      if (*where.name == node->options_.name) {
        co_return failure{make_error_code(error::not_allowed), dial_step::resolve,
                          fmt::format("{} is this program's own name", where.name->text()), where.name};
      }
      if (const auto held = node->links_.find(*where.name); held != node->links_.end()) {
        co_return held->second->peer();
      }
    }
    const auto state = node->join_or_begin(std::move(where));
    asio::steady_timer timer(node->io_, limit);
    state->waiters.push_back(&timer);
    const auto [code] = co_await timer.async_wait(as_result);
    std::erase(state->waiters, &timer);
    if (state->result) co_return *state->result;

    const auto why =
        code ? boost::system::error_code(asio::error::operation_aborted) : make_error_code(error::timed_out);
    const auto& [step, at] = *state->progress;
    failure late{why, step, explain(state->where, step, at, why), {}};
    if (state->waiters.empty()) {
      if (step == dial_step::handshake) {
        node->tell_handshake(direction::outgoing, state->where.name, at, why, late.detail);
      }
      node->complete(state, late);
    }
    co_return late;
  }

  void hang_up(const node_name& name) {
    const auto held = links_.find(name);
    if (held != links_.end()) {
      drop(held->second, make_error_code(error::closed),
           fmt::format("the link to {} was hung up by us", name.text()));
    }
  }

  void stand_by(bool now) {
    if (std::exchange(standing_by_, now) == now || stopping_) return;
    if (registration_) registration_->withdraw(now);
    if (!now) return;
    for (const auto& one : incoming_) one->connection->close();
    while (!dials_.empty()) {
      const auto state = dials_.begin()->second;
      complete(state, failure{make_error_code(error::stopping),
                              dial_step::resolve,
                              fmt::format("{}: given up, this program stands by", name_of(state->where)),
                              {}});
    }
    while (!links_.empty()) {
      drop(links_.begin()->second, make_error_code(error::stopping), "this program stands by");
    }
  }

  static asio::awaitable<call_result<term>> call(self node, node_name on, std::string module,
                                                 std::string function, byte_string arguments,
                                                 milliseconds limit) {
    const auto found = node->links_.find(on);
    if (found == node->links_.end()) {
      co_return call_failure{call_failure_kind::no_link, fmt::format("there is no link to {}", on.text())};
    }
    const auto link = found->second;
    const auto id = node->processes_.next_reference();
    const auto& caller = node->processes_.self();
    term_writer payload;
    payload.list_header(4).write(id).atom(module).atom(function).raw(arguments).nil();
    control::spawn_request request{
        id, caller, caller, atom{"erpc"}, atom{"execute_call"}, 4, list{{atom{"monitor"}}, nullptr}};

    pending_call waiting(node->io_.get_executor());
    waiting.wake.expires_after(limit);
    link->calls.emplace(id, &waiting);
    link->send(encode_message(request, payload.view()));
    co_await waiting.wake.async_wait(as_result);
    link->calls.erase(id);
    if (waiting.answer) co_return *std::move(waiting.answer);
    // What still comes is for a reference nobody knows any more, and is dropped.
    if (waiting.process) link->send(encode_message(control::demonitor{caller, *waiting.process, id}));
    co_return call_failure{
        call_failure_kind::timed_out,
        fmt::format("{}:{} on {} was not answered within {} ms", module, function, on.text(), limit.count())};
  }

  static asio::awaitable<call_result<term>> run_process(self node, node_name on, std::string module,
                                                        std::string function, std::uint8_t arity,
                                                        byte_string arguments) {
    const auto found = node->links_.find(on);
    if (found == node->links_.end()) {
      co_return call_failure{call_failure_kind::no_link, fmt::format("there is no link to {}", on.text())};
    }
    const auto link = found->second;
    const auto id = node->processes_.next_reference();
    const auto& caller = node->processes_.self();
    control::spawn_request request{
        id, caller, caller, atom{module}, atom{function}, arity, list{{atom{"monitor"}}, nullptr}};
    pending_call waiting(node->io_.get_executor());
    waiting.ends_with_reason = true;
    waiting.wake.expires_at(asio::steady_timer::time_point::max());
    link->calls.emplace(id, &waiting);
    link->send(encode_message(request, arguments));
    co_await waiting.wake.async_wait(as_result);
    link->calls.erase(id);
    if (waiting.answer) co_return *std::move(waiting.answer);
    co_return call_failure{call_failure_kind::link_lost, "given up"};
  }

  bool send(const node_name& on, std::string_view process, byte_view message) {
    const auto found = links_.find(on);
    if (found == links_.end()) return false;
    found->second->send(
        encode_message(control::reg_send{processes_.self(), atom{std::string(process)}}, message));
    return true;
  }
  bool send(const pid& to, byte_view message) {
    const auto link = link_of(to);
    if (!link) return false;
    link->send(encode_message(control::send{to}, message));
    return true;
  }
  std::optional<reference> monitor(const pid& process) {
    const auto link = link_of(process);
    if (!link) return std::nullopt;
    const auto id = processes_.next_reference();
    link->watched.emplace(id, process);
    link->send(encode_message(control::monitor{processes_.self(), process, id}));
    return id;
  }
  void demonitor(const reference& id) {
    for (const auto& [name, link] : links_) {
      const auto found = link->watched.find(id);
      if (found == link->watched.end()) continue;
      const auto process = found->second;
      link->watched.erase(found);
      link->send(encode_message(control::demonitor{processes_.self(), process, id}));
      return;
    }
  }
  std::size_t waiting(const node_name& on) const {
    const auto found = links_.find(on);
    return found == links_.end() ? 0 : found->second->waiting();
  }
  reference new_reference() { return processes_.next_reference(); }
  std::optional<peer> linked(const node_name& name) const {
    const auto found = links_.find(name);
    if (found == links_.end()) return std::nullopt;
    return found->second->peer();
  }

  const node_name& name() const noexcept { return options_.name; }
  const pid& own_process() const noexcept { return processes_.self(); }
  std::uint16_t port() const noexcept { return port_; }
  void cookies(std::vector<std::string> replaced) { options_.cookies = std::move(replaced); }
  std::vector<peer> peers() const {
    std::vector<peer> all;
    all.reserve(links_.size());
    for (const auto& [name, link] : links_) all.push_back(link->peer());
    return all;
  }
  void tick_time(const node_name& name, milliseconds net_ticktime) {
    const auto held = links_.find(name);
    if (held != links_.end()) held->second->peer_tick_time(net_ticktime);
  }

 private:
  using link_pointer = std::shared_ptr<link>;
  using dial_pointer = std::shared_ptr<dialling>;
  using incoming_pointer = std::shared_ptr<incoming>;

  link_pointer link_of(const pid& process) const {
    const auto name = node_name::parse(process.node);
    const auto found = name ? links_.find(*name) : links_.end();
    return found == links_.end() ? nullptr : found->second;
  }

  // What comes in for us: the node's own functions first, then the program's.
  call_handler own_answers() {
    return [this](const request& asked) {
      std::vector<node_name> linked;
      if (asked.module == "erlang") {
        for (const auto& [name, link] : links_) linked.push_back(name);
      }
      if (auto own = built_in(asked, options_.name, processes_.self(), linked)) return *std::move(own);
      return handler_ ? handler_(asked) : cnode::answer{answer_kind::undefined, {}};
    };
  }

  // ---- telling and spawning

  template <class Call>
  void tell(Call call) {
    if (observer_ == nullptr) return;
    asio::post(io_, [node = shared_from_this(), call = std::move(call)] {
      if (node->observer_ != nullptr) call(*node->observer_);
    });
  }
  void tell_handshake(direction which, std::optional<node_name> peer, const tcp::endpoint& remote,
                      boost::system::error_code code, std::string detail) {
    tell([=, peer = std::move(peer), detail = std::move(detail)](node_observer& observer) {
      observer.handshake_ended(which, peer, remote, code, detail);
    });
  }
  void tell_unexpected(const node_name& from, std::string what) {
    tell([from, what = std::move(what)](node_observer& observer) { observer.unexpected(from, what); });
  }

  void tell_gone(const reference& monitor) {
    tell([monitor](node_observer& observer) { observer.process_gone(monitor); });
  }

  void ended(const std::string& what, const std::exception_ptr& thrown) {
    if (--tasks_ == 0) idle_.cancel();
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& problem) {
      tell_unexpected(options_.name, fmt::format("{} ended: {}", what, problem.what()));
    }
  }
  void spawn(std::string what, asio::awaitable<void> task) {
    ++tasks_;
    asio::co_spawn(io_, std::move(task),
                   [node = shared_from_this(), what = std::move(what)](const std::exception_ptr& thrown) {
                     node->ended(what, thrown);
                   });
  }

  void shut_down() {
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    if (registration_) registration_->stop();
    for (const auto& one : incoming_) one->connection->close();
    while (!dials_.empty()) {
      const auto state = dials_.begin()->second;
      complete(state, is_stopping(state->where));
    }
    while (!links_.empty()) {
      drop(links_.begin()->second, make_error_code(error::stopping), "this program is leaving");
    }
  }

  failure is_stopping(const target& where) const {
    return {make_error_code(error::stopping),
            dial_step::resolve,
            fmt::format("{}: not dialled, this program is leaving", name_of(where)),
            {}};
  }

  identity own_identity() const { return {options_.name, flags::ours, processes_.self().creation}; }

  // ---- registration

  asio::awaitable<void> enrol() {
    epmd::registration entry;
    entry.alive = options_.name.alive();
    entry.port = port_;
    registration_ = std::make_shared<registration_keeper>(
        io_, std::move(entry), options_.port_mapper, options_.port_mapper_port,
        [this](boost::system::error_code code, std::string detail) {
          tell([code, detail = std::move(detail)](node_observer& observer) {
            observer.port_mapper_changed(code, detail);
          });
        });
    spawn("the registration", keep_registered(shared_from_this(), registration_));
    auto& settled = registration_->settled_timer();
    settled.expires_after(settle_limit);
    if (!registration_->settled()) co_await settled.async_wait(as_result);
    if (const auto given = registration_->creation(); given && *given >= least_creation) {
      processes_ = processes(options_.name, *given, own_answers());
    }
  }
  static asio::awaitable<void> keep_registered(self, std::shared_ptr<registration_keeper> keeper) {
    co_await keeper->run();
  }

  // ---- links

  void install(tcp::socket socket, const identity& other, direction which, const tcp::endpoint& remote) {
    if (stopping_) return;
    if (const auto held = links_.find(other.name); held != links_.end()) {
      drop(held->second, make_error_code(error::superseded),
           fmt::format("{} has linked anew; the old link is given up", other.name.text()));
    }
    const bool visible = (other.flags & flags::published) != 0;
    boost::system::error_code ignored;
    const auto local_port = socket.local_endpoint(ignored).port();
    peer linked{other.name, other.creation, other.flags, visible, which, remote, local_port, {}};
    if (which == direction::outgoing) linked.distribution_port = remote.port();
    const auto made =
        std::make_shared<link>(std::move(socket), linked, options_.tick_time, options_.max_queued_bytes);
    links_.emplace(other.name, made);
    tell([linked](node_observer& observer) { observer.link_up(linked); });
    spawn("the link to " + other.name.text(), run(shared_from_this(), made));
    for (auto found = dials_.find(other.name.text()); found != dials_.end();
         found = dials_.find(other.name.text())) {
      complete(found->second, linked);
    }
  }

  static asio::awaitable<void> run(self node, link_pointer link) {
    auto* const owner = node.get();  // `node` outlives the link's run
    auto receive = [owner](cnode::link& from, const message& received) { owner->receive(from, received); };
    auto unknown = [owner](cnode::link& from) {
      owner->tell_unexpected(from.peer().name, "a control message that this node does not know");
    };
    cnode::link::closing closing;
    try {
      closing = co_await link->run(std::move(receive), std::move(unknown));
    } catch (const std::exception& problem) {
      closing = {make_error_code(error::closed),
                 fmt::format("the link to {} failed here: {}", link->peer().name.text(), problem.what())};
    }
    node->drop(link, closing.code, closing.detail);
  }

  void drop(const link_pointer& link, boost::system::error_code code, const std::string& detail) {
    const auto held = links_.find(link->peer().name);
    if (held == links_.end() || held->second != link) return;
    const auto keep = link;  // `link` may be the map's own
    links_.erase(held);
    keep->close(code, detail);
    for (auto& [id, waiting] : keep->calls) {
      waiting->answer =
          call_failure{call_failure_kind::link_lost,
                       fmt::format("the link to {} was lost: {}", keep->peer().name.text(), detail)};
      waiting->wake.cancel();
    }
    keep->calls.clear();
    for (const auto& [id, process] : std::exchange(keep->watched, {})) tell_gone(id);
    tell([lost = keep->peer(), code, detail](node_observer& observer) {
      observer.link_down(lost, code, detail);
    });
  }

  void receive(link& from, const message& received) {
    if (const auto* reply = std::get_if<control::spawn_reply>(&received.control)) {
      const auto found = from.calls.find(reply->id);
      if (found == from.calls.end()) return;
      if (const auto* why = std::get_if<atom>(&reply->outcome)) {
        answer_call(from, found, call_failure{call_failure_kind::refused, why->text});
      } else {
        found->second->process = std::get<pid>(reply->outcome);
      }
      return;
    }
    if (const auto* down = std::get_if<control::monitor_exit>(&received.control)) {
      const auto found = from.calls.find(down->ref);
      if (found != from.calls.end()) {
        answer_call(from, found,
                    found->second->ends_with_reason ? call_result<term>(down->reason)
                                                    : read_answer(found->first, down->reason));
      } else if (from.watched.erase(down->ref) != 0) {
        tell_gone(down->ref);
      }
      return;
    }
    auto reaction = processes_.receive(from.session, received);
    if (!reaction.frames.empty()) from.answer(reaction.frames);
    if (reaction.told && !(messages_ && messages_(from.peer().name, *reaction.told))) {
      reaction.unexpected =
          fmt::format("a message that nobody waits for: {}", to_string(*reaction.told, 200));
    }
    if (!reaction.unexpected.empty()) tell_unexpected(from.peer().name, std::move(reaction.unexpected));
  }

  static void answer_call(link& from, std::map<reference, pending_call*>::iterator which,
                          call_result<term> answer) {
    which->second->answer = std::move(answer);
    which->second->wake.cancel();
    from.calls.erase(which);
  }

  // ---- dialling

  dial_pointer join_or_begin(target where) {
    if (where.name) {
      if (const auto found = dials_.find(where.name->text()); found != dials_.end()) {
        found->second->where.take_over &= where.take_over;
        return found->second;
      }
    }
    const auto key = where.name ? where.name->text() : std::string();
    const auto state = std::make_shared<dialling>(io_.get_executor(), std::move(where));
    dials_.emplace(key, state);
    begin(state);
    return state;
  }

  void begin(const dial_pointer& state) {
    ++tasks_;
    state->running = true;
    *state->progress = {};
    asio::co_spawn(io_, attempt(shared_from_this(), state),
                   asio::bind_cancellation_slot(state->abort.slot(), [node = shared_from_this(), state](
                                                                         const std::exception_ptr& thrown) {
                     node->attempt_ended(state, thrown);
                   }));
  }

  void attempt_ended(const dial_pointer& state, const std::exception_ptr& thrown) {
    state->running = false;
    // A cancelled attempt ends in an exception; that says nothing.
    ended("", nullptr);
    if (state->result) return;
    if (std::exchange(state->giving_way, false)) {
      begin(state);
      return;
    }
    if (state->made) {
      auto [socket, remote, other] = *std::move(state->made);
      install(std::move(socket), other, direction::outgoing, remote);
      // Whoever is linked now, installing has told; this one may have been dialled by another name.
      if (const auto linked = links_.find(other.name); linked != links_.end()) {
        complete(state, linked->second->peer());
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
  void complete(const dial_pointer& given, outcome<peer> result) {
    const auto state = given;  // `given` may be the map's own
    if (state->result) return;
    state->result = std::move(result);
    std::erase_if(dials_, [&](const auto& entry) { return entry.second == state; });
    for (auto* waiter : state->waiters) waiter->cancel();
    if (state->running) state->abort.emit(asio::cancellation_type::terminal);
  }

  bool is_coming_in(const target& where) const {
    if (!where.name) return false;
    return std::any_of(incoming_.begin(), incoming_.end(),
                       [&](const incoming_pointer& one) { return one->name == where.name; });
  }

  static asio::awaitable<void> attempt(self node, dial_pointer state) {
    while (true) {
      // The node itself is on its way to us: its attempt and ours would only get into each other's way.
      if (node->is_coming_in(state->where) && !std::exchange(state->waited, true)) {
        state->pause.expires_after(give_way);
        co_await state->pause.async_wait(as_result);
      }
      co_await attempt_with_cookies(node, state);
      if (state->made || !state->failed || state->failed->code != error::lost_simultaneous) co_return;
      state->pause.expires_after(give_way);
      co_await state->pause.async_wait(as_result);
    }
  }

  static asio::awaitable<void> attempt_with_cookies(self node, dial_pointer state) {
    auto where = state->where;
    const auto cookies = node->options_.cookies;
    if (cookies.empty()) {
      state->failed =
          failure{make_error_code(error::cookie_refused), dial_step::handshake, "there is no cookie", {}};
      co_return;
    }
    for (const auto& cookie : cookies) {
      auto connected =
          co_await reach(where, node->resolve_, node->options_.port_mapper_port, state->progress);
      if (!connected) {
        state->failed = std::move(connected).error();
        co_return;
      }
      auto [socket, remote] = std::move(connected).value();
      *state->progress = {dial_step::handshake, remote};
      auto other = co_await shake(socket, remote, state->where, node->own_identity(), cookie,
                                  node->options_.challenges->issue());
      if (other) {
        node->tell_handshake(direction::outgoing, other->name, remote, {}, {});
        state->made = dialling::established{std::move(socket), remote, *std::move(other)};
        co_return;
      }
      // A cancelled one was told of by whoever cancelled it.
      const auto asked = co_await asio::this_coro::cancellation_state;
      if (asked.cancelled() != asio::cancellation_type::none) co_return;
      state->failed = std::move(other).error();
      node->tell_handshake(direction::outgoing, state->failed->peer ? state->failed->peer : state->where.name,
                           remote, state->failed->code, state->failed->detail);
      if (state->failed->code != error::cookie_refused) co_return;
      where.address = remote.address();
      where.port = remote.port();
    }
  }

  // ---- coming in

  static asio::awaitable<void> accept(self node) {
    while (!node->stopping_) {
      auto [code, socket] = co_await node->acceptor_.async_accept(as_result);
      if (node->stopping_) co_return;
      if (code) {
        asio::steady_timer pause(node->io_, accept_pause);
        co_await pause.async_wait(as_result);
        continue;
      }
      // None of them has shown the cookie: nobody keeps others out by standing still.
      if (node->incoming_.size() >= node->options_.max_incoming_handshakes) {
        node->incoming_.front()->connection->expire();
        node->incoming_.pop_front();
      }
      const auto one = std::make_shared<incoming>();
      one->connection = timed_socket::make(std::move(socket), node->options_.handshake_limit);
      node->incoming_.push_back(one);
      node->spawn("a connection that came in", answer(node, one));
    }
  }

  static asio::awaitable<void> answer(self node, incoming_pointer one) {
    auto& socket = one->connection->socket;
    boost::system::error_code ignored;
    const auto remote = socket.remote_endpoint(ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    // A peer that asks for a name goes on only if both sides have NAME_ME (dist_util.erl, adjust_flags).
    auto identity = node->own_identity();
    identity.flags |= flags::name_me;
    accepting_handshake handshake(std::move(identity), node->options_.cookies,
                                  node->options_.challenges->issue());

    const auto code = co_await shake_hands(node, one, handshake);
    const auto& other = handshake.peer();
    const auto name = other ? std::optional(other->name) : std::nullopt;
    node->tell_handshake(direction::incoming, name, remote, code, explain_incoming(name, remote, code));
    if (!code) {
      one->connection->forever();
      node->install(std::move(socket), *other, direction::incoming, remote);
    }
    one->connection->close();
    std::erase(node->incoming_, one);
    if (!name) co_return;
    for (auto [at, end] = node->dials_.equal_range(name->text()); at != end; ++at) at->second->pause.cancel();
  }

  static asio::awaitable<boost::system::error_code> shake_hands(self node, incoming_pointer one,
                                                                accepting_handshake& handshake) {
    using verdict = accepting_handshake::verdict;
    auto& connection = *one->connection;
    const auto ended_by = [&](boost::system::error_code code) {
      if (node->stopping_) return make_error_code(error::stopping);
      return connection.failure(code);
    };
    bool named = false;
    while (true) {
      const auto frame = co_await read_handshake_frame(connection.socket);
      if (!frame) co_return ended_by(frame.error());
      auto step = handshake.receive(*frame);
      if (!step) co_return step.error();
      auto decided = verdict::ok;
      if (!std::exchange(named, true)) {
        std::optional<node_name> given;
        if (handshake.wants_name()) {
          given = made_up_name(handshake.proposed_host());
          if (!given) co_return make_error_code(error::unexpected_message);
          if (node->standing_by_) decided = verdict::not_allowed;
        } else {
          decided = node->decide(one, handshake.peer()->name);
        }
        step = handshake.answer_name(decided, std::move(given));
      }
      const auto written = co_await write_handshake_frames(connection.socket, step->send);
      if (!written) co_return ended_by(written.error());
      if (decided == verdict::nok) co_return make_error_code(error::lost_simultaneous);
      if (decided == verdict::not_allowed) {
        co_return make_error_code(node->standing_by_ ? error::stopping : error::not_allowed);
      }
      if (step->finished) co_return boost::system::error_code{};
    }
  }

  accepting_handshake::verdict decide(const incoming_pointer& one, const node_name& name) {
    using verdict = accepting_handshake::verdict;
    if (name == options_.name || standing_by_) return verdict::not_allowed;
    one->name = name;
    if (links_.contains(name)) return verdict::alive;
    const auto found = dials_.find(name.text());
    if (found == dials_.end()) return verdict::ok;
    const auto state = found->second;
    const bool shaking = state->running && state->progress->step == dial_step::handshake;
    if (shaking && options_.name > name) {
      one->name.reset();
      return verdict::nok;
    }
    // Its attempt is further than ours, or goes first.
    if (state->running && !std::exchange(state->gave_way, true)) {
      if (shaking) {
        const auto code = make_error_code(error::lost_simultaneous);
        tell_handshake(direction::outgoing, name, state->progress->at, code,
                       explain(state->where, dial_step::handshake, state->progress->at, code));
      }
      state->giving_way = true;
      state->abort.emit(asio::cancellation_type::terminal);
    }
    return verdict::ok_simultaneous;
  }

  static std::string explain_incoming(const std::optional<node_name>& name, const tcp::endpoint& remote,
                                      boost::system::error_code code) {
    if (!code) return {};
    const auto who = name ? fmt::format("{} from {}", name->text(), to_string(remote)) : to_string(remote);
    if (code == error::cookie_refused) return fmt::format("{} came with another cookie than ours", who);
    if (code == error::not_allowed) return fmt::format("{} came with our own name", who);
    if (code == error::reflected) return fmt::format("{} sent our own challenge back as its own", who);
    if (code == error::stopping) return fmt::format("{} came while this program takes no links", who);
    return fmt::format("{} came and did not finish the handshake: {}", who, code.message());
  }

  asio::io_context& io_;
  node_options options_;
  node_observer* observer_;
  resolve_function resolve_;
  call_handler handler_;
  message_handler messages_;
  processes processes_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::shared_ptr<registration_keeper> registration_;
  std::map<node_name, link_pointer> links_;
  std::multimap<std::string, dial_pointer> dials_;  // by name; several under no name
  std::list<incoming_pointer> incoming_;            // the oldest first
  std::size_t tasks_ = 0;
  asio::steady_timer idle_;  // cancelled when the last task has ended
  bool stopping_ = false, standing_by_ = false;
};

node::node(asio::io_context& io, node_options options, node_observer& observer, resolve_function resolve,
           call_handler handler, message_handler messages)
    : implementation_(std::make_unique<implementation>()) {
  implementation_->running = std::make_shared<implementation::core>(
      io, std::move(options), observer, std::move(resolve), std::move(handler), std::move(messages));
}

node::~node() {
  implementation_->running->abandon();
}

asio::awaitable<result<void>> node::start() {
  return implementation::core::start(implementation_->running);
}
asio::awaitable<void> node::stop() {
  return implementation::core::stop(implementation_->running);
}
asio::awaitable<outcome<peer>> node::dial(target where, milliseconds limit) {
  return implementation::core::dial(implementation_->running, std::move(where), limit);
}
void node::hang_up(const node_name& name) {
  implementation_->running->hang_up(name);
}
asio::awaitable<call_result<term>> node::call(node_name on, std::string module, std::string function,
                                              byte_string arguments, milliseconds limit) {
  return implementation::core::call(implementation_->running, std::move(on), std::move(module),
                                    std::move(function), std::move(arguments), limit);
}
asio::awaitable<call_result<term>> node::run(node_name on, std::string module, std::string function,
                                             std::uint8_t arity, byte_string arguments) {
  return implementation::core::run_process(implementation_->running, std::move(on), std::move(module),
                                           std::move(function), arity, std::move(arguments));
}
bool node::send(const node_name& on, std::string_view process, byte_view message) {
  return implementation_->running->send(on, process, message);
}
bool node::send(const pid& to, byte_view message) {
  return implementation_->running->send(to, message);
}
std::optional<reference> node::monitor(const pid& process) {
  return implementation_->running->monitor(process);
}
void node::demonitor(const reference& monitor) {
  implementation_->running->demonitor(monitor);
}
std::size_t node::waiting(const node_name& on) const {
  return implementation_->running->waiting(on);
}
void node::stand_by(bool now) {
  implementation_->running->stand_by(now);
}
reference node::new_reference() {
  return implementation_->running->new_reference();
}
std::optional<peer> node::linked(const node_name& name) const {
  return implementation_->running->linked(name);
}
const node_name& node::name() const noexcept {
  return implementation_->running->name();
}
std::uint32_t node::creation() const noexcept {
  return self().creation;
}
std::uint16_t node::port() const noexcept {
  return implementation_->running->port();
}
std::vector<peer> node::peers() const {
  return implementation_->running->peers();
}
const pid& node::self() const noexcept {
  return implementation_->running->own_process();
}
void node::cookies(std::vector<std::string> replaced) {
  implementation_->running->cookies(std::move(replaced));
}
void node::tick_time(const node_name& name, milliseconds net_ticktime) {
  implementation_->running->tick_time(name, net_ticktime);
}

void throw_exception_from_error(const failure& failed, const boost::source_location&) {
  throw std::runtime_error(failed.detail);
}
void throw_exception_from_error(const call_failure& failed, const boost::source_location&) {
  throw std::runtime_error(failed.detail);
}

}  // namespace rollcall::cnode
