#include "discovery/api_answer.hpp"

#include <boost/asio/buffer.hpp>
#include <charconv>
#include <utility>

namespace rollcall::discovery {

namespace http = boost::beast::http;

namespace {
// An HTTP date is not understood: the server writes seconds.
constexpr std::int64_t longest_retry_after = 86'400;
}  // namespace

api_answer::api_answer(std::size_t max_body_bytes, std::size_t max_line_bytes) : max_line_(max_line_bytes) {
  parser_.header_limit(max_head_bytes);
  if (max_body_bytes > 0) {
    parser_.body_limit(max_body_bytes);
  } else {
    parser_.body_limit(boost::none);
  }
}

boost::system::error_code api_answer::put(std::string_view& rest) {
  boost::system::error_code code;
  if (parser_.is_header_done() && !std::exchange(eager_, true)) {
    // A body's memory is reserved by what its head says: checked first.
    const auto length = parser_.content_length();
    if (max_line_ > 0 && length && *length > max_line_) return make_error_code(http::error::body_limit);
    parser_.eager(true);
  }
  const auto taken = parser_.put(boost::asio::buffer(rest.data(), rest.size()), code);
  rest.remove_prefix(taken);
  if (code == http::error::need_more) code = {};
  return code;
}

// The head must be whole in what is given to the parser, so that a part of one waits.
boost::system::error_code api_answer::feed(std::string_view bytes) {
  std::string joined;
  if (!unread_.empty()) {
    joined = std::exchange(unread_, {}) + std::string(bytes);
    bytes = joined;
  }
  while (!bytes.empty()) {
    if (parser_.is_done()) return make_error_code(http::error::unexpected_body);
    const auto before = bytes.size();
    if (const auto code = put(bytes)) return code;
    if (const auto code = take_in()) return code;
    if (bytes.size() == before && (eager_ || !parser_.is_header_done())) break;
  }
  if (bytes.size() > max_head_bytes) return make_error_code(http::error::header_limit);
  unread_ = bytes;
  return {};
}

boost::system::error_code api_answer::finish() {
  boost::system::error_code code;
  if (parser_.is_done()) return code;
  if (!parser_.got_some()) return make_error_code(http::error::end_of_stream);
  parser_.put_eof(code);
  if (!code && !unread_.empty()) code = make_error_code(http::error::partial_message);
  return code;
}

boost::system::error_code api_answer::take_in() {
  auto& came = parser_.get().body();
  if (came.empty()) return {};
  body_ += came;
  came.clear();
  if (max_line_ == 0) return {};
  const auto last = body_.rfind('\n');
  const auto begun = last == std::string::npos ? body_.size() : body_.size() - last - 1;
  if (begun > max_line_) return make_error_code(http::error::body_limit);
  return {};
}

std::optional<std::chrono::seconds> api_answer::retry_after() const {
  const auto text = parser_.get()[http::field::retry_after];
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < 0) return {};
  return std::chrono::seconds(std::min(value, longest_retry_after));
}

std::string api_answer::take_body() {
  searched_ = 0;
  return std::exchange(body_, {});
}

std::optional<std::string> api_answer::take_line() {
  const auto end = body_.find('\n', searched_);
  if (end == std::string::npos) {
    searched_ = body_.size();
    return {};
  }
  auto line = body_.substr(0, end);
  body_.erase(0, end + 1);
  searched_ = 0;
  return line;
}

}  // namespace rollcall::discovery
