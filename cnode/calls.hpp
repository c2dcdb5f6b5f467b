// Our calls to one node that it has not answered: a link's own table. Each ends with its answer, at its
// limit, or with the link, and who waits for it is told in a turn of the loop after that.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cnode/call.hpp"
#include "cnode/call_limits.hpp"
#include "cnode/connection.hpp"
#include "cnode/control.hpp"
#include "cnode/peer.hpp"

namespace rollcall::cnode {

// Module:Function, as a message to an operator and as a spawn request have it.
struct function_name {
  std::string module, function;
};

class calls final : private call_limits::owner {
 public:
  using send_function = std::function<void(byte_view frames)>;
  using waiter = std::unique_ptr<call_waiter>;
  // `on` outlives them.
  calls(asio::any_io_executor, const peer& on, send_function);
  ~calls();
  calls(const calls&) = delete;
  calls& operator=(const calls&) = delete;

  // erpc:execute_call/4, as `caller`, under the reference `id`, one of our own. The waiter is taken, unless
  // it throws since that cannot be written.
  void call(const pid& caller, reference id, function_name what, byte_view arguments,
            std::chrono::milliseconds limit, waiter&);
  // The function as a process of its own: ends with what it ended with.
  void run(const pid& caller, reference id, function_name what, std::uint8_t arity, byte_view arguments,
           waiter&);

  // True: it was an answer to one of them, or to one that nobody waits for any more.
  bool receive(const control_message&);
  void lost(const std::string& why);

 private:
  struct pending {
    reference id;
    waiter told;
    std::optional<pid> process{};   // once the peer said who runs it
    bool ends_with_reason = false;  // a process of its own: what it ended with is the answer as it stands
    // Of what has a limit: who asked, for what, and until when.
    pid caller{};
    function_name what{};
    std::chrono::milliseconds limit{};
    std::optional<call_limits::place> place{};
  };
  using table = std::map<std::uint64_t, pending>;

  static std::uint64_t number_of(const reference&);
  table::iterator find(const reference&);
  void late(std::uint64_t call) override;
  void end(table::iterator which, call_result<byte_string>);

  asio::any_io_executor executor_;
  call_limits& limits_;
  const peer& on_;
  send_function send_;
  table waiting_;
};

}  // namespace rollcall::cnode
