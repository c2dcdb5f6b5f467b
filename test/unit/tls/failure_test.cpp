// What is said of an alert, whichever OTP sends it.
#include "tls/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace rollcall::tls {
namespace {

using testing::HasSubstr;

std::string said_of(int reason, bool dialled) {
  return explain_failure({.code = ERR_PACK(ERR_LIB_SSL, 0, reason), .dialled = dialled, .shows_own = true});
}

TEST(TlsFailure, ACertificateOfAnotherNameIsRefusedByTwoAlerts) {
  for (const int reason : {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE}) {
    EXPECT_THAT(said_of(reason, false), HasSubstr("it refuses our certificate: its subjectAltName needs"));
    EXPECT_THAT(said_of(reason, true), HasSubstr("it refuses our certificate"));
  }
}

TEST(TlsFailure, AnyOtherAlertIsNamed) {
  EXPECT_THAT(said_of(SSL_R_TLSV1_ALERT_INTERNAL_ERROR, true), HasSubstr("it ends TLS with an alert"));
}

}  // namespace
}  // namespace rollcall::tls
