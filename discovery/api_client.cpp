#include "discovery/api_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fstream>

#include "discovery/api_answer.hpp"
#include "discovery/endpoint_slice.hpp"

namespace rollcall::discovery {

using tcp = asio::ip::tcp;
using std::chrono::milliseconds;

namespace {

constexpr auto waiting = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t max_token = 16U << 10, max_certificates = 1U << 20, max_namespace = 63;
constexpr std::size_t read_size = 16U << 10;

boost::system::result<std::string> contents(const std::string& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return boost::system::errc::make_error_code(boost::system::errc::no_such_file_or_directory);
  std::string text(most + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > most) return boost::system::errc::make_error_code(boost::system::errc::file_too_large);
  return text;
}

boost::system::result<std::string> word_in(const std::string& path, std::size_t most) {
  auto text = contents(path, most);
  if (!text) return text;
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  const bool fit = !text->empty() && std::ranges::all_of(*text, [](char c) { return c > ' ' && c <= '~'; });
  if (!fit) return boost::system::errc::make_error_code(boost::system::errc::illegal_byte_sequence);
  return text;
}

bool is_address(const std::string& host) {
  boost::system::error_code code;
  asio::ip::make_address(host, code);
  return !code;
}

// A connection whose every wait has a limit: when it is over the socket is closed, and what waits ends.
class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(asio::io_context& io, asio::ssl::context tls)
      : tls_(std::move(tls)), stream(io, tls_), deadline_(io) {}

  void allow(milliseconds limit) {
    const auto turn = ++turn_;
    deadline_.expires_after(limit);
    deadline_.async_wait([weak = weak_from_this(), turn](boost::system::error_code code) {
      const auto self = weak.lock();
      if (code || !self || self->turn_ != turn) return;
      self->late_ = true;
      self->close();
    });
  }
  void close() {
    ++turn_;
    deadline_.cancel();
    boost::system::error_code ignored;
    stream.lowest_layer().close(ignored);
  }
  // Nobody waits, so nothing is late.
  void rest() {
    ++turn_;
    deadline_.cancel();
  }
  bool late() const noexcept { return late_; }
  // What is behind a failed handshake: "certificate verify failed" says less than the certificate's error.
  std::string why(boost::system::error_code code) {
    const auto verified = SSL_get_verify_result(stream.native_handle());
    if (code.category() == asio::error::get_ssl_category() && verified != X509_V_OK) {
      return X509_verify_cert_error_string(verified);
    }
    return code.message();
  }

 private:
  asio::ssl::context tls_;

 public:
  asio::ssl::stream<tcp::socket> stream;
  std::array<char, read_size> buffer{};
  bool used = false;  // an answer was read from it

 private:
  asio::steady_timer deadline_;
  std::uint64_t turn_ = 0;
  bool late_ = false;
};
using connection_pointer = std::shared_ptr<connection>;

}  // namespace

std::string api_server::authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

boost::system::result<std::string> own_namespace(const api_server& server) {
  return word_in(server.folder + "/namespace", max_namespace);
}

struct api_client::implementation : std::enable_shared_from_this<implementation> {
  implementation(asio::io_context& context, api_server where, api_resolve names, api_limits given)
      : io(context), server(std::move(where)), resolve(std::move(names)), limits(given) {}

  api_failure failure(std::string_view what, const std::string& why, bool late) const {
    return {late, fmt::format("the Kubernetes API server at {} {}: {}", server.authority(), what,
                              late ? "no answer within the limit" : why)};
  }

  // ---- the connection

  api_result<asio::ssl::context> trust() const {
    const auto path = server.folder + "/ca.crt";
    const auto certificates = contents(path, max_certificates);
    if (!certificates) {
      return api_failure{false, fmt::format("{} cannot be read: {}; is the service account's token mounted "
                                            "(automountServiceAccountToken: true)?",
                                            path, certificates.error().message())};
    }
    asio::ssl::context tls(asio::ssl::context::tls_client);
    boost::system::error_code code;
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                        asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                        asio::ssl::context::no_tlsv1_1,
                    code);
    tls.add_certificate_authority(asio::buffer(*certificates), code);
    if (code) return api_failure{false, fmt::format("{} is no certificate: {}", path, code.message())};
    tls.set_verify_mode(asio::ssl::verify_peer, code);
    tls.set_verify_callback(asio::ssl::host_name_verification(server.host), code);
    return tls;
  }

  asio::awaitable<api_result<std::vector<asio::ip::address>>> addresses() {
    boost::system::error_code code;
    const auto address = asio::ip::make_address(server.host, code);
    if (!code) co_return std::vector{address};
    auto found = co_await resolve(server.host);
    if (found.addresses.empty()) co_return failure("has no address", found.why, false);
    co_return std::move(found.addresses);
  }

  asio::awaitable<api_result<connection_pointer>> connect() {
    const auto where = co_await addresses();
    if (!where) co_return where.error();
    api_failure last;
    for (const auto& address : *where) {
      auto one = co_await connect_to(address);
      if (one || stopped) co_return one;
      last = one.error();
    }
    co_return last;
  }

  asio::awaitable<api_result<connection_pointer>> connect_to(asio::ip::address address) {
    auto tls = trust();
    if (!tls) co_return tls.error();
    const auto made = std::make_shared<connection>(io, std::move(*tls));
    current = made;
    made->allow(limits.connect);
    const auto [refused] =
        co_await made->stream.lowest_layer().async_connect(tcp::endpoint(address, server.port), waiting);
    if (refused || stopped) co_return failure("cannot be reached", refused.message(), made->late());
    if (!is_address(server.host)) SSL_set_tlsext_host_name(made->stream.native_handle(), server.host.c_str());
    made->allow(limits.tls);
    const auto [unshaken] = co_await made->stream.async_handshake(asio::ssl::stream_base::client, waiting);
    if (unshaken || stopped)
      co_return failure("does not complete a TLS handshake", made->why(unshaken), made->late());
    co_return made;
  }

  // ---- one request

  api_result<std::string> text_of(const api_request& request) const {
    const auto path = server.folder + "/token";
    const auto token = word_in(path, max_token);
    if (!token) {
      return api_failure{false, fmt::format("{} cannot be read: {}; is the service account's token mounted "
                                            "(automountServiceAccountToken: true)?",
                                            path, token.error().message())};
    }
    auto text = fmt::format(
        "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: rollcall\r\nAccept: application/json\r\n"
        "Authorization: Bearer {}\r\n",
        request.method, request.target, server.authority(), *token);
    if (!request.body.empty()) {
      text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", request.body.size());
    }
    return text + "\r\n" + request.body;
  }

  // Bytes into the answer; an error of the connection or of what came.
  asio::awaitable<std::optional<api_failure>> read_some(const connection_pointer& on) {
    const auto [code, count] = co_await on->stream.async_read_some(asio::buffer(on->buffer), waiting);
    if (stopped) co_return api_failure{false, "stopped"};
    if (code) {
      const bool ended = code == asio::error::eof || code == asio::ssl::error::stream_truncated;
      const auto broken = ended && !on->late() ? answer->finish() : code;
      if (broken) {
        co_return failure("breaks off", ended ? "the connection was closed" : on->why(code), on->late());
      }
      on->close();
      co_return std::nullopt;
    }
    ++bytes;
    if (const auto wrong = answer->feed({on->buffer.data(), count})) {
      co_return failure("gives an answer that is not understood", wrong.message(), false);
    }
    co_return std::nullopt;
  }

  // The head of the answer; `fresh`: on a connection made for it.
  asio::awaitable<std::optional<api_failure>> exchange_on(const connection_pointer& on,
                                                          const std::string& text, std::size_t max_body,
                                                          std::size_t max_line) {
    answer.emplace(max_body, max_line);
    bytes = 0;
    on->allow(limits.head);
    const auto [code, count] = co_await asio::async_write(on->stream, asio::buffer(text), waiting);
    if (code) co_return failure("does not take a request", on->why(code), on->late());
    while (!answer->has_head()) {
      if (auto problem = co_await read_some(on)) co_return problem;
      if (answer->done()) break;
    }
    co_return std::nullopt;
  }

  asio::awaitable<std::optional<api_failure>> send(const api_request& request, std::size_t max_body,
                                                   std::size_t max_line) {
    const auto text = text_of(request);
    if (!text) co_return text.error();
    bool kept = current && current->used && !current->late() && current->stream.lowest_layer().is_open();
    while (true) {
      auto on = current;
      if (!kept) {
        auto made = co_await connect();
        if (!made) co_return made.error();
        on = *made;
      }
      auto problem = co_await exchange_on(on, *text, max_body, max_line);
      if (!problem) co_return std::nullopt;
      on->close();
      // The server closes what is idle; that it had done so is seen only now.
      if (!std::exchange(kept, false) || bytes > 0 || on->late() || stopped) co_return problem;
    }
  }

  asio::awaitable<api_result<api_reply>> whole_reply() {
    const auto on = current;
    on->allow(limits.answer);
    while (!answer->done()) {
      if (auto problem = co_await read_some(on)) {
        on->close();
        co_return *problem;
      }
    }
    on->rest();
    on->used = answer->keeps_alive();
    if (!on->used) on->close();
    co_return api_reply{answer->status(), answer->retry_after(), answer->take_body()};
  }

  asio::awaitable<api_result<api_reply>> make(api_request request, bool watch) {
    auto self = shared_from_this();
    for (int attempt = 0;; ++attempt) {
      if (stopped) co_return api_failure{false, "stopped"};
      const auto problem =
          co_await send(request, watch ? 0 : request.max_answer, watch ? request.max_answer : 0);
      if (problem) co_return *problem;
      if (watch && answer->status() == 200) co_return api_reply{200};
      auto reply = co_await whole_reply();
      // The token may have been replaced between our reading it and the server's looking at it.
      if (!reply || reply->status != 401 || attempt > 0) co_return reply;
    }
  }

  asio::awaitable<api_result<std::optional<std::string>>> line(milliseconds silence) {
    auto self = shared_from_this();
    const auto on = current;
    on->allow(silence);
    while (true) {
      if (auto line = answer->take_line()) {
        on->rest();
        if (!line->empty()) co_return std::move(line);
        on->allow(silence);
        continue;
      }
      if (answer->done()) {
        on->rest();
        on->used = answer->keeps_alive();
        if (!on->used) on->close();
        co_return std::nullopt;
      }
      if (auto problem = co_await read_some(on)) {
        on->close();
        co_return *problem;
      }
    }
  }

  asio::io_context& io;
  api_server server;
  api_resolve resolve;
  api_limits limits;
  connection_pointer current;
  std::optional<api_answer> answer;
  std::size_t bytes = 0;  // reads of this answer
  bool stopped = false;
};

api_client::api_client(asio::io_context& io, api_server server, api_resolve resolve, api_limits limits)
    : implementation_(std::make_shared<implementation>(io, std::move(server), std::move(resolve), limits)) {}

api_client::~api_client() {
  stop();
}

asio::awaitable<api_result<api_reply>> api_client::ask(api_request request) {
  return implementation_->make(std::move(request), false);
}
asio::awaitable<api_result<api_reply>> api_client::open(api_request request) {
  return implementation_->make(std::move(request), true);
}
asio::awaitable<api_result<std::optional<std::string>>> api_client::line(std::chrono::milliseconds silence) {
  return implementation_->line(silence);
}

void api_client::stop() {
  implementation_->stopped = true;
  hang_up();
}
void api_client::hang_up() {
  if (implementation_->current) implementation_->current->close();
}

const api_server& api_client::server() const noexcept {
  return implementation_->server;
}

}  // namespace rollcall::discovery
