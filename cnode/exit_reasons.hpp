// What a caller is told when the process of ours that it called ends: reasons as erpc.erl and rpc.erl have
// them.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "cnode/control.hpp"
#include "cnode/long_message.hpp"
#include "cnode/node.hpp"
#include "cnode/term.hpp"

namespace rollcall::cnode {

// The error's reason and stack trace, one after the other.
void write_error(term_writer& out, const answer& failed, std::string_view module, std::string_view function,
                 std::span<const term> arguments);

// With what a process ends that ran erpc:execute_call/4 (`of_call` is that call's reference) or
// execute_cast/3: erpc.erl. `failure`: the error and its stack.
term_writer exit_reason(const answer& answered, const term* of_call, const term_writer& failure);

// What stands before the value.
byte_string returned(const term& of_call);

// The same with a long value: what stands before it, in the form that this link has for it. `behind`: as
// session::reasons_behind.
long_message end_with(const control::monitor_exit& down, const byte_string& front,
                      std::shared_ptr<const long_value> value, bool behind);

term written(const term_writer& out);

}  // namespace rollcall::cnode
