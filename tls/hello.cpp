#include "tls/hello.hpp"

namespace rollcall::tls {
namespace {

constexpr unsigned char handshake_record = 22, client_hello = 1;
constexpr std::size_t message_header = 4;

}  // namespace

// A record: its kind, 2 bytes of version, 2 of length; the message in it: its kind, 3 bytes of length
// (RFC 8446, 5.1 and 4).
beginning begins_with(std::string_view first) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(first[i]); };
  if (first.empty()) return beginning::more;
  if (at(0) != handshake_record) return beginning::something_else;
  if (first.size() < hello_prefix) return beginning::more;
  const std::size_t record = at(3) * 256U + at(4), message = (at(6) * 256U + at(7)) * 256U + at(8);
  if (record < message_header || at(5) != client_hello) return beginning::something_else;
  return message > max_client_hello ? beginning::too_large : beginning::hello;
}

}  // namespace rollcall::tls
