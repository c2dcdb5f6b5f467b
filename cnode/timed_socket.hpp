// A socket that is closed when its time is up, so that whatever waits on it ends; and a listening one.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "cnode/connection.hpp"

namespace rollcall::cnode {

class timed_socket : public std::enable_shared_from_this<timed_socket> {
 public:
  static std::shared_ptr<timed_socket> make(const asio::any_io_executor& executor,
                                            std::chrono::milliseconds limit) {
    return make(tcp::socket(executor), limit);
  }
  static std::shared_ptr<timed_socket> make(tcp::socket open, std::chrono::milliseconds limit) {
    auto made = std::shared_ptr<timed_socket>(new timed_socket(std::move(open)));
    made->deadline_.expires_after(limit);
    made->deadline_.async_wait([weak = std::weak_ptr(made)](boost::system::error_code code) {
      const auto self = weak.lock();
      if (code || !self || self->timeless_) return;
      self->expire();
    });
    return made;
  }

  tcp::socket socket;

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
  explicit timed_socket(tcp::socket open) : socket(std::move(open)), deadline_(socket.get_executor()) {}
  asio::steady_timer deadline_;
  bool expired_ = false, timeless_ = false;
};

// Every address of the machine, IPv6 and IPv4; IPv4 alone where there is no IPv6.
boost::system::error_code listen_on(tcp::acceptor&, std::uint16_t port);

}  // namespace rollcall::cnode
