// Why TLS with a peer failed, as a phrase for an operator that says what to do; and for which hosts a
// certificate is.
#pragma once

#include <string>

struct x509_st;

namespace rollcall::tls {

// A host that is an address is taken as an iPAddress, or as a dNSName of that text.
bool certificate_is_for(const x509_st*, const std::string& host);
std::string wrong_name(const x509_st* shown, const std::string& host);  // `shown` may be null

// Why a peer's certificate, its own or one between it and its CA, is refused. `result`: X509_V_ERR_...;
// `server`: what was dialled, when we did.
std::string explain_certificate(long result, const x509_st* shown, bool dialled, const std::string& server);

struct failure {
  unsigned long code;  // of OpenSSL's queue
  bool dialled;        // we did
  bool shows_own;      // we have a certificate to show
};
std::string explain_failure(const failure&);

}  // namespace rollcall::tls
