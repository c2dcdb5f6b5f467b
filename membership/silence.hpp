// Members that fell silent together: a dead zone and our own cut look alike while they last. Who comes back
// with what it was, and was lost by a member that we reached all along, was cut off.
//
//   each step: follow(), then take_cut(); silent_now() and holds() are what `possible_split` shows
#pragma once

#include <map>

#include "membership/incident_cause.hpp"

namespace rollcall::membership {

class silence {
 public:
  // The one rule: a third or more of those expected, two at least.
  static constexpr bool enough(std::size_t silent, std::size_t expected) noexcept {
    return silent >= 2 && silent * 3 >= expected;
  }

  void follow(const step_context&, const losses&);

  bool holds() const noexcept { return holds_; }
  const std::vector<std::uint32_t>& silent_now() const noexcept { return now_; }  // ids

  // The first of them is back, and they were cut off: since when, and who they are.
  struct cut {
    moment since;
    std::vector<std::uint32_t> members;
  };
  std::optional<cut> take_cut() { return std::exchange(cut_, std::nullopt); }

 private:
  struct episode {
    moment since;
    std::map<std::uint32_t, std::uint32_t> members;  // id, creation
    std::set<std::uint32_t> lost_by_somebody;        // of those: a member we reach lost it, too
    bool told = false;                               // by take_cut()
  };
  void look(const step_context&);
  void begin(const step_context&);
  void come_back(const step_context&);

  bool holds_ = false;
  std::vector<std::uint32_t> now_;
  std::optional<episode> episode_;
  std::optional<cut> cut_;
};

}  // namespace rollcall::membership
