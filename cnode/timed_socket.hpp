// A socket, or a stream, that is closed when its time is up, so that whatever waits on it ends; and a
// listening one.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "cnode/connection.hpp"

namespace rollcall::cnode {

template <class Socket>
class timed {
 public:
  static std::shared_ptr<timed> make(const asio::any_io_executor& executor, std::chrono::milliseconds limit) {
    return make(tcp::socket(executor), limit);
  }
  static std::shared_ptr<timed> make(tcp::socket open, std::chrono::milliseconds limit) {
    auto made = std::shared_ptr<timed>(new timed(std::move(open)));
    made->deadline_.expires_after(limit);
    made->deadline_.async_wait([weak = std::weak_ptr(made)](boost::system::error_code code) {
      const auto self = weak.lock();
      if (code || !self || self->timeless_) return;
      self->expire();
    });
    return made;
  }

  Socket socket;

  // What ended an operation on it: timed_out when it was the limit.
  boost::system::error_code failure(boost::system::error_code code) const noexcept {
    return expired_ ? make_error_code(error::timed_out) : network_error(code);
  }
  bool expired() const noexcept { return expired_; }
  // As if its time were up.
  void expire() {
    expired_ = true;
    close();
  }
  void forever() {
    timeless_ = true;
    deadline_.cancel();
  }
  void close() {
    boost::system::error_code ignored;
    socket.close(ignored);
    deadline_.cancel();
  }

 private:
  explicit timed(tcp::socket open) : socket(std::move(open)), deadline_(socket.get_executor()) {}
  asio::steady_timer deadline_;
  bool expired_ = false, timeless_ = false;
};

using timed_socket = timed<tcp::socket>;
using timed_stream = timed<stream>;

// Every address of the machine, IPv6 and IPv4; IPv4 alone where there is no IPv6.
boost::system::error_code listen_on(tcp::acceptor&, std::uint16_t port);

}  // namespace rollcall::cnode
