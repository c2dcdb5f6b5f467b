// Which request is answered next: requests wait here, and one at a time is let go. Clients (addresses) take
// turns, the one served longest ago first, so that a flood of one client delays only that client. What
// monitoring and the kubelet ask (/healthz, /readyz, /metrics) goes before everything else, but never so that
// the rest waits without end.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

namespace rollcall::http {

using client_address = boost::asio::ip::address;

// Who shares one turn: an IPv4 address, also when it is written as an IPv6 one, or an IPv6 network of 64
// bits, since that is what one client is given.
client_address client_of(const client_address&);

enum class urgency { probe, ordinary };
urgency urgency_of(std::string_view target);
// What the kubelet asks: it has no password.
bool is_open_to_all(std::string_view target);

class waiting_line {
 public:
  // Of urgent requests in a row, while others wait.
  static constexpr int most_urgent_in_a_row = 4;

  using request = std::function<void()>;

  // `go` is called by next(), or given back by leave(), which wants the number that this returns.
  std::uint64_t join(const client_address&, urgency, request go);
  request leave(const client_address&, urgency, std::uint64_t number);
  bool empty() const noexcept { return waiting_ == 0; }
  std::size_t size() const noexcept { return waiting_; }
  std::size_t size_of(const client_address&, urgency) const;
  // Lets one go. Nothing happens when nobody waits.
  void next();
  // Forgets all requests, and what `go` holds with them.
  void clear();

 private:
  struct client {
    std::deque<std::pair<std::uint64_t, request>> requests;
    std::uint64_t served = 0;
  };
  struct kind {
    std::map<client_address, client>
        clients;  // those that wait, and those served since the line was empty last
    std::size_t waiting = 0;
  };
  request take(kind&);

  kind urgent_, ordinary_;
  std::size_t waiting_ = 0;
  std::uint64_t turn_ = 0, joined_ = 0;
  int urgent_in_a_row_ = 0;
};

}  // namespace rollcall::http
