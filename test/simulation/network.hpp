// The network between nodes, and between them and the observer: what stands in the way of each direction, and
// which fault put it there. Several faults may stand in the same way; what one takes away leaves the others'.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace rollcall::simulation {

using place = std::uint32_t;               // a node's index
inline constexpr place observer = 65'535;  // the place of the observer
using fault_id = std::uint32_t;
inline constexpr fault_id no_fault = 0;

enum class obstacle : std::uint8_t {
  drop,               // packets vanish
  refuse,             // connections are refused by something in between
  large_lost,         // packets above a size vanish: handshakes pass, traffic stalls
  breaks,             // links come up, and are closed under traffic
  mapper,             // the port mapper of `to` does not answer `from`
  silent_door,        // something accepts in the node's place and says nothing
  closing_door,       // something accepts in its place and closes
  refused_handshake,  // `to` does not take `from` for one of its own (cookies, net_kernel:allow/1)
  unresolved,         // the name of `to` has no address yet, for `from`
  no_ports,           // (observer to `to`) it answers calls, and cannot open a connection of its own
};

class network {
 public:
  void put(place from, place to, obstacle what, fault_id by) {
    auto& list = in_the_way_[key(from, to)];
    if (list.empty()) ever_.insert(key(std::min(from, to), std::max(from, to)));
    list.push_back({what, by});
    reach(std::max(row(from), row(to)));
    note(from, to, list);
  }
  void take(place from, place to, obstacle what, fault_id by) {
    const auto found = in_the_way_.find(key(from, to));
    if (found == in_the_way_.end()) return;
    auto& list = found->second;
    const auto at =
        std::find_if(list.begin(), list.end(), [&](const entry& e) { return e.what == what && e.by == by; });
    if (at != list.end()) list.erase(at);
    note(from, to, list);
    if (list.empty()) in_the_way_.erase(found);
  }

  // Who put it there: the first of them.
  std::optional<fault_id> find(place from, place to, obstacle what) const {
    if ((seen(from, to) & bit(what)) == 0) return std::nullopt;
    for (const auto& e : in_the_way_.at(key(from, to))) {
      if (e.what == what) return e.by;
    }
    return std::nullopt;
  }
  // Whether anything was ever in the way between the two.
  bool was_ever(place a, place b) const { return ever_.contains(key(std::min(a, b), std::max(a, b))); }
  // Either way: without acknowledgements a connection stalls in both directions.
  std::optional<fault_id> find_either(place a, place b, obstacle what) const {
    if ((seen(a, b) & (bit(what) | bit(what) << back)) == 0) return std::nullopt;
    const auto forth = find(a, b, what);
    return forth ? forth : find(b, a, what);
  }
  bool dark(place a, place b) const {
    return (seen(a, b) & (bit(obstacle::drop) | bit(obstacle::drop) << back)) != 0;
  }

 private:
  struct entry {
    obstacle what;
    fault_id by;
  };
  static constexpr unsigned back = 16;  // what is in the way from `to` to `from` stands that many bits higher
  static std::uint32_t key(place from, place to) { return from << 16U | to; }
  static std::uint32_t bit(obstacle what) { return 1U << static_cast<unsigned>(what); }
  static std::size_t row(place i) { return i == observer ? 0 : i + 1; }

  std::uint32_t seen(place from, place to) const {
    const auto a = row(from), b = row(to);
    return a < side_ && b < side_ ? cells_[a * side_ + b] : 0;
  }
  void reach(std::size_t last) {
    if (last < side_) return;
    const auto side = std::max(last + 1, side_ * 2);
    std::vector<std::uint32_t> wider(side * side);
    for (std::size_t a = 0; a < side_; ++a)
      std::copy_n(cells_.begin() + static_cast<std::ptrdiff_t>(a * side_), side_,
                  wider.begin() + static_cast<std::ptrdiff_t>(a * side));
    cells_ = std::move(wider);
    side_ = side;
  }
  void note(place from, place to, const std::vector<entry>& list) {
    std::uint32_t all = 0;
    for (const auto& e : list) all |= bit(e.what);
    constexpr std::uint32_t one_way = (1U << back) - 1;
    auto& forth = cells_[row(from) * side_ + row(to)];
    forth = (forth & ~one_way) | all;
    auto& other = cells_[row(to) * side_ + row(from)];
    other = (other & one_way) | all << back;
  }

  std::unordered_map<std::uint32_t, std::vector<entry>> in_the_way_;
  std::unordered_set<std::uint32_t> ever_;
  // Which kinds of obstacle stand between each two, in a table: it is asked for with every message.
  std::vector<std::uint32_t> cells_;
  std::size_t side_ = 0;
};

}  // namespace rollcall::simulation
