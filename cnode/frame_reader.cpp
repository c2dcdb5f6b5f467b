#include "cnode/frame_reader.hpp"

#include <algorithm>
#include <array>

namespace rollcall::cnode {

void frame_reader::add(byte_view come) {
  come_ = rest_.empty() ? come : byte_view(rest_.append(come));
}

result<std::optional<frame_reader::piece>> frame_reader::next() {
  if (!skipping_) {
    byte_string().swap(head_);
    if (come_.size() < prefix) return std::nullopt;
    std::array<std::uint8_t, prefix> first{};
    std::copy_n(come_.begin(), prefix, first.begin());
    const auto length = frame_length(first);
    if (!length) return length.error();
    if (*length <= max_frame_size) {
      if (come_.size() < prefix + *length) return std::nullopt;
      const piece found{come_.substr(prefix, *length), *length};
      come_.remove_prefix(prefix + *length);
      return found;
    }
    skipping_ = skipped{*length, *length};
    come_.remove_prefix(prefix);
  }
  return skip();
}

std::optional<frame_reader::piece> frame_reader::skip() {
  const auto taken = std::min(come_.size(), skipping_->left);
  head_.append(come_.substr(0, std::min(taken, kept_head_ - head_.size())));
  come_.remove_prefix(taken);
  skipping_->left -= taken;
  if (skipping_->left > 0) return {};
  const piece found{head_, skipping_->size};
  skipping_.reset();
  return found;
}

void frame_reader::keep() {
  if (come_.empty()) {
    byte_string().swap(rest_);
  } else if (rest_.empty()) {
    rest_ = come_;
  } else {
    rest_.erase(0, rest_.size() - come_.size());
    if (rest_.capacity() > 2 * rest_.size() + spare) rest_.shrink_to_fit();
  }
  come_ = {};
}

}  // namespace rollcall::cnode
