#include "app/call_turns.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace rollcall::app {

namespace asio = boost::asio;

// Lives in the coroutine that waits; the line points to it for as long as it stands in it. Thousands may.
struct call_turns::place {
  explicit place(std::shared_ptr<state> of)
      : line(std::move(of)), turn(line->io, asio::steady_timer::time_point::max()) {
    line->waiting.push_back(this);
    line->end_turn_later();
  }
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  ~place() {
    if (in_line) std::erase(line->waiting, this);
  }

  std::shared_ptr<state> line;
  asio::steady_timer turn;
  bool in_line = true;
};

bool call_turns::state::begin() {
  if (!waiting.empty() || begun == in_one_turn) return false;
  ++begun;
  end_turn_later();
  return true;
}

// What is posted runs after the loop has looked at all sockets and timers again.
void call_turns::state::end_turn_later() {
  if (std::exchange(ending, true)) return;
  asio::post(io, [self = shared_from_this()] { self->end_turn(); });
}

void call_turns::state::end_turn() {
  ending = false;
  for (begun = 0; begun < in_one_turn && !waiting.empty(); ++begun) {
    waiting.front()->in_line = false;
    waiting.front()->turn.cancel();
    waiting.pop_front();
  }
  if (begun > 0) end_turn_later();
}

asio::awaitable<void> call_turns::wait() {
  place own(state_);
  boost::system::error_code ignored;
  co_await own.turn.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace rollcall::app
