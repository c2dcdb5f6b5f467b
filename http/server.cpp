// RFC 9112 over Asio: Beast parses, one coroutine a connection reads, answers and waits for the next request.
// Every wait has a limit, every size a bound: see session::run() for the order.
#include "http/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <list>
#include <map>

#include "http/routes.hpp"

namespace rollcall::http {

namespace {

namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr auto waiting = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t read_size = 4096;
constexpr std::size_t piece_size = 64U << 10;    // of an answer that is written as it is made
constexpr std::size_t max_drained = 256U << 10;  // of what a refused client still sends
constexpr milliseconds drain_limit{1'000};
constexpr milliseconds stream_pause{100};  // between two looks for new events
constexpr milliseconds accept_pause{100};  // after the system had no descriptor left

using request_parser = beast::http::request_parser<beast::http::string_body>;

std::string_view reason_phrase(unsigned status) {
  const auto phrase = beast::http::obsolete_reason(beast::http::int_to_status(status));
  return {phrase.data(), phrase.size()};
}

std::string_view view(beast::string_view of) {
  return {of.data(), of.size()};
}

// What a request that cannot be parsed is answered with.
answer refusal(error_code why, bool request_line_read, std::size_t limit) {
  using error = beast::http::error;
  if (why == error::header_limit || why == error::buffer_overflow) {
    return request_line_read
               ? problem(431, fmt::format("the header of a request may have at most {} bytes", limit))
               : problem(414, fmt::format("the target of a request may have at most {} bytes", limit));
  }
  if (why == error::body_limit) {
    return problem(413, fmt::format("the body of a request may have at most {} bytes", limit));
  }
  if (why == error::bad_version) return problem(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  return problem(400, "the request cannot be read: " + why.message());
}

enum class delivery { whole, chunked, until_close };

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

}  // namespace

struct server::implementation : std::enable_shared_from_this<implementation> {
  class session;

  implementation(asio::io_context& io, options given, content from)
      : io_(io), acceptor_(io), pause_(io), options_(std::move(given)), content_(std::move(from)) {}

  boost::system::result<void> start();
  void stop();
  asio::awaitable<void> accept();
  void admit(tcp::socket socket);
  bool make_room();
  void make_room_for_stream(const asio::ip::address& of);

  void report(std::string what) const {
    if (content_.failed) content_.failed(std::move(what));
  }

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  options options_;
  content content_;
  bool stopped_ = false;
  std::uint64_t idle_order_ = 0;
  std::list<session*> sessions_;
  std::list<session*> streams_;  // those of them that follow events, the oldest first
};

class server::implementation::session : public std::enable_shared_from_this<session> {
 public:
  session(std::shared_ptr<implementation> of, tcp::socket socket)
      : server_(std::move(of)), socket_(std::move(socket)), timer_(server_->io_) {
    error_code ignored;
    address_ = socket_.remote_endpoint(ignored).address();
    place_ = server_->sessions_.insert(server_->sessions_.end(), this);
    became_idle();
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() { close(); }

  // Wait for a request (idle) -> read it whole -> answer it -> again, or close in good order.
  asio::awaitable<void> run() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    milliseconds patience = limit();
    for (bool again = true; again;) {
      again = co_await wait_for_request(patience);
      if (again) again = co_await serve_one();
      patience = server_->options_.idle_limit;
      became_idle();
    }
    co_await finish();
    close();
  }

  const asio::ip::address& address() const noexcept { return address_; }

  // 0: being answered. Otherwise the smaller, the longer idle or sending its request.
  std::uint64_t idle_since() const noexcept { return idle_since_; }

  void close() {
    if (closed_) return;
    closed_ = true;
    server_->sessions_.erase(place_);
    server_->streams_.remove(this);
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

 private:
  milliseconds limit() const { return server_->options_.request_limit; }
  bool over() const { return closed_ || expired_; }
  void became_idle() { idle_since_ = ++server_->idle_order_; }

  // From now on, `after` later, whatever waits is given up and over() holds. Replaces the deadline before it.
  void set_deadline(milliseconds after) {
    expired_ = false;
    timer_.expires_after(after);
    timer_.async_wait([weak = weak_from_this(), turn = ++turn_](error_code error) {
      const auto self = weak.lock();
      if (error || !self || turn != self->turn_) return;
      self->expired_ = true;
      error_code ignored;
      self->socket_.cancel(ignored);
    });
  }

  // True when at least one more byte is in the buffer.
  asio::awaitable<bool> read_some() {
    if (over()) co_return false;
    const auto [error, count] = co_await socket_.async_read_some(buffer_.prepare(read_size), waiting);
    buffer_.commit(count);
    co_return !error && !closed_;
  }

  asio::awaitable<bool> write(std::string_view bytes) {
    while (!bytes.empty()) {
      if (over()) co_return false;
      const auto [error, count] = co_await socket_.async_write_some(asio::buffer(bytes), waiting);
      if (error) co_return false;
      bytes.remove_prefix(count);
    }
    co_return true;
  }

  asio::awaitable<bool> wait_for_request(milliseconds patience) {
    if (buffer_.size() > 0) co_return !closed_;
    set_deadline(patience);
    co_return co_await read_some();
  }

  // False: the connection is to be closed.
  asio::awaitable<bool> serve_one() {
    set_deadline(limit());
    const auto max_bytes = server_->options_.max_request_bytes;
    request_parser parser;
    parser.eager(true);
    parser.header_limit(static_cast<std::uint32_t>(max_bytes));
    parser.body_limit(max_bytes);
    for (bool ask_for_more = false; !parser.is_done();) {
      if (ask_for_more || buffer_.size() == 0) {
        const bool came = co_await read_some();
        if (!came && expired_ && !closed_) co_await refuse(408, "the request did not come in time");
        if (!came) co_return false;
      }
      error_code error;
      buffer_.consume(parser.put(buffer_.data(), error));
      ask_for_more = error == beast::http::error::need_more;
      if (error && !ask_for_more) {
        auto refused = refusal(error, !parser.get().target().empty(), max_bytes);
        co_await send(std::move(refused), false, true, false);
        co_return false;
      }
      // What is not a field and not the body (extensions and trailers of chunks) has no limit of its own.
      if (buffer_.size() > max_bytes + read_size) {
        co_await refuse(413, fmt::format("the body of a request may have at most {} bytes", max_bytes));
        co_return false;
      }
      // Whoever asks before sending a body gets the answer instead: none is wanted here.
      if (parser.is_header_done() && parser.get().count(beast::http::field::expect) > 0) break;
    }
    if (closed_ || server_->stopped_) co_return false;
    idle_since_ = 0;

    const auto& request = parser.get();
    if (request.version() == 11 && request.count(beast::http::field::host) == 0) {
      co_await refuse(400, "a request of HTTP/1.1 must have a Host field");
      co_return false;
    }
    const bool keep_alive = request.keep_alive() && parser.is_done();
    auto made = respond(server_->content_, view(request.method_string()), view(request.target()),
                        view(request["Last-Event-ID"]));
    const bool head_only = request.method() == beast::http::verb::head;
    if (made.follow && !head_only) {
      co_await follow(std::move(made), request.version() == 11);
      co_return false;
    }
    co_return co_await send(std::move(made), head_only, request.version() == 11, keep_alive);
  }

  asio::awaitable<void> refuse(unsigned status, std::string_view sentence) {
    auto made = problem(status, sentence);
    co_await send(std::move(made), false, true, false);
  }

  // True when the connection may serve another request.
  asio::awaitable<bool> send(answer made, bool head_only, bool can_chunk, bool keep_alive) {
    set_deadline(limit());
    auto how = delivery::whole;
    if (made.next || made.follow) how = can_chunk ? delivery::chunked : delivery::until_close;
    if (how == delivery::until_close) keep_alive = false;
    auto out = head_of(made, server_->content_.version, keep_alive, how);
    if (head_only || made.next == nullptr) {
      // One segment for the usual answer; a large one is not copied.
      const bool apart = made.body.size() > piece_size;
      if (!head_only && !apart) out += made.body;
      if (!co_await write(out)) co_return false;
      if (head_only || !apart) co_return keep_alive;
      const bool written = co_await write(made.body);
      co_return written&& keep_alive;
    }
    for (bool more = true; more;) {
      std::string piece;
      while (more && piece.size() < piece_size) more = made.next(piece);
      if (how == delivery::chunked) {
        if (!piece.empty()) out += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
        if (!more) out += "0\r\n\r\n";
      } else {
        out += piece;
      }
      if (!co_await write(out)) co_return false;
      out.clear();
    }
    co_return keep_alive;
  }

  // Until the client goes away, or does not take what is written in the time a request has, or another stream
  // needs its place, or the server stops.
  asio::awaitable<void> follow(answer made, bool can_chunk) {
    server_->make_room_for_stream(address_);
    server_->streams_.push_back(this);
    auto out = head_of(made, server_->content_.version, false,
                       can_chunk ? delivery::chunked : delivery::until_close);
    std::string piece = "retry: 2000\n\n";
    auto last_written = std::chrono::steady_clock::now();
    std::size_t discarded = 0;
    while (!closed_ && !server_->stopped_) {
      made.follow(piece);
      const auto now = std::chrono::steady_clock::now();
      if (piece.empty() && now - last_written >= server_->options_.heartbeat) piece = ": nothing new\n\n";
      if (!piece.empty()) {
        out += can_chunk ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : piece;
        set_deadline(limit());
        if (!co_await write(out)) co_return;
        out.clear();
        piece.clear();
        last_written = now;
      }
      set_deadline(stream_pause);
      const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, waiting);
      if (error && expired_ && !closed_) continue;
      // It closed its side, or sends what nobody waits for.
      set_deadline(limit());
      if (error || !co_await read_some()) co_return;
      discarded += buffer_.size();
      buffer_.clear();
      if (discarded > max_drained) co_return;
    }
  }

  // Closing with unread input resets the connection, and the client may lose the answer: so hear it out, a
  // little.
  asio::awaitable<void> finish() {
    if (closed_) co_return;
    server_->streams_.remove(this);
    became_idle();
    error_code error;
    socket_.shutdown(tcp::socket::shutdown_send, error);
    if (error) co_return;
    set_deadline(drain_limit);
    bool more = true;
    for (std::size_t drained = 0; more && drained < max_drained; drained += buffer_.size()) {
      buffer_.clear();
      more = co_await read_some();
    }
  }

  std::shared_ptr<implementation> server_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  asio::ip::address address_;
  beast::flat_buffer buffer_;
  std::list<session*>::iterator place_;
  std::uint64_t turn_ = 0;
  std::uint64_t idle_since_ = 0;
  bool expired_ = false;
  bool closed_ = false;
};

boost::system::result<void> server::implementation::start() {
  error_code error;
  const auto step = [&](auto&& doing) {
    if (!error) doing();
  };
  const auto& at = options_.listen;
  step([&] { acceptor_.open(at.protocol(), error); });
  step([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
  // "::" is every address of the machine, as other servers have it.
  step([&] {
    if (at.address().is_v6()) acceptor_.set_option(asio::ip::v6_only(!at.address().is_unspecified()), error);
  });
  step([&] { acceptor_.bind(at, error); });
  step([&] { acceptor_.listen(tcp::acceptor::max_listen_connections, error); });
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return error;
  }
  const auto ended = [self = shared_from_this()](std::exception_ptr thrown) {
    if (thrown) self->report("the HTTP listener ended with an exception");
  };
  asio::co_spawn(
      io_, [self = shared_from_this()] { return self->accept(); }, ended);
  return {};
}

void server::implementation::stop() {
  if (stopped_) return;
  stopped_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  while (!sessions_.empty()) sessions_.front()->close();  // takes itself out of the list
}

asio::awaitable<void> server::implementation::accept() {
  while (!stopped_) {
    auto [error, socket] = co_await acceptor_.async_accept(waiting);
    if (stopped_) co_return;
    if (!error) {
      admit(std::move(socket));
      continue;
    }
    // A client that went away again is nothing; without descriptors only waiting helps.
    if (error == asio::error::connection_aborted) continue;
    report("a connection to the HTTP port could not be accepted: " + error.message());
    pause_.expires_after(accept_pause);
    co_await pause_.async_wait(waiting);
  }
}

// The session that has been idle for longest is closed. False when none is.
bool server::implementation::make_room() {
  session* oldest = nullptr;
  for (auto* one : sessions_) {
    if (one->idle_since() == 0) continue;
    if (!oldest || one->idle_since() < oldest->idle_since()) oldest = one;
  }
  if (oldest) oldest->close();
  return oldest != nullptr;
}

// For one more stream of that address. One client that opens them all pushes out its own.
void server::implementation::make_room_for_stream(const asio::ip::address& of) {
  while (!streams_.empty() && streams_.size() >= options_.max_streams) {
    std::map<asio::ip::address, std::size_t> held{{of, 1}};
    for (const auto* one : streams_) ++held[one->address()];
    const auto less = [&](const session* a, const session* b) {
      return held[a->address()] < held[b->address()];
    };
    (*std::ranges::max_element(streams_, less))->close();  // the first of those; takes itself out of the list
  }
}

void server::implementation::admit(tcp::socket socket) {
  if (sessions_.size() >= options_.max_connections && !make_room()) {
    // The send buffer of a new connection is empty: this never waits.
    const auto full = problem(503, "too many connections are being served");
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(head_of(full, content_.version, false, delivery::whole) + full.body),
                      ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    return;
  }
  const auto added = std::make_shared<session>(shared_from_this(), std::move(socket));
  asio::co_spawn(
      io_, [added] { return added->run(); },
      [self = shared_from_this(), added](std::exception_ptr thrown) {
        if (thrown) self->report("an HTTP connection ended with an exception");
      });
}

server::server(asio::io_context& io, options given, content from)
    : implementation_(std::make_shared<implementation>(io, std::move(given), std::move(from))) {}
server::~server() {
  implementation_->stop();
}

boost::system::result<void> server::start() {
  return implementation_->start();
}
void server::stop() {
  implementation_->stop();
}

asio::ip::tcp::endpoint server::endpoint() const {
  error_code ignored;
  return implementation_->acceptor_.local_endpoint(ignored);
}

}  // namespace rollcall::http
