#include "cnode/link.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>

#include "cnode/flags.hpp"
#include "cnode/term_check.hpp"

namespace rollcall::cnode {

namespace {

// What an entry of a table takes, about: a reference and a process, with their node's name twice.
constexpr std::size_t monitor_size = 256;
// Holding less than that more is not worth a look at the budget.
constexpr std::size_t noticeable = 4096;

// Where every link's bytes are read to. One for all of a thread: nothing is left in it when its reader waits.
constexpr std::size_t largest_read = 64U << 10;
std::array<char, largest_read>& read_to() {
  static thread_local std::array<char, largest_read> bytes;
  return bytes;
}

// One whose control message is what is too large: unless it answers a call of ours nobody waits for it.
result<message> parsed_head(byte_view head) {
  auto parsed = parse_head(head);
  if (!parsed && parsed.error() != error::frame_too_large) return error::unknown_control;
  return parsed;
}

}  // namespace

link::link(stream connected, cnode::peer peer, milliseconds net_ticktime, std::size_t max_queued_bytes,
           std::shared_ptr<memory_budget> budget)
    : calls(connected.get_executor(), peer_, [this](byte_view frames) { send(frames); }),
      stream_(std::move(connected)),
      peer_(std::move(peer)),
      max_queued_bytes_(max_queued_bytes),
      ticks_(net_ticktime, ticks::clock::now()),
      written_to_(stream_.get_executor()),
      taken_(stream_.get_executor()),
      clock_(stream_.get_executor()),
      turn_(stream_.get_executor()),
      turns_(reading_turns::of(stream_.get_executor())),
      held_(std::move(budget), [this] {
        close(make_error_code(error::memory_exhausted),
              fmt::format("the memory for all links is at its limit, and {} held most of it: {} KiB",
                          peer_.name.text(), footprint() >> 10U));
      }) {
  const auto both = peer_.flags & flags::ours;
  const bool cached = flags::has(both, flags::dist_hdr_atom_cache);
  const bool fragments = flags::has(both, flags::fragments);
  if (cached || fragments) {
    frames_ = frame_reader(message_reader::kept_head);
    headers_ = std::make_unique<message_reader>(fragments);
    writer_ = std::make_unique<message_writer>(cached);
    session.reasons_behind = flags::has(both, flags::exit_payload);
    session.refers = cached && session.reasons_behind;
  }
}

std::size_t link::footprint() const noexcept {
  const auto headers = headers_ ? headers_->footprint() + writer_->footprint() : 0;
  std::size_t long_ones = later_.capacity();
  for (const auto& each : long_ones_) long_ones += each.footprint();
  return stream_.footprint() + frames_.footprint() + queue_.footprint() + headers + long_ones +
         (session.monitors.size() + watched.size()) * monitor_size;
}

void link::account() {
  const auto now = footprint();
  if (now <= noticeable && accounted_ == 0) return;
  if (now < accounted_ + noticeable && now + noticeable > accounted_) return;
  accounted_ = now;
  held_.hold(now);
}

asio::awaitable<link::closing> link::run(receive_function receive, unknown_function unknown,
                                         sent_to_us to_us) {
  using namespace asio::experimental::awaitable_operators;
  receive_ = std::move(receive);
  unknown_ = std::move(unknown);
  to_us_ = std::move(to_us);
  if (is_open()) co_await (guarded(read_loop()) || guarded(write_loop()) || guarded(clock_loop()));
  close(make_error_code(error::closed), "the link was given up");
  co_return *closing_;
}

asio::awaitable<void> link::guarded(asio::awaitable<void> loop) {
  try {
    co_await std::move(loop);
  } catch (const std::exception& problem) {
    const auto* const failed = dynamic_cast<const boost::system::system_error*>(&problem);
    if (failed != nullptr && failed->code() == asio::error::operation_aborted) throw;
    close(make_error_code(error::closed),
          fmt::format("the link to {} failed here: {}", peer_.name.text(), problem.what()));
  }
}

void link::send(byte_view frames) {
  if (!is_open()) return;
  answers_ = std::min(answers_, waiting());
  if (waiting() - answers_ + frames.size() > max_queued_bytes_) {
    close(make_error_code(error::queue_full),
          fmt::format("{} does not read: more than {} bytes are waiting for it", peer_.name.text(),
                      max_queued_bytes_));
    return;
  }
  if (may_go_at_once(frames)) {
    write_at_once(frames);
  } else {
    enqueue(frames, &message_writer::append);
  }
}

// Each wakes the write loop otherwise. What follows in the same turn goes in one write.
bool link::may_go_at_once(byte_view frames) {
  if (frames.size() > largest_at_once || unsent() || !long_ones_.empty() || stream_.secured() != nullptr)
    return false;
  return std::exchange(at_once_in_, turns_.number()) != turns_.number();
}

// What fails, or is not taken, is the write loop's.
void link::write_at_once(byte_view frames) {
  static thread_local byte_string with_headers;
  if (writer_) {
    with_headers.clear();
    writer_->append(with_headers, frames);
    frames = with_headers;
  }
  boost::system::error_code code;
  const auto size = stream_.write_some(asio::buffer(frames), code);
  ticks_.last_progress = ticks::clock::now();
  if (!code) {
    ticks_.last_write = ticks_.last_progress;
    frames.remove_prefix(size);
  }
  if (frames.empty()) return;
  queue_.back().append(frames);
  enqueued();
}

void link::answer(byte_view frames) {
  if (!is_open()) return;
  answers_ = std::min(answers_, waiting()) + frames.size();
  enqueue(frames, &message_writer::append_referring);
}

void link::answer(const referring_message& message) {
  if (!is_open()) return;
  const auto& bytes = message.term->bytes;
  answers_ = std::min(answers_, waiting()) + bytes.size();
  enqueuing();
  writer_->append_front(next_to_go(), message);
  if (bytes.size() < smallest_shared || inside_long()) {
    next_to_go().append(bytes);
  } else {
    queue_.append({message.term, &bytes});
  }
  enqueued();
}

void link::answer(long_message message) {
  if (!is_open()) return;
  const bool fragments = flags::has(peer_.flags & flags::ours, flags::fragments);
  long_ones_.emplace_back(std::move(message), writer_.get(),
                          fragments ? std::optional(++sequences_) : std::nullopt);
  account();
  if (is_open()) written_to_.cancel();
}

void link::write_long() {
  const auto begun = ticks::clock::now();
  auto& message = long_ones_.front();
  enqueuing();
  auto& to = queue_.back();
  const auto before = to.size();
  message.turn(to);
  turns_.used(ticks::clock::now() - begun, stream_.get_executor());
  answers_ = std::min(answers_, waiting()) + to.size() - before;
  if (message.over()) {
    long_ones_.pop_front();
    to.append(later_);
    byte_string().swap(later_);
    if (!choked()) taken_.cancel();
  }
  account();
}

void link::enqueue(byte_view frames, void (message_writer::*with_headers)(byte_string&, byte_view)) {
  enqueuing();
  if (writer_) {
    ((*writer_).*with_headers)(next_to_go(), frames);
  } else {
    next_to_go().append(frames);
  }
  enqueued();
}

void link::enqueuing() {
  if (!unsent()) ticks_.last_progress = ticks::clock::now();
}

void link::enqueued() {
  account();
  if (is_open()) written_to_.cancel();
}

void link::close(boost::system::error_code code, std::string detail) {
  if (closing_) return;
  closing_ = closing{code, std::move(detail)};
  boost::system::error_code ignored;
  stream_.close(ignored);
  written_to_.cancel();
  taken_.cancel();
  clock_.cancel();
  turn_.cancel();
}

void link::close_broken(boost::system::error_code code) {
  const auto& name = peer_.name.text();
  const auto* const secured = stream_.secured();
  close(network_error(code), code == error::tls && secured != nullptr
                                 ? fmt::format("{}: {}", name, secured->why())
                                 : fmt::format("{} closed the connection", name));
}

void link::peer_tick_time(milliseconds net_ticktime) {
  ticks_.peer_tick_time(net_ticktime);
  clock_.cancel();
}

asio::awaitable<void> link::own_turn(asio::steady_timer& timer) {
  turns_.line_up(timer);
  bool in_line = true;
  const std::shared_ptr<void> leaves(nullptr, [&](void*) {
    if (in_line) turns_.leave(timer);
  });
  do {
    co_await timer.async_wait(as_result);
    if (is_open()) in_line = !turns_.begin(timer);
  } while (is_open() && in_line);
}

asio::awaitable<void> link::turn_to_write() {
  // Everybody else's comes first.
  co_await asio::post(stream_.get_executor(), asio::use_awaitable);
  if (!is_open() || turns_.free()) co_return;
  asio::steady_timer timer(stream_.get_executor());
  co_await own_turn(timer);
}

asio::awaitable<void> link::read_loop() {
  while (is_open()) {
    boost::system::error_code code;
    if (stream_.holds_more()) {
      // Everybody else's turn comes first, as it does where the socket is waited for.
      co_await asio::post(stream_.get_executor(), asio::use_awaitable);
      if (!is_open()) co_return;
    } else {
      const auto [failed] = co_await stream_.socket().async_wait(stream_.awaited_by_read(), as_result);
      code = failed;
    }
    if (!code && !turns_.free()) {
      co_await own_turn(turn_);
      if (!is_open()) co_return;
    }
    auto& bytes = read_to();
    const auto size = code ? 0 : stream_.read_some(asio::buffer(bytes), code);
    // What reading made it answer: new keys, which the peer waits for.
    if (stream_.holds_unsent()) written_to_.cancel();
    if (not_yet(code)) continue;
    if (code) {
      close_broken(code);
      co_return;
    }
    ticks_.last_read = ticks::clock::now();
    if (!take({bytes.data(), size})) co_return;
    while (choked() || turn_over_) {
      if (choked()) {
        taken_.expires_at(ticks::time_point::max());
        co_await taken_.async_wait(as_result);
      } else {
        co_await own_turn(turn_);
      }
      if (!is_open() || !take({})) co_return;
    }
  }
}

bool link::take(byte_view come) {
  const auto begun = ticks::clock::now();
  frames_.add(come);
  take_frames();
  turns_.used(ticks::clock::now() - begun, stream_.get_executor());
  if (!is_open()) return false;
  frames_.keep();
  if (headers_) headers_->rest();
  account();
  return is_open();
}

void link::take_frames() {
  const auto begun = ticks::clock::now();
  for (bool first = true; is_open() && !choked(); first = false) {
    // What leaves nothing to be sent, a cast, costs its caller nothing: the others' turn comes all the same.
    turn_over_ = !first && turns_.over(ticks::clock::now() - begun);
    if (turn_over_) return;
    const auto next = frames_.next();
    if (!next) {
      close(next.error(), fmt::format("{} announced a frame of more than {} bytes", peer_.name.text(),
                                      max_skipped_frame_size));
      return;
    }
    if (!*next) return;
    take_frame(**next);
  }
}

void link::take_frame(const frame_reader::piece& frame) {
  if (frame.size == 0) {
    if (ticks_.answer_tick(ticks::clock::now(), unsent())) send(tick_frame);
  } else if (headers_) {
    const auto parsed = headers_->take(frame.bytes, frame.size, reasons::kept);
    if (!parsed) return refuse(parsed.error(), frame.size);
    if (*parsed) receive_(*this, **parsed);
  } else if (!frame.whole() || !taken_by_us(frame.bytes)) {
    const auto parsed = frame.whole() ? parse_message(frame.bytes, reasons::kept) : parsed_head(frame.bytes);
    if (!parsed) return refuse(parsed.error(), frame.size);
    receive_(*this, *parsed);
  }
}

bool link::taken_by_us(byte_view frame) {
  if (!to_us_.front || !frame.starts_with(*to_us_.front)) return false;
  const auto payload = frame.substr(to_us_.front->size());
  const auto size = check_term(payload);
  return size && *size == payload.size() && to_us_.take(*this, payload);
}

void link::refuse(boost::system::error_code code, std::size_t size) {
  if (code == error::unknown_control) {
    // Well formed, but nothing that was agreed on: harmless, so the link stays.
    if (!std::exchange(unknown_told_, true)) unknown_(*this);
  } else if (code == error::frame_too_large) {
    close(code, fmt::format("{} answered a call with more than {} bytes", peer_.name.text(), max_frame_size));
  } else {
    close(code, fmt::format("{} sent a message of {} bytes that cannot be read: {}", peer_.name.text(), size,
                            code.message()));
  }
}

asio::awaitable<void> link::write_loop() {
  while (is_open()) {
    if (stream_.holds_unsent()) {
      boost::system::error_code code;
      stream_.flush(code);
      if (not_yet(code)) {
        const auto [failed] = co_await stream_.socket().async_wait(stream_.awaited_by_write(), as_result);
        code = failed;
      }
      if (code) {
        close_broken(code);
        co_return;
      }
      if (!stream_.holds_unsent()) ticks_.last_write = ticks_.last_progress = ticks::clock::now();
      continue;
    }
    if (queue_.empty() && !long_ones_.empty()) {
      co_await turn_to_write();
      if (is_open() && queue_.empty()) write_long();
      continue;
    }
    if (queue_.empty()) {
      written_to_.expires_at(ticks::time_point::max());
      co_await written_to_.async_wait(as_result);
      continue;
    }
    auto& part = queue_.front();
    while (part.size() > 0) {
      boost::system::error_code code;
      const auto size = stream_.write_some(part.rest(), code);
      if (not_yet(code)) {
        const auto [failed] = co_await stream_.socket().async_wait(stream_.awaited_by_write(), as_result);
        if (!failed) continue;
        code = failed;
      }
      if (code) {
        close_broken(code);
        co_return;
      }
      part.took(size);
      ticks_.last_write = ticks_.last_progress = ticks::clock::now();
      if (!choked()) taken_.cancel();
    }
    queue_.pop();
    account();
  }
}

asio::awaitable<void> link::clock_loop() {
  while (is_open()) {
    // Nothing is read meanwhile: whether it lives shows in what it takes.
    if (choked()) ticks_.last_read = ticks::clock::now();
    const auto [due, at] = ticks_.next(ticks::clock::now(), unsent());
    switch (due) {
      case ticks::action::wait:
        break;
      case ticks::action::send_tick:
        send(tick_frame);
        continue;
      case ticks::action::peer_is_silent:
        close(make_error_code(error::tick_timed_out),
              fmt::format("nothing was heard from {} for its net_ticktime", peer_.name.text()));
        co_return;
      case ticks::action::peer_does_not_read:
        close(make_error_code(error::tick_timed_out),
              fmt::format("{} took nothing of what was sent to it for its net_ticktime", peer_.name.text()));
        co_return;
    }
    clock_.expires_at(at);
    co_await clock_.async_wait(as_result);
    ticks_.woke(at, ticks::clock::now());
  }
}

}  // namespace rollcall::cnode
