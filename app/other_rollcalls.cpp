#include "app/other_rollcalls.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>

#include "app/guest_name.hpp"
#include "app/settings.hpp"
#include "app/tasks.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

// Hidden peers of one member that are asked: remote shells and other C nodes are among them.
constexpr std::size_t max_candidates = 16;
// Looks in a row that do not see it.
constexpr int gone_after = 3;
// The member gives up first, so that it is known which of the two did not answer.
constexpr milliseconds other_wait = 2'000ms, member_wait = 4'000ms;

std::string_view name_of(other_rollcalls::order what) {
  return what == other_rollcalls::order::leave ? "leave" : "rejoin";
}

}  // namespace

std::vector<node_name> other_rollcalls::names() const {
  std::vector<node_name> all;
  all.reserve(others_.size());
  for (const auto& [name, of] : others_) all.push_back(name);
  return all;
}

std::string other_rollcalls::text() const {
  if (others_.empty()) return {};
  std::vector<std::string> all;
  all.reserve(others_.size());
  for (const auto& [name, of] : others_) all.push_back(name.text());
  return fmt::format("{} at work on these nodes, too: {}; leave/1 and rejoin/1 are passed on",
                     all.size() == 1 ? "another rollcall is" : "other rollcalls are", fmt::join(all, ", "));
}

void other_rollcalls::look(const std::shared_ptr<void>& owner) {
  const auto now = std::chrono::steady_clock::now();
  if (looking_ || now < due_ || !around_.linked(turn_)) return;
  due_ = now + std::max(around_.pause, configuration_.interval);
  looking_ = true;
  asio::co_spawn(io_, look_now(owner), [this, owner](const std::exception_ptr& failure) {
    task_ended(log_, "look for other rollcalls", failure);
    looking_ = false;
  });
}

// As erpc:call/5 on the member: it never starts another process at a peer that did not announce that it can
// (rpc:call would, OTP 23).
asio::awaitable<cnode::call_result<cnode::term>> other_rollcalls::ask(node_name through,
                                                                      const node_name& other,
                                                                      std::string_view module,
                                                                      std::string_view function,
                                                                      std::string_view argument) {
  cnode::term_writer arguments;
  arguments.list_header(5).atom(other.text()).atom(module).atom(function);
  if (argument.empty()) {
    arguments.nil();
  } else {
    arguments.list_header(1).atom(argument).nil();
  }
  arguments.integer(other_wait.count()).nil();
  return around_.call(std::move(through), "erpc", "call", arguments.bytes(), member_wait);
}

// A hidden peer with a process `rollcall` and a version.
asio::awaitable<std::optional<std::uint32_t>> other_rollcalls::run_of(node_name through,
                                                                      node_name candidate) {
  const auto process = co_await ask(through, candidate, "erlang", "whereis", "rollcall");
  if (around_.stopping() || !process) co_return std::nullopt;
  const auto* pid = process->as<cnode::pid>();
  if (pid == nullptr || pid->node != candidate.text()) co_return std::nullopt;
  if (const auto found = others_.find(candidate);
      found != others_.end() && found->second.creation == pid->creation)
    co_return pid->creation;
  const auto creation = pid->creation;
  const auto version = co_await ask(through, candidate, "rollcall", "version", "");
  if (around_.stopping() || !version || version->as<cnode::binary>() == nullptr) co_return std::nullopt;
  co_return creation;
}

asio::awaitable<void> other_rollcalls::look_now(std::shared_ptr<void> owner) {
  const auto linked = around_.linked(turn_++);
  if (!linked) co_return;
  const auto& through = *linked;
  const auto answer =
      co_await around_.call(through, "erlang", "nodes",
                            cnode::term_writer().list_header(1).atom("hidden").nil().bytes(), member_wait);
  if (around_.stopping() || !answer) co_return;
  auto hidden = names_in(*answer);
  if (!hidden) co_return;
  // A `check` or `doctor` looks on: it is not at work, and gone in a moment.
  std::erase_if(*hidden,
                [this](const node_name& n) { return n == *configuration_.name || guest_name::is_one(n); });
  // Those known from the last look first.
  std::ranges::stable_sort(*hidden, {}, [this](const node_name& n) { return !others_.contains(n); });
  if (hidden->size() > max_candidates) hidden->resize(max_candidates, *configuration_.name);
  std::map<node_name, known> found;
  for (const auto& candidate : *hidden) {
    const auto creation = co_await run_of(through, candidate);
    if (around_.stopping()) co_return;
    if (creation) found.emplace(candidate, known{through, *creation});
  }
  met(owner, std::move(found));
}

void other_rollcalls::met(const std::shared_ptr<void>& owner, std::map<node_name, known> found) {
  const auto before = std::exchange(others_, std::move(found));
  for (const auto& [name, was] : before) {
    if (others_.contains(name)) continue;
    if (was.missed + 1 < gone_after) {
      others_.emplace(name, known{was.through, was.creation, was.missed + 1});
    } else {
      log_.info("another rollcall is gone from these nodes", {{"node", name.text()}});
    }
  }
  for (const auto& [name, now] : others_) {
    const auto was = before.find(name);
    if (was == before.end())
      log_.warning(
          "another rollcall is at work on these nodes: stop one of them; leave/1 and rejoin/1 are passed on "
          "to it",
          {{"node", name.text()}});
    if (was != before.end() && was->second.creation == now.creation) continue;
    for (const auto& node : around_.orders_to_leave()) {
      asio::co_spawn(io_, tell(owner, name, order::leave, node),
                     [this, owner](const std::exception_ptr& failure) {
                       task_ended(log_, "pass an order on", failure);
                     });
    }
  }
}

void other_rollcalls::pass_on(const std::shared_ptr<void>& owner, order what, const node_name& node) {
  for (const auto& [name, of] : others_) {
    asio::co_spawn(io_, tell(owner, name, what, node), [this, owner](const std::exception_ptr& failure) {
      task_ended(log_, "pass an order on", failure);
    });
  }
}

asio::awaitable<void> other_rollcalls::tell([[maybe_unused]] std::shared_ptr<void> owner, node_name other,
                                            order what, node_name node) {
  const auto found = others_.find(other);
  if (found == others_.end()) co_return;
  const auto answer = co_await ask(found->second.through, other, "rollcall", name_of(what), node.text());
  if (around_.stopping()) co_return;
  if (answer && answer->is_atom("ok")) co_return;
  log_.warning(
      fmt::format("another rollcall could not be told to {}: it may ask that node to connect", name_of(what)),
      {{"rollcall", other.text()},
       {"node", node.text()},
       {"why", answer ? to_string(*answer, 200) : answer.error().detail}});
}

}  // namespace rollcall::app
