// What happened, in sentences: the events of this step and the last ones for readers.
#pragma once

#include <deque>

#include "membership/facts.hpp"

namespace rollcall::membership {

class journal {
 public:
  explicit journal(std::size_t most) : most_(most) {}

  void write(event_type type, const node_name* node, reason why, std::string text, moment now,
             std::optional<std::uint64_t> incident = {}) {
    event e{.id = next_++,
            .at = now.wall,
            .type = type,
            .node = {},
            .why = why,
            .text = std::move(text),
            .incident = incident};
    if (node != nullptr) e.node = *node;
    fresh_.push_back(e);
    kept_.push_back(std::move(e));
    if (kept_.size() > most_) kept_.pop_front();
  }

  // Those of a life before; numbers go on.
  void follow(const std::vector<event>& before) {
    kept_.assign(before.begin(), before.end());
    if (!before.empty()) next_ = before.back().id + 1;
  }

  std::vector<event> take() { return std::exchange(fresh_, {}); }
  bool has_news() const noexcept { return !fresh_.empty(); }
  std::vector<event> last() const { return {kept_.begin(), kept_.end()}; }

 private:
  std::size_t most_;
  std::uint64_t next_ = 1;
  std::vector<event> fresh_;
  std::deque<event> kept_;
};

}  // namespace rollcall::membership
