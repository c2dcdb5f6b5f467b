#include "cnode/registration.hpp"

#include <fmt/format.h>

#include <boost/asio/write.hpp>

#include "cnode/timed_socket.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::chrono::milliseconds retry_after{2'000}, answer_limit{5'000};
// A port mapper that restarts is given this many retries before we take its place.
constexpr int retries_before_serving = 5;
constexpr std::size_t largest_alive_reply = 16;

}  // namespace

registration_keeper::registration_keeper(asio::io_context& io, epmd::registration entry,
                                         port_mapper_mode mode, std::uint16_t port_mapper_port,
                                         told_function told)
    : io_(io),
      entry_(std::move(entry)),
      mode_(mode),
      port_(port_mapper_port),
      told_(std::move(told)),
      socket_(io),
      pause_(io),
      settled_timer_(io, asio::steady_timer::time_point::max()) {}

void registration_keeper::tell(boost::system::error_code code, std::string detail) {
  if (last_told_ == code) return;
  last_told_ = code;
  told_(code, std::move(detail));
}

void registration_keeper::settle() {
  settled_ = true;
  settled_timer_.cancel();
}

void registration_keeper::stop() {
  stopped_ = true;
  own_.reset();
  boost::system::error_code ignored;
  socket_.close(ignored);
  pause_.cancel();
}

void registration_keeper::withdraw(bool now) {
  if (std::exchange(withdrawn_, now) == now) return;
  if (own_) {
    if (now) {
      own_->remove();
    } else if (!own_->put(entry_)) {
      tell(make_error_code(error::closed),
           fmt::format("another {} is registered here still; ours is entered once that one is gone",
                       entry_.alive));
    }
    return;
  }
  last_told_.reset();
  boost::system::error_code ignored;
  socket_.close(ignored);
  pause_.cancel();
}

// Registers over a new connection, which is left in `socket` to be kept open.
asio::awaitable<registration_keeper::attempt> registration_keeper::enrol(tcp::socket& socket) {
  auto connection = timed_socket::make(io_.get_executor(), answer_limit);
  boost::system::error_code code;
  for (const auto& address : {asio::ip::address(asio::ip::address_v4::loopback()),
                              asio::ip::address(asio::ip::address_v6::loopback())}) {
    const auto [failed] = co_await connection->socket.async_connect(tcp::endpoint(address, port_), as_result);
    if (!code || !failed) code = failed;  // what IPv4 said counts, unless IPv6 works
    if (!failed || connection->expired()) break;
    boost::system::error_code ignored;
    connection->socket.close(ignored);
  }
  if (code) co_return attempt{connection->failure(code)};
  const auto request = epmd::encode_alive(entry_);
  const auto [write_failed, sent] =
      co_await asio::async_write(connection->socket, asio::buffer(request), as_result);
  if (write_failed) co_return attempt{connection->failure(write_failed)};
  byte_string reply;
  std::array<char, largest_alive_reply> chunk{};
  while (true) {
    const auto [failed, size] = co_await connection->socket.async_read_some(asio::buffer(chunk), as_result);
    if (failed) co_return attempt{connection->failure(failed)};
    reply.append(chunk.data(), size);
    const auto decoded = epmd::decode_alive_reply(reply);
    if (!decoded) co_return attempt{decoded.error()};
    if (*decoded) {
      socket = std::move(connection->socket);
      co_return attempt{{}, **decoded};
    }
    if (reply.size() > largest_alive_reply) co_return attempt{make_error_code(error::bad_reply)};
  }
}

bool registration_keeper::serve() {
  own_.emplace(io_, port_);
  const auto started = own_->start();
  if (!started) {
    own_.reset();
    if (mode_ == port_mapper_mode::serve) {
      tell(started.error(), fmt::format("cannot be the port mapper of this machine on port {}: {}", port_,
                                        started.error().message()));
    }
    return false;
  }
  if (!withdrawn_) own_->put(entry_);
  tell({}, fmt::format("this program is the machine's port mapper, on port {}", port_));
  return true;
}

asio::awaitable<void> registration_keeper::run() {
  const bool may_serve = mode_ == port_mapper_mode::automatic || mode_ == port_mapper_mode::serve;
  int retries_left = 0;  // none runs when we start: serve at once
  while (!stopped_) {
    if (withdrawn_) {
      pause_.expires_at(asio::steady_timer::time_point::max());
      co_await pause_.async_wait(as_result);
      continue;
    }
    if (mode_ != port_mapper_mode::serve) {
      tcp::socket socket(io_);
      const auto tried = co_await enrol(socket);
      if (stopped_) co_return;
      if (withdrawn_) continue;
      if (!tried.code) {
        if (!settled_) creation_ = tried.creation;
        socket_ = std::move(socket);
        tell({}, fmt::format("registered with the port mapper on port {} as {}", port_, entry_.alive));
        settle();
        std::array<char, 16> nothing{};
        while (true) {
          const auto [code, size] = co_await socket_.async_read_some(asio::buffer(nothing), as_result);
          if (code) break;
        }
        if (stopped_) co_return;
        if (withdrawn_) continue;
        tell(make_error_code(error::closed),
             fmt::format("the port mapper on port {} went away; registering again every 2 s", port_));
        retries_left = retries_before_serving;
        boost::system::error_code ignored;
        socket_.close(ignored);
      } else if (tried.code == error::refused && may_serve && retries_left-- <= 0 && serve()) {
        settle();
        co_return;
      } else if (tried.code == error::name_taken) {
        tell(tried.code,
             fmt::format("the port mapper on port {} knows another {} already; trying again every 2 s", port_,
                         entry_.alive));
      } else if (retries_left <= 0 || tried.code != error::refused) {
        tell(tried.code,
             fmt::format("cannot register with the port mapper on port {}: {}; trying again every 2 s", port_,
                         tried.code.message()));
      }
    } else if (serve()) {
      settle();
      co_return;
    }
    settle();
    pause_.expires_after(retry_after);
    co_await pause_.async_wait(as_result);
  }
}

}  // namespace rollcall::cnode
