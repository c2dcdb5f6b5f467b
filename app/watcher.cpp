#include "app/watcher.hpp"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace rollcall::app {
namespace {

constexpr milliseconds parse_wait{10'000}, learning_pause{5};

// Variables: Name (an atom), Token (ours, sent back), Us (our process). One of an earlier link under that
// name is ended first. Messages to us never open a connection: they end with the link, as the process does.
constexpr std::string_view program = R"erl(
case erlang:whereis(Name) of
  undefined -> ok;
  Old ->
    OldEnds = erlang:monitor(process, Old),
    erlang:exit(Old, kill),
    receive {'DOWN', OldEnds, process, _, _} -> ok end
end,
true = erlang:register(Name, erlang:self()),
Ends = erlang:monitor(process, Us),
ok = net_kernel:monitor_nodes(true, [nodedown_reason]),
Tell = fun(What) -> erlang:send(Us, {rollcall_watcher, Token, What}, [noconnect]) end,
Tell(watching),
Watch = fun Again() ->
  receive
    {nodeup, Node, _} -> Tell({up, Node}), Again();
    {nodedown, Node, Info} -> Tell({down, Node, proplists:get_value(nodedown_reason, Info)}), Again();
    {'DOWN', Ends, process, _, _} -> ok;
    _ -> Again()
  end
end,
Watch().
)erl";

// {ok, X} or {ok, X, _}: X.
const cnode::term* ok_value(const cnode::call_result<cnode::term>& answer) {
  if (!answer) return nullptr;
  const auto* items = answer->as<cnode::tuple>();
  if (items == nullptr || items->items.size() < 2 || !items->items[0].is_atom("ok")) return nullptr;
  return &items->items[1];
}

std::string said(const cnode::call_result<cnode::term>& answer) {
  return answer ? to_string(*answer, 200) : answer.error().detail;
}

}  // namespace

asio::awaitable<bool> watchers::learn_forms(node_name on) {
  cnode::term_writer text;
  text.list_header(1).text(program).nil();
  const auto scanned = co_await call_(on, "erl_scan", "string", text.bytes(), parse_wait);
  const auto* tokens = ok_value(scanned);
  if (tokens == nullptr) {
    if (linked(on)) tell_.watching(on, false, "its watcher could not be read: " + said(scanned));
    co_return false;
  }
  cnode::term_writer parse;
  parse.list_header(1).write(*tokens).nil();
  const auto parsed = co_await call_(on, "erl_parse", "parse_exprs", parse.bytes(), parse_wait);
  const auto* forms = ok_value(parsed);
  if (forms == nullptr) {
    if (linked(on)) tell_.watching(on, false, "its watcher could not be parsed: " + said(parsed));
    co_return false;
  }
  cnode::term_writer encoded;
  encoded.write(*forms);
  forms_ = encoded.bytes();
  co_return true;
}

asio::awaitable<void> watchers::run(node_name on) {
  // Twenty nodes that come up at once need the forms once.
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (learning_ && !forms_) {
    pause.expires_after(learning_pause);
    boost::system::error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (!forms_) {
    learning_ = true;
    const struct turn {
      bool& taken;
      ~turn() { taken = false; }
    } over{learning_};
    const bool learned = co_await learn_forms(on);
    if (!learned || !forms_) co_return;
  }
  auto* node = node_();
  if (node == nullptr) co_return;
  const auto token = node->new_reference();
  running_.insert_or_assign(on, token);
  cnode::term_writer arguments;
  arguments.list_header(2).raw(*forms_);
  arguments.list_header(3);
  arguments.tuple_header(2).atom("Name").atom("rollcall_watcher_" + node->name().text().substr(0, 200));
  arguments.tuple_header(2).atom("Token").write(token);
  arguments.tuple_header(2).atom("Us").write(node->self());
  arguments.nil().nil();
  const auto ended = co_await node->run(on, "erl_eval", "exprs", 2, arguments.bytes());
  const auto current = running_.find(on);
  if (current == running_.end() || current->second != token) co_return;  // a newer one has taken over
  running_.erase(current);
  // With the link it ends as it should, and the core knows.
  const bool lost = !ended && (ended.error().kind == cnode::call_failure_kind::link_lost ||
                               ended.error().kind == cnode::call_failure_kind::no_link);
  if (!lost) forms_.reset();
  if (!lost && linked(on)) tell_.watching(on, false, "its watcher ended: " + said(ended));
}

bool watchers::linked(const node_name& name) const {
  const auto* node = node_();
  return node != nullptr && node->linked(name).has_value();
}

bool watchers::receive(const node_name& from, const cnode::term& message) {
  const auto* parts = message.as<cnode::tuple>();
  if (parts == nullptr || parts->items.size() != 3 || !parts->items[0].is_atom("rollcall_watcher"))
    return false;
  const auto* token = parts->items[1].as<cnode::reference>();
  const auto current = running_.find(from);
  if (token == nullptr || current == running_.end() || current->second != *token) return true;  // an old one
  const auto& what = parts->items[2];
  if (what.is_atom("watching")) {
    tell_.watching(from, true, {});
    return true;
  }
  const auto* change = what.as<cnode::tuple>();
  if (change == nullptr || change->items.size() < 2) return true;
  const auto* name = change->items[1].as<cnode::atom>();
  if (name == nullptr) return true;
  auto peer = node_name::parse(name->text);
  const auto* node = node_();
  if (!peer || node == nullptr || *peer == node->name()) return true;
  if (change->items[0].is_atom("up")) {
    tell_.changed(from, *std::move(peer), true, {});
  } else if (change->items[0].is_atom("down") && change->items.size() == 3) {
    tell_.changed(from, *std::move(peer), false, to_string(change->items[2], 100));
  }
  return true;
}

}  // namespace rollcall::app
