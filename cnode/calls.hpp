// Our calls to one node that it has not answered: a link's own table. Who calls waits in a coroutine until
// the answer came, the limit was reached, or the link is lost.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cnode/call.hpp"
#include "cnode/connection.hpp"
#include "cnode/control.hpp"

namespace rollcall::cnode {

// Module:Function, as a message to an operator and as a spawn request have it.
struct function_name {
  std::string module, function;
};

class calls {
 public:
  using send_function = std::function<void(byte_view frames)>;
  explicit calls(send_function send) : send_(std::move(send)) {}

  // erpc:execute_call/4 on `on`, as `caller`, under the reference `id`. The table must outlive it. The answer
  // is checked, and encoded still.
  asio::awaitable<call_result<byte_string>> call(node_name on, pid caller, reference id, function_name what,
                                                 byte_string arguments, std::chrono::milliseconds limit);
  // The function as a process of its own: ends with what it ended with.
  asio::awaitable<call_result<byte_string>> run(pid caller, reference id, function_name what,
                                                std::uint8_t arity, byte_string arguments);

  // True: it was an answer to one of them, or to one that nobody waits for any more.
  bool receive(const control_message&);
  void lost(const std::string& why);

 private:
  // Lives in the coroutine that waits; the table points to it.
  struct pending {
    explicit pending(const asio::any_io_executor& executor) : wake(executor) {}
    asio::steady_timer wake;
    std::optional<pid> process;     // once the peer said who runs it
    bool ends_with_reason = false;  // a process of its own: what it ended with is the answer as it stands
    std::optional<call_result<byte_string>> answer;
  };
  void answer(std::map<reference, pending*>::iterator which, call_result<byte_string>);

  send_function send_;
  std::map<reference, pending*> waiting_;
};

}  // namespace rollcall::cnode
