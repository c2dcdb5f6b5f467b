#include "app/http_client.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
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
#include "app/printable.hpp"
#include "app/watched_files.hpp"

namespace rollcall::app {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

constexpr std::size_t max_line = 1U << 20;

using plain_stream = beast::tcp_stream;
using secure_stream = asio::ssl::stream<beast::tcp_stream>;

beast::http::request<beast::http::empty_body> request_of(const http_place& place, const http_url& url,
                                                         const std::string& path, const char* accept) {
  beast::http::request<beast::http::empty_body> request(beast::http::verb::get, url.prefix + path, 11);
  const bool v6 = url.host.find(':') != std::string::npos;
  request.set(beast::http::field::host,
              v6 ? fmt::format("[{}]:{}", url.host, url.port) : fmt::format("{}:{}", url.host, url.port));
  request.set(beast::http::field::user_agent, "rollcall/" ROLLCALL_VERSION);
  request.set(beast::http::field::accept, accept);
  request.set(beast::http::field::connection, "close");
  if (!place.authorization.empty()) request.set(beast::http::field::authorization, place.authorization);
  return request;
}

asio::ssl::context trust(const http_place& place, const http_url& url) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                  asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                  asio::ssl::context::no_tlsv1_1);
  tls.set_verify_mode(asio::ssl::verify_peer);
  if (place.authorities.empty()) {
    tls.set_default_verify_paths();
  } else {
    tls.add_certificate_authority(asio::buffer(place.authorities));
    // A certificate of the file is enough, whether or not it signed itself.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls.native_handle()), X509_V_FLAG_PARTIAL_CHAIN);
  }
  if (!place.any_name) tls.set_verify_callback(asio::ssl::host_name_verification(url.host));
  return tls;
}

asio::awaitable<void> connect(beast::tcp_stream& stream, const http_url& url) {
  tcp::resolver resolver(stream.get_executor());
  const auto targets =
      co_await resolver.async_resolve(url.host, std::to_string(url.port), asio::use_awaitable);
  co_await stream.async_connect(targets, asio::use_awaitable);
}

asio::awaitable<void> connect(secure_stream& stream, const http_url& url) {
  co_await connect(stream.next_layer(), url);
  SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str());
  const auto [failed] =
      co_await stream.async_handshake(asio::ssl::stream_base::client, asio::as_tuple(asio::use_awaitable));
  if (!failed) co_return;
  const auto verified = SSL_get_verify_result(stream.native_handle());
  if (verified != X509_V_OK) {
    throw std::runtime_error(
        fmt::format("its certificate is not accepted: {}; --url-ca says which CA signs it",
                    X509_verify_cert_error_string(verified)));
  }
  throw std::runtime_error(fmt::format("TLS failed: {}", failed.message()));
}

beast::tcp_stream& lowest(beast::tcp_stream& stream) {
  return stream;
}
beast::tcp_stream& lowest(secure_stream& stream) {
  return stream.next_layer();
}

template <class Stream>
asio::awaitable<http_answer> get(const http_place& place, const http_url& url, const std::string& path,
                                 Stream& stream) {
  co_await connect(stream, url);
  auto request = request_of(place, url, path, "application/json");
  co_await beast::http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(max_answer_bytes);
  co_await beast::http::async_read(stream, buffer, parser, asio::use_awaitable);
  auto response = parser.release();
  co_return http_answer{response.result_int(), std::move(response.body()),
                        response["Rollcall-Standing-By"] == "true"};
}

asio::awaitable<http_answer> get(http_place place, std::string path) {
  const auto url = parse_url(place.url);
  const auto executor = co_await asio::this_coro::executor;
  if (url.secure) {
    auto tls = trust(place, url);
    secure_stream stream(executor, tls);
    co_return co_await get(place, url, path, stream);
  }
  plain_stream stream(executor);
  co_return co_await get(place, url, path, stream);
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

template <class Stream>
asio::awaitable<unsigned> read_lines(const http_place& place, const http_url& url, const std::string& path,
                                     const std::string& last_event_id, milliseconds silence,
                                     const std::function<void(std::string_view)>& line, Stream& stream) {
  lowest(stream).expires_after(silence);
  co_await connect(stream, url);
  auto request = request_of(place, url, path, "text/event-stream");
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
    lowest(stream).expires_after(silence);
    auto [failed, read] =
        co_await beast::http::async_read_some(stream, buffer, parser, asio::as_tuple(asio::use_awaitable));
    if (failed == beast::http::error::need_buffer) failed = {};
    lines.take({chunk.data(), chunk.size() - parser.get().body().size});
    if (failed == beast::http::error::end_of_stream || failed == beast::http::error::partial_message ||
        failed == asio::ssl::error::stream_truncated) {
      break;
    }
    if (failed) throw boost::system::system_error(failed);
  }
  co_return status;
}

asio::awaitable<unsigned> read_lines(http_place place, std::string path, std::string last_event_id,
                                     milliseconds silence,
                                     const std::function<void(std::string_view)>& line) {
  const auto url = parse_url(place.url);
  const auto executor = co_await asio::this_coro::executor;
  if (url.secure) {
    auto tls = trust(place, url);
    secure_stream stream(executor, tls);
    co_return co_await read_lines(place, url, path, last_event_id, silence, line, stream);
  }
  plain_stream stream(executor);
  co_return co_await read_lines(place, url, path, last_event_id, silence, line, stream);
}

[[noreturn]] void rethrow_as_a_phrase(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(error.code().message());
  }
}

}  // namespace

http_place place_of(const configuration& config) {
  http_place place(config.url);
  std::string problem;
  watched_files files;
  const auto origin = config.origin.find("url");
  const bool is_own =
      origin != config.origin.end() && origin->second == "default" && !config.http_tls_cert.empty();
  const auto& authorities = config.url_ca.empty() && is_own ? config.http_tls_cert : config.url_ca;
  place.any_name = config.url_ca.empty() && is_own;
  if (!authorities.empty()) problem = files.read(authorities, "CA file", place.authorities);
  auto who = config.url_auth;
  if (problem.empty() && !config.url_auth_file.empty()) {
    problem = files.read(config.url_auth_file, "password file", who);
    who.resize(std::min(who.find_first_of("\r\n"), who.size()));
    if (problem.empty() && who.find(':') == std::string::npos) {
      problem = fmt::format("password file {} does not hold NAME:PASSWORD", printable(config.url_auth_file));
    }
  }
  if (!problem.empty()) throw std::runtime_error(problem);
  if (who.empty()) return place;
  std::string encoded((who.size() + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                  reinterpret_cast<const unsigned char*>(who.data()), static_cast<int>(who.size()));
  encoded.pop_back();
  place.authorization = "Basic " + encoded;
  return place;
}

http_answer http_get(const http_place& place, std::string_view path, milliseconds timeout) {
  asio::io_context context;
  http_answer answer;
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(context, get(place, std::string(path)), [&](std::exception_ptr thrown, http_answer got) {
    failure = thrown;
    answer = std::move(got);
    done = true;
  });
  context.run_for(timeout);
  if (!done) throw std::runtime_error(fmt::format("no answer within {}", format_duration(timeout)));
  if (failure) rethrow_as_a_phrase(failure);
  return answer;
}

unsigned http_lines(const http_place& place, std::string_view path, const std::string& last_event_id,
                    milliseconds silence, const std::function<void(std::string_view)>& line) {
  asio::io_context context;
  unsigned status = 0;
  std::exception_ptr failure;
  asio::co_spawn(context, read_lines(place, std::string(path), last_event_id, silence, line),
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
