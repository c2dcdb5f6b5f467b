#include "app/probes.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <numeric>

#include "cnode/checked_reader.hpp"

namespace rollcall::app {
namespace {

using membership::link_probe;
using membership::path_probe;

// What a call takes besides what it does: the way there and back through a busy node.
constexpr milliseconds call_margin{1'000};

}  // namespace

// Everything one action asked for. `unanswered` counts what is still awaited.
struct link_probes::batch {
  auto name_at() const {
    return [this](std::uint32_t i) -> const node_name& { return to[i]; };
  }

  explicit batch(asio::io_context& io, std::vector<node_name> asked)
      : to(std::move(asked)),
        by_name(to.size()),
        over(io),
        answered(to.size()),
        reached_us(to.size()),
        sent(to.size(), link_probe::no_word) {
    std::iota(by_name.begin(), by_name.end(), 0U);
    std::ranges::sort(by_name, {}, name_at());
  }

  const std::vector<node_name> to;
  std::vector<std::uint32_t> by_name;  // indices of `to`
  asio::steady_timer over;
  std::vector<bool> answered, reached_us;  // over the link that is probed; directly
  std::vector<link_probe> sent;            // what the asked node said of its sending
  bool asked_node_answered = false;
  std::exception_ptr broken;  // by which the call ended, though none is meant to
  std::size_t unanswered = 0;

  void one_less() {
    if (--unanswered == 0) over.cancel();
  }

  void answered_by(const node_name& who, bool direct) {
    const auto found = std::ranges::lower_bound(by_name, who, {}, name_at());
    if (found == by_name.end() || to[*found] != who) return;
    auto& flags = direct ? reached_us : answered;
    if (flags[*found]) return;
    flags[*found] = true;
    one_less();
  }

  // What lists:zipwith3 gave: a word for each sending.
  void sendings_told(const cnode::term& said) {
    const auto* items = said.as<cnode::list>();
    if (items == nullptr || items->items.size() != sent.size()) return;
    asked_node_answered = true;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      sent[i] = items->items[i].is_atom("noconnect") ? link_probe::no_link : link_probe::silent;
      // Nothing comes back for what was not sent.
      if (sent[i] == link_probe::no_link && !answered[i]) {
        answered[i] = true;
        one_less();
      }
    }
  }

  // Without our node there is no link.
  link_probe result(std::size_t i, bool confirm, const cnode::node* ours) const {
    if (sent[i] == link_probe::no_link) return link_probe::no_link;
    if (answered[i]) return link_probe::answered;
    const bool silence_counts = asked_node_answered && (!confirm || reached_us[i]) && ours != nullptr &&
                                ours->linked(to[i]).has_value();
    return silence_counts ? link_probe::silent : link_probe::no_word;
  }
};

cnode::byte_string is_auth_call(const cnode::pid& us, const cnode::reference& ref, std::string_view as) {
  cnode::term_writer message;
  message.tuple_header(3).atom("$gen_call").tuple_header(2).write(us).write(ref);
  message.tuple_header(2).atom("is_auth").atom(as);
  return message.bytes();
}

namespace {

// Arguments of lists:zipwith3(fun erlang:send/3, ...): the same message to each net_kernel, in our name.
cnode::byte_string sendings(const std::vector<node_name>& to, cnode::byte_view message) {
  cnode::term_writer arguments;
  arguments.list_header(4).external_fun("erlang", "send", 3);
  arguments.list_header(to.size());
  for (const auto& name : to) arguments.tuple_header(2).atom("net_kernel").atom(name.text());
  arguments.nil().list_header(to.size());
  for (std::size_t i = 0; i < to.size(); ++i) arguments.raw(message);
  arguments.nil().list_header(to.size());
  const auto options = cnode::term_writer().list_header(2).atom("noconnect").atom("nosuspend").nil().bytes();
  for (std::size_t i = 0; i < to.size(); ++i) arguments.raw(options);
  return arguments.nil().nil().bytes();
}

}  // namespace

asio::awaitable<void> link_probes::have_sent(call_function call, node_name on, cnode::byte_string arguments,
                                             milliseconds limit, std::shared_ptr<batch> into) {
  const auto said = co_await call(on, "lists", "zipwith3", std::move(arguments), limit);
  if (said) into->sendings_told(*said);
}

asio::awaitable<std::vector<link_probe>> link_probes::ask(node_name on, std::vector<node_name> to,
                                                          milliseconds limit, bool confirm) {
  const auto made = std::make_shared<batch>(io_, std::move(to));
  auto* node = node_();
  if (node == nullptr) co_return std::vector(made->to.size(), link_probe::no_word);
  const auto expect = [&](bool direct) {
    made->unanswered += made->to.size();
    return waiting_.emplace(node->new_reference(), place{made, direct}).first;
  };
  const auto through = expect(false);
  auto arguments = sendings(made->to, is_auth_call(node->self(), through->first, on.text()));
  auto direct = waiting_.end();
  if (confirm) {
    direct = expect(true);
    const auto call = is_auth_call(node->self(), direct->first, node->name().text());
    for (const auto& name : made->to) {
      if (!node->send(name, "net_kernel", call)) made->one_less();
    }
  }

  made->over.expires_after(limit);
  ++made->unanswered;  // the call itself
  asio::co_spawn(io_, have_sent(call_, on, std::move(arguments), limit + call_margin, made),
                 [made](const std::exception_ptr& failure) {
                   made->broken = failure;
                   if (failure) {
                     made->over.cancel();
                   } else {
                     made->one_less();
                   }
                 });
  boost::system::error_code ignored;
  if (made->unanswered > 0 && !made->broken)
    co_await made->over.async_wait(asio::redirect_error(asio::use_awaitable, ignored));

  waiting_.erase(through);
  if (confirm) waiting_.erase(direct);
  if (made->broken) std::rethrow_exception(made->broken);
  node = node_();
  std::vector<link_probe> results;
  results.reserve(made->to.size());
  for (std::size_t i = 0; i < made->to.size(); ++i) results.push_back(made->result(i, confirm, node));
  co_return results;
}

bool link_probes::answered(const node_name& from, cnode::byte_view message) {
  cnode::checked_reader in(message);
  if (!in.at_tuple() || in.tuple_header() != 2 || !in.at_reference()) return false;
  const auto ref = in.reference();
  if (in.failed() || !in.at_atom()) return false;
  const auto* node = node_();
  if (node == nullptr || ref.node != node->name().text()) return false;
  const auto found = waiting_.find(ref);
  if (found == waiting_.end()) return true;  // too late: the probe has ended without it
  found->second.of->answered_by(from, found->second.direct);
  return true;
}

path_probe path_probe_in(const cnode::term& answer) {
  const auto* pair = answer.as<cnode::tuple>();
  if (pair == nullptr || pair->items.size() != 2) return path_probe::no_word;
  if (pair->items[0].is_atom("ok")) return path_probe::reachable;
  if (!pair->items[0].is_atom("error")) return path_probe::no_word;
  const auto& why = pair->items[1];
  if (why.is_atom("timeout") || why.is_atom("etimedout")) return path_probe::timeout;
  if (why.is_atom("econnrefused")) return path_probe::refused;
  if (why.is_atom("nxdomain")) return path_probe::unresolved;
  // The asked node's own trouble (out of descriptors or of ports) is no word about the path.
  if (why.is_atom("emfile") || why.is_atom("enfile") || why.is_atom("system_limit"))
    return path_probe::no_word;
  return path_probe::unreachable;
}

asio::awaitable<path_probe> probe_path(const call_function& call, node_name on, node_name to,
                                       std::uint16_t port, bool ipv6, milliseconds limit) {
  cnode::term_writer arguments;
  arguments.list_header(4).text(to.host()).integer(port);
  if (ipv6) {
    arguments.list_header(1).atom("inet6").nil();
  } else {
    arguments.nil();
  }
  arguments.integer(limit.count()).nil();
  const auto answer = co_await call(on, "gen_tcp", "connect", arguments.bytes(), limit + call_margin);
  co_return answer ? path_probe_in(*answer) : path_probe::no_word;
}

}  // namespace rollcall::app
