#include "cnode/memory_budget.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::cnode {

memory_budget::share::share(std::shared_ptr<memory_budget> all, std::function<void()> evict)
    : all_(std::move(all)) {
  place_ = all_->holders_.insert(all_->holders_.end(), holder{0, std::move(evict)});
}

memory_budget::share::~share() {
  all_->held_ -= place_->bytes;
  all_->holders_.erase(place_);
}

void memory_budget::share::hold(std::size_t bytes) {
  if (!place_->evict || bytes == place_->bytes) return;
  all_->held_ = all_->held_ - place_->bytes + bytes;
  place_->bytes = bytes;
  all_->fit();
}

void memory_budget::fit() {
  while (held_ > most_) {
    const auto worst = std::ranges::max_element(holders_, {}, &holder::bytes);
    held_ -= std::exchange(worst->bytes, 0);
    std::exchange(worst->evict, nullptr)();
  }
}

}  // namespace rollcall::cnode
