// How many calls begin in one turn of the loop: so many, first come first served, and the others in the turns
// after it. Hundreds of them may wait for one answer (what time it is on a node, whether a name is known),
// and all would begin at once when it comes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <deque>
#include <memory>

namespace rollcall::app {

class call_turns {
 public:
  static constexpr std::size_t in_one_turn = 32;  // two to four milliseconds

  class caller {
   public:
    caller() = default;
    caller(const caller&) = delete;
    caller& operator=(const caller&) = delete;
    virtual ~caller() = default;
    virtual void begin(std::unique_ptr<caller> self) = 0;
  };

  explicit call_turns(boost::asio::io_context& io) : state_(std::make_shared<state>(io)) {}

  // At once, or when its turn comes.
  void begin(std::unique_ptr<caller>);
  // Who waits does not begin any more.
  void drop();

 private:
  struct state : std::enable_shared_from_this<state> {
    explicit state(boost::asio::io_context& context) : io(context) {}
    void end_turn_later();
    void end_turn();

    boost::asio::io_context& io;
    std::deque<std::unique_ptr<caller>> waiting;
    std::size_t begun = 0;
    bool ending = false;
  };
  std::shared_ptr<state> state_;
};

}  // namespace rollcall::app
