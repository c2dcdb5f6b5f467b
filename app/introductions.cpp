#include "app/introductions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <set>

#include "app/descriptors.hpp"
#include "app/network.hpp"
#include "app/reason.hpp"
#include "app/tasks.hpp"
#include "cnode/mistakes.hpp"
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

introductions::introductions(asio::io_context& io, const configuration& c, log& l, surroundings around)
    : io_(io), configuration_(c), log_(l), around_(std::move(around)) {}

introductions::key introductions::key_of(const discovery::entry& place) {
  // A name of this machine's port mapper is the same place at whatever port it listens now.
  return {place.host, place.pattern, discovery::is_pattern(place.pattern) ? place.port.value_or(0) : 0};
}

std::optional<std::uint16_t> introductions::known_port(const place& one) const {
  if (configuration_.peer_port == peer_port_mode::fixed) return configuration_.fixed_peer_port;
  return one.where.port;
}

// What is known of the name before a handshake tells it; empty: nothing.
std::string introductions::half_name(const place& one, const std::string& alive) {
  return alive.empty() && !discovery::is_pattern(one.where.pattern) ? one.where.pattern : alive;
}

// At another port it is another run: its name is known still if it was, and what kept it out says nothing any
// more.
void introductions::run_at(start& one, std::uint16_t port) {
  if (one.port == port) return;
  one.port = port;
  one.refused = false;
  one.due = {};
  one.failures = 0;
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
    if (!started_) one->from_the_start = true;
    one->where = std::move(each);
  }
  for (const auto& [at, one] : places_) gone |= !now.contains(at) && !one->found.empty();
  places_ = std::move(now);
  started_ = started_ || !places_.empty();
  for (const auto& [at, one] : places_) spawn(owner, one);
  if (gone) around_.changed();
}

void introductions::spawn(const std::shared_ptr<void>& owner, const place_pointer& one) {
  if (one->looking || steady_clock::now() < one->due) return;
  one->looking = true;
  asio::co_spawn(io_, look_at(owner, one), [this, owner, one](const std::exception_ptr& failure) {
    task_ended(log_, "look for names", failure);
    one->looking = false;
    looked_at(*one);
  });
}

void introductions::looked_at(place& one) {
  if (one.looking || !one.asking.empty() || std::exchange(one.looked, true)) return;
  begun_ = begun_ || settled();
  if (!around_.stopping()) around_.changed();
}

asio::awaitable<void> introductions::look_at(std::shared_ptr<void> owner, place_pointer one) {
  if (!co_await list(*one)) co_return;
  std::vector<std::string> due;
  for (const auto& [alive, each] : one->found) {
    if (!each.name && !each.refused && each.listed && steady_clock::now() >= each.due) due.push_back(alive);
  }
  // At once: a frozen one holds up nobody.
  for (const auto& alive : due) {
    if (!one->asking.insert(alive).second) continue;
    asio::co_spawn(io_, ask(one, alive), [this, owner, one, alive](const std::exception_ptr& failure) {
      task_ended(log_, "ask for a name", failure);
      one->asking.erase(alive);
      looked_at(*one);
    });
  }
}

// Which starts there are. False: nobody can be asked there.
asio::awaitable<bool> introductions::list(place& one) {
  if (one.where.address) {
    one.addresses = {*one.where.address};
  } else {
    auto found = co_await around_.resolve(one.where.host);
    if (around_.stopping()) co_return false;
    if (found.addresses.empty()) {
      one.why = reason::dns;
      one.detail = found.why;
      one.due = steady_clock::now() + pause_after(1);
      co_return false;
    }
    one.addresses = std::move(found.addresses);
  }
  if (known_port(one)) {
    run_at(one.found[std::string()], *known_port(one));
    one.why = reason::none;
    co_return true;
  }
  const auto names = co_await ask_mapper(one);
  if (around_.stopping()) co_return false;
  if (!names && without_a_descriptor(names.error())) {
    one.due = steady_clock::now() + pause_after(1);
    co_return false;
  }
  if (!names) {
    one.why = reason_of(names.error()) == reason::timeout ? reason::timeout : reason::epmd;
    one.detail = fmt::format("no port mapper (epmd) answers at {}: {}", one.mapper.to_string(),
                             names.error().message());
    one.due = steady_clock::now() + pause_after(++one.failures);
    co_return false;
  }
  one.failures = 0;
  one.due = {};
  registered(one, *names);
  co_return true;
}

// It has the same names at each of its host's addresses, but may not answer at the first.
asio::awaitable<cnode::result<std::vector<cnode::epmd::name_entry>>> introductions::ask_mapper(place& one) {
  cnode::result<std::vector<cnode::epmd::name_entry>> names =
      asio::error::make_error_code(asio::error::host_not_found);
  for (const auto& each : std::vector(one.addresses)) {
    one.mapper = each;
    names = co_await cnode::ask_names({each, around_.port_mapper_port}, port_mapper_wait);
    if (names || without_a_descriptor(names.error()) || around_.stopping()) break;
  }
  co_return names;
}

// What the port mapper has now.
void introductions::registered(place& one, const std::vector<cnode::epmd::name_entry>& names) {
  const auto now = steady_clock::now();
  for (auto& [alive, each] : one.found) each.listed = false;
  std::string others;
  for (const auto& each : names) {
    if (each.alive == configuration_.name->alive()) continue;  // a rollcall, perhaps ourselves
    if (!discovery::glob_matches(one.where.pattern, each.alive)) {
      others += (others.empty() ? "" : ", ") + each.alive;
      continue;
    }
    if (one.found.size() >= max_starts_of_a_place && !one.found.contains(each.alive)) continue;
    const auto [at, first] = one.found.try_emplace(each.alive);
    auto& known = at->second;
    if (first) known.since = now;
    known.stays = known.stays || (one.from_the_start && !one.looked) ||
                  now - known.since >= passes_by_within || one.passed_by.contains(each.alive);
    known.listed = true;
    run_at(known, each.port);
  }
  const bool gone =
      std::erase_if(one.found, [&](const auto& each) { return makes_way(one, each.first, each.second); }) > 0;
  if (gone) around_.changed();
  const auto mapper = one.mapper.to_string();
  one.why = one.found.empty() ? reason::not_registered : reason::none;
  one.detail = !one.found.empty() ? std::string()
               : others.empty()   ? fmt::format("no node is registered with the port mapper at {}", mapper)
                                  : fmt::format("the port mapper at {} has no name that {} takes; it has {}",
                                                mapper, one.where.pattern, others);
}

// It is not registered any more, and nobody is to wait for it.
bool introductions::makes_way(place& one, const std::string& alive, const start& each) const {
  if (each.listed) return false;
  if (!each.name) return true;
  if (around_.node()->linked(*each.name)) return false;
  if (around_.leaving(*each.name)) return true;
  if (each.stays) return false;
  if (one.passed_by.size() >= max_starts_of_a_place) one.passed_by.clear();
  one.passed_by.insert(alive);
  return true;
}

asio::awaitable<void> introductions::ask(place_pointer one, std::string alive) {
  if (!one->found.contains(alive)) co_return;
  auto port = known_port(*one);
  if (!port) port = one->found[alive].port;
  // A link that is there says the name, too: another handshake would take it over.
  for (const auto& peer : around_.node()->peers()) {
    if (std::ranges::find(one->addresses, plain(peer.remote.address())) == one->addresses.end()) continue;
    // Who dialled us said no port.
    const bool same =
        peer.distribution_port ? peer.distribution_port == port : peer.name.alive() == half_name(*one, alive);
    if (!same) continue;
    learn(*one, alive, peer, whose::theirs);
    co_return;
  }
  cnode::target target{.name = {},
                       .alive = half_name(*one, alive),
                       .host = one->where.host,
                       .address = one->where.address,
                       .port = port,
                       .take_over = false};
  auto linked = co_await around_.node()->dial(target, configuration_.connect_timeout);
  if (around_.stopping() || !one->found.contains(alive)) co_return;
  if (!linked && linked.error().code == cnode::make_error_code(cnode::error::alive_refused)) {
    // It holds a link under our name: this one's, when it is a node we know by another address; else one of
    // before, which makes way.
    if (const auto shell = hidden(half_name(*one, alive))) {
      learn(*one, alive, *shell, whose::theirs);
      co_return;
    }
    if (const auto known = twin(half_name(*one, alive), port)) {
      if (!placed(known->name)) {
        // The address by which it was known is not listed any more: it is known by this one now.
        learn(*one, alive, *known, whose::theirs);
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
    learn(*one, alive, *linked, whose::asked_for);
  } else {
    failed(*one, alive, linked.error());
  }
}

// Somebody hidden who dialled us, to ask something perhaps: no member, and the link stays.
std::optional<cnode::peer> introductions::hidden(const std::string& half) const {
  for (const auto& peer : around_.node()->peers()) {
    if (!peer.visible && peer.direction == cnode::direction::incoming && peer.name.alive() == half)
      return peer;
  }
  return std::nullopt;
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

// Of what they take, no fewer names are long than short. The two never connect.
introductions::patterns introductions::without_short_names() const {
  std::map<std::string, std::pair<std::size_t, std::size_t>> kinds;  // short and long
  for (const auto& [at, one] : places_) {
    auto& [short_ones, long_ones] = kinds[one->where.pattern];
    for (const auto& [alive, each] : one->found) {
      if (each.name) ++(each.name->kind() == name_kind::short_name ? short_ones : long_ones);
    }
  }
  patterns all;
  for (const auto& [pattern, count] : kinds) {
    if (count.second > 0 && count.second >= count.first) all.insert(pattern);
  }
  return all;
}

bool introductions::stray(const patterns& without, const place& at, const start& each) {
  return each.name && each.name->kind() == name_kind::short_name && without.contains(at.where.pattern);
}

bool introductions::linked_at(const node_name& of) const {
  return std::ranges::any_of(places_, [&](const auto& listed) {
    return listed.second->where.name == of &&
           std::ranges::any_of(listed.second->found, [&](const auto& each) {
             return each.second.name && around_.node()->linked(*each.second.name);
           });
  });
}

void introductions::learn(place& one, const std::string& alive, const cnode::peer& peer, whose link) {
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
    // A link that was there before it was asked for serves somebody: a shell that calls, or a member.
    if (link == whose::asked_for) around_.node()->hang_up(name);
    around_.changed();
    return;
  }
  each.name = name;
  each.learned = ++order_;
  each.why = reason::none;
  each.detail.clear();
  each.failures = 0;
  const auto without = without_short_names();
  for (const auto& [at, other] : places_) {
    for (const auto& [half, found] : other->found) {
      if (stray(without, *other, found)) around_.node()->hang_up(*found.name);
    }
  }
  if (!one.where.address) one.where.address = plain(peer.remote.address());
  around_.answered(one.where.name);
  // Who was there before and is not registered any more has made way.
  std::erase_if(one.found, [&](const auto& other) {
    return other.first != alive && other.second.name && !other.second.listed &&
           other.second.learned < each.learned;
  });
  around_.changed();
}

void introductions::failed(place& one, const std::string& alive, const cnode::failure& failure) {
  auto& each = one.found[alive];
  if (without_a_descriptor(failure.code)) {
    each.due = steady_clock::now() + pause_after(1);
    return;
  }
  const bool news = each.why != reason_of(failure);
  each.why = reason_of(failure);
  each.detail = failure.detail;
  ++each.failures;
  each.due = steady_clock::now() + (each.why == reason::cookie ? cookie_pause : pause_after(each.failures));
  if (news) around_.changed();
}

std::map<node_name, introductions::place_pointer> introductions::named() const {
  std::map<node_name, place_pointer> all;
  const auto without = without_short_names();
  for (const auto& [at, one] : places_) {
    for (const auto& [alive, each] : one->found) {
      if (each.name && !stray(without, *one, each)) all.emplace(*each.name, one);
    }
  }
  return all;
}

std::vector<discovery::entry> introductions::names() const {
  std::vector<discovery::entry> entries;
  for (const auto& [name, one] : named()) {
    auto entry = one->where;
    entry.name = name;
    entry.port = known_port(*one);  // else the port mapper says it each time
    entry.learned = discovery::is_pattern(entry.pattern);
    entry.pattern.clear();
    entries.push_back(std::move(entry));
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

void introductions::try_again() {
  for (const auto& [at, one] : places_) {
    one->due = {};
    for (auto& [alive, each] : one->found) each.due = {};
  }
}

bool introductions::settled() const {
  return std::ranges::all_of(places_, [](const auto& each) { return each.second->looked; });
}

std::vector<std::pair<membership::unnamed_node, introductions::place_pointer>> introductions::unnamed()
    const {
  std::vector<std::pair<membership::unnamed_node, place_pointer>> all;
  const auto without = without_short_names();
  const bool nobody = named().empty();
  for (const auto& listed : places_) {
    const auto& one = listed.second;
    const auto& host = one->where.host;
    const auto add = [&](const std::string& half, reason why, std::string detail, bool there) {
      auto shown = half.empty() ? host : fmt::format("{} ({})", host, half);
      all.push_back({{host, std::move(shown), why, std::move(detail), there}, one});
    };
    if (one->found.empty() && one->looked) add({}, one->why, one->detail, false);
    for (const auto& [alive, each] : one->found) {
      const auto half = half_name(*one, alive);
      if (stray(without, *one, each)) {
        const auto wanted = node_name::make(each.name->alive(), host);
        add(half, reason::incompatible,
            fmt::format("{} is no member beside nodes with long names: {}", each.name->text(),
                        cnode::otherwise_named(wanted ? *wanted : *each.name, *each.name)),
            false);
      } else if (!each.name && each.why != reason::none) {
        add(half, each.why, each.detail, !each.refused && (!half.empty() || each.why == reason::cookie));
      } else if (!each.name && each.refused && nobody) {
        add(half, each.why, each.detail, false);  // hidden or ignored, which is why nobody is listed
      }
    }
  }
  return all;
}

void introductions::tell(membership::source_report& of) const {
  if (places_.empty()) return;
  const std::set<node_name> listed(of.nodes.begin(), of.nodes.end());
  const auto is_of = [&](const place& one) { return listed.contains(one.where.name); };
  if (std::ranges::none_of(places_, [&](const auto& each) { return is_of(*each.second); })) return;
  of.asked = of.asked && begun_;
  std::erase_if(of.nodes, [](const node_name& each) { return each.alive() == discovery::place_alive; });
  for (const auto& [name, at] : named()) {
    if (is_of(*at)) of.nodes.push_back(name);
  }
  std::ranges::sort(of.nodes);
  for (auto& [node, at] : unnamed()) {
    if (is_of(*at)) of.unnamed.push_back(std::move(node));
  }
}

}  // namespace rollcall::app
