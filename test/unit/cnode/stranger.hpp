// Somebody on a plain socket who may know the cookie or not, and plays a handshake frame by frame.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <string>

#include "cnode/flags.hpp"
#include "cnode/handshake.hpp"

namespace rollcall::test {

class stranger {
 public:
  using tcp = boost::asio::ip::tcp;

  explicit stranger(std::uint16_t port) : socket_(io_) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), port});
  }
  explicit stranger(tcp::acceptor& from) : socket_(from.accept()) {}
  void send(const std::string& frame) {
    const std::string length{static_cast<char>(frame.size() >> 8U), static_cast<char>(frame.size() & 0xffU)};
    boost::system::error_code ignored;
    boost::asio::write(socket_, boost::asio::buffer(length + frame), ignored);
  }
  // Its length, and half of it.
  void send_half(const std::string& frame) {
    const std::string length{static_cast<char>(frame.size() >> 8U), static_cast<char>(frame.size() & 0xffU)};
    boost::system::error_code ignored;
    boost::asio::write(socket_, boost::asio::buffer(length + frame.substr(0, frame.size() / 2)), ignored);
  }
  // Empty once the connection is closed.
  std::string receive() {
    boost::system::error_code code;
    std::array<std::uint8_t, 2> length{};
    boost::asio::read(socket_, boost::asio::buffer(length), code);
    std::string frame(code ? 0U : static_cast<std::size_t>(length[0] << 8U | length[1]), '\0');
    boost::asio::read(socket_, boost::asio::buffer(frame), code);
    return frame;
  }
  static cnode::initiating_handshake as(const std::string& name) {
    const cnode::identity self{*node_name::parse(name), cnode::flags::plain, 99};
    return {self, {}, "chocolate", cnode::challenge(5)};
  }

 private:
  boost::asio::io_context io_;
  tcp::socket socket_;
};

}  // namespace rollcall::test
