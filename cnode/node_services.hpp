// What the parts of a node (dials, arrivals) use of the node they belong to.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "cnode/connection.hpp"
#include "cnode/handshake.hpp"
#include "cnode/node.hpp"

namespace rollcall::cnode {

class node_services {
 public:
  virtual asio::io_context& io() noexcept = 0;
  virtual const node_options& options() const noexcept = 0;
  virtual identity own_identity() const = 0;
  virtual bool stopping() const noexcept = 0;
  virtual bool standing_by() const noexcept = 0;
  // The node lives for as long as this is held: a part is held by a pointer that shares it.
  virtual std::shared_ptr<node_services> hold() = 0;

  virtual std::optional<peer> linked(const node_name&) const = 0;
  virtual std::size_t links_that_came_in() const noexcept = 0;
  // A handshake has succeeded on this connection.
  virtual void install(stream, const identity& other, direction, const tcp::endpoint& remote) = 0;
  virtual void tell_handshake(direction, std::optional<node_name> peer, const tcp::endpoint& remote,
                              boost::system::error_code, std::string detail) = 0;

  // Stopping waits for what began and has not ended; an exception is told as what `what` ended with.
  virtual void spawn(std::string what, asio::awaitable<void>) = 0;
  virtual void task_began() noexcept = 0;
  virtual void task_ended() noexcept = 0;

 protected:
  ~node_services() = default;
};

}  // namespace rollcall::cnode
