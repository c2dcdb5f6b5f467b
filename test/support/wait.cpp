// How patient the tests are.
#include "test/support/wait.hpp"

#include <cstdlib>

namespace rollcall::test {

milliseconds patient(milliseconds limit) {
  static const double factor = [] {
    const char* text = std::getenv("ROLLCALL_TEST_PATIENCE");
    const double value = text == nullptr ? 1.0 : std::strtod(text, nullptr);
    return value > 0 ? value : 1.0;
  }();
  return milliseconds(static_cast<milliseconds::rep>(static_cast<double>(limit.count()) * factor));
}

}  // namespace rollcall::test
