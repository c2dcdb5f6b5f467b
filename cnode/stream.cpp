#include "cnode/stream.hpp"

#include "cnode/error.hpp"

#include <boost/asio/error.hpp>

namespace rollcall::cnode {
namespace {

void make_ours(boost::system::error_code& code) {
  if (code == tls::failed()) code = make_error_code(error::tls);
}

}  // namespace

stream::stream(boost::asio::ip::tcp::socket connected) : socket_(std::move(connected)) {
  boost::system::error_code ignored;  // one that is closed already says so when it is used
  socket_.non_blocking(true, ignored);
}

void stream::close(boost::system::error_code& code) {
  if (tls_ && socket_.is_open()) tls_->end();
  socket_.close(code);
}

void stream::secure(const tls::context& with, tls::role as, std::string server, bool check) {
  tls_ = std::make_unique<tls::session>(with, as, socket_.native_handle(), std::move(server), check);
}

void stream::flush(boost::system::error_code& code) {
  code = {};
  if (tls_) tls_->flush(code);
}

void stream::shake(boost::system::error_code& code) {
  tls_->shake(code);
  make_ours(code);
}

std::size_t stream::read_some(boost::asio::mutable_buffer to, boost::system::error_code& code) {
  const auto size = tls_ ? tls_->read(to, code) : socket_.read_some(to, code);
  make_ours(code);
  return size;
}

std::size_t stream::write_some(boost::asio::const_buffer from, boost::system::error_code& code) {
  const auto size = tls_ ? tls_->write(from, code) : socket_.write_some(from, code);
  make_ours(code);
  return size;
}

std::size_t stream::write_some(const std::array<boost::asio::const_buffer, 2>& from,
                               boost::system::error_code& code) {
  if (tls_) return write_some(from[0].size() > 0 ? from[0] : from[1], code);
  return socket_.write_some(from, code);
}

bool not_yet(boost::system::error_code code) noexcept {
  return code == boost::asio::error::would_block || code == boost::asio::error::interrupted;
}

}  // namespace rollcall::cnode
