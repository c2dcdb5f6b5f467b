#include "tls/session.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <cerrno>

#include "tls/failure.hpp"
#include "tls/hello.hpp"

namespace rollcall::tls {
namespace {

class category_of_tls : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int) const override { return "TLS failed"; }
};

// What a session holds while it rests, with keys and the peer's certificate: measured, with 200 of them.
constexpr std::size_t resting_size = 24U << 10;
// By one read() or shake(): OpenSSL goes on while something comes that is not for its user (new keys), and a
// peer that sends that without end would keep it there.
constexpr std::size_t most_received_at_once = 256U << 10;

}  // namespace

boost::system::error_code failed() noexcept {
  static const category_of_tls category;
  return {1, category};
}

// OpenSSL's own would raise SIGPIPE, and lets a write end in the middle of a record: then nothing may be read
// before it is finished, if the peer asks for new keys just then.
struct session::transport {
  static session& of(BIO* bio) { return *static_cast<session*>(BIO_get_data(bio)); }
  static int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }
  static int write(BIO* bio, const char* bytes, std::size_t size, std::size_t* taken) {
    auto& self = of(bio);
    BIO_clear_retry_flags(bio);
    *taken = size;
    std::size_t sent = 0;
    if (self.unsent_.empty()) {
      const auto done = ::send(self.socket_, bytes, size, MSG_NOSIGNAL);
      if (done < 0 && errno != EAGAIN && errno != EINTR) {
        self.errno_ = errno;
        return 0;
      }
      sent = done < 0 ? 0 : static_cast<std::size_t>(done);
    }
    self.unsent_.append(bytes + sent, size - sent);
    return 1;
  }
  static int read(BIO* bio, char* bytes, std::size_t size, std::size_t* got) {
    auto& self = of(bio);
    BIO_clear_retry_flags(bio);
    if (!self.come_.empty()) {
      *got = self.come_.copy(bytes, size);
      self.come_.erase(0, *got);
      return self.take({bytes, *got});
    }
    if (self.received_ >= most_received_at_once) {
      BIO_set_retry_read(bio);
      return 0;
    }
    const auto come = ::recv(self.socket_, bytes, size, 0);
    *got = come > 0 ? static_cast<std::size_t>(come) : 0;
    self.received_ += *got;
    if (come > 0) return self.take({bytes, *got});
    if (come < 0 && (errno == EAGAIN || errno == EINTR)) {
      BIO_set_retry_read(bio);
    } else {
      self.errno_ = come < 0 ? errno : 0;
    }
    return 0;
  }
  static long control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {  // lives as long as the program
      auto* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
      BIO_meth_set_create(fresh, create);
      BIO_meth_set_write_ex(fresh, write);
      BIO_meth_set_read_ex(fresh, read);
      BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
};

session::session(const context& made, role as, int socket, std::string server, bool check)
    : socket_(socket),
      role_(as),
      server_(std::move(server)),
      check_(check),
      tls_(SSL_new(made.of(as)), SSL_free) {
  auto* const bio = BIO_new(transport::method());
  BIO_set_data(bio, this);
  SSL_set_bio(tls_.get(), bio, bio);
  SSL_set_app_data(tls_.get(), this);
  shows_own_ = SSL_get_certificate(tls_.get()) != nullptr;
  if (as == role::dialling) {
    SSL_set_tlsext_host_name(tls_.get(), server_.c_str());
    SSL_set_connect_state(tls_.get());
  } else {
    SSL_set_accept_state(tls_.get());
  }
}

session::~session() = default;

// Something came from the peer. 0: OpenSSL is not to see it.
int session::take(std::string_view come) {
  heard_ = true;
  if (role_ != role::accepting || first_.size() >= hello_prefix) return 1;
  first_.append(come.substr(0, hello_prefix - first_.size()));
  if (begins_with(first_) != beginning::too_large) return 1;
  why_ = fmt::format("its first message is larger than {} KiB", max_client_hello >> 10U);
  return 0;
}

// Called for each certificate of the peer's chain, its own last.
int session::verify(int accepted, X509_STORE_CTX* about) {
  const auto* const connection =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(about, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& self = *static_cast<session*>(SSL_get_app_data(connection));
  const auto* const shown = X509_STORE_CTX_get0_cert(about);
  const bool its_own = X509_STORE_CTX_get_error_depth(about) == 0;
  if (accepted == 1 && its_own && self.check_ && !certificate_is_for(shown, self.server_)) {
    X509_STORE_CTX_set_error(about, X509_V_ERR_HOSTNAME_MISMATCH);
    accepted = 0;
  }
  if (accepted != 1) {
    self.why_ = explain_certificate(X509_STORE_CTX_get_error(about), shown, self.role_ == role::dialling,
                                    self.server_);
  }
  return accepted;
}

boost::system::error_code session::outcome_of(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_NONE:
      return {};
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return boost::asio::error::would_block;
    case SSL_ERROR_ZERO_RETURN:
      return boost::asio::error::eof;
    case SSL_ERROR_SYSCALL:
      if (!why_.empty()) return failed();
      if (errno_ != 0) return {errno_, boost::system::system_category()};
      return boost::asio::error::eof;
    default:
      break;
  }
  if (why_.empty()) {
    why_ = explain_failure(
        {.code = ERR_peek_error(), .dialled = role_ == role::dialling, .shows_own = shows_own_});
  }
  return failed();
}

void session::shake(boost::system::error_code& code) {
  ERR_clear_error();
  received_ = 0;
  code = outcome_of(SSL_do_handshake(tls_.get()));
  // An alert that says why not goes out all the same, if the socket takes it.
  boost::system::error_code unsent;
  flush(unsent);
  if (!code) code = unsent;
}

std::size_t session::read(boost::asio::mutable_buffer to, boost::system::error_code& code) {
  code = ended_;
  received_ = 0;
  std::size_t all = 0;
  while (!code && all < to.size()) {
    std::size_t size = 0;
    ERR_clear_error();
    code = outcome_of(SSL_read_ex(tls_.get(), static_cast<char*>(to.data()) + all, to.size() - all, &size));
    all += size;
  }
  if (all == 0) return 0;
  if (code != boost::asio::error::would_block) ended_ = code;
  code = {};
  return all;
}

std::size_t session::write(boost::asio::const_buffer from, boost::system::error_code& code) {
  flush(code);
  if (code) return 0;
  if (changing_keys()) {
    // Writing would go on with it, too, and would take what the peer sends meanwhile for an error.
    code = boost::asio::error::would_block;
    return 0;
  }
  std::size_t size = 0;
  ERR_clear_error();
  code = outcome_of(SSL_write_ex(tls_.get(), from.data(), from.size(), &size));
  return size;
}

void session::flush(boost::system::error_code& code) {
  code = {};
  if (unsent_.empty()) return;
  const auto sent = ::send(socket_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    code = {errno, boost::system::system_category()};
    return;
  }
  unsent_.erase(0, static_cast<std::size_t>(sent));
  if (!unsent_.empty()) {
    code = boost::asio::error::would_block;
  } else {
    std::string().swap(unsent_);
  }
}

bool session::changing_keys() const noexcept {
  return SSL_in_init(tls_.get()) == 1;
}

bool session::holds_more() const noexcept {
  return SSL_pending(tls_.get()) > 0 || ended_;
}

void session::trust() noexcept {
  SSL_set_options(tls_.get(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
}

void session::end() noexcept {
  if (why_.empty() && SSL_is_init_finished(tls_.get()) == 1 && unsent_.empty()) SSL_shutdown(tls_.get());
  ERR_clear_error();
}

bool session::shows(const std::string& host) {
  if (SSL_get_verify_mode(tls_.get()) == SSL_VERIFY_NONE) return true;
  const auto* const shown = SSL_get0_peer_certificate(tls_.get());
  if (shown != nullptr && certificate_is_for(shown, host)) return true;
  why_ = wrong_name(shown, host);
  return false;
}

std::string session::version() const {
  return SSL_get_version(tls_.get());
}

std::size_t session::footprint() const noexcept {
  return resting_size + unsent_.capacity();
}

}  // namespace rollcall::tls
