#include "discovery/channel.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <stdexcept>

#include "discovery/ares.hpp"

namespace rollcall::discovery {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr int tries = 2;  // c-ares doubles the wait on the second: a third and two thirds of the whole
constexpr milliseconds min_wait{20};

void start_library() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status != ARES_SUCCESS) throw std::runtime_error(std::string("c-ares: ") + ares_strerror(status));
}

}  // namespace

std::string_view to_string(record_type type) noexcept {
  switch (type) {
    case record_type::a:
      return "A";
    case record_type::aaaa:
      return "AAAA";
    case record_type::srv:
      return "SRV";
  }
  return "?";
}

// The timer is both the deadline and the bell: c-ares' completion cancels it. Shared between the coroutine
// and c-ares, since either may be gone before the other.
struct channel::question {
  question(asio::io_context& context, steady_clock::time_point deadline) : timer(context, deadline) {}
  asio::steady_timer timer;
  bool answered = false;
  raw_answer answer;
};

struct channel::watch {
  explicit watch(asio::io_context& context) : descriptor(context) {}
  asio::posix::stream_descriptor descriptor;
  bool open = true;
  bool want_read = false, want_write = false;
  bool reading = false, writing = false;
};

std::shared_ptr<channel> channel::open(asio::io_context& context, const settings& chosen) {
  return std::make_shared<channel>(context, chosen);
}

channel::channel(asio::io_context& context, const settings& chosen) : context_(context), timer_(context) {
  start_library();
  ares_options options{};
  // NOCHECKRESP: SERVFAIL and REFUSED come through as such; without it c-ares reports them as a refused
  // connection.
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS;
  if (chosen.how == way::tcp) options.flags |= ARES_FLAG_USEVC;
  if (chosen.how == way::cut) options.flags |= ARES_FLAG_IGNTC;
  options.timeout = static_cast<int>(std::max(chosen.timeout / 3, min_wait).count());
  options.tries = tries;
  options.ednspsz = max_udp_answer;
  options.sock_state_cb = &channel::socket_state;
  options.sock_state_cb_data = this;
  const int status = ares_init_options(
      &channel_, &options,
      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) throw std::runtime_error(std::string("c-ares: ") + ares_strerror(status));
  auto server = ares::to_node(chosen.server);
  if (const int set = ares_set_servers_ports(channel_, &server); set != ARES_SUCCESS) {
    ares_destroy(channel_);
    throw std::runtime_error(std::string("c-ares: ") + ares_strerror(set));
  }
  static const ares_socket_functions functions{
      &channel::open_socket, [](ares_socket_t socket, void*) { return ::close(socket); },
      [](ares_socket_t socket, const sockaddr* to, ares_socklen_t size, void*) {
        return ::connect(socket, to, size);
      },
      [](ares_socket_t socket, void* into, std::size_t size, int flags, sockaddr* from,
         ares_socklen_t* length, void*) { return ::recvfrom(socket, into, size, flags, from, length); },
      [](ares_socket_t socket, const iovec* pieces, int count, void*) {
        return ::writev(socket, pieces, count);
      }};
  ares_set_socket_functions(channel_, &functions, this);
}

channel::~channel() {
  close();
}

void channel::close() {
  if (channel_ == nullptr) return;
  timer_.cancel();
  ares_destroy(std::exchange(channel_, nullptr));  // ends every question, and lets go of every socket first
}

asio::awaitable<raw_answer> channel::ask(std::shared_ptr<channel> self, std::string name, record_type type,
                                         steady_clock::time_point deadline) {
  if (self->channel_ == nullptr) co_return raw_answer{ARES_EDESTRUCTION, {}};
  constexpr int internet = 1;
  const auto waiting = std::make_shared<question>(self->context_, deadline);
  ares_query(self->channel_, name.c_str(), internet, static_cast<int>(type), &channel::completed,
             std::make_unique<std::shared_ptr<question>>(waiting).release());
  self->set_timer();
  if (!waiting->answered) co_await waiting->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiting->answered) {
    if (waiting->answer.status == ARES_ECONNREFUSED && self->no_descriptor_)
      waiting->answer.status = no_descriptor;
    co_return std::move(waiting->answer);
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  co_return raw_answer{cancelled ? ARES_ECANCELLED : ARES_ETIMEOUT, {}};
}

// c-ares itself takes a socket that cannot be opened for a server that refuses.
int channel::open_socket(int family, int type, int protocol, void* self) {
  const int opened = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  static_cast<channel*>(self)->no_descriptor_ = opened < 0 && (errno == EMFILE || errno == ENFILE);
  return opened;
}

void channel::completed(void* argument, int status, int /*timeouts*/, unsigned char* bytes, int size) {
  const std::unique_ptr<std::shared_ptr<question>> box(static_cast<std::shared_ptr<question>*>(argument));
  auto& waiting = **box;
  waiting.answered = true;
  waiting.answer.status = status;
  if (bytes != nullptr) waiting.answer.bytes.assign(bytes, bytes + size);
  waiting.timer.cancel();
}

void channel::socket_state(void* self, int socket, int readable, int writable) {
  static_cast<channel*>(self)->watch_socket(socket, readable != 0, writable != 0);
}

void channel::watch_socket(int socket, bool readable, bool writable) {
  const auto found = watches_.find(socket);
  if (!readable && !writable) {
    if (found == watches_.end()) return;
    found->second->open = false;
    found->second->descriptor.release();  // c-ares closes it right after this call
    watches_.erase(found);
    return;
  }
  auto entry = found == watches_.end() ? nullptr : found->second;
  if (!entry) {
    entry = std::make_shared<watch>(context_);
    boost::system::error_code error;
    entry->descriptor.assign(socket, error);
    if (error) return;  // cannot be watched: the question runs into its deadline
    watches_.emplace(socket, entry);
  }
  entry->want_read = readable;
  entry->want_write = writable;
  arm(socket, entry);
}

void channel::arm(int socket, const std::shared_ptr<watch>& entry) {
  using wait = asio::posix::stream_descriptor::wait_type;
  if (entry->want_read && !entry->reading) {
    entry->reading = true;
    entry->descriptor.async_wait(wait::wait_read,
                                 [weak = weak_from_this(), entry, socket](boost::system::error_code error) {
                                   entry->reading = false;
                                   const auto self = weak.lock();
                                   if (error || !entry->open || !self) return;
                                   if (entry->want_read) self->process(socket, ARES_SOCKET_BAD);
                                   if (entry->open) self->arm(socket, entry);
                                 });
  }
  if (entry->want_write && !entry->writing) {
    entry->writing = true;
    entry->descriptor.async_wait(wait::wait_write,
                                 [weak = weak_from_this(), entry, socket](boost::system::error_code error) {
                                   entry->writing = false;
                                   const auto self = weak.lock();
                                   if (error || !entry->open || !self) return;
                                   if (entry->want_write) self->process(ARES_SOCKET_BAD, socket);
                                   if (entry->open) self->arm(socket, entry);
                                 });
  }
}

void channel::process(int readable, int writable) {
  if (channel_ == nullptr) return;
  ares_process_fd(channel_, readable, writable);
  set_timer();
}

void channel::set_timer() {
  timeval wait{};
  if (channel_ == nullptr || ares_timeout(channel_, nullptr, &wait) == nullptr) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec) +
                       milliseconds(1));
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self && !error) self->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

}  // namespace rollcall::discovery
