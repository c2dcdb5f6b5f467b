// TLS on one connected socket that does not block. Nothing here waits: what cannot be done yet is
// would_block, until the socket can be read. What the socket does not take is kept, at most what one write
// was; flush() sends it.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "tls/context.hpp"

struct bio_st;
struct ssl_st;
struct x509_store_ctx_st;

namespace rollcall::tls {

// TLS itself failed, not the socket under it.
boost::system::error_code failed() noexcept;

class session {
 public:
  // `server`: what the peer is called, told to it when we dial. `check`: its certificate has to be for that.
  session(const context&, role, int socket, std::string server, bool check);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  // What was read from the socket before: it is taken first.
  void begin_with(std::string come) { come_ = std::move(come); }
  // Until it is done. failed(): why() says why.
  void shake(boost::system::error_code&);
  std::size_t read(boost::asio::mutable_buffer, boost::system::error_code&);
  std::size_t write(boost::asio::const_buffer, boost::system::error_code&);
  void flush(boost::system::error_code&);
  // Read from the socket, and not yet by anyone here.
  bool holds_more() const noexcept;
  bool holds_unsent() const noexcept { return !unsent_.empty(); }
  // In the middle of a renegotiation (1.2): nothing can be written until what comes has been read.
  bool changing_keys() const noexcept;
  // Whether one byte has come from the peer.
  bool heard() const noexcept { return heard_; }
  // The peer has shown the cookie: it may ask for new keys.
  void trust() noexcept;
  // Tells the peer that nothing more comes, if the socket takes that at once.
  void end() noexcept;
  // Whether the peer showed a certificate for that host; why() if not.
  bool shows(const std::string& host);
  const std::string& why() const noexcept { return why_; }
  std::string version() const;  // TLSv1.3
  std::size_t footprint() const noexcept;

  static int verify(int accepted, x509_store_ctx_st*);

 private:
  struct transport;
  boost::system::error_code outcome_of(int result);
  int take(std::string_view come);

  int socket_;
  role role_;
  std::string server_;
  bool check_, shows_own_, heard_ = false;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> tls_;
  int errno_ = 0;
  std::size_t received_ = 0;
  std::string come_, first_, unsent_, why_;  // first_: what it began with, when it dialled
  boost::system::error_code ended_;
};

}  // namespace rollcall::tls
