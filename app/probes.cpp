#include "app/probes.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace rollcall::app {
namespace {

using membership::link_probe;
using membership::path_probe;

// What a call takes besides what it does: the way there and back through a busy node.
constexpr milliseconds call_margin{1'000};

}  // namespace

// Everything one action asked for. `unanswered` counts what is still awaited.
struct link_probes::batch {
  explicit batch(asio::io_context& io, std::size_t count)
      : over(io), answered(count), reached_us(count), sent(count, link_probe::no_word) {}

  asio::steady_timer over;
  std::vector<bool> answered, reached_us;  // over the link that is probed; directly
  std::vector<link_probe> sent;            // what the asked node said of its sending
  bool asked_node_answered = false, call_ended = false;
  std::size_t unanswered = 0;

  void one_less() {
    if (--unanswered == 0) over.cancel();
  }
};

cnode::byte_string is_auth_call(const cnode::pid& us, const cnode::reference& ref, std::string_view as) {
  cnode::term_writer message;
  message.tuple_header(3).atom("$gen_call").tuple_header(2).write(us).write(ref);
  message.tuple_header(2).atom("is_auth").atom(as);
  return message.bytes();
}

asio::awaitable<std::vector<link_probe>> link_probes::ask(node_name on, std::vector<node_name> to,
                                                          milliseconds limit, bool confirm) {
  const auto made = std::make_shared<batch>(io_, to.size());
  auto* node = node_();
  if (node == nullptr) co_return std::vector(to.size(), link_probe::no_word);
  std::vector<cnode::reference> references;
  const auto expect = [&](std::size_t index, bool direct) {
    references.push_back(node->new_reference());
    waiting_.emplace(references.back(), place{made, index, direct});
    ++made->unanswered;
    return references.back();
  };

  cnode::term_writer arguments;
  arguments.list_header(4).external_fun("erlang", "send", 3);
  arguments.list_header(to.size());
  for (const auto& name : to) arguments.tuple_header(2).atom("net_kernel").atom(name.text());
  arguments.nil().list_header(to.size());
  for (std::size_t i = 0; i < to.size(); ++i) {
    arguments.raw(is_auth_call(node->self(), expect(i, false), on.text()));
  }
  arguments.nil().list_header(to.size());
  for (std::size_t i = 0; i < to.size(); ++i) {
    arguments.list_header(2).atom("noconnect").atom("nosuspend").nil();
  }
  arguments.nil().nil();

  if (confirm) {
    const std::string us = node->name().text();
    for (std::size_t i = 0; i < to.size(); ++i) {
      const auto ref = expect(i, true);
      if (!node->send(to[i], "net_kernel", is_auth_call(node->self(), ref, us))) made->one_less();
    }
  }

  made->over.expires_after(limit);
  ++made->unanswered;  // the call itself
  auto send = [](call_function call, node_name where, cnode::byte_string what, milliseconds within,
                 std::shared_ptr<batch> into) -> asio::awaitable<void> {
    const auto said = co_await call(where, "lists", "zipwith3", std::move(what), within);
    into->call_ended = true;
    if (said) {
      const auto* items = said->as<cnode::list>();
      if (items != nullptr && items->items.size() == into->sent.size()) {
        into->asked_node_answered = true;
        for (std::size_t i = 0; i < into->sent.size(); ++i) {
          into->sent[i] = items->items[i].is_atom("noconnect") ? link_probe::no_link : link_probe::silent;
          // Nothing comes back for what was not sent.
          if (into->sent[i] == link_probe::no_link && !into->answered[i]) {
            into->answered[i] = true;
            into->one_less();
          }
        }
      }
    }
    into->one_less();
  };
  asio::co_spawn(io_, send(call_, on, arguments.bytes(), limit + call_margin, made), asio::detached);
  boost::system::error_code ignored;
  if (made->unanswered > 0)
    co_await made->over.async_wait(asio::redirect_error(asio::use_awaitable, ignored));

  for (const auto& ref : references) waiting_.erase(ref);
  node = node_();
  std::vector<link_probe> results;
  results.reserve(to.size());
  for (std::size_t i = 0; i < to.size(); ++i) {
    auto result = made->sent[i];
    if (result == link_probe::no_link) {
      // as it says
    } else if (made->answered[i]) {
      result = link_probe::answered;
    } else if (!made->asked_node_answered || (confirm && !made->reached_us[i]) || node == nullptr ||
               !node->linked(to[i])) {
      result = link_probe::no_word;
    } else {
      result = link_probe::silent;
    }
    results.push_back(result);
  }
  co_return results;
}

bool link_probes::answered(const cnode::term& message) {
  const auto* pair = message.as<cnode::tuple>();
  if (pair == nullptr || pair->items.size() != 2) return false;
  const auto* ref = pair->items[0].as<cnode::reference>();
  if (ref == nullptr || !pair->items[1].as<cnode::atom>()) return false;
  const auto* node = node_();
  if (node == nullptr || ref->node != node->name().text()) return false;
  const auto found = waiting_.find(*ref);
  if (found == waiting_.end()) return true;  // too late: the probe has ended without it
  const auto [of, index, direct] = found->second;
  waiting_.erase(found);
  auto& flags = direct ? of->reached_us : of->answered;
  if (!flags[index]) {
    flags[index] = true;
    of->one_less();
  }
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
