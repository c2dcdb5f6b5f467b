// When dials and questions begin, of which a step may want one for each node: so many at once, the next ones
// as these end, and as many more when the first have taken longer than answers do. What a thousand of them
// hold until their answers came (5 to 25 KiB each) would stay between what lives longer, and for good.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rollcall::app {

class turns {
 public:
  static constexpr std::size_t at_once = 64;
  // A thousand that nobody answers have all begun in a third of a second.
  static constexpr std::chrono::milliseconds longest{20};
  enum class number : std::uint64_t {};

  bool open() const noexcept { return under_way_ < at_once; }
  // Whose turn it was is told when it ends.
  number begin() noexcept {
    ++under_way_;
    return number{now_};
  }
  void ended(number of) noexcept {
    if (of == number{now_}) --under_way_;
  }
  // Those under way are no longer waited for.
  void next() noexcept {
    ++now_;
    under_way_ = 0;
  }

 private:
  std::uint64_t now_ = 0;
  std::size_t under_way_ = 0;
};

}  // namespace rollcall::app
