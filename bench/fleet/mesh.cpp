#include "bench/fleet/mesh.hpp"

#include <algorithm>
#include <functional>

namespace rollcall::bench {

namespace {
constexpr std::uint32_t first_creation = 1000;
}

mesh::mesh(std::size_t size, bool linked, changed_function changed)
    : size_(size),
      changed_(std::move(changed)),
      runs_(size, true),
      creations_(size, first_creation),
      links_(size * size, 0),
      degrees_(size, 0) {
  if (!linked) return;
  for (index a = 0; a < size; ++a) {
    for (index b = 0; b < size; ++b) links_[a * size + b] = a != b;
    degrees_[a] = size - 1;
  }
  links_count_ = size * (size - 1) / 2;
}

void mesh::set(index a, index b, bool up, std::string_view why) {
  if (a == b || linked(a, b) == up) return;
  links_[a * size_ + b] = links_[b * size_ + a] = up;
  const auto by = up ? std::size_t{1} : ~std::size_t{0};
  degrees_[a] += by;
  degrees_[b] += by;
  links_count_ += by;
  if (runs_[a]) changed_(a, b, up, why);
  if (runs_[b]) changed_(b, a, up, why);
}

std::vector<mesh::index> mesh::group_without(index node, index far) const {
  std::vector<index> group{node};
  for (index other = 0; other < size_; ++other) {
    if (linked(node, other) && !linked(far, other)) group.push_back(other);
  }
  return group;
}

bool mesh::connect(index a, index b) {
  if (!runs_[a] || !runs_[b] || !path(a, b)) return false;
  if (linked(a, b)) return true;
  joining next{group_without(a, b), group_without(b, a), 0};
  if (next.some.size() > next.others.size()) std::swap(next.some, next.others);
  set(a, b, true, {});
  if (next.some.size() * next.others.size() > 1) joinings_.push_back(std::move(next));
  return true;
}

bool mesh::join_some() {
  std::size_t made = 0;
  for (; !joinings_.empty(); joinings_.pop_front()) {
    auto& now = joinings_.front();
    while (now.next < now.some.size()) {
      made += join(now.some[now.next++], now.others);
      if (made >= size_ / 2) return true;
    }
  }
  return made > 0;
}

std::size_t mesh::join(index one, const std::vector<index>& others) {
  std::size_t made = 0;
  if (!runs_[one] || degrees_[one] == size_ - 1) return made;
  // What each of them knows by now it tells the new one: who was linked to it meanwhile, too.
  known_.assign(size_, 0);
  const auto link = [&](index other) {
    if (one == other || linked(one, other) || !runs_[other] || !path(one, other)) return false;
    set(one, other, true, {});
    ++made;
    return true;
  };
  for (const auto other : others) {
    if (!link(other)) continue;
    const auto its = links_of(other);
    std::ranges::transform(known_, its, known_.begin(), std::bit_or<>());
  }
  for (index other = 0; other < size_ && made > 0; ++other) {
    if (known_[other] != 0) link(other);
  }
  return made;
}

void mesh::cut(index border) {
  blocked_.assign(size_ * size_, 0);
  for (index a = 0; a < size_; ++a) {
    for (index b = 0; b < size_; ++b) blocked_[a * size_ + b] = (a < border) != (b < border);
  }
}

void mesh::cut_pair(index a, index b) {
  if (blocked_.empty()) blocked_.assign(size_ * size_, 0);
  blocked_[a * size_ + b] = blocked_[b * size_ + a] = 1;
}

void mesh::repair() {
  blocked_.clear();
}

void mesh::notice(index node) {
  for (index other = 0; other < size_; ++other) {
    if (linked(node, other) && !path(node, other)) set(node, other, false, "net_tick_timeout");
  }
}

void mesh::stop(index node) {
  if (!runs_[node]) return;
  runs_[node] = false;
  for (index other = 0; other < size_; ++other) set(node, other, false, "connection_closed");
}

void mesh::start(index node) {
  if (runs_[node]) return;
  runs_[node] = true;
  ++creations_[node];
}

}  // namespace rollcall::bench
