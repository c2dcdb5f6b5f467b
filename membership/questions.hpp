// Who is dialled, and who is asked what, now: one dial and one question of a kind at a time per node.
//
//   round() once an interval; each step: ask()
#pragma once

#include <map>
#include <vector>

#include "membership/context.hpp"
#include "membership/deadline.hpp"

namespace rollcall::membership {

// Listed, and yet no member: another name of a member, or a node that hides itself.
class names_aside {
 public:
  static constexpr milliseconds retry{60'000};  // an alias may become a node of its own

  bool contains(const node_name& name) const { return names_.contains(name); }
  void add(const node_name&, steady_time now, bool hidden);
  std::vector<node_name> hidden() const;
  void erase(const node_name& name) { names_.erase(name); }
  void dial_ended(const node_name&, steady_time now);
  // Only those for which `listed` holds stay.
  template <class Predicate>
  void keep(Predicate&& listed) {
    std::erase_if(names_, [&](const auto& e) { return !listed(e.first); });
  }
  void hurry(steady_time now);
  // `linked`: whether we hold a link to it.
  template <class Predicate>
  void dial(Predicate&& linked, steady_time now, deadline& wake, std::vector<any_action>& actions) {
    for (auto& [name, put] : names_) {
      if (put.dialling || linked(name)) continue;
      if (now >= put.next_dial) {
        put.dialling = true;
        actions.emplace_back(action::dial{name});
      } else {
        wake.note(put.next_dial);
      }
    }
  }

 private:
  struct entry {
    bool hidden = false;
    bool dialling = false;
    steady_time next_dial{};
  };
  std::map<node_name, entry> names_;
};

class questions {
 public:
  static constexpr unsigned max_dial_backoff = 4;          // intervals
  static constexpr milliseconds answers_seen_within{500};  // views follow the first answer at the latest
  static constexpr unsigned watched_rounds =
      6;  // a node that reports changes is asked for its view this often
  static constexpr milliseconds watcher_behind{1'000};   // what one tells that answers later may be past
  static constexpr milliseconds watch_retry{60'000};     // a watcher that ended, or could not start
  static constexpr milliseconds settings_retry{60'000};  // at most; settings that were not told in full
  static constexpr milliseconds status_wait{5'000};      // a question for the status is given up
  // At most, between links to a member that each took too much memory; one that lasted longer is forgiven.
  static constexpr milliseconds too_much_retry{600'000};

  explicit questions(const settings& options) : options_(options) {}

  // The next dial of one that just failed. Who answered is dialled again next interval; who did not, ever
  // later; who refused us, when something may have changed.
  void dial_failed(member_record&, reason, steady_time now) const;
  // The next dial of a member whose link was closed for the memory it held: later each time, since every link
  // costs as much again until it is closed.
  void took_too_much(member_record&, steady_time now) const;
  // Members that refused our cookie; the others.
  static void dial_now(const member_table&, bool refused_for_cookie, steady_time now);
  // `heard`: ids of those that answered a probe since the last one.
  static void round(const member_table&, std::uint64_t number, std::vector<std::uint32_t> heard);
  void ask(const step_context&, deadline&, std::vector<any_action>&) const;

 private:
  void ask_linked(member_record&, const step_context&, deadline&, std::vector<any_action>&) const;

  const settings& options_;
};

}  // namespace rollcall::membership
