// One name server, asked through c-ares on the io_context: c-ares owns its sockets and says when it wants to
// read or write them, Asio watches them, and one timer stands where ares_timeout wants it. Order: open,
// ask..., close.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct ares_channeldata;

namespace rollcall::discovery {

namespace asio = boost::asio;

enum class record_type { a = 1, srv = 33, aaaa = 28 };  // RFC 1035 3.2.2, RFC 3596, RFC 2782
std::string_view to_string(record_type) noexcept;

struct raw_answer {
  int status = 0;                    // ARES_SUCCESS, or why not
  std::vector<unsigned char> bytes;  // the whole message, when there was one
};

class channel : public std::enable_shared_from_this<channel> {
 public:
  // A status of ours: no socket could be opened, since no file descriptor is left.
  static constexpr int no_descriptor = -1;
  // What is said to hold over UDP (RFC 6891; the size that no path fragments). A longer answer comes over
  // TCP.
  static constexpr int max_udp_answer = 1232;

  enum class way {
    udp,  // and TCP for what does not fit
    tcp,  // from the start, for an answer known to be long
    cut,  // UDP only: what fits
  };
  struct settings {
    asio::ip::udp::endpoint server;
    way how = way::udp;
    std::chrono::milliseconds timeout{2'000};  // for all tries of one question together
  };
  // Throws std::runtime_error when c-ares cannot start.
  static std::shared_ptr<channel> open(asio::io_context&, const settings&);
  channel(asio::io_context&, const settings&);
  ~channel();
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  // `name` ends in a dot. Ends at the deadline with ARES_ETIMEOUT, when cancelled with ARES_ECANCELLED, after
  // close() with ARES_EDESTRUCTION.
  static asio::awaitable<raw_answer> ask(std::shared_ptr<channel>, std::string name, record_type,
                                         std::chrono::steady_clock::time_point deadline);
  void close();

 private:
  struct question;
  struct watch;
  static void completed(void* argument, int status, int timeouts, unsigned char* bytes, int size);
  static int open_socket(int family, int type, int protocol, void* self);
  static void socket_state(void* self, int socket, int readable, int writable);
  void watch_socket(int socket, bool readable, bool writable);
  void arm(int socket, const std::shared_ptr<watch>&);
  void process(int readable, int writable);
  void set_timer();

  asio::io_context& context_;
  asio::steady_timer timer_;
  std::unordered_map<int, std::shared_ptr<watch>> watches_;
  ares_channeldata* channel_ = nullptr;
  bool no_descriptor_ = false;  // the last socket that c-ares wanted could not be opened
};

}  // namespace rollcall::discovery
