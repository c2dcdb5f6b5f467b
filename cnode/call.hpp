// Calls, out and in: how one of ours fails, what one that came in asks, and what is answered.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "cnode/error.hpp"
#include "cnode/term.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::cnode {

enum class call_failure_kind { no_link, timed_out, link_lost, refused, raised, bad_answer };

struct call_failure {
  call_failure_kind kind = call_failure_kind::no_link;
  std::string detail;  // e.g. the exception's class and reason in Erlang syntax
};
template <class T>
using call_result = boost::system::result<T, call_failure>;

// Who waits for the end of a call of ours. It is told once: from the loop, and never from inside a call into
// the node; not at all when the loop is given up before.
class call_waiter {
 public:
  call_waiter() = default;
  call_waiter(const call_waiter&) = delete;
  call_waiter& operator=(const call_waiter&) = delete;
  virtual ~call_waiter() = default;
  // The answer is checked, and encoded still.
  virtual void ended(call_result<byte_string>) = 0;
};
// What an answer says.
call_result<term> decoded(const call_result<byte_string>&);

// A call that came in, whichever way it was made (erpc, rpc, gen_call). Views are valid during the handler
// only.
struct request {
  const pid& caller;
  std::string_view module, function;
  std::span<const term> arguments;
  bool answer_wanted = true;  // false: a cast, or nobody monitors who runs it; only what it does counts
};

enum class answer_kind {
  value,
  undefined,  // no such function: undef, with the call in the stack trace
  function_clause,
  bad_argument,  // badarg
  error,         // error:Reason; `encoded` is the reason
};

// A term that is too large to be made at one time. It lives as long as it is being sent, which may be as long
// as a link does.
struct long_value {
  std::vector<byte_string> atoms;  // encoded; those that occur most come first
  std::size_t pieces = 1;  // one after the other they are the term; nobody has a turn while one is made
  // Appends one of them, at least a byte and always the same, with `atoms` as they are to be written: each as
  // it stands above, or as a reference to it.
  std::function<void(std::size_t piece, std::span<const byte_string> atoms, byte_string& to)> append;
};

// What a handler answers. `encoded` is one term without version byte, shared so that an answer can be encoded
// once; or `in_turns`, of a value only.
struct answer {
  answer_kind kind = answer_kind::value;
  std::shared_ptr<const byte_string> encoded{};
  std::shared_ptr<const long_value> in_turns{};
};

// All calls for `rollcall`/`Elixir.Rollcall` and for the registered process of that name come here.
using call_handler = std::function<answer(const request&)>;
// A message to self(), which is asked of each before it is read here: one encoded term that was checked,
// without version byte. True: somebody waited for it.
using message_handler = std::function<bool(const node_name& from, byte_view message)>;

// call_result<T>::value() on a failure throws std::runtime_error with its detail.
[[noreturn]] void throw_exception_from_error(const call_failure&, const boost::source_location&);

}  // namespace rollcall::cnode
