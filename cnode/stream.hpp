// The connection under a link. Nothing here waits by itself: what cannot be done yet is would_block, and
// whoever wants to go on waits for the socket to be what awaited_by_read() or awaited_by_write() says, and
// tries again.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace rollcall::cnode {

class stream {
 public:
  using executor_type = boost::asio::ip::tcp::socket::executor_type;
  using wait_type = boost::asio::ip::tcp::socket::wait_type;

  explicit stream(boost::asio::ip::tcp::socket connected);

  boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }
  executor_type get_executor() noexcept { return socket_.get_executor(); }
  void close(boost::system::error_code& code) { socket_.close(code); }

  // What has come, as much as fits: never nothing without an error.
  std::size_t read_some(boost::asio::mutable_buffer, boost::system::error_code&);
  std::size_t write_some(boost::asio::const_buffer, boost::system::error_code&);
  wait_type awaited_by_read() const noexcept { return wait_type::wait_read; }
  wait_type awaited_by_write() const noexcept { return wait_type::wait_write; }

 private:
  boost::asio::ip::tcp::socket socket_;
};

// Whether it only has to be tried again.
bool not_yet(boost::system::error_code) noexcept;

}  // namespace rollcall::cnode
