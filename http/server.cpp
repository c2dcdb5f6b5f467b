// Listens and accepts; also while no descriptor is left, as far as connections of clients can give theirs
// away.
#include "http/server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http/connections.hpp"

namespace rollcall::http {

namespace {

using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr auto waiting = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds accept_pause{100};  // after the system had no descriptor left
constexpr int accepted_at_once = 32;       // then the loop comes round, so that they are read

bool out_of_descriptors(error_code code) {
  return code == boost::system::errc::too_many_files_open ||
         code == boost::system::errc::too_many_files_open_in_system;
}

// Without a free descriptor accept(2) fails whether or not there is a connection to accept.
bool somebody_waits(tcp::acceptor& at) {
  pollfd one{at.native_handle(), POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

std::string why_not_accepted(error_code code) {
  if (code == boost::system::errc::too_many_files_open) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return fmt::format("all {} file descriptors of this process are in use (ulimit -n, LimitNOFILE=)",
                       limit.rlim_cur);
  }
  return code.message();
}

// One descriptor put by: when all others are used up, it is given to a client.
class spare_descriptor {
 public:
  spare_descriptor() { refill(); }
  ~spare_descriptor() { give(); }
  spare_descriptor(const spare_descriptor&) = delete;
  spare_descriptor& operator=(const spare_descriptor&) = delete;

  void refill() {
    if (number_ < 0) number_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  // False when it was given away before, and could not be replaced since.
  bool give() {
    if (number_ < 0) return false;
    ::close(std::exchange(number_, -1));
    return true;
  }

 private:
  int number_ = -1;
};

}  // namespace

struct server::implementation : std::enable_shared_from_this<implementation> {
  implementation(asio::io_context& io, options given, content from)
      : io_(io),
        acceptor_(io),
        pause_(io),
        listen_(given.listen),
        failed_(from.failed),
        open_(std::make_shared<connections>(io, std::move(given), std::move(from))) {}

  boost::system::result<void> start();
  void stop();
  asio::awaitable<void> accept();
  error_code accept_some();
  void say_why(error_code not_accepted);

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  tcp::endpoint listen_;
  std::function<void(std::string)> failed_;
  std::shared_ptr<connections> open_;
  spare_descriptor spare_;
  pace cannot_accept_;
  bool stopped_ = false;
};

boost::system::result<void> server::implementation::start() {
  error_code error;
  const auto step = [&](auto&& doing) {
    if (!error) doing();
  };
  step([&] { acceptor_.open(listen_.protocol(), error); });
  // Every address of a machine whose kernel has no IPv6 is every IPv4 address.
  if (error == asio::error::address_family_not_supported && listen_.address().is_v6() &&
      listen_.address().is_unspecified()) {
    listen_.address(asio::ip::address_v4::any());
    error = {};
    acceptor_.open(listen_.protocol(), error);
  }
  step([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
  // "::" is every address of the machine, as other servers have it.
  step([&] {
    if (!listen_.address().is_v6()) return;
    acceptor_.set_option(asio::ip::v6_only(!listen_.address().is_unspecified()), error);
  });
  // Accepted connections inherit these.
  step([&] { acceptor_.set_option(tcp::socket::send_buffer_size(socket_send_buffer), error); });
  step([&] { acceptor_.set_option(tcp::socket::receive_buffer_size(socket_receive_buffer), error); });
  step([&] { acceptor_.bind(listen_, error); });
  step([&] { acceptor_.listen(tcp::acceptor::max_listen_connections, error); });
  step([&] { acceptor_.non_blocking(true, error); });
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return error;
  }
  open_->before_each_turn([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->accept_some();
  });
  const auto ended = [self = shared_from_this()](std::exception_ptr thrown) {
    if (thrown && self->failed_) self->failed_("the HTTP listener ended with an exception");
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
  open_->close_all();
}

asio::awaitable<void> server::implementation::accept() {
  while (!stopped_) {
    auto [error] = co_await acceptor_.async_wait(tcp::acceptor::wait_read, waiting);
    if (stopped_) co_return;
    if (!error) error = accept_some();
    if (!error) continue;
    say_why(error);
    pause_.expires_after(accept_pause);
    co_await pause_.async_wait(waiting);
  }
}

void server::implementation::say_why(error_code not_accepted) {
  open_->notice(cannot_accept_, "HTTP connections cannot all be accepted: " + why_not_accepted(not_accepted));
}

// All that wait, but no more than accepted_at_once. What it returns is trouble that only waiting helps.
error_code server::implementation::accept_some() {
  spare_.refill();
  for (int accepted = 0; accepted < accepted_at_once && !stopped_; ++accepted) {
    error_code error;
    tcp::socket socket(io_);
    acceptor_.accept(socket, error);
    if (out_of_descriptors(error)) {
      if (!somebody_waits(acceptor_)) break;
      if (!spare_.give() && !open_->close_one()) return error;
      say_why(error);
      continue;
    }
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (error == asio::error::connection_aborted) continue;  // the client went away again
    if (error) return error;
    open_->admit(std::move(socket));
  }
  return {};
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

std::size_t server::open_connections() const {
  return implementation_->open_->size();
}

}  // namespace rollcall::http
