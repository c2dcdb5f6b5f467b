#include "cnode/challenges.hpp"

#include <deque>
#include <set>

#include "cnode/connection.hpp"

namespace rollcall::cnode {
namespace detail {

// The last so many numbers.
class last_ones {
 public:
  explicit last_ones(std::size_t most) : most_(most) {}
  void add(std::uint32_t number) {
    if (!numbers_.insert(number).second) return;
    order_.push_back(number);
    if (order_.size() <= most_) return;
    numbers_.erase(order_.front());
    order_.pop_front();
  }
  bool contains(std::uint32_t number) const { return numbers_.contains(number); }

 private:
  std::size_t most_;
  std::deque<std::uint32_t> order_;
  std::set<std::uint32_t> numbers_;
};

struct known_challenges {
  std::set<std::uint32_t> outstanding;
  last_ones past{challenges::max_past}, answered{challenges::max_answered};

  bool ours(std::uint32_t number) const { return outstanding.contains(number) || past.contains(number); }
};

}  // namespace detail

challenge::challenge(std::uint32_t fixed) : value_(fixed) {}

challenge::challenge(std::uint32_t value, std::shared_ptr<detail::known_challenges> all)
    : value_(value), all_(std::move(all)) {
  all_->outstanding.insert(value_);
}

challenge::~challenge() {
  if (!all_) return;
  all_->outstanding.erase(value_);
  all_->past.add(value_);
}

bool challenge::is_ours(std::uint32_t theirs) const {
  return theirs == value_ || (all_ && all_->ours(theirs));
}

void challenge::will_be_answered(std::uint32_t theirs) const {
  if (all_) all_->answered.add(theirs);
}

challenges::challenges() : challenges(random_word) {}

challenges::challenges(std::function<std::uint32_t()> random)
    : random_(std::move(random)), all_(std::make_shared<detail::known_challenges>()) {}

challenge challenges::issue() {
  auto number = random_();
  while (all_->ours(number) || all_->answered.contains(number)) number = random_();
  return {number, all_};
}

std::size_t challenges::outstanding() const noexcept {
  return all_->outstanding.size();
}

}  // namespace rollcall::cnode
