// The node itself: its links, its dials, its arrivals and its registration, wired together. Only node.cpp
// includes this.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <map>

#include "cnode/arrivals.hpp"
#include "cnode/built_in.hpp"
#include "cnode/dials.hpp"
#include "cnode/flags.hpp"
#include "cnode/link.hpp"
#include "cnode/node.hpp"
#include "cnode/registration.hpp"

namespace rollcall::cnode {

class node::implementation final : public node_services, public std::enable_shared_from_this<implementation> {
 public:
  implementation(asio::io_context& io, node_options options, node_observer& observer,
                 resolve_function resolve, call_handler handler, message_handler messages)
      : io_(io),
        options_(std::move(options)),
        observer_(&observer),
        handler_(std::move(handler)),
        messages_(std::move(messages)),
        processes_(options_.name, random_creation(), own_answers()),
        dials_(*this, std::move(resolve),
               [this](const node_name& name) { return arrivals_.coming_in(name); }),
        arrivals_(*this, dials_),
        idle_(io) {}

  using self = std::shared_ptr<implementation>;

  static asio::awaitable<result<void>> start(self node) {
    if (const auto code = node->arrivals_.listen(node->options_.listen_port)) co_return code;
    if (node->options_.port_mapper != port_mapper_mode::none) co_await node->enrol();
    node->spawn("the listener", arrivals::accept({node, &node->arrivals_}));
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
    // Named, here and below: GCC 12 copies a braced temporary of a co_await expression byte by byte.
    const std::shared_ptr<dials> dialling(node, &node->dials_);
    co_return co_await dials::dial(dialling, std::move(where), limit);
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
    arrivals_.close_all();
    dials_.give_up([](const target& where) {
      return failure{make_error_code(error::stopping),
                     dial_step::resolve,
                     fmt::format("{}: given up, this program stands by", name_of(where)),
                     {}};
    });
    while (!links_.empty()) {
      drop(links_.begin()->second, make_error_code(error::stopping), "this program stands by");
    }
  }

  void call(const node_name& on, std::string module, std::string function, byte_view arguments,
            milliseconds limit, std::unique_ptr<call_waiter> told) {
    begin(on, std::move(told), [&](link& to, std::unique_ptr<call_waiter>& waiting) {
      to.calls.call(processes_.self(), processes_.next_reference(), {std::move(module), std::move(function)},
                    arguments, limit, waiting);
    });
  }
  void run_process(const node_name& on, std::string module, std::string function, std::uint8_t arity,
                   byte_view arguments, std::unique_ptr<call_waiter> told) {
    begin(on, std::move(told), [&](link& to, std::unique_ptr<call_waiter>& waiting) {
      to.calls.run(processes_.self(), processes_.next_reference(), {std::move(module), std::move(function)},
                   arity, arguments, waiting);
    });
  }

  bool send(const node_name& on, std::string_view process, byte_view message) {
    const auto found = links_.find(on);
    if (found == links_.end()) return false;
    found->second->send(front_to(process).with(message));
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
    if (flags::has(link->peer().flags, flags::takes_monitors)) {
      link->send(encode_message(control::monitor{processes_.self(), process, id}));
    }
    return id;
  }
  void demonitor(const reference& id) {
    for (const auto& [name, link] : links_) {
      const auto found = link->watched.find(id);
      if (found == link->watched.end()) continue;
      const auto process = found->second;
      link->watched.erase(found);
      if (flags::has(link->peer().flags, flags::takes_monitors)) {
        link->send(encode_message(control::demonitor{processes_.self(), process, id}));
      }
      return;
    }
  }
  std::size_t waiting(const node_name& on) const {
    const auto found = links_.find(on);
    return found == links_.end() ? 0 : found->second->waiting();
  }
  std::size_t held() const noexcept { return budget_->held(); }
  reference new_reference() { return processes_.next_reference(); }
  std::optional<peer> linked(const node_name& name) const override {
    const auto found = links_.find(name);
    if (found == links_.end()) return std::nullopt;
    return found->second->peer();
  }

  const node_name& name() const noexcept { return options_.name; }
  const pid& own_process() const noexcept { return processes_.self(); }
  std::uint16_t port() const noexcept { return arrivals_.port(); }
  void cookies(std::vector<std::string> replaced) { options_.cookies = std::move(replaced); }
  void tls(std::shared_ptr<const rollcall::tls::context> replaced) { options_.tls = std::move(replaced); }
  std::size_t links() const noexcept { return links_.size(); }
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

  static constexpr milliseconds settle_limit{1'000}, stop_limit{800};
  static constexpr std::size_t max_fronts = 16;
  static constexpr std::uint32_t least_creation = 4;  // 0 to 3 are what nodes before OTP 23 used

  // What cannot even be asked ends as a call does, too: later, and told to who waits for it.
  template <class Ask>
  void begin(const node_name& on, std::unique_ptr<call_waiter> told, Ask ask) {
    auto link = runs_calls(on);
    if (link) {
      try {
        ask(**link, told);
        return;
      } catch (const std::exception& problem) {
        link =
            call_failure{call_failure_kind::refused, fmt::format("it cannot be asked: {}", problem.what())};
      }
    }
    if (!told) return;  // it is in the link's table, and ends with that
    asio::post(io_, [told = std::move(told), why = link.error()]() mutable { told->ended(std::move(why)); });
  }

  static std::uint32_t random_creation() { return std::max(random_word(), least_creation); }

  // ---- node_services

  asio::io_context& io() noexcept override { return io_; }
  const node_options& options() const noexcept override { return options_; }
  identity own_identity() const override { return {options_.name, flags::ours, processes_.self().creation}; }
  bool stopping() const noexcept override { return stopping_; }
  bool standing_by() const noexcept override { return standing_by_; }
  std::shared_ptr<node_services> hold() override { return shared_from_this(); }
  std::size_t links_that_came_in() const noexcept override {
    return static_cast<std::size_t>(std::ranges::count(
        links_, direction::incoming, [](const auto& entry) { return entry.second->peer().direction; }));
  }
  void task_began() noexcept override { ++tasks_; }
  void task_ended() noexcept override {
    if (--tasks_ == 0) idle_.cancel();
  }

  // They go to processes of a few names, the same on every node.
  message_front& front_to(std::string_view process) {
    const auto known = fronts_.find(process);
    if (known != fronts_.end()) return known->second;
    if (fronts_.size() == max_fronts) fronts_.clear();
    const control::reg_send to{processes_.self(), atom{std::string(process)}};
    return fronts_.emplace(process, message_front(to)).first->second;
  }

  // The link to a node that starts processes for others: a C or a Java node does not.
  call_result<link_pointer> runs_calls(const node_name& on) const {
    const auto found = links_.find(on);
    if (found == links_.end()) {
      return call_failure{call_failure_kind::no_link, fmt::format("there is no link to {}", on.text())};
    }
    if (!flags::has(found->second->peer().flags, flags::spawn)) {
      return call_failure{call_failure_kind::refused,
                          fmt::format("{} did not announce that it runs calls (SPAWN)", on.text())};
    }
    return found->second;
  }

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
                      boost::system::error_code code, std::string detail) override {
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
    task_ended();
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& problem) {
      tell_unexpected(options_.name, fmt::format("{} ended: {}", what, problem.what()));
    }
  }
  void spawn(std::string what, asio::awaitable<void> task) override {
    task_began();
    asio::co_spawn(io_, std::move(task),
                   [node = shared_from_this(), what = std::move(what)](const std::exception_ptr& thrown) {
                     node->ended(what, thrown);
                   });
  }

  void shut_down() {
    stopping_ = true;
    arrivals_.stop();
    if (registration_) registration_->stop();
    dials_.give_up(is_stopping);
    while (!links_.empty()) {
      drop(links_.begin()->second, make_error_code(error::stopping), "this program is leaving");
    }
  }

  // ---- registration

  asio::awaitable<void> enrol() {
    epmd::registration entry;
    entry.alive = options_.name.alive();
    entry.port = arrivals_.port();
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
      fronts_.clear();  // they show who we were
      front_to_us_.reset();
    }
  }
  static asio::awaitable<void> keep_registered(self, std::shared_ptr<registration_keeper> keeper) {
    co_await keeper->run();
  }

  // ---- links

  void install(stream connected, const identity& other, direction which,
               const tcp::endpoint& remote) override {
    if (stopping_) return;
    if (const auto held = links_.find(other.name); held != links_.end()) {
      drop(held->second, make_error_code(error::superseded),
           fmt::format("{} has linked again; the old link is given up", other.name.text()));
    }
    const bool visible = (other.flags & flags::published) != 0;
    boost::system::error_code ignored;
    const auto local_port = connected.socket().local_endpoint(ignored).port();
    peer linked{other.name, other.creation, other.flags, visible, which, remote, local_port, {}};
    if (which == direction::outgoing) linked.distribution_port = remote.port();
    if (auto* const secured = connected.secured()) {
      linked.tls = secured->version();
      secured->trust();
    }
    const auto made = std::make_shared<link>(std::move(connected), linked, options_.tick_time,
                                             options_.max_queued_bytes, budget_);
    links_.emplace(other.name, made);
    tell([linked](node_observer& observer) { observer.link_up(linked); });
    spawn("the link to " + other.name.text(), run(shared_from_this(), made));
    dials_.linked(linked);
  }

  static asio::awaitable<void> run(self node, link_pointer link) {
    auto* const owner = node.get();  // `node` outlives the link's run
    auto receive = [owner](cnode::link& from, const message& received) { owner->receive(from, received); };
    auto unknown = [owner](cnode::link& from) {
      owner->tell_unexpected(from.peer().name, "a control message that this node does not know");
    };
    cnode::link::closing closing;
    try {
      closing = co_await link->run(std::move(receive), std::move(unknown), owner->sent_to_us());
    } catch (const std::exception& problem) {
      closing = {make_error_code(error::closed),
                 fmt::format("the link to {} failed here: {}", link->peer().name.text(), problem.what())};
    }
    node->drop(link, closing.code, closing.detail);
  }

  link::sent_to_us sent_to_us() {
    if (!messages_) return {};
    if (!front_to_us_) {
      const auto frame = encode_message(control::send{processes_.self()}, term_writer().nil().view());
      constexpr std::size_t length = 4, nil = 1;
      front_to_us_ = std::make_shared<const byte_string>(frame, length, frame.size() - length - nil);
    }
    return {front_to_us_, [this](link& from, byte_view payload) {
              return messages_ && messages_(from.peer().name, payload);
            }};
  }

  void drop(const link_pointer& link, boost::system::error_code code, const std::string& detail) {
    const auto held = links_.find(link->peer().name);
    if (held == links_.end() || held->second != link) return;
    const auto kept = links_.extract(held);  // `link` may be the map's own
    link->close(code, detail);
    link->calls.lost(fmt::format("the link to {} was lost: {}", link->peer().name.text(), detail));
    for (const auto& [id, process] : std::exchange(link->watched, {})) tell_gone(id);
    tell([lost = link->peer(), code, detail](node_observer& observer) {
      observer.link_down(lost, code, detail);
    });
  }

  void receive(link& from, const message& received) {
    if (from.calls.receive(received.control)) return;
    if (const auto* down = std::get_if<control::monitor_exit>(&received.control)) {
      if (from.watched.erase(down->ref) != 0) tell_gone(down->ref);
      return;
    }
    if (const auto* sent = std::get_if<control::send>(&received.control);
        sent != nullptr && messages_ && !received.payload_skipped && sent->to == processes_.self() &&
        messages_(from.peer().name, received.payload)) {
      return;
    }
    auto reaction = processes_.receive(from.session, received);
    if (!reaction.frames.empty()) from.answer(reaction.frames);
    if (reaction.referring) from.answer(*reaction.referring);
    for (auto& each : reaction.long_ones) from.answer(std::move(each));
    if (reaction.told) {
      reaction.unexpected =
          fmt::format("a message that nobody waits for: {}", to_string(*reaction.told, 200));
    }
    if (!reaction.unexpected.empty()) tell_unexpected(from.peer().name, std::move(reaction.unexpected));
  }

  asio::io_context& io_;
  node_options options_;
  node_observer* observer_;
  call_handler handler_;
  message_handler messages_;
  processes processes_;
  std::map<std::string, message_front, std::less<>> fronts_;  // by the process that they are to
  std::shared_ptr<const byte_string> front_to_us_;
  std::shared_ptr<registration_keeper> registration_;
  std::map<node_name, link_pointer> links_;
  dials dials_;
  arrivals arrivals_;
  std::shared_ptr<memory_budget> budget_ = std::make_shared<memory_budget>(options_.max_held_bytes);
  std::size_t tasks_ = 0;
  asio::steady_timer idle_;  // cancelled when the last task has ended
  bool stopping_ = false, standing_by_ = false;
};

}  // namespace rollcall::cnode
