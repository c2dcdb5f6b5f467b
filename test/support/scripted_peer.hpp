// The other side of a connection, written by the test: a listener that plays a script, a registration with a
// port mapper, and a fake node that goes through the handshake up to where it is told to misbehave.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "test/support/socket.hpp"

namespace rollcall::test {

// Plays `script` for every connection, one after another, until it goes.
class scripted_peer {
 public:
  using script = std::function<void(socket& connection, const std::stop_token&)>;
  // `port` 0: any.
  explicit scripted_peer(script, const std::string& address = "127.0.0.1",
                         const std::string& network_namespace = {}, std::uint16_t port = 0);
  ~scripted_peer();
  scripted_peer(const scripted_peer&) = delete;
  scripted_peer& operator=(const scripted_peer&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  int connections() const noexcept { return connections_; }

 private:
  socket listener_;
  std::uint16_t port_;
  std::atomic<int> connections_{0};
  std::jthread thread_;
};

// `alive` points to `port` in that port mapper for as long as this lives. Throws std::runtime_error when
// refused.
class registration {
 public:
  registration(std::uint16_t epmd_port, const std::string& alive, std::uint16_t port,
               const std::string& network_namespace = {});

 private:
  socket connection_;
};

// What a fake node does instead of being one. Those from `closes_after_up` on complete the handshake first.
enum class misbehaviour {
  closes_at_once,
  silent,                  // accepts, says nothing
  silent_after_status,     // sends `ok`, then nothing
  silent_after_challenge,  // never acknowledges
  says_not_allowed,
  huge_handshake_length,  // a 64 KiB handshake frame announced, nothing behind it
  garbage_status,
  wrong_name,    // calls itself something else
  wrong_digest,  // its acknowledgement was made with another cookie
  lacks_mandatory_flags,
  closes_after_up,
  huge_frame,       // announces 4 GiB - 1
  truncated_term,   // a binary longer than its frame
  deep_term,        // ten thousand tuples in each other, as a message
  unknown_control,  // {99, whatever}
  never_reads,
  half_frame,  // 8 MiB announced, all but the last byte sent
};

class fake_node {
 public:
  fake_node(std::string name, std::string cookie, misbehaviour, const std::string& address = "127.0.0.1",
            const std::string& network_namespace = {});

  std::uint16_t port() const noexcept { return peer_.port(); }
  int connections() const noexcept { return peer_.connections(); }
  int completed() const noexcept { return completed_; }  // handshakes

 private:
  void play(socket&, const std::stop_token&);
  std::string name_, cookie_;
  misbehaviour misbehaviour_;
  std::atomic<int> completed_{0};
  scripted_peer peer_;
};

}  // namespace rollcall::test
