// What waits to be sent over one link, in its order: bytes of its own, and answers that it shares with other
// links, which are never copied. Nothing is kept of what was taken.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <list>
#include <memory>

#include "cnode/term.hpp"

namespace rollcall::cnode {

class send_queue {
 public:
  // Bytes, and behind them those of somebody else's.
  class part {
   public:
    std::size_t size() const noexcept { return own_.size() + shared_size() - taken_; }
    // What is still to be sent: both at once, and what comes first of it.
    std::array<boost::asio::const_buffer, 2> rest() const noexcept {
      const auto of_shared = taken_ - std::min(taken_, own_.size());
      return {boost::asio::buffer(own_) + taken_,
              shared_ ? boost::asio::buffer(*shared_) + of_shared : boost::asio::const_buffer()};
    }
    void took(std::size_t bytes) noexcept { taken_ += bytes; }

   private:
    friend send_queue;
    std::size_t shared_size() const noexcept { return shared_ ? shared_->size() : 0; }
    byte_string own_;
    std::shared_ptr<const byte_string> shared_;
    std::size_t taken_ = 0;
    bool sealed_ = false;
  };

  // Where more is appended to.
  byte_string& back() {
    if (parts_.empty() || parts_.back().sealed_) parts_.emplace_back();
    return parts_.back().own_;
  }
  // Behind what is in back().
  void append(std::shared_ptr<const byte_string> shared) {
    back();
    parts_.back().shared_ = std::move(shared);
    parts_.back().sealed_ = true;
  }
  // What is to be sent now: it stays as it is until pop(). Not of an empty queue.
  part& front() {
    parts_.front().sealed_ = true;
    return parts_.front();
  }
  void pop() { parts_.pop_front(); }

  bool empty() const noexcept { return parts_.empty(); }
  std::size_t size() const noexcept {
    std::size_t sum = 0;
    for (const auto& each : parts_) sum += each.size();
    return sum;
  }
  // What is shared counts, too: it lives as long as this peer lets it wait.
  std::size_t footprint() const noexcept {
    std::size_t sum = 0;
    for (const auto& each : parts_) sum += sizeof(part) + each.own_.capacity() + each.shared_size();
    return sum;
  }

 private:
  std::list<part> parts_;
};

}  // namespace rollcall::cnode
