// What carries one connection's bytes: TCP, or TLS on it. Nothing here waits: what cannot be done yet is
// would_block.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "tls/session.hpp"

namespace rollcall::http {

class transport {
 public:
  explicit transport(boost::asio::ip::tcp::socket connected) : socket_(std::move(connected)) {}

  boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }
  bool secured() const noexcept { return tls_ != nullptr; }
  // From now on everything is TLS. `come`: what was read of it already.
  void secure(const tls::context&, std::string come);
  void shake(boost::system::error_code& code) { tls_->shake(code); }
  std::size_t read_some(boost::asio::mutable_buffer, boost::system::error_code&);
  // Once secured: what is taken may have to be flushed.
  std::size_t write_some(std::string_view, boost::system::error_code&);
  bool holds_unsent() const noexcept { return tls_ && tls_->holds_unsent(); }
  bool changing_keys() const noexcept { return tls_ && tls_->changing_keys(); }
  void flush(boost::system::error_code& code) { tls_->flush(code); }
  // Says that nothing more comes, and hears out what does.
  void shut_down(boost::system::error_code&);
  void close() noexcept;

 private:
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<tls::session> tls_;
};

}  // namespace rollcall::http
