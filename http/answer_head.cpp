#include "http/answer_head.hpp"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>

namespace rollcall::http {

namespace {

std::string_view reason_phrase(unsigned status) {
  namespace beast = boost::beast::http;
  const auto phrase = beast::obsolete_reason(beast::int_to_status(status));
  return {phrase.data(), phrase.size()};
}

}  // namespace

std::string head_of(const answer& made, std::string_view version, bool keep_alive, delivery how) {
  auto head = fmt::format(
      "HTTP/1.1 {} {}\r\n"
      "Server: rollcall/{}\r\n"
      "Content-Type: {}\r\n"
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "X-Frame-Options: DENY\r\n"
      "Referrer-Policy: no-referrer\r\n"
      "Cross-Origin-Resource-Policy: same-origin\r\n",
      made.status, reason_phrase(made.status), version, made.content_type);
  bool has_policy = false;
  for (const auto& [name, value] : made.fields) {
    has_policy = has_policy || name == "Content-Security-Policy";
    head += fmt::format("{}: {}\r\n", name, value);
  }
  if (!has_policy) head += "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";
  if (how == delivery::chunked) head += "Transfer-Encoding: chunked\r\n";
  if (how == delivery::whole) head += fmt::format("Content-Length: {}\r\n", made.body.size());
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

}  // namespace rollcall::http
