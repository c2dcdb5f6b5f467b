// Netsplits: what broke first, who is cut off from which nodes, what was done, how it ended. The rules are in
// docs/membership.md.
//
//   each step: lost(), suspected(), asked(), answered() as things happen, then evaluate()
#pragma once

#include <memory>

#include "membership/context.hpp"
#include "membership/deadline.hpp"
#include "membership/journal.hpp"
#include "membership/path_book.hpp"
#include "membership/silence.hpp"

namespace rollcall::membership {

class incidents {
 public:
  static constexpr std::size_t max_remembered = 100;  // closed ones
  static constexpr std::size_t max_open = 50;
  static constexpr int confirmed_after = 2;  // intervals

  incidents(const settings& options, journal& events);
  ~incidents();
  incidents(incidents&&) noexcept;

  void restore(std::vector<incident>, incident_totals);
  void reorder(std::span<const std::size_t> previous);

  // `from`'s view stopped holding `to`. `why`: the reason of the nodedown, empty when the view was polled.
  void lost(const member_record& from, const member_record& to, std::string_view why, moment);
  // Two probes missed; `from` was asked first.
  void suspected(const member_record& from, const member_record& to, moment);
  // The planner asked, or was answered.
  void asked(const member_record& on, const member_record& to, moment);
  void answered(const member_record& on, const member_record& to, connect_outcome, moment);
  // Left out by the planner (a sentence), or let in again.
  void told(const member_record&, const std::string& sentence, moment);
  // Another creation.
  void restarted(const member_record&, moment);
  // About to be removed from the table.
  void removed(const member_record& m, moment now) { restarted(m, now); }

  // `partitions`: ranks, largest first, with suspected pairs counted as not linked. True when anything that
  // readers see changed.
  bool evaluate(const step_context&, const std::vector<std::vector<std::size_t>>& partitions,
                const path_book&, deadline&);

  // Nothing is broken, open or silent: what is looked at again finds the same until a member or a link
  // changes.
  bool calm() const noexcept;
  // Who fell silent, as it was at the last evaluation.
  const silence& silent() const;
  // Newest first; never null.
  std::shared_ptr<const std::vector<incident>> all() const;
  const incident_totals& totals() const;

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace rollcall::membership
