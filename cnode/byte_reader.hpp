// The one reader of lengths and numbers that came from the network: it never leaves its bytes.
// Once something was missing it stays failed() and gives zeros and empty views, so that a caller may check at
// the end.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cnode/term.hpp"

namespace rollcall::cnode {

class byte_reader {
 public:
  explicit byte_reader(byte_view bytes) noexcept : bytes_(bytes) {}

  bool failed() const noexcept { return failed_; }
  std::size_t position() const noexcept { return position_; }
  std::size_t left() const noexcept { return bytes_.size() - position_; }

  byte_view take(std::size_t count) noexcept {
    if (failed_ || count > left()) {
      failed_ = true;
      return {};
    }
    const auto taken = bytes_.substr(position_, count);
    position_ += count;
    return taken;
  }
  byte_view rest() noexcept { return take(failed_ ? 0 : left()); }

  // Big-endian.
  std::uint8_t u8() noexcept {
    if (failed_ || position_ == bytes_.size()) {
      failed_ = true;
      return 0;
    }
    return static_cast<std::uint8_t>(bytes_[position_++]);
  }
  std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(number<2>()); }
  std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(number<4>()); }
  std::uint64_t u64() noexcept { return number<8>(); }

 private:
  template <std::size_t size>
  std::uint64_t number() noexcept {
    const auto taken = take(size);
    if (failed_) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = (value << 8) | static_cast<std::uint8_t>(taken[i]);
    return value;
  }

  byte_view bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

// The other direction: the low `size` bytes of `value`, big-endian.
inline void put_number(byte_string& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

}  // namespace rollcall::cnode
