// The dials that are under way: who waits for each, its attempts with one cookie after the other, and how it
// gives way to a connection of the same node that comes in.
// The rule for two simultaneous dials: kernel net_kernel.erl (accept_pending) and dist_util.erl.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cnode/dialler.hpp"
#include "cnode/node_services.hpp"

namespace rollcall::cnode {

class dials {
 public:
  // `coming_in`: whether a connection that claims this name is in its handshake with us.
  using coming_in_function = std::function<bool(const node_name&)>;
  dials(node_services&, resolve_function, coming_in_function);

  // As node::dial().
  static asio::awaitable<outcome<peer>> dial(std::shared_ptr<dials>, target, milliseconds limit);
  // Everyone who waits for a dial under that name is answered.
  void linked(const peer&);
  // Everyone who waits is answered with what `why` makes of their target.
  void give_up(const std::function<failure(const target&)>& why);

  // What a connection that comes in under that name is told, as far as our own dial to it matters: `ok` when
  // there is none. Our dial gives way to it, once.
  accepting_handshake::verdict meet(const node_name&);
  // The handshake of a connection under that name has ended, well or not.
  void came_in(const node_name&);

 private:
  // One dial, and everybody who waits for it.
  struct dialling {
    dialling(const asio::any_io_executor& executor, target to) : where(std::move(to)), pause(executor) {}

    target where;
    std::shared_ptr<dial_progress> progress = std::make_shared<dial_progress>();
    std::vector<asio::steady_timer*> waiters;
    std::optional<outcome<peer>> result;

    // The coroutine that does it; gone and started again when it had to give way.
    asio::cancellation_signal abort;
    bool running = false, giving_way = false;
    // Once each: who comes in may be a stranger that claims the name and stands still.
    bool waited = false, gave_way = false;
    asio::steady_timer pause;
    struct established {
      stream connected;
      tcp::endpoint remote;
      identity peer;
    };
    std::optional<established> made;
    std::optional<failure> failed;
  };
  using dial_pointer = std::shared_ptr<dialling>;

  dial_pointer join_or_begin(target where);
  void begin(const dial_pointer&);
  void attempt_ended(const dial_pointer&, const std::exception_ptr& thrown);
  void complete(const dial_pointer&, outcome<peer>);
  std::shared_ptr<dials> hold();

  static asio::awaitable<void> attempt(std::shared_ptr<dials>, dial_pointer);
  static asio::awaitable<void> attempt_with_cookies(std::shared_ptr<dials>, dial_pointer);

  node_services& node_;
  resolve_function resolve_;
  coming_in_function coming_in_;
  std::multimap<std::string, dial_pointer> dials_;  // by name; several under no name
};

// A dial that was not begun, or is given up, since this program leaves.
failure is_stopping(const target&);

}  // namespace rollcall::cnode
