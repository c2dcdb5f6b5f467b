// Waiting for a condition with a limit: no test sleeps and hopes.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <type_traits>

namespace rollcall::test {

using std::chrono::milliseconds;
using namespace std::chrono_literals;  // NOLINT(google-global-names-in-headers)

// `limit` times ROLLCALL_TEST_PATIENCE (a number, 1 when unset): a slow machine is no failure.
milliseconds patient(milliseconds limit);

// True as soon as `condition` (bool or AssertionResult) holds; looks every `pause`. On failure the message
// has `what` and the last message of the condition.
template <class Condition>
testing::AssertionResult eventually(Condition condition, milliseconds limit, const std::string& what,
                                    milliseconds pause = 20ms) {
  const auto deadline = std::chrono::steady_clock::now() + patient(limit);
  for (;;) {
    const auto late = std::chrono::steady_clock::now() >= deadline;
    auto now = condition();
    if (static_cast<bool>(now)) return testing::AssertionSuccess();
    if (late) {
      auto failure = testing::AssertionFailure()
                     << "not within " << patient(limit).count() << " ms: " << what;
      if constexpr (std::is_same_v<decltype(now), testing::AssertionResult>)
        failure << " (" << now.message() << ")";
      return failure;
    }
    std::this_thread::sleep_for(pause);
  }
}

// True when `condition` holds at every look over `span`: for what must not happen.
template <class Condition>
testing::AssertionResult throughout(Condition condition, milliseconds span, const std::string& what,
                                    milliseconds pause = 50ms) {
  const auto end = std::chrono::steady_clock::now() + span;
  do {
    auto now = condition();
    if (!static_cast<bool>(now)) {
      auto failure = testing::AssertionFailure() << "no longer holds: " << what;
      if constexpr (std::is_same_v<decltype(now), testing::AssertionResult>)
        failure << " (" << now.message() << ")";
      return failure;
    }
    std::this_thread::sleep_for(pause);
  } while (std::chrono::steady_clock::now() < end);
  return testing::AssertionSuccess();
}

}  // namespace rollcall::test
