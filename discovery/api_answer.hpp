// One HTTP/1.1 answer, read out of the bytes as they come (RFC 9112): the head with bounds, then the body,
// whole or as the lines of a watch. Knows no socket. Pure.
//
//   feed(bytes) ... until done(), or finish() where the connection ended
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::discovery {

inline constexpr std::uint32_t max_head_bytes = 16U << 10;

class api_answer {
 public:
  // 0: a body without an end, read as lines of at most `max_line_bytes` each.
  api_answer(std::size_t max_body_bytes, std::size_t max_line_bytes);

  // Takes all of `bytes`, or says what is wrong with them. What follows a whole answer is an error, since
  // nothing more was asked.
  boost::system::error_code feed(std::string_view bytes);
  // The connection ended. An error unless that is how the body ends.
  boost::system::error_code finish();

  bool has_head() const { return parser_.is_header_done(); }
  bool done() const { return parser_.is_done(); }
  // Of the head, once it is there.
  unsigned status() const { return parser_.get().result_int(); }
  bool keeps_alive() const { return parser_.get().keep_alive(); }
  std::optional<std::chrono::seconds> retry_after() const;

  // What came of the body and was not taken yet: of an error all of it.
  std::string take_body();
  // The next whole line, without its newline.
  std::optional<std::string> take_line();

 private:
  boost::system::error_code put(std::string_view& rest);
  boost::system::error_code take_in();

  boost::beast::http::response_parser<boost::beast::http::string_body> parser_;
  std::size_t max_line_;
  bool eager_ = false;  // the head was looked at
  std::string unread_;  // a part of a head, or of the head of a chunk
  std::string body_;
  std::size_t searched_ = 0;  // of body_, for a newline
};

}  // namespace rollcall::discovery
