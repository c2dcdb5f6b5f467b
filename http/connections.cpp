#include "http/connections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "http/session.hpp"

namespace rollcall::http {

namespace {

using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::steady_clock;

constexpr std::chrono::minutes between_lines{10};
// While requests wait, /metrics is made once in this time: the other requests get the same text.
constexpr std::chrono::seconds metrics_kept{1};

}  // namespace

bool pace::may_speak(steady_clock::time_point now) {
  if (now < next_) {
    ++silent_;
    return false;
  }
  next_ = now + between_lines;
  told_ = std::exchange(silent_, 0);
  return true;
}

std::string pace::since_last() {
  const auto count = std::exchange(told_, 0);
  return count == 0 ? std::string() : fmt::format(" ({} times more since this was said last)", count);
}

connections::connections(asio::io_context& io, options given, content from)
    : io_(io),
      options_(std::move(given)),
      content_(std::move(from)),
      passwords_(std::make_shared<password_check>(io)) {
  content_.metrics = [this, make = std::move(content_.metrics)] {
    const auto now = steady_clock::now();
    if (!line_.empty() && !kept_metrics_.empty() && now - metrics_made_ < metrics_kept) return kept_metrics_;
    auto made = make();
    kept_metrics_ = line_.empty() ? std::string() : made;
    metrics_made_ = now;
    return made;
  };
}

void connections::notice(pace& of, const std::string& what) const {
  if (content_.noticed && of.may_speak(steady_clock::now())) content_.noticed(what + of.since_last());
}

void connections::admit(tcp::socket socket) {
  error_code gone;
  const auto client = client_of(socket.remote_endpoint(gone).address());
  if (gone) return;
  if (sessions_.size() >= options_.max_connections && !make_room(client)) {
    // The send buffer of a new connection is empty: this never waits.
    const auto full = problem(503, "too many connections are being served");
    error_code ignored;
    socket.non_blocking(true, ignored);
    if (!options_.tls)
      socket.write_some(asio::buffer(head_of(full, content_.version, false, delivery::whole) + full.body),
                        ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    return;
  }
  const auto added = std::make_shared<session>(shared_from_this(), std::move(socket), client);
  asio::co_spawn(
      io_, [added] { return added->run(); },
      [self = shared_from_this(), added](std::exception_ptr thrown) {
        added->close();
        if (thrown && self->content_.failed)
          self->content_.failed("an HTTP connection ended with an exception");
      });
}

void connections::close_all() {
  stopped_ = true;
  while (!sessions_.empty()) sessions_.front()->close();  // takes itself out of the list
  passwords_->stop();
  line_.clear();
}

void connections::note_refused(const client_address& of) {
  notice(refused_, fmt::format("{} asks over HTTP with a wrong password", of.to_string()));
}

void connections::note_unchecked() {
  notice(unchecked_,
         "passwords shown over HTTP cannot be checked: no child process could be made, or it was ended; look "
         "at the limits of processes (pids) and memory");
}

// ---- turns

std::uint64_t connections::join_line(const client_address& of, urgency how, waiting_line::request go) {
  const auto number = line_.join(of, how, std::move(go));
  schedule_turn();
  return number;
}

// The loop comes round twice before the next request is let go: in the first round it sees what has arrived,
// in the second that is read.
void connections::schedule_turn() {
  if (turn_scheduled_ || line_.empty()) return;
  turn_scheduled_ = true;
  asio::post(io_, [self = shared_from_this()] { asio::post(self->io_, [self] { self->turn(); }); });
}

void connections::turn() {
  turn_scheduled_ = false;
  if (stopped_) return;
  if (look_) look_();
  line_.next();
  if (line_.empty()) kept_metrics_ = {};
  schedule_turn();
}

// ---- room

// Of the client with the most connections, the one whose end does the least harm: an idle one first, then one
// that does not read its answer, then one that has asked nothing yet, the longest so first; then requests in
// the line, the last first.
session* connections::first_to_go(const client_address& newcomer) {
  const auto count = [&](const auto& each) {
    return each.second.connections + (each.first == newcomer ? 1 : 0);
  };
  std::size_t most = 0;
  for (const auto& each : holdings_) most = std::max(most, count(each));
  session* first = nullptr;
  const auto goes_before = [](const session& a, const session& b) {
    if (a.doing() != b.doing()) return a.doing() < b.doing();
    const bool waits =
        a.doing() == session::activity::in_line || a.doing() == session::activity::in_line_urgent;
    return waits ? a.since() > b.since() : a.since() < b.since();
  };
  for (auto* each : sessions_) {
    if (each->doing() == session::activity::following) continue;
    if (count(*holdings_.find(each->client())) < most) continue;
    if (first == nullptr || goes_before(*each, *first)) first = each;
  }
  return first;
}

bool connections::close_one() {
  auto* const first = first_to_go({});
  if (first != nullptr) first->close();
  return first != nullptr;
}

bool connections::make_room(const client_address& newcomer) {
  auto* const first = first_to_go(newcomer);
  if (first == nullptr) return false;
  notice(crowded_,
         fmt::format("all {} HTTP connections are taken, {} of them by {}, which loses some to others",
                     sessions_.size(), holdings_.find(first->client())->second.connections,
                     first->client().to_string()));
  first->close();
  return true;
}

// For one more stream of that address. One client that opens them all pushes out its own.
void connections::make_room_for_stream(const client_address& of) {
  while (!streams_.empty() && streams_.size() >= options_.max_streams) {
    std::map<client_address, std::size_t> held{{of, 1}};
    for (const auto* one : streams_) ++held[one->client()];
    const auto less = [&](const session* a, const session* b) {
      return held[a->client()] < held[b->client()];
    };
    (*std::ranges::max_element(streams_, less))->close();  // the first of those; takes itself out of the list
  }
}

// ---- bytes that clients have not taken

void connections::unsent_changed(const client_address& of, std::size_t before, std::size_t after) {
  holdings_[of].unsent += after - before;
  unsent_ += after - before;
  if (after > before) hold_to_budget();
}

// A lone answer may be larger than the budget: it is made, and there is nobody else to suffer from it.
void connections::hold_to_budget() {
  for (bool closed = true; closed;) {
    closed = false;
    const auto worst =
        std::ranges::max_element(holdings_, {}, [](const auto& each) { return each.second.unsent; });
    if (worst == holdings_.end()) return;
    if (unsent_ <= options_.max_unsent && worst->second.unsent <= options_.max_unsent_of_client) return;
    closed = close_largest_answer_of(worst->first);
  }
}

bool connections::close_largest_answer_of(const client_address& of) {
  session* largest = nullptr;
  std::size_t several = 0;
  for (auto* each : sessions_) {
    if (each->unsent() == 0) continue;
    ++several;
    if (each->client() == of && (largest == nullptr || each->unsent() > largest->unsent())) largest = each;
  }
  if (largest == nullptr || several < 2) return false;
  notice(unread_,
         fmt::format("{} does not read its HTTP answers: {} KiB wait for it; the largest is given up",
                     of.to_string(), holdings_.find(of)->second.unsent >> 10U));
  largest->close();
  return true;
}

}  // namespace rollcall::http
