#include "app/watcher.hpp"

#include "app/watcher_program.hpp"

namespace rollcall::app {
namespace {

std::string said(const cnode::call_result<cnode::term>& answer) {
  return answer ? to_string(*answer, 200) : answer.error().detail;
}

}  // namespace

watchers::watchers(node_function node, told tell)
    : node_(std::move(node)), tell_(std::move(tell)), forms_(watcher_forms()) {}

cnode::byte_string watchers::arguments(const cnode::node& node, const cnode::reference& token) const {
  cnode::term_writer out;
  out.list_header(2).raw(forms_);
  out.list_header(3);
  out.tuple_header(2).atom("Name").atom("rollcall_watcher_" + node.name().text().substr(0, 200));
  out.tuple_header(2).atom("Token").write(token);
  out.tuple_header(2).atom("Us").write(node.self());
  out.nil().nil();
  return out.bytes();
}

asio::awaitable<void> watchers::run(node_name on) {
  auto* node = node_();
  if (node == nullptr) co_return;
  const auto token = node->new_reference();
  running_.insert_or_assign(on, token);
  const auto ended = co_await node->run(on, "erl_eval", "exprs", 2, arguments(*node, token));
  const auto current = running_.find(on);
  if (current == running_.end() || current->second != token) co_return;  // a newer one has taken over
  running_.erase(current);
  // With the link it ends as it should, and the core knows.
  const bool lost = !ended && (ended.error().kind == cnode::call_failure_kind::link_lost ||
                               ended.error().kind == cnode::call_failure_kind::no_link);
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
  if (what.is_atom("stopping")) {
    tell_.stopping(from);
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
