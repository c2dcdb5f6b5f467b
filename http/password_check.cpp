#include "http/password_check.hpp"

#include <crypt.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace rollcall::http {

namespace {

using std::chrono::steady_clock;

constexpr auto waiting = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t max_remembered_clients = 1'024;
constexpr rlim_t most_cpu_seconds = 10;
// Behind the loop, and yet done in time on a machine that is busy: at 19 others would leave it nothing.
constexpr int niceness = 5;
constexpr char is_ready = 'r', is_right = 'y', is_wrong = 'n';

struct both_ends {
  int reading = -1, writing = -1;
};

// In the child, where nothing of the parent may be touched: no other descriptor stays open, so that what the
// parent closes is closed.
[[noreturn]] void be_the_child(int to, const char* hash, const char* password) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Not one by one up to the limit where the kernel does not know close_range: a million takes 0.2 s.
  if (::dup2(to, STDIN_FILENO) < 0) ::_exit(1);
  ::closefrom(STDIN_FILENO + 1);
  const auto say = [](char what) { return ::write(STDIN_FILENO, &what, 1) == 1; };
  if (!say(is_ready)) ::_exit(1);
  const rlimit limit{most_cpu_seconds, most_cpu_seconds};
  ::setrlimit(RLIMIT_CPU, &limit);
  ::setpriority(PRIO_PROCESS, 0, niceness);
  static crypt_data room;
  const char* made = ::crypt_rn(password, hash, &room, sizeof room);
  const auto size = std::strlen(hash);
  const bool right = made != nullptr && std::strlen(made) == size && CRYPTO_memcmp(made, hash, size) == 0;
  say(right ? is_right : is_wrong);
  ::_exit(0);
}

// Also when a signal comes meanwhile: nothing else would ever reap it.
void reap(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// The child's process, once it holds nothing of ours; negative: there is none.
pid_t start_child(both_ends& pipe, const std::string& hash, const std::string& password) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
  const auto child = ::fork();
  if (child == 0) be_the_child(ends[1], hash.c_str(), password.c_str());
  ::close(ends[1]);
  pipe.reading = ends[0];
  char said = 0;
  ssize_t count = 0;
  do count = child > 0 ? ::read(ends[0], &said, 1) : 0;
  while (count < 0 && errno == EINTR);
  if (count == 1 && said == is_ready) return child;
  ::close(ends[0]);
  if (child > 0) reap(child);
  return -1;
}

}  // namespace

// From the system: asking OpenSSL would load all that it has (2 MB) where nobody uses passwords or TLS.
password_check::password_check(asio::io_context& io) : io_(io) {
  if (::getrandom(secret_.data(), secret_.size(), 0) != static_cast<ssize_t>(secret_.size())) {
    throw std::runtime_error("no random numbers are to be had");
  }
}

password_check::digest password_check::digest_of(std::string_view text) const {
  digest made{};
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), made.data(), nullptr);
  return made;
}

bool password_check::has_guessed_too_often(const client_address& who) {
  const auto found = wrong_.find(who);
  if (found == wrong_.end()) return false;
  if (steady_clock::now() - found->second.since >= wrong_count_for) {
    wrong_.erase(found);
    return false;
  }
  return found->second.count >= most_wrong;
}

void password_check::note_wrong(const client_address& who) {
  const auto now = steady_clock::now();
  if (wrong_.size() >= max_remembered_clients) {
    std::erase_if(wrong_, [&](const auto& each) { return now - each.second.since >= wrong_count_for; });
  }
  if (wrong_.size() >= max_remembered_clients) wrong_.erase(wrong_.begin());
  auto& of = wrong_[who];
  if (of.count++ == 0) of.since = now;
}

asio::awaitable<void> password_check::wait_for_turn(client_address who) {
  if (!std::exchange(busy_, true)) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto resume) {
        const auto kept = std::make_shared<decltype(resume)>(std::move(resume));
        line_.join(who, urgency::ordinary, [kept] { (*kept)(); });
      },
      asio::use_awaitable);
}

bool password_check::has_room_for(const client_address& who) const {
  return line_.size() < most_waiting && line_.size_of(who, urgency::ordinary) < most_waiting_of_client;
}

void password_check::let_next_go() {
  busy_ = !line_.empty();
  if (busy_) asio::post(io_, [self = shared_from_this()] { self->line_.next(); });
}

void password_check::stop() {
  const auto self = shared_from_this();  // what waits may hold the last of our owners
  stopped_ = true;
  line_.clear();
}

asio::awaitable<password_check::verdict> password_check::work_out(const std::string& hash,
                                                                  const std::string& password) {
  both_ends pipe;
  const auto child = start_child(pipe, hash, password);
  if (child < 0) co_return verdict::cannot_tell;
  asio::posix::stream_descriptor from(io_);
  boost::system::error_code no_room;
  if (from.assign(pipe.reading, no_room); no_room) {  // an exception would keep the turn for good
    ::close(pipe.reading);
    ::kill(child, SIGKILL);
    reap(child);
    co_return verdict::cannot_tell;
  }
  char said = 0, nothing_more = 0;
  const auto [error, count] = co_await from.async_read_some(asio::buffer(&said, 1), waiting);
  // Its memory is gone by the time it closes its end, and the loop does not wait for that.
  if (!error) co_await from.async_read_some(asio::buffer(&nothing_more, 1), waiting);
  reap(child);
  if (count != 1) co_return verdict::cannot_tell;
  co_return said == is_right ? verdict::right : verdict::wrong;
}

asio::awaitable<password_check::verdict> password_check::check(std::shared_ptr<const passwords> of,
                                                               client_address who, std::string given) {
  const auto self = shared_from_this();
  if (of_ != of) {
    of_ = of;
    known_.clear();
    wrong_.clear();
  }
  const auto whose = credentials_in(given);
  if (!whose) co_return verdict::wrong;
  // Not of the field: one password may be written in many ways, each of which would take a place.
  const auto shown = digest_of(whose->name + ':' + whose->password);
  if (known_.contains(shown)) co_return verdict::right;
  if (has_guessed_too_often(who)) co_return verdict::too_many;
  if (!has_room_for(who)) co_return verdict::busy;
  co_await wait_for_turn(who);
  auto found = verdict::cannot_tell;
  if (known_.contains(shown) && of_ == of) {
    found = verdict::right;
  } else if (has_guessed_too_often(who)) {
    found = verdict::too_many;
  } else if (!stopped_) {
    found = co_await work_out(of->hash_for(whose->name), whose->password);
    if (found == verdict::right && !of->knows(whose->name)) found = verdict::wrong;
  }
  let_next_go();
  if (found == verdict::wrong) note_wrong(who);
  if (found == verdict::right && of_ == of) {
    if (known_.size() >= most_known) known_.erase(known_.begin());
    known_.insert(shown);
  }
  co_return found;
}

}  // namespace rollcall::http
