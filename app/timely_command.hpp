// Commands that expire. What was decided for a moment must not be carried out after it: bytes that wait in
// the socket of a frozen node run when it wakes, whatever has become of our link. So a command is a form of
// ours that the node evaluates (stdlib's erl_eval), with its end on the node's own clock:
//
//   case erlang:'<'(erlang:monotonic_time(millisecond), End) of
//     true -> erlang:apply(Module, Function, Arguments);
//     false -> expired
//   end
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string_view>

#include "app/probes.hpp"
#include "cnode/node.hpp"

namespace rollcall::app {

// The arguments of erl_eval:exprs/2. `arguments`: one encoded list.
cnode::byte_string timely(std::string_view module, std::string_view function, cnode::byte_view arguments,
                          std::int64_t end);
// {value, Value, Bindings}: Value.
const cnode::term* value_of(const cnode::term& answer);

class timely_commands {
 public:
  // A connect request takes net_setuptime and is given up 3 s after that: begun later, it would end unheard.
  static constexpr milliseconds begins_within{3'000};
  // Clocks drift by less than 1 %.
  static constexpr milliseconds clock_kept{30'000};

  timely_commands(asio::io_context& io, node_function node, call_function call)
      : io_(io), node_(std::move(node)), call_(std::move(call)) {}

  // The arguments of erl_eval:exprs/2 for a program that answers `expired` when it begins after `end`.
  using program = std::function<cnode::byte_string(std::int64_t end)>;
  asio::awaitable<cnode::call_result<cnode::term>> evaluate(node_name on, program, milliseconds limit);
  // The function's own answer; `timed_out` also when the node did not begin in time, and then never will.
  asio::awaitable<cnode::call_result<cnode::term>> run(node_name on, std::string module, std::string function,
                                                       cnode::byte_string arguments, milliseconds limit);

 private:
  using time_point = std::chrono::steady_clock::time_point;
  struct clock {
    std::uint32_t creation = 0;
    std::int64_t told = 0;  // erlang:monotonic_time(millisecond), when it answered or a little before
    time_point at{};        // when the answer was here
    std::shared_ptr<asio::steady_timer> asking;  // others wait for the answer that is under way
  };
  asio::awaitable<std::optional<std::int64_t>> time_on(node_name on);
  std::optional<std::int64_t> known_time(const node_name& on) const;

  asio::io_context& io_;
  node_function node_;
  call_function call_;
  std::map<node_name, clock> clocks_;
};

}  // namespace rollcall::app
