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
  }
  void take(place from, place to, obstacle what, fault_id by) {
    const auto found = in_the_way_.find(key(from, to));
    if (found == in_the_way_.end()) return;
    auto& list = found->second;
    const auto at =
        std::find_if(list.begin(), list.end(), [&](const entry& e) { return e.what == what && e.by == by; });
    if (at != list.end()) list.erase(at);
    if (list.empty()) in_the_way_.erase(found);
  }

  // Who put it there: the first of them.
  std::optional<fault_id> find(place from, place to, obstacle what) const {
    if (in_the_way_.empty()) return std::nullopt;
    const auto found = in_the_way_.find(key(from, to));
    if (found == in_the_way_.end()) return std::nullopt;
    for (const auto& e : found->second) {
      if (e.what == what) return e.by;
    }
    return std::nullopt;
  }
  bool empty() const noexcept { return in_the_way_.empty(); }
  // Whether anything was ever in the way between the two.
  bool was_ever(place a, place b) const { return ever_.contains(key(std::min(a, b), std::max(a, b))); }
  // Either way: without acknowledgements a connection stalls in both directions.
  std::optional<fault_id> find_either(place a, place b, obstacle what) const {
    const auto forth = find(a, b, what);
    return forth ? forth : find(b, a, what);
  }
  bool dark(place a, place b) const { return find_either(a, b, obstacle::drop).has_value(); }

 private:
  struct entry {
    obstacle what;
    fault_id by;
  };
  static std::uint32_t key(place from, place to) { return from << 16U | to; }
  std::unordered_map<std::uint32_t, std::vector<entry>> in_the_way_;
  std::unordered_set<std::uint32_t> ever_;
};

}  // namespace rollcall::simulation
