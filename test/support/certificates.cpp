#include "test/support/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <functional>
#include <stdexcept>

namespace rollcall::test {
namespace {

using key_pointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using certificate_pointer = std::unique_ptr<X509, decltype(&X509_free)>;

void expect(bool done) {
  if (!done) throw std::runtime_error("OpenSSL makes no certificate");
}

std::string pem(const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  expect(write(out.get()) == 1);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string text_of(X509* made) {
  return pem([&](BIO* out) { return PEM_write_bio_X509(out, made); });
}

certificate_pointer begin(EVP_PKEY* key, const std::string& subject) {
  certificate_pointer made(X509_new(), X509_free);
  expect(key != nullptr && made != nullptr);
  X509_set_version(made.get(), X509_VERSION_3);
  std::uint32_t serial = 0;
  expect(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), static_cast<long>(serial >> 1U));
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
  return made;
}

void extend(X509* made, int what, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> one(
      X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str()), X509_EXTENSION_free);
  expect(one && X509_add_ext(made, one.get(), -1) == 1);
}

}  // namespace

struct authority::signing {
  key_pointer key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  certificate_pointer own{nullptr, X509_free};
};

authority::authority(const std::string& name) : signing_(std::make_unique<signing>()) {
  auto& own = signing_->own = begin(signing_->key.get(), name);
  X509_gmtime_adj(X509_getm_notBefore(own.get()), -86'400L * 30);
  X509_gmtime_adj(X509_getm_notAfter(own.get()), 86'400L * 30);
  X509_set_issuer_name(own.get(), X509_get_subject_name(own.get()));
  extend(own.get(), NID_basic_constraints, "critical,CA:TRUE");
  extend(own.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  expect(X509_sign(own.get(), signing_->key.get(), EVP_sha256()) > 0);
  text_ = text_of(own.get());
}

authority::~authority() = default;

certificate authority::issue(const certificate_request& wanted) const {
  const key_pointer key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const auto made = begin(key.get(), "node");
  X509_gmtime_adj(X509_getm_notBefore(made.get()), wanted.begins.count());
  X509_gmtime_adj(X509_getm_notAfter(made.get()), wanted.ends.count());
  X509_set_issuer_name(made.get(), X509_get_subject_name(signing_->own.get()));
  extend(made.get(), NID_subject_alt_name, wanted.names);
  extend(made.get(), NID_ext_key_usage, wanted.usage);
  expect(X509_sign(made.get(), signing_->key.get(), EVP_sha256()) > 0);
  return {text_of(made.get()), pem([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace rollcall::test
