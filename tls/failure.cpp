#include "tls/failure.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <memory>

namespace rollcall::tls {
namespace {

constexpr std::size_t max_names = 8, max_name = 255;

std::string time_text(const ASN1_TIME* when) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(when, &parts) != 1) return "an unknown time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min);
}

// What a peer wrote is shown without what a terminal would obey.
std::string plain(std::string_view from) {
  std::string shown;
  for (const char c : from.substr(0, max_name)) shown += c > ' ' && c <= '~' ? c : '?';
  return shown;
}

std::string address_text(const ASN1_OCTET_STRING* octets) {
  const auto* const bytes = ASN1_STRING_get0_data(octets);
  namespace ip = boost::asio::ip;
  if (ASN1_STRING_length(octets) == 4) {
    ip::address_v4::bytes_type four{};
    std::copy_n(bytes, four.size(), four.begin());
    return ip::make_address_v4(four).to_string();
  }
  if (ASN1_STRING_length(octets) != 16) return "?";
  ip::address_v6::bytes_type sixteen{};
  std::copy_n(bytes, sixteen.size(), sixteen.begin());
  return ip::make_address_v6(sixteen).to_string();
}

// The names of its subjectAltName.
std::string names_of(const X509* shown) {
  const auto free_names = [](GENERAL_NAMES* names) { GENERAL_NAMES_free(names); };
  const std::unique_ptr<GENERAL_NAMES, decltype(free_names)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(shown, NID_subject_alt_name, nullptr, nullptr)),
      free_names);
  std::string list;
  std::size_t count = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()) && count < max_names; ++i) {
    const auto* const name = sk_GENERAL_NAME_value(names.get(), i);
    std::string text;
    if (name->type == GEN_DNS) {
      text = plain({reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                    static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))});
    } else if (name->type == GEN_IPADD) {
      text = address_text(name->d.iPAddress);
    } else {
      continue;
    }
    list += (count++ == 0 ? "" : ", ") + text;
  }
  return list;
}

// What the peer says of us.
std::string explain_alert(const failure& failed, int reason) {
  const auto* const use = failed.dialled ? "clientAuth" : "serverAuth";
  std::string none =
      "it asks for a certificate and we have none to show: --tls-cert and --tls-key (certfile, keyfile) are "
      "needed";
  switch (reason) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return failed.shows_own ? "it does not know the CA of our certificate: its cacertfile has to hold it"
                              : none;
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "it says that our certificate has expired: renew it; it is read again by itself";
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return fmt::format("it says that our certificate is for another use: its extendedKeyUsage needs {}",
                         use);
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return none;
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "it takes no version of TLS that we offer: see `versions` in its file and in ours (1.2 and 1.3 "
             "without one)";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:  // for a wrong name: OTP 27
      return failed.dialled ? "it refuses our certificate; its log says why"
                            : "it refuses our certificate: its subjectAltName needs, as a DNS name, the host "
                              "part of our --name. If it has that, its log says why";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:  // for a wrong name: OTP 25
      if (!failed.shows_own) return none + "; or there is no cipher that both know";
      return failed.dialled
                 ? "it refuses our certificate, has none itself, or there is no cipher that both know; its "
                   "log says which"
                 : "it refuses our certificate: its subjectAltName needs, as a DNS name, the host part of "
                   "our --name; or there is no cipher that both know. Its log says which";
    default:
      break;
  }
  const auto* const text = ERR_reason_error_string(failed.code);
  return fmt::format("it ends TLS with an alert ({}); its log says why", text != nullptr ? text : "no text");
}

}  // namespace

bool certificate_is_for(const X509* shown, const std::string& host) {
  auto* const certificate =
      const_cast<X509*>(shown);  // NOLINT(cppcoreguidelines-pro-type-const-cast): as OpenSSL wants it
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(host, not_an_address);
  if (not_an_address) return X509_check_host(certificate, host.data(), host.size(), 0, nullptr) == 1;
  return X509_check_ip_asc(certificate, host.c_str(), 0) == 1 ||
         X509_check_host(certificate, host.data(), host.size(), X509_CHECK_FLAG_NO_WILDCARDS, nullptr) == 1;
}

std::string wrong_name(const X509* shown, const std::string& host) {
  const auto names = shown == nullptr ? std::string() : names_of(shown);
  return fmt::format(
      "its certificate is {}, not for {}: its subjectAltName needs the host part of the node's name",
      names.empty() ? "for no host" : "for " + names, host);
}

std::string explain_certificate(long result, const X509* shown, bool dialled, const std::string& server) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return shown == nullptr
                 ? "its certificate, or its CA's, has expired: renew it"
                 : fmt::format("its certificate, or its CA's, has expired (its own ends {}): renew it",
                               time_text(X509_get0_notAfter(shown)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet: are the clocks right?";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "its certificate is of a CA that we do not know: --tls-ca (or cacertfile) has to hold its CA's "
             "certificate, and it has to send those between";
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return wrong_name(shown, server);
    case X509_V_ERR_INVALID_PURPOSE:
      return fmt::format("its certificate is for another use: its extendedKeyUsage needs {}",
                         dialled ? "serverAuth" : "clientAuth");
    default:
      return fmt::format("its certificate is not accepted: {}", X509_verify_cert_error_string(result));
  }
}

std::string explain_failure(const failure& failed) {
  const int reason = ERR_GET_REASON(failed.code);
  std::string nothing = "we have no certificate to show: --tls-cert and --tls-key are needed";
  const bool silent = !failed.dialled && !failed.shows_own;
  switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "it shows no certificate: it needs certfile and keyfile for dialling (`client` in its file)";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      if (silent) return nothing;  // 1.3 is nothing without one
      return "it speaks no version of TLS that we take: see `versions` in its file and in ours (1.2 and 1.3 "
             "without one)";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return silent ? nothing : "there is no cipher, or no kind of signature, that both know";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "it does not speak TLS, and we do: is it started with -proto_dist inet_tls?";
    default:
      break;
  }
  if (ERR_GET_LIB(failed.code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
    return explain_alert(failed, reason);
  const auto* const text = ERR_reason_error_string(failed.code);
  return fmt::format("TLS fails: {}", text != nullptr ? text : "no reason is given");
}

}  // namespace rollcall::tls
