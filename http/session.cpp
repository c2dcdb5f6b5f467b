#include "http/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "http/compression.hpp"
#include "http/pieces.hpp"
#include "tls/hello.hpp"

namespace rollcall::http {

namespace {

using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr auto waiting = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t piece_size = 64U << 10;    // of an answer that is written as it is made
constexpr std::size_t max_drained = 256U << 10;  // of what a refused client still sends
constexpr milliseconds drain_limit{1'000};
constexpr milliseconds stream_pause{100};  // between two looks for new events

// Whether it is alive or ready everyone may know, and not why: the sentence may name nodes.
void leave_out_detail(answer& made) {
  if (made.status == 200) made.body = "ok\n";
  if (made.status == 503) made.body = "not ready\n";
}

}  // namespace

session::session(std::shared_ptr<connections> of, tcp::socket socket, const client_address& client)
    : server_(std::move(of)),
      wire_(std::move(socket)),
      socket_(wire_.socket()),
      timer_(server_->io_),
      client_(client) {
  place_ = server_->sessions_.insert(server_->sessions_.end(), this);
  ++server_->holdings_[client_].connections;
  does(activity::fresh);
}

asio::awaitable<void> session::run() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  milliseconds patience = limit();
  bool again = true;
  if (server_->options_.tls) again = co_await secure();
  while (again) {
    again = co_await wait_for_request(patience);
    if (again) again = co_await serve_one();
    patience = server_->options_.idle_limit;
    does(activity::idle);
  }
  co_await finish();
  close();
}

void session::close() {
  if (closed_) return;
  leave_line();
  does(activity::idle);  // gives a stream's place back
  closed_ = true;
  set_unsent(0);
  const auto held = server_->holdings_.find(client_);
  if (--held->second.connections == 0 && held->second.streams == 0) server_->holdings_.erase(held);
  server_->sessions_.erase(place_);
  wire_.close();
  timer_.cancel();
}

void session::does(activity now) {
  since_ = ++server_->order_;
  if (closed_ || now == doing_) return;
  auto& held = server_->holdings_[client_];
  if (doing_ == activity::following) {
    server_->streams_.remove(this);
    --held.streams;
    ++held.connections;
  }
  if (now == activity::following) {
    server_->streams_.push_back(this);
    ++held.streams;
    --held.connections;
  }
  doing_ = now;
}

// From now on, `after` later, whatever waits is given up and over() holds. Replaces the deadline before it.
void session::set_deadline(milliseconds after) {
  expired_ = false;
  timer_.expires_after(after);
  timer_.async_wait([weak = weak_from_this(), deadline = ++deadline_](error_code error) {
    const auto self = weak.lock();
    if (error || !self || deadline != self->deadline_) return;
    self->expired_ = true;
    error_code ignored;
    self->socket_.cancel(ignored);
  });
}

void session::set_unsent(std::size_t bytes) {
  const auto before = std::exchange(unsent_, bytes);
  server_->unsent_changed(client_, before, bytes);
}

// False: it is not served any further.
asio::awaitable<bool> session::secure() {
  set_deadline(limit());
  std::string come;
  auto what = tls::beginning::more;
  while (what == tls::beginning::more) {
    if (over()) co_return false;
    const auto before = come.size();
    come.resize(tls::hello_prefix);
    const auto [error, count] =
        co_await socket_.async_read_some(asio::buffer(come.data() + before, come.size() - before), waiting);
    if (error || closed_) co_return false;
    come.resize(before + count);
    what = tls::begins_with(come);
  }
  if (what != tls::beginning::hello) {
    co_await refuse(problem(400, "this is HTTPS: ask with https://"));
    co_return false;
  }
  co_await wait_for_turn(urgency::probe);
  does(activity::fresh);
  if (over() || server_->stopped_) co_return false;
  wire_.secure(*server_->options_.tls(), std::move(come));
  co_return co_await shake();
}

// Each step of it is work for us, and waits in the line for it.
asio::awaitable<bool> session::shake() {
  for (;;) {
    error_code code;
    wire_.shake(code);
    if (!code) co_return true;
    if (code != asio::error::would_block) co_return false;
    const auto what = wire_.holds_unsent() ? tcp::socket::wait_write : tcp::socket::wait_read;
    const auto [error] = co_await socket_.async_wait(what, waiting);
    if (error || over()) co_return false;
    co_await wait_for_turn(urgency::probe);
    does(activity::fresh);
    if (over() || server_->stopped_) co_return false;
  }
}

// True when at least one more byte is in the buffer. What is there already is read at once: a probe of a new
// connection is in the line before the loop comes round.
asio::awaitable<bool> session::read_some() {
  if (over()) co_return false;
  error_code at_once;
  const auto room = buffer_.prepare(request_reader::read_size);
  if (const auto count = wire_.read_some(room, at_once); !at_once) {
    buffer_.commit(count);
    co_return true;
  }
  if (at_once != asio::error::would_block) co_return false;
  while (wire_.secured()) {
    const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, waiting);
    if (error || over()) co_return false;
    const auto count = wire_.read_some(room, at_once);
    buffer_.commit(at_once ? 0 : count);
    if (at_once != asio::error::would_block) co_return !at_once;
  }
  const auto [error, count] = co_await socket_.async_read_some(room, waiting);
  buffer_.commit(count);
  co_return !error && !closed_;
}

asio::awaitable<bool> session::write(std::string_view bytes) {
  if (wire_.secured()) co_return co_await write_secured(bytes);
  while (!bytes.empty()) {
    if (over()) co_return false;
    const auto [error, count] = co_await socket_.async_write_some(asio::buffer(bytes), waiting);
    if (error || closed_) co_return false;
    bytes.remove_prefix(count);
    set_unsent(unsent_ - std::min(unsent_, count));
    does(doing_);
  }
  co_return true;
}

// A record at a time, and then the loop comes round.
asio::awaitable<bool> session::write_secured(std::string_view bytes) {
  while (!bytes.empty() || wire_.holds_unsent()) {
    if (over()) co_return false;
    error_code code;
    std::size_t count = 0;
    if (bytes.empty()) {
      wire_.flush(code);
    } else {
      count = wire_.write_some(bytes, code);
    }
    if (code && code != asio::error::would_block) co_return false;
    // A message about keys that stops half way: the socket can be written all the while, and this would spin.
    if (code && wire_.changing_keys()) co_return false;
    if (code) {
      const auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, waiting);
      if (error || closed_) co_return false;
      continue;
    }
    bytes.remove_prefix(count);
    set_unsent(unsent_ - std::min(unsent_, count));
    does(doing_);
    co_await asio::post(socket_.get_executor(), asio::use_awaitable);
  }
  co_return !over();
}

asio::awaitable<bool> session::wait_for_request(milliseconds patience) {
  if (buffer_.size() > 0) co_return !closed_;
  set_deadline(patience);
  co_return co_await read_some();
}

asio::awaitable<void> session::wait_for_turn(urgency how) {
  does(how == urgency::probe ? activity::in_line_urgent : activity::in_line);
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto resume) {
        const auto kept = std::make_shared<decltype(resume)>(std::move(resume));
        number_in_line_ = server_->join_line(client_, how, [kept] { (*kept)(); });
      },
      asio::use_awaitable);
  does(activity::writing);
}

// It runs to its end at once, since it finds itself closed; only not here, where somebody else is at work.
void session::leave_line() {
  if (doing_ != activity::in_line && doing_ != activity::in_line_urgent) return;
  const auto how = doing_ == activity::in_line ? urgency::ordinary : urgency::probe;
  if (auto resume = server_->line_.leave(client_, how, number_in_line_)) {
    asio::post(server_->io_, std::move(resume));
  }
}

// False: the connection is to be closed.
asio::awaitable<bool> session::serve_one() {
  set_deadline(limit());
  request_reader request(server_->options_.max_request_bytes);
  using progress = request_reader::progress;
  for (auto read = request.read(buffer_); read != progress::whole; read = request.read(buffer_)) {
    if (read == progress::refused) {
      co_await refuse(request.refusal());
      co_return false;
    }
    const bool came = co_await read_some();
    if (!came && expired_ && !closed_) co_await refuse(problem(408, "the request did not come in time"));
    if (!came) co_return false;
  }
  if (closed_ || server_->stopped_) co_return false;
  timer_.cancel();  // it is ours to be quick now
  const bool open = is_open_to_all(request.target());
  auto kept_out = co_await keep_out(request.authorization());
  if (closed_ || server_->stopped_) co_return false;
  co_await wait_for_turn(urgency_of(request.target()));
  if (closed_ || server_->stopped_) co_return false;

  const bool without_detail = kept_out && open;
  auto made = kept_out && !open
                  ? *std::move(kept_out)
                  : respond(server_->content_, request.method(), request.target(), request.last_event_id());
  if (without_detail) leave_out_detail(made);
  const bool head_only = request.method() == "HEAD";
  if (compressible(made)) {
    made.fields.emplace_back("Vary", "Accept-Encoding");
    if (request.http_11() && takes_gzip(request.accept_encoding())) made = compressed(std::move(made));
  }
  if (made.follow && !head_only) {
    co_await follow(std::move(made), request.http_11());
    co_return false;
  }
  co_return co_await send(std::move(made), head_only, request.http_11(), request.keep_alive());
}

// What it is told instead of an answer, without the password it needs.
asio::awaitable<std::optional<answer>> session::keep_out(std::string_view authorization) {
  if (!server_->options_.passwords) co_return std::nullopt;
  using verdict = password_check::verdict;
  auto found = verdict::wrong;
  checked_by_ = server_->options_.passwords();
  if (!authorization.empty()) {
    found = co_await server_->passwords_->check(checked_by_, client_, std::string(authorization));
    if (found == verdict::wrong || found == verdict::too_many) server_->note_refused(client_);
    if (found == verdict::cannot_tell && !server_->stopped_) server_->note_unchecked();
  }
  if (found == verdict::right) co_return std::nullopt;
  if (found == verdict::wrong) {
    auto made = problem(401, "a name and a password are needed");
    made.fields.emplace_back("WWW-Authenticate", "Basic realm=\"rollcall\", charset=\"UTF-8\"");
    co_return made;
  }
  if (found == verdict::too_many) {
    auto made = problem(429, "too many wrong passwords came from this address: it has to wait a minute");
    made.fields.emplace_back("Retry-After", std::to_string(password_check::wrong_count_for.count()));
    co_return made;
  }
  auto made = problem(503, "the password cannot be checked now");
  made.fields.emplace_back("Retry-After", "1");
  co_return made;
}

bool session::passwords_are_the_same() const {
  return !server_->options_.passwords || server_->options_.passwords() == checked_by_;
}

asio::awaitable<void> session::refuse(answer made) {
  does(activity::writing);
  co_await send(std::move(made), false, true, false);
}

// True when the connection may serve another request.
asio::awaitable<bool> session::send(answer made, bool head_only, bool can_chunk, bool keep_alive) {
  set_deadline(limit());
  auto how = delivery::whole;
  if (made.next || made.follow) how = can_chunk ? delivery::chunked : delivery::until_close;
  if (how == delivery::until_close) keep_alive = false;
  auto out = head_of(made, server_->content_.version, keep_alive, how);
  if (head_only) {
    const bool written = co_await write(out);
    co_return written&& keep_alive;
  }
  if (how == delivery::whole) {
    const bool written = co_await send_whole(made, out);
    co_return written&& keep_alive;
  }
  for (bool more = true; more;) {
    std::string piece;
    more = append_pieces(made, piece, piece_size);
    if (how == delivery::chunked) {
      if (!piece.empty()) out += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
      if (!more) out += "0\r\n\r\n";
    } else {
      out += piece;
    }
    set_unsent(out.size() + (more && made.held ? made.held() : 0));
    set_deadline(limit());  // who takes it piece by piece has as long as it needs
    if (!co_await write(out)) co_return false;
    out.clear();
    if (!more) break;
    co_await wait_for_turn(urgency::ordinary);
    if (over()) co_return false;
  }
  co_return keep_alive;
}

// One segment for the usual answer; a large one is not copied.
asio::awaitable<bool> session::send_whole(const answer& made, std::string& head) {
  const bool apart = made.body.size() > piece_size;
  set_unsent(head.size() + made.body.size());
  if (!apart) head += made.body;
  bool written = co_await write(head);
  if (written && apart) written = co_await write(made.body);
  co_return written;
}

// Until the client goes away, or does not take what is written in the time a request has, or another stream
// needs its place, or the passwords change (then it comes back, and shows one), or the server stops.
asio::awaitable<void> session::follow(answer made, bool can_chunk) {
  server_->make_room_for_stream(client_);
  does(activity::following);
  auto out =
      head_of(made, server_->content_.version, false, can_chunk ? delivery::chunked : delivery::until_close);
  std::string piece = "retry: 2000\n\n";
  auto last_written = std::chrono::steady_clock::now();
  while (!closed_ && !server_->stopped_ && passwords_are_the_same()) {
    made.follow(piece);
    const auto now = std::chrono::steady_clock::now();
    if (piece.empty() && now - last_written >= server_->options_.heartbeat) piece = ": nothing new\n\n";
    if (!piece.empty()) {
      out += can_chunk ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : piece;
      piece = {};
      set_unsent(out.size());
      set_deadline(limit());
      if (!co_await write(out)) co_return;
      out = {};
      last_written = now;
    }
    if (!co_await nothing_came()) co_return;
  }
}

// Of a stream, for a moment. False: the client closed its side, or sends without end what nobody waits for.
asio::awaitable<bool> session::nothing_came() {
  if (closed_) co_return false;
  set_deadline(stream_pause);
  const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, waiting);
  if (error && expired_ && !closed_) co_return true;
  if (error || closed_) co_return false;
  error_code code;
  const auto count = wire_.read_some(buffer_.prepare(request_reader::read_size), code);
  if (code == asio::error::would_block) co_return true;
  if (code) co_return false;
  buffer_.commit(count);
  discarded_ += buffer_.size();
  buffer_.clear();
  co_return discarded_ <= max_drained;
}

// Closing with unread input resets the connection, and the client may lose the answer: so hear it out, a
// little.
asio::awaitable<void> session::finish() {
  if (closed_) co_return;
  set_unsent(0);
  does(activity::idle);
  error_code error;
  wire_.shut_down(error);
  if (error) co_return;
  set_deadline(drain_limit);
  bool more = true;
  for (std::size_t drained = 0; more && drained < max_drained; drained += buffer_.size()) {
    buffer_.clear();
    more = co_await read_some();
  }
}

}  // namespace rollcall::http
