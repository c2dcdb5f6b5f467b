#include "app/http_client.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <stdexcept>

#include "app/options_values.hpp"

namespace rollcall::app {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

constexpr std::size_t max_line = 1U << 20;

beast::http::request<beast::http::empty_body> request_of(const http_url& url, const std::string& path,
                                                         const char* accept) {
  beast::http::request<beast::http::empty_body> request(beast::http::verb::get, url.prefix + path, 11);
  const bool v6 = url.host.find(':') != std::string::npos;
  request.set(beast::http::field::host,
              v6 ? fmt::format("[{}]:{}", url.host, url.port) : fmt::format("{}:{}", url.host, url.port));
  request.set(beast::http::field::user_agent, "rollcall/" ROLLCALL_VERSION);
  request.set(beast::http::field::accept, accept);
  request.set(beast::http::field::connection, "close");
  return request;
}

asio::awaitable<void> connect(beast::tcp_stream& stream, const http_url& url) {
  tcp::resolver resolver(stream.get_executor());
  const auto targets =
      co_await resolver.async_resolve(url.host, std::to_string(url.port), asio::use_awaitable);
  co_await stream.async_connect(targets, asio::use_awaitable);
}

asio::awaitable<http_answer> get(http_url url, std::string path) {
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  co_await connect(stream, url);
  auto request = request_of(url, path, "application/json");
  co_await beast::http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(max_answer_bytes);
  co_await beast::http::async_read(stream, buffer, parser, asio::use_awaitable);
  auto response = parser.release();
  co_return http_answer{response.result_int(), std::move(response.body()),
                        response["Rollcall-Standing-By"] == "true"};
}

// Cuts what arrives into lines.
class line_reader {
 public:
  explicit line_reader(const std::function<void(std::string_view)>& line) : line_(line) {}
  void take(std::string_view bytes) {
    rest_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
      line_(std::string_view(rest_).substr(begin, end - begin));
    rest_.erase(0, begin);
    if (rest_.size() > max_line) throw std::runtime_error("a line of the answer is too long");
  }

 private:
  const std::function<void(std::string_view)>& line_;
  std::string rest_;
};

asio::awaitable<unsigned> read_lines(http_url url, std::string path, std::string last_event_id,
                                     milliseconds silence,
                                     const std::function<void(std::string_view)>& line) {
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  stream.expires_after(silence);
  co_await connect(stream, url);
  auto request = request_of(url, path, "text/event-stream");
  if (!last_event_id.empty()) request.set("Last-Event-ID", last_event_id);
  co_await beast::http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::buffer_body> parser;
  parser.body_limit(boost::none);
  co_await beast::http::async_read_header(stream, buffer, parser, asio::use_awaitable);
  const auto status = parser.get().result_int();
  if (status != 200) co_return status;
  line_reader lines(line);
  std::array<char, 8'192> chunk{};
  while (!parser.is_done()) {
    auto& body = parser.get().body();
    body.data = chunk.data();
    body.size = chunk.size();
    body.more = true;
    stream.expires_after(silence);
    auto [failed, read] =
        co_await beast::http::async_read_some(stream, buffer, parser, asio::as_tuple(asio::use_awaitable));
    if (failed == beast::http::error::need_buffer) failed = {};
    lines.take({chunk.data(), chunk.size() - parser.get().body().size});
    if (failed == beast::http::error::end_of_stream || failed == beast::http::error::partial_message) break;
    if (failed) throw boost::system::system_error(failed);
  }
  co_return status;
}

[[noreturn]] void rethrow_as_a_phrase(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(error.code().message());
  }
}

}  // namespace

http_answer http_get(const std::string& url, std::string_view path, milliseconds timeout) {
  asio::io_context context;
  http_answer answer;
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(context, get(parse_url(url), std::string(path)),
                 [&](std::exception_ptr thrown, http_answer got) {
                   failure = thrown;
                   answer = std::move(got);
                   done = true;
                 });
  context.run_for(timeout);
  if (!done) throw std::runtime_error(fmt::format("no answer within {}", format_duration(timeout)));
  if (failure) rethrow_as_a_phrase(failure);
  return answer;
}

unsigned http_lines(const std::string& url, std::string_view path, const std::string& last_event_id,
                    milliseconds silence, const std::function<void(std::string_view)>& line) {
  asio::io_context context;
  unsigned status = 0;
  std::exception_ptr failure;
  asio::co_spawn(context, read_lines(parse_url(url), std::string(path), last_event_id, silence, line),
                 [&](std::exception_ptr thrown, unsigned got) {
                   failure = thrown;
                   status = got;
                 });
  context.run();
  if (failure) rethrow_as_a_phrase(failure);
  return status;
}

std::string url_encoded(std::string_view text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~@";
  std::string out;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace rollcall::app
