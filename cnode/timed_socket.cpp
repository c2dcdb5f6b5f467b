#include "cnode/timed_socket.hpp"

#include <boost/asio/ip/v6_only.hpp>

namespace rollcall::cnode {
namespace {

boost::system::error_code listen_with(tcp::acceptor& acceptor, const tcp& protocol, std::uint16_t port) {
  boost::system::error_code code;
  acceptor.open(protocol, code);
  if (!code) acceptor.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code && protocol == tcp::v6()) acceptor.set_option(asio::ip::v6_only(false), code);
  if (!code) acceptor.bind(tcp::endpoint(protocol, port), code);
  if (!code) acceptor.listen(tcp::acceptor::max_listen_connections, code);
  if (code) {
    boost::system::error_code ignored;
    acceptor.close(ignored);
  }
  return code;
}

}  // namespace

boost::system::error_code listen_on(tcp::acceptor& acceptor, std::uint16_t port) {
  const auto code = listen_with(acceptor, tcp::v6(), port);
  if (!code || code == asio::error::address_in_use) return code;
  return listen_with(acceptor, tcp::v4(), port);
}

}  // namespace rollcall::cnode
