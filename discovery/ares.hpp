// c-ares, with what newer releases deprecate still allowed: the program is built against 1.18 (Debian 12) and
// later.
#pragma once

#define CARES_NO_DEPRECATED
#include <ares.h>

#include <boost/asio/ip/udp.hpp>
#include <cstring>
#include <memory>

namespace rollcall::discovery::ares {

struct deleter {
  void operator()(void* data) const noexcept { ares_free_data(data); }
};
template <class T>
using data = std::unique_ptr<T, deleter>;

inline ares_addr_port_node to_node(const boost::asio::ip::udp::endpoint& endpoint) {
  ares_addr_port_node node{};
  const auto address = endpoint.address();
  if (address.is_v4()) {
    node.family = AF_INET;
    const auto bytes = address.to_v4().to_bytes();
    std::memcpy(&node.addr.addr4, bytes.data(), bytes.size());
  } else {
    node.family = AF_INET6;
    const auto bytes = address.to_v6().to_bytes();
    std::memcpy(&node.addr.addr6, bytes.data(), bytes.size());
  }
  node.udp_port = node.tcp_port = endpoint.port();
  return node;
}

inline boost::asio::ip::address to_address(const ares_addr_port_node& node) {
  if (node.family == AF_INET) {
    boost::asio::ip::address_v4::bytes_type bytes;
    std::memcpy(bytes.data(), &node.addr.addr4, bytes.size());
    return boost::asio::ip::address_v4(bytes);
  }
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &node.addr.addr6, bytes.size());
  return boost::asio::ip::address_v6(bytes);
}

}  // namespace rollcall::discovery::ares
