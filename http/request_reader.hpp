// One request of HTTP/1.0 or 1.1 out of the bytes of a connection (RFC 9112; Beast parses), within a limit.
// No I/O: read() is given what came, until it says that the request is whole or refused.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/routes.hpp"

namespace rollcall::http {

class request_reader {
 public:
  static constexpr std::size_t read_size = 4096;  // of one read from a connection

  // `max_bytes` for the header, and as many for a body.
  explicit request_reader(std::size_t max_bytes);

  enum class progress { more, whole, refused };
  // Takes from the front of the buffer what belongs to this request; what follows stays for the next one.
  progress read(boost::beast::flat_buffer& from);

  // Once refused: what the client is told before its connection is closed.
  answer refusal() const { return *refusal_; }

  // Once whole. They point into this object.
  std::string_view method() const;
  std::string_view target() const;
  std::string_view last_event_id() const;
  std::string accept_encoding() const;  // all fields of that name, joined
  std::string_view authorization() const;
  bool http_11() const;
  bool keep_alive() const;

 private:
  progress refuse(unsigned status, std::string_view sentence);
  progress refuse_what_cannot_be_parsed(boost::system::error_code why);
  progress accept();

  std::size_t max_bytes_;
  boost::beast::http::request_parser<boost::beast::http::string_body> parser_;
  std::optional<answer> refusal_;
};

}  // namespace rollcall::http
