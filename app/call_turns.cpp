#include "app/call_turns.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace rollcall::app {

namespace asio = boost::asio;

void call_turns::begin(std::unique_ptr<caller> who) {
  auto& line = *state_;
  line.end_turn_later();
  if (!line.waiting.empty() || line.begun == in_one_turn) {
    line.waiting.push_back(std::move(who));
    return;
  }
  ++line.begun;
  auto& its = *who;
  its.begin(std::move(who));
}

// Who is given up may hold what holds the line.
void call_turns::drop() {
  const auto given_up = std::exchange(state_->waiting, {});
}

// What is posted runs after the loop has looked at all sockets and timers again.
void call_turns::state::end_turn_later() {
  if (std::exchange(ending, true)) return;
  asio::post(io, [self = shared_from_this()] { self->end_turn(); });
}

void call_turns::state::end_turn() {
  ending = false;
  for (begun = 0; begun < in_one_turn && !waiting.empty(); ++begun) {
    auto next = std::move(waiting.front());
    waiting.pop_front();
    auto& its = *next;
    its.begin(std::move(next));
  }
  if (begun > 0) end_turn_later();
}

}  // namespace rollcall::app
