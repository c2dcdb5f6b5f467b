// The mesh that a fleet plays: which of its nodes run, their links, and which paths are cut. No
// I/O: what a node would tell its watchers comes out through `changed`.
//
// Played: links that are made by a connect request and by what `global` does next (every node of the one
// group to every node of the other, and to who else those know by then); nodes that stop and come back as
// another run; a silent cut, which nodes notice by themselves only after their net_ticktime. Not played:
// prevent_overlapping_partitions, names registered with global, and the time that real handshakes between the
// nodes take.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace rollcall::bench {

class mesh {
 public:
  using index = std::uint32_t;
  // `on` gained or lost `peer`.
  using changed_function = std::function<void(index on, index peer, bool up, std::string_view why)>;

  // Linked pairwise from the start, or not at all.
  mesh(std::size_t size, bool linked, changed_function changed);

  std::size_t size() const noexcept { return size_; }
  bool runs(index node) const { return runs_[node]; }
  std::uint32_t creation(index node) const { return creations_[node]; }
  bool linked(index a, index b) const { return links_[a * size_ + b] != 0; }
  bool path(index a, index b) const { return blocked_.empty() || blocked_[a * size_ + b] == 0; }
  // By peer; not 0: they are linked.
  std::span<const std::uint8_t> links_of(index node) const {
    return std::span(links_).subspan(node * size_, size_);
  }
  std::size_t degree(index node) const { return degrees_[node]; }
  bool whole() const noexcept { return links_count_ == size_ * (size_ - 1) / 2; }

  // net_kernel:connect_node/1 on `a`: false when there is no path or `b` does not run. The groups of the two
  // are joined by join_some().
  bool connect(index a, index b);
  // About what one node gets of what is still to be joined; false when nothing is. What is joined already
  // takes no time.
  bool join_some();
  // Packets between nodes below `border` and the others are lost, or go through again.
  void cut(index border);
  void cut_pair(index a, index b);
  void repair();
  // What a node notices of a cut when its tick time is over: every link without a path goes.
  void notice(index node);
  void stop(index node);
  void start(index node);

 private:
  void set(index a, index b, bool up, std::string_view why);
  // Gives how many links it got.
  std::size_t join(index one, const std::vector<index>& others);
  // The node and those it is linked to, but for those that hold `far` as well: they have been joined to it.
  std::vector<index> group_without(index node, index far) const;

  std::size_t size_;
  changed_function changed_;
  std::vector<bool> runs_;
  std::vector<std::uint32_t> creations_;
  std::vector<std::uint8_t> links_, blocked_, known_;
  std::vector<std::size_t> degrees_;
  std::size_t links_count_ = 0;
  struct joining {
    std::vector<index> some, others;
    std::size_t next = 0;
  };
  std::deque<joining> joinings_;
};

}  // namespace rollcall::bench
