// Who wants to be told of events: subscribe/1 and unsubscribe/1, and what each of them is sent.
//
// The last events stand in one list, encoded once; a subscriber is a place in it. It is moved forward as fast
// as its node takes the bytes and its process takes the messages:
//   - no more than max_waiting bytes are queued on a link for events: that is what a node costs that does not
//     read;
//   - a process is asked for its message_queue_len after every `look_every` messages, and left alone while
//     that is above max_queue_length: what it does not receive cannot be seen from the wire.
// A subscriber whose place has left the list gets one `missed` event with the number of those it will not
// see. A process that is gone, or whose node is, is forgotten (a monitor tells).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "app/log.hpp"
#include "app/probes.hpp"
#include "cnode/node.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

class subscriptions {
 public:
  static constexpr std::size_t max_subscribers = 16'384, max_subscribers_of_a_node = 1'024;
  static constexpr std::size_t max_kept_events = 1'024;
  static constexpr std::size_t max_waiting = 256U << 10;
  static constexpr std::size_t look_every = 100;
  static constexpr std::int64_t max_queue_length = 1'000;
  // A process with a long queue is looked at again after this long, and what waits for a link after this.
  static constexpr milliseconds look_again{2'000}, try_again{200};
  // In quiet times a process is looked at before it gets more, when this much time has gone by.
  static constexpr milliseconds look_is_old{10'000};

  subscriptions(asio::io_context&, node_function, call_function, log&);
  ~subscriptions();
  subscriptions(const subscriptions&) = delete;
  subscriptions& operator=(const subscriptions&) = delete;

  enum class outcome { ok, no_connection, too_many };
  // From the next event on. One that is subscribed already stays so, once.
  outcome add(const cnode::pid&);
  void remove(const cnode::pid&);
  std::size_t size() const noexcept;

  void publish(const membership::event&);
  // Of cnode::node_observer. A monitor of somebody else's is ignored.
  void process_gone(const cnode::reference& monitor);

 private:
  struct implementation;
  std::shared_ptr<implementation> implementation_;
};

}  // namespace rollcall::app
