// One HTTP connection: waits for a request, reads it whole, waits for its turn, answers, and begins again.
// Every wait has a limit, every size a bound.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <string_view>

#include "http/answer_head.hpp"
#include "http/connections.hpp"
#include "http/request_reader.hpp"
#include "http/transport.hpp"

namespace rollcall::http {

class session : public std::enable_shared_from_this<session> {
 public:
  session(std::shared_ptr<connections>, asio::ip::tcp::socket, const client_address&);
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() { close(); }

  asio::awaitable<void> run();
  void close();

  // What it does, those that can be closed with the least harm first. `fresh`: nothing was asked yet; one
  // that leaves its answers unread goes before it, or a probe of the same address would never be heard.
  enum class activity { idle, writing, fresh, in_line, in_line_urgent, following };
  activity doing() const noexcept { return doing_; }
  // When it did something last: the smaller, the longer ago.
  std::uint64_t since() const noexcept { return since_; }
  const client_address& client() const noexcept { return client_; }
  std::size_t unsent() const noexcept { return unsent_; }

 private:
  using milliseconds = std::chrono::milliseconds;

  milliseconds limit() const { return server_->options_.request_limit; }
  bool over() const { return closed_ || expired_; }
  void does(activity);
  void set_deadline(milliseconds after);
  void set_unsent(std::size_t);
  asio::awaitable<bool> read_some();
  asio::awaitable<bool> write(std::string_view);
  asio::awaitable<bool> write_secured(std::string_view);
  asio::awaitable<bool> secure();
  asio::awaitable<bool> shake();
  asio::awaitable<std::optional<answer>> keep_out(std::string_view authorization);
  bool passwords_are_the_same() const;
  asio::awaitable<bool> wait_for_request(milliseconds patience);
  asio::awaitable<void> wait_for_turn(urgency);
  void leave_line();
  asio::awaitable<bool> serve_one();
  asio::awaitable<void> refuse(answer);
  asio::awaitable<bool> send(answer, bool head_only, bool can_chunk, bool keep_alive);
  asio::awaitable<bool> send_whole(const answer&, std::string& head);
  asio::awaitable<void> follow(answer, bool can_chunk);
  asio::awaitable<bool> nothing_came();
  asio::awaitable<void> finish();

  std::shared_ptr<connections> server_;
  transport wire_;
  asio::ip::tcp::socket& socket_;
  asio::steady_timer timer_;
  client_address client_;
  boost::beast::flat_buffer buffer_;
  std::shared_ptr<const passwords> checked_by_;  // what the last request was held against
  std::list<session*>::iterator place_;
  activity doing_ = activity::fresh;
  std::uint64_t deadline_ = 0, number_in_line_ = 0;
  std::uint64_t since_ = 0;
  std::size_t unsent_ = 0;
  std::size_t discarded_ = 0;
  bool expired_ = false;
  bool closed_ = false;
};

}  // namespace rollcall::http
