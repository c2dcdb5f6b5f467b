// The last day for the page's timeline: what happened (marks), and what the cluster looked like (frames),
// within stated budgets at any number of members. It is told every snapshot and kept in memory; what an
// earlier run of Rollcall wrote down of it is taken up before the first.
//
//   history.restore(kept);                 // perhaps
//   history.note(*cluster.snapshot());     // after each step that changed something
//   history.marks(), history.frame_at(t)   // what readers are shown
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "membership/snapshot.hpp"

namespace rollcall::membership {

class history {
 public:
  static constexpr milliseconds kept{86'400'000};
  static constexpr std::size_t max_mark_bytes = 1U << 20;  // texts and names of marks
  static constexpr std::size_t max_frame_bytes =
      3U << 20;  // of frames; when it is full, the most crowded moments thin out
  static constexpr std::size_t max_pairs = 500;  // that are not connected, of one frame
  static constexpr milliseconds settles{1'000};  // changes within this make one frame

  enum class kind { own, netsplit, down, restart, join, left };
  static constexpr int kind_count = 6;
  static std::string_view label(kind) noexcept;

  struct mark {
    kind what{};
    wall_time at{};
    std::optional<wall_time> until{};  // of a netsplit: its end; absent while it is open
    std::string text;
    std::uint64_t incident = 0;
  };
  struct place {
    std::uint32_t name;  // index into names()
    member_state state{};
    std::optional<std::uint32_t> partition{};
    bool apart = false;  // the part before the '@' is the name of its mesh
    friend bool operator==(const place&, const place&) = default;
  };
  struct broken_pair {
    std::uint32_t a, b;  // indices into frame::members
    pair_state state{};
    friend bool operator==(const broken_pair&, const broken_pair&) = default;
  };
  struct frame {
    wall_time first{}, at{};  // of the first change it holds, of the last
    std::vector<place> members{};
    std::vector<broken_pair> pairs{};
    std::size_t pairs_omitted = 0;
  };

  // What outlives a run: frames name their members by index into `names`.
  struct kept_day {
    wall_time since{}, until{};  // where it begins, what was noted last
    std::vector<std::string> names{};
    std::deque<mark> marks{};
    std::deque<frame> frames{};
  };

  // Before the first note(). What is older than a day by then, or later than it (a clock that was set back),
  // is left out. A netsplit that was open ends there, unless its incident goes on.
  void restore(kept_day);
  void note(const snapshot&);
  // Rollcall leaves, in good order.
  void note_stop(wall_time wall);
  // Makes it small: frames that lasted longest and the latest marks stay.
  void shrink(std::size_t max_marks, std::size_t max_frames);

  // Changes with every change.
  std::uint64_t revision() const noexcept { return revision_; }
  wall_time until() const noexcept { return until_; }
  // Whether it begins in an earlier run.
  bool restored() const noexcept { return restored_; }

  std::optional<wall_time> since() const noexcept { return since_; }  // of its beginning
  const std::deque<mark>& marks() const noexcept { return marks_; }
  const std::deque<frame>& frames() const noexcept { return frames_; }
  // The last frame not after that moment, the first when all are later; nullptr when there is none.
  const frame* frame_at(wall_time wall) const;
  const std::string& name(std::uint32_t index) const { return names_[index]; }

 private:
  void note_events(const snapshot&);
  void note_incidents(const snapshot&);
  void note_frame(const snapshot&);
  void add(mark);
  frame draw(const snapshot&);
  std::uint32_t index_of(const std::string& name);
  void forget_old(wall_time now);
  void thin_out();
  void drop_unused_names();
  void begin(wall_time now);
  bool was_there_before(const event&);

  std::optional<wall_time> since_;
  wall_time until_;
  std::uint64_t revision_ = 0;
  bool begun_ = false, restored_ = false;
  std::set<std::string> there_before_;  // members of the last run that did not join since
  std::uint64_t last_event_ = 0;
  std::deque<mark> marks_;
  std::size_t mark_bytes_ = 0;
  std::deque<frame> frames_;
  std::size_t frame_bytes_ = 0;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t> indices_;
};

}  // namespace rollcall::membership
