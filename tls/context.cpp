#include "tls/context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "tls/pem.hpp"
#include "tls/session.hpp"

namespace rollcall::tls {
namespace {

template <auto Free>
struct freeing {
  template <class T>
  void operator()(T* held) const noexcept {
    Free(held);
  }
};
using bio_pointer = std::unique_ptr<BIO, freeing<BIO_free_all>>;
using certificate_pointer = std::unique_ptr<X509, freeing<X509_free>>;
using key_pointer = std::unique_ptr<EVP_PKEY, freeing<EVP_PKEY_free>>;

bio_pointer reading(const std::string& text) {
  return bio_pointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Without one OpenSSL would ask the terminal.
int give_password(char* to, int size, int /*writing*/, void* given) {
  const auto& password = *static_cast<const std::string*>(given);
  if (password.empty() || password.size() > static_cast<std::size_t>(size)) return -1;
  std::ranges::copy(password, to);
  return static_cast<int>(password.size());
}

std::string last_error() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* text = ERR_reason_error_string(code);
  return text != nullptr ? text : "no reason is given";
}

struct certificates {
  std::vector<certificate_pointer> found;
  std::string problem;  // of the file: what follows `found` would be missing
};

certificates certificates_in(const std::string& text) {
  certificates read;
  read.problem = why_no_pem(text);
  if (!read.problem.empty()) return read;
  const auto from = reading(text);
  ERR_clear_error();
  while (auto* one = PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)) read.found.emplace_back(one);
  const auto code = ERR_peek_last_error();
  const bool at_the_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (code != 0 && !at_the_end) {
    read.problem =
        fmt::format("has a certificate {} that cannot be read: {}", read.found.size() + 1, last_error());
  }
  ERR_clear_error();
  return read;
}

std::string show(SSL_CTX* into, const side_settings& side) {
  if (side.certificates.empty()) return {};
  const auto [own, unreadable] = certificates_in(side.certificates);
  if (!unreadable.empty()) return "the certificate file " + unreadable;
  if (own.empty()) return "the certificate file holds no certificate (PEM)";
  if (SSL_CTX_use_certificate(into, own.front().get()) != 1) {
    return fmt::format("the certificate cannot be used: {}", last_error());
  }
  for (std::size_t i = 1; i < own.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(into, own[i].get()) != 1) {
      return fmt::format("certificate {} of the file cannot be used: {}", i + 1, last_error());
    }
  }
  auto password = side.password;
  const key_pointer key(PEM_read_bio_PrivateKey(reading(side.key).get(), nullptr, give_password, &password));
  if (!key) {
    return fmt::format("the key file holds no private key that can be read{}",
                       side.password.empty() ? " without a password" : " with the password that is given");
  }
  if (SSL_CTX_use_PrivateKey(into, key.get()) != 1 || SSL_CTX_check_private_key(into) != 1) {
    return fmt::format("the key is not the certificate's: {}", last_error());
  }
  return {};
}

std::string believe(SSL_CTX* into, const side_settings& side, role as) {
  if (!side.verify) return {};
  const auto [authorities, unreadable] = certificates_in(side.authorities);
  if (!unreadable.empty()) return "the file of CAs " + unreadable;
  if (authorities.empty()) return "the file of CAs holds no certificate (PEM)";
  auto* const store = SSL_CTX_get_cert_store(into);
  for (const auto& one : authorities) {
    X509_STORE_add_cert(store, one.get());
    if (as == role::accepting) SSL_CTX_add_client_CA(into, one.get());
  }
  // A CA of the file is enough, whether or not it signed itself.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(into), X509_V_FLAG_PARTIAL_CHAIN);
  if (side.depth) SSL_CTX_set_verify_depth(into, *side.depth);
  int mode = SSL_VERIFY_PEER;
  if (as == role::accepting && side.certificate_required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(into, mode, session::verify);
  return {};
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* when) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(when, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

void note_period(const side_settings& side, std::optional<context::period>& earliest) {
  for (const auto& one : certificates_in(side.certificates).found) {
    const context::period found{time_of(X509_get0_notBefore(one.get())),
                                time_of(X509_get0_notAfter(one.get()))};
    if (!earliest || found.end < earliest->end) earliest = found;
  }
}

}  // namespace

context::context(context_pointer dialling, context_pointer accepting, std::optional<period> valid)
    : dialling_(std::move(dialling)), accepting_(std::move(accepting)), valid_(valid) {}

SSL_CTX* context::of(role as) const noexcept {
  return as == role::dialling ? dialling_.get() : accepting_.get();
}

std::shared_ptr<const context> context::make(const settings& given, std::string& problem) {
  const auto context_for = [&](const side_settings& side, role as) {
    context_pointer made(SSL_CTX_new(as == role::dialling ? TLS_client_method() : TLS_server_method()),
                         SSL_CTX_free);
    SSL_CTX_set_min_proto_version(made.get(), side.version_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(made.get(), side.version_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(made.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(made.get(), 0);
    SSL_CTX_set_mode(made.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                     SSL_MODE_RELEASE_BUFFERS);
    if (problem.empty()) problem = show(made.get(), side);
    if (problem.empty()) problem = believe(made.get(), side, as);
    return made;
  };
  problem.clear();
  auto dialling = context_for(given.dialling, role::dialling);
  auto accepting = context_for(given.accepting, role::accepting);
  if (!problem.empty()) return nullptr;
  std::optional<period> valid;
  note_period(given.dialling, valid);
  note_period(given.accepting, valid);
  return std::shared_ptr<const context>(new context(std::move(dialling), std::move(accepting), valid));
}

}  // namespace rollcall::tls
