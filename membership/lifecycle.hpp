// The states of a member and what moves it from one to the next. The rules are written down in
// docs/membership.md.
#pragma once

#include "membership/deadline.hpp"
#include "membership/journal.hpp"
#include "membership/member_table.hpp"
#include "membership/settings.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

// What a failed dial says about the node behind it.
enum class evidence {
  none,    // nothing was tried yet
  gone,    // something answered, and it was not this node
  alive,   // this node answered, and will not talk to us
  silent,  // nobody answered
};
evidence evidence_of(reason) noexcept;

class lifecycle {
 public:
  static constexpr milliseconds default_ticktime{60'000};  // kernel's net_ticktime
  static constexpr milliseconds leaving_at_most{
      300'000};  // gone and still listed: no longer `leaving` after this
  static constexpr milliseconds longest_ttl{300'000};  // a longer one is a mistake: nothing waits for it
  static constexpr std::size_t max_left = 1'000;       // the oldest `left` members give way before reap_after

  lifecycle(const settings& options, journal& events) : options_(options), events_(events) {}

  // A member is known by a listing. A relisted one that had left starts again.
  void listed(member_record&, moment);
  void delisted(member_record&, moment);
  // True: it is another creation than the one we knew.
  bool link_up(member_record&, std::uint32_t creation, moment);
  void link_down(member_record&, reason, const std::string& detail, moment);
  void dial_failed(member_record&, reason, const std::string& detail, moment);
  void stopping(member_record&, moment);
  // A source says that it is leaving, or not (any more: another pod under its name).
  void announced(member_record&, bool leaving, moment);
  // `leaving` until it is let in again, whatever it does meanwhile.
  void keep_out(member_record&, std::string_view why, moment);
  void let_in(member_record&, moment);

  // Moves every member to the state that is right now; notes when that may change by time alone. Returns
  // whether any did. Members to be removed (reaped, or joining and delisted) are appended to `gone`.
  bool evaluate(const member_table&, const view_matrix&, moment, deadline&,
                std::vector<member_record*>& gone);

  bool starting() const noexcept { return starting_; }
  bool isolated() const noexcept { return isolated_; }
  // What sources said. `ttl`: how long the answers hold, in their own words: a cache goes on giving them for
  // so long. `doubted`: one of them says that there is nobody, and is not believed yet.
  void discovery_answered(bool every_source, milliseconds ttl, bool doubted, moment);
  std::uint64_t next_entry() noexcept { return ++entries_; }

 private:
  void enter(member_record&, member_state, reason, moment);
  bool waits_to_be_introduced(const member_record&, bool alone, moment, deadline&) const;
  bool step(member_record&, bool seen, bool alone, moment, deadline&, std::vector<member_record*>& gone);
  bool leaving_step(member_record&, bool seen, moment, deadline&, std::vector<member_record*>& gone);
  bool present_step(member_record&, bool alone, moment, deadline&);
  bool expected_step(member_record&, moment, std::vector<member_record*>& gone) const;
  void leave_cluster(member_record&, moment, std::string_view how);
  bool evaluate_isolation(const member_table&, moment);
  bool evaluate_starting(const member_table&, moment, deadline&);
  bool absent_step(member_record&, bool seen, moment, deadline&);
  bool withdrawn(const member_record&) const;
  milliseconds stale_listing() const;
  bool said_goodbye(const member_record&, moment) const;
  bool settle_failure(member_record&, moment, deadline&);
  steady_time absent_since(const member_record&) const;
  void suspect(member_record&, reason, moment);

  const settings& options_;
  journal& events_;
  bool starting_ = true, isolated_ = false;
  std::vector<bool> meshed_;  // by mesh: two members that are up are linked
  bool every_source_answered_ = false;
  std::optional<steady_time> first_listing_;
  std::optional<steady_time> isolated_until_;
  // The longest TTL of late: what a cache says of itself is what is left of it.
  milliseconds listing_ttl_{0};
  steady_time listing_ttl_at_;
  std::optional<steady_time> doubted_since_;
  std::uint64_t entries_ = 0;
};

}  // namespace rollcall::membership
