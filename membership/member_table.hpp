// Everything known of one member, and the members themselves in order of name (their rank is the index that
// the view matrix and the snapshot use). Ranks change only when members come or go.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "membership/mutation.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::membership {

// Orders what happens without relying on the clock: one per call of cluster::step.
using step_number = std::uint64_t;

// Grouped by subject, not by size.
struct member_record {  // NOLINT(clang-analyzer-optin.performance.Padding)
  explicit member_record(node_name n) : name(std::move(n)), kind(name.kind()) {}

  node_name name;
  name_kind kind;
  // Nodes of different meshes are never asked to connect and are missing nowhere: those of the two kinds of
  // name, and those that --mesh=base keeps apart. By member_table::mesh().
  std::size_t mesh = kind == name_kind::long_name ? 0 : 1;
  std::string base;      // what its mesh is called; empty: the one of its kind
  std::uint32_t id = 0;  // never used twice; 0 is nobody
  std::size_t rank = 0;  // index in member_table::all()

  member_state state = member_state::joining;
  reason why = reason::none;
  std::string detail;
  wall_time since{};
  steady_time entered{};

  bool listed = false;
  std::uint64_t entry = 0;  // order of entering discovery; a new creation enters again
  steady_time delisted_at{};

  bool linked = false;
  bool visible_kind = true;
  std::uint32_t creation = 0;
  bool old_protocol = false;  // its handshake lacks what OTP 26 and later insist on
  steady_time link_since{};
  steady_time lost_at{};       // of the last link
  reason loss = reason::none;  // why it was lost
  bool stopping = false;       // until a new creation
  bool announced = false;      // a source says that it is leaving
  std::string machine, zone;   // as a source says; empty: not known

  bool dialling = false;  // a dial is outstanding
  bool first_dial_ended = false;
  steady_time next_dial{};
  std::optional<steady_time> dialled_at, dial_wanted;  // last; by a sign that it is there
  unsigned dials_failed = 0;                           // in a row
  unsigned took_too_much = 0;              // links in a row that were closed for the memory they held
  reason dial_failure = reason::none;      // of the last dial since the loss; none: no dial ended since
  std::optional<dial_step> dial_ended_at;  // of that dial
  bool no_such_name = false;               // it ended at a name that a name server says does not exist

  bool has_view = false;  // of this link
  bool first_view_ended = false;
  steady_time view_at{};
  step_number view_basis = 0;   // the step in which the view we hold was asked for
  steady_time view_asked_at{};  // of the last question
  steady_time view_of{};        // when the view we hold was asked for: it is no newer than that
  milliseconds round_trip{0};
  bool asking_view = false;  // a question is outstanding
  step_number asked_in = 0;
  bool view_wanted = false;                 // ask as soon as none is outstanding
  std::optional<steady_time> view_doubted;  // since when: reports came while the one we hold was asked for
  bool confirm_due = false;                 // its turn to say that it sees what its view named
  bool confirming = false;                  // it was asked to, and has not answered
  steady_time confirm_asked_at{};
  step_number confirm_asked_in = 0;
  reason view_failure = reason::none;
  std::vector<node_name> strangers;  // in its view, but no members

  steady_time heard_at{};  // it answered anything, over this link
  bool watch_asked = false, watched = false;
  steady_time watched_at{};   // it said that it watches; what went before is in the next view
  steady_time told_at{};      // its watcher said anything, over this link
  steady_time answered_at{};  // its watcher was asked for the last answer it gave: all before that was told
  bool watcher_owes = false;  // it was asked whether the view still holds, and says nothing
  steady_time next_watch{};
  std::vector<std::pair<node_name, bool>> reported_meanwhile;  // while a question for its view is outstanding
  std::vector<std::uint32_t> greeted_by;  // ids of those that reported to be linked to it while we were not
  bool status_wanted = false, asking_status = false;
  steady_time status_asked{};
  bool kept_out = false;                  // leave/1, or pruned: never asked to connect
  std::optional<steady_time> leave_told;  // when it was last told to leave the mesh
  bool pruned = false;                    // kept out until it is listed again
  bool prune_barred = false;              // delisted by an answer that lost half of its nodes

  bool settings_asked = false, settings_answered = false;
  bool settings_known = false;  // all of them: else it is asked again
  steady_time next_settings{};
  unsigned settings_missed = 0;  // answers in a row that left something out
  std::optional<std::string> otp_release;
  std::optional<bool> prevent_overlapping_partitions, connect_all;
  std::optional<std::string> dist_auto_connect;
  std::optional<milliseconds> net_ticktime, net_setuptime;

  std::uint64_t joins = 0, leaves = 0, failures = 0, restarts = 0;
  steady_time absent_since{};  // when it was last heard of, once it is not up any more
  bool joined = false;         // was up since it came (back) into the cluster
  bool failure_pending =
      false;  // down, but still within the time in which `left` or a restart may explain it
  bool failure_counted = false;  // this absence was counted
  bool fresh = false;  // linked, and its view is no older than three intervals; kept by the evaluation

  // connect requests under way with this member at either end
  std::size_t requests = 0;
  bool answers_unseen = false;  // a request was answered since its view was last asked for
  steady_time first_unseen{};

  steady_time came_at{};     // when it was both listed and linked, as a newcomer
  bool introducing = false;  // joining, with a fresh view, and waiting to be introduced to the mesh

  bool in_mesh() const noexcept { return state == member_state::up && fresh; }
  // One that the plan may ask to connect.
  bool joinable() const noexcept {
    const bool going =
        state == member_state::leaving && linked && without(rule_taken::only_who_is_up_is_asked);
    return in_mesh() || (introducing && fresh) || going;
  }
};

// Records by their ids, which are given in turn and looked up for each pair of an incident: an id's low bits
// say where it is, or shortly behind.
class records_by_id {
 public:
  member_record* find(std::uint32_t id) const noexcept {
    for (auto at = id & mask(); slots_[at] != nullptr; at = (at + 1) & mask()) {
      if (slots_[at]->id == id) return slots_[at];
    }
    return nullptr;
  }
  void add(member_record&);
  void remove(const member_record&);

 private:
  std::size_t mask() const noexcept { return slots_.size() - 1; }
  void place(member_record&);

  std::vector<member_record*> slots_ = std::vector<member_record*>(16);  // a power of two, half of them empty
  std::size_t count_ = 0;
};

class member_table {
 public:
  using records = std::vector<std::unique_ptr<member_record>>;

  const records& all() const noexcept { return ordered_; }
  std::size_t size() const noexcept { return ordered_.size(); }
  member_record& operator[](std::size_t rank) const { return *ordered_[rank]; }

  member_record* find(const node_name& name) const { return find(std::string_view(name.text())); }
  member_record* find(std::string_view name) const;
  member_record* find(std::uint32_t id) const noexcept { return by_id_.find(id); }

  // Both leave the ranks as they are until settle(), so that many changes cost one re-ordering. A pointer to
  // a record stays valid until it is removed and settled.
  member_record& add(node_name);
  void remove(member_record&);
  // The index of a mesh, known from then on; an empty `base` is the mesh of that kind of name.
  std::size_t mesh(name_kind, const std::string& base);
  std::size_t meshes() const noexcept { return meshes_; }
  bool settled() const noexcept { return added_.empty() && removed_.empty(); }
  // Applies what was added and removed. For each new rank the old one, `none` for new members.
  std::vector<std::size_t> settle();
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

 private:
  records ordered_, added_;
  std::vector<std::uint32_t> removed_;
  // Found by any text, without a copy of it.
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, member_record*, text_hash, std::equal_to<>> by_name_;
  records_by_id by_id_;
  std::uint32_t next_id_ = 1;
  std::map<std::pair<std::string, name_kind>, std::size_t> bases_;
  std::size_t meshes_ = 2;
};

}  // namespace rollcall::membership
