// Members that fell silent: a dead zone and our own cut look alike while they last. Who comes back with what
// it was, and was lost by a member that we reached all along, was cut off.
//
//   each step: follow(), then take_cuts() and take_returned(); silent_now() and holds() are what
//   `possible_split` shows
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

  // So many members of one mesh: the next one has its own.
  bool holds() const noexcept { return !many_of_.empty(); }
  // Nobody is silent, or was and is not told of.
  bool calm() const noexcept {
    return now_.empty() && absences_.empty() && cuts_.empty() && returned_.empty();
  }
  const std::vector<std::uint32_t>& silent_now() const noexcept { return now_; }  // ids

  // Many of a mesh fell silent together, the first of them is back, and they were cut off.
  struct cut {
    moment since;
    std::map<std::uint32_t, std::uint32_t>
        members;                      // id, creation: all of them that are not known to be dead
    std::set<std::uint32_t> reached;  // those we reached when it began
  };
  std::vector<cut> take_cuts() { return std::exchange(cuts_, {}); }

  // One that was silent to us and seen by nobody, and is back with the same creation: it ran on by itself.
  struct returned {
    std::uint32_t member;
    steady_time since;
  };
  std::vector<returned> take_returned() { return std::exchange(returned_, {}); }

 private:
  struct absence {
    std::uint32_t creation;
    moment since;
    bool lost_by_somebody = false;          // a member we reach lost it, too
    bool unseen = false;                    // no member that we reached held it, at some time
    bool deserted = false;                  // most of them did not: who holds it tells of no cut
    std::optional<std::size_t> together{};  // one of many, of that mesh
  };
  void look(const step_context&);
  void enter(const step_context&);
  void note_witnesses(const step_context&, const losses&);
  void begin_together(const step_context&);
  void come_back(const step_context&);
  bool cut_off(std::size_t mesh, const step_context&) const;
  std::size_t expected_of(std::size_t mesh, const step_context&) const;

  std::map<std::size_t, std::size_t> expected_;  // listed, by mesh
  std::vector<std::uint32_t> now_;
  std::map<std::uint32_t, absence> absences_;
  std::set<std::size_t> many_of_;        // meshes of which so many are silent now
  std::map<std::size_t, cut> together_;  // by mesh, while any of them is away
  std::set<std::size_t> told_;           // of those, by take_cuts()
  std::vector<cut> cuts_;
  std::vector<returned> returned_;
};

}  // namespace rollcall::membership
