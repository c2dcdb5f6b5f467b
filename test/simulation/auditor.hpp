// Looks at everything that the observer does and publishes, after each step, and at what becomes of the mesh.
//
//   auditor.cpp           the mesh: tears, newcomers that wait, whole again
//   auditor_actions.cpp   what is asked for
//   auditor_snapshot.cpp  what is published
#pragma once

#include <deque>
#include <optional>

#include "test/simulation/coverage.hpp"

namespace rollcall::simulation {

enum class rule {
  crash,               // it crashed, or never ended
  too_many_tears,      // healthy links lost after an action of ours, beyond the allowance
  newcomer_waits,      // longer than two intervals, though it could join
  not_whole,           // long after the last fault ended
  whole_too_late,      // after a plain cut
  not_shown_whole,     // a whole mesh is not published as one
  false_alarm,         // an incident, or a condition that is an error, when nothing was cut
  wrong_count,         // of incidents, for one cut
  wrong_cause,         // a first pair that was never cut
  wrong_groups,        // of an incident
  contradiction,       // in what is published
  flutter,             // an alarm that is raised and withdrawn within a moment
  unreported_opening,  // something is told to be over that was never told
  too_many_actions,
  asks_twice,   // for a pair whose request is not answered
  asks_absent,  // or tells somebody that is not up, or that leaves
  calls_twice,  // dials, or asks the same question again before the answer
  hangs_up,     // hangs up, or makes leave, though nobody said so
  spins,        // asks to be called again in the past
};
inline constexpr std::size_t rule_count = 19;
std::string_view to_string(rule);

struct finding {
  rule broken{};
  std::string what;
  milliseconds at{0};
};

class auditor : public witness {
 public:
  static constexpr milliseconds glance{500};  // it looks so often while faults last

  auditor(world&, std::vector<fault>&, coverage&, milliseconds interval);

  void stepped(const membership::step_result&) override;
  void lost(const beam_mesh::loss&, bool torn) override;
  void bit(fault_id) override;
  // Twice a second.
  void look();
  // No fault is active any more, and everybody who comes back is back.
  void faults_ended();
  // After that: false as long as there is something to wait for.
  bool finished();

  const std::optional<finding>& wrong() const noexcept { return wrong_; }

 private:
  struct newcomer {
    milliseconds could_since{-1};
  };
  struct alarm {
    bool raised = false;
    milliseconds since{0};
  };
  enum class stage { faults, settling, healing, showing, done };

  void broken(rule, std::string what);
  bool any(const std::function<bool(const fault&)>&) const;
  bool only(const std::function<bool(const fault_traits&)>&) const;
  bool observer_is_well() const;
  void count_decision(decision d) { ++covered_.decisions[static_cast<std::size_t>(d)]; }

  // the mesh
  void check_tears();
  void note_reached();
  bool reached(place) const;
  bool could_join(place, const std::vector<place>& established) const;
  void check_newcomers();
  std::vector<place> those_to_be_linked() const;
  bool whole() const;
  bool all_linked_to_us() const;
  bool dead_are_known() const;
  milliseconds watched_since() const;
  bool whole_for_long() const;
  std::string who_is_apart() const;
  milliseconds longest_hold() const;
  milliseconds longest_hold_lately();
  bool shown_whole(std::string& why) const;
  // what is asked for
  void check_actions(const membership::step_result&);
  void check_connect(const membership::action::connect&);
  void classify(place on, place to);
  bool in_one_group(place from, place to);
  // what is published
  void check_snapshot(const membership::snapshot&);
  void check_members(const membership::snapshot&);
  void check_incidents(const membership::snapshot&);
  bool really_apart(const membership::incident&) const;
  void check_conditions(const membership::snapshot&);
  void check_events(const std::vector<membership::event>&);
  void check_plain_cut();
  void note_whole();
  std::size_t causes() const;

  world& world_;
  std::vector<fault>& faults_;
  coverage& covered_;
  milliseconds interval_;
  std::optional<finding> wrong_;
  stage stage_ = stage::faults;
  milliseconds stage_since_{0};
  milliseconds allowed_{0}, allowed_at_{0};  // the longest hold, and when it was
  std::size_t asked_before_ = 0;             // requests, when healing began
  std::optional<milliseconds> whole_since_;
  bool broke_ = false, broke_soon_ = false;  // a link, soon after it had come up
  std::size_t wholes_ = 0;
  bool plain_ = false;  // one cut, nothing else
  std::map<place, newcomer> newcomers_;
  std::map<place, milliseconds> reached_since_;
  std::deque<milliseconds> acted_;
  std::map<std::pair<place, place>, std::size_t> last_asked_;  // by index into shell::connects()
  std::size_t asks_seen_ = 0, answers_seen_ = 0;
  std::vector<std::size_t> group_of_;  // as of step groups_of_step_
  std::uint64_t groups_of_step_ = 0;
  std::map<std::string, std::array<std::uint64_t, 4>> counters_;
  std::array<alarm, 2> alarms_{};  // netsplit, possible_split
  std::set<std::uint64_t> opened_, justified_;
  std::set<std::pair<place, place>> lost_;              // pairs that were linked
  std::map<std::pair<place, place>, unsigned> breaks_;  // soon after they had come up
  std::uint64_t life_events_ = 0;
  std::set<std::uint64_t> counted_incidents_;
};

}  // namespace rollcall::simulation
