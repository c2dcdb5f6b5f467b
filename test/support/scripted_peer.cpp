// Fake nodes. The bytes are written out here, independent of the codecs they test.
// https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html
#include "test/support/scripted_peer.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

std::string big_endian(std::uint64_t value, int bytes) {
  std::string result;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) result += static_cast<char>(value >> shift);
  return result;
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const unsigned char byte : bytes) value = value << 8 | byte;
  return value;
}

bool send_frame(const socket& to, const std::string& body, int length_bytes) {
  return to.send(big_endian(body.size(), length_bytes) + body);
}

std::string digest(const std::string& cookie, std::uint64_t challenge) {
  const auto text = cookie + std::to_string(challenge);
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_md5(), nullptr);
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

std::optional<std::string> handshake_frame(const socket& from) {
  const auto length = from.receive(2, patient(5s));
  return length ? from.receive(big_endian(*length), patient(5s)) : std::nullopt;
}

void hold(const socket& connection, const std::stop_token& stop) {
  while (!stop.stop_requested() && !connection.closed_by_peer(50ms)) {
  }
}

// What OTP 25 announces, without fragments and the atom cache.
constexpr std::uint64_t node_flags = 0xd0005fbdULL | 0x07000000ULL | 0x700000000ULL << 2 | 1ULL << 32;

}  // namespace

scripted_peer::scripted_peer(script play, const std::string& address, const std::string& network_namespace,
                             std::uint16_t port)
    : listener_(listen_tcp(address, port, network_namespace)),
      port_(local_port(listener_)),
      thread_([this, play = std::move(play)](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          auto connection = accept_from(listener_, 50ms);
          if (!connection.open()) continue;
          ++connections_;
          play(connection, stop);
        }
      }) {}

scripted_peer::~scripted_peer() = default;

registration::registration(std::uint16_t epmd_port, const std::string& alive, std::uint16_t port,
                           const std::string& network_namespace)
    : connection_(connect_tcp("127.0.0.1", epmd_port, network_namespace)) {
  // ALIVE2_REQ: port, node type 77, TCP, highest and lowest version, name, no extra.
  const auto request = "\x78" + big_endian(port, 2) + "M" + std::string(1, '\0') + big_endian(6, 2) +
                       big_endian(5, 2) + big_endian(alive.size(), 2) + alive + big_endian(0, 2);
  if (!connection_.open() || !send_frame(connection_, request, 2)) throw std::runtime_error("no port mapper");
  const auto answer = connection_.receive(2);
  if (!answer || (*answer)[1] != 0) throw std::runtime_error("the port mapper does not register " + alive);
}

fake_node::fake_node(std::string name, std::string cookie, misbehaviour what, const std::string& address,
                     const std::string& network_namespace)
    : name_(std::move(name)),
      cookie_(std::move(cookie)),
      misbehaviour_(what),
      peer_([this](socket& connection, const std::stop_token& stop) { play(connection, stop); }, address,
            network_namespace) {}

void fake_node::play(socket& connection, const std::stop_token& stop) {
  using enum misbehaviour;
  if (misbehaviour_ == closes_at_once) return;
  if (misbehaviour_ == silent) return hold(connection, stop);
  if (!handshake_frame(connection)) return;  // N flags creation name
  if (misbehaviour_ == huge_handshake_length) {
    connection.send("\xff\xff");
    return hold(connection, stop);
  }
  if (misbehaviour_ == garbage_status) {
    send_frame(connection, "\x01\x02\x03\x04", 2);
    return hold(connection, stop);
  }
  if (misbehaviour_ == says_not_allowed) {
    send_frame(connection, "snot_allowed", 2);
    return hold(connection, stop);
  }
  send_frame(connection, "sok", 2);
  if (misbehaviour_ == silent_after_status) return hold(connection, stop);

  const auto flags = misbehaviour_ == lacks_mandatory_flags ? 0x1ULL : node_flags;
  const auto own = misbehaviour_ == wrong_name ? "someone@else.test" : name_;
  const std::uint64_t challenge = 305'419'896;
  send_frame(connection,
             "N" + big_endian(flags, 8) + big_endian(challenge, 4) + big_endian(7, 4) +
                 big_endian(own.size(), 2) + own,
             2);
  if (misbehaviour_ == silent_after_challenge) return hold(connection, stop);
  const auto reply = handshake_frame(connection);  // r challenge digest
  if (!reply || reply->size() != 21 || reply->substr(5) != digest(cookie_, challenge)) return;
  const auto theirs = big_endian(reply->substr(1, 4));
  send_frame(connection, "a" + digest(misbehaviour_ == wrong_digest ? cookie_ + "x" : cookie_, theirs), 2);
  if (misbehaviour_ == wrong_digest) return hold(connection, stop);
  ++completed_;

  // Pass-through messages: 'p', the control term, then maybe a message, each behind the version byte 131.
  const std::string reg_send_to_nobody =
      "p\x83"
      "h\x04"
      "a\x06"
      "gw" +
      big_endian(name_.size(), 2) + name_;  // cut inside a tuple: only for truncated_term
  switch (misbehaviour_) {
    case closes_after_up:
      return;
    case huge_frame:
      connection.send(
          "\xff\xff\xff\xff"
          "p");
      break;
    case truncated_term:
      send_frame(connection, reg_send_to_nobody, 4);
      break;
    case deep_term: {
      // {22, ...} would be needed for a real target; the walker must refuse the depth before it looks at
      // meaning.
      std::string deep =
          "p\x83"
          "h\x02"
          "a\x63";
      for (int i = 0; i < 10'000; ++i) deep += "h\x01";
      send_frame(connection, deep + "a\x01", 4);
      break;
    }
    case unknown_control:
      send_frame(connection,
                 "p\x83"
                 "h\x02"
                 "a\x63"
                 "a\x01",
                 4);
      break;
    case half_frame: {
      constexpr std::size_t size = 8U << 20;
      connection.send(big_endian(size, 4) + "p" + std::string(size - 2, 'x'));
      break;
    }
    case never_reads:
      while (!stop.stop_requested()) std::this_thread::sleep_for(20ms);
      return;
    default:
      break;
  }
  hold(connection, stop);
}

}  // namespace rollcall::test
