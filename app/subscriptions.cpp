#include "app/subscriptions.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/answers.hpp"
#include "app/tasks.hpp"
#include "cnode/flags.hpp"
#include "membership/report.hpp"

namespace rollcall::app {
namespace {

using clock = std::chrono::steady_clock;
constexpr milliseconds look_limit{5'000};

// The `message_queue_len` of erlang:process_info/2; absent: the process is gone, or something else came.
std::optional<std::int64_t> queue_length(const cnode::term& answer) {
  const auto* pair = answer.as<cnode::tuple>();
  if (pair == nullptr || pair->items.size() != 2) return {};
  const auto* length = pair->items[1].as<std::int64_t>();
  return length == nullptr ? std::nullopt : std::optional(*length);
}

}  // namespace

struct subscriptions::implementation : std::enable_shared_from_this<implementation> {
  struct subscriber {
    cnode::reference monitor;
    std::uint64_t place;    // number of the next event it gets
    bool can_be_looked_at;  // false: its node runs no calls; what its link does not take is all that is seen
    std::size_t unlooked = 0;  // messages since its queue was looked at
    std::optional<clock::time_point> looked{};
    bool looking = false, full = false;
  };

  implementation(asio::io_context& on, node_function node, call_function call, log& told)
      : io(on), node_of(std::move(node)), ask(std::move(call)), lines(told), again(on) {}

  std::uint64_t end() const noexcept { return first + kept.size(); }

  // {rollcall, Node, Event}
  cnode::byte_string encoded(const cnode::node& node, const membership::report::document& event) const {
    cnode::term_writer out;
    out.tuple_header(3).atom("rollcall").atom(node.name().text());
    encode(out, event);
    return out.bytes();
  }

  cnode::byte_string missed(const cnode::node& node, std::uint64_t count) const {
    membership::event told;
    told.id = last_id;
    told.at = last_at;
    told.type = membership::event_type::missed;
    told.text = fmt::format("{} event{} did not fit: this process or its node fell behind", count,
                            count == 1 ? "" : "s");
    auto event = membership::report::event(told);
    std::get<membership::report::object>(event.value)
        .push_back({"count", membership::report::document{static_cast<std::int64_t>(count)}});
    return encoded(node, event);
  }

  void publish(const membership::event& e) {
    const auto* node = node_of();
    if (node == nullptr) return;
    if (all.empty()) {
      first = end();
      kept.clear();
      return;
    }
    kept.push_back(encoded(*node, membership::report::event(e)));
    last_id = e.id;
    last_at = e.at;
    if (kept.size() > max_kept_events) {
      kept.pop_front();
      ++first;
    }
    for (auto& [pid, one] : all) move(pid, one);
  }

  // As far as it goes now.
  void move(const cnode::pid& pid, subscriber& one) {
    auto* node = node_of();
    const auto name = node_name::parse(pid.node);
    if (node == nullptr || !name) return;
    const auto now = clock::now();
    while (one.place < end() && !one.looking && !one.full) {
      if (one.can_be_looked_at &&
          (one.unlooked >= look_every || !one.looked || now - *one.looked >= look_is_old)) {
        look(pid, one);
        return;
      }
      if (node->waiting(*name) > max_waiting) {
        try_later();
        return;
      }
      if (one.place < first) {
        node->send(pid, missed(*node, first - one.place));
        one.place = first;
      } else {
        node->send(pid, kept[static_cast<std::size_t>(one.place - first)]);
        ++one.place;
      }
      ++one.unlooked;
    }
  }

  void look(const cnode::pid& pid, subscriber& one) {
    one.looking = true;
    asio::co_spawn(io, look_at(shared_from_this(), pid, one.monitor),
                   [self = shared_from_this()](const std::exception_ptr& failure) {
                     task_ended(self->lines, "look at a subscriber", failure);
                   });
  }

  static asio::awaitable<void> look_at(std::shared_ptr<implementation> self, cnode::pid pid,
                                       cnode::reference monitor) {
    const auto on = node_name::parse(pid.node);
    cnode::term_writer arguments;
    arguments.list_header(2).write(pid).atom("message_queue_len").nil();
    const auto answer = co_await self->ask(*on, "erlang", "process_info", arguments.bytes(), look_limit);
    const auto found = self->all.find(pid);
    if (found == self->all.end() || found->second.monitor != monitor) co_return;
    auto& one = found->second;
    one.looking = false;
    one.looked = clock::now();
    const auto length = answer ? queue_length(*answer) : std::nullopt;
    // A node that does not tell is treated as one whose process is full: it is asked again.
    one.full = !length || *length > max_queue_length;
    if (!one.full) {
      one.unlooked = 0;
      self->move(pid, one);
      co_return;
    }
    asio::steady_timer pause(self->io, look_again);
    const auto [stopped] = co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    const auto still = self->all.find(pid);
    if (stopped || still == self->all.end() || still->second.monitor != monitor) co_return;
    still->second.full = false;
    self->look(pid, still->second);
  }

  void try_later() {
    if (std::exchange(trying, true)) return;
    again.expires_after(try_again);
    again.async_wait([self = weak_from_this()](boost::system::error_code code) {
      const auto held = self.lock();
      if (code || !held) return;
      held->trying = false;
      for (auto& [pid, one] : held->all) held->move(pid, one);
    });
  }

  asio::io_context& io;
  node_function node_of;
  call_function ask;
  log& lines;
  asio::steady_timer again;
  bool trying = false;
  std::deque<cnode::byte_string> kept;  // numbered first, first + 1, ...
  std::uint64_t first = 0;
  std::uint64_t last_id = 0;
  membership::wall_time last_at;
  void forget(std::map<cnode::pid, subscriber>::iterator which) {
    by_monitor.erase(which->second.monitor);
    if (const auto node = of_node.find(which->first.node); --node->second == 0) of_node.erase(node);
    all.erase(which);
  }

  std::map<cnode::pid, subscriber> all;
  std::map<cnode::reference, cnode::pid> by_monitor;
  std::map<std::string, std::size_t> of_node;
};

subscriptions::subscriptions(asio::io_context& io, node_function node, call_function call, log& lines)
    : implementation_(std::make_shared<implementation>(io, std::move(node), std::move(call), lines)) {}

subscriptions::~subscriptions() {
  implementation_->all.clear();
}

subscriptions::outcome subscriptions::add(const cnode::pid& pid) {
  auto& all = implementation_->all;
  if (all.contains(pid)) return outcome::ok;
  auto* node = implementation_->node_of();
  if (node == nullptr) return outcome::no_connection;
  const auto its_node = implementation_->of_node.find(pid.node);
  const auto others = its_node == implementation_->of_node.end() ? 0 : its_node->second;
  if (all.size() >= max_subscribers || others >= max_subscribers_of_a_node) return outcome::too_many;
  const auto monitor = node->monitor(pid);
  if (!monitor) return outcome::no_connection;
  const auto name = node_name::parse(pid.node);
  const auto peer = name ? node->linked(*name) : std::nullopt;
  all.emplace(pid, implementation::subscriber{
                       .monitor = *monitor,
                       .place = implementation_->end(),
                       .can_be_looked_at = peer && cnode::flags::has(peer->flags, cnode::flags::spawn)});
  implementation_->by_monitor.emplace(*monitor, pid);
  ++implementation_->of_node[pid.node];
  return outcome::ok;
}

void subscriptions::remove(const cnode::pid& pid) {
  auto& all = implementation_->all;
  const auto found = all.find(pid);
  if (found == all.end()) return;
  if (auto* node = implementation_->node_of()) node->demonitor(found->second.monitor);
  implementation_->forget(found);
}

std::size_t subscriptions::size() const noexcept {
  return implementation_->all.size();
}

void subscriptions::publish(const membership::event& e) {
  implementation_->publish(e);
}

void subscriptions::process_gone(const cnode::reference& monitor) {
  const auto found = implementation_->by_monitor.find(monitor);
  if (found == implementation_->by_monitor.end()) return;
  implementation_->forget(implementation_->all.find(found->second));
}

}  // namespace rollcall::app
