#include "app/call_turns.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace rollcall::app {

namespace asio = boost::asio;

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
    waiting.front()->cancel();
    waiting.pop_front();
  }
  if (begun > 0) end_turn_later();
}

asio::awaitable<void> call_turns::wait() {
  struct place {
    explicit place(std::shared_ptr<state> of)
        : line(std::move(of)), turn(line->io, asio::steady_timer::time_point::max()) {
      line->waiting.push_back(&turn);
      line->end_turn_later();
    }
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() { std::erase(line->waiting, &turn); }

    std::shared_ptr<state> line;
    asio::steady_timer turn;
  };
  place own(state_);
  boost::system::error_code ignored;
  co_await own.turn.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace rollcall::app
