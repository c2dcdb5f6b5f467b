#include "app/lookouts.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/probes.hpp"
#include "app/tasks.hpp"
#include "cnode/error.hpp"
#include "cnode/port_mapper.hpp"
#include "cnode/timed_socket.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

constexpr milliseconds port_wait = 1'000ms;

// A connection that says nothing: nodes do not log it.
asio::awaitable<bool> listens(asio::ip::tcp::endpoint at) {
  auto probe = cnode::timed_socket::make(co_await asio::this_coro::executor, port_wait);
  boost::system::error_code code;
  co_await probe->socket.async_connect(at, asio::redirect_error(asio::use_awaitable, code));
  // Silence says nothing about who listens.
  const bool gone = code == boost::system::errc::connection_refused;
  probe->close();
  co_return !gone;
}

}  // namespace

std::size_t lookouts::look(const std::shared_ptr<void>& owner, const membership::snapshot& s,
                           std::size_t from) {
  for (std::size_t begun = 0; from < s.members.size() && begun < at_once; ++from) {
    const auto& m = s.members[from];
    if (!m.listed || m.linked || m.why == membership::reason::none) continue;
    auto& one = known_[m.name];
    if (!one) one = std::make_shared<known>();
    if (m.why != membership::reason::cookie) one->refused = false;
    if (one->looking) continue;
    one->looking = true;
    ++begun;
    asio::co_spawn(io_, look_for(owner, m.name), [this, owner, one](const std::exception_ptr& failure) {
      task_ended(log_, "look out for a node", failure);
      one->looking = false;
    });
  }
  if (from < s.members.size()) return from;
  std::erase_if(known_, [&](const auto& each) {
    const auto* m = s.find(each.first.text());
    return m == nullptr || !m->listed;
  });
  return from;
}

void lookouts::linked(const node_name& name, const asio::ip::address& at) {
  auto& one = known_[name];
  if (!one) one = std::make_shared<known>();
  const bool mapped = at.is_v6() && at.to_v6().is_v4_mapped();
  one->addresses = {mapped ? asio::ip::make_address_v4(asio::ip::v4_mapped, at.to_v6()) : at};
  one->looked = one->refused = one->away = false;
  one->port.reset();
}

void lookouts::refused(const std::shared_ptr<void>& owner, const node_name& name) {
  auto& one = known_[name];
  if (!one) one = std::make_shared<known>();
  one->refused = true;
  one->away = false;
  one->port.reset();
  if (std::exchange(one->looking, true)) return;
  asio::co_spawn(io_, look_for(owner, name), [this, owner, held = one](const std::exception_ptr& failure) {
    task_ended(log_, "look out for a node", failure);
    held->looking = false;
  });
}

asio::awaitable<void> lookouts::look_for(std::shared_ptr<void> /*owner*/, node_name name) {
  const auto one = known_[name];
  const auto target = around_.target_for(name);
  std::set<asio::ip::address> now;
  if (target.address) {
    now.insert(*target.address);
  } else {
    auto found = co_await around_.resolve(target.host);
    if (around_.stopping()) co_return;
    now.insert(found.addresses.begin(), found.addresses.end());
  }
  // Where it was linked last is one of a host's addresses, perhaps.
  const bool other = one->looked ? now != one->addresses
                                 : std::ranges::none_of(one->addresses,
                                                        [&](const auto& each) { return now.contains(each); });
  const bool first = !one->looked && one->addresses.empty() && one->refused;
  one->looked = true;
  one->addresses = now;
  if (now.empty()) co_return;
  if (other && !first) {
    around_.shows_up(name);
    co_return;
  }
  if (one->refused && co_await another_run(*one, target, *now.begin()) && !around_.stopping()) {
    one->refused = false;
    around_.shows_up(name);
  }
}

asio::awaitable<bool> lookouts::another_run(known& one, const cnode::target& target,
                                            asio::ip::address address) {
  auto port = target.port;
  if (!port) {
    const auto answer =
        co_await cnode::ask_port({address, around_.port_mapper_port}, target.alive, port_wait);
    if (answer) port = *answer;
    one.away |= !answer && answer.error() == cnode::make_error_code(cnode::error::not_registered);
    one.away |= !answer && answer.error() == cnode::make_error_code(cnode::error::refused);
  }
  if (!port) co_return false;
  if (one.port && one.port != port) co_return true;
  one.port = port;
  if (!co_await listens({address, *port})) {
    one.away = true;
    co_return false;
  }
  co_return one.away;
}

}  // namespace rollcall::app
