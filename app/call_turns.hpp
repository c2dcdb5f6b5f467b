// How many calls begin in one turn of the loop: so many, first come first served, and the others in the turns
// after it. Hundreds of them may wait for one answer (what time it is on a node, whether a name is known),
// and all would begin at once when it comes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <memory>

namespace rollcall::app {

class call_turns {
 public:
  static constexpr std::size_t in_one_turn = 32;  // two to four milliseconds

  explicit call_turns(boost::asio::io_context& io) : state_(std::make_shared<state>(io)) {}

  // False: this turn has had its share, and the caller is to wait().
  bool begin() { return state_->begin(); }
  boost::asio::awaitable<void> wait();

 private:
  struct place;
  struct state : std::enable_shared_from_this<state> {
    explicit state(boost::asio::io_context& context) : io(context) {}
    bool begin();
    void end_turn_later();
    void end_turn();

    boost::asio::io_context& io;
    std::deque<place*> waiting;
    std::size_t begun = 0;
    bool ending = false;
  };
  std::shared_ptr<state> state_;
};

}  // namespace rollcall::app
