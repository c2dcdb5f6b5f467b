// A coroutine that waits for the end of a call (call_waiter), with no frame and no timer but the one in which
// it waits.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "cnode/call.hpp"

namespace rollcall::cnode {

// The answer as it came, or what it says.
template <class Value>
call_result<Value> answer_as(call_result<byte_string> answer) {
  if constexpr (std::is_same_v<Value, byte_string>) {
    return answer;
  } else {
    return decoded(answer);
  }
}

template <class Value, class Handler>
class waiting_handler final : public call_waiter {
 public:
  explicit waiting_handler(Handler handler) : handler_(std::move(handler)) {}
  void ended(call_result<byte_string> with) override {
    std::move(handler_)(answer_as<Value>(std::move(with)));
  }

 private:
  Handler handler_;
};

// `begin` gets a handler of the end, which is to be called later and not from inside.
template <class Value, class Begin>
boost::asio::awaitable<call_result<Value>> await_end(Begin begin) {
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(call_result<Value>)>(
      std::move(begin), boost::asio::use_awaitable);
}

// `begin` gets who waits for it.
template <class Value, class Begin>
boost::asio::awaitable<call_result<Value>> await_call(Begin begin) {
  return await_end<Value>([begin = std::move(begin)](auto handler) mutable {
    begin(std::make_unique<waiting_handler<Value, decltype(handler)>>(std::move(handler)));
  });
}

}  // namespace rollcall::cnode
