// How much may be held in memory for all peers together. Each holder says what it holds; when the sum is
// above the limit, the holder of most has to give it up, and so on until the sum fits.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>

namespace rollcall::cnode {

class memory_budget {
  struct holder {
    std::size_t bytes = 0;
    std::function<void()> evict;
  };

 public:
  explicit memory_budget(std::size_t most) : most_(most) {}

  // One holder's part, given back when this goes.
  class share {
   public:
    // `evict` is called once at most, from inside somebody's hold(): what is held is to be given up soon, and
    // counts as given up from then on.
    share(std::shared_ptr<memory_budget>, std::function<void()> evict);
    ~share();
    share(const share&) = delete;
    share& operator=(const share&) = delete;

    void hold(std::size_t bytes);

   private:
    std::shared_ptr<memory_budget> all_;
    std::list<holder>::iterator place_;
  };

  std::size_t most() const noexcept { return most_; }
  std::size_t held() const noexcept { return held_; }

 private:
  void fit();

  std::size_t most_, held_ = 0;
  std::list<holder> holders_;
};

}  // namespace rollcall::cnode
