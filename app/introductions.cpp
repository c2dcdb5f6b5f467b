#include "app/introductions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <set>

#include "app/network.hpp"
#include "app/reason.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;
using membership::reason;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds port_mapper_wait = 1'000ms;
// Of refused cookies, as membership does: a node logs an error for each attempt.
constexpr milliseconds cookie_pause = 5min;
constexpr unsigned max_doublings = 3;
constexpr std::size_t max_starts_of_a_place = 64;

asio::ip::address plain(const asio::ip::address& at) {
  const bool mapped = at.is_v6() && at.to_v6().is_v4_mapped();
  return mapped ? asio::ip::make_address_v4(asio::ip::v4_mapped, at.to_v6()) : at;
}

}  // namespace

introductions::introductions(asio::io_context& io, const configuration& c, surroundings around)
    : io_(io), configuration_(c), around_(std::move(around)) {}

introductions::key introductions::key_of(const discovery::entry& place) {
  return {place.host, place.pattern, place.port.value_or(0)};
}

std::optional<std::uint16_t> introductions::known_port(const place& one) const {
  if (configuration_.peer_port == peer_port_mode::fixed) return configuration_.fixed_peer_port;
  return one.where.port;
}

milliseconds introductions::pause_after(unsigned failures) const {
  return configuration_.interval * (1U << std::min(failures > 0 ? failures - 1 : 0U, max_doublings));
}

void introductions::look(const std::shared_ptr<void>& owner, std::vector<discovery::entry> places) {
  std::map<key, place_pointer> now;
  bool gone = false;
  for (auto& each : places) {
    const auto at = key_of(each);
    const auto known = places_.find(at);
    auto& one = now[at];
    one = known != places_.end() ? known->second : std::make_shared<place>(each);
    one->where = std::move(each);
  }
  for (const auto& [at, one] : places_) gone |= !now.contains(at) && !one->found.empty();
  places_ = std::move(now);
  for (const auto& [at, one] : places_) spawn(owner, one);
  if (gone) around_.changed();
}

void introductions::spawn(const std::shared_ptr<void>& owner, const place_pointer& one) {
  if (one->looking || steady_clock::now() < one->due) return;
  one->looking = true;
  asio::co_spawn(io_, look_at(owner, one), [this, owner, one](std::exception_ptr) {
    one->looking = false;
    if (!std::exchange(one->looked, true) && !around_.stopping()) around_.changed();
  });
}

asio::awaitable<void> introductions::look_at(std::shared_ptr<void> /*owner*/, place_pointer one) {
  if (!co_await list(*one)) co_return;
  std::vector<std::string> due;
  for (const auto& [alive, each] : one->found) {
    if (!each.name && !each.refused && each.listed && steady_clock::now() >= each.due) due.push_back(alive);
  }
  for (const auto& alive : due) {
    if (around_.stopping()) co_return;
    co_await ask(one, alive);
  }
}

// Which starts there are. False: nobody can be asked there.
asio::awaitable<bool> introductions::list(place& one) {
  if (!one.where.address) {
    auto found = co_await around_.resolve(one.where.host);
    if (around_.stopping()) co_return false;
    if (found.addresses.empty()) {
      one.why = reason::dns;
      one.detail = found.why;
      one.due = steady_clock::now() + pause_after(1);
      co_return false;
    }
    if (!known_port(one)) {
      // The port mapper is asked at one of them; which one does not matter to it.
      one.where.address = found.addresses.front();
    }
  }
  if (known_port(one)) {
    one.found.try_emplace(std::string());
    one.why = reason::none;
    co_return true;
  }
  const asio::ip::tcp::endpoint mapper(*one.where.address, around_.port_mapper_port);
  const auto names = co_await cnode::ask_names(mapper, port_mapper_wait);
  if (around_.stopping()) co_return false;
  if (!names) {
    one.why = reason_of(names.error()) == reason::timeout ? reason::timeout : reason::epmd;
    one.detail = fmt::format("no port mapper (epmd) answers at {}: {}", mapper.address().to_string(),
                             names.error().message());
    one.due = steady_clock::now() + pause_after(++one.failures);
    co_return false;
  }
  one.failures = 0;
  one.due = {};
  for (auto& [alive, each] : one.found) each.listed = false;
  std::string others;
  for (const auto& each : *names) {
    if (each.alive == configuration_.name->alive()) continue;  // a rollcall, perhaps ourselves
    if (!discovery::glob_matches(one.where.pattern, each.alive)) {
      others += (others.empty() ? "" : ", ") + each.alive;
      continue;
    }
    if (one.found.size() >= max_starts_of_a_place && !one.found.contains(each.alive)) continue;
    auto& known = one.found[each.alive];
    known.listed = true;
    if (known.port == each.port) continue;
    // Another run: its name is known still if it was, and what kept it out says nothing any more.
    known.port = each.port;
    known.refused = false;
    known.due = {};
    known.failures = 0;
  }
  std::erase_if(one.found, [](const auto& each) { return !each.second.listed && !each.second.name; });
  one.why = one.found.empty() ? reason::not_registered : reason::none;
  one.detail = !one.found.empty() ? std::string()
               : others.empty()   ? fmt::format("no node is registered with the port mapper at {}",
                                                mapper.address().to_string())
                                  : fmt::format("the port mapper at {} has no name that {} takes; it has {}",
                                                mapper.address().to_string(), one.where.pattern, others);
  co_return true;
}

asio::awaitable<void> introductions::ask(place_pointer one, std::string alive) {
  auto port = known_port(*one);
  if (!port) port = one->found[alive].port;
  // A link that is there says the name, too: another handshake would take it over.
  for (const auto& peer : around_.node()->peers()) {
    if (!one->where.address || plain(peer.remote.address()) != *one->where.address) continue;
    if (peer.distribution_port != port) continue;
    learn(*one, alive, peer);
    co_return;
  }
  cnode::target target{.name = {},
                       .alive = alive,
                       .host = one->where.host,
                       .address = one->where.address,
                       .port = port,
                       .take_over = false};
  auto linked = co_await around_.node()->dial(target, configuration_.connect_timeout);
  if (around_.stopping() || !one->found.contains(alive)) co_return;
  if (!linked && linked.error().code == cnode::make_error_code(cnode::error::alive_refused)) {
    // It holds a link under our name: this one's, when it is a node we know by another address; else one of
    // before, which makes way.
    if (const auto known = twin(alive, port)) {
      if (!placed(known->name)) {
        // The address by which it was known is not listed any more: it is known by this one now.
        learn(*one, alive, *known);
        co_return;
      }
      auto& each = one->found[alive];
      each.why = reason::none;
      each.detail = "another address of " + known->name.text();
      each.due = steady_clock::now() + pause_after(max_doublings + 1);
      co_return;
    }
    target.take_over = true;
    linked = co_await around_.node()->dial(target, configuration_.connect_timeout);
    if (around_.stopping() || !one->found.contains(alive)) co_return;
  }
  if (linked) {
    learn(*one, alive, *linked);
  } else {
    failed(*one, alive, linked.error());
  }
}

// A node we are linked to that is registered alike.
std::optional<cnode::peer> introductions::twin(const std::string& alive,
                                               std::optional<std::uint16_t> port) const {
  for (const auto& peer : around_.node()->peers()) {
    if ((alive.empty() || peer.name.alive() == alive) && peer.distribution_port == port) return peer;
  }
  return std::nullopt;
}

// Whether an address that is listed has that name.
bool introductions::placed(const node_name& name) const {
  return std::ranges::any_of(places_, [&](const auto& listed) {
    return std::ranges::any_of(listed.second->found,
                               [&](const auto& each) { return each.second.name == name; });
  });
}

void introductions::learn(place& one, const std::string& alive, const cnode::peer& peer) {
  auto& each = one.found[alive];
  const auto& name = peer.name;
  const bool meant =
      alive.empty() ? discovery::glob_matches(one.where.pattern, name.alive()) : name.alive() == alive;
  each.refused = !meant || !peer.visible || around_.ignored(name);
  if (each.refused) {
    each.why = !meant ? reason::name_mismatch : reason::none;
    each.detail =
        !peer.visible ? name.text() + " is a hidden node: no member"
        : !meant ? fmt::format("{} answers there, which {} does not take", name.text(), one.where.pattern)
                 : name.text() + " is ignored";
    around_.node()->hang_up(name);
    around_.changed();
    return;
  }
  each.name = name;
  each.learned = ++order_;
  each.why = reason::none;
  each.detail.clear();
  each.failures = 0;
  if (!one.where.address) one.where.address = plain(peer.remote.address());
  // Who was there before and is not registered any more has made way.
  std::erase_if(one.found, [&](const auto& other) {
    return other.first != alive && other.second.name && !other.second.listed &&
           other.second.learned < each.learned;
  });
  around_.changed();
}

void introductions::failed(place& one, const std::string& alive, const cnode::failure& failure) {
  auto& each = one.found[alive];
  const bool news = each.why != reason_of(failure);
  each.why = reason_of(failure);
  each.detail = failure.detail;
  ++each.failures;
  each.due = steady_clock::now() + (each.why == reason::cookie ? cookie_pause : pause_after(each.failures));
  if (news) around_.changed();
}

std::vector<discovery::entry> introductions::names() const {
  std::vector<discovery::entry> entries;
  std::set<node_name> seen;
  for (const auto& [at, one] : places_) {
    for (const auto& [alive, each] : one->found) {
      if (!each.name || !seen.insert(*each.name).second) continue;
      auto entry = one->where;
      entry.name = *each.name;
      entry.port = known_port(*one);  // else the port mapper says it each time
      entry.pattern.clear();
      entry.learned = true;
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

bool introductions::mismatch(const std::shared_ptr<void>& owner, const node_name& name) {
  bool found = false;
  for (const auto& [at, one] : places_) {
    for (auto& [alive, each] : one->found) {
      if (each.name != name) continue;
      found = true;
      each.name.reset();
      each.due = {};
      one->due = {};
      spawn(owner, one);
    }
  }
  return found;
}

bool introductions::settled() const {
  return std::ranges::all_of(places_, [](const auto& each) { return each.second->looked; });
}

std::vector<membership::unnamed_node> introductions::unnamed() const {
  std::vector<membership::unnamed_node> all;
  for (const auto& [at, one] : places_) {
    const auto host = one->where.host;
    if (one->found.empty() && one->looked) all.push_back({host, host, one->why, one->detail, false});
    for (const auto& [alive, each] : one->found) {
      if (each.name || each.why == reason::none) continue;
      const bool there = !each.refused && (!alive.empty() || each.why == reason::cookie);
      all.push_back(
          {host, alive.empty() ? host : fmt::format("{} ({})", host, alive), each.why, each.detail, there});
    }
  }
  return all;
}

void introductions::tell(membership::source_report& of) const {
  std::set<std::string> hosts;
  for (const auto& each : of.nodes) {
    if (each.alive() == discovery::place_alive) hosts.emplace(each.host());
  }
  if (hosts.empty()) return;
  of.nodes.clear();
  for (auto& each : names()) {
    if (hosts.contains(each.host)) of.nodes.push_back(std::move(each.name));
  }
  std::ranges::sort(of.nodes);
  for (auto& each : unnamed()) {
    if (hosts.contains(each.host)) of.unnamed.push_back(std::move(each));
  }
}

}  // namespace rollcall::app
