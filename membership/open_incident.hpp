// One incident while it lasts: what readers are shown of it, and what only its end needs.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "membership/incident_cause.hpp"
#include "membership/pair_set.hpp"
#include "membership/silence.hpp"

namespace rollcall::membership {

struct open_incident {
  incident shown;
  steady_time opened{}, first_broken{}, last_broken{};
  std::set<std::uint32_t> excluded;  // ids; all that ever were left out
  pair_set pairs;                    // not whole yet, as far as is known
  pair_set seen;                     // all that ever were, for the cause
  std::map<std::uint32_t, std::uint32_t>
      awaited;                // id, creation: it cut them off from us, too, and they are away
  std::size_t worst_cut = 0;  // pairs between its groups, at the worst moment
  std::optional<moment> whole;
  incident_end last_fate = incident_end::healed;
  bool announced = false;
  bool restored = false;  // its pairs are names only, until we know who is there
  pair_set inherited;     // of an earlier life, and not seen broken in this one: see proven_whole()

  // All that the other one was about.
  void take(const open_incident&);
  bool holds(pair_key k) const { return excluded.contains(lower(k)) || excluded.contains(higher(k)); }
};

// Where each member stands: ranks by partition, the largest first, and the index of each by rank.
struct standing {
  standing(const member_table&, const std::vector<std::vector<std::size_t>>& partitions);
  const std::vector<std::vector<std::size_t>>& partitions;
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> place;

  std::size_t of(const member_record* m) const { return m == nullptr ? nowhere : place[m->rank]; }
  // In two partitions, of two members at least each; by ranks.
  bool two_groups(std::size_t a, std::size_t b) const;
};

// All three: whether anything that readers see changed.
// Its type, pairs and groups, as they are now; groups are those of its worst moment. `worsened`: its type is
// worse than before.
bool describe(open_incident&, const broken_pairs&, const step_context&, const standing&, bool& worsened);
// At one end of each of its pairs stands somebody who lacks at least as many as the other end does.
void exclude(open_incident&, const broken_pairs&, const step_context&);
// What views call whole is whole; a pair that was broken in an earlier life only once probes had their time,
// since nodes go on listing each other over a link that is dark.
bool proven_whole(const open_incident&, pair_key, const member_record&, const member_record&,
                  const step_context&);
// The pair was never whole since one of its ends came, and those that it has joined lack the other end
// because of this incident: it found the cut when it came, and has no part in it.
bool met_on_arrival(const open_incident&, pair_key, const broken_pair&, const step_context&);
// Where overlapping partitions are prevented, who is cut from both ends makes others drop them: they lose
// each other for that, and not for a cause of their own. So do two of which one gave the other up as soon as
// one left out had lost that one.
bool torn_by(const open_incident&, pair_key, const broken_pair&, const losses&, const step_context&);
// Neither waited for nor missed.
bool gone(const member_record&);
// So is a pair of which one end is, or is not known any more; or whose releases refuse each other: that of
// one that was restarted may be told late.
bool gone(const member_record*, const member_record*);
// Of the same first pair: what one pair tore is one incident.
bool begins_alike(const incident&, const incident&);
// A cut that is told once it is over, at least for some.
void show_cut(open_incident&, const silence::cut&, const member_table&);
bool act(open_incident&, std::string text, moment);

// How many pairs stand between the groups: the more, the worse.
std::size_t pairs_between(const std::vector<std::vector<node_name>>& groups);

// Those it leaves out, where a source knows that they run apart from the others; empty else.
std::string runs_along(const incident&, const member_table&);

// In the words of the log.
std::string span(milliseconds);
std::string opening(const incident&);
std::string worsening(const incident&, std::size_t partitions);
std::string ending(const incident&);

}  // namespace rollcall::membership
