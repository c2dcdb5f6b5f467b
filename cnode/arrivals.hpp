// The listener, and the connections that came in and are in their handshake: none of them has shown the
// cookie yet, so they are few, and short-lived.
#pragma once

#include <list>
#include <memory>
#include <optional>

#include "cnode/dials.hpp"
#include "cnode/node_services.hpp"
#include "cnode/timed_socket.hpp"

namespace rollcall::cnode {

class arrivals {
 public:
  arrivals(node_services&, dials&);

  // Once; `port` 0: any.
  boost::system::error_code listen(std::uint16_t port);
  std::uint16_t port() const noexcept { return port_; }
  // Until stop().
  static asio::awaitable<void> accept(std::shared_ptr<arrivals>);
  void stop();
  void close_all();
  // Whether one of them claims this name.
  bool coming_in(const node_name&) const;

 private:
  struct incoming {
    std::shared_ptr<timed_stream> connection;
    std::optional<node_name> name;  // a claim, until the cookie is shown
  };
  using incoming_pointer = std::shared_ptr<incoming>;

  static asio::awaitable<void> answer(std::shared_ptr<arrivals>, incoming_pointer);
  static asio::awaitable<boost::system::error_code> secure(std::shared_ptr<arrivals>, incoming_pointer,
                                                           const tls::context&);
  static asio::awaitable<boost::system::error_code> shake_hands(std::shared_ptr<arrivals>, incoming_pointer,
                                                                accepting_handshake&);
  // Why a peer that has told its name is not let in, with or without the cookie.
  boost::system::error_code refusal(const accepting_handshake&) const;
  accepting_handshake::verdict decide(const incoming_pointer&, const node_name&);

  node_services& node_;
  dials& dials_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::list<incoming_pointer> incoming_;  // the oldest first
};

}  // namespace rollcall::cnode
