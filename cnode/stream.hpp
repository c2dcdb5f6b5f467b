// The connection under a link: TCP, or TLS on it. Nothing here waits by itself: what cannot be done yet is
// would_block, and its user waits for the socket to be what awaited_by_read() or awaited_by_write() says, and
// tries again.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "tls/session.hpp"

namespace rollcall::cnode {

class stream {
 public:
  using executor_type = boost::asio::ip::tcp::socket::executor_type;
  using wait_type = boost::asio::ip::tcp::socket::wait_type;

  explicit stream(boost::asio::ip::tcp::socket connected);

  boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }
  executor_type get_executor() noexcept { return socket_.get_executor(); }
  void close(boost::system::error_code&);

  // From now on everything is TLS; nothing may have been read or written before. `server` and `check`:
  // tls::session.
  void secure(const tls::context&, tls::role, std::string server, bool check);
  // Null: plain TCP.
  tls::session* secured() noexcept { return tls_.get(); }
  const tls::session* secured() const noexcept { return tls_.get(); }

  // Once secured: until it is done. error::tls, here and below: secured()->why() says why.
  void shake(boost::system::error_code&);
  // What has come, as much as fits: never nothing without an error.
  std::size_t read_some(boost::asio::mutable_buffer, boost::system::error_code&);
  std::size_t write_some(boost::asio::const_buffer, boost::system::error_code&);
  // One behind the other; the first may be empty, not both.
  std::size_t write_some(const std::array<boost::asio::const_buffer, 2>&, boost::system::error_code&);
  // Of what has come something can be read, though the socket may stay silent.
  bool holds_more() const noexcept { return tls_ && tls_->holds_more(); }
  // Something of its own, not what was written, has yet to go out.
  bool holds_unsent() const noexcept { return tls_ && tls_->holds_unsent(); }
  void flush(boost::system::error_code&);
  bool changing_keys() const noexcept { return tls_ && tls_->changing_keys(); }

  wait_type awaited_by_read() const noexcept { return wait_type::wait_read; }
  wait_type awaited_by_write() const noexcept {
    return !tls_ || tls_->holds_unsent() ? wait_type::wait_write : wait_type::wait_read;
  }
  std::size_t footprint() const noexcept { return tls_ ? tls_->footprint() : 0; }

 private:
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<tls::session> tls_;
};

// Whether it only has to be tried again.
bool not_yet(boost::system::error_code) noexcept;

}  // namespace rollcall::cnode
