#include "cnode/stream.hpp"

#include <boost/asio/error.hpp>

namespace rollcall::cnode {

stream::stream(boost::asio::ip::tcp::socket connected) : socket_(std::move(connected)) {
  boost::system::error_code ignored;  // one that is closed already says so when it is used
  socket_.non_blocking(true, ignored);
}

std::size_t stream::read_some(boost::asio::mutable_buffer to, boost::system::error_code& code) {
  return socket_.read_some(to, code);
}

std::size_t stream::write_some(boost::asio::const_buffer from, boost::system::error_code& code) {
  return socket_.write_some(from, code);
}

bool not_yet(boost::system::error_code code) noexcept {
  return code == boost::asio::error::would_block || code == boost::asio::error::interrupted;
}

}  // namespace rollcall::cnode
