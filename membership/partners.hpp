// The members with which each one has something that is kept by pairs, so that what concerns one of them is
// found without a look at all pairs. Some of it may be gone: the one that looks finds that out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rollcall::membership {

class partners {
 public:
  void note(std::uint32_t a, std::uint32_t b) {
    by_id_[a].push_back(b);
    by_id_[b].push_back(a);
    noted_ += 2;
  }
  // Those of one member, each once, and not noted for it any more.
  std::vector<std::uint32_t> take(std::uint32_t id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return {};
    auto taken = std::move(found->second);
    by_id_.erase(found);
    noted_ -= taken.size();
    std::ranges::sort(taken);
    taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
    return taken;
  }
  // Most of it is gone, where so many pairs are kept: to be noted again.
  bool outdated(std::size_t pairs) const noexcept { return noted_ > 8 * pairs + 1'024; }
  void clear() {
    by_id_.clear();
    noted_ = 0;
  }

 private:
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> by_id_;
  std::size_t noted_ = 0;
};

}  // namespace rollcall::membership
