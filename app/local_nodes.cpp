#include "app/local_nodes.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/network.hpp"
#include "app/reason.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

// A round waits this long for the names of new local nodes.
constexpr milliseconds names_wait = 500ms;

std::pair<std::string, std::uint16_t> start_of(const discovery::entry& entry) {
  return {std::string(entry.name.alive()), entry.port.value_or(0)};
}

}  // namespace

local_nodes::local_nodes(asio::io_context& io, const configuration& c, surroundings around)
    : io_(io), configuration_(c), around_(std::move(around)) {}

// A link that is there or being made says the name, too: another handshake would take that link over.
asio::awaitable<void> local_nodes::ask(std::shared_ptr<void> /*owner*/, discovery::entry guessed) {
  auto target = target_of(guessed, configuration_);
  target.name = linked_or_member(guessed);
  if (target.name) target.take_over = around_.may_take_over(*target.name);
  auto linked = co_await around_.node()->dial(std::move(target), configuration_.connect_timeout);
  if (linked) {
    around_.learned(guessed.name, linked->name);
    co_return;
  }
  auto failure = linked.error();
  const auto name = failure.peer.value_or(guessed.name);
  if (failure.peer) around_.learned(guessed.name, name);
  if (reason_of(failure) == membership::reason::name_mismatch) co_return;  // it is dialled by its real name
  failed_.push_back({name, reason_of(failure), failure.detail, failure.peer, step_of(failure.step),
                     failure.code == cnode::make_error_code(cnode::error::no_such_name)});
}

std::optional<node_name> local_nodes::linked_or_member(const discovery::entry& local) const {
  for (const auto& peer : around_.node()->peers()) {
    if (peer.name.alive() == local.name.alive() && peer.remote.address().is_loopback()) return peer.name;
  }
  const auto snapshot = around_.snapshot();
  const auto* known = snapshot->find(local.name.text());
  return known != nullptr && known->creation != 0 ? std::optional(known->name) : std::nullopt;
}

// Once for each start of a node; the dials of one that does not tell its name go on with the guess.
asio::awaitable<bool> local_nodes::learn(std::shared_ptr<void> owner,
                                         const std::vector<discovery::entry>& listed) {
  std::vector<discovery::entry> nameless;
  std::set<start> guesses;
  for (const auto& entry : listed) {
    if (!entry.host_is_guess || entry.name.alive() == configuration_.name->alive()) continue;
    auto one = start_of(entry);
    if (!asked_.contains(one)) nameless.push_back(entry);
    guesses.insert(std::move(one));
  }
  asked_ = std::move(guesses);
  if (nameless.empty()) co_return false;

  // A frozen one must not hold up the others.
  const auto pending = std::make_shared<std::size_t>(nameless.size());
  const auto all = std::make_shared<asio::steady_timer>(io_, names_wait);
  for (const auto& entry : nameless) {
    const auto one = start_of(entry);
    awaited_.insert(one);
    asio::co_spawn(io_, ask(owner, entry), [this, owner, one, pending, all](std::exception_ptr) {
      awaited_.erase(one);
      if (--*pending == 0) all->cancel();
    });
  }
  boost::system::error_code ignored;
  co_await all->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return true;
}

bool local_nodes::awaited(const discovery::entry& entry) const {
  return entry.host_is_guess && awaited_.contains(start_of(entry));
}

std::vector<membership::fact::dial_failed> local_nodes::failed_dials() {
  return std::exchange(failed_, {});
}

}  // namespace rollcall::app
