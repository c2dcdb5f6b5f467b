#include "app/watcher.hpp"

#include "app/watcher_program.hpp"
#include "cnode/checked_reader.hpp"

namespace rollcall::app {
namespace {

constexpr milliseconds one_look{50};
constexpr milliseconds held_at_most = 20 * watcher_holds;  // also where a node, or its link, is slow
constexpr std::size_t longest_reason = 100;

std::string ending(const cnode::call_result<cnode::term>& answer) {
  return answer ? to_string(*answer, 200) : answer.error().detail;
}

}  // namespace

watchers::watchers(asio::io_context& io, milliseconds patience, node_function node, told tell)
    : patience_(patience),
      node_(std::move(node)),
      tell_(std::move(tell)),
      forms_(watcher_forms()),
      next_look_(io) {}

const std::string& watchers::name_of_watcher(const cnode::node& node) {
  if (name_.empty()) name_ = "rollcall_watcher_" + node.name().text().substr(0, 200);
  return name_;
}

cnode::byte_string watchers::arguments(const cnode::node& node, const cnode::reference& token) {
  cnode::term_writer out;
  out.list_header(2).raw(forms_);
  out.list_header(3);
  out.tuple_header(2).atom("Name").atom(name_of_watcher(node));
  out.tuple_header(2).atom("Token").write(token);
  out.tuple_header(2).atom("Us").write(node.self());
  out.nil().nil();
  return out.bytes();
}

asio::awaitable<void> watchers::run(node_name on) {
  auto* node = node_();
  if (node == nullptr) co_return;
  const auto token = node->new_reference();
  running_.insert_or_assign(on, watched(token));
  const auto ended = co_await node->run(on, "erl_eval", "exprs", 2, arguments(*node, token));
  const auto current = running_.find(on);
  if (current == running_.end() || current->second.token != token) co_return;  // a newer one has taken over
  last_heard_ = running_.end();
  running_.erase(current);
  // With the link it ends as it should, and the core knows.
  const bool lost = !ended && (ended.error().kind == cnode::call_failure_kind::link_lost ||
                               ended.error().kind == cnode::call_failure_kind::no_link);
  if (!lost && linked(on)) tell_.watching(on, false, "its watcher ended: " + ending(ended));
}

bool watchers::linked(const node_name& name) const {
  const auto* node = node_();
  return node != nullptr && node->linked(name).has_value();
}

bool watchers::ask(const node_name& on, watched& its, question& about, std::string_view word,
                   std::optional<std::int64_t> mark) {
  auto* node = node_();
  if (node == nullptr || !its.watching || its.hung || about.number != 0) return false;
  const auto number = ++last_number_;
  cnode::term_writer out;
  out.tuple_header(mark ? 3 : 2).atom(word).integer(number);
  if (mark) out.integer(*mark);
  if (!node->send(on, name_of_watcher(*node), out.view())) return false;
  about = {number, clock::now()};
  await(on, number, about.asked_at, false);
  return true;
}

void watchers::await(const node_name& on, std::int64_t number, clock::time_point from, bool node_answered) {
  awaited_.push_back({from + patience_, on, number, node_answered});
  if (awaited_.size() == 1) look_later();
}

bool watchers::ask_alive(const node_name& on) {
  const auto found = running_.find(on);
  return found != running_.end() && ask(on, found->second, found->second.alive, "alive", {});
}

void watchers::node_answers(const node_name& on) {
  const auto found = running_.find(on);
  if (found == running_.end() || found->second.hung) return;
  for (const auto* about : {&found->second.alive, &found->second.same}) {
    if (owed(*about)) return await(on, about->number, clock::now(), true);
  }
}

bool watchers::owed(const question& about) const {
  return about.number != 0 && clock::now() - about.asked_at >= patience_;
}

void watchers::look_later() {
  // Those that were asked one after the other are looked for together.
  next_look_.expires_at(awaited_.front().until + one_look);
  next_look_.async_wait([this](boost::system::error_code ended) {
    if (!ended) look_for_those_that_hang();
  });
}

void watchers::look_for_those_that_hang() {
  const auto now = clock::now();
  while (!awaited_.empty() && awaited_.front().until <= now) {
    const auto [until, on, number, node_answered] = std::move(awaited_.front());
    awaited_.pop_front();
    const auto found = running_.find(on);
    if (found == running_.end()) continue;
    auto& its = found->second;
    const auto& about = its.alive.number == number ? its.alive : its.same;
    if (its.hung || about.number != number || !owed(about)) continue;
    if (!node_answered) {
      tell_.hangs(on);
      continue;
    }
    its.hung = true;
    its.marked = 0;
    tell_.watching(on, false, "its watcher does not answer, and the node does");
  }
  if (!awaited_.empty()) look_later();
}

bool watchers::ask_same(const node_name& on) {
  const auto found = running_.find(on);
  if (found == running_.end()) return false;
  auto& its = found->second;
  return ask(on, its, its.same, "same", its.digest ? its.marked : 0);
}

void watchers::tell_what_it_holds(const node_name& on) {
  static const auto held = cnode::term_writer().atom("held").bytes();
  const auto found = running_.find(on);
  auto* node = node_();
  if (node == nullptr || found == running_.end() || !found->second.watching) return;
  // It holds only what follows soon after what it told.
  if (clock::now() - found->second.changed_at > held_at_most) return;
  node->send(on, name_of_watcher(*node), held);
}

void watchers::viewed(const node_name& on, std::size_t digest, clock::time_point asked_at) {
  const auto found = running_.find(on);
  if (found == running_.end() || found->second.marked == 0 || asked_at < found->second.marked_at) return;
  auto& its = found->second;
  if (!its.digest) its.digest = digest;
  if (*its.digest != digest) its.marked = 0;
}

bool watchers::receive(const node_name& from, cnode::byte_view message) {
  cnode::checked_reader in(message);
  if (!in.at_tuple() || in.tuple_header() != 3 || !in.take_atom("rollcall_watcher")) return false;
  // One that gains a thousand peers says so a thousand times in a row.
  if (last_heard_ == running_.end() || last_heard_->first != from) last_heard_ = running_.find(from);
  // Of an earlier link's watcher: that one is nobody's.
  if (last_heard_ == running_.end() || !in.take_reference(last_heard_->second.token)) return true;
  heard(from, last_heard_->second, in.rest());
  return true;
}

// What it says itself: watching, stopping, {Word, Number}; and what came or went, one by one or together.
void watchers::heard(const node_name& from, watched& its, cnode::byte_view said) {
  cnode::checked_reader in(said);
  if (in.take_atom("watching")) {
    its.watching = true;
    tell_.watching(from, true, {});
  } else if (in.take_atom("stopping")) {
    tell_.stopping(from);
  } else if (in.at_tuple()) {
    const auto size = in.tuple_header();
    if (size == 2 && in.take_atom("changes")) {
      const auto count = in.at_list() ? in.list_header() : 0;
      std::size_t read = 0;
      while (count <= most_changes_at_once && read < count && heard_of_change(from, its, in)) ++read;
      if (read == 0 || read < count) its.marked = 0;  // what it says next is no proof of the view we hold
    } else if (cnode::checked_reader change(said);
               !heard_of_change(from, its, change) && size == 2 && in.at_atom()) {
      const auto word = in.atom();
      const auto number = in.at_integer() ? in.integer() : 0;
      if (number != 0) answered(from, its, word.text, number);
    }
  }
}

// {up, Name} or {down, Name, Reason}; false: it is neither.
bool watchers::heard_of_change(const node_name& from, watched& its, cnode::checked_reader& in) {
  const auto size = in.at_tuple() ? in.tuple_header() : 0;
  const bool up = size == 2 && in.take_atom("up");
  if (!up && !(size == 3 && in.take_atom("down"))) return false;
  if (!in.at_atom()) return false;
  auto name = in.take_short_atom();
  std::string otherwise;
  if (!name) name = otherwise = in.atom().text;
  std::string why;
  if (!up) {
    const auto reason = cnode::decode_term(in.skip());
    if (!reason) return false;
    why = to_string(*reason, longest_reason);
  }
  if (in.failed()) return false;
  changed(from, its, *name, up, std::move(why));
  return true;
}

void watchers::answered(const node_name& from, watched& its, std::string_view word, std::int64_t number) {
  auto& about = word == "alive" ? its.alive : its.same;
  if (number != about.number) return;
  const auto took =
      std::chrono::duration_cast<milliseconds>(clock::now() - std::exchange(about, {}).asked_at);
  if (its.hung) {
    // What it tells before it answers a question of now is past.
    its.hung = false;
    const bool late = took >= patience_ && (its.alive.number != 0 || ask(from, its, its.alive, "alive", {}));
    its.hung = late;
    if (!late) tell_.watching(from, true, {});
  }
  if (word == "alive") {
    tell_.alive(from, took);
  } else if (word == "same" && its.marked != 0 && its.digest) {
    tell_.same(from, *its.digest, took);
  } else if (word == "same" || word == "other") {
    its.marked = word == "other" ? number : 0;
    its.marked_at = clock::now();
    its.digest.reset();
    tell_.same(from, std::nullopt, took);
  }
}

void watchers::changed(const node_name& from, watched& its, std::string_view name, bool up, std::string why) {
  its.marked = 0;
  its.changed_at = clock::now();
  if (its.hung) return;  // what it tells then is past: views are asked for
  auto peer = node_name::parse(name);
  const auto* node = node_();
  if (!peer || node == nullptr || *peer == node->name()) return;
  tell_.changed(from, *std::move(peer), up, std::move(why));
}

}  // namespace rollcall::app
