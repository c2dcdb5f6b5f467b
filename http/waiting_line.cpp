#include "http/waiting_line.hpp"

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>
#include <utility>

namespace rollcall::http {

namespace asio = boost::asio;

namespace {
constexpr std::size_t max_remembered_clients = 1'024;
}

client_address client_of(const client_address& address) {
  if (address.is_v4()) return address;
  const auto v6 = address.to_v6();
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6);
  if (v6.is_loopback()) return v6;
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return asio::ip::address_v6(bytes, v6.scope_id());
}

bool is_open_to_all(std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  return path == "/healthz" || path == "/readyz";
}

urgency urgency_of(std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  return is_open_to_all(target) || path == "/metrics" ? urgency::probe : urgency::ordinary;
}

std::uint64_t waiting_line::join(const client_address& of, urgency how, request go) {
  auto& into = how == urgency::probe ? urgent_ : ordinary_;
  if (into.clients.size() >= max_remembered_clients) {
    std::erase_if(into.clients, [](const auto& each) { return each.second.requests.empty(); });
  }
  into.clients[of].requests.emplace_back(++joined_, std::move(go));
  ++into.waiting;
  ++waiting_;
  return joined_;
}

waiting_line::request waiting_line::leave(const client_address& of, urgency how, std::uint64_t number) {
  auto& from = how == urgency::probe ? urgent_ : ordinary_;
  const auto one = from.clients.find(of);
  if (one == from.clients.end()) return {};
  auto& requests = one->second.requests;
  const auto found = std::ranges::find(requests, number, [](const auto& each) { return each.first; });
  if (found == requests.end()) return {};
  auto go = std::move(found->second);
  requests.erase(found);
  --from.waiting;
  --waiting_;
  return go;
}

std::size_t waiting_line::size_of(const client_address& of, urgency how) const {
  const auto& in = (how == urgency::probe ? urgent_ : ordinary_).clients;
  const auto found = in.find(of);
  return found != in.end() ? found->second.requests.size() : 0;
}

void waiting_line::next() {
  if (empty()) return;
  const bool others_had_to_wait = urgent_in_a_row_ >= most_urgent_in_a_row && ordinary_.waiting > 0;
  const bool urgent = urgent_.waiting > 0 && !others_had_to_wait;
  urgent_in_a_row_ = urgent && ordinary_.waiting > 0 ? urgent_in_a_row_ + 1 : 0;
  const auto go = take(urgent ? urgent_ : ordinary_);
  if (empty()) {
    // Nobody waits, so nobody was kept waiting: the next ones all begin alike.
    urgent_.clients.clear();
    ordinary_.clients.clear();
  }
  go();
}

void waiting_line::clear() {
  // What goes with a request may be the last owner of this line's owner: not while the line is being changed.
  const auto urgent = std::exchange(urgent_, {}), ordinary = std::exchange(ordinary_, {});
  waiting_ = 0;
}

waiting_line::request waiting_line::take(kind& from) {
  const auto comes_later = [](const auto& a, const auto& b) {
    if (a.second.requests.empty() != b.second.requests.empty()) return a.second.requests.empty();
    return a.second.served > b.second.served;
  };
  auto& [address, first] = *std::ranges::max_element(from.clients, comes_later);
  auto go = std::move(first.requests.front().second);
  first.requests.pop_front();
  first.served = ++turn_;
  --from.waiting;
  --waiting_;
  return go;
}

}  // namespace rollcall::http
