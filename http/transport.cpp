#include "http/transport.hpp"

namespace rollcall::http {

void transport::secure(const tls::context& with, std::string come) {
  tls_ = std::make_unique<tls::session>(with, tls::role::accepting, socket_.native_handle(), std::string(),
                                        false);
  tls_->begin_with(std::move(come));
}

std::size_t transport::read_some(boost::asio::mutable_buffer to, boost::system::error_code& code) {
  return tls_ ? tls_->read(to, code) : socket_.read_some(to, code);
}

std::size_t transport::write_some(std::string_view bytes, boost::system::error_code& code) {
  const auto from = boost::asio::buffer(bytes);
  return tls_ ? tls_->write(from, code) : socket_.write_some(from, code);
}

void transport::shut_down(boost::system::error_code& code) {
  if (tls_) tls_->end();
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, code);
}

void transport::close() noexcept {
  boost::system::error_code ignored;
  socket_.close(ignored);
  tls_.reset();
}

}  // namespace rollcall::http
