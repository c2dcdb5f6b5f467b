#include "http/request_reader.hpp"

#include <fmt/format.h>

#include <boost/beast/http/error.hpp>

namespace rollcall::http {

namespace {

namespace beast = boost::beast;
using field = beast::http::field;

std::string_view view(beast::string_view of) {
  return {of.data(), of.size()};
}

}  // namespace

request_reader::request_reader(std::size_t max_bytes) : max_bytes_(max_bytes) {
  parser_.eager(true);
  parser_.header_limit(static_cast<std::uint32_t>(max_bytes));
  parser_.body_limit(max_bytes);
}

request_reader::progress request_reader::read(beast::flat_buffer& from) {
  bool ask_for_more = false;
  while (!parser_.is_done()) {
    if (from.size() == 0 || ask_for_more) return progress::more;
    boost::system::error_code error;
    from.consume(parser_.put(from.data(), error));
    ask_for_more = error == beast::http::error::need_more;
    if (error && !ask_for_more) return refuse_what_cannot_be_parsed(error);
    // What is neither a field nor the body (extensions and trailers of chunks) has no limit of its own.
    if (from.size() > max_bytes_ + read_size) {
      return refuse(413, fmt::format("the body of a request may have at most {} bytes", max_bytes_));
    }
    // A client that asks before it sends a body gets the answer instead: no body is wanted here.
    if (parser_.is_header_done() && parser_.get().count(field::expect) > 0) break;
  }
  return accept();
}

request_reader::progress request_reader::accept() {
  const auto hosts = parser_.get().count(field::host);
  if (hosts > 1) return refuse(400, "a request may have one Host field only");
  if (http_11() && hosts == 0) return refuse(400, "a request of HTTP/1.1 must have a Host field");
  return progress::whole;
}

request_reader::progress request_reader::refuse(unsigned status, std::string_view sentence) {
  refusal_ = problem(status, sentence);
  return progress::refused;
}

// The sentence is ours: the library's would name the file and line of its source.
request_reader::progress request_reader::refuse_what_cannot_be_parsed(boost::system::error_code why) {
  using error = beast::http::error;
  if (why == error::header_limit || why == error::buffer_overflow) {
    return parser_.get().target().empty()
               ? refuse(414, fmt::format("the target of a request may have at most {} bytes", max_bytes_))
               : refuse(431, fmt::format("the header of a request may have at most {} bytes", max_bytes_));
  }
  if (why == error::body_limit) {
    return refuse(413, fmt::format("the body of a request may have at most {} bytes", max_bytes_));
  }
  if (why == error::bad_version) return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  return refuse(400, fmt::format("the request cannot be read: {}", why.category().message(why.value())));
}

std::string_view request_reader::method() const {
  return view(parser_.get().method_string());
}
std::string_view request_reader::target() const {
  return view(parser_.get().target());
}
std::string_view request_reader::authorization() const {
  return view(parser_.get()[field::authorization]);
}
std::string_view request_reader::last_event_id() const {
  return view(parser_.get()["Last-Event-ID"]);
}
std::string request_reader::accept_encoding() const {
  std::string all;
  const auto [first, last] = parser_.get().equal_range(field::accept_encoding);
  for (auto each = first; each != last; ++each) {
    if (!all.empty()) all += ',';
    all += view(each->value());
  }
  return all;
}
bool request_reader::http_11() const {
  return parser_.get().version() == 11;
}
bool request_reader::keep_alive() const {
  return parser_.get().keep_alive() && parser_.is_done();
}

}  // namespace rollcall::http
