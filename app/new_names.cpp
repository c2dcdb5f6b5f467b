#include "app/new_names.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace rollcall::app {

using membership::path_probe;

namespace {

// inet:getaddrs/2's {ok, Addresses}, in an order of their own: name servers turn them round.
std::optional<std::vector<std::string>> addresses_in(const cnode::term& answer) {
  const auto* pair = answer.as<cnode::tuple>();
  if (pair == nullptr || pair->items.size() != 2 || !pair->items[0].is_atom("ok")) return std::nullopt;
  const auto* all = pair->items[1].as<cnode::list>();
  if (all == nullptr) return std::nullopt;
  std::vector<std::string> found;
  for (const auto& one : all->items) found.push_back(to_string(one));
  std::ranges::sort(found);
  return found;
}

}  // namespace

void new_names::seen(const node_name& node, std::uint32_t creation) {
  if (entries_.size() >= max_entries) entries_.clear();
  const auto [at, fresh] = entries_.try_emplace(node, entry{.creation = creation, .since = now_()});
  if (!fresh && at->second.creation != creation) at->second = {.creation = creation, .since = now_()};
}

bool new_names::taken(entry& its, const cnode::term& answer) const {
  auto found = addresses_in(answer);
  if (found && (its.alike == 0 || *found == its.addresses)) {
    its.addresses = std::move(*found);
    ++its.alike;
    return true;
  }
  its.alike = 0;
  its.failed_at = now_();
  return false;
}

asio::awaitable<path_probe> new_names::look_up(node_name on, node_name whose, bool ipv6,
                                               milliseconds patience, milliseconds limit) {
  boost::system::error_code no_address;
  asio::ip::make_address(whose.host(), no_address);
  if (!no_address) co_return path_probe::reachable;
  cnode::term_writer arguments;
  arguments.list_header(2).text(whose.host()).atom(ipv6 ? "inet6" : "inet").nil();
  const auto asked = arguments.bytes();
  const auto end = now_() + limit;
  while (true) {
    const auto at = entries_.find(whose);
    const auto now = now_();
    if (at == entries_.end() || at->second.alike >= enough || now - at->second.since >= patience)
      co_return path_probe::reachable;
    const auto& failed_at = at->second.failed_at;
    if (failed_at && now - *failed_at < pause) co_return path_probe::unresolved;
    if (now >= end) co_return path_probe::no_word;
    const auto left = std::chrono::duration_cast<milliseconds>(end - now);
    const auto answer = co_await call_(on, "inet", "getaddrs", asked, std::max(left, milliseconds(1)));
    if (!answer) co_return path_probe::no_word;
    const auto again = entries_.find(whose);
    if (again != entries_.end() && !taken(again->second, *answer)) co_return path_probe::unresolved;
  }
}

}  // namespace rollcall::app
